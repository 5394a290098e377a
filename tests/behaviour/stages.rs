//! Experiments that go on from runs of another one.

use crate::world::{World, end_of, text, wait_until};
use serde_json::Value;

/// A training that saves a checkpoint an epoch, of which the second is the best, and that fails for a learning rate of 9.
const TRAIN: &str = r#"
import os, sys, time
words = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
world = os.environ["WORLD"]
while os.path.exists(world + "/hold-" + words["lr"]): time.sleep(0.02)
for epoch in (1, 2, 3):
    print(f"epoch {epoch} acc {1 - float(words['lr']) - abs(epoch - 2) / 10}")
    with open("new", "w") as file: file.write(f"lr {words['lr']} seed {words['seed']} epoch {epoch}")
    os.rename("new", f"{epoch}.pt")
    record = os.environ["NERONET_RUN_DIR"] + f"/attempts/{os.environ['NERONET_ATTEMPT']}/events.1.jsonl"
    while not (os.path.exists(record) and f"{epoch}.pt" in open(record).read()): time.sleep(0.01)
if words["lr"] == "9" and not os.path.exists(world + "/mended"): sys.exit(1)
"#;

const TOP: &str = r#"
objective = "acc max"
command = "python3 train.py --lr={lr} --seed={seed}"
[checkpoints]
paths = ["*.pt"]
"#;

fn spec(lr: &str, stage: &str) -> String {
    format!("{TOP}[[experiment]]\nname = 'cifar'\nparams.lr = {lr}\nparams.seed = {{ repeat = 2 }}\n{stage}")
}

const FINETUNE: &str = r#"
[[experiment]]
name = "finetune"
after = "cifar"
match = ["seed"]
command = "cat {cifar.checkpoint.best} {cifar.checkpoint}; echo; echo {seed} {k}"
params.seed = { repeat = 2 }
params.k = 5
"#;

fn world(spec: &str) -> World {
    let world = World::new();
    world.write("train.py", TRAIN).write("neronet.toml", spec);
    world
}

fn of<'a>(runs: &'a [Value], experiment: &str) -> Vec<&'a Value> {
    let mut runs: Vec<&Value> = runs.iter().filter(|run| run["experiment"] == experiment).collect();
    runs.sort_by_key(|run| run["id"].as_u64());
    runs
}

#[test]
fn each_run_goes_on_from_the_run_with_the_same_seed() {
    // Written in the other order, too.
    let world = world(&format!("{TOP}{FINETUNE}[[experiment]]\nname = 'cifar'\nparams.lr = [0.1, 0.2]\nparams.seed = {{ repeat = 2 }}\n"));
    let check = world.say(&["check"]).with_code(0);
    assert!(
        check.out.contains("finetune: 4 runs") && check.out.contains("cat {cifar.checkpoint.best} {cifar.checkpoint}; echo"),
        "{check:#?}"
    );
    assert!(!check.out.contains("not honoured") && !check.out.contains("will be honoured"), "{check:#?}");
    assert_eq!(world.say(&["check", "--json"]).with_code(0).json()["count"], 8);
    world.say(&["run"]).with_code(0);
    let runs = world.list();
    for run in of(&runs, "finetune") {
        let shown = world.show(run["id"].as_u64().expect("a number"));
        let before = world.show(shown["after"].as_u64().expect("a run"));
        let (lr, seed) = (&before["params"]["lr"], &before["params"]["seed"]);
        assert_eq!(seed, &shown["params"]["seed"]);
        let expected = format!("lr {lr} seed {seed} epoch 2lr {lr} seed {seed} epoch 3\n{seed} 5\n");
        assert_eq!(world.output(run["id"].as_u64().expect("a number"), 1), expected);
    }
    let before: Vec<u64> = of(&runs, "finetune").iter().filter_map(|run| world.show(run["id"].as_u64()?)["after"].as_u64()).collect();
    assert_eq!((of(&runs, "finetune").len(), before), (4, vec![1, 2, 3, 4]));
    let shown = world.say(&["show", "5"]).with_code(0).out;
    assert!(shown.contains("goes on from  run 1"), "{shown}");
}

#[test]
fn a_run_waits_for_the_one_that_it_goes_on_from() {
    let world = world(&spec("[0.1, 0.2]", FINETUNE));
    world.tell("hold-0.1");
    let driver = world.start(&["run", "--parallel", "8"]);
    // Those whose own has finished need not wait for the others.
    wait_until("two have gone on", || of(&world.list(), "finetune").iter().filter(|run| run["outcome"] == "finished").count() == 2);
    let runs = world.list();
    let waiting: Vec<&Value> = of(&runs, "finetune").into_iter().filter(|run| run["state"] == "queued").collect();
    assert_eq!(waiting.len(), 2);
    assert_eq!((text(&waiting[0]["reason"]), text(&waiting[1]["reason"])), ("after run 1".into(), "after run 2".into()));
    std::fs::remove_file(world.path("hold-0.1")).expect("there");
    end_of(driver).with_code(0);
}

