//! Whole drafts, as they were last looked at.

use crate::{is_secret, read};
use neronet_draft::{Draft, Hydra, Source, of_command, of_help, of_hydra, of_text};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_string).collect()
}

#[track_caller]
fn compare(name: &str, draft: Result<Draft, String>) {
    let draft = draft.unwrap_or_else(|why| panic!("{name}: {why}"));
    let runs = match read(&draft) {
        Ok(plan) => plan.experiments.iter().map(|one| format!("{} × {}", one.count(), one.name)).collect::<Vec<_>>().join(", "),
        Err(problems) => panic!("{name}: {problems}\n{}", draft.text),
    };
    let notes: String = draft.notes.iter().map(|note| format!("- {note}\n")).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, format!("{}--- runs: {runs}\n{notes}", draft.text)));
}

macro_rules! source {
    ($name:literal) => {
        include_str!(concat!("sources/", $name))
    };
}

#[test]
fn texts_that_say_themselves_what_they_are() {
    for (file, text, source) in [
        ("seed.sbatch", source!("seed.sbatch"), Source::Sbatch),
        ("array.sbatch", source!("array.sbatch"), Source::Sbatch),
        ("loop.sbatch", source!("loop.sbatch"), Source::Sbatch),
        ("complex.sbatch", source!("complex.sbatch"), Source::Sbatch),
        ("job.sge", source!("job.sge"), Source::GridEngine),
        ("config.yaml", source!("config.yaml"), Source::Ancestor),
        ("sweep.yaml", source!("sweep.yaml"), Source::Sweep),
        ("grid.yaml", source!("grid.yaml"), Source::Sweep),
        ("grid.txt", source!("grid.txt"), Source::Commands),
        ("mixed.txt", source!("mixed.txt"), Source::Commands),
        ("argparse.txt", source!("argparse.txt"), Source::Help),
        ("boolean.txt", source!("boolean.txt"), Source::Help),
        ("click.txt", source!("click.txt"), Source::Help),
        ("typer.txt", source!("typer.txt"), Source::Help),
    ] {
        assert_eq!(Source::of(file, text), Some(source), "{file}");
        compare(file, of_text(source, text, file, is_secret));
    }
}

#[test]
fn helps_of_a_program_that_was_called() {
    compare("absl", of_help(source!("absl.txt"), &words("python train.py"), None, "", is_secret));
    compare("fire", of_help(source!("fire.txt"), &words("python train.py"), Some(".venv"), "", is_secret));
}

#[test]
fn a_hydra_project() {
    assert_eq!(Hydra::main_of(source!("train.py")), Some((Some("../conf".into()), Some("config".into()))));
    assert_eq!(Hydra::main_of("# @hydra.main()\n"), None);
    let groups =
        [("model".to_string(), vec!["resnet".to_string(), "vit".to_string()]), ("db/engine".to_string(), vec!["sqlite".to_string()])];
    let command = words("python train.py");
    let project = Hydra { command: &command, python: None, primary: source!("hydra.yaml"), name: "conf/config.yaml", groups: &groups };
    compare("hydra", of_hydra(&project));
}

#[test]
fn command_lines() {
    for (name, line) in [
        ("plain", "python train.py --lr 0.1 --epochs 10"),
        ("forms", "python -u train.py data/ -b 32 --lr=0.1 --betas 0.9 0.999 --amp --no-aug -lr 0.2 --gain -0.5 --out runs/1 -v"),
        ("repeated", "python train.py --layer 64 --layer 32 --tag a"),
        ("launcher", "CUDA_VISIBLE_DEVICES=0 WANDB_API_KEY=abc torchrun --nproc_per_node=4 train.py --lr 1 --hub-token abc"),
        ("overrides", "python train.py model.lr=0.1 +x=1 ~y db/type=big seed=3 hydra.run.dir=."),
        ("multirun", "python train.py -m model.lr=0.1,0.01 seed=range(3) +opt=adam name=x"),
        ("boolean_values", "python train.py --amp true --lr 1e-3 --name 007"),
    ] {
        compare(&format!("line_{name}"), of_command(&words(line), is_secret));
    }
    let line = "source venv/bin/activate && cd src && nohup python train.py --lr 0.1 --tag 'a b' > log.txt 2>&1 &".to_string();
    compare("line_shell", of_command(&[line], is_secret));
    let line = "cat list | while read x; do python train.py --x $x; done".to_string();
    compare("line_beyond", of_command(&[line], is_secret));
}

#[test]
fn what_is_no_source_says_why() {
    for (source, text, expected) in [
        (Source::Help, "nothing here", "no option is named"),
        (Source::Commands, "# nothing\n", "no command"),
        (Source::Sweep, "a: [", "a: ["),
        (Source::Commands, "a\0b", "NUL"),
    ] {
        let why = of_text(source, text, "source", is_secret).expect_err(text);
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(Source::of("a.yaml", "x: 1"), None);
    assert_eq!(Source::of("a.py", "#SBATCH -x"), None);
}
