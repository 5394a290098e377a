//! Specifications in YAML, and files that include others.

use crate::reading::{grid_of, lines};
use neronet_spec::{Plan, load, parse, recorded};
use std::fs;
use std::path::Path;

fn yaml(text: &str) -> Plan {
    parse(text, "neronet.yaml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn yaml_has_the_same_keys_and_what_is_written_is_what_the_command_gets() {
    let text = r#"
# soon
name: cifar
command: >
  python train.py
  {flags}
objective: [val_acc max]
params: &shared
  a: no
  b: 1e3
  c: 007
  d: 2024-01-01
  e: 'yes'
  f: [on, 0.10, ~]
  optim:
    lr: 1.0e-3
    momentum: .9
  betas: {value: [0.9, 0.999]}
  wd:
    choice: [0]
sweep: {samples: 1}
resources:
  time: 1-12:00:00
env:
  OMP_NUM_THREADS: 4
  MODE: off
"#;
    let plan = yaml(text);
    let experiment = &plan.experiments[0];
    assert_eq!(experiment.name, "cifar");
    let rest = "optim.lr=1.0e-3 optim.momentum=.9 betas=[0.9, 0.999] wd=0";
    let of = |f: &str| format!("a=no b=1e3 c=007 d=2024-01-01 e=yes f={f} {rest}");
    assert_eq!(lines(&plan, 0), [of("on"), of("0.10"), of("~")]);
    assert_eq!(experiment.settings.env, [("OMP_NUM_THREADS".into(), "4".into()), ("MODE".into(), "off".into())]);
    assert_eq!(experiment.settings.time_limit.map(|limit| limit.0), Some(36 * 3_600_000));
}

#[test]
fn words_without_quotes_keep_their_text_and_have_a_meaning() {
    let text = "command: t {flags}\nparams:\n  amp: [True, False]\n  id: 1_000\n  k: .5\n  quoted: 'True'\nsweep:\n  only_if:\n";
    let conditions = ["amp == True", "not (amp == false)", "id == 1000", "id == '1_000'", "k < 1", "quoted == 'True'", "amp in [True]"];
    let conditions = [&conditions[..], &["quoted != True", "not (quoted in [True])", "id in [1000]", "not ([k] != [0.5])"]].concat();
    let list: String = conditions.iter().map(|one| format!("  - {one}\n")).collect();
    assert_eq!(lines(&yaml(&format!("{text}{list}")), 0), ["amp=True id=1_000 k=.5 quoted=True"]);
    let shown = |flags: &str, set: &[&str]| {
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        let plan = parse(&format!("command = \"t {{flags}}\"\nparams.on = 1\nparams.k = 0xff\n{flags}"), "neronet.toml", None, &set);
        let experiment = plan.unwrap_or_else(|problems| panic!("{problems}")).experiments.remove(0);
        let context = neronet_spec::render::Context::of(neronet_model::RunId(1), "/");
        let of = |params| {
            let mode = neronet_spec::render::Mode::First;
            neronet_spec::render::command(&experiment.settings, &params, &context, mode, "sh").expect("a command").shown
        };
        experiment.runs().map(of).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(shown("", &["on=True,False", "k=.5"]), "t --on --k .5; t --k .5");
    assert_eq!(shown("flags.bool = \"value\"\n", &["on=True,False"]), "t --on True --k 0xff; t --on False --k 0xff");
    assert_eq!(
        shown("params.n = { derive = \"k + 1\" }\nparams.m = { int_uniform = [0x1, 0b10] }\nsweep.samples = 1\n", &["on='True'"]),
        "t --on True --k 0xff --n 256 --m 1"
    );
}

#[test]
fn keys_of_the_language_take_words_without_quotes_too() {
    let text = "command: t {flags}\nparams: {a: {repeat: 0x2}}\nflags: {dashes: True}\nsweep: {parallel: +2}\ncode: {in_place: False}\ncheckpoints: {paths: x, keep: {last: 0x3}}\n";
    let plan = yaml(text);
    let experiment = &plan.experiments[0];
    assert_eq!((experiment.count(), experiment.parallel), (2, Some(2)));
    assert!(experiment.settings.flags.dashes && !experiment.settings.code.in_place);
}

#[test]
fn tables_of_parameters_may_have_any_names() {
    let text = "command: t {flags}\nparams:\n  clip: {value: 1.0, norm: 2.0}\n  init: {normal: 0.02, bias: 0}\n  aug: {choice: random, repeat: 3, n: 2}\n  none: {}\n";
    let plan = yaml(text);
    assert_eq!(lines(&plan, 0), ["clip.value=1.0 clip.norm=2.0 init.normal=0.02 init.bias=0 aug.choice=random aug.repeat=3 aug.n=2"]);
    let warned = plan.warnings.iter().map(ToString::to_string).collect::<String>();
    insta::assert_snapshot!(warned);
    let refused = [
        "lr: {uniform: [0, 1], bias: 0}",
        "lr: {log: True, uniform: 3}",
        "lr: {repeat: 3, x: 1}",
        "lr: {min: 0, max: 1}",
        "lr: {repeat: x}",
    ];
    let said = refused.map(|param| {
        let text = format!("command: t {{flags}}\nparams:\n  {param}\n");
        parse(&text, "neronet.yaml", None, &[]).expect_err("refused").to_string()
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn anchors_aliases_and_merge_keys() {
    let text = "command: t {flags}\nparams: &base\n  lr: [1, 2]\n  wd: 0\nexperiment:\n- name: a\n- name: b\n  params:\n    <<: *base\n    wd: 3\n";
    let plan = yaml(text);
    assert_eq!(lines(&plan, 0), ["lr=1 wd=0", "lr=2 wd=0"]);
    assert_eq!(lines(&plan, 1), ["lr=1 wd=3", "lr=2 wd=3"]);
    let apart = yaml("x-base: &base\n  lr: [1, 2]\n.other: &other {wd: 3}\ncommand: t {flags}\nparams:\n  <<: [*base, *other]\n");
    assert_eq!(lines(&apart, 0), ["lr=1 wd=3", "lr=2 wd=3"]);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let text = "command: t {flags}\nparams:\n  lr: [1, 2]\n";
    for other in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        assert_eq!(lines(&yaml(&other), 0), ["lr=1", "lr=2"]);
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

#[test]
fn a_file_wins_over_what_it_includes_and_both_are_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[
            ("lab/exp.toml", "include = [\"../base.toml\", \"more.yaml\"]\n[params]\nlr = 0.5\nnew = 1\n"),
            ("base.toml", "include = \"deep/least.toml\"\ncommand = \"t {flags}\"\n[params]\nlr = [1, 2]\nwd = 0\n"),
            ("deep/least.toml", "[params]\nfirst = 0\nwd = 9\n"),
            ("lab/more.yaml", "include: ../base.toml\nparams: {wd: 7}\n"),
        ],
    );
    let path = folder.path().join("lab/exp.toml");
    let plan = load(&path, None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(lines(&plan, 0), ["first=0 wd=7 lr=0.5 new=1"]);
    let source = plan.source.expect("kept");
    assert_eq!(source.included.len(), 3);
    fs::remove_dir_all(folder.path()).expect("removed");
    let again = recorded(&source, None, &["lr=3".to_string()]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(lines(&again, 0), ["first=0 wd=7 lr=3 new=1"]);
}

fn refused(folder: &Path, name: &str) -> String {
    match load(&folder.join(name), None, &[]) {
        Err(problems) => problems.to_string().replace(&folder.display().to_string(), "HERE"),
        Ok(plan) => format!("ACCEPTED {plan:#?}"),
    }
}

#[test]
fn includes_that_go_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[
            ("circle.toml", "command = \"t\"\ninclude = [\"a/b.toml\"]\n"),
            ("a/b.toml", "include = [\"../circle.toml\"]\n"),
            ("self.toml", "include = \"self.toml\"\n"),
            ("missing.toml", "command = \"t\"\ninclude = [\"nowhere.toml\"]\n"),
            ("folder.toml", "command = \"t\"\ninclude = [\"a\"]\n"),
            ("wrong.toml", "command = \"t {flags}\"\ninclude = [\"inner.toml\"]\n"),
            ("inner.toml", "[params]\nlr = ]\n"),
            ("late.toml", "command = \"t {flags}\"\ninclude = [\"key.toml\"]\n"),
            ("key.toml", "\n\n[resorces]\ntime = 3\n"),
            ("number.toml", "command = \"t\"\ninclude = 3\n"),
        ],
    );
    let names = ["circle", "self", "missing", "folder", "wrong", "late", "number"];
    let said: Vec<String> = names.iter().map(|name| refused(folder.path(), &format!("{name}.toml"))).collect();
    let said = said.join("\n\n");
    insta::assert_snapshot!(said);
}

fn refused_yaml(text: &str) -> String {
    match parse(text, "neronet.yaml", None, &[]) {
        Err(problems) => problems.to_string(),
        Ok(plan) => format!("ACCEPTED {plan:#?}"),
    }
}

#[test]
fn yaml_that_goes_wrong() {
    let bomb: String = (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    let cases = [
        ("a tab", "command: t\nparams:\n\tlr: 1\n".to_string()),
        ("an equals sign", "command = t\n".into()),
        ("a duplicate key", "command: t\nparams:\n  lr: 1\n  lr: 2\n".into()),
        ("a list at the top", "- command: t\n".into()),
        ("a text", "train\n".into()),
        ("a colon in a text", "command: echo a: b\n".into()),
        ("an unclosed list", "command: t {flags}\nparams:\n  lr: [1, 2\n".into()),
        ("an unclosed quote", "command: \"t {flags}\n".into()),
        ("two documents", "command: t\n---\ncommand: u\n".into()),
        ("an object of Python", "command: !!python/object/apply:os.system [ls]\n".into()),
        ("an unknown alias", "command: t {flags}\nparams: *base\n".into()),
        ("an alias of itself", "command: t {flags}\nparams: &base\n  inner: *base\n".into()),
        ("a bomb", format!("a0: &a0 x\n{bomb}command: t\n")),
        ("a flag brace", "command: t\nparams: {lr: {uniform: [1]}}\n".into()),
        ("a placeholder in a block", "command: |\n  cd x\n  python train.py {lrr}\nparams:\n  lr: 1\n".into()),
        ("a placeholder without quotes", "command: {flags}\n".into()),
        ("an unknown key", "command: t\nresources:\n  tiem: 1h\n".into()),
        ("deep", format!("command: t\nparams: {}1{}\n", "[".repeat(60), "]".repeat(60))),
        ("a complex key", "command: t\n? [a, b]\n: 3\n".into()),
        ("nothing", "".into()),
        ("a list for parameters", "command: t {flags}\nparams:\n- lr: 1\n".into()),
        ("no blank", "command: t {flags}\nparams:\n  lr:0.1\n".into()),
        ("no blank in the first of two", "command: t {flags}\nparams:\n  lr:0.1\n  wd: 1\n".into()),
        ("no blank at all", "command:t\n".into()),
        ("nothing below", "command: t\nexperiment:\n".into()),
        ("an input that is a text", "command: t\ninputs:\n  cifar: data\n".into()),
        ("a place for an anchor", "command: t {flags}\nbase: &b\n  lr: 1\nparams: *b\n".into()),
    ];
    let said: Vec<String> = cases.iter().map(|(what, text)| format!("== {what}\n{}", refused_yaml(text))).collect();
    let said = said.join("\n\n");
    insta::assert_snapshot!(said);
}

#[test]
fn the_same_grid_in_both_languages() {
    let toml = "command = \"t {flags}\"\n[params]\nlr = [0.1, 1e-2]\nseed = { repeat = 2 }\nx = { derive = \"lr * 2\" }\n[sweep]\nonly_if = \"lr < 1\"\n";
    let yaml = "command: t {flags}\nparams:\n  lr: [0.1, 1e-2]\n  seed:\n    repeat: 2\n  x: {derive: lr * 2}\nsweep:\n  only_if: lr < 1\n";
    assert_eq!(grid_of(toml, "neronet.toml"), grid_of(yaml, "neronet.yml"));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("neronet.toml", "command = \"t\"\ninclude = \"pipe.toml\"\n")]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.toml")).status();
    assert!(made.expect("mkfifo").success());
    let refused = load(&folder.path().join("neronet.toml"), None, &[]).expect_err("a pipe").to_string();
    assert!(refused.contains("cannot be included: it is no regular file"), "{refused}");
}
