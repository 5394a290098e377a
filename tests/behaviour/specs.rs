//! Specifications that are no good: a message with the place, exit code 2, and nothing started.

use crate::world::{Said, World, end_of, signal};
use nix::sys::signal::Signal;

fn nothing_was_started(world: &World) {
    assert!(!world.home().join("runs").exists() && !world.home().join("journal").exists(), "nothing was started");
}

/// Refused with exit code 2, in words that name the file, and without a trace of a run.
fn refused(content: impl AsRef<[u8]>, words: &str) -> Said {
    let world = World::new();
    world.write("neronet.toml", content);
    let said = world.say(&["run", "--yes"]).with_code(2);
    assert!(said.err.starts_with("error: ") && said.err.contains("neronet.toml"), "{said:#?}");
    assert!(said.err.contains(words), "{said:#?}");
    assert!(!said.err.contains("panicked"), "{said:#?}");
    assert!(said.err.len() < 4_000, "{} bytes", said.err.len());
    nothing_was_started(&world);
    said
}

#[test]
fn an_empty_one() {
    refused("", "command");
    refused("\n# nothing but a comment\n", "command");
}

#[test]
fn a_huge_one() {
    refused(format!("command = 'true'\n[params]\nx = '{}'\n", "x".repeat(17 << 20)), "MB");
    refused("[".repeat(1 << 20), "");
    refused("x = ".to_string() + &"[".repeat(100_000), "");
}

#[test]
fn a_binary_one() {
    refused((0..=255u8).cycle().take(10_000).collect::<Vec<u8>>(), "");
    refused(b"command = \"caf\xe9\"\n", "UTF-8");
    refused(b"\x7fELF\x02\x01\x01\0\0\0\0\0", "");
}

#[test]
fn a_half_written_one() {
    let whole = "command = \"python train.py {flags}\"\n[params]\nlr = [0.1, 0.01]\n[resources]\ntime = \"1h\"\n";
    for cut in ["command = \"python", "lr = [0.1, ", "[resour", "time = \""] {
        let end = whole.find(cut).expect("it is there") + cut.len();
        refused(&whole[..end], "neronet.toml:");
    }
}

#[test]
fn one_that_is_not_there_or_is_a_folder() {
    let world = World::new();
    let said = world.say(&["run"]).with_code(2);
    assert!(said.err.contains("there is no neronet.toml in ") && said.err.contains("neronet run -- CMD"), "{said:#?}");
    assert!(world.say(&["run", "nosuch.toml"]).with_code(2).err.contains("nosuch.toml"));
    std::fs::create_dir(world.project().join("folder.toml")).expect("made");
    assert!(world.say(&["run", "folder.toml"]).with_code(2).err.contains("folder.toml"));
    assert!(world.say(&["run", "--", ""]).err.contains("empty"));
    nothing_was_started(&world);
}

#[test]
fn an_unknown_key_is_shown_where_it_stands_with_what_may_be_meant() {
    let said = refused("command = 'true'\n\n[resources]\ntme = '1h'\n", "neronet.toml:4:1: unknown key 'tme'");
    assert!(said.err.contains("did you mean 'time'?") && said.err.contains("^^^"), "{said:#?}");
}

#[test]
fn nothing_is_started_when_only_the_second_experiment_is_wrong() {
    refused(
        "command = 'true'\n[[experiment]]\nname = 'good'\n[[experiment]]\nname = 'bad'\ncommand = 'train {missing}'\n",
        "neronet.toml:6:",
    );
    refused("command = 'true'\n[[experiment]]\nname = 'twin'\n[[experiment]]\nname = 'twin'\n", "twin");
    refused("command = 'train {lr} {missing}'\n[params]\nlr = 1\n", "missing");
}

#[test]
fn a_parameter_may_be_named_like_a_key() {
    let world = World::new();
    let spec = "command = 'echo {command} {name} {params} {flags}'\n[params]\ncommand = 'x y'\nname = 'n'\nparams = 1\nexperiment = 'e'\nenv = 'v'\n";
    world.run_spec(spec).with_code(0);
    assert_eq!(world.output(1, 1), "x y n 1 --experiment e --env v\n");
    assert_eq!(world.show(1)["params"]["command"], "x y");
}

