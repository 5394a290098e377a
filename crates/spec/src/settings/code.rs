//! `[code]` and `[[file]]`: what lies in a run's work folder.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::problem::quoted;
use crate::read::Reader;
use crate::source::Span;
use crate::tree::{Node, Table, Tree};
use crate::wanted::{Wanted, What};
use neronet_model::Value;
use neronet_model::settings::{Code, FileEdit};
use std::collections::BTreeSet;

pub(super) fn code(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>, wanted: &mut Vec<Wanted>) -> Code {
    let Some(section) = reader.section(table, "code") else {
        return Code::default();
    };
    let directory = section.get("directory").and_then(|node| {
        let path = reader.path(node, "code.directory")?;
        let mut depth = 0_i64;
        let inside = !path.starts_with('/')
            && path.split('/').all(|part| {
                depth += match part {
                    "" | "." => 0,
                    ".." => -1,
                    _ => 1,
                };
                depth >= 0
            });
        if !inside {
            reader.found.error(
                node.span,
                format!("expected a folder below the specification's for 'code.directory', found {}", quoted(&path)),
                "only what is in the snapshot exists where a run works; write it relative, as \"experiments\"".to_string(),
            );
        }
        if inside {
            wanted.push(Wanted::new(What::Directory(path.clone()), node.span, reader.found));
        }
        inside.then_some(path)
    });
    let links = section.get("link").map(|node| reader.paths(node, "code.link")).unwrap_or_default();
    wanted.extend(links.iter().map(|(path, span)| Wanted::new(What::Link(path.clone()), *span, reader.found)));
    let links = links.into_iter().map(|(path, _)| path).collect();
    let in_place = section.get("in_place").and_then(|node| reader.flag(node, "code.in_place")).unwrap_or_default();
    let build = section.get("build").and_then(|node| {
        let text = reader.filled(node, "code.build")?;
        written.push(Written::new(Part::Build, Style::Shell, &text, node.span));
        Some(text)
    });
    let commit = section.get("commit").and_then(|node| {
        let commit = commit(node, in_place, reader).filter(|commit| !commit.is_empty())?;
        wanted.push(Wanted::new(What::Commit(commit.clone()), node.span, reader.found));
        Some(commit)
    });
    Code { directory, link: links, in_place, build, commit }
}

