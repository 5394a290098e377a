//! Every key of the language: which ones this version carries out, and what becomes of the others.
//! Nothing is ignored in silence: a key that would change which runs exist or what they execute is an error until it is
//! carried out, any other is a warning.

use crate::problem::quoted;
use crate::source::Found;
use crate::suggest::did_you_mean;
use crate::tree::{Node, Table, Tree};

struct Section {
    name: &'static str,
    now: &'static [&'static str],
    /// Known, not carried out, harmless to leave out.
    later: &'static [&'static str],
    /// Known, not carried out, and without them other runs would start.
    refused: &'static [&'static str],
}

const TOP: Section = Section {
    name: "",
    now: &[
        "project",
        "name",
        "command",
        "objective",
        "params",
        "sweep",
        "flags",
        "environment",
        "env",
        "code",
        "metrics",
        "checkpoints",
        "resume",
        "resources",
        "stop",
        "experiment",
        "include_self",
        "include",
        "unset",
    ],
    later: &["target", "outputs", "rule", "retry", "notify", "on"],
    refused: &["secrets", "inputs", "file", "then", "after", "match"],
};

#[rustfmt::skip]
const SECTIONS: [Section; 10] = [
    Section { name: "sweep", now: &["parallel", "zip", "only_if", "samples", "seed"], later: &[], refused: &[] },
    Section { name: "flags", now: &["bool", "list", "dashes"], later: &[], refused: &[] },
    Section { name: "environment", now: &["setup", "python", "shell"], later: &[], refused: &[] },
    Section { name: "code", now: &["directory", "link", "in_place"], later: &[], refused: &["build"] },
    Section { name: "metrics", now: &["patterns", "ignore", "files"], later: &["tensorboard"], refused: &[] },
    Section { name: "checkpoints", now: &["paths", "keep"], later: &["fetch", "signal"], refused: &[] },
    Section { name: "checkpoints.keep", now: &["best", "last"], later: &[], refused: &[] },
    Section { name: "resume", now: &["arguments", "command", "automatic"], later: &[], refused: &[] },
    Section {
        name: "resources",
        now: &["time"],
        later: &["cpus", "gpus", "gpu_memory", "memory", "disk", "slot"],
        refused: &[],
    },
    Section { name: "stop", now: &["signal", "grace"], later: &["before"], refused: &[] },
];

impl Section {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.now.iter().chain(self.later).chain(self.refused).copied()
    }
}

/// Whether a dotted path begins as a key of the language does: `resources.time`, but not `name.first`.
pub(crate) fn is_setting(path: &[String]) -> bool {
    let [first, rest @ ..] = path else { return false };
    let is_table = first == "env" || SECTIONS.iter().any(|section| section.name == first);
    let here = TOP.now.contains(&first.as_str());
    TOP.all().any(|key| key == first) && (rest.is_empty() || is_table || !here)
}

pub(crate) fn top() -> impl Iterator<Item = &'static str> {
    TOP.now.iter().copied()
}

/// Checks every key of a file, experiments included.
pub(crate) fn check(table: &Table, found: &mut Found<'_>) {
    level(table, false, found);
    experiments(table, found);
}

/// Checks the keys of what stands in `[[experiment]]`, at any depth.
fn experiments(table: &Table, found: &mut Found<'_>) {
    for (_, node) in table.entries.iter().filter(|(key, _)| key.name == "experiment") {
        let Tree::List(items) = &node.tree else {
            found.error(
                node.span,
                format!("expected [[experiment]], found {}", node.kind()),
                "each experiment begins with a line [[experiment]], in double brackets".to_string(),
            );
            continue;
        };
        for item in items {
            match &item.tree {
                Tree::Table(experiment) => {
                    level(experiment, true, found);
                    experiments(experiment, found);
                }
                _ => found.error(item.span, format!("expected [[experiment]], found {}", item.kind()), None),
            }
        }
    }
}

/// Checks one level that holds an experiment's keys: the top of the file, or an `[[experiment]]`.
pub(crate) fn level(table: &Table, in_experiment: bool, found: &mut Found<'_>) {
    for (key, node) in &table.entries {
        let name = key.name.as_str();
        match name {
            "project" | "include" if in_experiment => {
                found.error(key.span, format!("'{name}' belongs to the top of the file, not to an [[experiment]]"), None);
            }
            "unset" | "after" | "match" if !in_experiment => {
                found.error(key.span, format!("'{name}' belongs to an [[experiment]]"), None);
            }
            _ => one(&TOP, name, key.span, node, found),
        }
        let Tree::Table(inner) = &node.tree else { continue };
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            continue;
        };
        for (key, node) in &inner.entries {
            one(section, &key.name, key.span, node, found);
            let path = format!("{name}.{}", key.name);
            if let (Some(deeper), Tree::Table(table)) = (SECTIONS.iter().find(|section| section.name == path), &node.tree) {
                for (key, node) in &table.entries {
                    one(deeper, &key.name, key.span, node, found);
                }
            }
        }
    }
}

fn one(section: &Section, name: &str, span: crate::source::Span, node: &Node, found: &mut Found<'_>) {
    let place = if section.name.is_empty() { String::new() } else { format!(" in [{}]", section.name) };
    if section.now.contains(&name) || found.is_full() {
        return;
    }
    if section.refused.contains(&name) {
        let hint = "what it asks for would be left out, so nothing is started".to_string();
        found.error(span, format!("'{name}'{place} is known, but not carried out by this version"), hint);
    } else if section.later.contains(&name) {
        found.warning(span, format!("'{name}'{place} is known, but not carried out by this version; it is left out"), None);
    } else {
        found.error(span, format!("unknown key {}{place}", quoted(name)), unknown(section, name, node));
    }
}

/// What may have been meant: a near word here, the right word in another place, or a parameter.
fn unknown(section: &Section, name: &str, node: &Node) -> Option<String> {
    if let Some(guess) = did_you_mean(name, section.all()) {
        return Some(guess);
    }
    if !section.name.is_empty() && TOP.all().any(|key| key == name) {
        return Some(format!("'{name}' belongs above the first [table], or in an [[experiment]]"));
    }
    if let Some(home) = SECTIONS.iter().find(|other| other.name != section.name && other.all().any(|key| key == name)) {
        return Some(format!("'{name}' is a key of [{}]", home.name));
    }
    if section.name.is_empty() && !matches!(node.tree, Tree::Table(_)) {
        return Some(format!("if it is a parameter, write it below [params], or as params.{name}"));
    }
    (!section.name.is_empty()).then(|| format!("[{}] knows {}", section.name, section.now.join(", ")))
}
