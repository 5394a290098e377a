//! What the daemon answers, to good requests and bad ones.

use crate::world::{Said, World, cannot_be_tested, end_of, text, wait_for, wait_until};
use neronet_model::RunId;
use neronet_model::journal::Entry;
use neronet_store::Home;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What `daemon.json` says, once somebody does.
pub(crate) fn notice(world: &World) -> Value {
    wait_for("daemon.json", || serde_json::from_str(&std::fs::read_to_string(world.home().join("daemon.json")).ok()?).ok())
}

pub(crate) fn pid(world: &World) -> i32 {
    notice(world)["process"]["pid"].as_i64().expect("a pid") as i32
}

pub(crate) fn socket(world: &World) -> PathBuf {
    PathBuf::from(notice(world)["socket"].as_str().expect("a path"))
}

/// Status, head and body of what is answered to these bytes.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
    pub(crate) fn with(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

/// Nothing when the connection was closed without a word.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Option<Answer> {
    // Whoever is refused may not be heard to the end.
    stream.write_all(request).and_then(|()| stream.flush()).ok();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer { status: head.split(' ').nth(1)?.parse().ok()?, head: head.to_lowercase(), body: body.into() })
}

fn connect(world: &World) -> UnixStream {
    let stream = UnixStream::connect(socket(world)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    stream
}

pub(crate) fn get(world: &World, address: &str) -> Answer {
    exchange(connect(world), format!("GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).expect("an answer")
}

pub(crate) fn post(world: &World, address: &str, header: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!("POST {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{header}");
    exchange(connect(world), format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).expect("an answer")
}

pub(crate) fn served() -> World {
    let world = World::new();
    world.say(&["serve", "--background"]).with_code(0);
    world
}

#[test]
fn the_daemon_answers_what_the_commands_print() {
    let world = served();
    world.write("neronet.toml", "name = 'fit'\ncommand = 'echo loss {lr}; echo oops >&2'\n[params]\nlr = [0.5, 0.25]\n");
    world.say(&["run"]).with_code(0);
    assert_eq!(get(&world, "/v1/runs").with(200).json(), world.say(&["ls", "-a", "--json"]).json());
    let filtered = get(&world, "/v1/runs?which=lr%20%3C%200.3&fields=id&fields=lr&project=project").with(200).json();
    assert_eq!(filtered, json!([{"id": 2, "params": {"lr": 0.25}}]));
    assert_eq!(get(&world, "/v1/runs?sort=-lr&limit=1&fields=id").json(), json!([{"id": 1}]));
    assert_eq!(get(&world, "/v1/runs?which=lr+%3E+7").json(), json!([]));
    assert_eq!(get(&world, "/v1/runs?project=another").json(), json!([]));
    assert_eq!(get(&world, "/v1/runs/1").with(200).json(), world.say(&["show", "1", "--json"]).json());
    assert_eq!(get(&world, "/v1/runs/last").json()["id"], 2);
    assert_eq!(get(&world, "/v1/runs/1/logs?stderr").with(200).body, "oops\n");
    assert_eq!(get(&world, "/v1/runs/1/logs?tail=0").body, "");
    assert!(get(&world, "/v1/runs/1/logs").body.contains("loss 0.5\n"));
    assert_eq!(get(&world, "/v1/runs/1/metrics").json()["loss"]["last"], 0.5);
    assert_eq!(get(&world, "/v1/runs/1/metrics/loss").with(200).json(), world.say(&["metrics", "1", "loss", "--json"]).json());
    let about = get(&world, "/v1/about").with(200).json();
    assert_eq!((about["pid"].as_i64(), &about["stays"]), (Some(i64::from(pid(&world))), &json!(true)));

    let both = json!({"which": ["fit"]});
    assert_eq!(post(&world, "/v1/runs/tag", "", &json!({"which": ["1-2"], "add": ["kept"]})).with(200).json(), json!({"runs": [1, 2]}));
    assert_eq!(post(&world, "/v1/runs/tag", "", &json!({"which": ["1"], "remove": ["kept"]})).with(200).json(), json!({"runs": [1]}));
    assert_eq!(post(&world, "/v1/runs/note", "", &json!({"run": "@kept", "note": " good "})).with(200).json(), json!({"runs": [2]}));
    assert_eq!((world.show(1)["tags"].clone(), world.show(2)["note"].clone()), (json!([]), json!("good")));
    assert_eq!(post(&world, "/v1/runs/trash", "", &both).with(200).json(), json!({"runs": [1, 2]}));
    assert_eq!((world.list().len(), get(&world, "/v1/runs?trash=true&fields=id").json()), (0, json!([{"id": 1}, {"id": 2}])));
    assert_eq!(post(&world, "/v1/runs/restore", "", &both).with(200).json(), json!({"runs": [1, 2]}));
    let stopped = post(&world, "/v1/runs/stop", "", &both).with(200).json();
    assert_eq!((&stopped["runs"], &stopped["refused"][1]["run"]), (&json!([]), &json!(2)));
    assert!(text(&stopped["refused"][0]["why"]).contains("it has ended"));

    for (address, status) in [
        ("/v1/runs/9", 404),
        ("/v1/runs?which=nobody", 404),
        ("/v1/runs/1/metrics/los", 404),
        ("/v1/runs/1/logs?attempt=7", 404),
        ("/v1/nowhere", 404),
        ("/", 404),
        ("/v1/runs/", 404),
        ("/v1/runs/stop", 404),
        ("/v1/down", 405),
        ("/v1/runs?wich=1", 400),
        ("/v1/runs?limit=x", 400),
        ("/v1/runs?which=(", 404),
        ("/v1/runs?sort=nothing", 400),
        ("/v1/runs/%ff", 400),
        ("/v1/runs/..%2f..%2fetc", 404),
        ("/v1/events?after=x", 400),
    ] {
        let refused = get(&world, address).with(status).json();
        assert!(refused["error"].is_string() && refused["hint"].is_string(), "{address}: {refused}");
    }
    for (address, body, status) in [
        ("/v1/runs/tag", json!({"which": ["1"], "add": ["two words"]}), 400),
        ("/v1/runs/tag", json!({"which": ["1"]}), 400),
        ("/v1/runs/stop", json!({"which": []}), 400),
        ("/v1/runs/stop", json!({"which": "1"}), 400),
        ("/v1/runs/stop", json!({"which": ["1"], "runs": 1}), 400),
        ("/v1/runs/stop", json!({}), 400),
        ("/v1/runs/note", json!({"run": "1-2", "note": ""}), 400),
        ("/v1/runs/kill", json!({"which": ["77"]}), 404),
        ("/v1/runs/1", json!({}), 405),
        ("/v1/hand-over", json!({"version": "0.0.1"}), 409),
    ] {
        post(&world, address, "", &body).with(status);
    }
    assert!(get(&world, "/v1/down").head.contains("allow: post"));
}

/// Of a home so large that `ls` and `queue` ask the daemon.
#[test]
fn a_listing_is_the_same_whoever_makes_it() {
    let world = World::new();
    let numbers: Vec<String> = (1..=15_000).map(|n| n.to_string()).collect();
    world.write("neronet.toml", format!("command = ['true', '{{n}}']\nparams.n = [{}]\n", numbers.join(", ")));
    world.say(&["submit", "--yes", "--not-before", "2099-01-01 00:00"]).with_code(0);
    let fixed =
        |words: &[&str]| -> Said { world.neronet(words).env("NERONET_NOW", "4070900000000").output().expect("neronet starts").into() };
    let say = || {
        [fixed(&["ls"]), fixed(&["queue", "--limit", "3"]), fixed(&["ls", "n > 14990", "--sort", "-n"])].map(|said| (said.out, said.err))
    };
    let asked = json!({"wanted": {"queue": {"limit": 3, "json": false}}, "folder": world.project()});
    assert_eq!(post(&world, "/v1/listing", "", &asked).with(200).json()["table"]["rows"].as_array().map(Vec::len), Some(3));
    post(&world, "/v1/listing", "", &json!({"wanted": {"rm": {}}, "folder": "/"})).with(400);
    post(&world, "/v1/listing", "", &json!({"wanted": {"queue": {"json": false}}, "folder": "/", "zone": "Mars/Olympus"})).with(409);
    let from_daemon = say();
    world.say(&["down"]).with_code(0);
    assert_eq!(from_daemon, say());
    let [(ls, _), (queue, _), (sorted, _)] = from_daemon;
    assert!(ls.lines().count() == 1002 && ls.ends_with("1,000 of 15,000 runs shown (--limit)\n"), "{ls}");
    assert!(queue.ends_with("0 runs started, 15,000 queued\n3 of 15,000 queued runs shown (--limit)\n"), "{queue}");
    assert!(sorted.lines().nth(1).is_some_and(|first| first.contains(" 15000 ")), "{sorted}");
}

#[test]
fn a_run_is_stopped_through_the_daemon_and_what_changes_is_told_as_it_happens() {
    let world = served();
    let cli = world.start(&["run", "--", "sh", "-c", "echo began > $WORLD/began; sleep 4711"]);
    world.wait_told("began");
    let mut heard = Events::of(&world, "after=0", "");
    assert_eq!(heard.next()["what"], "submitted");
    // A run that is there twice is no reason to trash it.
    post(&world, "/v1/runs/trash", "", &json!({"which": ["1"]})).with(409);
    assert_eq!(post(&world, "/v1/runs/stop", "", &json!({"which": ["1"]})).with(200).json(), json!({"runs": [1]}));
    end_of(cli).with_code(1);
    wait_until("the end is told", || {
        let change = heard.next();
        change["what"] == "ended" && change["runs"] == "1"
    });
}

#[test]
fn the_queue_is_steered_through_the_daemon() {
    let world = served();
    world
        .write("neronet.toml", "command = 'until [ -e $WORLD/go ]; do sleep 0.05; done'\n[params]\nn = [1, 2, 3]\n[sweep]\nparallel = 1\n");
    world.say(&["submit"]).with_code(0);
    wait_until("one runs", || get(&world, "/v1/runs/1").json()["state"] == "running");
    let order = || {
        let all = get(&world, "/v1/queue").with(200).json();
        all.as_array().expect("a list").iter().map(|run| run["id"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(order(), [1, 2, 3]);
    assert_eq!(get(&world, "/v1/queue?limit=0").json().as_array().map(Vec::len), Some(1));
    let steer = |what: &str, body: Value| post(&world, &format!("/v1/{what}"), "", &body);
    assert_eq!(steer("runs/move", json!({"which": ["3"], "to": {"before": 2}})).with(200).json(), json!({"runs": [3]}));
    assert_eq!(order(), [1, 3, 2]);
    steer("runs/move", json!({"which": ["3"], "to": "last"})).with(200);
    steer("runs/priority", json!({"which": ["3"], "priority": 5})).with(200);
    assert_eq!(order(), [1, 3, 2]);
    steer("runs/hold", json!({"which": ["2-3"], "because": "lunch"})).with(200);
    assert!(text(&get(&world, "/v1/runs/2").json()["reason"]).contains("lunch"));
    steer("runs/release", json!({"which": ["2-3"]})).with(200);
    steer("quota", json!({"project": "project", "runs": 1})).with(200);
    for (what, body, status) in [
        ("runs/move", json!({"which": ["3"], "to": {"before": 1}}), 409),
        ("runs/move", json!({"which": ["3"], "to": "up"}), 400),
        ("runs/move", json!({"which": ["3"]}), 400),
        ("runs/hold", json!({"which": ["1"]}), 409),
        ("runs/priority", json!({"which": ["3"], "priority": 1e99}), 400),
        ("quota", json!({"project": ""}), 400),
    ] {
        steer(what, body).with(status);
    }
    world.tell("go");
    (1..=3).for_each(|run| drop(world.ended(run)));
}

/// Somebody who listens.
struct Events {
    stream: BufReader<UnixStream>,
    id: String,
}

impl Events {
    fn of(world: &World, query: &str, header: &str) -> Events {
        let mut stream = connect(world);
        write!(stream, "GET /v1/events?{query} HTTP/1.0\r\n{header}\r\n").expect("sent");
        Events { stream: BufReader::new(stream), id: String::new() }
    }

    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).expect("it speaks") > 0, "the stream ended");
            if let Some(id) = line.strip_prefix("id: ") {
                self.id = id.trim().into();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).expect("JSON");
            }
        }
    }
}

/// Writes to the journal as any neronet may.
fn tag(world: &World, times: u64) {
    let home = Home::at(&world.home()).expect("a home");
    let mut locked = home.lock([0; 10], 0, |_| {}).expect("locked");
    for n in 0..times {
        // No two of them neighbours: they take many words to name.
        let runs = (1..4_000).step_by(2).map(RunId).collect();
        locked.learn(Entry::Tagged { runs, add: vec![n.to_string()], remove: Vec::new() }).expect("written");
    }
}

#[test]
fn a_slow_listener_holds_nobody_up_and_whoever_comes_back_misses_nothing() {
    let world = served();
    tag(&world, 1);
    let slow = Events::of(&world, "after=0", "");
    let mut quick = Events::of(&world, "after=0", "");
    assert_eq!(quick.next()["what"], "tagged");
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid(&world))).expect("it runs");
        let kb: Option<u64> =
            status.lines().find_map(|line| line.strip_prefix("RssAnon:")).and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        kb.expect("a number of kB")
    };
    let before = memory();
    // Far more than lies in the buffers of a socket.
    tag(&world, 1_000);
    (0..500).for_each(|_| assert_eq!(quick.next()["what"], "tagged"));
    get(&world, "/v1/about").with(200);
    assert!(memory() < before + 20_000, "{} kB, then {}", before, memory());
    let id = quick.id.clone();
    drop((slow, quick));
    world.say(&["down"]).with_code(0);
    world.say(&["serve", "--background"]).with_code(0);
    let mut again = Events::of(&world, "", &format!("Last-Event-ID: {id}\r\n"));
    (0..500).for_each(|_| assert_eq!(again.next()["what"], "tagged"));
    tag(&world, 1);
    again.next();
    let end = std::fs::metadata(world.home().join("journal/1.log")).expect("there").len();
    assert_eq!(again.id, end.to_string());
}

