//! What a run executes: its command, how it goes on, the steps behind it.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::problem::quoted;
use crate::read::Reader;
use crate::source::Span;
use crate::suggest::nearest;
use crate::tree::{Node, Table, Tree};
use crate::{keys, name, template};
use neronet_model::settings::{Command, Resume, Step};

pub(super) fn no_command(table: &Table, header: Span, reader: &mut Reader<'_, '_>) {
    // In TOML a key behind a [table] belongs to it: the commonest way to lose a command.
    let lost = table.entries.iter().find_map(|(section, node)| match &node.tree {
        Tree::Table(inner) if section.name != "resume" => inner.entry("command").map(|(key, _)| (section.name.clone(), key.span)),
        _ => None,
    });
    match lost {
        Some((section, span)) => reader.found.error(
            span,
            format!("no command: this one belongs to [{section}]"),
            "in TOML a key belongs to the [table] above it; move the command up, before the first [table]".to_string(),
        ),
        // A key that was meant to be it is told as unknown.
        None if table.entries.iter().any(|(key, _)| nearest(&key.name, keys::top()) == Some("command")) => {}
        None => reader.found.error(header, "no command", "say what to run: command = \"python train.py {flags}\"".to_string()),
    }
}

/// A command: one string for the shell, or a list of arguments.
pub(super) fn command(node: &Node, key: &str, part: Part, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Command> {
    let mut note = |style, text: &str, span| {
        written.push(Written::new(part, style, text, span));
    };
    if let Tree::List(items) = &node.tree {
        if items.is_empty() {
            reader.found.error(
                node.span,
                format!("'{key}' is an empty list: there is nothing to run"),
                "write the program and its arguments: [\"python\", \"train.py\"]".to_string(),
            );
            return None;
        }
        let mut words = Vec::new();
        for item in items {
            // An argument such as 3 or 0.1 may be written without quotes.
            let word = reader.written_scalar(item, key)?;
            note(Style::Word, &word, item.span);
            words.push(word);
        }
        if words[0].is_empty() {
            reader.found.error(
                items[0].span,
                "the name of the program is empty",
                "the first element names the program, as \"python\"".to_string(),
            );
        }
        return Some(Command::Argv(words));
    }
    let text = reader.text(node, key)?;
    if text.trim().is_empty() {
        reader.found.error(node.span, format!("'{key}' is empty"), "say what to run: command = \"python train.py {flags}\"".to_string());
        return None;
    }
    note(Style::Shell, &text, node.span);
    Some(Command::Shell(text))
}

pub(super) fn resume(table: &Table, shell: bool, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Resume> {
    let resume = reader.section(table, "resume")?;
    let (key, node) = table.entry("resume")?;
    let ways: Vec<_> =
        resume.entries.iter().filter(|(key, _)| ["arguments", "command", "automatic"].contains(&key.name.as_str())).collect();
    let hint = "one of: arguments = \"--resume {checkpoint}\", command = \"python resume.py {checkpoint}\", automatic = true".to_string();
    let (way, value) = match ways.as_slice() {
        [] => {
            let span = if key.span.source == node.span.source { node.span } else { key.span };
            reader.found.error(span, "[resume] does not say how a run goes on", hint);
            return None;
        }
        [way] => (way.0.name.as_str(), &way.1),
        [_, second, ..] => {
            reader.found.error(second.0.span, format!("[resume] takes exactly one way, and has {}", ways.len()), hint);
            return None;
        }
    };
    match way {
        "arguments" => {
            let text = reader.filled(value, "resume.arguments")?;
            if !template::names(&text).iter().any(|name| matches!(name.as_str(), "checkpoint" | "checkpoint.best")) {
                let hint = "write it as in arguments = \"--resume {checkpoint}\", unless the script reads $NERONET_RESUME_FROM".to_string();
                reader.found.warning(value.span, "these arguments do not say {checkpoint}, so the script is not told where to go on", hint);
            }
            let style = if shell { Style::Shell } else { Style::Arguments };
            written.push(Written::new(Part::Resume, style, &text, value.span));
            Some(Resume::Arguments(text))
        }
        "command" => command(value, "resume.command", Part::Resume, reader, written).map(Resume::Command),
        _ => match reader.flag(value, "resume.automatic")? {
            true => Some(Resume::Automatic),
            false => {
                reader.found.error(value.span, "automatic = false says nothing", "leave the [resume] table out".to_string());
                None
            }
        },
    }
}

/// The steps behind the command. Each has a name of its own.
pub(super) fn then(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (step, span) in reader.tables(table, "then") {
        let Some(node) = step.get("command") else {
            reader.found.error(
                span,
                "a [[then]] without a command",
                "say what it runs: command = \"python eval.py {checkpoint}\"".to_string(),
            );
            continue;
        };
        let named = step.get("name").and_then(|node| Some((reader.text(node, "then.name")?, node.span)));
        let Some(command) = command(node, "then.command", Part::Step(steps.len()), reader, written) else { continue };
        let (name, span) = named.unwrap_or_else(|| (name::of_command(&command), node.span));
        if let Some(why) = name::refusal(&name) {
            reader.found.error(
                span,
                format!("{} cannot be the name of a step: {why}", quoted(&name)),
                "a short word, such as evaluate".to_string(),
            );
        } else if steps.iter().any(|step| step.name == name) {
            let hint = "give each a name of its own: name = \"…\"".to_string();
            reader.found.error(span, format!("two steps are called {}", quoted(&name)), hint);
        }
        steps.push(Step { name, command });
    }
    steps
}
