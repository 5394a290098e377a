//! What each recipe's text claims.

use crate::reader::Reader;
use crate::world::{text, wait_until};
use serde_json::json;

fn epochs(reader: &Reader, run: u64, metric: &str) -> Vec<f64> {
    reader.points(run, metric).into_iter().map(|(epoch, _)| epoch).collect()
}

pub(crate) fn pytorch(reader: &mut Reader) {
    let said = reader.types();
    assert!(said.out.contains("4 runs, 2 at a time") && said.out.contains("best: run"), "{said:#?}");
    for run in reader.finished(4) {
        let id = run["id"].as_u64().expect("a number");
        assert_eq!(epochs(reader, id, "val_acc"), [1.0, 2.0, 3.0, 4.0, 5.0], "{run:#}");
        assert_eq!(run["checkpoints"][0]["path"], "best.pt", "{run:#}");
        assert!(reader.work(id).join("best.pt").exists());
        assert_eq!(run["config"]["width"], "16", "a default that no flag names: {run:#}");
    }
    assert!(!reader.world.project().join("best.pt").exists());
}

pub(crate) fn hydra(reader: &mut Reader) {
    let said = reader.types();
    let runs = reader.finished(4);
    let chosen: Vec<_> = runs.iter().map(|run| (text(&run["params"]["optimizer"]), text(&run["params"]["optimizer.lr"]))).collect();
    let expected = [("sgd", "0.1"), ("sgd", "0.01"), ("adam", "0.1"), ("adam", "0.01")];
    assert_eq!(chosen, expected.map(|(group, lr)| (group.to_string(), lr.to_string())));
    for run in &runs {
        assert_eq!(run["metrics"]["loss"]["points"], 5, "{run:#}");
        assert_eq!(run["config"]["optimizer.lr"], text(&run["params"]["optimizer.lr"]), "{run:#}");
    }
    assert_eq!(runs[3]["config"]["optimizer._target_"], "torch.optim.Adam");
    assert!(said.out.lines().any(|line| line.split_whitespace().eq(["optimizer.momentum", "0.9", "-"])), "{said:#?}");
}

pub(crate) fn lightning(reader: &mut Reader) {
    let said = reader.types();
    assert!(said.out.contains("run 2 lr=0.001"), "{said:#?}");
    for run in reader.finished(2) {
        let metrics = &run["metrics"];
        assert_eq!((&metrics["val_acc"]["step"], &metrics["train_loss"]["step"]), (&json!(80.0), &json!(80.0)), "{run:#}");
        let paths: Vec<String> = run["checkpoints"].as_array().expect("a list").iter().map(|found| text(&found["path"])).collect();
        assert!(paths.contains(&"ckpt/last.ckpt".to_string()), "{paths:?}");
    }
    // What it says of a run that broke off: the flag reaches `ckpt_path`, and Lightning takes the file.
    let said = reader.shell("neronet resume 1").with_code(0);
    assert!(said.err.contains("run 1 goes on from "), "{said:#?}");
    assert!(reader.world.output(1, 2).contains("Restored all states from the checkpoint"), "{}", reader.world.output(1, 2));
}

pub(crate) fn finetuning(reader: &mut Reader) {
    let said = reader.types();
    assert!(said.out.contains("test_acc"), "{said:#?}");
    let runs = reader.finished(4);
    let of = |name: &str| runs.iter().filter(|run| run["experiment"] == name).collect::<Vec<_>>();
    let (pretrained, finetuned) = (of("pretrain"), of("finetune"));
    assert_eq!((pretrained.len(), finetuned.len()), (2, 2));
    for run in finetuned {
        let before = pretrained.iter().find(|before| before["params"]["seed"] == run["params"]["seed"]).expect("one of the same seed");
        let printed = reader.world.output(run["id"].as_u64().expect("a number"), 1);
        let checkpoint = reader.work(before["id"].as_u64().expect("a number")).join("best.pt");
        assert!(printed.contains(&format!("starts from {}", checkpoint.display())), "{printed}");
        assert!(run["metrics"]["test_acc"]["last"].is_number() && run["metrics"]["val_acc"]["points"] == 5, "{run:#}");
    }
}

pub(crate) fn simulation(reader: &mut Reader) {
    let said = reader.types();
    assert!(said.out.contains("solver.in of the first run:") && said.out.contains("damping = 0.01"), "{said:#?}");
    assert_eq!(said.err.matches("building for").count(), 1, "{said:#?}");
    for (run, damping) in reader.finished(3).iter().zip(["0.01", "0.1", "1"]) {
        let id = run["id"].as_u64().expect("a number");
        let kept = std::fs::read_to_string(reader.world.home().join(format!("runs/{id}/files/solver.in"))).expect("kept");
        assert_eq!(kept, format!("dt = 1e-3\ndamping = {damping}\nsteps = 2000\n"));
        assert_eq!(run["metrics"]["energy"]["points"], 20, "{run:#}");
        assert!(run["metrics"]["final_energy"]["last"].is_number(), "{run:#}");
    }
    assert!(!reader.world.project().join("sim").exists() && !reader.world.project().join("solver.in").exists());
}

