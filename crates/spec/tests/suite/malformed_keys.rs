//! What people get wrong in the tables of a specification, and the whole message that they read.

use crate::malformed::refused;
use neronet_spec::parse;

/// The warnings of a specification that is otherwise good.
fn warnings(text: &str) -> String {
    let plan = parse(text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_secret_in_the_file_is_not_repeated() {
    let text = "command = \"t\"\n[secrets]\nWANDB_API_KEY = \"0123456789abcdef\"\nOTHER = 123456789\n";
    insta::assert_snapshot!(refused(text));
    for text in [
        "command = \"t\"\n[secrets]\nKEY = \"hunter22\"\n",
        "command = \"t\"\nsecrets = { KEY = \"hunter22\", X = 3 }\n",
        "command = \"t\"\nsecrets.KEY = \"hunter22\"\n",
        "command = \"t\"\n[secrets]\nKEY = hunter22\n",
        "command = \"t\"\n[secrets]\nKEY = \"hunter22\n",
        "command = \"t\"\n[secrets]\nKEY = 'env' hunter22\n",
        "command = \"t\"\n[secrets]\nKEY = thunter22\n",
        "command = \"t\"\n[secrets]\nKEY: hunter22\n",
        "command = \"t\"\n[secrets]\nKEY = [\"hunter22\"]\n",
        "command = \"t\"\n[secrets]\n\"A-B\" = \"hunter22\"\n",
        "command = \"t\"\n[[experiment]]\nname = \"a\"\n[experiment.secrets]\nKEY = \"hunter22\"\n",
        "command = \"t\"\n[on.gpu1.secrets]\nKEY = \"env: hunter22\"\n",
    ] {
        let said = refused(text);
        assert!(!said.contains("hunter22") && said.starts_with("error"), "{text}\n{said}");
    }
    let set = parse("command = \"t\"\n", "neronet.toml", None, &["secrets.KEY=hunter22".to_string()]).expect_err("refused").to_string();
    assert!(!set.contains("hunter22"), "{set}");
    let far = refused(&format!("command = \"t\"\n[secrets]\n{}KEY = hunter22\n", "# a long way down\n".repeat(5000)));
    assert!(!far.contains("hunter22") && far.starts_with("error"), "{far}");
}

#[test]
fn secrets_without_a_source() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[secrets]
A = "environment"
B = "env:NOT-A-NAME"
C = "file:"
D = "command: "
NERONET_KEY = "env"
"1X" = "env"
"#
    ));
}

#[test]
fn a_secret_that_is_a_variable_too() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[env]
TOKEN = "x"
[secrets]
TOKEN = "env"
"#
    ));
}

#[test]
fn an_input_without_a_path() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[inputs.cifar]
needs = "3 GB"
"#
    ));
}

#[test]
fn inputs_that_need_nonsense() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[inputs.a]
path = "data"
needs = "much"
[inputs.b]
path = "data"
needs = "0 files"
fingerprint = "hsah"
[inputs.c]
path = "data"
needs = 3
"#
    ));
}

#[test]
fn files_outside_of_their_input() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[inputs.a]
path = "data"
files = ["train.bin", "../test.bin", "/etc/passwd"]
"#
    ));
}

#[test]
fn names_and_paths_that_no_input_has() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[inputs."my set"]
path = "data"
[inputs.a]
path = "$DATA/sets"
[inputs.b]
path = "{run.dir}/x"
[inputs]
c = "data"
"#
    ));
}

#[test]
fn an_input_that_is_not_there() {
    insta::assert_snapshot!(refused(
        r#"command = "t {inputs.cifer} {inputs.cifar}"
[env]
X = "{inputs.mnist}"
[inputs.cifar]
path = "{target.data}/cifar"
"#
    ));
}

#[test]
fn steps_without_a_command_or_a_name_of_their_own() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[then]]
name = "evaluate"
[[then]]
command = "python eval.py {checkpoint}"
[[then]]
command = ["python", "eval.py", "{checkpoint.best}", "{nope}"]
[[then]]
name = "a b"
command = "t"
"#
    ));
}

#[test]
fn a_placeholder_in_a_build() {
    insta::assert_snapshot!(refused(
        r#"command = "t {flags}"
params.lr = 1
[code]
build = "make LR={lr} OUT={run.dir} && awk '{print}' x"
"#
    ));
}

