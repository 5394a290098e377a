//! The single run of a drafted command line has the arguments that were typed.

use crate::{is_secret, read};
use neronet_draft::of_command;
use neronet_model::RunId;
use neronet_spec::render::{self, Context, Mode};
use proptest::prelude::*;
use std::process::Command;

const CONTEXT: Context<'static> = Context::of(RunId(1), "/runs/1");

/// The arguments of the run that a draft makes, as a shell sees them.
fn rendered(words: &[String]) -> Vec<String> {
    let draft = of_command(words, is_secret).unwrap_or_else(|why| panic!("{words:?}: {why}"));
    let plan = read(&draft).unwrap_or_else(|problems| panic!("{words:?}: {problems}\n{}", draft.text));
    assert_eq!(plan.experiments.len(), 1);
    let experiment = &plan.experiments[0];
    assert_eq!(experiment.count(), 1, "{words:?}\n{}", draft.text);
    let params = experiment.runs().next().expect("one run");
    let command = render::command(&experiment.settings, &params, &CONTEXT, Mode::First, "bash").expect("it can be rendered");
    assert_eq!(command.argv[1], "-c");
    let script = format!("f() {{ printf '%s\\0' \"$@\"; }}; f {}", command.argv[2]);
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash starts");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut seen: Vec<String> = text.split('\0').map(str::to_string).collect();
    seen.pop();
    seen
}

#[track_caller]
fn comes_back(line: &str) {
    let words: Vec<String> = line.split(' ').map(str::to_string).collect();
    assert_eq!(rendered(&words), words, "{line}");
}

#[test]
fn real_command_lines_come_back() {
    for line in [
        "python train.py --lr 0.1 --epochs 10",
        "python -u train.py data/ -b 32 --lr=0.1 --betas 0.9 0.999 --amp --no-aug -lr 0.2 --gain -0.5 --out runs/1 -v -j8",
        "python train.py --layer 64 --layer 32 --tag a --lr 1",
        "python train.py --x -1e-3 --y -5 --z=-x --w -",
        "python train.py --a 1 2 --a 3 --b x y z --c",
        "python train.py model.lr=0.1 +x=1 ~y db/type=big seed=3 flag=true s=null n=1e3 l=[1,2] e=",
        "python -m pkg.train --config conf/a.py -- --lr 1",
        "python train.py --flags 1 --checkpoint c.pt --run.id 3 --lr",
        "python train.py --b 7 -b 8 --batch 9",
        "python train.py --amp true --fast false --lr 1e-3 --name 007 --big 99999999999999999999 --neg -0",
        "time -p x",
        "./a.out {lr} {{x}} ${HOME} $X `y` --lr={a} --z {b}",
        "python train.py --größe 3 --x=ü --a.b 1 --a 2 --optim.lr.x 3 --optim.lr 4",
        "python train.py a=1 --a 2 a=3",
        "python train.py --lr 1 --lr 2 --x 3 --lr 4",
    ] {
        comes_back(line);
    }
}

fn word() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["lr", "x", "batch-size", "a.b", "a", "flags", "seed", "no-amp", "out", "b", "run.id", "1x"]);
    let value = || {
        prop_oneof![
            prop::sample::select(vec![
                "0.1",
                "1e-3",
                "-0.5",
                "-1e-3",
                "10",
                "true",
                "relu",
                "",
                "a b",
                "None",
                "007",
                "[1,2]",
                "-",
                "a/b",
                "-0",
                "99999999999999999999"
            ])
            .prop_map(str::to_string),
            "[ '\"$`\\\\{}!*?;&|<>()=~#\n.-]{0,5}",
            "\\PC{0,6}",
        ]
    };
    prop_oneof![
        3 => name().prop_map(|name| format!("--{name}")),
        1 => name().prop_map(|name| format!("-{name}")),
        2 => (name(), value()).prop_map(|(name, value)| format!("--{name}={value}")),
        2 => (prop::sample::select(vec!["", "+", "~", "++"]), name(), value()).prop_map(|(mark, name, value)| format!("{mark}{name}={value}")),
        5 => value(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_command_line_comes_back(
        head in prop::sample::select(vec![vec!["python", "train.py"], vec!["./sim"], vec!["torchrun", "--nproc_per_node=2", "t.py"], vec!["python", "-m", "pkg.t"], vec!["sim"]]),
        rest in prop::collection::vec(word(), 0..9),
    ) {
        let words: Vec<String> = head.into_iter().map(str::to_string).chain(rest).collect();
        prop_assert_eq!(rendered(&words), words);
    }
}