#[test]
fn what_failed_is_gone_on_from_by_nobody_until_it_is_mended() {
    let chain = "[[experiment]]\nname = 'third'\nafter = 'finetune'\nmatch = 'all'\ncommand = 'true'\n";
    let world = world(&spec("[9]", &format!("{FINETUNE}{chain}")));
    let said = world.say(&["run"]).with_code(1);
    assert!(said.out.contains("0 of 6 runs finished"), "{said:#?}");
    let runs = world.list();
    for (run, before) in of(&runs, "finetune").iter().zip([1, 2]) {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"stopped".into(), &1.into()));
        assert!(text(&run["reason"]).contains(&format!("run {before}, which it goes on from, failed")), "{run:#}");
    }
    assert!(text(&of(&runs, "third")[0]["reason"]).contains("run 3, which it goes on from, was stopped"));
    assert!(!world.attempt(3, 1).exists(), "it was never started");
    world.tell("mended");
    // Both at once: one waits for the other.
    world.say(&["retry", "3", "1"]).with_code(0);
    assert_eq!(world.show(3)["outcome"], "finished");
    world.say(&["retry", "2"]).with_code(0);
    world.say(&["retry", "4"]).with_code(0);
    assert_eq!(world.output(4, 1), "lr 9 seed 1 epoch 2lr 9 seed 1 epoch 3\n1 5\n");
}

const BEST: &str = r#"
[[experiment]]
name = "finetune"
after = "cifar"
match = "best"
command = ["cat", "{cifar.checkpoint.best}"]
params.k = [1, 2]
"#;

#[test]
fn the_best_is_chosen_when_all_have_ended() {
    let world = world(&spec("[0.3, 0.1, 9]", BEST));
    world.tell("hold-0.3");
    let driver = world.start(&["run", "--parallel", "8"]);
    wait_until("the others have ended", || of(&world.list(), "cifar").iter().filter(|run| run["state"] == "ended").count() == 4);
    let runs = world.list();
    assert!(of(&runs, "finetune").iter().all(|run| run["reason"] == "after the best of runs 1-6"), "{runs:#?}");
    std::fs::remove_file(world.path("hold-0.3")).expect("there");
    let said = end_of(driver).with_code(1);
    assert!(said.err.contains("the best of runs 1-6 by acc max"), "{said:#?}");
    for run in [7, 8] {
        assert_eq!((world.output(run, 1), world.show(run)["after"].clone()), ("lr 0.1 seed 0 epoch 2\n".into(), 3.into()));
    }
    // It stays chosen.
    world.say(&["retry", "7"]).with_code(0);
    assert_eq!(world.show(7)["after"], 3);
}

#[test]
fn an_experiment_alone_goes_on_from_what_is_there() {
    let world = world(&spec("[0.1, 9]", FINETUNE));
    let said = world.say(&["run", "neronet.toml:finetune"]).with_code(1);
    assert!(said.err.contains("there is no finished run of 'cifar' to go on from: `neronet run neronet.toml:cifar` first"), "{said:#?}");
    assert!(world.list().is_empty());
    world.say(&["run", "neronet.toml:cifar"]).with_code(1);
    // The newest of those with the same parameters.
    world.say(&["run", "neronet.toml:cifar", "--set", "lr=0.1"]).with_code(0);
    world.say(&["run", "neronet.toml:finetune"]).with_code(0);
    let runs = world.list();
    let after: Vec<u64> = of(&runs, "finetune").iter().filter_map(|run| world.show(run["id"].as_u64()?)["after"].as_u64()).collect();
    assert_eq!(after, [5, 6]);
}

#[test]
fn a_set_knows_a_run_by_what_it_goes_on_from() {
    let world = world(&spec("[0.1]", FINETUNE));
    world.say(&["submit", "--wait"]).with_code(0);
    assert!(world.say(&["submit", "--wait"]).with_code(0).err.contains("nothing is new"));
    // What is new of the first is new of the second, and goes on from it; the rest is there.
    world.write("neronet.toml", spec("[0.1, 0.2]", FINETUNE));
    let said = world.say(&["submit", "--wait"]).with_code(0);
    assert!(said.err.contains("4 new of 8"), "{said:#?}");
    let after = |run: u64| world.show(run)["after"].clone();
    assert_eq!([after(3), after(4), after(7), after(8)], [1, 2, 5, 6].map(Value::from));
    // Another stage behind what is there.
    let more = "[[experiment]]\nname = 'more'\nafter = 'finetune'\nmatch = 'all'\ncommand = 'echo {k}'\nparams.k = [1]\n";
    world.write("neronet.toml", spec("[0.1, 0.2]", &format!("{FINETUNE}{more}")));
    assert!(world.say(&["submit", "--wait"]).with_code(0).err.contains("4 new of 12"));
    assert_eq!([after(9), after(10), after(11), after(12)], [3, 4, 7, 8].map(Value::from));
}

