//! `init`: a first specification from what there is, and nothing of anybody's lost on the way.

use crate::world::World;

/// A script that says its options as argparse does, without needing it.
const ASKED: &str = r#"import argparse
p = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
p.add_argument("--lr", type=float, default=0.1, help="learning rate")
p.add_argument("--opt", choices=["sgd", "adam"], default="sgd")
p.add_argument("--amp", action="store_true")
p.parse_args()
open("trained", "w").close()
"#;

fn empty() -> World {
    let world = World::new();
    std::fs::remove_file(world.project().join("neronet.toml")).unwrap();
    world
}

fn written(world: &World) -> String {
    std::fs::read_to_string(world.project().join("neronet.toml")).unwrap()
}

#[test]
fn a_command_becomes_a_file_that_runs() {
    let world = empty();
    world.compare("init_command", &world.neronet(&["init", "--", "sh", "train.sh", "0.1", "relu", "--epochs", "4"]).succeeded());
    assert!(written(&world).contains("epochs = 4"), "{}", written(&world));
    assert!(world.neronet(&["check"]).succeeded().out.contains("sh train.sh 0.1 relu --epochs 4"));
    assert!(!world.path("home").exists(), "init has written to home");
    world.neronet(&["run", "--quiet"]).succeeded();
}

#[test]
fn what_is_there_is_left_alone() {
    let world = World::new();
    let before = written(&world);
    world.compare("init_exists", &world.neronet(&["init", "--", "true"]).refused(2));
    assert_eq!(written(&world), before);
    let printed = world.neronet(&["init", "--print", "--", "python", "t.py", "--lr", "1"]).succeeded();
    assert!(printed.out.starts_with("# ") && printed.out.contains("lr = 1"), "{}", printed.out);
    assert_eq!(written(&world), before);
    world.neronet(&["init", "-o", "other.toml", "--", "true"]).succeeded();
    world.neronet(&["init", "--force", "--", "python", "t.py", "--lr", "1"]).succeeded();
    assert!(written(&world).contains("lr = 1"));
    let names = std::fs::read_dir(world.project()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".new")), "nothing unfinished stays");
    world.neronet(&["init", "-o", "spec.yaml", "--", "true"]).refused(2);
}

#[test]
fn a_script_is_asked_for_its_options() {
    let world = empty();
    world.write("train.py", ASKED);
    let answer = world.neronet(&["init", "train.py"]).succeeded();
    assert!(answer.err.contains("--help` to see its options"), "{}", answer.err);
    assert!(!world.project().join("trained").exists());
    let text = written(&world);
    for expected in ["lr = 0.1", "opt = \"sgd\"", "one of sgd, adam", "amp = false", "train.py {flags}"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_script_that_cannot_be_asked_says_why() {
    let world = empty();
    world.write("train.py", "import argparse, sys\nsys.exit('no module named torch')\n");
    let refused = world.neronet(&["init", "train.py"]).refused(1);
    assert!(refused.err.contains("no module named torch") && refused.err.contains("neronet init -- "), "{}", refused.err);
    // Nobody named this one, and it would not understand what it is asked.
    world.write("train.py", "open('trained', 'w')\n");
    world.neronet(&["init"]).succeeded();
    assert!(!world.project().join("trained").exists());
    assert!(written(&world).contains("train.py\""));
}

#[test]
fn a_folder_is_looked_at() {
    let world = empty();
    world.compare("init_nothing", &world.neronet(&["init"]).refused(2));
    world.write("job.sbatch", "#!/bin/sh\n#SBATCH -J night -t 60\npython train.py --lr 0.1\n");
    world.compare("init_only", &world.neronet(&["init", "--print"]).succeeded());
    world.write("sweep.yaml", "program: train.py\nmethod: grid\nparameters:\n  lr: {values: [1, 2]}\n");
    world.compare("init_several", &world.neronet(&["init"]).refused(2));
    // Scripts that read options, whatever they are called, and no others.
    let script = "from argparse import ArgumentParser\nif __name__ == '__main__':\n    open('trained', 'w')\n";
    for (name, text) in [("pretrain_vae.py", script), ("evaluate.py", script), ("model.py", "import torch\n")] {
        world.write(name, text);
    }
    let said = world.neronet(&["init"]).refused(2).err;
    assert!(said.contains("init evaluate.py") && said.contains("init pretrain_vae.py") && !said.contains("model.py"), "{said}");
    assert!(!world.project().join("trained").exists());
}

#[test]
fn a_hydra_project_is_read_and_not_run() {
    let world = empty();
    std::fs::create_dir_all(world.project().join("conf/model")).unwrap();
    world.write("conf/config.yaml", "defaults: [{model: mlp}]\nlr: 0.1\n");
    world.write("conf/model/mlp.yaml", "width: 3\n");
    world.write("conf/model/cnn.yaml", "width: 3\n");
    world.write("app.py", "import hydra\n@hydra.main(config_path='conf', config_name='config')\ndef main(c): pass\nopen('trained', 'w')\n");
    world.neronet(&["init"]).succeeded();
    assert!(!world.project().join("trained").exists());
    let text = written(&world);
    for expected in ["app.py {overrides}", "# model = \"mlp\"", "or cnn", "# lr = 0.1"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn no_secret_is_written_down() {
    let world = empty();
    let secret = "0123456789abcdef0123456789abcdef01234567";
    world.write(
        "job.sh",
        &format!("#!/bin/sh\n#SBATCH -t 60\nexport WANDB_API_KEY={secret}\npython train.py --token {secret} --note {secret}\n"),
    );
    let variables = [("MY_TOKEN", secret)];
    let answer = world.neronet_in(&world.project(), &["init", "job.sh"], &variables).succeeded();
    assert!(!format!("{}{}{}", written(&world), answer.out, answer.err).contains(secret), "{}{}", written(&world), answer.out);
    assert!(written(&world).contains("WANDB_API_KEY = \"env\""));
}

#[test]
fn what_cannot_be_a_source_is_refused() {
    let world = empty();
    world.write("data.json", "{}");
    std::fs::write(world.project().join("a.bin"), [0xff, 0xfe, 0]).unwrap();
    for (name, words) in [
        ("init_missing", &["init", "nowhere.py"][..]),
        ("init_json", &["init", "data.json"]),
        ("init_binary", &["init", "a.bin"]),
        ("init_both", &["init", "data.json", "--", "true"]),
    ] {
        world.compare(name, &world.neronet(words).refused(2));
    }
    assert!(!world.project().join("neronet.toml").exists());
}