#[test]
fn a_hundred_thousand_combinations_need_a_yes() {
    let world = World::new();
    let axes: String = ('a'..='e').map(|name| format!("{name} = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n")).collect();
    let said = world.run_spec(&format!("command = 'true {{flags}}'\n[params]\n{axes}")).with_code(2);
    assert!(said.err.contains("100,000 runs") && said.err.contains("--yes"), "{said:#?}");
    nothing_was_started(&world);
    let check = world.say(&["check"]);
    assert!(check.out.contains("100,000") || check.err.contains("100,000"), "{check:#?}");
}

#[test]
fn two_thousand_runs_are_one_record_of_the_journal() {
    let world = World::new();
    world.write("wait.sh", "touch \"$WORLD/ready\"; exec sleep 3600\n");
    let values: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    world.write("neronet.toml", format!("command = 'sh wait.sh {{x}}'\n[params]\nx = [{}]\n", values.join(", ")));
    let said = world.say(&["run"]).with_code(2);
    assert!(said.err.contains("2,000 runs"), "{said:#?}");
    let cli = world.start(&["run", "--yes", "--quiet"]);
    world.wait_told("ready");
    let journal = std::fs::read(world.home().join("journal/1.log")).expect("there");
    // Mark, length, checksum, payload; the mark may stand in a payload, too.
    let (mut submissions, mut at) = (0, 0);
    while at < journal.len() {
        assert_eq!(&journal[at..at + 4], b"NRJ1");
        let length = u32::from_le_bytes(journal[at + 4..at + 8].try_into().expect("four bytes"));
        submissions += u32::from(journal[at + 12..].starts_with(b"{\"submitted\""));
        at += 12 + length as usize;
    }
    assert_eq!(submissions, 1);
    signal(cli.id() as i32, Signal::SIGINT);
    end_of(cli).with_code(1);
    let runs = world.list();
    assert_eq!(runs.len(), 2_000);
    assert!(runs.iter().all(|run| run["outcome"] == "stopped"));
}

#[test]
fn one_experiment_of_a_file_and_values_from_the_command_line() {
    let world = World::new();
    let spec = "command = 'echo {lr} {width}'\n[params]\nlr = 1\nwidth = 8\n[[experiment]]\nname = 'narrow'\n[[experiment]]\nname = 'wide'\nparams.width = 64\n";
    world.write("lab.toml", spec);
    let said = world.say(&["run", "lab.toml:wide", "--set", "lr=0.1,0.01", "--json"]).with_code(0);
    let runs = said.json();
    let runs = runs.as_array().expect("an array");
    assert_eq!(runs.len(), 2, "{said:#?}");
    assert!(runs.iter().all(|run| run["experiment"] == "wide" && run["outcome"] == "finished"), "{said:#?}");
    assert_eq!([world.output(1, 1), world.output(2, 1)], ["0.1 64\n", "0.01 64\n"]);
    let said = world.say(&["run", "lab.toml:wdie"]).with_code(2);
    assert!(said.err.contains("wdie") && said.err.contains("wide"), "{said:#?}");
}

/// `check` and `run` both refuse it, at the same place; the first is told in JSON as well.
fn refused_by_both(world: &World, place: &str, words: &str) {
    for command in ["check", "run"] {
        let said = world.say(&[command]).with_code(2);
        assert!(said.err.contains(&format!("neronet.toml:{place}: ")) && said.err.contains(words), "{command}: {said:#?}");
    }
    let json = world.say(&["check", "--json"]).with_code(2).json();
    let finding = &json["findings"][0];
    let found = format!("{}:{}:{}", finding["file"].as_str().expect("a file"), finding["line"], finding["column"]);
    assert_eq!((json["runs"].as_array().map(Vec::len), found), (Some(0), format!("neronet.toml:{place}")), "{json:#}");
    nothing_was_started(world);
}

