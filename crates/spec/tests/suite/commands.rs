//! Rendered commands: flags, resuming, setup, bare command lines.

use crate::quoting::{CONTEXT, seen};
use neronet_model::RunId;
use neronet_model::settings::Command;
use neronet_spec::render::{Context, Mode, Rendered};
use neronet_spec::{Experiment, of_command, parse, render};
use std::process;

fn experiment(text: &str) -> Experiment {
    let mut plan = parse(text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    plan.experiments.remove(0)
}

fn rendered(text: &str, mode: Mode) -> Rendered {
    let experiment = experiment(text);
    let params = experiment.runs().next().expect("a run");
    render::command(&experiment.settings, &params, &CONTEXT, mode, "bash").unwrap_or_else(|why| panic!("{why}"))
}

fn shown(text: &str) -> String {
    rendered(text, Mode::First).shown
}

const PARAMS: &str = r#"
[params]
lr = 1e-3
batch_size = 32
amp = true
pin = false
betas = { value = [0.9, 0.999] }
optim.name = "sgd nesterov"
shift = -2
tag = "-x"
"#;

#[test]
fn flags_in_every_style() {
    let plain = format!("command = \"t {{flags}}\"\n{PARAMS}");
    assert_eq!(shown(&plain), "t --lr 1e-3 --batch_size 32 --amp --betas 0.9 0.999 --optim.name 'sgd nesterov' --shift -2 --tag=-x");
    let styled = |flags: &str| shown(&format!("{plain}\n[flags]\n{flags}\n"));
    assert!(styled("bool = \"value\"").contains("--amp true --pin false --betas"));
    assert!(styled("bool = \"no-prefix\"").contains("--amp --no-pin --betas"));
    assert!(styled("dashes = true").contains("--batch-size 32"));
    assert!(styled("list = \"commas\"").contains("--betas 0.9,0.999 --optim"));
    assert!(styled("list = \"repeat\"").contains("--betas 0.9 --betas 0.999 --optim"));
    assert!(styled("list = \"brackets\"").contains("--betas '[0.9, 0.999]' --optim"));
}

#[test]
fn flags_leave_out_what_is_used_by_name_elsewhere() {
    let text = r#"
command = "t --rate={lr} {flags}"
[params]
lr = 0.1
width = 3
seed = 1
depth = 4
[env]
SEED = "{seed}"
[resume]
arguments = "--from {checkpoint} --depth {depth}"
"#;
    // What only [resume] writes is there on the first attempt too.
    assert_eq!(shown(text), "t --rate=0.1 --width 3 --depth 4");
    assert_eq!(rendered(text, Mode::Resume).shown, r"t --rate=0.1 --width 3 --from 'it'\''s.npz' --depth 4");
}

#[test]
fn a_comment_of_the_shell_uses_no_parameter_and_stays_as_it_is_written() {
    let text = "command = \"\"\"# old: python t.py --lr {lr} {flags} {gone}\nt {flags} # {lr}\"\"\"\nparams.lr = 0.1\n";
    assert_eq!(shown(text), "# old: python t.py --lr {lr} {flags} {gone}\nt --lr 0.1 # {lr}");
    let plan = parse("command = \"t # {lr}\"\nparams.lr = 0.1\n", "f", None, &[]).expect("a plan");
    assert!(plan.warnings[0].message.contains("'lr' is used nowhere"), "{:?}", plan.warnings);
}

#[test]
fn a_resume_command_has_flags_of_its_own() {
    let text = r#"
command = "t --rate={lr}"
[params]
lr = 0.1
[resume]
command = ["again", "{checkpoint.best}", "{flags}"]
"#;
    assert_eq!(rendered(text, Mode::Resume).argv, ["again", "best.npz", "--lr", "0.1"]);
}

#[test]
fn resume_arguments_reach_a_command_without_a_shell() {
    let text = "command = [\"printf\", '%s\\0', \"x y\"]\n[resume]\narguments = \"--from {checkpoint} 'a b' \\\"c $HOME\\\" d\\\\ e\"\n";
    assert_eq!(seen(&rendered(text, Mode::Resume).argv), ["x y", "--from", "it's.npz", "a b", "c $HOME", "d e"]);
    assert_eq!(rendered(text, Mode::First).shown, r"printf '%s\0' 'x y'");
}

#[test]
fn an_automatic_resume_is_the_command_again_and_none_is_an_error() {
    let automatic = "command = \"t\"\n[resume]\nautomatic = true\n";
    assert_eq!(rendered(automatic, Mode::Resume).shown, "t");
    let none = experiment("command = \"t\"\n");
    let why = render::command(&none.settings, &none.runs().next().expect("a run"), &CONTEXT, Mode::Resume, "sh").expect_err("no way");
    assert!(why.contains("[resume]"), "{why}");
    let needs = experiment("command = \"t\"\n[resume]\narguments = \"{checkpoint}\"\n");
    let without = Context { checkpoint: None, ..CONTEXT };
    let why =
        render::command(&needs.settings, &needs.runs().next().expect("a run"), &without, Mode::Resume, "sh").expect_err("no checkpoint");
    assert!(why.contains("no complete checkpoint"), "{why}");
}

#[test]
fn built_in_placeholders_and_overrides() {
    let text = "command = \"t {run.id} {run.dir} {run.seed} {overrides}\"\n[params]\na.b = 0.10\nc = \"x y\"\nseed = 3\n";
    assert_eq!(shown(text), "t 42 '/home/a user/runs/42' 7 a.b=0.10 'c='\\''x y'\\''' seed=3");
}

#[test]
fn a_parameter_may_be_called_like_a_key_or_a_placeholder() {
    let text =
        "command = \"t {name} {target} {flags}\"\n[params]\nname = 1\ntarget = 2\ncommand = 3\nflags = 4\ncheckpoint = 5\nresume = 6\n";
    assert_eq!(shown(text), "t 1 2 --command 3 --flags 4 --checkpoint 5 --resume 6");
}

#[test]
fn env_values_are_plain_templates() {
    let experiment = experiment(
        "command = \"t {flags}\"\n[params]\nlr = 1e-3\n[env]\nA = \"{lr} it's {{x}} $HOME\"\nOMP_NUM_THREADS = 4\nF = 0.50\nD = \"{run.dir}\"\n",
    );
    let env = render::env(&experiment.settings, &experiment.runs().next().expect("a run"), &CONTEXT).expect("renders");
    let env: Vec<String> = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=1e-3 it's {x} $HOME", "OMP_NUM_THREADS=4", "F=0.50", "D=/home/a user/runs/42"]);
}

fn run(argv: &[String]) -> process::Output {
    process::Command::new(&argv[0]).args(&argv[1..]).output().expect("starts")
}

#[test]
fn setup_goes_before_the_command_and_a_failed_line_ends_the_run() {
    for shell in ["bash", "dash"] {
        for command in ["'printf \"%s\" \"$X\"'", "[\"sh\", \"-c\", 'printf \"%s\" \"$X\"']"] {
            let text = |setup: &str| format!("command = {command}\n[environment]\nshell = \"{shell}\"\nsetup = {setup}\n");
            let good = run(&rendered(&text("[\"X='it  works' # always\", \"export X\"]"), Mode::First).argv);
            assert_eq!(String::from_utf8_lossy(&good.stdout), "it  works");
            assert_eq!(good.status.code(), Some(0));
            let bad = run(&rendered(&text("[\"true\", \"(exit 7) # it's\", \"echo never\"]"), Mode::First).argv);
            assert_eq!(bad.status.code(), Some(7));
            assert_eq!(String::from_utf8_lossy(&bad.stdout), "");
            assert_eq!(
                String::from_utf8_lossy(&bad.stderr),
                "neronet: setup failed, the command was not started: (exit 7) # it's (exit code 7)\n"
            );
        }
    }
}

#[test]
fn the_corrected_command_of_a_refusal_does_what_was_meant() {
    for (command, expected) in [
        (r#"printf '%s\0' "$(printf %s {x})""#, "it's  \"a\" $b"),
        (r#"printf '%s\0' "`printf %s {x}`""#, "it's  \"a\" $b"),
        (r#"printf '%s\0' "${NONE:-{x}}""#, "it's  \"a\" $b"),
        (r#"printf '%s\0' "$(sh -c 'printf %s "$1"' - "{x}")""#, "it's  \"a\" $b"),
        (r#"printf '%s\0' '{x}'"$(true {x})""#, "it's  \"a\" $b"),
        (r#"printf '%s\0' ${NONE:-{x}}"#, "it's  \"a\" $b"),
        (r#"printf '%s\0' "$(case a in a) true;; esac)"{x}"#, "it's  \"a\" $b"),
    ] {
        let params = "[params]\nx = \"it's  \\\"a\\\" $b\"\n";
        let problems = parse(&format!("command = '''{command}'''\n{params}"), "f", None, &[]).expect_err("refused");
        let hint = problems.0[0].hint.clone().expect("a hint");
        let corrected = hint.strip_prefix("write: ").expect("a corrected line");
        let rendered = rendered(&format!("command = '''{corrected}'''\n{params}"), Mode::First);
        assert_eq!(seen(&rendered.argv), [expected], "{corrected}");
    }
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bare_command_line_takes_parameters_from_set() {
    let command = words(&["python", "train.py", "--lr={lr}", "{other}", "awk '{print $1}'", "{run.id}"]);
    let plan = of_command(&command, &words(&["lr=0.1,1e-2", "resources.time=1h", "sweep.parallel=2"])).expect("a plan");
    assert!(plan.warnings.is_empty() && plan.source.is_none());
    let experiment = &plan.experiments[0];
    assert_eq!((experiment.name.as_str(), experiment.count(), experiment.parallel), ("train", 2, Some(2)));
    assert_eq!(experiment.varying(), ["lr"]);
    assert_eq!(experiment.settings.time_limit.map(|limit| limit.0), Some(3_600_000));
    assert!(matches!(experiment.settings.command, Command::Argv(_)));
    let last = experiment.runs().last().expect("two runs");
    let context = Context { run: RunId(5), ..CONTEXT };
    let rendered = render::command(&experiment.settings, &last, &context, Mode::First, "sh").expect("renders");
    assert_eq!(rendered.argv, ["python", "train.py", "--lr=1e-2", "{other}", "awk '{print $1}'", "5"]);
}

#[test]
fn a_bare_command_line_takes_flags_and_warns_of_what_is_unused() {
    let plan = of_command(&words(&["t", "{flags}"]), &words(&["lr=0.1", "name.first=a"])).expect("a plan");
    let run = plan.experiments[0].runs().next().expect("a run");
    let rendered = render::command(&plan.experiments[0].settings, &run, &CONTEXT, Mode::First, "sh").expect("renders");
    assert_eq!(rendered.argv, ["t", "--lr", "0.1", "--name.first", "a"]);
    let plan = of_command(&words(&["t"]), &words(&["lr=0.1"])).expect("a plan");
    assert_eq!(plan.warnings.len(), 1);
    insta::assert_snapshot!(plan.warnings[0]);
    assert!(of_command(&[], &[]).is_err());
}

#[test]
fn the_program_of_a_command_is_told_from_what_prepares_the_shell() {
    for (command, program) in [
        ("'python3 train.py'", Some("python3")),
        ("'cd src && A=1 .venv/bin/python train.py | tee log'", Some(".venv/bin/python")),
        ("'timeout 60 \"/opt/my python/bin/python\" train.py'", Some("/opt/my python/bin/python")),
        ("['env', 'A=1', 'python3.11', 't.py']", Some("python3.11")),
        ("'srun ./train.sh'", Some("srun")),
        ("'{py} t.py'", None),
        ("'cd x'", None),
    ] {
        let found = experiment(&format!("command = {command}\nparams.py = 'python3'\n")).program();
        assert_eq!(found.as_deref(), program, "{command}");
    }
}
