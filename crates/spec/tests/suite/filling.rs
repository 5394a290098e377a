//! Placeholders of inputs, ports, targets and stages; steps, and the text of configuration files.

use neronet_model::launch::Awaited;
use neronet_model::{Params, RunId, Value};
use neronet_spec::render::{self, Context, Mode};
use neronet_spec::{Experiment, What, parse};

const TEXT: &str = r#"
command = "train {flags} --data {inputs.sets} --port {run.port} --gpus {run.gpus} {target.queue}"
[params]
lr = 1e-3
name = "it's"
betas = { value = [0.9, 0.999] }
split = "small"
seed = 3
extra = 1
[inputs.sets]
path = "{target.data}/cifar-{split}"
[env]
DATA = "{inputs.sets}/x"
[resources]
gpus = 2
[[file]]
edit = "conf.yaml"
set = { "optim.betas" = "{betas}", optim.lr = "{lr}", tag = "run {run.id} of {name}", port = "{run.port}", list = ["{seed}", 1], data = "{inputs.sets}" }
[[then]]
name = "evaluate"
command = "eval {checkpoint.best} {flags} --in {inputs.sets}"
[[then]]
command = ["python", "sum up.py", "{checkpoint}", "{lr}"]
"#;

fn experiments(text: &str) -> Vec<Experiment> {
    parse(text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}")).experiments
}