#[test]
fn a_build_with_an_open_quote() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[code]
build = "make CFLAGS='-O2"
"#
    ));
}

#[test]
fn outputs_that_lead_out() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[outputs]
keep = ["*.png", "/tmp/*.png", "../x", "a[", "{a,..}/b"]
max = "much"
"#
    ));
}

#[test]
fn sizes_without_a_unit() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[resources]
memory = 16
gpu_memory = "6"
disk = "0 GB"
[outputs]
max = "5 parsecs"
"#
    ));
}

#[test]
fn numbers_of_gpus_that_are_none() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[resources]
gpus = -1
[[experiment]]
name = "a"
resources.gpus = "8-2"
[[experiment]]
name = "b"
resources.gpus = 1.5
[[experiment]]
name = "c"
resources.gpus = "al"
[[experiment]]
name = "d"
resources.gpus = "worlds * 2"
params.world = 2
[[experiment]]
name = "e"
resources.gpus = [0, 1]
[[experiment]]
name = "f"
resources.gpus = "0-4"
[[experiment]]
name = "g"
resources.gpus = "$(nproc)"
[[experiment]]
name = "h"
resources.gpus = "world / 2"
params.world = [2, 3]
"#
    ));
}

#[test]
fn no_processors_and_too_many() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[resources]
cpus = 0
gpus = 99999999999
slot = "soon"
"#
    ));
}

#[test]
fn the_number_of_gpus_where_nobody_says_it() {
    insta::assert_snapshot!(refused("command = \"torchrun --nproc_per_node {run.gpus} t.py\"\n"));
}

#[test]
fn a_checkpoint_of_another_experiment() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[experiment]]
name = "tune"
command = "t --init {cifar.checkpoint.best} {3d-unet.v2.checkpoint}"
after = "3d-unet.v2"
[[experiment]]
name = "free"
command = "t --init {cifar.checkpoint}"
"#
    ));
}

#[test]
fn stages_that_match_nothing() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[experiment]]
name = "a"
match = "best"
[[experiment]]
name = "b"
after = "b"
[[experiment]]
name = "c"
after = "a"
match = "seed"
[[experiment]]
name = "d"
after = "a"
match = []
[[experiment]]
name = "e"
after = ["a"]
[[experiment]]
name = "f"
after = "a b"
match = ["x y"]
"#
    ));
}

#[test]
fn a_stage_at_the_top() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
after = "cifar"
id = "x"
"#
    ));
}

#[test]
fn retries_of_nothing() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[retry]
times = -1
on = ["crash", "oops", "omm"]
"#
    ));
}

#[test]
fn wishes_that_nobody_can_grant() {
    let sweep = |moment: &str| format!("command = \"t\"\n[sweep]\nnot_before = {moment}\n");
    let moments =
        ["\"2h\"", "\"25:00\"", "\"2026-02-29 22:00\"", "\"2026-11-23T22:00:00Z\"", "22", "\"in a while\"", "\"22:00:\"", "\"tomorrow\""];
    let text = r#"command = "t"
[sweep]
priority = "high"
gpu_hours = 0
hold_after = 0
[resources]
named = { matlab = 0, "a b" = 1, cplex = "two" }
"#;
    let more = "command = \"t\"\n[sweep]\npriority = 1.5\ngpu_hours = \"10h\"\nhold_afer = 1\n[resources]\nnamed = \"matlab\"\n";
    let moments: Vec<String> = moments.iter().map(|moment| refused(&sweep(moment))).collect();
    insta::assert_snapshot!([refused(text), refused(more), moments.join("\n")].join("\n"));
}

#[test]
fn retries_with_less_that_go_wrong() {
    let names = r#"command = "t {flags}"
[params]
batch_size = [64, 32]
opt = "sgd"
optim.steps = 4
[retry]
times = 1
backoff = "soon"
on_oom = { batchsize = "batch_size / 2", batch_size = "batch_siz // 2", opt = "opt / 2", optim.steps = "str(batch_size)" }
"#;
    let unread = "command = \"t {flags}\"\nparams.batch_size = 4\n[retry]\ntimes = 1\non_oom = { batch_size = \"batch_size /\" }\n";
    let never = "command = \"t {flags}\"\nparams.a = 4\n[retry]\non_oom = { a = \"a / 2\" }\n";
    let other = "command = \"t {flags}\"\nparams.a = 4\n[retry]\ntimes = 1\non = \"crash\"\non_oom = { a = [2, 1] }\n";
    let excluded = "command = \"t {flags}\"\nparams.a = 4\n[retry]\ntimes = 1\non = \"crash\"\non_oom = { a = \"a / 2\" }\n";
    let text = "command = \"t\"\n[retry]\ntimes = 1\non_oom = \"batch_size / 2\"\n";
    insta::assert_snapshot!([names, unread, never, other, excluded, text].map(refused).join("\n"));
}