#[test]
fn what_a_specification_names_must_be_there_before_anything_starts() {
    for (spec, place, words) in [
        ("[environment]\npython = '.venv'\n", "3:10", "there is no "),
        ("[environment]\npython = 'empty'\n", "3:10", "there is no bin/python in "),
        ("[environment]\npython = 'train.py'\n", "3:10", "is no virtual environment"),
        ("[environment]\nshell = '/nonexistent/zsh'\n", "3:9", "there is no shell '/nonexistent/zsh' here"),
        ("[code]\nlink = ['train.py', 'nosuch']\n", "3:21", "it does not exist"),
        ("[code]\nlink = ['../nosuch']\n", "3:9", "it would lie outside the run's folder"),
        ("[code]\ndirectory = 'nosuch'\n", "3:13", "there is no folder 'nosuch'"),
        (
            "[checkpoints]\npaths = '*.pt'\nkeep = { last = 1 }\n[code]\nin_place = true\n",
            "4:8",
            "these runs execute in the work tree itself",
        ),
    ] {
        let world = World::new();
        world.write("train.py", "").write("neronet.toml", format!("command = 'true'\n{spec}"));
        std::fs::create_dir(world.project().join("empty")).expect("made");
        refused_by_both(&world, place, words);
    }
}

#[test]
fn a_seed_that_no_run_has_is_refused_before_anything_starts() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo {run.seed} {x}'\nparams.x = [1, 2]\n");
    refused_by_both(&world, "1:17", "there is none");
    world.write("neronet.toml", "command = 'echo {run.seed} {x}'\nparams.x = [1, 2]\nparams.seed = '007'\n");
    refused_by_both(&world, "1:17", "the text '007' is no integer");
}

#[test]
fn check_reads_quotes_as_the_shell_that_runs_would_start_with() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo $'{x}'\"\nparams.x = 1\n");
    world.say(&["check"]).with_code(0);
    world.say(&["run"]).with_code(0);
    assert_eq!(world.output(1, 1), "1\n");
}

#[test]
fn what_lies_above_the_specification_inside_the_work_tree_can_be_linked() {
    let world = World::new();
    world.git(&["init", "-q"]);
    world.write(".gitignore", "data/\n").write("data/x.txt", "linked\n");
    world.write("sub/neronet.toml", "command = 'cat ../data/x.txt'\n[code]\nlink = ['../data']\n");
    for command in ["check", "run"] {
        let said = world.say(&[command, "sub/neronet.toml"]).with_code(0);
        assert!(!said.err.contains("not in the snapshot") && !said.out.contains("not in the snapshot"), "{said:#?}");
    }
    assert_eq!(world.output(1, 1), "linked\n");
}

#[test]
fn a_folder_of_the_command_that_runs_will_not_have_is_named() {
    let world = World::new();
    world.git(&["init", "-q"]);
    world.write(".gitignore", "data/\n").write("data/x.txt", "x\n").write("code.sh", "true\n");
    let spec = "command = 'sh code.sh --data=data/x.txt --out nowhere'\n";
    world.write("neronet.toml", spec);
    let words = "neronet.toml:1:30: 'data/x.txt' is here, but not in the snapshot that the runs work in";
    let said = world.say(&["check"]).with_code(0);
    assert!(said.out.contains(words) && said.out.contains("link = [\"data/x.txt\"]"), "{said:#?}");
    let said = world.say(&["run"]).with_code(0);
    assert!(said.err.contains(words) && !said.err.contains("'code.sh' is here"), "{said:#?}");
    world.write("neronet.toml", format!("{spec}[code]\nlink = ['data']\n"));
    let said = world.say(&["check"]).with_code(0);
    assert!(!said.out.contains("not in the snapshot"), "{said:#?}");
    world.write("neronet.toml", "command = 'true'\n[code]\ndirectory = 'data'\n");
    let said = world.say(&["check"]).with_code(2);
    assert!(said.err.contains("'data' is not in the snapshot"), "{said:#?}");
}

#[test]
fn the_python_of_an_environment_beside_the_code_is_named_by_its_environment() {
    let world = World::new();
    world.write(".venv/pyvenv.cfg", "version = 3.12.1\n").write("data/.tox/x", "");
    world.script(".venv/bin/python", "#!/bin/sh\n").write("neronet.toml", "command = '.venv/bin/python train.py --data data/.tox/x'\n");
    let said = world.say(&["check"]).with_code(0);
    assert!(said.out.contains("'.venv/bin/python' is here, but not in the snapshot"), "{said:#?}");
    assert!(said.out.contains("write [environment] python = \".venv\", and in the command python without its folder"), "{said:#?}");
    assert!(said.out.contains("link = [\"data/.tox/x\"]") && !said.out.contains("git ignores"), "{said:#?}");
}
