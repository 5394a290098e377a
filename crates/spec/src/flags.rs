//! `{flags}` and `{overrides}`: many parameters as arguments.

use neronet_model::Value;
use neronet_model::settings::{BoolStyle, Flags, ListStyle};

/// Parameters as `--name value`, in their order.
pub(crate) fn flags<'a>(params: impl Iterator<Item = (&'a str, &'a Value)>, style: &Flags) -> Vec<String> {
    let mut words = Vec::new();
    for (name, value) in params {
        let name = if style.dashes { name.replace('_', "-") } else { name.to_string() };
        match &*value.meaning() {
            Value::Bool(on) => match (style.bool_style, on) {
                (BoolStyle::Value, _) => words.extend([format!("--{name}"), value.to_string()]),
                (_, true) => words.push(format!("--{name}")),
                (BoolStyle::NoPrefix, false) => words.push(format!("--no-{name}")),
                (BoolStyle::Switch, false) => {}
            },
            Value::List(items) => list(&name, value, items, style.list_style, &mut words),
            _ => one(&name, &value.to_string(), &mut words),
        }
    }
    words
}

fn list(name: &str, whole: &Value, items: &[Value], style: ListStyle, words: &mut Vec<String>) {
    let mut texts = items.iter().map(Value::to_string);
    match style {
        ListStyle::Spaces => {
            words.push(format!("--{name}"));
            words.extend(items.iter().map(spaced));
        }
        ListStyle::Commas => one(name, &texts.collect::<Vec<_>>().join(","), words),
        ListStyle::Repeat => texts.by_ref().for_each(|text| one(name, &text, words)),
        ListStyle::Brackets => one(name, &whole.to_string(), words),
    }
}

/// What follows a flag cannot be joined to it: a negative number is written so that argparse takes it for one.
fn spaced(item: &Value) -> String {
    let text = item.to_string();
    match item.number().filter(|number| number.is_finite()) {
        Some(number) if looks_like_a_flag(&text) => number.to_string(),
        _ => text,
    }
}

fn one(name: &str, value: &str, words: &mut Vec<String>) {
    if looks_like_a_flag(value) {
        words.push(format!("--{name}={value}"));
    } else {
        words.extend([format!("--{name}"), value.to_string()]);
    }
}

/// What argparse takes for a flag: it begins with a dash and is no plain negative number.
fn looks_like_a_flag(value: &str) -> bool {
    let Some(rest) = value.strip_prefix('-') else { return false };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let plain = digits(whole) && digits(fraction) && !fraction.is_empty();
    !plain || rest.is_empty()
}

/// Parameters as `name=value` in the quoting of Hydra's override grammar.
pub(crate) fn overrides<'a>(params: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<String> {
    params.map(|(name, value)| format!("{name}={}", hydra(value))).collect()
}

fn hydra(value: &Value) -> String {
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(hydra).collect::<Vec<_>>().join(",")),
        Value::Str(text) if needs_quotes(text) => hydra_quoted(text),
        // Of a word Hydra may make what it makes of it on its own command line.
        Value::Word(word) if !is_plain(word.text()) => hydra_quoted(word.text()),
        value => value.to_string(),
    }
}

/// A text that Hydra would read as something else, or not at all.
fn needs_quotes(text: &str) -> bool {
    let other = text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    text.is_empty() || other || !is_plain(text) || text.replace('_', "").parse::<f64>().is_ok()
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '+' | '%' | '@' | '?' | '|'))
}

/// Inside its quotes a backslash counts only before a quote; `${` would be looked up.
fn hydra_quoted(text: &str) -> String {
    let text = text.replace("${", r"\${");
    let mut out = String::from("'");
    let mut backslashes = 0;
    for c in text.chars().chain(['\'']) {
        if c == '\'' {
            out.extend(std::iter::repeat_n('\\', backslashes));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        if c == '\'' {
            out.push_str(r"\'");
        } else {
            out.push(c);
        }
    }
    // The last quote is the closing one, not one of the text.
    out.truncate(out.len() - 2);
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Str(text.into())
    }

    #[test]
    fn only_what_argparse_would_take_for_a_flag_is_joined() {
        let params = [
            ("a", text("-x")),
            ("b", Value::Int(-3)),
            ("c", Value::float("-0.5").expect("a number")),
            ("d", Value::float("-1e-3").expect("a number")),
            ("e", text("-")),
            ("f", text("")),
        ];
        let words = flags(params.iter().map(|(name, value)| (*name, value)), &Flags::default());
        assert_eq!(words, ["--a=-x", "--b", "-3", "--c", "-0.5", "--d=-1e-3", "--e=-", "--f", ""]);
    }

    #[test]
    fn a_list_is_written_so_that_it_can_be_read_back() {
        let number = |text| Value::float(text).expect("a number");
        let list = Value::List(vec![number("-1e-3"), number("-0.5"), number("1e-3"), text("a b"), text("c,d"), Value::Bool(true)]);
        let written = |list_style| flags([("x", &list)].into_iter(), &Flags { list_style, ..Flags::default() });
        assert_eq!(written(ListStyle::Spaces), ["--x", "-0.001", "-0.5", "1e-3", "a b", "c,d", "true"]);
        assert_eq!(written(ListStyle::Brackets), ["--x", r#"[-1e-3, -0.5, 1e-3, "a b", "c,d", true]"#]);
    }

    #[test]
    fn overrides_in_the_quoting_of_hydra() {
        for (value, expected) in [
            (text("relu"), "x=relu"),
            (text("a b"), "x='a b'"),
            (text("it's"), r"x='it\'s'"),
            (text(r"back\'s"), r"x='back\\\'s'"),
            (text(r"end\"), r"x='end\\'"),
            (text("1e-3"), "x='1e-3'"),
            (text("NULL"), "x='NULL'"),
            (text(""), "x=''"),
            (text("${lr}"), r"x='\${lr}'"),
            (text("True"), "x='True'"),
            (Value::as_word("True"), "x=True"),
            (Value::as_word("null"), "x=null"),
            (Value::as_word(".5"), "x=.5"),
            (Value::as_word("1_000"), "x=1_000"),
            (Value::as_word("~"), "x='~'"),
            (Value::List(vec![Value::as_word("null"), text("null")]), "x=[null,'null']"),
            (Value::float("1e-3").expect("a number"), "x=1e-3"),
            (Value::Bool(true), "x=true"),
            (Value::List(vec![Value::Int(1), text("a,b")]), "x=[1,'a,b']"),
        ] {
            assert_eq!(overrides([("x", &value)].into_iter()), [expected]);
        }
    }
}
