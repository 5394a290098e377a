//! `[environment]`, `[env]` and `[secrets]`: what the process finds around it.

use crate::check::{self, Style, Written};
use crate::fill::Part;
use crate::problem::quoted;
use crate::read::Reader;
use crate::scan;
use crate::source::Span;
use crate::tree::{Key, Node, Table, Tree};
use crate::wanted::{Wanted, What};
use neronet_model::Value;
use neronet_model::settings::{Environment, SecretSource};
use std::collections::BTreeSet;

/// The environment, and where each line of its setup stands.
pub(super) fn environment(table: &Table, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> (Environment, Vec<Span>) {
    let Some(section) = reader.section(table, "environment") else {
        return Default::default();
    };
    lines(section, "environment", reader, wanted)
}

/// The same of a table that has these keys among others; `of` is what it is called.
pub(super) fn lines(section: &Table, of: &str, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> (Environment, Vec<Span>) {
    let (of_shell, of_setup, of_python) = (format!("{of}.shell"), format!("{of}.setup"), format!("{of}.python"));
    let shell = section.get("shell").and_then(|node| {
        let shell = reader.filled(node, &of_shell)?;
        if scan::is_known(&shell) {
            wanted.push(Wanted::new(What::Shell(shell.clone()), node.span, reader.found));
            return Some(shell);
        }
        reader.found.error(
            node.span,
            format!("expected a shell of the Bourne family for '{of_shell}', found {}", quoted(&shell)),
            "bash, sh, dash, zsh, ksh, by name or by path; any other: write the command as a list, [\"fish\", \"-c\", …]".to_string(),
        );
        None
    });
    let ansi = shell.as_deref().is_none_or(scan::knows_ansi);
    let setup = section.get("setup").map(|node| reader.texts(node, &of_setup)).unwrap_or_default();
    setup.iter().for_each(|(line, span)| check::setup_line(line, *span, ansi, reader.found));
    let (setup, spans) = setup.into_iter().unzip();
    let python = section.get("python").and_then(|node| {
        let python = reader.path(node, &of_python)?;
        wanted.push(Wanted::new(What::Python(python.clone()), node.span, reader.found));
        Some(python)
    });
    (Environment { setup, python, shell }, spans)
}

pub(super) fn env(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Vec<(String, String)> {
    let Some(section) = reader.section(table, "env") else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, node) in &section.entries {
        let name = key.name.as_str();
        variable(key, reader);
        if let Some(value) = reader.written_scalar(node, &format!("env.{name}")) {
            if let Some(meant) = left_to_a_shell(&value) {
                let hint = format!("write `export {name}={value}` as a line of setup below [environment]");
                let message = format!("{} is taken as it is written: no shell reads the values of [env]", quoted(meant));
                reader.found.warning(node.span, message, hint);
            }
            written.push(Written::new(Part::Env, Style::Word, &value, node.span));
            env.push((key.name.clone(), value));
        }
    }
    env
}

/// `$NAME`, `${NAME}` or a `~` at the beginning, which only a shell would fill in.
fn left_to_a_shell(value: &str) -> Option<&str> {
    if value == "~" || value.starts_with("~/") {
        return Some("~");
    }
    value.match_indices('$').find_map(|(at, _)| {
        let name = value[at + 1..].trim_start_matches('{');
        let end = value.len() - name.len() + name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let end = match &value[at + 1..value.len() - name.len()] {
            "" => end,
            "{" if value[end..].starts_with('}') => end + 1,
            _ => return None,
        };
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then(|| &value[at..end])
    })
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Says what is wrong with the name of a variable.
fn variable(key: &Key, reader: &mut Reader<'_, '_>) {
    let name = key.name.as_str();
    if !is_variable(name) {
        let hint = "letters, digits and _, not beginning with a digit".to_string();
        reader.found.error(key.span, format!("{} cannot be the name of a variable", quoted(name)), hint);
    } else if name.starts_with("NERONET_") {
        reader.found.error(
            key.span,
            format!("{name}: the variables NERONET_… are set by neronet itself"),
            "give the variable another name".to_string(),
        );
    }
}

/// Where secrets come from. What is written here may be one by mistake, so nothing of it is repeated.
pub(super) fn secrets(
    table: &Table,
    env: &[(String, String)],
    reader: &mut Reader<'_, '_>,
    wanted: &mut Vec<Wanted>,
) -> Vec<(String, SecretSource)> {
    let mut secrets = Vec::new();
    let variables: BTreeSet<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
    for (key, node) in reader.section(table, "secrets").map(|section| section.entries.as_slice()).unwrap_or_default() {
        variable(key, reader);
        let name = key.name.as_str();
        if variables.contains(name) {
            reader.found.error(
                key.span,
                format!("{} stands in [env] and in [secrets]", quoted(name)),
                "take it out of one of them".to_string(),
            );
        }
        match source(name, node) {
            Some(source) => {
                wanted.push(Wanted::new(What::Secret(key.name.clone(), source.clone()), key.span, reader.found));
                secrets.push((key.name.clone(), source));
            }
            None => {
                let message = format!("the value of {} does not say where the secret comes from", quoted(name));
                let hint = "write \"env\", \"env:OTHER_NAME\", \"file:~/.wandb-key\" or \"command:pass show wandb\"; \
                            a secret itself does not belong in this file: if it stands here, take it out and have it replaced";
                reader.found.error_unseen(key.span, message, hint.to_string());
            }
        }
    }
    secrets
}

fn source(name: &str, node: &Node) -> Option<SecretSource> {
    let (Tree::Scalar(Value::Str(text)) | Tree::Word(text)) = &node.tree else { return None };
    let (way, rest) = text.split_once(':').map_or((text.as_str(), None), |(way, rest)| (way, Some(rest)));
    match (way, rest) {
        ("env", None) => Some(SecretSource::Env(name.to_string())),
        ("env", Some(other)) if is_variable(other) => Some(SecretSource::Env(other.to_string())),
        ("file", Some(path)) if !path.trim().is_empty() && !path.contains(['\n', '\0']) => {
            Some(SecretSource::File(path.trim().to_string()))
        }
        ("command", Some(command)) if !command.trim().is_empty() && !command.contains('\0') => {
            Some(SecretSource::Command(command.trim().to_string()))
        }
        _ => None,
    }
}
