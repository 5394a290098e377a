//! Texts that take no placeholders. What looks like one there would be taken as it stands: a glob has `{a,b}` of its own, and
//! to a shell braces are braces.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::tree::{Node, Table, Tree};
use crate::{template, variable};
use std::ops::Range;

/// A section and its keys; those that hold globs first.
const GLOBS: [(&str, &str, &str); 4] = [
    ("checkpoints", "paths", "checkpoints.paths"),
    ("metrics", "files", "metrics.files"),
    ("metrics", "tensorboard", "metrics.tensorboard"),
    ("outputs", "keep", "outputs.keep"),
];
/// What a run is told of itself in its environment.
const OWN: [(&str, &str); 3] = [("run.id", "NERONET_RUN"), ("run.dir", "NERONET_RUN_DIR"), ("run.seed", "NERONET_SEED")];
pub(crate) const SETUP: &str = "environment.setup";
const OTHERS: [(&str, &str, &str); 4] = [
    ("environment", "setup", SETUP),
    ("environment", "python", "environment.python"),
    ("code", "directory", "code.directory"),
    ("code", "link", "code.link"),
];
const OF_FILES: [(&str, &str); 3] = [("template", "file.template"), ("edit", "file.edit"), ("to", "file.to")];

pub(crate) fn written(table: &Table) -> Vec<Written> {
    let mut nodes: Vec<(&'static str, &Node)> = Vec::new();
    for (section, key, name) in GLOBS.into_iter().chain(OTHERS) {
        nodes.extend(table.table(section).and_then(|section| Some((name, section.get(key)?))));
    }
    if let Some(Tree::List(files)) = table.get("file").map(|node| &node.tree) {
        for file in files {
            let Tree::Table(file) = &file.tree else { continue };
            nodes.extend(OF_FILES.into_iter().filter_map(|(key, name)| Some((name, file.get(key)?))));
        }
    }
    let texts = nodes.into_iter().flat_map(|(name, node)| node.texts().into_iter().map(move |(text, span)| (name, text, span)));
    texts.map(|(name, text, span)| Written::new(Part::Literal(name), Style::Word, text, span)).collect()
}

/// What to write where a placeholder would not be filled in.
pub(crate) fn instead(key: &str, text: &str, hole: &Range<usize>, params: &[&str]) -> String {
    let name = template::name(text, hole);
    if GLOBS.iter().any(|(.., glob)| *glob == key) {
        return format!("write \"{}*{}\"", text[..hole.start].trim_end_matches('*'), text[hole.end..].trim_start_matches('*'));
    }
    let own = OWN.iter().find(|(known, _)| *known == name).map(|(_, variable)| variable.to_string());
    let variable = own.or_else(|| params.contains(&name).then(|| variable(name)));
    if key == SETUP
        && let Some(variable) = variable
    {
        return format!("write ${variable}, which every run has in its environment");
    }
    "it is the same for all runs; what depends on a run belongs in the command".to_string()
}
