//! From the tree of a file, or from the words of a command line, to a plan.

use crate::params::{self, Entry};
use crate::problem::quoted;
use crate::read::Reader;
use crate::set::{self, Change};
use crate::source::{Found, Sources, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Key, Node, Table, Tree};
use crate::{Experiment, Plan, Problems, check, keys, name, settings, syntax, template};
use neronet_model::Value;
use neronet_model::journal::SpecSource;

/// What one specification may hold; more is a slip of the pen.
const MOST_EXPERIMENTS: usize = 1000;

/// Values times experiments that inherit them.
const MOST_INHERITED: usize = 5_000_000;

/// An experiment as written.
struct Draft<'t> {
    shared: &'t Table,
    /// What an `[[experiment]]` says of its own.
    own: Option<&'t Table>,
    /// Where it is named, or begins.
    span: Span,
    /// None where a name must be made up.
    name: Option<String>,
}

impl Draft<'_> {
    /// All that holds for it. Made when it is needed: a thousand copies of what they share would be large.
    fn table(&self) -> Table {
        match self.own {
            Some(own) => self.shared.merged(own),
            None => self.shared.clone(),
        }
    }
}

pub(crate) fn of_text(written: &str, path: &str, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    let text = written.strip_prefix('\u{feff}').unwrap_or(written).replace("\r\n", "\n");
    let sources = Sources::of_file(path, &text, set);
    let mut found = Found::new(&sources);
    let mut plan = Plan {
        project: None,
        experiments: Vec::new(),
        warnings: Vec::new(),
        source: Some(SpecSource { path: path.to_string(), text: written.to_string() }),
    };
    if let Some(at) = text.find('\0') {
        let span = Span::file(at..at + 1);
        found.error(span, "this is no text file: it holds a NUL byte", "a specification is a TOML file".to_string());
    } else if let Some(table) = syntax::read(&text, &mut found) {
        keys::check(&table, &mut found);
        let shared = table.without(&["experiment", "include_self"]);
        let drafts = drafts(&table, &shared, only, &mut found);
        read(&table, &drafts, set, &mut plan, &mut found);
    }
    finish(plan, found)
}

pub(crate) fn of_words(words: &[String], set: &[String]) -> Result<Plan, Problems> {
    let joined = words.join(" ");
    let sources = Sources::of_words("the command", &joined, set);
    let mut found = Found::new(&sources);
    let mut plan = Plan { project: None, experiments: Vec::new(), warnings: Vec::new(), source: None };
    if words.is_empty() {
        found.error(Span::START, "no command", "write it behind --, as in -- python train.py --lr 0.1".to_string());
        return finish(plan, found);
    }
    let named: Vec<String> = words.iter().flat_map(|word| template::names(word)).collect();
    let changes = set::read(set, &named, true, &mut found);
    let mut entries = Vec::new();
    changes.iter().for_each(|change| change.apply_to_params(&mut entries, true));
    let known = |name: &str| entries.iter().any(|entry: &Entry| entry.name == name) || matches!(name, "run.id" | "run.dir" | "run.seed");
    let mut start = 0;
    let arguments = words.iter().map(|word| {
        let span = Span::file(start..start + word.len());
        start += word.len() + 1;
        let whole = matches!(word.as_str(), "{flags}" | "{overrides}");
        let text = if whole { word.clone() } else { template::escape(word, known) };
        let tree = Tree::Scalar(Value::Str(text));
        Node { span, tree }
    });
    let mut table = Table::default();
    let tree = Tree::List(arguments.collect());
    let whole = Span::file(0..joined.len());
    table.entries.push((Key::new("command", whole), Node { span: whole, tree }));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let draft = Draft { name: Some(name::of_words(&words)), span: whole, shared: &table, own: None };
    carry_out(&[draft], &changes, true, &mut plan, &mut found);
    finish(plan, found)
}

fn finish(mut plan: Plan, found: Found<'_>) -> Result<Plan, Problems> {
    let (mut errors, warnings) = found.finish();
    if errors.is_empty() {
        plan.warnings = warnings;
        return Ok(plan);
    }
    errors.extend(warnings);
    Err(Problems(errors))
}

