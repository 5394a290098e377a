//! The daemon's life: that there is one, never two, and that runs need none.

use crate::api::{get, notice, pid, post, socket};
use crate::world::{World, end_of, process_named, runs, signal, text, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A run that waits for a word.
fn waiting(world: &World) {
    world.say(&["run", "--detach", "--", "sh", "-c", "echo > $WORLD/began; until [ -e $WORLD/go ]; do sleep 0.05; done"]).with_code(0);
    world.wait_told("began");
}

fn goes_on(world: &World) {
    assert_eq!(world.show(1)["state"], "running");
    world.tell("go");
    assert_eq!(world.ended(1)["outcome"], "finished");
}

fn background(world: &World) -> i32 {
    world.say(&["serve", "--background"]).with_code(0);
    pid(world)
}

#[test]
fn down_leaves_runs_running_and_nothing_behind() {
    let world = World::new();
    assert!(world.say(&["down"]).with_code(0).err.contains("there is no daemon"));
    let daemon = background(&world);
    waiting(&world);
    let path = socket(&world);
    let said = world.say(&["down"]).with_code(0);
    assert!(said.out.contains(&format!("process {daemon}) has left")), "{said:#?}");
    assert!(!runs(daemon) && !path.exists() && !world.home().join("daemon.json").exists());
    goes_on(&world);
}

#[test]
fn what_its_keeper_says_has_ended_is_nowhere_said_to_run() {
    let world = World::new();
    let daemon = background(&world);
    waiting(&world);
    let running = || world.say(&["target", "show", "local", "--json"]).with_code(0).json()["running"].clone();
    assert_eq!((running(), world.say(&["queue", "--json"]).json()[0]["id"].clone()), (json!([1]), json!(1)));
    // The end is not put on record.
    signal(daemon, Signal::SIGSTOP);
    world.tell("go");
    assert_eq!(world.ended(1)["outcome"], "finished");
    assert_eq!((running(), world.say(&["queue", "--json"]).json()), (json!([]), json!([])));
    let said = world.say(&["queue"]).with_code(0);
    assert!(format!("{said:?}").contains("nothing is queued and nothing runs"), "{said:#?}");
    signal(daemon, Signal::SIGCONT);
    world.say(&["down"]).with_code(0);
    assert_eq!(world.show(1)["outcome"], "finished");
}

#[test]
fn serve_says_what_it_serves_and_ctrl_c_ends_it_alone() {
    let world = World::new();
    let daemon = world.start(&["serve"]);
    waiting(&world);
    assert_eq!(pid(&world), daemon.id() as i32);
    get(&world, "/v1/about");
    signal(daemon.id() as i32, Signal::SIGINT);
    let said = end_of(daemon).with_code(0);
    assert!(said.out.contains(&world.home().display().to_string()) && said.out.contains("Ctrl-C ends it; runs go on"), "{said:#?}");
    goes_on(&world);
}

#[test]
fn of_daemons_that_race_one_stays() {
    let world = World::new();
    let all: Vec<_> = (0..6).map(|_| world.start(&["serve", "--background"])).collect();
    let pids: Vec<String> = all.into_iter().map(|one| text(&json!(end_of(one).with_code(0).out.split(' ').nth(1)))).collect();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let refused = world.say(&["serve"]).with_code(3);
    assert!(
        refused.err.contains(&format!("process {} serves", pids[0])) && refused.err.contains("`neronet down` ends that"),
        "{refused:#?}"
    );
    world.say(&["serve", "--detached"]).with_code(0);
    assert_eq!(pid(&world).to_string(), pids[0]);
    world.say(&["down"]).with_code(0);
    // In the foreground, too, each of the others says who is there.
    let mut all: Vec<_> = (0..4).map(|_| world.start(&["serve"])).collect();
    let mut ended = Vec::new();
    wait_until("all but one have ended", || {
        let over = |child: &mut std::process::Child| child.try_wait().expect("it is ours").is_some();
        while let Some(at) = all.iter_mut().position(over) {
            ended.push(end_of(all.remove(at)).with_code(3));
        }
        ended.len() == 3
    });
    let serves = format!("process {} serves", all[0].id());
    assert!(ended.iter().all(|said| said.err.contains(&serves)), "{serves}: {ended:#?}");
    world.say(&["down"]).with_code(0);
    end_of(all.remove(0)).with_code(0);
}

#[test]
fn what_a_killed_daemon_leaves_behind_is_in_nobodys_way() {
    let world = World::new();
    let daemon = background(&world);
    waiting(&world);
    signal(daemon, Signal::SIGKILL);
    wait_until("it is gone", || !runs(daemon));
    assert!(socket(&world).exists());
    assert!(world.say(&["down"]).with_code(0).err.contains("there is no daemon"));
    assert_ne!(background(&world), daemon);
    get(&world, "/v1/runs/1");
    // A process with the same number is another process, and what cannot be read was written by nobody.
    let current = pid(&world);
    world.say(&["down"]).with_code(0);
    let mut stale = json!({"format": 1, "version": "0.1.0", "started": 0, "socket": "/nowhere", "stays": true});
    for process in [json!({"host": "h", "boot": "b", "pid_namespace": 1, "pid": current, "start": 1}), own_with_start(1)] {
        stale["process"] = process;
        std::fs::write(world.home().join("daemon.json"), stale.to_string()).expect("written");
        let there = world.say(&["serve", "--background"]);
        match stale["process"]["host"] == "h" {
            // Another host: nobody here can say whether it runs.
            true => assert!(there.with_code(3).err.contains("on h")),
            false => drop(there.with_code(0)),
        }
    }
    world.say(&["down"]).with_code(0);
    for nonsense in ["", "{", "[]", "{\"format\": 7}"] {
        std::fs::write(world.home().join("daemon.json"), nonsense).expect("written");
        background(&world);
        world.say(&["down"]).with_code(0);
    }
    goes_on(&world);
}

/// This process, begun at another time: one that is gone.
fn own_with_start(start: u64) -> Value {
    let own = neronet_supervise::os::process::myself();
    let mut own = serde_json::to_value(own).expect("JSON");
    own["start"] = json!(start);
    own
}

/// Makes the daemon look like an older one.
fn age(world: &World) {
    let path = world.home().join("daemon.json");
    let old = notice(world).to_string().replace("\"version\":\"0.1.0\"", "\"version\":\"0.0.9\"");
    std::fs::write(path, old).expect("written");
}

#[test]
fn an_older_daemon_hands_over_and_no_run_notices() {
    let world = World::new();
    let old = background(&world);
    waiting(&world);
    age(&world);
    let new = background(&world);
    assert!(new != old && !runs(old) && runs(new));
    // Killed while it is asked to hand over: whoever asked goes on alone.
    age(&world);
    signal(new, Signal::SIGSTOP);
    let asking = world.start(&["serve", "--background"]);
    let asked = || {
        std::fs::read_to_string(format!("/proc/{}/net/unix", std::process::id()))
            .is_ok_and(|all| all.matches(&socket(&world).display().to_string()).count() > 1)
    };
    wait_until("it is being asked", asked);
    signal(new, Signal::SIGKILL);
    end_of(asking).with_code(0);
    let last = pid(&world);
    assert!(last != new && runs(last));
    assert_eq!(get(&world, "/v1/about").json()["pid"], last);
    goes_on(&world);
}

#[test]
fn one_that_nobody_asked_for_leaves_when_there_is_nothing_to_do_or_when_one_that_stays_comes() {
    let world = World::new();
    let unasked = world.start(&["serve", "--detached", "--until-idle", "300ms"]);
    // For as long as somebody listens it stays.
    let path = wait_for("its socket", || world.home().join("daemon.json").exists().then(|| socket(&world)));
    let listener = UnixStream::connect(&path).expect("it listens");
    drop(listener);
    end_of(unasked).with_code(0);
    assert!(!path.exists());
    let unasked = world.start(&["serve", "--detached", "--until-idle", "1h"]);
    wait_until("it answers", || world.home().join("daemon.json").exists());
    assert_eq!(notice(&world)["stays"], false);
    let staying = background(&world);
    end_of(unasked).with_code(0);
    assert_eq!((get(&world, "/v1/about").json()["stays"].clone(), pid(&world)), (json!(true), staying));
}

#[test]
fn a_socket_is_put_where_the_system_takes_it_and_nobody_else_can_look() {
    let uid = nix::unistd::getuid();
    let short = format!("/tmp/neronet-{uid}/");
    let world = World::new();
    let with = |runtime: &Path| {
        let said = world.neronet(&["serve", "--background"]).env("XDG_RUNTIME_DIR", runtime).output().expect("neronet starts");
        assert!(said.status.success(), "{said:?}");
        get(&world, "/v1/about");
        let path = socket(&world).display().to_string();
        world.say(&["down"]).with_code(0);
        path
    };
    let own = world.path("runtime");
    assert!(with(&own).starts_with(&own.display().to_string()));
    let long = world.path(&"long".repeat(30));
    std::fs::create_dir(&long).expect("made");
    assert!(with(&long).starts_with(&short));
    assert!(with(Path::new("relative")).starts_with(&short));
    // Where others may look into it, or it is a link, it is not taken.
    std::fs::set_permissions(own.join("neronet"), PermissionsExt::from_mode(0o755)).expect("ours");
    assert!(with(&own).starts_with(&short));
    std::fs::remove_dir_all(own.join("neronet")).expect("ours");
    std::os::unix::fs::symlink(world.path("user"), own.join("neronet")).expect("made");
    assert!(with(&own).starts_with(&short));
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    let world = World::new();
    background(&world);
    world.say(&["down"]).with_code(0);
    let lock = world.home().join("daemon.lock");
    std::fs::remove_file(&lock).and_then(|()| std::fs::create_dir(&lock)).expect("made");
    let refused = world.say(&["serve", "--background"]).with_code(3);
    assert!(refused.err.contains("daemon.lock") && refused.err.contains("daemon.log has all of it"), "{refused:#?}");
    world.say(&["serve"]).with_code(3);
    // What was submitted stays so.
    let said = world.say(&["submit", "--", "true"]).with_code(3);
    assert!(said.err.contains("run 1 queued, and nobody starts it: "), "{said:#?}");
    assert_eq!(world.show(1)["state"], "queued");
}

#[test]
fn systemd_starts_the_daemon_when_asked_to() {
    let world = World::new();
    let tools = world.path("tools");
    std::fs::create_dir(&tools).expect("made");
    let with = |path: &str, words: &[&str]| -> crate::world::Said {
        world.neronet(words).env("PATH", path).output().expect("neronet starts").into()
    };
    let refused = with(&tools.display().to_string(), &["serve", "--install"]).with_code(1);
    assert!(refused.err.contains("there is no systemd here") && refused.err.contains("neronet serve --background"), "{refused:#?}");
    let unit = world.path("user").join(".config/systemd/user/neronet.service");
    assert!(!unit.exists());
    let systemctl = tools.join("systemctl");
    std::fs::write(&systemctl, "#!/bin/sh\necho \"$@\" >> \"$WORLD/asked\"\n").expect("written");
    std::fs::set_permissions(&systemctl, PermissionsExt::from_mode(0o755)).expect("ours");
    let path = format!("{}:/usr/bin:/bin", tools.display());
    with(&path, &["serve", "--install"]).with_code(0);
    let written = std::fs::read_to_string(&unit).expect("there");
    assert!(
        written.contains(&format!("Environment=\"NERONET_HOME={}\"", world.home().display())) && written.contains("KillMode=process"),
        "{written}"
    );
    let elsewhere = with(&path, &["--home", "/elsewhere", "serve", "--install"]).with_code(1);
    assert!(elsewhere.err.contains("serves another home"), "{elsewhere:#?}");
    with(&path, &["serve", "--uninstall"]).with_code(0);
    assert!(!unit.exists());
    assert_eq!(
        world.told("asked").expect("asked"),
        "--user daemon-reload\n--user enable --now neronet.service\n--user disable --now neronet.service\n--user daemon-reload\n"
    );
}

#[test]
fn a_daemon_that_a_run_started_outlives_the_run() {
    let world = World::new();
    world.say(&["run", "--", "sh", "-c", "$NERONET serve --background"]).with_code(0);
    assert_eq!(world.ended(1)["outcome"], "finished");
    let daemon = pid(&world);
    assert!(runs(daemon) && process_named("neronet", &world) > 0);
    assert_eq!(post(&world, "/v1/down", "", &json!({})).status, 200);
    wait_until("it is gone", || !runs(daemon));
}
