//! What may be shown of a run: parameters, tags, configuration and command without the secrets in them.
//! The true values stay in the journal, `params.json` and `launch.json`, which the run needs.

use crate::context::Context;
use crate::secrets::Place;
use crate::submit::environment_of;
use neronet_capture::code::{Change, Survey};
use neronet_capture::secrets::{MASK, is_secret_assigned, is_secret_setting, mask_text, secret_parts, secret_values};
use neronet_model::journal::Sweep;
use neronet_model::settings::Command;
use neronet_model::{Attempt, Params, Value};
use neronet_spec::Plan;
use std::borrow::Cow;
use std::ffi::OsString;

/// Fewer digits are a count, `pass = 2`; shorter values of variables are words that stand everywhere.
const SHORTEST: usize = 6;

/// The secrets in the environment that a sweep was submitted with, and those of its specification that are at hand.
pub fn known(context: &Context, sweep: &Sweep) -> Vec<String> {
    let mut known = in_environment(environment_of(context, sweep.id));
    known.extend(Place::of(context, sweep).known(&sweep.settings).lines());
    known
}

/// The same for what would be submitted now.
pub fn known_of_plan(context: &Context, plan: &Plan, survey: &Survey) -> Vec<String> {
    let place = Place { environment: &context.environment, folder: survey.top.join(&survey.below) };
    let mut known = in_environment(context.environment.clone());
    known.extend(plan.experiments.iter().flat_map(|experiment| place.known(&experiment.settings).lines()));
    known
}

pub fn in_environment(environment: Vec<(OsString, OsString)>) -> Vec<String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let variables: Vec<(String, String)> = environment.into_iter().filter_map(text).collect();
    secret_values(&variables)
}

/// `known` is asked only where a text is long enough to hold a secret. What is `varying` in a sweep tells its runs apart and is
/// hardly a secret by its name alone.
pub fn params<'p>(params: &'p Params, varying: &[String], known: impl FnOnce() -> Vec<String>) -> Cow<'p, Params> {
    let named = |name: &str| !varying.iter().any(|varying| varying == name) && is_secret_setting(name);
    if params.iter().all(|(name, value)| !may_hold(value, named(name))) {
        return Cow::Borrowed(params);
    }
    let known = known();
    let shown = |(name, value): (&str, &Value)| (name.to_string(), shown(value, named(name), &known));
    Cow::Owned(params.iter().map(shown).collect())
}

/// One of them.
pub fn param(name: &str, value: Value, varying: &[String], known: impl FnOnce() -> Vec<String>) -> Value {
    let named = !varying.iter().any(|varying| varying == name) && is_secret_setting(name);
    if may_hold(&value, named) { shown(&value, named, &known()) } else { value }
}

/// `named`: by its name it is a secret.
fn may_hold(value: &Value, named: bool) -> bool {
    match value {
        Value::Str(text) => text.len() >= SHORTEST || (named && !is_plain(text)),
        Value::Int(_) | Value::Word(_) => named,
        Value::List(items) => items.iter().any(|item| may_hold(item, named)),
        Value::Bool(_) | Value::Float(_) => false,
    }
}

fn shown(value: &Value, named: bool, known: &[String]) -> Value {
    match value {
        Value::Str(text) => Value::Str(text_of(text, named, known)),
        Value::Int(int) if named && int.to_string().len() >= SHORTEST => Value::Str(MASK.into()),
        Value::Word(word) if named && word.text().len() >= SHORTEST && word.meaning().is_some() => Value::Str(MASK.into()),
        Value::List(items) => Value::List(items.iter().map(|item| shown(item, named, known)).collect()),
        other => other.clone(),
    }
}

fn text_of(text: &str, named: bool, known: &[String]) -> String {
    if named && !is_plain(text) { MASK.to_string() } else { mask_text(text, known) }
}

/// `name=value` of a spreadsheet's row.
pub(crate) fn tag(tag: &str, known: &[String]) -> String {
    match tag.split_once('=') {
        Some((name, value)) => format!("{name}={}", text_of(value, is_secret_setting(name), known)),
        None => mask_text(tag, known),
    }
}

pub(crate) fn note(note: &str, known: &[String]) -> String {
    mask_text(note, known)
}

/// What says that there is no secret.
fn is_plain(text: &str) -> bool {
    ["", "none", "null", "true", "false"].contains(&text.to_ascii_lowercase().as_str())
}

/// What the script told of itself. Known values were masked when it was recorded.
pub fn attempt(attempt: &mut Attempt) {
    for (name, value) in attempt.tags.iter_mut().chain(&mut attempt.config) {
        *value = text_of(value, is_secret_setting(name), &[]);
    }
}

