//! Submitting and trying again through the daemon.

use crate::api::{post, served};
use crate::world::{text, wait_until};
use serde_json::{Value, json};

#[test]
fn runs_are_submitted_and_begun_again_through_the_daemon_and_never_twice() {
    let world = served();
    world.write("neronet.toml", "command = 'echo $GREETING {n} in $(basename $PWD); test -e $WORLD/mended'\nparams.n = [1, 2]\n");
    let mut variables = json!({"PATH": std::env::var("PATH").expect("a search path")});
    variables["GREETING"] = json!("hello");
    variables["WORLD"] = json!(world.path(""));
    let body = json!({"folder": world.project(), "set": ["n=1,2,3"], "parallel": 1, "not_before": "2001-01-01", "environment": variables});
    let submit = || post(&world, "/v1/submit", "Idempotency-Key: s\r\n", &body).with(200).json();
    let first = submit();
    assert_eq!(first["runs"], json!([1, 2, 3]));
    assert!(first["notes"].to_string().contains("not before 2001-01-01: that is over"), "{first}");
    assert_eq!(submit(), first, "done once more");
    assert_eq!((world.ended(3)["outcome"].clone(), world.list().len()), (json!("failed"), 3));
    assert_eq!(world.output(2, 1), "hello 2 in work\n");
    assert_eq!(world.show(1)["project"], "project");
    // Under no key it is a set, as on the command line.
    let again = post(&world, "/v1/submit", "", &json!({"folder": world.project(), "set": ["n=1,2,3"]})).with(200).json();
    assert!(again["runs"] == json!([]) && again["notes"].to_string().contains("3 runs"), "{again}");

    world.tell("mended");
    let retry = || post(&world, "/v1/runs/retry", "Idempotency-Key: r\r\n", &json!({"which": ["1-2"]})).with(200).json();
    assert_eq!(retry(), json!({"runs": [1, 2]}));
    assert_eq!((world.ended(1)["outcome"].clone(), world.ended(2)["outcome"].clone()), (json!("finished"), json!("finished")));
    assert_eq!(retry(), json!({"runs": [1, 2]}));
    assert_eq!(world.show(1)["attempts"].as_array().map(Vec::len), Some(2));
    let some = post(&world, "/v1/runs/retry", "Idempotency-Key: t\r\n", &json!({"which": ["1-3"]}));
    assert_eq!(some.json()["runs"], json!([3]));
    assert!(some.json()["notes"][0].as_str().is_some_and(|note| note.starts_with("2 finished runs left out")), "{some:#?}");
    assert_eq!(post(&world, "/v1/runs/retry", "Idempotency-Key: t\r\n", &json!({"which": ["1-3"]})).json(), some.json());
    world.ended(3);
    let nothing = post(&world, "/v1/runs/resume", "", &json!({"which": ["1"]})).with(409).json();
    assert!(text(&nothing["error"]).contains("no [resume]"), "{nothing}");

    let script = "command = 'mkdir ck; echo 1 > ck/step_1.pt'\n[checkpoints]\npaths = 'ck/*'\n[resume]\narguments = 'from {checkpoint}'\n";
    world.write("saves.toml", script);
    let saves = json!({"folder": world.project(), "spec": "saves.toml", "after_ok": ["1-3"], "priority": 2});
    assert_eq!(post(&world, "/v1/submit", "", &saves).with(200).json()["runs"], json!([4]));
    world.ended(4);
    let resumed = post(&world, "/v1/runs/resume", "", &json!({"which": ["4"]})).with(200).json();
    assert!(resumed["notes"].to_string().contains("run 4 goes on from"), "{resumed}");
    wait_until("it went on", || world.ended(4)["attempts"].as_array().map(Vec::len) == Some(2));
    let command = json!({"folder": world.project(), "command": ["sh", "-c", "echo as it is"]});
    assert_eq!(post(&world, "/v1/submit", "", &command).with(200).json()["runs"], json!([5]));
    world.ended(5);
    assert_eq!(world.output(5, 1), "as it is\n");
}

#[test]
fn what_a_request_gets_wrong_submits_nothing_and_unknown_runs_are_told() {
    let world = served();
    world.run(&["true"]);
    let numbers: Vec<u64> = (0..40).collect();
    let deep = format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    world
        .write("deep.toml", deep)
        .write("wrong.toml", "comand = 'true'\n")
        .write("many.toml", format!("command = 'true'\n[params]\na = {numbers:?}\nb = {numbers:?}\n"))
        .write("neronet.toml", "command = 'true {n}'\nparams.n = 1\n");
    let with = |words: Value| {
        let mut body = json!({"folder": world.project()});
        words.as_object().expect("an object").iter().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    for (body, status, says) in [
        (json!({}), 400, "folder"),
        (json!({"folder": "project"}), 400, "absolute"),
        (json!({"folder": "/nowhere"}), 400, "no folder"),
        (with(json!({"spec": "none.toml"})), 422, "there is no such file"),
        (with(json!({"spec": "wrong.toml"})), 422, "wrong.toml:1:1"),
        (with(json!({"spec": "deep.toml"})), 422, "deep.toml"),
        (with(json!({"spec": "many.toml"})), 400, "this makes 1,600 runs"),
        (with(json!({"spec": "train.py"})), 400, "is no specification"),
        (with(json!({"spec": "x.toml", "command": ["true"]})), 400, "not both"),
        (with(json!({"command": ["no-such-program"]})), 422, "no-such-program"),
        (with(json!({"set": ["nothing=1"]})), 422, "nothing"),
        (with(json!({"after": ["77"]})), 404, "there is no run 77"),
        (with(json!({"not_before": "soon"})), 400, "is no time"),
        (with(json!({"parallel": 0})), 400, "parallel"),
        (with(json!({"again": "all", "keep": true})), 400, "again"),
        (with(json!({"again": "some"})), 400, "some"),
        (with(json!({"environment": {"A=B": "c"}})), 400, "no variable"),
        (with(json!({"environment": {"A": "\0"}})), 400, "no variable"),
        (with(json!({"sepc": "x.toml"})), 400, "sepc"),
    ] {
        let refused = post(&world, "/v1/submit", "", &body).with(status).json().to_string();
        assert!(refused.contains(says), "{body}: {refused}");
    }
    assert_eq!(world.list().len(), 1, "what was refused is there");
    for what in ["stop", "kill", "retry", "resume", "hold", "release", "tag", "trash", "restore"] {
        let add = if what == "tag" { json!({"which": ["77"], "add": ["x"]}) } else { json!({"which": ["77"]}) };
        let refused = post(&world, &format!("/v1/runs/{what}"), "", &add).with(404).json();
        assert!(refused.to_string().contains("77"), "{what}: {refused}");
    }
    post(&world, "/v1/runs/move", "", &json!({"which": ["77"], "to": "first"})).with(404);
    post(&world, "/v1/runs/priority", "", &json!({"which": ["77"], "priority": 1})).with(404);
}