pub(crate) fn torchrun(reader: &mut Reader) {
    // The processes find none that they can use, so they train on the processor.
    reader.world.gpus("gpu A 1000 0 0 0 30 1\ngpu B 1000 0 0 0 30 1\n");
    reader.has("CUDA_VISIBLE_DEVICES", "0,1");
    reader.types();
    for run in reader.finished(2) {
        assert_eq!(run["metrics"]["loss"]["points"], 5, "{run:#}");
        assert_eq!(run["metrics"]["world"]["last"], 2.0, "two processes: {run:#}");
    }
}

pub(crate) fn slots(reader: &mut Reader) {
    let said = reader.types();
    assert!(said.err.contains("'slot' in [resources] is understood"), "{said:#?}");
    // `stop` stands for the end of a slot, somewhere in the middle.
    wait_until("a few steps", || reader.world.output(1, 1).contains("step 3/70"));
    reader.types();
    let run = &reader.finished(1)[0];
    let attempts = run["attempts"].as_array().expect("a list");
    assert_eq!((attempts.len(), &attempts[0]["outcome"]), (2, &json!("stopped")), "{run:#}");
    assert_eq!(text(&attempts[1]["resumed_from"]), reader.work(1).join("last.pt").display().to_string(), "{run:#}");
    let (first, second) = (reader.world.output(1, 1), reader.world.output(1, 2));
    let saved = first.lines().filter(|line| line.starts_with("step ")).count();
    assert!(saved < 70, "it was stopped: {first}");
    assert!(second.contains(&format!("step {}/70", saved + 1)) && !second.contains(&format!("step {saved}/70")), "{second}");
    assert_eq!(epochs(reader, 1, "loss"), (1..=70).map(f64::from).collect::<Vec<_>>(), "one curve");
}

/// The names of the recipe's module and environment exist nowhere, so both tools are stand-ins that note what they are asked
/// for: `module` a function that the shell hands on, as it does where there are modules, `activate` in the researcher's home.
pub(crate) fn modules(reader: &mut Reader) {
    let activate = reader.world.path("user/miniconda3/bin/activate");
    std::fs::create_dir_all(activate.parent().expect("a folder")).expect("made");
    std::fs::write(&activate, "export CONDA_DEFAULT_ENV=$1\n").expect("written");
    reader.has("BASH_FUNC_module%%", "() { [ \"$1\" = load ] && export LOADEDMODULES=$2; }");
    let said = reader.types();
    assert!(said.out.contains("environment cifar with modules cuda/12.4"), "{said:#?}");
    assert_eq!(reader.finished(1)[0]["metrics"]["loss"]["points"], 5);
    // What it says of a line that fails.
    std::fs::remove_file(&activate).expect("ours");
    reader.shell("neronet run").with_code(1);
    let run = reader.world.show(2);
    assert!(text(&run["reason"]).contains("setup failed: source ~/miniconda3/bin/activate cifar"), "{run:#}");
    assert!(!reader.world.output(2, 1).contains("epoch"), "the command was not started");
}

/// The one word of the page that cannot stand as it is: the folder of the data, which is the machine's.
pub(crate) fn shared_data(reader: &mut Reader) {
    let targets = reader.world.home().join("targets.toml");
    let sets = reader.world.path("sets");
    let said = std::fs::read_to_string(&targets).expect("the recipe has it").replace("/scratch/sets", &sets.display().to_string());
    std::fs::write(&targets, said).expect("written");

    let refused = reader.shell("neronet run").with_code(2);
    assert!(refused.err.contains("is not there") && !reader.world.home().join("runs").exists(), "{refused:#?}");
    std::fs::create_dir_all(sets.join("curve")).expect("made");
    let rows: String = (0..=20).map(|n| f64::from(n) / 10.0 - 1.0).map(|x| format!("{x},{}\n", 1.0 + x - x * x)).collect();
    std::fs::write(sets.join("curve/train.csv"), format!("x,y\n{rows}")).expect("written");

    reader.types();
    let runs = reader.finished(2);
    for run in &runs {
        assert_eq!(run["metrics"]["error"]["points"], 20, "{run:#}");
        assert!(text(&run["command"]).contains(&sets.join("curve").display().to_string()), "{run:#}");
    }
    let error = |n: usize| runs[n]["metrics"]["error"]["last"].as_f64().expect("a number");
    assert!(error(1) < error(0), "a parabola fits better by one degree more");
    let recorded = std::fs::read_to_string(reader.world.home().join("sweeps/1.json")).expect("there");
    assert!(recorded.contains("\"inputs\"") && recorded.contains("sets/curve"), "{recorded}");
    std::fs::write(sets.join("curve/train.csv"), "x,y\n0,1\n").expect("written");
    let told = reader.shell("neronet run").with_code(0);
    assert!(told.err.contains("input 'curve' is not what run 1 read"), "{told:#?}");
}

pub(crate) fn spreadsheet(reader: &mut Reader) {
    let said = reader.types();
    let runs = reader.finished(3);
    let rows: Vec<(String, String)> = runs.iter().map(|run| (text(&run["params"]["lr"]), text(&run["params"]["noise"]))).collect();
    for (lr, noise) in [("0.1", "0.1"), ("0.1", "0.5"), ("0.01", "0.5")] {
        assert!(rows.contains(&(lr.to_string(), noise.to_string())), "{rows:?}");
    }
    assert!(runs.iter().all(|run| run["metrics"]["error"]["points"] == 10), "{said:#?}");
}
