//! What a specification means: grids, inheritance, values as written, `--set`.

use neronet_model::settings::{BoolStyle, Goal, Resume};
use neronet_model::{Millis, Value};
use neronet_spec::{Plan, parse};

pub(crate) fn plan_with(text: &str, only: Option<&str>, set: &[&str]) -> Plan {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    parse(text, "neronet.toml", only, &set).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) fn plan(text: &str) -> Plan {
    plan_with(text, None, &[])
}

/// The runs of the only experiment, a line each.
pub(crate) fn grid(text: &str, set: &[&str]) -> Vec<String> {
    let plan = plan_with(text, None, set);
    assert_eq!(plan.experiments.len(), 1);
    lines(&plan, 0)
}

/// The same of a text in the language that its name tells.
pub(crate) fn grid_of(text: &str, path: &str) -> Vec<String> {
    lines(&parse(text, path, None, &[]).unwrap_or_else(|problems| panic!("{problems}")), 0)
}

pub(crate) fn lines(plan: &Plan, index: usize) -> Vec<String> {
    let runs = plan.experiments[index].runs();
    let line = |(name, value): (&str, &Value)| format!("{name}={value}");
    runs.map(|run| run.iter().map(line).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn two_lines_are_a_whole_file() {
    let plan = plan("command = \"python train.py {flags}\"\nparams.lr = 0.1\n");
    assert_eq!(plan.experiments[0].name, "train");
    assert_eq!(lines(&plan, 0), ["lr=0.1"]);
    assert!(plan.warnings.is_empty() && plan.project.is_none());
    assert_eq!(plan.source.expect("kept").path, "neronet.toml");
}

#[test]
fn the_grid_is_in_the_order_of_the_file_and_the_last_name_is_fastest() {
    let text = "command = \"t {flags}\"\n[params]\nz = [1, 2]\nfixed = \"f\"\na = [0.1, 1e-2]\n";
    assert_eq!(grid(text, &[]), ["z=1 fixed=f a=0.1", "z=1 fixed=f a=1e-2", "z=2 fixed=f a=0.1", "z=2 fixed=f a=1e-2"]);
    assert_eq!(plan(text).experiments[0].varying(), ["z", "a"]);
}

#[test]
fn values_keep_the_form_in_which_they_were_written() {
    let text = r#"
command = "t {flags}"
[params]
a = 1e-3
b = 0.10
c = 1_000
d = +3.0
e = inf
f = { value = [0.9, [1, "x"]] }
g = [[1, 2], [3]]
h = 1979-05-27
i = "ü 'q'"
j = 0xff
k = true
l = -0
"#;
    assert_eq!(
        grid(text, &[]),
        [
            "a=1e-3 b=0.10 c=1000 d=3.0 e=inf f=[0.9, [1, \"x\"]] g=[1, 2] h=1979-05-27 i=ü 'q' j=0xff k=true l=-0",
            "a=1e-3 b=0.10 c=1000 d=3.0 e=inf f=[0.9, [1, \"x\"]] g=[3] h=1979-05-27 i=ü 'q' j=0xff k=true l=-0"
        ]
    );
}

#[test]
fn dotted_names_sub_tables_and_braces_give_dotted_parameters_in_their_order() {
    let text =
        "command = \"t {flags}\"\n[params]\no.a = 1\nb = 2\no.c = 3\nn = { x = 4, y = 5 }\nm.value = 6\n[params.sub.deep]\nrepeat = 7\n";
    assert_eq!(grid(text, &[]), ["o.a=1 b=2 o.c=3 n.x=4 n.y=5 m.value=6 sub.deep.repeat=7"]);
}

#[test]
fn experiments_inherit_and_override_what_they_name() {
    let text = r#"
project = "owlet"
command = "t {flags}"
[params]
lr = [0.1, 0.2]
width = 1
optim.name = "sgd"
optim.m = 0.9
betas = { value = [1, 2] }
[env]
A = 1
B = 2
[resume]
arguments = "--resume {checkpoint}"
[[experiment]]
name = "wide"
params.width = [128, 256]
params.optim.m = 0
params.new = 1
params.betas = { value = [3] }
env.B = 3
resume.automatic = true
[[experiment]]
name = "plain"
command = ["p", "{optim}", "{flags}"]
params.optim = "none"
params.lr = 1
"#;
    let plan = plan(text);
    assert_eq!(plan.project.as_deref(), Some("owlet"));
    let names: Vec<&str> = plan.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    assert_eq!(names, ["wide", "plain"]);
    assert_eq!(lines(&plan, 0).len(), 4);
    assert_eq!(lines(&plan, 0)[1], "lr=0.1 width=256 optim.name=sgd optim.m=0 betas=[3] new=1");
    assert_eq!(lines(&plan, 1), ["lr=1 width=1 optim=none betas=[1, 2]"]);
    assert_eq!(plan.experiments[0].settings.env, [("A".into(), "1".into()), ("B".into(), "3".into())]);
    assert_eq!(plan.experiments[0].settings.resume, Some(Resume::Automatic));
    assert!(matches!(plan.experiments[1].settings.resume, Some(Resume::Arguments(_))));
    let only = plan_with(text, Some("plain"), &[]);
    assert_eq!(only.experiments.len(), 1);
    assert_eq!(only.experiments[0], plan.experiments[1]);
}

#[test]
fn the_top_level_runs_too_when_it_says_so() {
    let text =
        "name = \"base\"\ncommand = \"t {flags}\"\ninclude_self = true\nparams.a = 1\n[[experiment]]\nname = \"other\"\nparams.a = 2\n";
    let plan = plan(text);
    let names: Vec<&str> = plan.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    assert_eq!(names, ["base", "other"]);
    assert_eq!((lines(&plan, 0), lines(&plan, 1)), (vec!["a=1".to_string()], vec!["a=2".to_string()]));
}

const BASE: &str = "command = \"t {flags}\"\n[params]\nlr = 1\noptim.m = 0.9\nname = \"x\"\n";

#[test]
fn set_changes_parameters_and_settings() {
    assert_eq!(grid(BASE, &["lr=0.1,1e-2"]), ["lr=0.1 optim.m=0.9 name=x", "lr=1e-2 optim.m=0.9 name=x"]);
    assert_eq!(grid(BASE, &["params.lr=2", "optim.m=0", "params.new=a"]), ["lr=2 optim.m=0 name=x new=a"]);
    assert_eq!(grid(BASE, &["lr={ value = [1, 2.50] }"]), ["lr=[1, 2.50] optim.m=0.9 name=x"]);
    assert_eq!(grid(BASE, &["lr=[1,\"a,b\"]"])[1], "lr=a,b optim.m=0.9 name=x");
    // A parameter wins over a key of the same name.
    assert_eq!(grid(BASE, &["name=\"a, b\""]), ["lr=1 optim.m=0.9 name=a, b"]);
    let set = ["resources.time=90", "sweep.parallel=2", "flags.bool=value", "objective=acc max", "environment.setup=cd /tmp", "project=p"];
    let plan = plan_with(BASE, None, &set);
    let settings = &plan.experiments[0].settings;
    assert_eq!(settings.time_limit, Some(Millis(90_000)));
    assert_eq!(plan.experiments[0].parallel, Some(2));
    assert_eq!(settings.flags.bool_style, BoolStyle::Value);
    assert_eq!((settings.objectives[0].metric.as_str(), settings.objectives[0].goal), ("acc", Goal::Max));
    assert_eq!(settings.environment.setup, ["cd /tmp"]);
    assert_eq!(plan.project.as_deref(), Some("p"));
}

#[test]
fn set_reaches_only_the_experiments_that_have_the_parameter() {
    let text = "command = \"t {flags}\"\n[[experiment]]\nname = \"a\"\nparams.x = 1\n[[experiment]]\nname = \"b\"\nparams.y = 1\n";
    let plan = plan_with(text, None, &["x=5", "params.z=6"]);
    assert_eq!((lines(&plan, 0), lines(&plan, 1)), (vec!["x=5 z=6".to_string()], vec!["y=1 z=6".to_string()]));
}

#[test]
fn every_setting_arrives() {
    let text = r#"
name = "cifar"
command = "t"
objective = ["val/error min", "test acc max"]
[sweep]
parallel = 3
[flags]
bool = "no-prefix"
list = "commas"
dashes = true
[environment]
setup = ["module load cuda"]
python = ".venv"
shell = "/bin/bash"
[code]
directory = "experiments"
link = ["data/", "/scratch/sets"]
in_place = true
[metrics]
patterns = ['Loss: (?<loss>\S+)']
ignore = ["lr"]
files = ["log.csv", "results/*.json"]
[checkpoints]
paths = ["ckpt/*.pt"]
keep = { best = 1, last = 2 }
[resources]
time = "70h"
[stop]
signal = "SIGUSR1"
grace = "2 min"
"#;
    let plan = plan(text);
    assert!(plan.warnings.is_empty());
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan.experiments[0].settings).expect("serialises"));
}