/// The experiments of a file, or the one that is asked for.
fn drafts<'t>(table: &'t Table, shared: &'t Table, only: Option<&str>, found: &mut Found<'_>) -> Vec<Draft<'t>> {
    let items: &[Node] = match table.get("experiment").map(|node| &node.tree) {
        Some(Tree::List(items)) => items,
        Some(_) => return Vec::new(),
        None => &[],
    };
    let include_self = table.get("include_self").and_then(|node| Reader { found }.flag(node, "include_self")).unwrap_or(false);
    let mut drafts = Vec::new();
    if items.is_empty() || include_self {
        let span = shared.get("name").map_or(Span::START, |node| node.span);
        drafts.push(draft(shared, None, shared.get("name"), span, found));
    }
    if let Some(item) = items.get(MOST_EXPERIMENTS) {
        let message = format!("{} experiments are more than one file may hold ({MOST_EXPERIMENTS})", items.len());
        found.error(item.span, message, "what differs only in values is one experiment with lists below [params]".to_string());
        return Vec::new();
    }
    if shared.size().saturating_mul(items.len()) > MOST_INHERITED {
        let message = format!("{} experiments inherit {} values each, more than one file may hold", items.len(), shared.size());
        found.error(Span::START, message, "long lists of values belong to the experiment that varies them".to_string());
        return Vec::new();
    }
    for item in items {
        let Tree::Table(experiment) = &item.tree else { continue };
        let name = experiment.get("name");
        if name.is_none() {
            found.error(item.span, "an [[experiment]] needs a name", "write name = \"…\" below it".to_string());
        }
        let span = name.map_or(item.span, |node| node.span);
        drafts.push(draft(shared, Some(experiment), name, span, found));
    }
    let mut names = std::collections::BTreeSet::new();
    for draft in &drafts {
        if let Some(name) = &draft.name
            && !names.insert(name.clone())
        {
            found.error(draft.span, format!("two experiments are called {}", quoted(name)), None);
        }
    }
    let Some(only) = only else { return drafts };
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    if !known.contains(&only) {
        let hint = did_you_mean(only, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
            [] => "its one experiment has no name; leave the name out".to_string(),
            known => format!("it has {}", known.join(", ")),
        });
        found.error(Span::START, format!("there is no experiment {} in this file", quoted(only)), hint);
    }
    drafts.retain(|draft| draft.name.as_deref() == Some(only));
    drafts
}

fn draft<'t>(shared: &'t Table, own: Option<&'t Table>, name: Option<&Node>, span: Span, found: &mut Found<'_>) -> Draft<'t> {
    let name = name.and_then(|node| named(node, "name", found));
    Draft { shared, own, span, name }
}

/// A name that can stand in listings and on the command line.
fn named(node: &Node, key: &str, found: &mut Found<'_>) -> Option<String> {
    let text = Reader { found }.text(node, key)?;
    if let Some(why) = name::refusal(&text) {
        found.error(node.span, format!("{} cannot be a {key}: {why}", quoted(&text)), None);
    }
    Some(text)
}

fn read(table: &Table, drafts: &[Draft<'_>], set: &[String], plan: &mut Plan, found: &mut Found<'_>) {
    let mut names: Vec<String> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for draft in drafts.iter().filter(|_| !set.is_empty()) {
        let entries = draft.table().table("params").map(params::flatten).unwrap_or_default();
        names.extend(entries.into_iter().map(|entry| entry.name).filter(|name| known.insert(name.clone())));
    }
    let changes = set::read(set, &names, false, found);
    plan.project = table.get("project").and_then(|node| named(node, "project", found));
    carry_out(drafts, &changes, false, plan, found);
}

fn carry_out(drafts: &[Draft<'_>], changes: &[Change], adds: bool, plan: &mut Plan, found: &mut Found<'_>) {
    let changed = set::settings_of(changes);
    keys::level(&changed, false, found);
    if let Some(node) = changed.get("project") {
        plan.project = named(node, "project", found);
    }
    let renamed = changed.get("name").and_then(|node| named(node, "name", found));
    if let (Some(node), true) = (changed.get("name"), drafts.len() > 1) {
        found.error(node.span, "one name for several experiments", "take one of them with FILE:NAME".to_string());
    }
    for draft in drafts {
        let mut table = draft.table();
        changes.iter().for_each(|change| change.apply_to_settings(&mut table));
        let mut reader = Reader { found };
        let entries = reader.section(&table, "params").map(params::flatten);
        let mut entries = entries.unwrap_or_default();
        changes.iter().for_each(|change| change.apply_to_params(&mut entries, adds));
        let read = settings::read(&table, draft.span, &mut reader);
        let axes = params::axes(&entries, found);
        let Some(read) = read else { continue };
        check::templates(&read.written, &read.settings, &axes, found);
        let name = renamed.clone().or_else(|| draft.name.clone());
        plan.experiments.push(Experiment {
            name: name.unwrap_or_else(|| name::of_command(&read.settings.command)),
            settings: read.settings,
            parallel: read.parallel,
            wanted: read.wanted,
            axes: axes.into_iter().map(|axis| (axis.name, axis.values)).collect(),
        });
    }
}