#[test]
fn malformed_and_huge_requests_end_no_more_than_their_connection() {
    let world = served();
    let daemon = pid(&world);
    let huge = "x".repeat(1_000_000);
    let many: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    let deep = "[".repeat(100_000);
    let posted =
        |body: &str| format!("POST /v1/runs/stop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let large = 33 << 20;
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    let chunked = format!("POST /v1/runs/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(33));
    for (request, status) in [
        ("\0\0\0\0\r\n\r\n".to_string(), Some(400)),
        ("hello\r\n\r\n".into(), Some(400)),
        ("GET /v1/about HTTP/9.9\r\n\r\n".into(), Some(400)),
        (format!("GET /{huge} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Some(431)),
        (format!("GET /v1/about HTTP/1.1\r\nX: {huge}\r\n\r\n"), Some(431)),
        (format!("GET /v1/about HTTP/1.1\r\n{many}\r\n"), Some(431)),
        ("POST /v1/runs/stop HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(), Some(400)),
        ("POST /v1/runs/stop HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".into(), Some(400)),
        (format!("POST /v1/runs/stop HTTP/1.1\r\nConnection: close\r\nContent-Length: {large}\r\n\r\n{{"), Some(413)),
        (chunked, Some(413)),
        (posted("{"), Some(400)),
        (posted("[]"), Some(400)),
        (posted("{\"which\": [1e999]}"), Some(400)),
        (posted(&deep), Some(400)),
        (posted("{\"which\": [\"\u{1b}[2J\"]}"), Some(400)),
        (posted("{\"which\": [\"\\u001b[2J\"]}"), Some(404)),
        ("POST /v1/runs/stop HTTP/1.1\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}".into(), Some(415)),
        ("BREW /v1/about HTTP/1.1\r\nConnection: close\r\n\r\n".into(), Some(405)),
        ("GET /v1/about HTTP/1.1\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n".into(), Some(403)),
    ] {
        let answer = exchange(connect(&world), request.as_bytes());
        let shown = &request[..request.len().min(100)];
        assert_eq!(answer.as_ref().map(|answer| answer.status), status, "{shown:?}: {answer:#?}");
        assert_eq!(get(&world, "/v1/about").with(200).json()["pid"], daemon);
    }
    // Half a request, and gone.
    for half in ["GET /v1/ab", "POST /v1/runs/stop HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"] {
        let mut stream = connect(&world);
        stream.write_all(half.as_bytes()).expect("sent");
        drop(stream);
    }
    // All that may be open at once, with half a request each: the next one learns why it has to wait.
    let half = || {
        let mut stream = connect(&world);
        stream.write_all(b"GET /v1/about HTTP/1.1\r\n").expect("sent");
        stream
    };
    let open: Vec<UnixStream> = (0..64).map(|_| half()).collect();
    wait_until("too many are open", || get(&world, "/v1/about").status == 503);
    drop(open);
    wait_until("there is room again", || get(&world, "/v1/about").status == 200);
    assert_eq!(pid(&world), daemon);
}

#[test]
fn what_is_asked_for_twice_under_a_key_happens_once() {
    let world = served();
    world.say(&["run", "--", "true"]).with_code(0);
    let tagged =
        |key: &str, tag: &str| post(&world, "/v1/runs/tag", &format!("Idempotency-Key: {key}\r\n"), &json!({"which": ["1"], "add": [tag]}));
    let tags = || world.show(1)["tags"].clone();
    let first = tagged("a", "x").with(200).json();
    world.say(&["tag", "1", "x", "--remove"]).with_code(0);
    assert_eq!(tagged("a", "x").with(200).json(), first);
    assert_eq!(tags(), json!([]), "it was done once more");
    tagged("a", "y").with(422);
    tagged("no key", "y").with(400);
    let cli = world.start(&["run", "--", "sh", "-c", "echo began > $WORLD/began; sleep 4711"]);
    world.wait_told("began");
    let killed = || post(&world, "/v1/runs/kill", "Idempotency-Key: b\r\n", &json!({"which": ["last"]})).with(200).json();
    let answer = killed();
    assert_eq!(answer, json!({"runs": [2]}));
    end_of(cli).with_code(1);
    let trashed = || post(&world, "/v1/runs/trash", "Idempotency-Key: c\r\n", &json!({"which": ["1"]})).with(200).json();
    assert_eq!(trashed(), json!({"runs": [1]}));
    // None of it is forgotten by being killed.
    crate::world::signal(pid(&world), nix::sys::signal::Signal::SIGKILL);
    world.say(&["serve", "--background"]).with_code(0);
    assert_eq!((tagged("a", "x").with(200).json(), killed(), trashed()), (first, answer, json!({"runs": [1]})));
    tagged("a", "y").with(422);
    // Under a key of its own it is asked for once more, and there is nothing there.
    post(&world, "/v1/runs/trash", "Idempotency-Key: d\r\n", &json!({"which": ["1"]})).with(404);
    // Both at once: one does it, the other waits or gets the same.
    let statuses = std::thread::scope(|scope| {
        let both = [(); 8]
            .map(|()| scope.spawn(|| post(&world, "/v1/runs/note", "Idempotency-Key: e\r\n", &json!({"run": "2", "note": "n"})).status));
        both.map(|one| one.join().expect("no panic"))
    });
    assert!(statuses.iter().all(|status| [200, 409].contains(status)) && statuses.contains(&200), "{statuses:?}");
    let mut heard = Events::of(&world, "after=0", "");
    tag(&world, 1);
    let told: Vec<String> = std::iter::from_fn(|| Some(text(&heard.next()["what"])).filter(|_| !heard.id.is_empty()))
        .take_while(|what| what != "noted")
        .collect();
    let last = heard.next();
    assert_eq!(
        (last["what"].as_str(), told.iter().filter(|what| *what == "tagged").count()),
        (Some("tagged"), 2),
        "{told:?}: noted more than once"
    );
}

#[test]
fn the_document_says_what_there_is() {
    let world = served();
    let document = get(&world, "/v1/openapi.json").with(200).json();
    assert_eq!(document, world.say(&["openapi"]).with_code(0).json());
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (verb, operation) in operations.as_object().expect("operations") {
            assert!(names.insert(text(&operation["operationId"])), "{path}: its name is there twice");
            let in_path = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path");
            let named: BTreeSet<String> = in_path.map(|parameter| format!("{{{}}}", text(&parameter["name"]))).collect();
            let wanted: BTreeSet<String> = path.split('/').filter(|part| part.starts_with('{')).map(str::to_string).collect();
            assert_eq!(named, wanted, "{path}");
            // What would not end, or would end us.
            if ["events", "down", "handOver"].contains(&operation["operationId"].as_str().expect("a name")) {
                continue;
            }
            let address = path.replace(['{', '}'], "");
            let answer = if verb == "get" { get(&world, &address) } else { post(&world, &address, "", &json!({})) };
            assert!(answer.status != 405 && !answer.body.contains("there is nothing at"), "{path}: {answer:#?}");
        }
    }
    refs(&document, &document);
}

/// Every reference leads to something.
fn refs(all: &Value, here: &Value) {
    match here {
        Value::Object(map) => {
            if let Some(to) = map.get("$ref").and_then(Value::as_str) {
                assert!(all.pointer(to.trim_start_matches('#')).is_some(), "{to} leads nowhere");
            }
            map.values().for_each(|value| refs(all, value));
        }
        Value::Array(list) => list.iter().for_each(|value| refs(all, value)),
        _ => {}
    }
}

/// A daemon in the foreground that answers by TCP too, and its address.
fn by_tcp(world: &World) -> (Child, String) {
    let child = world.start(&["serve", "--listen", "127.0.0.1:0"]);
    wait_until("it listens", || world.home().join("daemon.json").exists());
    (child, text(&notice(world)["tcp"]))
}

#[test]
fn tcp_takes_a_token_and_no_page_of_another_origin() {
    let world = World::new();
    let refused = world.say(&["serve", "--listen", "127.0.0.1:0"]).with_code(2);
    assert!(refused.err.contains("`neronet token NAME` makes one"), "{refused:#?}");
    assert!(world.say(&["serve", "--listen", "everywhere"]).with_code(2).err.contains("127.0.0.1:8080"));
    let made = |words: &[&str]| world.say(&[&["token"], words].concat()).with_code(0).out.trim().to_string();
    let (admin, viewer) = (made(&["ada"]), made(&["bob", "--viewer"]));
    world.say(&["token", "ada"]).with_code(2);
    let kept = std::fs::read_to_string(world.home().join("tokens.json")).expect("there");
    assert!(!kept.contains(&admin) && !kept.contains(admin.trim_start_matches("neronet_")), "{kept}");
    assert!(made(&[]).contains("viewer"));
    let (mut daemon, address) = by_tcp(&world);
    let ask = |verb: &str, path: &str, headers: &str| {
        let length = if verb == "POST" { "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" } else { "\r\n" };
        let request = format!("{verb} {path} HTTP/1.1\r\nConnection: close\r\n{headers}{length}");
        exchange(TcpStream::connect(&address).expect("it listens"), request.as_bytes()).expect("an answer")
    };
    let host = format!("Host: {address}\r\n");
    let with = |token: &str| format!("{host}Authorization: Bearer {token}\r\n");
    let port = address.rsplit(':').next().expect("a port");
    for (headers, status) in [
        (with(&admin), 200),
        (with(&viewer), 200),
        (format!("Authorization: Bearer {admin}\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n"), 200),
        (host.clone(), 401),
        (with("neronet_0"), 401),
        (format!("{host}Authorization: Basic {admin}\r\n"), 401),
        (format!("Authorization: Bearer {admin}\r\n"), 421),
        (format!("Authorization: Bearer {admin}\r\nHost: evil.example:{port}\r\n"), 421),
        (format!("{}Host: evil.example\r\n", with(&admin)), 400),
        (format!("{}Origin: http://evil.example\r\n", with(&admin)), 403),
        (format!("{}Origin: null\r\n", with(&admin)), 403),
    ] {
        let answer = ask("GET", "/v1/about", &headers).with(status);
        assert!(!answer.head.contains("access-control"), "{answer:#?}");
    }
    for (verb, status) in [("OPTIONS", 405), ("DELETE", 405), ("HEAD", 405)] {
        assert_eq!(ask(verb, "/v1/about", &with(&admin)).status, status, "{verb}");
        assert_eq!(ask(verb, "/v1/about", &format!("{}Origin: http://evil.example\r\n", with(&admin))).status, 403, "{verb}");
    }
    ask("POST", "/v1/runs/stop", &with(&viewer)).with(403);
    ask("POST", "/v1/runs/stop", &with(&admin)).with(400);
    ask("POST", "/v1/down", &with(&viewer)).with(403);
    world.say(&["token", "ada", "--revoke"]).with_code(0);
    world.say(&["token", "ada", "--revoke"]).with_code(2);
    ask("GET", "/v1/about", &with(&admin)).with(401);
    world.say(&["down"]).with_code(0);
    assert_eq!(daemon.wait().expect("it is ours").code(), Some(0));
}

#[test]
fn the_socket_answers_its_owner_alone() {
    let world = served();
    let path = socket(&world);
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    assert_eq!(mode(&world.home().join("daemon.json")), 0o600);
    if !nix::unistd::getuid().is_root() {
        return cannot_be_tested("a peer that is somebody else", "only root can become that");
    }
    // Even where every door to it stands open.
    for folder in path.ancestors().take_while(|folder| *folder != std::path::Path::new("/")) {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).ok();
    }
    std::fs::set_permissions("/tmp", PermissionsExt::from_mode(0o1777)).ok();
    let script = "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\ns = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
                  try:\n    s.sendall(b'GET /v1/about HTTP/1.0\\r\\n\\r\\n'); print(len(s.recv(100)))\nexcept OSError: print(0)\n";
    let mut command = Command::new("python3");
    world.settle(&mut command);
    let said = command.args(["-c", script]).arg(&path).stderr(Stdio::piped()).output().expect("python3");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "0", "{said:?}");
    get(&world, "/v1/about").with(200);
}
