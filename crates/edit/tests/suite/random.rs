//! For random files, written in random ways, and random changes: all other bytes stay, and a reader that is not ours sees
//! the change and nothing else.

mod documents;
mod ini;
mod json;
mod toml;
mod yaml;

use documents::{Document, Written, document};
use neronet_edit::{Format, set};
use neronet_model::Value;
use proptest::prelude::*;
use proptest::sample::Index;

/// What another reader sees: tables, lists, and scalars as texts with a letter for their type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Table(Vec<(String, Seen)>),
    List(Vec<Seen>),
    Word(String),
}

/// The value as another reader sees it: its type's letter and what is equal when the value is.
pub(crate) fn seen(value: &Value) -> Seen {
    match value {
        Value::Bool(bool) => Seen::Word(format!("b {bool}")),
        Value::Int(int) => number(*int as f64),
        Value::Float(float) => number(float.value()),
        Value::Str(text) => Seen::Word(format!("t {text}")),
        Value::Word(_) => seen(&value.meaning()),
        Value::List(values) => Seen::List(values.iter().map(seen).collect()),
    }
}

pub(crate) fn number(value: f64) -> Seen {
    Seen::Word(format!("n {value:?}"))
}

fn at<'s>(seen: &'s mut Seen, steps: &[String]) -> &'s mut Seen {
    steps.iter().fold(seen, |seen, step| match seen {
        Seen::Table(entries) => &mut entries.iter_mut().find(|(key, _)| key == step).expect("the key").1,
        Seen::List(items) => &mut items[step.parse::<usize>().expect("an index")],
        Seen::Word(word) => panic!("{word} has no {step}"),
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    const ODD: [&str; 24] = [
        "",
        "no",
        "null",
        "~",
        "1e3",
        "007",
        "0x1",
        "1:30",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "[a",
        "{",
        "*a",
        "&a",
        "!a",
        "%a",
        "@",
        "'a",
        "\"",
        "\\",
        "2024-01-01",
        "...",
    ];
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from_f64),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,2}".prop_map(|text| Value::float(&text).expect("a number")),
        "[ -~]{0,10}".prop_map(Value::Str),
        "\\PC{0,6}".prop_map(Value::Str),
        any::<String>().prop_map(Value::Str),
        proptest::sample::select(&ODD[..]).prop_map(|text| Value::Str(text.to_string())),
    ]
}

fn check(format: Format, written: &Written, read: impl Fn(&str) -> Seen, picks: &[(Index, Value)]) -> Result<(), TestCaseError> {
    if written.places.is_empty() {
        return Ok(());
    }
    let text = &written.text;
    let mut changes: Vec<(String, Value)> = Vec::new();
    for (index, new) in picks {
        let place = index.get(&written.places);
        let new = if place.list { Value::List(vec![new.clone(), Value::Int(1)]) } else { new.clone() };
        // In an INI file quotes around a text may be its own or the file's.
        if format == Format::Ini && new.to_string().starts_with(['"', '\'']) && ini::meaning(&new.to_string()) != new.to_string() {
            continue;
        }
        let path = place.path.clone();
        let after = match set(text, format, &[(path.clone(), new.clone())]) {
            Ok(after) => after,
            Err(mistakes) if mistakes[0].message.contains("cannot stand in an INI file") => continue,
            Err(mistakes) if mistakes[0].message.contains("an anchor stands inside") => continue,
            Err(mistakes) => return Err(TestCaseError::fail(format!("{path} = {new:?} in\n{text}\n{mistakes:#?}"))),
        };
        let (start, end) = (&text[..place.region.start], &text[place.region.end..]);
        prop_assert!(after.starts_with(start) && after.ends_with(end), "{path} = {new:?}\n{text}\nbecomes\n{after}");
        let mut expected = read(text);
        *at(&mut expected, &place.steps) =
            if format == Format::Ini { Seen::Word(format!("t {}", ini::meaning(&new.to_string()))) } else { seen(&new) };
        prop_assert_eq!(&expected, &read(&after), "{} = {:?}\n{}\nbecomes\n{}", path, new, text, after);
        // The same change again is none, but that quotes in an INI file would then be those of the old value.
        if format != Format::Ini || !new.to_string().starts_with(['"', '\'']) {
            prop_assert_eq!(set(&after, format, &[(path.clone(), new.clone())]), Ok(after));
        }
        if changes.iter().all(|(other, _)| !other.starts_with(&path) && !path.starts_with(other.as_str())) {
            changes.push((path, new));
        }
    }
    // All at once is the same as one after the other, in any order.
    let one_by_one = changes.iter().rev().try_fold(text.clone(), |text, change| set(&text, format, std::slice::from_ref(change)));
    prop_assert_eq!(set(text, format, &changes), one_by_one);
    Ok(())
}

fn picks() -> impl Strategy<Value = Vec<(Index, Value)>> {
    proptest::collection::vec((any::<Index>(), scalar()), 1..6)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..60)
}

fn table() -> impl Strategy<Value = Document> {
    document().prop_filter("a table", |document| matches!(document, Document::Table(_)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn yaml_files(document in table(), choices in choices(), picks in picks()) {
        check(Format::Yaml, &yaml::write(&document, &choices), yaml::read, &picks)?;
    }

    #[test]
    fn json_files(document in document(), choices in choices(), picks in picks()) {
        check(Format::Json, &json::write(&document, &choices), json::read, &picks)?;
    }

    #[test]
    fn toml_files(document in table(), choices in choices(), picks in picks()) {
        check(Format::Toml, &toml::write(&document, &choices), toml::read, &picks)?;
    }

    #[test]
    fn ini_files(document in table(), choices in choices(), picks in picks()) {
        check(Format::Ini, &ini::write(&document, &choices), ini::read, &picks)?;
    }

    /// Whatever the file is, it is either refused or changed in the right way: the check after the change is part of `set`.
    #[test]
    fn soups(text in "([ab]|[ \\n]|: |- |#|[\\[\\]{},&*!|>'\"=;?%@1é\\t\\r]|\\n  |---|<<){0,40}", new in scalar()) {
        for format in [Format::Yaml, Format::Json, Format::Toml, Format::Ini] {
            for path in ["a", "b", "a.b", "a.0", "0", "0.a", "0.0"] {
                if let Err(mistakes) = set(&text, format, &[(path.to_string(), new.clone())]) {
                    prop_assert!(!mistakes.is_empty());
                }
            }
        }
    }
}