#[test]
fn mails_to_nobody() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[notify]
email = ["me", "me@example.org", "a b@c"]
on = "finnished"
"#
    ));
}

#[test]
fn rules_without_a_condition_or_an_action() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[rule]]
do = "stop"
[[rule]]
when = "loss > 3"
[[rule]]
when = ""
do = "stpo"
[[rule]]
after = "10 min"
for = "3 weeks ago"
do = "notify"
"#
    ));
}

#[test]
fn targets_that_are_none() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
target = ["gpu", "gpu", "a b", 3]
"#
    ));
}

#[test]
fn what_is_the_same_on_every_target() {
    insta::assert_snapshot!(refused(
        r#"command = "t {flags}"
params.lr = 1
[on.triton]
params.lr = 2
name = "x"
environment.setpu = ["module load cuda"]
[on.gpu1]
code.link = [3]
command = "t {nope}"
[on]
gpu2 = "x"
"#
    ));
}

#[test]
fn checkpoints_and_signals() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[checkpoints]
fetch = "bset"
signal = "USR3"
[metrics]
tensorboard = ["runs/["]
[stop]
before = 0
"#
    ));
}

#[test]
fn keys_in_the_wrong_table() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[resources]
times = 2
fingerprint = "hash"
[inputs.a]
pth = "x"
path = "x"
[[rule]]
if = "loss > 3"
when = "loss > 3"
do = "stop"
[stop]
email = "me@example.org"
"#
    ));
}

#[test]
fn what_is_honoured_later_is_said_once_for_each_table() {
    insta::assert_snapshot!(warnings(
        r#"command = "t"
target = "gpu"
[resources]
cpus = 4
gpus = 1
memory = "16 GB"
time = "1h"
slot = "2h"
[retry]
times = 2
[notify]
email = "me@example.org"
[[rule]]
when = "loss > 3"
do = "stop"
[[rule]]
when = "loss > 4"
do = "stop"
[on.gpu1]
environment.setup = ["module load cuda"]
[[experiment]]
name = "a"
[[experiment]]
name = "b"
after = "a"
match = "best"
"#
    ));
    assert_eq!(warnings("command = \"t\"\n[secrets]\nA = \"env\"\n[code]\nbuild = \"make\"\n"), "");
}

#[test]
fn memory_of_gpus_that_are_hidden() {
    insta::assert_snapshot!(warnings("command = \"t\"\n[resources]\ngpus = 0\ngpu_memory = \"6 GB\"\n"));
}

#[test]
fn parameters_that_only_a_file_a_step_or_an_input_uses() {
    for beside in [
        "[[then]]\ncommand = \"e {lr}\"\n",
        "[inputs.a]\npath = \"data/{lr}\"\n",
        "[[file]]\ntemplate = \"a.in\"\nto = \"a\"\n",
        "[[file]]\nedit = \"a.yaml\"\nset = { x = [1, \"{lr}\"] }\n",
        "[on.gpu1]\ncommand = \"t {lr}\"\n",
    ] {
        let said = warnings(&format!("command = \"t\"\nparams.lr = 1\n{beside}"));
        assert!(!said.contains("used nowhere"), "{beside}: {said}");
    }
}

#[test]
fn a_placeholder_where_none_is_filled_in() {
    insta::assert_snapshot!(refused(
        r#"command = "t {flags}"
params.seed = [1, 2]
[environment]
setup = ["export CACHE=/tmp/{seed}", "awk '{print}' x", "echo ${seed} {other}", "f() { echo {run.dir}; } # {seed}"]
[checkpoints]
paths = ["ckpt-{seed}/*.{pt,ckpt}", "ckpt/{seed}*.pt"]
[metrics]
files = ["{seed}.csv", "{a,b}.csv"]
[outputs]
keep = "{run.id}/*.png"
[code]
link = ["data-{seed}"]
[[file]]
template = "in.txt"
to = "out-{seed}.txt"
"#
    ));
}
