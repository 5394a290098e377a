//! How each kind of value is written, and what becomes of each kind of old value.

use crate::{edited, value};
use neronet_edit::Format::{self, Ini, Json, Toml, Yaml};
use neronet_edit::set;
use neronet_model::Value;

fn written(format: Format, old: &str, new: Value) -> String {
    let text = match format {
        Yaml => format!("a: {old}\nb: 1\n"),
        Json => format!("{{\"a\": {old}, \"b\": 1}}\n"),
        Toml | Ini => format!("a = {old}\nb = 1\n"),
    };
    match set(&text, format, &[("a".to_string(), new)]) {
        Ok(text) => match format {
            Json => text.strip_prefix("{\"a\": ").and_then(|text| text.strip_suffix(", \"b\": 1}\n")).unwrap_or(&text).to_string(),
            Yaml => text.strip_prefix("a: ").and_then(|text| text.strip_suffix("\nb: 1\n")).unwrap_or(&text).to_string(),
            Toml | Ini => text.strip_prefix("a = ").and_then(|text| text.strip_suffix("\nb = 1\n")).unwrap_or(&text).to_string(),
        },
        Err(mistakes) => format!("REFUSED: {}", mistakes[0]),
    }
}

fn table(old: &str, values: &[Value]) -> String {
    let mut lines = Vec::new();
    for new in values {
        let all = [Yaml, Json, Toml, Ini].map(|format| written(format, old, new.clone()));
        lines.push(format!("{:?}: {}", new.to_string(), all.join(" | ")));
    }
    lines.join("\n")
}

#[test]
fn numbers() {
    let typed = ["3", "-7", "0.1", "1e-3", "1E-3", "1e5", "1.5e3", "1e+5", "-0", "-0.0", "99999999999999999999", "9223372036854775807"];
    let mut values: Vec<Value> = typed.map(Value::as_typed).into_iter().collect();
    values.extend([".5", "5.", "1.e4", "-.5e-2", "007", "inf", "-inf", "nan"].map(|text| Value::float(text).expect("a number")));
    insta::assert_snapshot!(table("0", &values));
}

#[test]
fn texts_in_place_of_a_bare_word() {
    let texts = [
        "relu",
        "no",
        "Yes",
        "ON",
        "~",
        "null",
        "true",
        "",
        " x",
        "x ",
        "007",
        "1e3",
        "1_000",
        "0x1F",
        "0o17",
        "12:30:45",
        "2024-11-21",
        "1.0",
        ".5",
        ".inf",
        "nan",
        "=",
        "<<",
        "-",
        "- a",
        "a: b",
        "a #b",
        "a:b",
        "http://x/y",
        "a,b",
        "[a]",
        "{a}",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "it's",
        "C:\\x",
        "a\nb",
        "a\tb",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "ä",
        "日本 語",
        "🦀",
        "./data",
        "/data/x y",
        "~/data",
        "?",
        "---",
        "# x",
        "; x",
        "a ; b",
        "a%b",
        "{lr}",
        "a=b",
        "🦀: x",
    ];
    let values: Vec<Value> = texts.iter().map(|text| Value::Str(text.to_string())).collect();
    insta::assert_snapshot!(table("0", &values));
}

#[test]
fn texts_keep_the_quotes_of_the_old_value() {
    let texts = ["relu", "no", "it's", "say \"x\"", "a\\b", "a\nb", "\u{2028}", "", "a # b"];
    let values: Vec<Value> = texts.iter().map(|text| Value::Str(text.to_string())).collect();
    let double =
        [Yaml, Toml, Ini].map(|format| values.iter().map(|new| written(format, "\"x y\"", new.clone())).collect::<Vec<_>>().join(" | "));
    let single =
        [Yaml, Toml, Ini].map(|format| values.iter().map(|new| written(format, "'x y'", new.clone())).collect::<Vec<_>>().join(" | "));
    insta::assert_snapshot!(format!("{}\n\n{}", double.join("\n"), single.join("\n")));
}

#[test]
fn booleans_and_lists() {
    let values = [
        Value::Bool(true),
        Value::Bool(false),
        value("[0.9, 0.999]"),
        value("[]"),
        Value::List(vec![Value::Str("no".into()), Value::Str("relu".into()), Value::float("1e-3").expect("a number"), value("[1, true]")]),
    ];
    insta::assert_snapshot!(table("0.5", &values));
}

