//! `[metrics]`, `objective` and `[flags]`: what goes into a run as parameters and comes out of it as numbers.

use crate::keys::{BOOL_STYLES, LIST_STYLES};
use crate::problem::quoted;
use crate::read::Reader;
use crate::tree::Table;
use neronet_model::settings::{Flags, Goal, Metrics, Objective};

pub(super) fn flags(table: &Table, reader: &mut Reader<'_, '_>) -> Flags {
    let Some(flags) = reader.section(table, "flags") else {
        return Flags::default();
    };
    Flags {
        bool_style: flags.get("bool").and_then(|node| reader.word(node, "flags.bool", BOOL_STYLES)).unwrap_or_default(),
        list_style: flags.get("list").and_then(|node| reader.word(node, "flags.list", LIST_STYLES)).unwrap_or_default(),
        dashes: flags.get("dashes").and_then(|node| reader.flag(node, "flags.dashes")).unwrap_or_default(),
    }
}

pub(super) fn objectives(table: &Table, reader: &mut Reader<'_, '_>) -> Vec<Objective> {
    let Some(node) = table.get("objective") else { return Vec::new() };
    let mut objectives: Vec<Objective> = Vec::new();
    for (text, span) in reader.texts(node, "objective") {
        let goal = |word: &str| match word.to_lowercase().as_str() {
            "min" | "minimize" | "minimise" => Some(Goal::Min),
            "max" | "maximize" | "maximise" => Some(Goal::Max),
            _ => None,
        };
        let parts = text.trim().rsplit_once(char::is_whitespace);
        match parts.and_then(|(metric, word)| Some((metric.trim(), goal(word)?))) {
            Some((metric, _)) if objectives.iter().any(|known| known.metric == metric) => {
                reader.found.error(span, format!("the objective {} is there twice", quoted(metric)), "take one of them out".to_string());
            }
            Some((metric, goal)) => objectives.push(Objective { metric: metric.to_string(), goal }),
            None => reader.found.error(span, format!("expected a metric and min or max for 'objective', found {}", quoted(&text)), {
                let metric = text.split_whitespace().next().unwrap_or("val_error");
                format!("write \"{metric} min\" where less is better, \"{metric} max\" where more is")
            }),
        }
    }
    objectives
}

pub(super) fn metrics(table: &Table, reader: &mut Reader<'_, '_>) -> Metrics {
    let Some(section) = reader.section(table, "metrics") else {
        return Metrics::default();
    };
    let mut patterns = Vec::new();
    for (pattern, span) in section.get("patterns").map(|node| reader.texts(node, "metrics.patterns")).unwrap_or_default() {
        match regex::Regex::new(&pattern) {
            Ok(regex) if regex.capture_names().flatten().next().is_none() => reader.found.error(
                span,
                "the pattern has no named group, so nothing would be read",
                r"name what is to be read: 'Loss: (?<loss>\S+)'".to_string(),
            ),
            Ok(_) => patterns.push(pattern),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().next_back().unwrap_or("").trim_start_matches("error: ");
                let hint = "look-around and back references do not exist here; in TOML a pattern stands best in single quotes";
                reader.found.error(span, format!("the pattern cannot be read: {last}"), hint.to_string());
            }
        }
    }
    let names = section.get("ignore").map(|node| reader.texts(node, "metrics.ignore")).unwrap_or_default();
    Metrics {
        patterns,
        ignore: names.into_iter().map(|(name, _)| name).collect(),
        files: section
            .get("files")
            .map(|node| reader.globs(node, "metrics.files"))
            .unwrap_or_default()
            .into_iter()
            .map(|(glob, _)| glob)
            .collect(),
        tensorboard: section
            .get("tensorboard")
            .map(|node| reader.globs(node, "metrics.tensorboard"))
            .unwrap_or_default()
            .into_iter()
            .map(|(glob, _)| glob)
            .collect(),
    }
}