fn run(experiment: &Experiment) -> Params {
    experiment.runs().next().expect("a run")
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn inputs_ports_and_targets_reach_commands_variables_and_steps() {
    let experiment = &experiments(TEXT)[0];
    let (settings, params) = (&experiment.settings, run(experiment));
    let target = pairs(&[("data", "/my sets"), ("queue", "short")]);
    let bare = Context { target: &target, ..Context::of(RunId(7), "/runs/7") };
    let inputs = render::inputs(settings, &params, &bare).expect("paths");
    assert_eq!(inputs, pairs(&[("sets", "/my sets/cifar-small")]));
    let full = Context { inputs: &inputs, port: Some(4711), checkpoint: Some("a b.pt"), best_checkpoint: Some("best.pt"), ..bare };
    let command = render::command(settings, &params, &full, Mode::First, "sh").expect("a command");
    assert_eq!(command.shown, "train --extra 1 --data '/my sets/cifar-small' --port 4711 --gpus 2 short");
    assert_eq!(render::env(settings, &params, &full).expect("variables"), pairs(&[("DATA", "/my sets/cifar-small/x")]));
    let step = |at: usize| render::step(settings, &params, &full, &settings.then[at], "sh").expect("a step");
    // Their checkpoints are known when they start.
    assert_eq!(step(0).shown, "eval {checkpoint.best} --extra 1 --in '/my sets/cifar-small'");
    assert_eq!(step(0).argv[2], "eval \"${NERONET_CHECKPOINT_BEST}\" '--extra' '1' --in '/my sets/cifar-small'");
    assert_eq!((step(0).awaits, step(1).awaits), (vec![Awaited::Best], vec![Awaited::Latest]));
    assert_eq!(step(1).argv, ["python", "sum up.py", Awaited::Latest.mark(), "1e-3"]);
    assert_eq!(settings.then[1].name, "sum-up");
    let missing = |context: &Context<'_>| render::command(settings, &params, context, Mode::First, "sh").expect_err("something is missing");
    assert_eq!(missing(&Context { inputs: &[], ..full }), "{inputs.sets}: nobody says where this input is");
    assert_eq!(missing(&Context { port: None, ..full }), "{run.port}: no port was reserved for the run");
    assert_eq!(missing(&Context { target: &[], ..full }), "{target.queue}: the target has no such variable");
    let nowhere = render::inputs(settings, &params, &Context { target: &[], ..full }).expect_err("no variable");
    assert_eq!(nowhere, "[inputs.sets] path: {target.data}: the target has no such variable");
}

#[test]
fn the_number_of_gpus_is_that_which_the_run_was_given_and_before_that_the_fewest() {
    for (gpus, fewest) in [("2", "2"), ("'2-8'", "2"), ("'all'", "1"), ("0.5", "1"), ("'world * 2'", "1")] {
        let experiment = &experiments(&format!("command = 'train {{run.gpus}} {{world}}'\nparams.world = 4\nresources.gpus = {gpus}\n"))[0];
        let (settings, params) = (&experiment.settings, run(experiment));
        let shown = |gpus| {
            let context = Context { gpus, ..Context::of(RunId(7), "/runs/7") };
            render::command(settings, &params, &context, Mode::First, "sh").expect("a command").shown
        };
        assert_eq!((shown(None), shown(Some(8))), (format!("train {fewest} 4"), "train 8 4".to_string()));
    }
}

#[test]
fn values_set_in_a_file_keep_the_type_of_what_they_stand_for() {
    let experiment = &experiments(TEXT)[0];
    let (settings, params) = (&experiment.settings, run(experiment));
    let inputs = pairs(&[("sets", "/data")]);
    let context = Context { inputs: &inputs, port: Some(80), seed: Some(3), ..Context::of(RunId(7), "/runs/7") };
    let neronet_model::settings::FileEdit::Edit { set, .. } = &settings.files[0] else { panic!("an edit") };
    let values: Vec<String> = set
        .iter()
        .map(|(path, value)| {
            let value = render::value(value, settings, &params, &context).expect("a value");
            format!("{path} = {}", serde_json::to_string(&value).expect("serialises"))
        })
        .collect();
    assert_eq!(
        values,
        ["optim.betas = [0.9,0.999]", "optim.lr = 1e-3", "tag = \"run 7 of it's\"", "port = 80", "list = [3,1]", "data = \"/data\""]
    );
}

#[test]
fn the_text_of_a_file_is_filled_in_without_quotes() {
    let experiment = &experiments("command = \"t {flags}\"\nparams.lr = 1e-3\nparams.name = \"it's\"\nparams.width = 3\n")[0];
    let (settings, params) = (&experiment.settings, run(experiment));
    let context = Context::of(RunId(7), "/runs/7");
    let template = "base_lr: {lr} # $(not a shell)\nlayer {\n  name: \"{name}\"\n}\nrun {{run}} {run.id}\n";
    let filled = render::text(template, settings, &params, &context).expect("filled in");
    assert_eq!(filled, "base_lr: 1e-3 # $(not a shell)\nlayer {\n  name: \"it's\"\n}\nrun {run} 7\n");
    let used = render::parameters_in(template, settings, &params).expect("known");
    assert_eq!(used, ["lr", "name"]);
    let context = Context { in_files: &used, ..context };
    assert_eq!(render::command(settings, &params, &context, Mode::First, "sh").expect("a command").shown, "t --width 3");
    for (text, why) in [
        ("a\nb {nope}\n", "line 2: unknown placeholder '{nope}': no parameter has this name"),
        ("{flags}", "{flags} belongs in a command, not in a file"),
        ("{checkpoint}", "{checkpoint} is known only when a run goes on, so only in [resume] and [[then]]"),
        ("{target.data}", "{target.data} can stand in commands, in [env] and in the path of an input alone"),
    ] {
        assert_eq!(render::text(text, settings, &params, &context).expect_err("refused"), why);
        assert_eq!(render::parameters_in(text, settings, &params).expect_err("refused"), why);
    }
    assert!(render::text(&"x".repeat(2 << 20), settings, &params, &context).expect_err("too long").contains("1048 kB"));
    assert_eq!(render::value(&Value::Bool(true), settings, &params, &context), Ok(Value::Bool(true)));
}

#[test]
fn a_stage_goes_on_from_the_checkpoint_of_another_experiment() {
    for name in ["cifar", "cifar-wide", "v1.2-wide", "3d-unet"] {
        let text = format!(
            "command = \"t\"\n[[experiment]]\nname = \"tune\"\nafter = \"{name}\"\ncommand = \"t {{{name}.checkpoint}} {{{name}.checkpoint.best}}\"\n[[experiment]]\nname = \"{name}\"\n"
        );
        let experiment = &experiments(&text)[1];
        let context = Context {
            stage_checkpoint: Some("/runs/1/last.pt"),
            best_stage_checkpoint: Some("/runs/1/best.pt"),
            ..Context::of(RunId(7), "/runs/7")
        };
        let rendered = render::command(&experiment.settings, &Params::new(), &context, Mode::First, "sh").expect("a command");
        assert_eq!(rendered.shown, "t /runs/1/last.pt /runs/1/best.pt");
        let without = render::command(&experiment.settings, &Params::new(), &Context::of(RunId(7), "/"), Mode::First, "sh");
        assert!(without.expect_err("none").ends_with("the run before has no complete checkpoint"));
    }
}

#[test]
fn what_must_be_there_is_told_with_its_place() {
    let experiment = &experiments(TEXT)[0];
    let wanted: Vec<String> = experiment
        .wanted
        .iter()
        .filter_map(|wanted| match &wanted.what {
            What::Input(input) => Some((input.path.clone(), wanted)),
            What::Template(path) => Some((path.clone(), wanted)),
            _ => None,
        })
        .map(|(path, wanted)| format!("{path} at line {}", wanted.error("missing".into(), None).line))
        .collect();
    assert_eq!(wanted, ["{target.data}/cifar-{split} at line 11", "conf.yaml at line 17"]);
}
