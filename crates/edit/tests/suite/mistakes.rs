//! What cannot be set, and the whole message.

use crate::{changes, refused};
use neronet_edit::Format::{self, Ini, Json, Toml, Yaml};
use neronet_edit::{check, set};

const YAML: &str = include_str!("configs/hydra.yaml");
const DETECTOR: &str = include_str!("configs/detector.yaml");

/// Each change alone, with what is said of it.
fn each(format: Format, text: &str, pairs: &[(&str, &str)]) -> String {
    let lines = pairs.iter().map(|pair| format!("{} = {}\n  {}", pair.0, pair.1, refused(format, text, &[*pair])));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn paths_that_lead_nowhere() {
    let pairs = [
        ("optim.learning_rate", "1"),
        ("optim.lrr", "1"),
        ("lr", "1"),
        ("optm.lr", "1"),
        ("optim.schedule.warm_up", "1"),
        ("trainer.optim.lr", "1"),
        ("gamma", "1"),
        ("seed.x", "1"),
        ("callbacks.2.patience", "1"),
        ("callbacks.monitor", "1"),
        ("callbacks[-1].monitor", "1"),
        ("trainer.tags.0", "1"),
        ("optim[0]", "1"),
        ("\"optim.lr\"", "1"),
        ("nothing.of.the.kind", "1"),
    ];
    insta::assert_snapshot!(each(Yaml, YAML, &pairs));
}

#[test]
fn paths_that_are_none() {
    let paths = ["", ".", "a.", ".a", "a..b", "'a", "\"a", "\"a\"b", "\"\\q\".a", "a[0]b", "a[x]", &"a.".repeat(600)];
    let pairs: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "1")).collect();
    insta::assert_snapshot!(each(Yaml, "a: 1\n", &pairs));
}

#[test]
fn what_is_not_replaced() {
    let pairs = [("optim", "1"), ("optim", "[1]"), ("optim.betas", "0.9"), ("trainer.tags", "x"), ("callbacks.0", "1")];
    let yaml = each(Yaml, YAML, &pairs);
    let pairs = [
        ("model.backbone.norm_cfg", "1"),
        ("model.backbone.norm_cfg.type", "GN"),
        ("model.neck.type", "GN"),
        ("model.neck.<<", "1"),
        ("model.neck.<<.type", "GN"),
        ("depth_again", "1"),
        ("model.backbone.out_indices", "[1]"),
    ];
    let shared = each(Yaml, DETECTOR, &pairs);
    let odd = each(
        Yaml,
        "a: {b, c: 1}\nd: !!int 3\ne: !x\nf: [&y 1]\ng: *y\n? h\n",
        &[("a.b", "1"), ("d", "1"), ("e", "1"), ("f", "[1]"), ("h", "1")],
    );
    let tables =
        each(Toml, include_str!("configs/project.toml"), &[("tool.train.layers", "[1]"), ("tool", "1"), ("tool.train.schedule", "1")]);
    let ini = each(
        Ini,
        "[a]\nb\nc = # d\ne = #fff\nf = 1\n  g = 2\nh = \"x\"\n",
        &[("a", "1"), ("a.b", "1"), ("a.c", "1"), ("a.e", "1"), ("a.f", "1"), ("a.h", "\"y\""), ("a.g", "1")],
    );
    insta::assert_snapshot!([yaml, shared, odd, tables, ini].join("\n\n"));
}

#[test]
fn what_could_be_meant_in_two_ways() {
    let dots = "a.b:\n  c: 1\na:\n  b.c: 2\n";
    let cases = "[s]\nLR = 1\nlr = 2\nKey = 3\n";
    let both = "a.b: 1\na: {b: 2}\n";
    let texts = [
        each(Yaml, dots, &[("a.b.c", "3"), ("'a.b'.c", "3"), ("a.'b.c'", "3")]),
        each(Yaml, both, &[("a.b", "3"), ("\"a.b\"", "3")]),
        each(Ini, cases, &[("s.lr", "3"), ("s.LR", "3"), ("s.Lr", "3"), ("s.KEY", "4")]),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn the_same_place_twice() {
    let texts = [
        refused(Yaml, YAML, &[("optim.lr", "1"), ("seed", "1"), ("optim.'lr'", "2")]),
        refused(Yaml, YAML, &[("optim.betas.0", "1"), ("optim.betas", "[1]"), ("optim.betas[1]", "1")]),
        refused(Yaml, YAML, &[("optim.schedule.milestones[2]", "1"), ("optim.schedule.milestones", "[1]")]),
        refused(Yaml, "a:\n", &[("a", "1"), ("a", "1")]),
        refused(Ini, "a=\nb=\n", &[("a", "1"), ("b", "1"), ("A", "1")]),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn all_mistakes_come_at_once() {
    insta::assert_snapshot!(refused(Json, "{\"a\": 1,\n \"b\": [2]}", &[("a", "nan"), ("c", "1"), ("b", "1"), ("a", "3"), ("a..b", "1")]));
    let both = changes(&[("c", "1"), ("a", "2")]);
    let paths: Vec<String> = both.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(set("{\"a\": 1}", Json, &both).err(), check("{\"a\": 1}", Json, &paths).err());
}

#[test]
fn files_that_cannot_be_read() {
    let files = [
        (Yaml, "a: 1\nb: [1\n"),
        (Yaml, "a: 1\n\tb: 2\n"),
        (Yaml, "a:\n\t- 1\n"),
        (Yaml, "a: 1\n---\na: 2\n"),
        (Yaml, "a: 1\nb: 2\na: 3\n"),
        (Yaml, "a: b: c\n"),
        (Yaml, "? [a]\n: 1\n"),
        (Yaml, "a: *b\n"),
        (Yaml, "a: \"x\n"),
        (Yaml, "- 1\n"),
        (Yaml, "just a text\n"),
        (Yaml, ""),
        (Yaml, "# nothing\n"),
        (Json, ""),
        (Json, "{"),
        (Json, "{\"a\": 1 \"b\": 2}"),
        (Json, "{\"a\": 1, \"\\u0061\": 2}"),
        (Json, "{a: 1}"),
        (Json, "{\"a\": 01}"),
        (Json, "{\"a\": +1}"),
        (Json, "{\"a\": 1.}"),
        (Json, "{\"a\": True}"),
        (Json, "{\"a\": 'x'}"),
        (Json, "{\"a\": \"x\ny\"}"),
        (Json, "{\"a\": \"\\q\"}"),
        (Json, "{\"a\": 1} x"),
        (Json, "{\"a\": 1,,}"),
        (Json, "{\"a\": 1 /* x }"),
        (Json, "[1]"),
        (Toml, "a = \n"),
        (Toml, "a = 1\na = 2\n"),
        (Toml, "[a\n"),
        (Ini, "[a\n"),
        (Ini, "[]\n"),
        (Ini, "[a] b\n"),
        (Ini, "= 1\n"),
        (Ini, "a = 1\n[b]\nc = 1\nc = 2\n"),
        (Ini, "[b]\nc = 1\n[b]\n"),
        (Ini, "b = 1\n[b]\n"),
        (Ini, "a = 1\rb = 2\n"),
    ];
    let lines = files.map(|(format, text)| format!("{format:?} {text:?}\n  {}", refused(format, text, &[("x", "1")])));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_would_break_the_rest_of_a_file() {
    let inside = "base: &b\n  - 1\nother: [*b]\nx: {y: [*b]}\n";
    insta::assert_snapshot!(each(Yaml, inside, &[("base", "[2]"), ("other", "[2]"), ("other.0", "2"), ("other.0.0", "2"), ("x.y", "[2]")]));
}
