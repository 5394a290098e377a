//! What is said to the queue and to whoever watches: targets, stages, retries, mails, rules.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::keys::{MATCHES, NOTIFY_ON, RETRY_ON, RULE_ACTIONS};
use crate::name;
use crate::params;
use crate::problem::quoted;
use crate::read::Reader;
use crate::template;
use crate::tree::{Node, Table, Tree};
use crate::wanted::{Wanted, What};
use neronet_model::Millis;
use neronet_model::queue::Wishes;
use neronet_model::settings::{Match, Notify, Retry, RetryOn, Rule, Stage};
use neronet_model::target::{LOCAL, refused_name};
use std::collections::BTreeSet;

pub(super) fn target(table: &Table, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> Vec<String> {
    let (mut targets, mut seen) = (Vec::new(), BTreeSet::new());
    for (target, span) in table.get("target").map(|node| reader.texts(node, "target")).unwrap_or_default() {
        if let Some(why) = no_target(&target) {
            reader.found.error(
                span,
                format!("{} cannot be the name of a target: {why}", quoted(&target)),
                "a short word, such as gpu1".to_string(),
            );
        } else if !seen.insert(target.clone()) {
            reader.found.error(span, format!("the target {} is there twice", quoted(&target)), "take one of them out".to_string());
        } else {
            wanted.push(Wanted::new(What::Target(target.clone()), span, reader.found));
            targets.push(target);
        }
    }
    targets
}

/// Why a text cannot name a target or a group, if it cannot.
pub(super) fn no_target(name: &str) -> Option<&'static str> {
    refused_name(name).filter(|_| name != LOCAL)
}

/// `after` and `match`.
pub(super) fn stage(table: &Table, reader: &mut Reader<'_, '_>) -> Option<Stage> {
    let match_on = table.get("match").and_then(|node| matched(node, reader));
    let Some(node) = table.get("after") else {
        if let Some((key, _)) = table.entry("match") {
            reader.found.error(
                key.span,
                "'match' says which runs of another experiment, and no 'after' names it",
                "add after = \"EXPERIMENT\", or take match out".to_string(),
            );
        }
        return None;
    };
    let after = reader.text(node, "after")?;
    if let Some(why) = name::refusal(&after) {
        reader.found.error(
            node.span,
            format!("{} cannot be the name of an experiment: {why}", quoted(&after)),
            "write the name of another [[experiment]] of this file".to_string(),
        );
        return None;
    }
    Some(Stage { after, match_on: match_on.unwrap_or(Match::All) })
}

