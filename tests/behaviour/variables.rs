//! What a run finds in its environment.

use crate::world::World;
use serde_json::Value;
use std::path::Path;

const DUMP: &str =
    "import json, os\njson.dump(dict(os.environ), open(os.environ['WORLD'] + '/environ-' + os.environ['NERONET_RUN'], 'w'))\n";

fn environ(world: &World, run: u64) -> Value {
    serde_json::from_str(&world.told(&format!("environ-{run}")).expect("it was called")).expect("JSON")
}

#[test]
fn a_run_knows_who_it_is_and_where_things_belong() {
    let world = World::new();
    world.write("dump.py", DUMP);
    world.git(&["init", "-q"]);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "first"]);
    world.run_spec("command = ['python3', 'dump.py', '{flags}']\n[params]\nlr = 0.01\noptim.momentum = 0.9\nseed = [5]\n").with_code(0);
    let found = environ(&world, 1);
    let folder = world.home().join("runs/1");
    let is = |name: &str, expected: &str| assert_eq!(found[name], expected, "{name}");
    is("NERONET_RUN", "1");
    is("NERONET_ATTEMPT", "1");
    is("NERONET_RUN_DIR", &folder.display().to_string());
    is("NERONET_PARAMS", &folder.join("params.json").display().to_string());
    is("NERONET_SEED", "5");
    is("NERONET_PARAM_LR", "0.01");
    is("NERONET_PARAM_OPTIM_MOMENTUM", "0.9");
    is("NERONET_BRANCH", "main");
    is("PYTHONUNBUFFERED", "1");
    assert_eq!(found["NERONET_COMMIT"].as_str().map(str::len), Some(40));
    assert_eq!(found.get("NERONET_RESUME_FROM"), None);
    assert!(Path::new(found["NERONET_CHECKPOINTS"].as_str().expect("set")).is_dir());
    assert!(Path::new(found["NERONET_METRICS"].as_str().expect("set")).starts_with(&folder));
}

#[test]
fn a_run_started_from_within_a_run_is_a_run_of_its_own() {
    let world = World::new();
    world.write("dump.py", DUMP);
    world.run_spec("command = '\"$NERONET\" run -- python3 dump.py {lr} {seed}'\n[params]\nlr = 0.5\nseed = 3\n").with_code(0);
    let found = environ(&world, 2);
    assert_eq!((&found["NERONET_RUN"], &found["NERONET_ATTEMPT"]), (&"2".into(), &"1".into()));
    assert!(found["NERONET_RUN_DIR"].as_str().is_some_and(|folder| folder.ends_with("/runs/2")), "{found:#}");
    assert_eq!((found.get("NERONET_PARAM_LR"), found.get("NERONET_SEED")), (None, None));
}

#[test]
fn env_has_the_last_word() {
    let world = World::new();
    world.write("dump.py", DUMP);
    let spec = "command = ['python3', 'dump.py', '{lr}']\n[params]\nlr = 0.5\n[env]\nPYTHONUNBUFFERED = ''\nOMP_NUM_THREADS = 4\nNAME = 'lr {lr} of run {run.id}'\nHOME = '/elsewhere'\n";
    world.run_spec(spec).with_code(0);
    let found = environ(&world, 1);
    assert_eq!((&found["PYTHONUNBUFFERED"], &found["OMP_NUM_THREADS"]), (&"".into(), &"4".into()));
    assert_eq!((&found["NAME"], &found["HOME"]), (&"lr 0.5 of run 1".into(), &"/elsewhere".into()));
}

#[test]
fn the_submitters_environment_is_the_runs_also_when_it_is_retried_from_elsewhere() {
    let world = World::new();
    world.write("dump.py", DUMP);
    let started = world.neronet(&["run", "--", "python3", "dump.py"]).env("CONDA_PREFIX", "/opt/conda").status().expect("neronet starts");
    assert!(started.success());
    assert_eq!(environ(&world, 1)["CONDA_PREFIX"], "/opt/conda");
    std::fs::remove_file(world.path("environ-1")).expect("there");
    world.say(&["retry", "1"]).with_code(0);
    assert_eq!(environ(&world, 1)["CONDA_PREFIX"], "/opt/conda");
    assert_eq!(environ(&world, 1)["NERONET_ATTEMPT"], "2");
}

#[test]
fn a_virtual_environment_of_the_specification_comes_first() {
    let world = World::new();
    world.script(".venv/bin/python3", "#!/bin/sh\necho mine; exit 0\n").write(".gitignore", ".venv/\n");
    world.run_spec("command = 'python3 --version; echo $VIRTUAL_ENV'\n[environment]\npython = '.venv'\n").with_code(0);
    let venv = world.project().canonicalize().expect("there").join(".venv");
    assert_eq!(world.output(1, 1), format!("mine\n{}\n", venv.display()));
    // Named by its Python; and gone, it is missed before a retry starts.
    world.write(".venv/pyvenv.cfg", "");
    world.run_spec("command = 'python3 --version; echo $VIRTUAL_ENV'\n[environment]\npython = '.venv/bin/python3'\n").with_code(0);
    assert_eq!(world.output(2, 1), format!("mine\n{}\n", venv.display()));
    std::fs::remove_dir_all(&venv).expect("there");
    let said = world.say(&["retry", "2"]).with_code(1);
    assert!(said.err.contains("[environment] python: there is no ") || said.out.contains("python: there is no "), "{said:#?}");
}

#[test]
fn set_up_lines_run_before_the_command_in_the_same_shell() {
    let world = World::new();
    world.run_spec("command = 'echo $LOADED in $0'\n[environment]\nsetup = ['export LOADED=cuda', 'true']\n").with_code(0);
    assert!(world.output(1, 1).starts_with("cuda in "), "{}", world.output(1, 1));
    let failing = World::new();
    failing.run_spec("command = 'echo reached'\n[environment]\nsetup = ['no-such-module load']\n").with_code(1);
    let output = failing.output(1, 1);
    assert!(output.contains("setup failed, the command was not started: no-such-module load") && !output.contains("reached"), "{output}");
}
