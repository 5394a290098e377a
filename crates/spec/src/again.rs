//! The way back: from the parameters of a run to the words of a command line that give them once more.

use crate::template::{self, Token};
use crate::{Experiment, keys};
use neronet_model::{Params, Value};

/// The words of a bare command as they were typed, before their braces were escaped.
pub fn typed(words: &[String]) -> Vec<String> {
    let word = |word: &String| {
        let text = |token: &Token| match token {
            Token::Char(c, _) => c.to_string(),
            Token::Hole(range) => word[range.clone()].to_string(),
        };
        template::tokens(word).iter().map(text).collect()
    };
    words.iter().map(word).collect()
}

/// What `--set` must say so that an experiment, or a bare command, has these parameters: names with `KEY=VALUE`.
pub fn sets(params: &Params, experiment: Option<&Experiment>) -> Vec<(String, String)> {
    let known = |name: &str| experiment.is_some_and(|experiment| experiment.space.knows(name));
    let only = |name: &str| experiment.and_then(|experiment| experiment.space.only(name));
    // `0.1` and `1e-1` are one number and two texts.
    let same = |one: &Value, other: &Value| one == other && one.to_string() == other.to_string();
    let changed = params.iter().filter(|(name, value)| !only(name).is_some_and(|only| same(only, value)));
    let key = |name: &str| match (known(name), experiment) {
        (true, _) => name.to_string(),
        (false, None) if !reads_as_setting(name) => name.to_string(),
        _ => format!("params.{name}"),
    };
    changed.map(|(name, value)| (name.to_string(), format!("{}={}", key(name), written(value)))).collect()
}

fn reads_as_setting(name: &str) -> bool {
    let path: Vec<String> = name.split('.').map(str::to_string).collect();
    ["experiment", "include_self", "params"].contains(&path[0].as_str()) || keys::is_setting(&path)
}

/// A value so that `--set` reads it as this one value.
fn written(value: &Value) -> String {
    let as_word = value.to_string();
    // Nothing that a list, a sweep or a quoted text could begin or end with.
    let plain =
        as_word.trim() == as_word && !as_word.is_empty() && !as_word.contains([',', '(']) && !as_word.starts_with(['[', '{', '"', '\'']);
    match value {
        Value::Str(text) => {
            if plain && Value::as_word(text) == *value {
                as_word
            } else {
                toml(value)
            }
        }
        Value::List(_) => format!("{{value={}}}", toml(value)),
        Value::Float(float) if !float.value().is_finite() => format!("{{value={}}}", toml(value)),
        _ => as_word,
    }
}

pub(crate) fn toml(value: &Value) -> String {
    match value {
        Value::Word(word) => toml(&Value::Str(word.text().to_string())),
        Value::Str(text) => {
            let escaped =
                text.chars().map(|c| if c.is_control() || "\"\\".contains(c) { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() });
            format!("\"{}\"", escaped.collect::<String>())
        }
        Value::List(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Float(float) if float.value().is_nan() => "nan".into(),
        Value::Float(float) if float.value().is_infinite() => {
            if float.value() > 0.0 {
                "inf".into()
            } else {
                "-inf".into()
            }
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{of_command, parse};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["\\PC{0,8}", "[a,'\"\\[{ \\\\\n]{0,6}", "true|false|007|1e-3|nan|2024-01-01| x |a=b"].prop_map(Value::Str);
        let float = prop_oneof![
            any::<f64>().prop_map(Value::from_f64),
            "-?(0|[1-9][0-9]{0,2})\\.[0-9]{1,3}(e-?[0-9])?".prop_map(|text| Value::float(&text).expect("a number"))
        ];
        let word = "True|false|null|\\.5|1_000|0xff|~|inf".prop_map(|word| Value::as_word(&word));
        let scalar = prop_oneof![text, float, any::<i64>().prop_map(Value::Int), any::<bool>().prop_map(Value::Bool)];
        // In a list a word becomes a text.
        prop_oneof![word, scalar.prop_recursive(2, 8, 3, |inner| proptest::collection::vec(inner, 0..3).prop_map(Value::List))]
    }

    fn words(sets: Vec<(String, String)>) -> Vec<String> {
        sets.into_iter().map(|(_, word)| word).collect()
    }

    proptest! {
        #[test]
        fn what_sets_says_is_read_as_these_parameters(values in proptest::collection::vec(value(), 0..4), known in 0usize..4) {
            let names = ["lr", "optim.momentum", "name", "resources.time"];
            let params: Params = names.iter().map(ToString::to_string).zip(values).collect();
            let shown = |params: &Params| params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            let bare = of_command(&["true".into()], &words(sets(&params, None))).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let runs: Vec<Params> = bare.experiments[0].runs().collect();
            prop_assert_eq!(runs.len(), 1);
            prop_assert_eq!(shown(&runs[0]), shown(&params));
            prop_assert_eq!(&runs[0], &params);

            let first = names.iter().take(known).map(|name| format!("\"{name}\" = [1, 2]\n")).collect::<String>();
            let text = format!("command = \"true\"\n[params]\n{first}");
            let plan = |sets: &[String]| parse(&text, "neronet.toml", None, sets).map_err(|e| TestCaseError::fail(e.to_string()));
            let again = plan(&words(sets(&params, Some(&plan(&[])?.experiments[0]))))?;
            let run = again.experiments[0].runs().next().unwrap_or_default();
            prop_assert!(params.iter().all(|(name, value)| run.get(name) == Some(value)), "{run:?}");
        }

        #[test]
        fn words_come_back_as_they_were_typed(word in "[a${} \\\\]{0,16}|\\PC{0,12}") {
            let escaped = vec![template::escape(&word, |name| name == "a")];
            prop_assert_eq!(typed(&escaped), vec![word]);
        }
    }

    #[test]
    fn only_what_the_experiment_does_not_say_is_set() {
        let plan = parse(
            "command = \"true {flags}\"\n[params]\nlr = [0.1, 0.2]\nact = \"relu\"\nwd = 1e-3\n",
            "neronet.toml",
            None,
            &["wd=0.001".into()],
        );
        let params = plan.expect("a plan").experiments[0].runs().next().expect("a run");
        let plain = parse("command = \"true {flags}\"\n[params]\nlr = [0.1, 0.2]\nact = \"relu\"\nwd = 1e-3\n", "neronet.toml", None, &[])
            .expect("a plan");
        assert_eq!(words(sets(&params, Some(&plain.experiments[0]))), ["lr=0.1", "wd=0.001"]);
    }
}
