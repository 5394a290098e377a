//! The words by which runs name where they execute: what is recorded of them, what is refused, and what this machine is asked then.

use crate::api::{post, served};
use crate::world::{Said, World, text};
use serde_json::json;

const TARGETS: &str = r#"
[groups]
lab = ["gpu1", "gpu2"]
mine = ["local"]
none = []
[targets.gpu1]
address = "ssh://gpu1.invalid"
folder = "/data/neronet"
vars = { data = "/data/one" }
[targets.gpu2]
address = "ssh://gpu2.invalid"
folder = "/data/neronet"
[targets.triton]
address = "ssh://triton.invalid?scheduler=slurm"
"#;

fn knowing(world: &World, targets: &str) {
    std::fs::create_dir_all(world.home()).expect("made");
    std::fs::write(world.home().join("targets.toml"), targets).expect("written");
}

fn world() -> World {
    let world = World::new();
    knowing(&world, TARGETS);
    world
}

/// The targets of each sweep that has some, in their order, as the journal has them.
fn recorded(world: &World) -> Vec<String> {
    let mut segments: Vec<_> =
        std::fs::read_dir(world.home().join("journal")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    segments.sort();
    let journal: String = segments.iter().map(|path| String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned()).collect();
    let parts = journal.split(r#""targets":["#).skip(1);
    parts.map(|rest| rest.split(']').next().unwrap_or_default().replace('"', "")).collect()
}

#[track_caller]
fn refused(world: &World, words: &[&str], parts: &[&str]) -> Said {
    let said = world.say(words).with_code(2);
    assert!(parts.iter().all(|part| said.err.contains(part)), "{words:?}, {parts:?}: {}", said.err);
    assert_eq!(recorded(world), Vec::<String>::new(), "nothing is recorded");
    said
}

#[test]
fn what_is_named_is_recorded_with_groups_put_in_and_the_command_line_wins() {
    let world = world();
    let mut wanted = Vec::new();
    for (n, (target, words, recorded)) in [
        ("", &[][..], ""),
        ("target = 'local'", &[], ""),
        ("target = ['mine', 'local']", &[], ""),
        ("target = 'gpu2'", &[], "gpu2"),
        ("target = ['gpu2', 'lab', 'local']", &[], "gpu2,gpu1,local"),
        ("target = 'gpu2'", &["--target", "lab,local"], "gpu1,gpu2,local"),
        ("target = 'gpu2'", &["--target", "gpu1", "--target", "gpu1"], "gpu1"),
        ("target = 'nowhere'", &["--target=local"], ""),
        ("", &["--set", "target=gpu1,gpu2"], "gpu1,gpu2"),
    ]
    .into_iter()
    .enumerate()
    {
        world.write("neronet.toml", format!("command = 'true {n}'\n{target}\n"));
        world.say(&[&["submit"], words].concat()).with_code(0);
        wanted.extend(Some(recorded.to_string()).filter(|recorded| !recorded.is_empty()));
    }
    world.say(&["submit", "--target", "gpu1", "--", "true"]).with_code(0);
    wanted.push("gpu1".into());
    assert_eq!(recorded(&world), wanted);
    assert_eq!(world.show(4)["state"], "queued", "it is not started here");
}

#[test]
fn what_is_known_of_a_target_is_shown_without_asking_it() {
    let world = world();
    let shown = world.say(&["target", "show", "gpu1"]).with_code(0).out;
    for part in ["gpu1 ssh://gpu1.invalid", "nobody is in contact with it: no daemon runs", "/data/neronet", "data = /data/one"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = world.say(&["target", "show", "gpu1", "--json"]).with_code(0).json();
    assert_eq!((&shown["reached"], &shown["groups"], &shown["machine"]), (&json!(null), &json!(["lab"]), &json!(null)));
    world.write("neronet.toml", "command = 'true'\n");
    world.say(&["submit", "--target", "lab"]).with_code(0);
    let away = crate::world::wait_for("gpu1 not to be reached", || {
        let listed = world.say(&["target", "ls", "--json"]).with_code(0).json();
        let gpu1 = listed.as_array().expect("an array").iter().find(|target| target["name"] == "gpu1").cloned().expect("listed");
        Some(gpu1).filter(|gpu1| gpu1["since"].is_string())
    });
    assert!(away["reached"] == false && away["why"].is_string() && away["queued"] == 1, "{away:#}");
    let listed = world.say(&["target", "ls"]).with_code(0).out;
    assert!(listed.lines().any(|line| line.starts_with("gpu1") && line.contains(text(&away["why"]).as_str())), "{listed}");
    let local = world.say(&["target", "show", "local", "--json"]).with_code(0).json();
    assert!(local["reached"] == true && local["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0), "{local:#}");
    let said = world.say(&["target", "show", "gup1"]).with_code(2);
    assert!(said.err.contains("there is no target 'gup1' (did you mean 'gpu1'?)"), "{}", said.err);
}

#[test]
fn this_machine_is_no_other_one_and_a_name_is_given_once() {
    let world = world();
    for words in [
        &["target", "check", "local"][..],
        &["target", "exec", "local", "--", "true"],
        &["target", "login", "local"],
        &["push", "local", "x"],
    ] {
        let said = world.say(words).with_code(2);
        assert!(said.err.contains("error: local is this machine: "), "{words:?}: {said:#?}");
    }
    world.write("a/x.bin", "1").write("b/x.bin", "2");
    let said = world.say(&["push", "gpu1", "a/x.bin", "b/x.bin"]).with_code(2);
    assert!(said.err.contains("a/x.bin and b/x.bin would both be 'x.bin' there"), "{said:#?}");
}

#[test]
fn the_default_of_targets_toml_is_where_runs_go_that_name_nothing() {
    let world = World::new();
    knowing(&world, &format!("default = \"lab\"\n{TARGETS}"));
    world.say(&["submit", "--", "true"]).with_code(0);
    world.write("neronet.toml", "command = 'true'\ntarget = 'local'\n");
    world.say(&["submit", "--wait", "--quiet"]).with_code(0);
    assert_eq!(recorded(&world), ["gpu1,gpu2"]);
    knowing(&world, &format!("default = \"triton\"\n{TARGETS}"));
    let said = world.say(&["submit", "--", "true"]).with_code(2);
    assert!(said.err.contains("targets.toml: 'triton' has a scheduler (slurm)"), "{}", said.err);
}

#[test]
fn run_means_here_whatever_is_named() {
    let world = world();
    world.write("neronet.toml", "command = 'echo there'\ntarget = 'gpu1'\n[on.local]\ncommand = 'echo here'\n");
    let said = world.say(&["run"]).with_code(0);
    assert!(said.err.contains("note: neronet.toml:2:10: `neronet run` executes its runs on this machine"), "{}", said.err);
    assert_eq!((recorded(&world), world.output(1, 1)), (Vec::new(), "here\n".to_string()));
    let said = world.say(&["run", "--target", "gpu1"]).with_code(2);
    assert!(said.err.contains("neronet submit --target NAME --wait"), "{}", said.err);
}

#[test]
fn what_is_no_target_is_refused_with_its_place_and_what_was_meant() {
    let world = world();
    let spec = |target: &str| world.write("neronet.toml", format!("command = 'true'\ntarget = {target}\n"));
    spec("['local', 'gup1']");
    refused(&world, &["submit"], &["error: neronet.toml:2:20: there is no target 'gup1' (did you mean 'gpu1'?)"]);
    refused(&world, &["check"], &["there is no target 'gup1'"]);
    spec("'elsewhere'");
    refused(
        &world,
        &["submit"],
        &["neronet.toml:2:10: there is no target 'elsewhere'", "there is gpu1, gpu2, triton, lab, mine, none, local"],
    );
    spec("'none'");
    refused(&world, &["submit"], &["neronet.toml:2:10: the group 'none' has no targets"]);
    spec("'triton'");
    refused(&world, &["submit"], &["neronet.toml:2:10: 'triton' has a scheduler (slurm), and this version hands no runs to one"]);
    spec("'local'");
    refused(&world, &["submit", "--target", "locla"], &["error: --target: there is no target 'locla' (did you mean 'local'?)"]);
    refused(&world, &["submit", "--target", "gpu1,triton"], &["error: --target: 'triton' has a scheduler"]);
    let bare = World::new();
    refused(
        &bare,
        &["submit", "--target", "gpu1", "--", "true"],
        &["there is only this machine, local", "neronet target add NAME ssh://HOST"],
    );
}

#[test]
fn a_name_that_means_something_to_a_shell_is_refused_wherever_it_stands() {
    let world = world();
    for name in [
        "",
        " ",
        "a b",
        "gpu1 ",
        "'gpu1'",
        "\"gpu1\"",
        "gpu1;id",
        "$(id)",
        "`id`",
        "gpu1\nid",
        "-oProxyCommand=id",
        "../gpu1",
        "gpu1/x",
        "gp\u{fc}1",
    ] {
        world.write("neronet.toml", "command = 'true'\n");
        let said = refused(&world, &["submit", &format!("--target={name}")], &["there is no target"]);
        assert!(!said.err.trim_end().contains("\nid"), "{:?}", said.err);
        let quoted = serde_json::to_string(name).expect("a text");
        world.write("neronet.toml", format!("command = 'true'\ntarget = [{quoted}]\n"));
        let why = if name.trim().is_empty() { "'target' is empty" } else { "cannot be the name of a target" };
        refused(&world, &["submit"], &["neronet.toml:2:11: ", why]);
        world.write("neronet.toml", format!("command = 'true'\n[on.{quoted}]\nenv.X = 1\n"));
        refused(&world, &["submit"], &["neronet.toml:2:", "cannot be the name of a target"]);
    }
    refused(&world, &["submit", "--target", "-x", "--", "true"], &["unexpected argument '-x'"]);
}

#[test]
fn what_holds_on_this_machine_is_used_here_and_a_group_stands_for_its_targets() {
    let world = world();
    world.write(
        "neronet.toml",
        "command = 'echo any'\n[on.mine]\ncommand = 'echo group'\n[on.gpu1]\ncommand = 'echo there'\n[on.gpu9]\nenv.X = 1\n",
    );
    let said = world.say(&["submit", "--wait"]).with_code(0);
    assert!(
        said.err.contains("warning: neronet.toml:6:") && said.err.contains("there is no target 'gpu9' (did you mean 'gpu1'?)"),
        "{}",
        said.err
    );
    assert_eq!(world.output(1, 1), "group\n");
    // One of several: what runs here is what this machine's table says.
    world.write(
        "neronet.toml",
        "command = 'echo any; false'\n[on.local]\ncommand = 'echo here'\n[on.gpu1]\nenvironment.python = 'no/such'\n",
    );
    world.say(&["submit", "--target", "gpu1,local", "--wait", "--quiet"]).with_code(0);
    assert_eq!((world.output(2, 1), recorded(&world)), ("here\n".to_string(), vec!["gpu1,local".to_string()]));
}

#[test]
fn what_this_machine_table_says_of_the_environment_holds_for_runs_here_and_once() {
    let world = World::new();
    knowing(&world, &format!("{TARGETS}\n[targets.local]\nsetup = ['export OWN=\"$OWN+\"']\npython = 'venv'\nshell = 'sh'\n"));
    world.script("venv/bin/python", "#!/bin/sh\necho own\n").write("venv/pyvenv.cfg", "");
    let command = "command = 'python; echo $OWN'\n";
    world.write("neronet.toml", command);
    world.say(&["run", "--quiet"]).with_code(0);
    world.say(&["run", "--quiet", "--", "sh", "-c", "python; echo $OWN"]).with_code(0);
    world.say(&["submit", "--again", "--wait", "--quiet", "--target", "gpu1,local"]).with_code(0);
    world.write("neronet.toml", format!("{command}environment.setup = ['OWN=$OWN-']\n[on.gpu1]\nenvironment.python = 'no/such'\n"));
    world.say(&["submit", "--again", "--wait", "--quiet", "--target", "local,gpu1"]).with_code(0);
    let outputs: Vec<String> = (1..=4).map(|run| world.output(run, 1)).collect();
    assert_eq!(outputs, ["own\n+\n", "own\n+\n", "own\n+\n", "own\n+-\n"]);
    assert_eq!(world.say(&["shell", "1", "--", "python"]).with_code(0).out, "own\n");
    knowing(&world, "[targets.local]\npython = 'no/venv'\n");
    let said = world.say(&["submit", "--again"]).with_code(2);
    assert!(said.err.contains("targets.toml: there is no ") && said.err.contains("no/venv"), "{said:#?}");
    assert!(world.say(&["check"]).with_code(2).err.contains("no/venv"));
}

#[test]
fn what_this_machine_lacks_refuses_no_run_that_may_execute_elsewhere() {
    let world = world();
    let spec = "command = 'no-such-program {inputs.set}'\nenvironment.python = 'no/such'\nresources.gpus = 400\n[inputs.set]\npath = '/no/such/set'\n";
    for (target, warned) in [("lab", false), ("gpu1,local", true)] {
        world.write("neronet.toml", spec);
        let said = world.say(&["submit", "--again", "--target", target]).with_code(0);
        assert_eq!(said.err.contains("warning: neronet.toml:2:"), warned, "{target}: {}", said.err);
        assert!(!said.err.contains("error"), "{target}: {}", said.err);
    }
    for (part, wanted) in [("environment.python = 'no/such'", "there is no "), ("inputs.set.path = '/no/such'", "/no/such is not there")] {
        world.write("neronet.toml", format!("command = 'no-such-program'\n{part}\n"));
        let said = world.say(&["submit", "--again", "--target", "local"]).with_code(2);
        assert!(said.err.contains(wanted), "{}", said.err);
        let said = world.say(&["submit", "--again", "--target", "local,gpu1"]).with_code(0);
        assert!(said.err.contains("warning: neronet.toml:2:") && said.err.contains(wanted), "{}", said.err);
    }
    world.write("neronet.toml", "command = 'no-such-program'\n");
    assert!(
        world.say(&["submit", "--again", "--target", "local"]).with_code(2).err.contains("error: neronet.toml:1:12: there is no program")
    );
    let said = world.say(&["submit", "--again", "--target", "local,gpu1"]).with_code(0);
    assert!(said.err.contains("warning: neronet.toml:1:12: there is no program 'no-such-program'"), "{}", said.err);
}

#[test]
fn what_is_the_same_everywhere_is_looked_at_wherever_runs_go() {
    let world = world();
    for (spec, wanted) in [
        ("command = 't'\ncode.directory = 'no'\n", "neronet.toml:2:18: there is no folder 'no'"),
        ("command = 't'\n[[file]]\ntemplate = 'no.in'\nto = 'x'\n", "no.in is not there"),
        ("command = 't'\nsecrets.KEY = 'env:NO_SUCH'\n", "secret KEY: the variable NO_SUCH is not set"),
        ("command = 't'\n[on.gpu1]\ncode.directory = 'no'\n", "neronet.toml:3:18: there is no folder 'no'"),
        ("command = 't'\ncode.in_place = true\n", "cannot go to 'gpu1': in_place = true"),
        ("command = 't'\n[on.gpu1.code]\nin_place = true\n", "cannot go to 'gpu1': in_place = true"),
        ("command = 't'\n[on.gpu1.code]\ncommit = 'HEAD'\n", "[on.gpu1] asks for another commit"),
    ] {
        world.write("neronet.toml", spec);
        refused(&world, &["submit", "--target", "gpu1,local"], &[wanted]);
        refused(&world, &["submit", "--target", "gpu1"], &[wanted]);
    }
    world.write("data/x", "").write("neronet.toml", "command = 'true'\ncode.link = 'data'\ntarget = 'gpu1'\n");
    let said = world.say(&["submit"]).with_code(0);
    assert!(said.err.contains("warning: neronet.toml:3:10: data is linked to where it lies on this machine"), "{}", said.err);
}

#[test]
fn variables_are_those_of_the_targets_that_are_named() {
    let world = world();
    world.write(
        "neronet.toml",
        "command = 'cat {inputs.set}/{n} > {target.data}'\nparams.n = 1\ntarget = 'lab'\n[inputs.set]\npath = '{target.data}/c'\n",
    );
    let lacks = "neronet.toml:3:10: [targets.gpu2] has no variable 'data', which {target.data} stands for";
    refused(&world, &["submit"], &[lacks, "[targets.gpu2] vars = { data"]);
    refused(&world, &["check"], &[lacks]);
    refused(&world, &["submit", "--target", "gpu1,local"], &["--target: [targets.local] has no variable 'data'"]);
    let checked = world.say(&["check", "--set", "target=gpu1"]).with_code(0).out;
    assert!(checked.contains("cat /data/one/c/1 > /data/one") && checked.contains("neronet submit"), "{checked}");
    assert!(checked.lines().any(|line| line.split_whitespace().eq(["targets", "gpu1"])), "{checked}");
    let said = world.say(&["check", "--json", "--set", "target=gpu1"]).with_code(0).json();
    assert_eq!(
        (&said["experiments"][0]["targets"], text(&said["runs"][0]["command"])),
        (&json!(["gpu1"]), "cat /data/one/c/1 > /data/one".into())
    );
    world.say(&["submit", "--target", "gpu1"]).with_code(0);
    assert_eq!(recorded(&world), ["gpu1"]);
    world.write("neronet.toml", "command = 'true'\n");
    assert_eq!(world.say(&["check", "--json"]).with_code(0).json()["experiments"][0]["targets"], json!([]));
}

#[test]
fn a_smoke_test_tries_what_may_execute_here_alone() {
    let world = world();
    world.write(
        "neronet.toml",
        "command = 'true'\n[[experiment]]\nname = 'a'\ntarget = 'gpu1'\n[[experiment]]\nname = 'b'\ntarget = ['gpu1', 'local']\n",
    );
    let said = world.say(&["check", "--smoke", "--json"]).json();
    assert!(said["smoke"][0].to_string().contains("it executes on gpu1"), "{said:#}");
    assert!(said["smoke"][1].to_string().contains("finished"), "{said:#}");
}

#[test]
fn the_daemon_takes_targets_as_the_command_line_does() {
    let world = served();
    knowing(&world, TARGETS);
    let body = |target: &[&str]| json!({"folder": world.project(), "command": ["true"], "target": target});
    assert_eq!(post(&world, "/v1/submit", "", &body(&["lab"])).with(200).json()["runs"], json!([1]));
    let refused = post(&world, "/v1/submit", "", &body(&["gup1"])).with(422).json().to_string();
    assert!(refused.contains("there is no target 'gup1'") && refused.contains("did you mean 'gpu1'?"), "{refused}");
    assert_eq!(recorded(&world), ["gpu1,gpu2"]);
}