/// The command before a run's values are filled in, as it was typed.
pub fn template(context: &Context, sweep: &Sweep) -> String {
    let known = known(context, sweep);
    match &sweep.settings.command {
        Command::Shell(line) => mask_text(line, &known),
        Command::Argv(words) if sweep.spec.is_some() => arguments(words, &known).join(" "),
        Command::Argv(words) => arguments(&neronet_spec::again::typed(words), &known).join(" "),
    }
}

/// Words of a command. One that follows the name of a secret is masked whole, whatever stands in it.
pub fn arguments(words: &[String], known: &[String]) -> Vec<String> {
    let shown = |(word, part): (&String, Option<usize>)| match part {
        Some(at) => format!("{}{MASK}", &word[..at]),
        None => mask_text(word, known),
    };
    words.iter().zip(secret_parts(words)).map(shown).collect()
}

/// The difference of a file of settings. Code is shown as it is: a `token` there is seldom a secret.
pub fn change(change: &mut Change) {
    let ending = change.path.rsplit('.').next().unwrap_or_default();
    if ["toml", "yaml", "yml", "json", "ini", "cfg", "conf", "env"].contains(&ending) {
        change.diff = change.diff.take().map(|diff| mask_text(&diff, &[]).split_inclusive('\n').map(setting).collect());
    }
}

/// The text of a file of settings, line by line.
pub(crate) fn settings(text: &str, known: &[String]) -> String {
    mask_text(text, known).split_inclusive('\n').map(setting).collect()
}

/// A value of a variable.
pub(crate) fn variable(name: &str, value: &str, known: &[String]) -> String {
    text_of(value, is_secret_setting(name), known)
}

/// A line of settings: of a secret name no part of the value stays, lists included.
fn setting(line: &str) -> String {
    match line.split_once(['=', ':']) {
        Some((name, value)) if is_secret_assigned(name.trim_matches(['+', '-', ' ', '"', '\''])) && !is_plain(value.trim()) => {
            format!("{name}{} {MASK}\n", &line[name.len()..=name.len()])
        }
        _ => line.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn parameters_are_masked_by_name_and_by_value() {
        let text = |text: &str| Value::Str(text.into());
        let list: Vec<(&str, Value, Value)> = vec![
            ("token", text("ab"), text(MASK)),
            ("hub.token", text("a b, c"), text(MASK)),
            ("token", text("none"), text("none")),
            ("api_key", Value::Int(123_456), text(MASK)),
            ("pass", Value::Int(2), Value::Int(2)),
            ("url", text("https://ada:secret@host/x"), text("https://ada:***@host/x")),
            ("hub", text("is known-value"), text("is ***")),
            ("names", Value::List(vec![text("plain"), text("known-value")]), Value::List(vec![text("plain"), text(MASK)])),
            ("optimizer", text("adam-w-long-name"), text("adam-w-long-name")),
            ("token_count", Value::Int(1_000_000), Value::Int(1_000_000)),
            ("cls_token", text("mean"), text("mean")),
            ("label_key", text("label"), text("label")),
            ("image_key", text("is known-value"), text("is ***")),
        ];
        for (name, value, expected) in list {
            let given: Params = [(name.to_string(), value)].into_iter().collect();
            assert_eq!(params(&given, &[], || words(&["known-value"])).get(name), Some(&expected), "{name}");
        }
        let harmless: Params = [("act".to_string(), text("relu"))].into_iter().collect();
        assert!(matches!(params(&harmless, &[], || panic!("not asked")), Cow::Borrowed(_)));
        let varied: Params = [("token".to_string(), text("cls")), ("hub.token".to_string(), text("known-value"))].into_iter().collect();
        let shown = params(&varied, &words(&["token", "hub.token"]), || words(&["known-value"])).into_owned();
        assert_eq!((shown.get("token"), shown.get("hub.token")), (Some(&text("cls")), Some(&text(MASK))));
    }

    #[test]
    fn a_value_behind_the_name_of_a_secret_is_masked_whole() {
        for (given, expected) in [
            (&["t", "--password", "two words", "--lr", "1"][..], &["t", "--password", "***", "--lr", "1"][..]),
            (&["--auth=a b", "--token", "{token}", "known-value"], &["--auth=***", "--token", "{token}", "***"]),
            (&["-c", "x --api-key abc; y"], &["-c", "x --api-key ***; y"]),
            (&["--use-auth-token", "--lr", "1"], &["--use-auth-token", "--lr", "1"]),
            (&["--cls_token", "mean", "label_key=name", "A_TOKEN=x"], &["--cls_token", "mean", "label_key=name", "A_TOKEN=***"]),
        ] {
            assert_eq!(arguments(&words(given), &words(&["known-value"])), words(expected));
        }
    }
}
