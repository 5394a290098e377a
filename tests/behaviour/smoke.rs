//! `check --smoke`: what it says of a configuration, and that it leaves no trace.

use crate::world::{Said, World, all_below, end_of, runs, signal, text, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The smoke test of a specification, its scratch in a folder of its own.
fn check(world: &World, spec: &str, time: &str) -> Said {
    world.write("neronet.toml", spec);
    let scratch = world.path("scratch");
    let said = world.neronet(&["check", "--json", "--smoke", time]).env("TMPDIR", &scratch).output().expect("neronet starts");
    assert!(all_below(&scratch).is_empty(), "{:?}", all_below(&scratch));
    assert!(!world.home().exists(), "home was made");
    said.into()
}

fn first(said: &Said) -> Value {
    said.json()["smoke"][0].clone()
}

fn messages(smoke: &Value) -> Vec<String> {
    smoke["findings"].as_array().expect("a list").iter().map(|finding| text(&finding["message"])).collect()
}

#[test]
fn a_crash_shows_its_cause_and_the_last_lines() {
    let world = World::new();
    let script = "import sys\nfor n in range(30): print(n, file=sys.stderr)\n__import__(\"no_such_module\")\n";
    world.write("train.py", script);
    let smoke = first(&check(&world, "command = 'python3 train.py {lr}'\nparams.lr = [0.1, 0.2]\n", "30s").with_code(1));
    assert_eq!((&smoke["outcome"], &smoke["cause"]), (&"crashed".into(), &"missing module: no_such_module".into()), "{smoke:#}");
    assert_eq!(smoke["params"], serde_json::json!({"lr": 0.1}), "the first combination");
    let lines = smoke["last_lines"].as_array().expect("a list");
    assert_eq!(lines.len(), 10);
    assert!(text(&lines[9]).contains("ModuleNotFoundError") && lines.iter().any(|line| line == "29"), "{smoke:#}");
    assert_eq!(smoke["estimate"], Value::Null);
}

#[test]
fn nothing_is_waited_for_and_nothing_retried() {
    let world = World::new();
    let spec = "command = 'echo x >> $WORLD/times; exit 3'\n[sweep]\nnot_before = '2098-01-01'\n[retry]\ntimes = 2\n";
    let smoke = first(&check(&world, spec, "30s").with_code(1));
    assert_eq!((&smoke["outcome"], world.told("times").as_deref()), (&"crashed".into(), Some("x\n")), "{smoke:#}");
}

/// Prints an epoch each time it is let, so long as nobody stops it: neronet's own time limit does.
const LONG: &str = r#"
import os, time
print("Epoch 1/1000 loss 2.5", flush=True)
for epoch in range(2, 1001):
    time.sleep(0.05)
    print(f"Epoch {epoch}/1000 loss {2.5 / epoch}", flush=True)
"#;

#[test]
fn a_long_training_is_stopped_at_the_limit_and_its_length_estimated() {
    let world = World::new();
    world.write("train.py", LONG);
    let spec = "command = 'python3 train.py {lr}'\nobjective = 'loss min'\nparams.lr = [1, 2, 3]\nsweep.parallel = 2\n";
    let smoke = first(&check(&world, spec, "3s").with_code(0));
    assert_eq!((&smoke["outcome"], &smoke["findings"]), (&"stopped".into(), &serde_json::json!([])), "{smoke:#}");
    assert_eq!((&smoke["first"]["metric"], &smoke["first"]["value"]), (&"loss".into(), &2.5.into()), "{smoke:#}");
    assert_eq!(smoke["speed"]["by"], "epoch");
    let estimate = &smoke["estimate"];
    assert_eq!((&estimate["total"], &estimate["by"]), (&1000.0.into(), &"epoch".into()), "{smoke:#}");
    let [run, sweep] = ["run", "sweep"].map(|key| estimate[key].as_f64().expect("a number"));
    assert!(run > 10.0 && (sweep - 2.0 * run).abs() < 0.01, "three runs, two at a time: {smoke:#}");
    assert!(smoke["peak_memory"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{smoke:#}");
    assert_eq!(smoke["seed"], Value::Null);
}

#[test]
fn a_limit_of_the_experiment_that_is_too_short_is_told() {
    let world = World::new();
    world.write("train.py", LONG);
    let smoke = first(&check(&world, "command = 'python3 train.py'\nresources.time = '2s'\n", "30s").with_code(0));
    assert_eq!(smoke["outcome"], "stopped", "{smoke:#}");
    assert!(messages(&smoke)[0].contains("is stopped after 2 s, as [resources] time says"), "{smoke:#}");
}

#[test]
fn what_is_no_number_from_the_first_on_is_told_and_what_tells_nothing_too() {
    let world = World::new();
    let spec = "[[experiment]]\nname = 'nan'\ncommand = 'echo step 1 lr 0.1 train_loss nan'\n\
                [[experiment]]\nname = 'silent'\ncommand = 'echo nothing to see'\n";
    let said = check(&world, spec, "30s").with_code(0);
    let smokes = said.json()["smoke"].clone();
    let names: Vec<String> = smokes.as_array().expect("a list").iter().map(|smoke| text(&smoke["experiment"])).collect();
    assert_eq!(names, ["nan", "silent"]);
    assert_eq!(smokes[0]["first"]["value"], "NaN");
    assert_eq!(messages(&smokes[0]), ["train_loss is NaN from its first value on"]);
    assert_eq!(messages(&smokes[1]), ["no metric was read"]);
    assert!(text(&smokes[1]["findings"][0]["remedies"][0]).contains("neronet check --learn"), "{smokes:#}");
    let tried: Vec<&str> = said.err.lines().collect();
    assert_eq!(tried, ["trying nan for 30 s at most", "trying silent for 30 s at most"]);
}

#[test]
fn a_seed_is_used_or_ignored_or_does_not_decide_all() {
    let world = World::new();
    world.write(
        "train.py",
        "import os, random, sys, time\nmode, seed = sys.argv[1:]\nrandom.seed(int(seed) if mode == 'used' else 1)\n\
        if mode == 'random': random.seed(time.time_ns())\nif mode == 'crash' and seed != '0': sys.exit('no such seed')\n\
        for step in range(5): print(f'step {step} loss {random.random()}')\n",
    );
    let experiment = |mode: &str| format!("[[experiment]]\nname = '{mode}'\ncommand = 'python3 train.py {mode} {{seed}}'\n");
    let all: String = ["used", "ignored", "random", "crash"].map(experiment).concat();
    let json = check(&world, &format!("params.seed = [0, 7]\n{all}"), "30s").with_code(1).json();
    let smokes = json["smoke"].as_array().expect("a list");
    let effects: Vec<String> =
        smokes.iter().map(|smoke| format!("{} {}", text(&smoke["seed"]["effect"]), smoke["seed"]["values"])).collect();
    assert_eq!(effects, ["changes 5", "same 5", "not-reproducible 5", "crashes null"], "{json:#}");
    assert_eq!(messages(&smokes[1]), ["the seed changes nothing: is it used?"]);
    assert!(text(&smokes[1]["seed"]["message"]).contains("(7)"), "one of the sweep: {json:#}");
    assert_eq!(messages(&smokes[3]), ["it crashes with another seed (7)"]);
    assert!(smokes.iter().all(|smoke| smoke["outcome"] == "finished"), "{json:#}");
}

#[test]
fn runs_that_compare_seeds_end_when_they_have_told_enough() {
    let world = World::new();
    let script = "import os, random, sys, time\nseed = os.environ['NERONET_SEED']\nrandom.seed(seed)\n\
                  print(f'step 1 loss {random.random()}', flush=True)\nprint(f'step 2 loss {random.random()}', flush=True)\n\
                  tries = world = os.environ['WORLD'] + '/tries'\nopen(tries, 'a').write(seed + ' ')\n\
                  if open(tries).read().count(' ') > 1: time.sleep(3600)\n";
    world.write("train.py", script);
    let smoke = first(&check(&world, "command = 'python3 train.py'\nparams.seed = 0x0\n", "10min").with_code(0));
    assert_eq!(smoke["seed"]["effect"], "changes", "{smoke:#}");
    assert_eq!(world.told("tries").as_deref(), Some("0 1 0 "));
}

#[test]
fn memory_is_that_of_the_whole_tree_and_of_its_gpus() {
    let world = World::new();
    // It stays until nvidia-smi was asked several times while all of it was there.
    let script = "import os, time\nworld = os.environ['WORLD']\nheld = bytearray(200 << 20)\n\
                  for at in range(0, len(held), 4096): held[at] = 1\n\
                  for _ in range(3):\n    if os.fork() == 0: time.sleep(3600)\n\
                  open(world + '/gpu', 'w').write(f'GPU-1, {os.getpid()}, 3000\\nGPU-1, 1, 70000\\n')\n\
                  while not (os.path.exists(world + '/asked') and len(open(world + '/asked').read()) > 5): time.sleep(0.1)\n";
    let smi = "#!/bin/sh\ncase $1 in\n--query-gpu=*) echo '0, GPU-1, A, 80000, 73000, 99';;\n\
               *) cat $WORLD/gpu 2>/dev/null && printf x >> $WORLD/asked;;\nesac\nexit 0\n";
    world.write("train.py", script).script("nvidia-smi", smi).write("neronet.toml", "command = 'python3 train.py'\n");
    let scratch = world.path("scratch");
    let mut command = world.neronet(&["check", "--json", "--smoke", "10min"]);
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).expect("set").to_os_string();
    command.env("PATH", format!("{}:{}", world.project().display(), path.display())).env("TMPDIR", &scratch);
    let smoke = first(&Said::from(command.output().expect("neronet starts")).with_code(0));
    assert_eq!(smoke["peak_gpu_memory"], 3000u64 << 20, "{smoke:#}");
    let memory = smoke["peak_memory"].as_u64().expect("a number");
    assert!((200 << 20..400 << 20).contains(&memory), "what is shared counts once: {smoke:#}");
}

#[test]
fn what_would_execute_in_the_work_tree_is_not_run() {
    let world = World::new();
    world.write("precious", "kept");
    let spec = "[[experiment]]\nname = 'in-place'\ncommand = 'echo gone > precious'\ncode.in_place = true\n\
                [[experiment]]\nname = 'own'\ncommand = 'echo gone > precious; echo step 1 loss 1'\n";
    let json = check(&world, spec, "30s").with_code(1).json();
    assert_eq!((&json["smoke"][0]["outcome"], &json["smoke"][1]["outcome"]), (&"not-run".into(), &"finished".into()), "{json:#}");
    assert!(text(&json["smoke"][0]["cause"]).contains("work tree itself"), "{json:#}");
    assert_eq!(std::fs::read_to_string(world.project().join("precious")).expect("there"), "kept");
    // The user's home folder is never copied.
    std::fs::write(world.path("user").join("neronet.toml"), "command = 'echo gone > gone'").expect("written");
    let said: Said = world.neronet(&["check", "--smoke"]).current_dir(world.path("user")).output().expect("neronet starts").into();
    let said = said.with_code(1);
    assert!(said.out.contains("not run: it would execute in the work tree itself and write there: "), "{said:#?}");
    assert!(!world.path("user").join("gone").exists());
}

#[test]
fn what_comes_after_an_experiment_that_does_not_finish_is_not_run_and_the_rest_is_told() {
    let world = World::new();
    let spec = "command = 'echo step 1 loss 1; sleep {time}'\n[[experiment]]\nname = 'short'\nparams.time = 0\n\
                [[experiment]]\nname = 'after-short'\nafter = 'short'\nmatch = ['time']\nparams.time = 0\n\
                [[experiment]]\nname = 'pre'\nparams.time = 1000\n\
                [[experiment]]\nname = 'ft'\nafter = 'pre'\nmatch = ['time']\nparams.time = 1000\n";
    let json = check(&world, spec, "2s").with_code(1).json();
    let told: Vec<_> =
        json["smoke"].as_array().expect("a list").iter().map(|smoke| (text(&smoke["experiment"]), text(&smoke["outcome"]))).collect();
    let told: std::collections::BTreeMap<_, _> = told.into_iter().collect();
    let expected = [("short", "finished"), ("after-short", "finished"), ("pre", "stopped"), ("ft", "not-run")];
    assert_eq!(told, expected.map(|(name, outcome)| (name.to_string(), outcome.to_string())).into(), "{json:#}");
    let ft = json["smoke"].as_array().expect("a list").iter().find(|smoke| smoke["experiment"] == "ft").expect("there");
    assert_eq!(ft["cause"], "it goes on from a finished run of pre, which did not finish in this time");
}

#[test]
fn home_stays_as_it_is_to_the_byte_and_no_trace_is_left_anywhere() {
    let world = World::new();
    world.write(
        "train.sh",
        "mkdir -p out/inner; echo step 1 loss 0.5; echo x > out/inner/model.pt; chmod -R a-w out\n\"$NERONET\" ls -a > list\n",
    );
    world.write("neronet.toml", "command = 'sh train.sh'\nparams.seed = 1\n");
    world.say(&["run"]).with_code(0);
    let bytes = |place: &std::path::Path| -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
        let mut all: Vec<_> = all_below(place).into_iter().map(|path| (path.clone(), std::fs::read(path).ok())).collect();
        all.sort();
        all
    };
    let before = (bytes(&world.home()), bytes(&world.project()));
    // Also below the code, and where no folder for it is named.
    for folder in ["", "tmp"] {
        let mut command = world.neronet(&["check", "--smoke", "30s"]);
        let said: Said = command.env("TMPDIR", folder).output().expect("neronet starts").into();
        assert!(said.with_code(0).out.contains("Smoke: train"));
        std::fs::remove_dir(world.project().join("tmp")).ok();
        assert!(before == (bytes(&world.home()), bytes(&world.project())), "something changed");
    }
    let cached = all_below(&world.path("user"));
    assert!(!cached.iter().any(|path| path.display().to_string().contains("smoke")), "{cached:?}");
}

#[test]
fn ctrl_c_leaves_no_process_and_no_scratch() {
    let world = World::new();
    let script = "import os, time\nopen(os.environ['WORLD'] + '/pid', 'w').write(str(os.getpid()))\ntime.sleep(3600)\n";
    world
        .write("train.py", script)
        .write("neronet.toml", "[[experiment]]\nname = 'a'\n[[experiment]]\nname = 'b'\n[[experiment]]\nname = 'c'\n");
    world.write("neronet.toml", "command = 'python3 train.py'\n[[experiment]]\nname = 'a'\n[[experiment]]\nname = 'b'\n");
    let scratch = world.path("scratch");
    let mut command = world.neronet(&["check", "--smoke", "1h"]);
    let piped = std::process::Stdio::piped;
    let cli = command.env("TMPDIR", &scratch).stdout(piped()).stderr(piped()).spawn().expect("neronet starts");
    wait_until("a pid", || world.told("pid").is_some_and(|pid| !pid.is_empty()));
    assert!(!all_below(&scratch).is_empty(), "it works there");
    signal(cli.id() as i32, Signal::SIGINT);
    let said = end_of(cli).with_code(1);
    assert!(said.err.contains("stopping the smoke test") && said.err.contains("the smoke test was interrupted"), "{said:#?}");
    assert!(!said.err.contains("trying b"), "{said:#?}");
    assert_eq!(all_below(&scratch), Vec::<std::path::PathBuf>::new());
    assert!(!runs(world.told("pid").expect("told").parse().expect("a pid")));
    assert!(!world.home().exists());
}
