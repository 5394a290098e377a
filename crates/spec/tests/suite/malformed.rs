//! What people get wrong, and the whole message that they read.

use neronet_spec::{Problems, parse};

/// The message for a text that must be refused.
pub(crate) fn refused(text: &str) -> String {
    match parse(text, "neronet.toml", None, &[]) {
        Err(problems) => problems.to_string(),
        Ok(plan) => format!("ACCEPTED {plan:#?}"),
    }
}

pub(crate) fn refused_with(text: &str, only: Option<&str>, set: &[&str]) -> String {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    match parse(text, "neronet.toml", only, &set) {
        Err(Problems(problems)) => Problems(problems).to_string(),
        Ok(plan) => format!("ACCEPTED {plan:#?}"),
    }
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(refused(""));
}

#[test]
fn comments_only() {
    insta::assert_snapshot!(refused(
        r#"# soon

"#
    ));
}

#[test]
fn a_text_without_quotes() {
    insta::assert_snapshot!(refused(
        r#"command = python train.py
name = "x"
"#
    ));
}

#[test]
fn a_bare_key_with_other_letters() {
    insta::assert_snapshot!(refused("command = \"t {flags}\"\nparams.größe = 3\nüber.lr = 1\n"));
}

#[test]
fn a_duplicate_key() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[params]
lr = 1
wd = 2
lr = 0.1
"#
    ));
}

#[test]
fn a_duplicate_table() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[params]
lr = 1

[params]
wd = 2
"#
    ));
}

#[test]
fn a_colon_for_an_equals_sign() {
    insta::assert_snapshot!(refused(
        r#"command: "true"
"#
    ));
}

#[test]
fn a_file_cut_off_in_a_list() {
    insta::assert_snapshot!(refused(
        r#"command = "python t.py {flags}"
[params]
lr = [0.1, 0.0"#
    ));
}

#[test]
fn a_file_cut_off_in_a_string() {
    insta::assert_snapshot!(refused(r#"command = "python t.p"#));
}

#[test]
fn a_file_cut_off_after_a_key() {
    insta::assert_snapshot!(refused("command ="));
}

#[test]
fn python_booleans_and_odd_numbers() {
    insta::assert_snapshot!(refused(
        r#"command = "true {flags}"
[params]
a = True
b = .5
c = 007
d = 0,1
"#
    ));
}

#[test]
fn windows_paths_in_double_quotes() {
    insta::assert_snapshot!(refused(
        r#"command = "C:\python\train.py"
"#
    ));
}

#[test]
fn binary() {
    insta::assert_snapshot!(refused("command = \"true\"\n\u{0}\u{1}\u{2}"));
}

#[test]
fn an_unknown_key_near_a_known_one() {
    insta::assert_snapshot!(refused(
        r#"command = "true"

[resources]
gpu = 1
"#
    ));
}

#[test]
fn unknown_keys_far_from_all() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
lr = 0.1
time = "1h"
[resource]
time = "1h"
[sweep]
zebra = 1
command = 3
"#
    ));
}

#[test]
fn what_keep_may_not_delete() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[checkpoints]
paths = ["/data/*.pt", "../ckpt/*.pt", "{a,..}/x", "work/sets/best.pt", "./ckpt/*.pt", "shared/x/*", "*.pt"]
keep = { last = 1 }
[code]
directory = "sub"
link = ["sub/work/sets/", "/mnt/data", "../up"]
[[experiment]]
name = "below"
[[experiment]]
name = "absolute"
code.directory = "."
code.link = ["/mnt/shared", "ckpt"]
"#
    ));
}

#[test]
fn a_slip_in_keep_is_told_once() {
    insta::assert_snapshot!(refused("command = \"true\"\n[checkpoints]\nkeep = { best = -1, lst = 2 }\n"));
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(refused(
        r#"command = 3
name = true
objective = 3
resources = "1h"
[sweep]
parallel = "two"
[code]
in_place = "yes"
link = 3
[environment]
setup = [1]
[flags]
bool = "swich"
list = []
[env]
X = [1]
"#
    ));
}

#[test]
fn known_but_later() {
    insta::assert_snapshot!(refused(
        r#"command = "true {flags}"
target = "gpu"
[params]
wd = { log_uniform = [1e-6, 1e-2] }
seed = { repeat = 5 }
h = { derive = "lr * 4" }
[sweep]
zip = [["a"]]
[secrets]
KEY = "env"
[resources]
gpus = 1
[code]
build = "make"
[[then]]
command = "x"
"#
    ));
}

#[test]
fn experiments_without_or_with_the_same_name() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[[experiment]]
params.x = 1
[[experiment]]
name = "a"
[[experiment]]
name = "a"
project = "p"
[[experiment]]
name = "40-50"
"#
    ));
}

#[test]
fn an_experiment_in_single_brackets() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[experiment]
name = "a"
"#
    ));
}

#[test]
fn an_experiment_without_a_command() {
    insta::assert_snapshot!(refused(
        r#"[params]
lr = 1
[[experiment]]
name = "a"
"#
    ));
}