#[test]
fn what_is_said_to_the_queue_and_around_the_command_arrives() {
    let text = r#"
command = "t"
target = ["gpu", "triton"]
[secrets]
WANDB_API_KEY = "env"
TOKEN = "env:OTHER_TOKEN"
KEY = "file:~/.wandb-key"
PASS = "command:pass show wandb"
[inputs.cifar]
path = "{target.data}/cifar"
needs = "3 GB"
fingerprint = "hash"
[inputs.mnist]
path = "/data/mnist"
needs = "50000 files"
files = ["./train.bin", "sub/test.bin"]
push = true
[code]
build = "make -j2"
[[file]]
template = "solver.prototxt.in"
to = "solver.prototxt"
[[file]]
id = "config"
edit = "config.yaml"
to = "out/config.yaml"
set = { "optim.lr" = 1e-3, model.layers = [1, "two"], debug = false }
[resources]
cpus = 4
gpus = "2-8"
gpu_memory = "6 GB"
memory = "16G"
disk = "20 GiB"
named = { matlab = 1, cplex = 2 }
slot = "24h"
[stop]
before = "10 min"
[metrics]
tensorboard = "runs/"
[checkpoints]
fetch = "best"
signal = "sigusr1"
[outputs]
keep = ["*.png", "preds.csv"]
max = "2 GB"
[[then]]
name = "evaluate"
command = ["python", "eval.py", "{checkpoint.best}"]
[[rule]]
when = "val_error > 0.5 and epoch >= 3"
after = "10 min"
for = "3 epochs"
do = "checkpoint-and-stop"
[retry]
times = 2
on = ["crash", "oom", "lost"]
backoff = "30s"
on_oom = { seed = "seed + 1" }
[notify]
email = "me@example.org"
on = ["finished", "failed", "problem"]
[on.triton]
environment.setup = ["module load mamba"]
resources.memory = "32 GB"
[[experiment]]
name = "finetune"
after = "cifar"
match = ["seed"]
[[experiment]]
name = "cifar"
"#;
    let text = text.replace("[secrets]", "[params]\nseed = 1\n[secrets]");
    let experiment = &plan(&text).experiments[1];
    let mut settings = experiment.settings.clone();
    let (target, there) = settings.on.pop().expect("a target");
    assert_eq!((target.as_str(), there.resources.memory, there.resources.cpus), ("triton", Some(32_000_000_000), Some(4)));
    assert_eq!(there.environment.setup, ["module load mamba"]);
    assert_eq!(there.then, settings.then);
    insta::assert_snapshot!(serde_json::to_string_pretty(&settings).expect("serialises"));
    let stored = serde_json::to_string(&experiment.settings).expect("serialises");
    let read: neronet_model::Settings = serde_json::from_str(&stored).expect("reads back");
    assert_eq!(read, experiment.settings);
    // A record of a version that knew fewer keys.
    let old: neronet_model::Settings = serde_json::from_str(r#"{"command":{"shell":"t"}}"#).expect("reads back");
    assert_eq!(old, neronet_model::Settings::of(neronet_model::settings::Command::Shell("t".into())));
}

#[test]
fn an_experiment_is_told_as_it_is_on_a_target_with_its_own_places() {
    let text = "command = \"t\"\ntarget = [\"gpu1\", \"local\"]\nenvironment.python = \"a\"\n[on.gpu1]\nenvironment.python = \"b\"\n";
    let experiment = plan(text).experiments.remove(0);
    let pythons = |experiment: &neronet_spec::Experiment| {
        let line = |wanted: &neronet_spec::Wanted| wanted.error(String::new(), None).line;
        let named = experiment.wanted.iter().filter_map(|wanted| match &wanted.what {
            neronet_spec::What::Python(python) => Some(format!("{python} at line {}", line(wanted))),
            neronet_spec::What::Target(name) | neronet_spec::What::On(name) => Some(format!("{name} at line {}", line(wanted))),
            _ => None,
        });
        named.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(pythons(&experiment), "a at line 3, gpu1 at line 2, local at line 2, gpu1 at line 4");
    let there = experiment.on("gpu1");
    assert_eq!(there.settings.environment.python.as_deref(), Some("b"));
    assert!(there.settings.target.is_empty() && there.settings.on.is_empty());
    assert!(pythons(&there).starts_with("b at line 5"), "{}", pythons(&there));
    assert_eq!(experiment.on("local").settings.environment.python.as_deref(), Some("a"));
}

#[test]
fn the_place_in_the_queue_is_said_in_many_ways() {
    let read = |text: &str| {
        let experiment = plan(&format!("command = \"t\"\n[sweep]\n{text}\n")).experiments.remove(0);
        let moment = experiment.not_before.map(|moment| format!("{moment}: {:?}", moment.when)).unwrap_or_default();
        format!("{}\n{}\n{moment}\n", text.replace('\n', "; "), serde_json::to_string(&experiment.wishes).expect("serialises"))
    };
    let wishes = ["", "priority = -5\ngpu_hours = 1.5\nhold_after = 3", "gpu_hours = 100"];
    let moments =
        ["\"22:00\"", "\" 7:05:30\"", "\"2026-11-23 22:00\"", "\"2028-02-29T06:00:01\"", "2026-11-23", "22:00:00", "\"in 1h 30min\""];
    let moments = moments.map(|moment| format!("not_before = {moment}"));
    let all: Vec<String> = wishes.iter().map(ToString::to_string).chain(moments).map(|text| read(&text)).collect();
    insta::assert_snapshot!(all.join("\n"));
    let yaml =
        neronet_spec::parse("command: t\nsweep:\n  not_before: 2026-11-23 22:00\n  priority: 2\n", "f.yaml", None, &[]).expect("a plan");
    assert_eq!(yaml.experiments[0].not_before.as_ref().map(ToString::to_string).as_deref(), Some("2026-11-23 22:00"));
    let set = plan_with("command = \"t\"\n", None, &["sweep.priority=-3", "sweep.not_before=22:00", "resources.named.matlab=2"]);
    assert_eq!((set.experiments[0].wishes.priority, set.experiments[0].settings.resources.named.len()), (-3, 1));
}

#[test]
fn every_way_to_ask_for_gpus() {
    for (written, gpus) in [
        ("0", r#"{"count":0}"#),
        ("4", r#"{"count":4}"#),
        ("\"4\"", r#"{"count":4}"#),
        ("\"all\"", r#""all""#),
        ("\"2-8\"", r#"{"range":[2,8]}"#),
        ("0.5", r#"{"fraction":0.5}"#),
        ("\"world * 2\"", r#"{"expression":"world * 2"}"#),
        ("\"max(1, world)\"", r#"{"expression":"max(1, world)"}"#),
    ] {
        let plan = plan(&format!("command = \"t {{flags}}\"\nparams.world = 2\nresources.gpus = {written}\n"));
        let read = plan.experiments[0].settings.resources.gpus.as_ref().expect("read");
        assert_eq!(serde_json::to_string(read).expect("serialises"), gpus, "{written}");
    }
    let set = plan_with("command = \"t\"\n", None, &["resources.gpus=2-8", "resources.memory=6 GB", "retry.times=1"]);
    assert_eq!(set.experiments[0].settings.resources.memory, Some(6_000_000_000));
}

#[test]
fn many_targets_with_many_keys_are_refused_within_bounds() {
    let env: String = (0..3000).map(|n| format!("V{n} = 1\n")).collect();
    let targets: String = (0..100).map(|n| format!("[on.t{n}]\nstop.signal = \"INT\"\n")).collect();
    let problems = parse(&format!("command = \"t\"\n[env]\n{env}{targets}"), "neronet.toml", None, &[]).expect_err("refused");
    assert!(problems.to_string().contains("more than an experiment may have"));
    let many = |count: usize| (0..count).map(|n| format!("[[then]]\nname = \"s{n}\"\ncommand = \"t\"\n")).collect::<String>();
    assert_eq!(plan(&format!("command = \"t\"\n{}", many(200))).experiments[0].settings.then.len(), 200);
    let problems = parse(&format!("command = \"t\"\n{}", many(201)), "neronet.toml", None, &[]).expect_err("refused");
    assert!(problems.to_string().contains("201 [[then]] are more than an experiment may have (200)"));
    let names = |count: usize| (0..count).map(|n| format!("K{n} = \"env\"\n")).collect::<String>();
    let text = format!("command = \"t\"\n[env]\n{0}[secrets]\n{0}", names(50_000));
    assert!(parse(&text, "neronet.toml", None, &[]).is_err());
}

#[test]
fn a_hundred_thousand_and_more_combinations_are_counted_and_made_lazily() {
    let axis: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let axis = axis.join(", ");
    let plan = plan(&format!("command = \"t {{flags}}\"\n[params]\na = [{axis}]\nb = [{axis}]\nc = [{axis}]\n"));
    let experiment = &plan.experiments[0];
    assert_eq!(experiment.count(), 1_000_000_000);
    let third = experiment.runs().nth(1001).expect("there");
    assert_eq!(serde_json::to_string(&third).expect("serialises"), r#"{"a":0,"b":1,"c":1}"#);
}

#[test]
fn warnings_do_not_stop_anything() {
    let text = "command = \"t {a}\"\ntarget = \"gpu\"\n[params]\na = [1, 2, 1]\nunused = 3\nseed = 4\n[retry]\ntimes = 2\n";
    let warnings: Vec<String> = plan(text).warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_taken() {
    let plan = plan("\u{feff}command = '''\r\ncd x\r\ntrue'''\r\n");
    let command = format!("{:?}", plan.experiments[0].settings.command);
    assert_eq!(command, "Shell(\"cd x\\ntrue\")");
}

#[test]
fn a_huge_file_is_read_or_refused_within_bounds() {
    let numbers: String = (0..400_000).map(|n| format!("{n},")).collect();
    let long = plan(&format!("command = \"t {{flags}}\"\nparams.n = [{numbers}]\n"));
    assert_eq!(long.experiments[0].count(), 400_000);
    let keys: String = (0..50_000).map(|n| format!("key{n} = {n}\n")).collect();
    let experiments: String = (0..900).map(|n| format!("[[experiment]]\nname = \"e{n}\"\n")).collect();
    for text in [
        format!("command = \"t\"\n{keys}"),
        format!("command = \"t {{flags}}\"\n[params]\n{keys}"),
        format!("command = \"t\"\n[env]\n{keys}{experiments}"),
        format!("command = \"t\"\n[params]\n{keys}[[experiment]]\nname = \"a\"\n[experiment.params]\n{keys}"),
        "[".repeat(1_000_000),
        format!("a = {}", "[".repeat(1_000_000)),
        format!("command = \"{}\"", "{x} ".repeat(20_000)),
        format!("command = '''{}'''", "x".repeat(1_000_000)),
        "command = ".repeat(100_000),
    ] {
        let problems = parse(&text, "neronet.toml", None, &[]).expect_err("refused");
        assert!(problems.0.len() <= 1000 && problems.to_string().len() < 100_000);
    }
}

#[test]
fn thousands_of_parameters_that_the_command_names_are_read_at_once() {
    let names: Vec<String> = (0..2_000).map(|n| format!("learning_rate_{n}")).collect();
    let params: String = names.iter().map(|name| format!("{name} = 1\n")).collect();
    let holes: String = names.iter().map(|name| format!(" {{{name}}}")).collect();
    let plan = plan(&format!("command = \"t{holes}\"\n[params]\n{params}unused = 1\n"));
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert!(plan.warnings[0].message.contains("'unused' is used nowhere"));
}

#[test]
fn the_project_is_known_whatever_else_is_wrong() {
    let of = neronet_spec::project_in;
    assert_eq!(of("command = 'x'\n project = \"vision\" # mine\n[params]\nlr = \n"), Some("vision".into()));
    assert_eq!(of("project='a'\nnonsense"), Some("a".into()));
    assert_eq!(of("projects = 'a'\n[params]\nproject = 'b'\n"), None);
    assert_eq!(of("project = ''\n"), None);
}

#[test]
fn the_name_that_a_command_suggests_can_be_asked_for() {
    let text = "command = \"python train.py {flags}\"\ninclude_self = true\nparams.seed = [1, 2]\n[[experiment]]\nname = \"tune\"\nafter = \"train\"\n";
    let counts = |only| {
        plan_with(text, only, &[]).experiments.iter().map(|experiment| (experiment.name.clone(), experiment.count())).collect::<Vec<_>>()
    };
    assert_eq!(counts(None), [("train".into(), 2), ("tune".into(), 4)]);
    assert_eq!(counts(Some("train")), [("train".into(), 2)]);
    let other = plan_with("command = \"python train.py\"\n", None, &["command=python other.py"]);
    assert_eq!(other.experiments[0].name, "other");
    let refused = crate::malformed::refused_with(&text.replace("include_self = true\n", "name = \"train\"\n"), Some("train"), &[]);
    assert!(refused.contains("include_self = true"), "{refused}");
}

#[test]
fn commas_make_a_list_for_keys_that_take_lists() {
    let set = ["retry.on=crash,oom", "checkpoints.paths=a.pt,b.{x,y}", "sweep.zip=a,b", "environment.setup=export A=1,2", "name=x,y"];
    let plan = plan_with("command = \"t {flags}\"\nparams.a = [1, 2]\nparams.b = [1, 2]\n", None, &set);
    let settings = &plan.experiments[0].settings;
    assert_eq!((settings.retry.on.len(), plan.experiments[0].count(), plan.experiments[0].name.as_str()), (2, 2, "x,y"));
    assert_eq!(settings.checkpoints.paths, ["a.pt", "b.{x,y}"]);
    assert_eq!(settings.environment.setup, ["export A=1,2"]);
}