/// What is given to git must be no option of it, and no more than one commit. An empty text is the work tree.
fn commit(node: &Node, in_place: bool, reader: &mut Reader<'_, '_>) -> Option<String> {
    let text = reader.text(node, "code.commit")?;
    let is_one = text.len() <= 200
        && !text.contains("..")
        && !text.starts_with(['-', '/', '@', '^', '~', '+'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./+@^~-".contains(c));
    if !is_one {
        let hint = "write its hash, a tag or a branch: 3f2c1a0".to_string();
        reader.found.error(node.span, format!("{} is no commit", quoted(&text)), hint);
        return None;
    }
    if in_place && !text.is_empty() {
        let message = "a commit is checked out into copies of the runs' own, and in_place = true has them run in the work tree itself";
        reader.found.error(node.span, message, "leave one of the two out".to_string());
        return None;
    }
    Some(text)
}

/// The configuration files. No two of them are written to the same place.
pub(super) fn files(
    table: &Table,
    code: &Code,
    reader: &mut Reader<'_, '_>,
    written: &mut Vec<Written>,
    wanted: &mut Vec<Wanted>,
) -> Vec<FileEdit> {
    let mut files: Vec<FileEdit> = Vec::new();
    for (file, span) in reader.tables(table, "file") {
        let Some((edit, source, destination)) = file_edit(file, span, reader, written) else { continue };
        wanted.push(Wanted::new(What::Template(edit.source().to_string()), source, reader.found));
        if files.iter().any(|known| known.destination() == edit.destination()) {
            let message = format!("{} is written twice", quoted(edit.destination()));
            reader.found.error(
                destination,
                message,
                "each [[file]] needs a place of its own; one with the same id replaces another".to_string(),
            );
        }
        let same = edit.source() == edit.destination();
        if same && matches!(edit, FileEdit::Template { .. }) {
            reader.found.error(destination, "the template would be written over", "give the result another name".to_string());
        } else if same && code.in_place {
            let message = "with in_place = true this would change your own file";
            reader.found.error(destination, message, "write the result elsewhere: to = \"run-config.yaml\"".to_string());
        }
        files.push(edit);
    }
    files
}

/// What a `[[file]]` says, where its source is named, and where its destination is.
fn file_edit(file: &Table, span: Span, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<(FileEdit, Span, Span)> {
    let path = |name: &str, reader: &mut Reader<'_, '_>| {
        let node = file.get(name)?;
        Some((reader.inner_path(node, &format!("file.{name}")), node.span))
    };
    let hint = "write template = \"solver.in\" with to = \"solver.txt\", or edit = \"config.yaml\" with set = { \"optim.lr\" = \"{lr}\" }"
        .to_string();
    let (template, edit, to) = (path("template", reader), path("edit", reader), path("to", reader));
    match (template, edit) {
        (Some((template, source)), None) => {
            if let Some((key, _)) = file.entry("set") {
                reader.found.error(key.span, "'set' belongs to a [[file]] with 'edit'", hint);
                return None;
            }
            let Some((to, destination)) = to else {
                reader.found.error(
                    source,
                    "this [[file]] does not say where the result goes",
                    "write to = \"solver.txt\" below it".to_string(),
                );
                return None;
            };
            Some((FileEdit::Template { template: template?, to: to? }, source, destination))
        }
        (None, Some((edit, source))) => {
            let Some(node) = file.get("set") else {
                reader.found.error(
                    source,
                    "this [[file]] does not say what to set",
                    "write set = { \"optim.lr\" = \"{lr}\" } below it".to_string(),
                );
                return None;
            };
            let set = values(node, reader, written)?;
            let edit = edit?;
            if !["yaml", "yml", "json", "toml", "ini", "cfg", "conf"].iter().any(|ending| edit.ends_with(&format!(".{ending}"))) {
                let hint = "its name ends in .yaml, .yml, .json, .toml, .ini, .cfg or .conf; any other file can be a template".to_string();
                reader.found.error(source, format!("{} is no YAML, JSON, TOML or INI file", quoted(&edit)), hint);
                return None;
            }
            match to {
                Some((to, destination)) => Some((FileEdit::Edit { edit, set, to: Some(to?) }, source, destination)),
                None => Some((FileEdit::Edit { edit, set, to: None }, source, source)),
            }
        }
        (Some(_), Some((_, second))) => {
            reader.found.error(second, "a [[file]] has a template or is edited, not both", hint);
            None
        }
        (None, None) => {
            reader.found.error(span, "this [[file]] says neither 'template' nor 'edit'", hint);
            None
        }
    }
}

/// The values of `set`, tables as dotted paths.
fn values(node: &Node, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Vec<(String, Value)>> {
    let Tree::Table(table) = &node.tree else {
        reader.wrong(node, "a table", "file.set", Some("write set = { \"optim.lr\" = \"{lr}\" }".to_string()));
        return None;
    };
    if table.entries.is_empty() {
        reader.found.error(node.span, "'file.set' is empty", "say what to set: set = { \"optim.lr\" = \"{lr}\" }".to_string());
        return None;
    }
    let mut set = Vec::new();
    collect(table, "", reader, written, &mut BTreeSet::new(), &mut set);
    Some(set)
}

fn collect(
    table: &Table,
    before: &str,
    reader: &mut Reader<'_, '_>,
    written: &mut Vec<Written>,
    seen: &mut BTreeSet<String>,
    set: &mut Vec<(String, Value)>,
) {
    for (key, node) in &table.entries {
        let path = format!("{before}{}", key.name);
        if key.name.is_empty() || path.chars().any(char::is_control) || path.split('.').any(str::is_empty) {
            reader.found.error(
                key.span,
                format!("{} is no path in a file", quoted(&path)),
                "join names by single dots, as \"optim.lr\"".to_string(),
            );
        } else if let Tree::Table(inner) = &node.tree {
            collect(inner, &format!("{path}."), reader, written, seen, set);
        } else if !seen.insert(path.clone()) {
            reader.found.error(key.span, format!("{} is set twice", quoted(&path)), "take one of them out".to_string());
        } else if let Some(value) = value(node, reader, written) {
            set.push((path, value));
        }
    }
}

fn value(node: &Node, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Value> {
    let mut template = |text: &str| {
        written.push(Written::new(Part::File, Style::Word, text, node.span));
        Some(Value::Str(text.to_string()))
    };
    match &node.tree {
        Tree::Word(word) => match Value::as_word(word) {
            Value::Str(text) => template(&text),
            value => Some(value),
        },
        Tree::Scalar(Value::Str(text)) | Tree::Date(text) => template(text),
        Tree::Scalar(value) => Some(value.clone()),
        Tree::List(items) => items.iter().map(|item| value(item, reader, written)).collect::<Option<_>>().map(Value::List),
        Tree::Table(_) => {
            reader.wrong(node, "a value", "file.set", Some("values are booleans, numbers, texts and lists of these".to_string()));
            None
        }
    }
}
