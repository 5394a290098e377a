//! Files made to cost time, memory or stack.

use crate::{edited, refused};
use neronet_edit::Format::{Ini, Json, Toml, Yaml};
use neronet_edit::set;
use neronet_model::Value;

#[test]
fn what_is_too_large_is_refused() {
    for format in [Yaml, Json, Toml, Ini] {
        let long = " ".repeat((16 << 20) + 1);
        assert_eq!(refused(format, &long, &[("a", "1")]), "it is larger than 16 MB, so it is no configuration file");
        let many = "[1,".repeat(1 << 20);
        assert!(refused(format, &many, &[("a", "1")]).contains("more than 200000 values"));
    }
}

#[test]
fn deep_nests_are_refused() {
    for (format, open) in
        [(Json, "["), (Json, "{\"a\":"), (Yaml, "["), (Yaml, "{a: "), (Yaml, "- "), (Yaml, "? "), (Toml, "a=["), (Toml, "a={a=")]
    {
        let text = open.repeat(50_000);
        assert!(refused(format, &text, &[("a", "1")]).contains("cannot be read"), "{format:?} {open}");
    }
    let keys = format!("{}a = 1", "a.".repeat(50_000));
    assert!(refused(Toml, &keys, &[("a", "1")]).contains("cannot be read"));
    let mut lines = String::new();
    for depth in 0..2000 {
        lines.push_str(&format!("{}a:\n", " ".repeat(depth)));
    }
    assert!(refused(Yaml, &lines, &[("a", "1")]).contains("too deep"));
}

#[test]
fn aliases_of_aliases_are_not_followed() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..60 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")));
    }
    bomb.push_str("lr: 1\n");
    assert!(edited(Yaml, &bomb, &[("lr", "2")]).ends_with("lr: 2\n"));
}

#[test]
fn many_changes_to_a_long_file() {
    let count = 5_000;
    let keys: Vec<String> = (0..count).map(|index| format!("key{index}")).collect();
    let lines = |joined: &str, value: &str| keys.iter().map(|key| format!("{key}{joined}{value}\n")).collect::<String>();
    let changes: Vec<(String, Value)> = keys.iter().map(|key| (key.clone(), Value::Int(2))).collect();
    for (format, joined) in [(Yaml, ": "), (Toml, " = "), (Ini, " = ")] {
        assert_eq!(set(&lines(joined, "1"), format, &changes), Ok(lines(joined, "2")));
        let wrong: Vec<(String, Value)> = keys.iter().map(|key| (format!("x{key}"), Value::Int(2))).collect();
        assert_eq!(set(&lines(joined, "1"), format, &wrong).map_err(|mistakes| mistakes.len()), Err(100));
    }
    let json = |value: &str| format!("{{{}}}", keys.iter().map(|key| format!("\"{key}\":{value}")).collect::<Vec<_>>().join(","));
    assert_eq!(set(&json("1"), Json, &changes), Ok(json("2")));
    let list: Vec<(String, Value)> = (0..count).map(|index| (format!("a[{index}]"), Value::Int(2))).collect();
    let text = |value: &str| format!("a: [{}]", vec![value; count].join(", "));
    assert_eq!(set(&text("1"), Yaml, &list), Ok(text("2")));
    let too_many = vec![("a".to_string(), Value::Int(1)); 10_001];
    assert!(set("a: 1", Yaml, &too_many).is_err());
}

#[test]
fn odd_files_are_read_or_refused_and_nothing_else() {
    let odd = [
        "\u{feff}",
        "\u{feff}\u{feff}a: 1",
        "a: 1\n...\n",
        "a: 1\n--- \n",
        "%TAG ! x:\n--- !a\nb: 1",
        "a: 'x\n\n  y'\n",
        "\0",
        "a: \0",
        "{a: 1, <<: {b: 2}}",
        "a: |",
        "a: |\n",
        "a: >-\n\n\n",
        "- |1\n x\n- - - a\n",
        "? a\n: b\n? c\n",
        "a: {? b : c}",
        "[a: b]: c",
        "a:\u{a0}b",
        "a: 1\r",
        "a: 1\rb: 2\r",
        "é: [é, \"é\", é: é]",
        "&a a: &b b\n*a : c",
        "!!map {a: !!seq [!!str b]}",
        "a: !<x,y> b",
        "a: [b, ]",
        "a: {b: 1, }",
        "a:\n  # c",
        "a:   \t\n",
        "a: - b",
        "\"a\": 1",
        "'a''b': 1",
        "-\n-\n",
    ];
    for text in odd {
        for format in [Yaml, Json, Toml, Ini] {
            for path in ["a", "b", "0", "a.b", "0.a", "a.0"] {
                for typed in ["7", "[7]"] {
                    let _ = refused(format, text, &[(path, typed)]);
                }
            }
        }
    }
}
