//! What to say of a path that leads nowhere: how far it led, and what was probably meant.

use crate::find::{Lost, Why, leads};
use crate::mistake::{Mistake, Refusal, quoted};
use crate::path::{Form, Path, Step, shown};
use crate::tree::{Kind, Node, Table};

/// Names of a table that a hint lists.
const LISTED: usize = 8;
/// Names that are compared, and values that are looked at, for one hint.
const COMPARED: usize = 20_000;

impl Lost<'_> {
    pub(crate) fn mistake(self, root: &Node, path: &str, parsed: &Path, text: &str, hinted: bool) -> Mistake {
        let way = written(&self.way);
        let steps = &parsed.steps[self.steps..];
        let here = if way.is_empty() { "the file".to_string() } else { quoted(&way) };
        let next = steps.first().map_or("", |step| step.name.as_str());
        let refusal = match (&self.why, &self.at.kind) {
            (Why::Ambiguous, _) => Refusal::new(format!("{} can be read in several ways", quoted(path)))
                .hint("put names that have dots in quotes: '\"a.b\".c'"),
            (_, Kind::Alias) => {
                Refusal::new(format!("{} leads through the alias {here}: its values belong to other places too", quoted(path)))
                    .hint("set them where the anchor is, or write the table out in place of the alias")
            }
            (_, Kind::Table(table)) if table.entries.contains_key("<<") && self.at.locked == Some(MERGES) => {
                Refusal::new(format!("there is no {} of its own: what comes in by '<<' belongs to other places too", quoted(path)))
                    .hint(format!("write {} into {here} in the file, or set it where the anchor is", quoted(next)))
            }
            (_, Kind::Table(table)) => {
                let refusal = Refusal::new(format!("there is no {}", quoted(path)));
                match hinted.then(|| meant(root, &self.way, table, steps)).flatten() {
                    Some(hint) => refusal.hint(hint),
                    None => refusal,
                }
            }
            (_, Kind::List(items)) if steps.first().is_some_and(|step| step.form != Form::Quoted && step.name.parse::<u64>().is_ok()) => {
                let count = match items.len() {
                    0 => "no elements".to_string(),
                    1 => "one element, number 0".to_string(),
                    count => format!("{count} elements, 0 to {}", count - 1),
                };
                Refusal::new(format!("there is no {}: {here} has {count}", quoted(path)))
            }
            (_, Kind::List(_)) => Refusal::new(format!("there is no {}: {here} is a list", quoted(path)))
                .hint(format!("elements have numbers: '{}'", if way.is_empty() { "0".to_string() } else { format!("{way}.0") })),
            (_, Kind::Scalar(_)) => Refusal::new(format!("there is no {}: {here} is a single value", quoted(path))),
        };
        refusal.at(path, text, if way.is_empty() { 0 } else { self.at.slot.start })
    }
}

/// Marks a table that takes values from elsewhere by `<<`. Tables are never replaced, so nothing else is said by it.
pub(crate) const MERGES: &str = "it takes values from elsewhere by '<<'";

fn written(way: &[String]) -> String {
    way.iter().map(|key| shown(key)).collect::<Vec<_>>().join(".")
}

fn meant(root: &Node, way: &[String], table: &Table, steps: &[Step]) -> Option<String> {
    let next = &steps.first()?.name;
    let full = |names: &[&str]| {
        let way = way.iter().map(|key| shown(key));
        way.chain(names.iter().map(|name| shown(name))).collect::<Vec<_>>().join(".")
    };
    let keys = || table.entries.keys().map(String::as_str).take(COMPARED);
    if let Some(near) = nearest(next, keys()) {
        let mut names = vec![near];
        names.extend(steps[1..].iter().map(|step| step.name.as_str()));
        let whole = full(&names);
        return Some(did_you_mean(&[if leads(root, &whole) { whole } else { full(&[near]) }]));
    }
    let mut places = Vec::new();
    let last = &steps.last()?.name;
    elsewhere(root, last, &mut Vec::new(), &mut places, &mut 0);
    if !places.is_empty() {
        return Some(did_you_mean(&places));
    }
    let mut listed: Vec<String> = keys().take(LISTED).map(shown).collect();
    if table.entries.len() > LISTED {
        listed.push("…".to_string());
    }
    match (listed.is_empty(), way.is_empty()) {
        (true, true) => Some("the file has no keys".to_string()),
        (true, false) => Some(format!("{} has no keys", quoted(&written(way)))),
        (false, true) => Some(format!("there is {}", listed.join(", "))),
        (false, false) => Some(format!("{} has {}", quoted(&written(way)), listed.join(", "))),
    }
}

fn did_you_mean(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
    format!("did you mean {}?", quoted.join(" or "))
}

/// The first paths that end with the key `last`.
fn elsewhere(node: &Node, last: &str, way: &mut Vec<String>, places: &mut Vec<String>, seen: &mut usize) {
    *seen += 1;
    if *seen > COMPARED || places.len() >= 3 {
        return;
    }
    match &node.kind {
        Kind::Table(table) => {
            for (key, value) in &table.entries {
                way.push(key.clone());
                if key == last {
                    places.push(written(way));
                }
                elsewhere(value, last, way, places, seen);
                way.pop();
            }
        }
        Kind::List(items) => {
            for (index, value) in items.iter().enumerate() {
                way.push(index.to_string());
                elsewhere(value, last, way, places, seen);
                way.pop();
            }
        }
        _ => {}
    }
}

/// The candidate nearest to `word`, if one is near enough to be worth a guess.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // What is that long was not mistyped, and comparing costs the square of the length.
    if word.chars().count() > 60 {
        return None;
    }
    let low = word.to_lowercase();
    let reach = (low.chars().count() / 3).max(1);
    candidates
        .filter(|candidate| *candidate != word && candidate.len() <= 100)
        .map(|candidate| (strsim::osa_distance(&low, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= reach && *distance < low.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