#[test]
fn bad_durations() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[resources]
time = "5 parsecs"
[stop]
grace = true
signal = "SIGTREM"
"#
    ));
}

#[test]
fn no_time_at_all_and_no_run_at_a_time() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[resources]
time = 0
[sweep]
parallel = 0
"#
    ));
}

#[test]
fn bad_patterns() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[metrics]
patterns = ['Loss: (?<loss>\S+', 'Acc: (\S+)']
files = ["a["]
[checkpoints]
keep = { best = 0, lst = 2 }
"#
    ));
}

#[test]
fn bad_objectives() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
objective = ["val_acc", "acc max", "acc min"]
"#
    ));
}

#[test]
fn bad_folders() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[code]
directory = "../elsewhere"
link = ["~/data"]
[environment]
python = "$HOME/venv"
shell = "fish"
"#
    ));
}

#[test]
fn bad_parameters() {
    insta::assert_snapshot!(refused(
        r#"command = "true {flags}"
[params]
empty = []
"batch size" = 3
big = 99999999999999999999
huge = 1e999
x = [1, { a = 2 }]
a.b = 1
"a.b" = 2
"#
    ));
}

#[test]
fn too_many_runs() {
    let values: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let axes: String = (0..7).map(|n| format!("p{n} = [{}]\n", values.join(", "))).collect();
    insta::assert_snapshot!(refused(&format!("command = \"true {{flags}}\"\n[params]\n{axes}")));
}

#[test]
fn control_characters_and_a_long_line() {
    let long = "x".repeat(200);
    let text = format!("command = \"true\"\nname = \"{long}\"\nproject = \"a\\u001b[31m\"\n\"\\u001bz\" = 1\n");
    insta::assert_snapshot!(refused(&text));
}

#[test]
fn an_experiment_that_is_not_there() {
    insta::assert_snapshot!(refused_with(
        r#"command = "true"
[[experiment]]
name = "wide"
[[experiment]]
name = "deep"
"#,
        Some("wdie"),
        &[]
    ));
}

#[test]
fn bad_set() {
    insta::assert_snapshot!(refused_with(
        r#"command = "true {lr}"
[params]
lr = 0.1
"#,
        None,
        &["rl=1", "lr", "resources.tim=1h", "resources.time=soon", "lr=1,,2", "lr=2", "sweep.parallel=many", "params.x=[1,", "=3"]
    ));
}

#[test]
fn a_file_that_is_not_there() {
    let missing = neronet_spec::load(std::path::Path::new("no/such.toml"), None, &[]).expect_err("there is none");
    insta::assert_snapshot!(missing);
}

#[test]
fn files_that_are_no_text_or_too_large() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |bytes: &[u8]| {
        let path = folder.path().join("neronet.toml");
        std::fs::write(&path, bytes).expect("written");
        let problems = neronet_spec::load(&path, None, &[]).expect_err("refused");
        problems.to_string().replace(&folder.path().display().to_string(), "FOLDER")
    };
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("command".bytes().flat_map(|byte| [byte, 0])).collect();
    insta::assert_snapshot!(message(&utf16), @r"
    error: FOLDER/neronet.toml: this is no text in UTF-8 (first on line 1)
     = it looks like UTF-16: save it as UTF-8
    ");
    insta::assert_snapshot!(message(b"command = 'a'\nname = '\xe9'\n"), @r"
    error: FOLDER/neronet.toml: this is no text in UTF-8 (first on line 2)
     = a specification is a TOML or YAML file in UTF-8
    ");
    insta::assert_snapshot!(message(&vec![b'#'; (16 << 20) + 1]), @r"
    error: FOLDER/neronet.toml: it is larger than 16 MB, so it is no specification
     = values that are many belong in a file that the script reads
    ");
    let is_folder = neronet_spec::load(folder.path(), None, &[]).expect_err("refused").to_string();
    assert!(is_folder.contains("this is a folder"), "{is_folder}");
}

#[test]
fn a_misspelt_way_to_give_values_is_no_parameter() {
    insta::assert_snapshot!(refused(
        r#"command = "true {flags}"
[params]
lr = { loguniform = [0.1, 1] }
wd = { vlaue = [1, 2] }
a = { values = [1, 2] }
b = { min = 0, max = 1 }
c = { range = [0, 1] }
optim.d = { choises = ["x"] }
"#
    ));
}

#[test]
fn a_sub_table_with_a_value_alone_is_told() {
    let warned = |params: &str| {
        let text = format!("command = \"t {{flags}}\"\n{params}");
        let plan = neronet_spec::parse(&text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(warned("[params.betas]\nvalue = [0.9, 0.999]\n"));
    for params in ["params.m.value = 6\n", "[params.m]\nvalue = 6\nother = 7\n", "[params.m]\nlr = 1\n", "params.m = { schedule = 1 }\n"] {
        assert_eq!(warned(params), "", "{params}");
    }
}
