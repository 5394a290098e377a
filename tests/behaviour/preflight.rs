//! What is told before anything starts: programs, imports, room. With real Pythons and real disks.

use crate::mounts::{fill, free, leave, mount, small_disk, with_own_mounts};
use crate::world::{World, text};
use serde_json::Value;
use std::path::Path;

/// What `check --json` finds in the preflight: severity and message of each.
fn found(world: &World) -> Vec<(String, String)> {
    let said = world.say(&["check", "--json"]);
    let findings = said.json()["findings"].as_array().expect("an array").clone();
    let ours = findings.iter().filter(|finding| finding["source"] == "preflight");
    ours.map(|finding| (text(&finding["severity"]), text(&finding["message"]))).collect()
}

#[track_caller]
fn refused(world: &World, wanted: &[&str]) {
    let said = world.say(&["run"]).with_code(2);
    assert!(wanted.iter().all(|part| said.err.contains(part)), "{wanted:?}: {}", said.err);
    assert_eq!(world.list(), Vec::<Value>::new(), "nothing has started");
}

#[test]
fn a_program_that_is_not_there_is_told_with_its_place_and_nothing_starts() {
    let world = World::new();
    world.write("neronet.toml", "command = \"pythom3 train.py {flags}\"\nparams.lr = [1, 2]\n");
    refused(&world, &["error: neronet.toml:1:12: there is no program 'pythom3' in PATH", "did you mean 'python3"]);
    let said = world.say(&["run", "--", "no-such-program"]).with_code(2);
    assert!(said.err.contains("there is no program 'no-such-program' in PATH"), "{}", said.err);
    // Whoever knows better starts it all the same.
    world.say(&["run", "--no-preflight", "--", "no-such-program"]).with_code(1);
    assert_eq!(world.list().len(), 1);
}

