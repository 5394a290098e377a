//! The specification beside a sheet: what its rows need to know of it before they are written down.

use crate::include::{Files, ReadFile};
use crate::params;
use crate::problem::{Problem, Problems};
use crate::source::{Found, Sources};
use crate::syntax;
use crate::template;
use crate::tree::{Node, Table, Tree};
use neronet_model::Value;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) struct Base {
    pub(super) path: String,
    /// The names of its parameters.
    pub(super) params: BTreeSet<String>,
    /// Those with a dot that are written as one key in quotes.
    pub(super) quoted: BTreeSet<String>,
    /// The names that its command has in braces; none without a command.
    pub(super) command: Option<BTreeSet<String>>,
    /// The names that all else refers to.
    pub(super) used: BTreeSet<String>,
    pub(super) objectives: BTreeSet<String>,
    /// It says which parameters vary together.
    pub(super) zips: bool,
}

impl Base {
    pub(super) fn read(path: &str, read_file: &ReadFile<'_>) -> Result<Base, Problems> {
        let failed = |message: String, hint: &str| Problems(vec![Problem::of_file(path, message, Some(hint))]);
        let text = read_file(Path::new(path)).map_err(|why| failed(why, "it stands beside the sheet, so it is the base of its runs"))?;
        let text = syntax::normal(&text);
        let mut found = Found::new(Sources::of_file(path, &text, &[]));
        let Some(table) = Files::new(read_file).tree(0, &mut Vec::new(), &mut found) else {
            return Err(Problems(found.finish().0));
        };
        if table.get("experiment").is_some() {
            let own = Path::new(path).with_file_name("NAME.toml").display().to_string();
            let hint = format!("what holds for the sheet alone goes into {own}, where NAME is the sheet's: it is taken instead");
            return Err(failed("it holds experiments of its own, and so do the rows of the sheet".to_string(), &hint));
        }
        let entries = table.table("params").map(|params| params::flatten(params, &found.sources)).unwrap_or_default();
        let whole_keys = table
            .table("params")
            .map(|params| params.entries.iter().map(|(key, _)| key.name.clone()).filter(|name| name.contains('.')).collect());
        let command = table.get("command").map(|node| {
            let mut names = BTreeSet::new();
            each_text(node, &mut |text| names.extend(template::names(text)));
            names
        });
        let mut used = BTreeSet::new();
        for (key, node) in &table.entries {
            let words = matches!(key.name.as_str(), "params" | "sweep" | "resources");
            match key.name.as_str() {
                "command" => {}
                // Expressions name parameters without braces.
                _ => each_text(node, &mut |text| {
                    used.extend(template::names(text));
                    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
                    used.extend(text.split(|c| !name(c)).filter(|word| words && template::is_name(word)).map(str::to_string));
                }),
            }
        }
        let mut objectives = BTreeSet::new();
        if let Some(node) = table.get("objective") {
            each_text(node, &mut |text| objectives.extend(text.split_whitespace().next().map(str::to_string)));
        }
        Ok(Base {
            path: path.to_string(),
            params: entries.into_iter().map(|entry| entry.name).collect(),
            quoted: whole_keys.unwrap_or_default(),
            command,
            used,
            objectives,
            zips: table.table("sweep").is_some_and(|sweep| sweep.get("zip").is_some()),
        })
    }

    pub(super) fn has_command(&self) -> bool {
        self.command.is_some()
    }
}

/// Every text below a node.
fn each_text(node: &Node, see: &mut impl FnMut(&str)) {
    match &node.tree {
        Tree::Scalar(Value::Str(text)) | Tree::Word(text) => see(text),
        Tree::List(items) => items.iter().for_each(|item| each_text(item, see)),
        Tree::Table(Table { entries, .. }) => entries.iter().for_each(|(_, node)| each_text(node, see)),
        _ => {}
    }
}