#[test]
fn a_detached_sweep_carries_out_its_stages_and_one_without_a_driver_can_be_taken_up() {
    let world = world(&spec("[0.1]", FINETUNE));
    world.tell("hold-0.1");
    world.say(&["submit"]).with_code(0);
    wait_until("it runs", || world.list().iter().any(|run| run["state"] == "running"));
    std::fs::remove_file(world.path("hold-0.1")).expect("there");
    for run in 1..=4 {
        assert_eq!(world.ended(run)["outcome"], "finished");
    }
    // Killed while the first stage runs.
    world.tell("hold-0.1");
    let mut driver = world.start(&["run", "--parallel", "8"]);
    wait_until("both run", || world.list().iter().filter(|run| run["state"] == "running").count() == 2);
    driver.kill().expect("ours");
    driver.wait().expect("ours");
    let again = world.start(&["retry", "7,8"]);
    std::fs::remove_file(world.path("hold-0.1")).expect("there");
    end_of(again).with_code(0);
    assert_eq!([7, 8].map(|run| world.show(run)["outcome"].clone()), ["finished", "finished"].map(Value::from));
}

#[test]
fn a_run_without_a_checkpoint_cannot_be_gone_on_from() {
    let world = world("");
    let spec = "[[experiment]]\nname = 'a'\ncommand = 'true'\n[[experiment]]\nname = 'b'\nafter = 'a'\ncommand = 'cat {a.checkpoint}'\n";
    world.run_spec(spec).with_code(1);
    let run = world.show(2);
    assert_eq!(
        (&run["outcome"], text(&run["reason"])),
        (&"failed".into(), "could not be started: run 1, which it goes on from, has no complete checkpoint".into())
    );
}

#[test]
fn who_removes_a_run_is_told_who_went_on_from_it() {
    let world = world("");
    let spec = "[[experiment]]\nname = 'a'\ncommand = 'true'\n[[experiment]]\nname = 'b'\nafter = 'a'\ncommand = 'true'\n";
    world.run_spec(spec).with_code(0);
    let said = world.say(&["rm", "1", "--yes"]).with_code(0);
    assert!(said.err.contains("run 2 went on from"), "{said:#?}");
}

#[test]
fn what_runs_go_on_from_is_told_wherever_runs_are_listed() {
    let world = World::new();
    world.write(
        "neronet.toml",
        "[[experiment]]\nname = 'pre'\ncommand = 'echo loss {lr}'\nobjective = 'loss min'\nparams.lr = [1, 2]\n\
         [[experiment]]\nname = 'fine'\nafter = 'pre'\nmatch = 'all'\nobjective = 'acc max'\ncommand = 'echo acc {k}'\nparams.k = 5\n",
    );
    let check = world.say(&["check", "--no-preflight"]).with_code(0).out;
    assert!(check.contains("pre.lr\n       1\n       2\n"), "{check}");
    let said = world.say(&["check", "--json", "--no-preflight"]).with_code(0).json();
    assert_eq!(said["runs"][0]["after"], Value::Null);
    assert_eq!((&said["runs"][3]["after"]["experiment"], &said["runs"][3]["after"]["params"]["pre.lr"]), (&"pre".into(), &2.into()));
    let said = world.say(&["submit"]).with_code(0).out;
    assert!(said.starts_with("pre: 2 runs (1-2)\nfine: 2 runs (3-4), after pre\nruns 1-4 queued"), "{said}");
    wait_until("all have ended", || world.list().iter().filter(|run| run["outcome"] == "finished").count() == 4);
    assert_eq!(world.list().iter().map(|run| run["after"].as_u64()).collect::<Vec<_>>(), [None, None, Some(1), Some(2)]);
    assert!(world.say(&["ls", "after = 2", "--fields", "id,after"]).with_code(0).out.contains(" 4      2\n"));
    assert!(world.say(&["export", "-o", "-", "--fields", "id,after"]).with_code(0).out.contains("4,2"));
    let compared = world.say(&["compare", "3", "4"]).with_code(0).out;
    let row = |name: &str| compared.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default().to_string();
    assert_eq!(row("pre.lr").split_whitespace().collect::<Vec<_>>(), ["pre.lr", "1", "2"], "{compared}");
    assert!(row("goes on from").contains("run 1") && row("goes on from").contains("run 2"), "{compared}");
    let compared = world.say(&["compare", "1", "2"]).with_code(0).out;
    assert!(compared.lines().any(|line| line.split_whitespace().eq(["loss@best", "1", "*", "2"])), "{compared}");
    let listed = world.say(&["ls"]).with_code(0).out;
    assert!(listed.contains("best: run 1, loss 1") && listed.contains("best: run 3, acc 5"), "each objective has its best: {listed}");
}
