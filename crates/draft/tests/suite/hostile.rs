//! Whatever a text holds, a reader ends, does not panic, and what it drafts can be read.

use crate::{is_secret, read};
use neronet_draft::{Hydra, LARGEST, Source, of_command, of_help, of_hydra, of_text};
use proptest::prelude::*;

const SOURCES: [Source; 6] = [Source::Sbatch, Source::GridEngine, Source::Sweep, Source::Ancestor, Source::Commands, Source::Help];

/// Pieces that each source gives a meaning, and what could break out of a string or a comment.
const PIECES: [&str; 92] = [
    "\n",
    " ",
    "  ",
    "\t",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "\\",
    "#",
    "]",
    "[",
    "{",
    "}",
    "{{",
    "}}",
    "${",
    "$(",
    "`",
    "$X",
    "$lr",
    "=",
    ":",
    ": ",
    "- ",
    ",",
    ";",
    "&",
    "&&",
    "|",
    "||",
    "<<E",
    "<",
    ">",
    "(",
    ")",
    "\r",
    "\u{1b}[0m",
    "\u{202e}",
    "\u{2028}",
    "é",
    "0",
    "1",
    "-1",
    "0.1",
    "1e-3",
    "99999999999999999999",
    "inf",
    "nan",
    "true",
    "null",
    "#SBATCH ",
    "#SBATCH -t 1-2:3",
    "#SBATCH --array=0-3%2\n",
    "--mem=1G",
    "--gres=gpu:2",
    "#$ ",
    "#$ -l h_rt=1:0:0",
    "#$ -t 1-3\n",
    "-pe smp 4",
    "-N x",
    "for x in a b; do ",
    "done",
    "python train.py ",
    "--lr ",
    "--lr=",
    "-b ",
    "export A=",
    "cd ",
    "module load ",
    "source v/bin/activate",
    "srun ",
    "nohup ",
    "$SLURM_ARRAY_TASK_ID",
    "$SGE_TASK_ID",
    "method: random\n",
    "parameters:\n",
    "  lr: {values: [1, 2]}\n",
    "  x: {min: 0, max: 1}\n",
    "+exp:\n",
    "run_command_prefix: ",
    "parameters_format: '{lr}'\n",
    "conditions:\n",
    "usage: ",
    "\n  --lr LR  text (default: ",
    "options:\n",
    "\n  --amp, --no-amp",
    "{a,b}",
    "positional arguments:\n  ",
    "last",
    "command: [\"${args}\"]\n",
    "name",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24).prop_map(|pieces| pieces.concat()),
        1 => "\\PC{0,60}",
        1 => "(?s).{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_drafted_can_be_read(text in text(), source in prop::sample::select(SOURCES.to_vec())) {
        Source::of("x", &text);
        Source::of("x.yaml", &text);
        Hydra::main_of(&text);
        if let Ok(draft) = of_text(source, &text, "a b.sh", is_secret) {
            prop_assert!(read(&draft).is_ok(), "{}", draft.text);
            prop_assert!(draft.notes.iter().all(|note| !note.contains('\n')));
        }
        if let Ok(draft) = of_help(&text, &["python".into(), text.replace('\0', "")], Some(&text), &text, is_secret) {
            prop_assert!(read(&draft).is_ok(), "{}", draft.text);
        }
        if let Ok(draft) = of_command(std::slice::from_ref(&text), is_secret) {
            prop_assert!(read(&draft).is_ok(), "{}", draft.text);
        }
        let groups = [(text.clone(), vec![text.clone()])];
        let command = ["python".to_string(), "t.py".to_string()];
        let draft = of_hydra(&Hydra { command: &command, python: None, primary: &text, name: &text, groups: &groups });
        prop_assert!(draft.is_ok_and(|draft| read(&draft).is_ok()));
    }

    #[test]
    fn nothing_becomes_a_key_that_was_a_value(value in "[\"'\\\\\n\r\t#\\]\\[=a]{0,12}") {
        let words = ["python".to_string(), "t.py".to_string(), format!("--x={value}")];
        let draft = of_command(&words, is_secret).map_err(TestCaseError::fail)?;
        let plan = read(&draft).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        let run = plan.experiments[0].runs().next().expect("one run");
        let plan_names: Vec<&str> = plan.experiments[0].params().collect();
        prop_assert!(plan_names.iter().all(|name| *name == "x"), "{}", draft.text);
        prop_assert!(run.get("x").is_none_or(|read| read.to_string() == value), "{}", draft.text);
    }
}

#[test]
fn long_texts_are_bounded() {
    let long = "python train.py --lr 0.1\n".repeat(LARGEST / 20);
    for source in SOURCES {
        assert!(of_text(source, &long, "x", is_secret).is_err_and(|why| why.contains("larger")));
    }
    let lines: String = (0..10_001).map(|n| format!("python t.py --seed {n}\n")).collect();
    assert!(of_text(Source::Commands, &lines, "x", is_secret).is_err_and(|why| why.contains("10000")));
    let lines: String = (0..10_000).map(|n| format!("python t.py --seed {n} --x {}\n", n * 3)).collect();
    let draft = of_text(Source::Commands, &lines, "x", is_secret).expect("10,000 lines are allowed");
    let plan = read(&draft).expect("it can be read");
    assert_eq!(plan.experiments[0].count(), 10_000);
    let deep = "a:\n".chars().chain("[".repeat(5000).chars()).collect::<String>();
    assert!(of_text(Source::Sweep, &deep, "x", is_secret).is_err());
    for text in ["(".repeat(100_000), "--x ".repeat(100_000), "$(".repeat(100_000), "  -a {".repeat(50_000)] {
        for source in SOURCES {
            of_text(source, &text, "x", is_secret).ok();
        }
    }
}