#[test]
fn a_file_that_cannot_be_started_is_told_with_the_mend() {
    for (content, mode, parts) in [
        ("#!/bin/sh\n", 0o644, ["train.sh is not executable", "chmod +x train.sh"]),
        ("#!/bin/sh\r\necho\r\n", 0o755, ["ends as on Windows", "sed -i"]),
        ("#!/no/such/sh\n", 0o755, ["names /no/such/sh in its first line", "#!/usr/bin/env"]),
    ] {
        let world = World::new();
        world.write("train.sh", content).write("neronet.toml", "command = './train.sh'\n");
        std::fs::set_permissions(world.project().join("train.sh"), std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("ours");
        refused(&world, &parts);
    }
    // A shell reads a text without a first line itself, the system does not.
    let world = World::new();
    world.script("train.sh", "echo hello\n");
    world.run_spec("command = './train.sh'\n").with_code(0);
    world.write("neronet.toml", "command = ['./train.sh']\n");
    assert!(world.say(&["run"]).with_code(2).err.contains("names no interpreter in its first line"));
}

#[test]
fn a_module_that_is_not_there_is_told_with_its_line() {
    let world = World::new();
    world.write("train.py", "import os\nimport no_such_module\n").write("neronet.toml", "command = 'python3 train.py'\n");
    refused(
        &world,
        &["error: train.py:2:8: no module named 'no_such_module' in ", "2 | import no_such_module", "-m pip install no_such_module"],
    );
    assert_eq!(found(&world)[0].0, "error");
    world
        .write("train.py", "import sklearn_no, os\ndef f():\n    import yaml_no\n")
        .write("neronet.toml", "command = 'nice python3 train.py'\n");
    let told = found(&world);
    assert!(told[0].1.contains("'sklearn_no'") && told[1].0 == "warning" && told[1].1.ends_with(": yaml_no"), "{told:#?}");
    let shown = world.say(&["check", "--set", "code.in_place=true"]).err;
    assert!(shown.contains("train.py:3:12: imported in a function") && shown.contains("3 |     import yaml_no"), "{shown}");
    assert!(shown.contains("-m pip install yaml_no"), "{shown}");
    // What runs before it may install it; what the shell does before it nobody knows.
    world.write("neronet.toml", "command = 'true && python3 train.py'\n");
    assert_eq!(found(&world)[0].0, "error");
    world.write("activate", "");
    for command in ["pip install x && python3 train.py", "source ./activate && python3 train.py", "eval x; python3 train.py"] {
        world.write("neronet.toml", format!("command = '{command}'\n"));
        assert_eq!(found(&world), [], "{command}");
    }
    world.write("neronet.toml", "command = 'python3 prepare.py; python3 train.py'\n").write("prepare.py", "");
    assert!(found(&world).iter().all(|(severity, _)| severity == "warning") && found(&world).len() == 2);
    world.run_spec("command = 'python3 train.py || true'\nenvironment.setup = ['. ./x || true']\n").with_code(0);
}

#[test]
fn the_environment_of_the_specification_is_the_one_that_is_asked() {
    let world = World::new();
    let venv = world.project().join(".venv");
    let made = std::process::Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status().expect("python3 starts");
    assert!(made.success(), "python3 -m venv");
    let site = std::fs::read_dir(venv.join("lib")).expect("there").flatten().next().expect("one").path().join("site-packages");
    std::fs::write(site.join("only_there.py"), "").expect("written");
    world.write("train.py", "import only_there\n").write("neronet.toml", "command = 'python3 train.py'\n");
    refused(&world, &["no module named 'only_there'", ".venv has it, and this is another Python: write [environment] python = \".venv\""]);
    let with = "command = 'python3 train.py'\nenvironment.python = '.venv'\n";
    world.run_spec(with).with_code(0);
    let shown = world.say(&["check"]).with_code(0).out;
    assert!(
        shown.contains("Preflight") && shown.contains(&format!("python3 is {}, Python 3.", venv.join("bin/python3").display())),
        "{shown}"
    );
    // Learned again when the environment changes.
    std::fs::remove_file(site.join("only_there.py")).expect("there");
    assert!(world.say(&["run"]).with_code(2).err.contains("no module named 'only_there'"));
    // Only there is the program, too.
    std::os::unix::fs::symlink("/bin/true", venv.join("bin/only-program")).expect("linked");
    world.write("neronet.toml", "command = 'only-program'\n");
    assert!(world.say(&["run"]).with_code(2).err.contains(".venv has it: write [environment] python = \".venv\""));
}

#[test]
fn a_module_that_git_ignores_is_not_in_the_copy_that_runs_work_in() {
    let world = World::new();
    world.git(&["init", "-q"]);
    world.write(".gitignore", "mine/\n").write("mine/__init__.py", "").write("train.py", "import mine\n");
    world.write("neronet.toml", "command = 'python3 train.py'\n");
    refused(
        &world,
        &["train.py:1:8: no module named 'mine'", "mine is not in the snapshot that the runs work in; write [code] link = [\"mine\"]"],
    );
    world.run_spec("command = 'python3 train.py'\ncode.link = ['mine']\n").with_code(0);
    world.run_spec("command = 'python3 train.py'\ncode.in_place = true\n").with_code(0);
}

#[test]
fn modules_of_the_code_are_found_where_the_command_starts() {
    let world = World::new();
    world
        .write("src/mine.py", "")
        .write("scripts/train.py", "import mine\n")
        .write("neronet.toml", "command = 'python3 scripts/train.py'\n");
    refused(&world, &["scripts/train.py:1:8", "it lies in src: write [env] PYTHONPATH = \"src\""]);
    world.run_spec("command = 'python3 scripts/train.py'\nenv.PYTHONPATH = 'src'\n").with_code(0);
    world.run_spec("command = 'PYTHONPATH=src python3 scripts/train.py'\n").with_code(0);
    world.run_spec("command = 'cd src && python3 -m mine'\n").with_code(0);
    world.run_spec("command = 'python3 -m mine'\ncode.directory = 'src'\n").with_code(0);
    world.write("src/random.py", "").write("neronet.toml", "command = 'python3 src/mine.py'\n");
    assert_eq!(found(&world), [("warning".into(), "this hides the module 'random' that Python or a library brings".into())]);
}

#[test]
fn strict_takes_a_warning_for_a_failure_and_without_preflight_nobody_is_asked() {
    let world = World::new();
    world.write("train.py", "def f():\n    import no_such_module\n").write("neronet.toml", "command = 'python3 train.py'\n");
    let said = world.say(&["check"]).with_code(0);
    assert!(said.out.contains("imported in a function or under a condition, and not there"), "{}", said.out);
    let said = world.say(&["check", "--strict"]).with_code(1);
    assert!(said.err.contains("1 warning, and --strict takes each for a failure") && said.out.contains("Warnings"), "{said:#?}");
    assert_eq!(world.say(&["check", "--strict", "--json"]).with_code(1).json()["count"], 1);
    let said = world.say(&["check", "--strict", "--no-preflight"]).with_code(0);
    assert!(!said.out.contains("Preflight") && !said.out.contains("no_such_module"), "{}", said.out);
}

#[test]
fn a_disk_with_too_little_room_is_told_with_both_numbers() {
    with_own_mounts("preflight::a_disk_with_too_little_room_is_told_with_both_numbers", || {
        let world = World::new();
        small_disk(&world.home(), 8 << 20);
        world
            .write("data.bin", vec![b'x'; 1_000_000])
            .write("neronet.toml", "command = 'true {n}'\nparams.n = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n");
        let said = world.say(&["check"]).with_code(0);
        let home = world.home().display().to_string();
        assert!(
            said.out.contains(&format!("warning: {home}: 10 runs need about 10 MB, and 8.4 MB are free on {home}, where home is")),
            "{}",
            said.out
        );
        // One has room, and tells what the next ones take.
        world.say(&["run", "--set", "n=1"]).with_code(0);
        let said = world.say(&["check"]).with_code(0);
        assert!(
            said.out.contains("in all, from 1 earlier run, one at a time; `neronet submit` starts as many")
                && said.out.contains("as 1 earlier did"),
            "{}",
            said.out
        );
        fill(&world.home());
        leave(&world.home(), 60_000);
        let said = world.say(&["run", "--set", "n=1"]);
        assert!(said.code != Some(0) && said.err.contains("No space left") && said.err.contains("free some space"), "{said:#?}");
        free(&world.home());
        world.say(&["run", "--set", "n=1"]).with_code(0);
    });
}

#[test]
fn a_folder_of_checkpoints_that_cannot_be_written_is_told() {
    with_own_mounts("preflight::a_folder_of_checkpoints_that_cannot_be_written_is_told", || {
        let world = World::new();
        let sealed = world.path("sealed");
        small_disk(&sealed, 1 << 20);
        mount(&["-o", "remount,ro", &sealed.display().to_string()]);
        let spec = |folder: &Path| format!("command = 'true'\ncheckpoints.paths = ['{}/ckpt/*.pt', 'own/*.pt']\n", folder.display());
        world.write("neronet.toml", spec(&sealed));
        refused(
            &world,
            &["[checkpoints] paths: nothing can be saved as", "sealed, where it would have to be made", "read-only file system"],
        );
        world.run_spec(&spec(&world.path("open"))).with_code(0);
    });
}

#[test]
fn a_program_that_goes_while_runs_wait_is_told_by_those_that_come_later() {
    let world = World::new();
    let bin = world.path("bin");
    std::fs::create_dir(&bin).expect("made");
    let tool = bin.join("tool");
    std::fs::write(&tool, "#!/bin/sh\nrm \"$0\"\n").expect("written");
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    world.write("neronet.toml", "command = 'tool {n}'\nparams.n = [1, 2]\n");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let said = world.neronet(&["run"]).env("PATH", path).output().expect("it starts");
    assert_eq!(said.status.code(), Some(1));
    assert_eq!((&world.show(1)["outcome"], &world.show(2)["outcome"]), (&"finished".into(), &"failed".into()));
    let reason = text(&world.show(2)["reason"]);
    assert!(reason.contains(&format!("{} was there when the run was submitted and is gone", tool.display())), "{reason}");
}

#[test]
fn builds_and_steps_are_shown_and_looked_at_as_the_command_is() {
    let world = World::new();
    world.write("train.py", "").write("neronet.toml", "command = 'python3 train.py'\ncode.build = 'no-such-make -j'\n");
    refused(&world, &["neronet.toml:2:15: there is no program 'no-such-make' in PATH"]);
    world.write("neronet.toml", "command = 'python3 train.py'\n[[then]]\ncommand = 'no-such-eval {checkpoint}'\n");
    refused(&world, &["neronet.toml:3:12: there is no program 'no-such-eval' in PATH"]);
    world.write("neronet.toml", "command = 'python3 train.py'\n[[then]]\ncommand = ['python3', 'evaal.py', '{run.id}']\n");
    assert_eq!(found(&world), [("warning".into(), "there is no script evaal.py".into())], "the training may write it");
    // Who knows what such a command leaves.
    world
        .write("neronet.toml", "command = 'true'\ncode.build = 'true'\n\n[[then]]\nname = 'late'\ncommand = 'python3 evaal.py {run.id}'\n");
    assert_eq!(found(&world), []);
    let shown = world.say(&["check"]).with_code(0).out;
    assert!(shown.contains("build  true\n") && shown.contains("then   late: python3 evaal.py 1\n"), "{shown}");
    let said = world.say(&["check", "--json"]).with_code(0).json();
    let experiment = &said["experiments"][0];
    assert_eq!((&experiment["build"], &experiment["then"][0]["command"]), (&"true".into(), &"python3 evaal.py 1".into()), "{said:#}");
    let programs = said["preflight"]["programs"].as_array().expect("a list");
    assert!(programs.iter().any(|program| program["name"] == "python3") && said["preflight"]["disk"]["free"].is_u64(), "{said:#}");
    world.write("neronet.toml", "command = 'true {flags}'\n");
    assert_eq!(world.say(&["check", "--json"]).with_code(0).json()["runs"][0]["command"], "true", "without a blank behind it");
    // What the training writes is there when its steps begin.
    world.write("gen.py", "open('made.py', 'w').close()\nimport os, shutil\nos.mkdir('out')\nshutil.copy('/bin/true', 'out/plot')\n");
    let steps = ["python3 made.py", "python3 -m made", "./out/plot", "cd out; ./plot"];
    let step = |(at, step): (usize, &&str)| format!("[[then]]\nname = 's{at}'\ncommand = '{step}'\n");
    let steps: String = steps.iter().enumerate().map(step).collect();
    world.run_spec(&format!("command = 'python3 gen.py'\n{steps}")).with_code(0);
    // So is a folder that a build or a command makes and goes to.
    let into = "mkdir -p build && cd build && ../configure";
    world.script("configure", "#!/bin/sh\ntouch made\n").run_spec(&format!("command = '{into}'\n")).with_code(0);
    world.run_spec(&format!("command = 'test -e build/made'\ncode.build = '{into}'\n")).with_code(0);
    // What a build makes is not there yet, and neither is what its end decides.
    world.run_spec("command = './made && python3 later.py'\ncode.build = 'cp /bin/true made; touch later.py'\n").with_code(0);
}

#[test]
fn a_program_that_the_shell_does_without_stops_nothing() {
    let world = World::new();
    for (command, told) in
        [("no-such-tool || true", true), ("no-such-tool; true", true), ("cd -- sub && ./x.sh", false), ("PATH+=:$PWD/sub; x.sh", false)]
    {
        world.script("sub/x.sh", "#!/bin/sh\n").run_spec(&format!("command = '{command}'\n")).with_code(0);
        let wanted = ("warning".to_string(), "there is no program 'no-such-tool' in PATH".to_string());
        assert_eq!(found(&world), if told { vec![wanted] } else { Vec::new() }, "{command}");
    }
    let world = World::new();
    world.write("neronet.toml", "command = 'set -e; no-such-tool; true'\n");
    refused(&world, &["there is no program 'no-such-tool' in PATH"]);
}

#[test]
fn literal_paths_that_are_not_there_are_told() {
    let world = World::new();
    world.write("train.py", "");
    for (spec, wanted) in [
        ("command = 'cd src && python3 train.py'", "neronet.toml:1:15: there is no folder src"),
        ("command = 'python3 train.py && python3 evaal.py'", "neronet.toml:1:32: there is no script evaal.py"),
        (
            "command = 'python3 train.py'\nenvironment.setup = ['set -e', 'source ~/nothere/bin/activate']",
            "neronet.toml:2:40: there is no file ~/nothere/bin/activate",
        ),
    ] {
        let said = world.write("neronet.toml", spec).say(&["check"]).with_code(0);
        assert!(said.out.contains(wanted), "{spec}: {}", said.out);
    }
    for spec in [
        "command = 'mkdir -p out && cd out && true'",
        "command = 'cd out || mkdir out'",
        "command = 'if test -d out; then cd out; fi'",
        "command = 'cd /tmp && cd \"$HOME\" && true'",
        "command = 'true'\nenvironment.setup = ['[ -f ./x ] && . ./x']",
    ] {
        world.write("neronet.toml", spec);
        assert_eq!(found(&world), [], "{spec}");
    }
}

#[test]
fn what_stands_in_for_a_python_and_starts_none_is_told() {
    let world = World::new();
    world
        .write("train.py", "")
        .script("python3.9", "#!/bin/sh\necho hello >&2\necho 'pyenv: python3.9: command not found' >&2\nexit 127\n");
    world.write("neronet.toml", "command = './python3.9 train.py'\n");
    refused(&world, &["neronet.toml:1:12: ", "python3.9 cannot be started: pyenv: python3.9: command not found"]);
    world.write("neronet.toml", "command = './python3.9 -V'\n");
    let shown = world.say(&["check"]).with_code(0).out;
    assert!(shown.contains("./python3.9 is ") && !shown.contains("Python 3.9"), "{shown}");
    world.write("neronet.toml", "command = 'conda run -n x python train.py'\n");
    let said = world.neronet(&["check"]).env("PATH", "/usr/bin:/bin").output().expect("it starts");
    assert!(String::from_utf8_lossy(&said.stderr).contains("neronet.toml:1:12: there is no program 'conda' in PATH"), "{said:?}");
}

#[test]
fn resources_that_this_machine_does_not_have_are_told_at_their_keys() {
    let world = World::new();
    let spec = |lines: &str| format!("command = 'true'\n[resources]\n{lines}\n");
    world.write("neronet.toml", spec("gpus = 99\ncpus = 20000\nmemory = \"640 TB\"\nnamed = { matlab = 2 }"));
    let wanted = [
        "error: neronet.toml:3:8: a run needs 99 GPUs; the machine has ",
        "error: neronet.toml:4:8: a run needs 20000 CPUs; the machine has ",
        "error: neronet.toml:5:10: a run needs 640 TB of memory; the machine has ",
        "error: neronet.toml:6:9: a run needs 2 of matlab; ",
    ];
    refused(&world, &wanted);
    world.say(&["submit"]).with_code(2);
    // Each run asks for its own number.
    let own = "command = 'true {world}'\nparams.world = [0, 98]\nresources.gpus = 'world + 1'\n";
    world.write("neronet.toml", own);
    refused(&world, &["error: neronet.toml:3:18: a run needs 99 GPUs; the machine has "]);
    let half = world.write("neronet.toml", own.replace("world + 1", "world / 4")).say(&["check"]).with_code(2);
    assert!(half.err.contains("neronet.toml:3:18: for world=98 this expression comes to 24.5, which is no number of GPUs"), "{}", half.err);
}

#[test]
fn the_estimate_is_of_runs_as_long_or_scaled_and_says_so() {
    let world = World::new();
    world.run_spec("command = 'sleep 0.2; true {flags}'\nparams.epochs = 2\nparams.lr = 1\n").with_code(0);
    let likely = |set: &[&str]| {
        let said = world.say(&[&["check"], set].concat()).with_code(0).out;
        said.lines().find(|line| line.trim_start().starts_with("likely")).map(str::to_string).unwrap_or_default()
    };
    let (same, scaled) = (likely(&["--set", "lr=2"]), likely(&["--set", "epochs=2000000"]));
    assert!(same.contains("from 1 earlier run") && !same.contains("scaled"), "{same}");
    assert!(scaled.contains(" d ") && scaled.ends_with("from 1 earlier run; the time is scaled from runs with epochs=2"), "{scaled}");
    assert_eq!(likely(&["--set", "params.max_steps=7"]), "", "nobody knows");
}
