//! Changes to configuration files as their owners meet them: whole files before and after, every refusal with its words,
//! and for random files and changes the proof that nothing else changes.

mod files;
mod hostile;
mod mistakes;
mod random;
mod values;

use neronet_edit::{Format, set};
use neronet_model::Value;

/// A value as it is typed; `[1, 2]` is a list.
fn value(typed: &str) -> Value {
    match typed.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some("") => Value::List(Vec::new()),
        Some(list) => Value::List(list.split(", ").map(value).collect()),
        None => Value::as_typed(typed),
    }
}

fn changes(pairs: &[(&str, &str)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(path, typed)| (path.to_string(), value(typed))).collect()
}

/// The file after the changes.
fn edited(format: Format, text: &str, pairs: &[(&str, &str)]) -> String {
    set(text, format, &changes(pairs)).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// What is said where there must be no file.
fn refused(format: Format, text: &str, pairs: &[(&str, &str)]) -> String {
    match set(text, format, &changes(pairs)) {
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Ok(text) => format!("ACCEPTED\n{text}"),
    }
}

/// The lines that differ, `-` before and `+` after: a look at them tells whether a change was the right one.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let same_start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - same_start;
    let same_end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let mut lines = Vec::new();
    if old.len() == new.len() {
        for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
            lines.extend([format!("- {old}"), format!("+ {new}")]);
        }
    } else {
        lines.extend(old[same_start..old.len() - same_end].iter().map(|line| format!("- {line}")));
        lines.extend(new[same_start..new.len() - same_end].iter().map(|line| format!("+ {line}")));
    }
    lines.join("\n")
}