fn matched(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Match> {
    if !matches!(node.tree, Tree::List(_)) {
        let word = reader.text(node, "match")?;
        return match word.as_str() {
            "best" => Some(Match::Best),
            "all" => Some(Match::All),
            _ => {
                let message = format!("expected {} or a list of parameters for 'match', found {}", MATCHES.join(", "), quoted(&word));
                let hint =
                    if template::is_name(&word) { Some(format!("the same value of a parameter: match = [\"{word}\"]")) } else { None };
                reader.found.error(node.span, message, hint);
                None
            }
        };
    }
    let names = reader.texts(node, "match");
    if names.is_empty() {
        let hint = "write match = \"all\" for each run of the other experiment".to_string();
        reader.found.error(node.span, "'match' names no parameter", hint);
        return None;
    }
    for (name, span) in &names {
        if !template::is_name(name) {
            reader.found.error(
                *span,
                format!("{} cannot be the name of a parameter", quoted(name)),
                "write names of parameters of both experiments, as match = [\"seed\"]".to_string(),
            );
        }
    }
    Some(Match::Params(names.into_iter().map(|(name, _)| name).collect()))
}

/// What `[sweep]` says of the place of its runs in the queue.
pub(super) fn wishes(sweep: &Table, reader: &mut Reader<'_, '_>) -> Wishes {
    let hours = sweep.get("gpu_hours").and_then(|node| reader.positive(node, "sweep.gpu_hours"));
    Wishes {
        priority: sweep.get("priority").and_then(|node| reader.integer(node, "sweep.priority")).unwrap_or_default(),
        gpu_time: hours.map(|hours| Millis((hours * 3_600_000.0).round() as u64)),
        hold_after: sweep.get("hold_after").and_then(|node| reader.count(node, "sweep.hold_after", 1)),
        ..Wishes::default()
    }
}

pub(super) fn retry(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Retry {
    let Some(section) = reader.section(table, "retry") else {
        return Retry::default();
    };
    let retry = Retry {
        times: section.get("times").and_then(|node| reader.count(node, "retry.times", 0)).unwrap_or_default(),
        on: section.get("on").map(|node| reader.words(node, "retry.on", RETRY_ON)).unwrap_or_default(),
        backoff: section.get("backoff").and_then(|node| reader.duration(node, "retry.backoff")),
        on_oom: section.get("on_oom").map(|node| on_oom(node, reader, written)).unwrap_or_default(),
    };
    if let Some((key, _)) = section.entry("on_oom").filter(|_| !retry.on_oom.is_empty()) {
        let never = |why: &str| format!("'retry.on_oom' changes parameters for a retry, and {why}");
        if retry.times == 0 {
            let hint = "write times = 2 beside it: so many times at most".to_string();
            reader.found.error(key.span, never("'retry.times' allows none"), hint);
        } else if !retry.on.is_empty() && !retry.on.contains(&RetryOn::Oom) {
            let hint = "add \"oom\" to it, or leave 'on' out for all ends".to_string();
            reader.found.error(key.span, never("'retry.on' has none after \"oom\""), hint);
        }
    }
    retry
}

/// Expressions by the parameters that they change.
fn on_oom(node: &Node, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Vec<(String, String)> {
    const KEY: &str = "retry.on_oom";
    let hint = || "write on_oom = { batch_size = \"batch_size / 2\" }".to_string();
    let Tree::Table(table) = &node.tree else {
        reader.wrong(node, "a table", KEY, Some(hint()));
        return Vec::new();
    };
    let mut changes = Vec::new();
    for entry in params::flatten(table, &reader.found.sources) {
        let text = match &entry.node.tree {
            Tree::Scalar(value) => value.to_string(),
            Tree::Word(text) => text.clone(),
            _ => {
                reader.wrong(&entry.node, "an expression", &format!("{KEY}.{}", entry.name), Some(hint()));
                continue;
            }
        };
        written.push(Written::new(Part::Named(KEY), Style::Word, &entry.name, entry.span));
        written.push(Written::new(Part::OnOom, Style::Word, &text, entry.node.span));
        changes.push((entry.name, text));
    }
    changes
}

pub(super) fn notify(table: &Table, reader: &mut Reader<'_, '_>) -> Notify {
    let Some(section) = reader.section(table, "notify") else {
        return Notify::default();
    };
    let mut email = Vec::new();
    for (address, span) in section.get("email").map(|node| reader.texts(node, "notify.email")).unwrap_or_default() {
        let good = address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
        if good && !address.chars().any(|c| c.is_whitespace() || c.is_control()) {
            email.push(address);
        } else {
            let message = format!("expected an address for 'notify.email', found {}", quoted(&address));
            reader.found.error(span, message, "write it as \"me@example.org\", several in a list".to_string());
        }
    }
    Notify { email, on: section.get("on").map(|node| reader.words(node, "notify.on", NOTIFY_ON)).unwrap_or_default() }
}

pub(super) fn rules(table: &Table, reader: &mut Reader<'_, '_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (rule, span) in reader.tables(table, "rule") {
        let hint = || "write when = \"val_error > 0.5 and epoch >= 3\" and do = \"stop\" below it".to_string();
        let when = rule.get("when").and_then(|node| reader.filled(node, "rule.when"));
        let after = rule.get("after").and_then(|node| reader.duration(node, "rule.after"));
        let hold = rule.get("for").and_then(|node| hold(node, reader));
        if rule.get("when").is_none() && rule.get("after").is_none() {
            reader.found.error(span, "this [[rule]] does not say when", hint());
        }
        let Some(node) = rule.get("do") else {
            reader.found.error(span, "this [[rule]] does not say what to do", hint());
            continue;
        };
        if let Some(action) = reader.word(node, "rule.do", RULE_ACTIONS) {
            rules.push(Rule { when, after, hold, action });
        }
    }
    rules
}

/// `3 epochs`, `500 steps` or a duration.
fn hold(node: &Node, reader: &mut Reader<'_, '_>) -> Option<String> {
    let text = reader.text(node, "rule.for")?;
    let (number, unit) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let counts = number.parse::<u64>().is_ok_and(|number| number > 0) && ["epoch", "epochs", "step", "steps"].contains(&unit.trim());
    if counts || Millis::parse(&text).is_some_and(|time| time.0 > 0) {
        return Some(text);
    }
    let message = format!("expected epochs, steps or a duration for 'rule.for', found {}", quoted(&text));
    reader.found.error(node.span, message, "write \"3 epochs\", \"500 steps\" or \"10 min\"".to_string());
    None
}