#[test]
fn words_without_quotes_are_what_the_format_reads_them_as() {
    let words = ["True", "null", "~", "no", ".5", "1_000", "+5", "0xff", "1e-3"].map(Value::as_word);
    insta::assert_snapshot!(table("1", &words));
    let odd = Value::List(["inf", "-inf", "nan"].map(Value::as_word).to_vec());
    assert_eq!(written(Json, "1", odd), r#"["inf", "-inf", "nan"]"#);
    assert_eq!([("1", "inf"), ("NaN", "-inf")].map(|(old, word)| written(Json, old, Value::as_word(word))), ["\"inf\"", "-Infinity"]);
}

#[test]
fn booleans_of_an_ini_file_speak_as_before() {
    let old = ["yes", "No", "ON", "off", "True", "FALSE", "1", "0", "maybe", "", "T", "\"no\""];
    let lines = old.map(|old| format!("{old}: {} {}", written(Ini, old, Value::Bool(true)), written(Ini, old, Value::Bool(false))));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_date_stays_a_date() {
    let days = ["2024-11-22", "2024-11-22T10:00:00", "soon", "2024-13-99"].map(|day| Value::Str(day.to_string()));
    let lines =
        [Yaml, Toml].map(|format| days.iter().map(|day| written(format, "2024-11-21", day.clone())).collect::<Vec<_>>().join(" | "));
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(written(Yaml, "soon", days[0].clone()), "\"2024-11-22\"");
}

#[test]
fn not_a_number_in_json_only_where_there_was_one() {
    let nan = Value::float("nan").expect("a number");
    assert_eq!(written(Json, "Infinity", nan.clone()), "NaN");
    assert_eq!(written(Json, "NaN", Value::float("-inf").expect("a number")), "-Infinity");
    insta::assert_snapshot!(written(Json, "1", nan));
}

#[test]
fn every_kind_of_yaml_value_is_replaced() {
    let old = [
        "plain",
        "'single'",
        "\"double\"",
        "plain over\n  two lines",
        "'single over\n  two'",
        "[1, 2]",
        "[1, # one\n  2]",
        "\n  - 1\n  - 2",
        "\n- 1\n- 2",
        "|\n  text\n  more",
        "|-  # why\n  text\n\n  more\n",
        ">2\n    x\n   y",
        "|+\n  text\n\n",
        "",
        "  # why",
        "&x 3",
        "&x\n  - 1",
        "&x |\n  text",
        "&x",
        "\n  3",
        "  # one\n  # two\n  - 1  # three\n  # four\n  - 2  # five\n  # six",
        "\n  - - 1\n    - 2\n  - {a: [1]}",
        "\n  - |\n    text\n  -\n    - 1",
        "\n- - 1\n  - 2\n- [3]",
        "\n- [3]\n-",
        "\n-\n-  # x\n- &y",
        "\n# é\n-  # x\n  - 1",
        "~",
        "null",
    ];
    let mut lines = Vec::new();
    for old in old {
        let text = format!("first: é\na: {old}\nb: 1 # end");
        let shown = |typed: &str| match set(&text, Yaml, &[("a".to_string(), value(typed))]) {
            Ok(text) => text.replace("first: é\n", "").replace("\nb: 1 # end", ""),
            Err(mistakes) => format!("REFUSED: {}", mistakes[0]),
        };
        lines.push(format!("{old:?}\n  {:?}\n  {:?}", shown("new"), shown("[3, x y]")));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_kind_of_toml_text_is_replaced() {
    let old = [
        "\"a\"",
        "'a'",
        "\"\"\"a\nb\"\"\"",
        "'''\na'b\n'''",
        "0xff",
        "+1_000",
        "1e5",
        "inf",
        "2024-11-21 10:00:00",
        "[1,\n 2, # two\n]",
        "{ x = 1 }",
    ];
    let lines = old.map(|old| format!("{old:?}: {} | {}", written(Toml, old, value("new")), written(Toml, old, value("[3, x]"))));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn line_ends_marks_and_blanks_stay() {
    let crlf = "\u{feff}a: 1\r\nb:\r\n  - 1\r\n  - 2\r\nc: |\r\n  text\r\nd:  x   # y\r\ne: 1";
    let after = edited(Yaml, crlf, &[("a", "2"), ("b", "[3]"), ("c", "new"), ("d", "z")]);
    assert_eq!(after, "\u{feff}a: 2\r\nb: [3]\r\nc: new\r\nd:  z   # y\r\ne: 1");
    let crlf = "\u{feff}{\r\n\t\"a\":1,\r\n\t\"b\": [1,\r\n 2]\r\n}";
    assert_eq!(edited(Json, crlf, &[("a", "2"), ("b", "[3]")]), "\u{feff}{\r\n\t\"a\":2,\r\n\t\"b\": [3]\r\n}");
    let crlf = "\u{feff}a=1 # x\r\n[t]\r\nb = [1,\r\n 2]  \r\n";
    assert_eq!(edited(Toml, crlf, &[("a", "2"), ("t.b", "[3]")]), "\u{feff}a=2 # x\r\n[t]\r\nb = [3]  \r\n");
    let crlf = "\u{feff}[t]\r\na=1 ; x\r\nb :\r\n  1\r\n  2\r\nc = 3  \r\nd=\r\ne =";
    let after = edited(Ini, crlf, &[("t.a", "2"), ("t.b", "3"), ("t.c", "4"), ("t.d", "5"), ("t.e", "6")]);
    assert_eq!(after, "\u{feff}[t]\r\na=2 ; x\r\nb : 3\r\nc = 4  \r\nd=5\r\ne = 6");
}
