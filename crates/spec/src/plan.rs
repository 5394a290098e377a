//! From the tree of a file, or from the words of a command line, to a plan.

use crate::include::{Files, ReadFile};
use crate::params::{self, Entry};
use crate::problem::quoted;
use crate::read::Reader;
use crate::set::{self, Change};
use crate::source::{Found, Sources, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Key, Node, Table, Tree};
use crate::{Experiment, Plan, Problems, check, keys, name, settings, stages, sweep, syntax, template, worked};
use neronet_model::Value;
use neronet_model::journal::SpecSource;
use neronet_model::settings::Command;
use std::collections::BTreeSet;

/// What one specification may hold; more is a slip of the pen.
const MOST_EXPERIMENTS: usize = 1000;

/// Values times experiments that inherit them.
const MOST_INHERITED: usize = 5_000_000;

/// An experiment as written.
#[derive(Clone)]
struct Draft<'t> {
    /// What holds for it, the outermost first: the top of the file, then each `[[experiment]]` down to its own.
    layers: Vec<&'t Table>,
    /// Where it is named, or begins.
    span: Span,
    /// None where a name must be made up. The top beside others is known to them by the one that its command suggests.
    name: Option<String>,
}

/// The experiments of a file.
#[derive(Default)]
struct Drafts<'t> {
    all: Vec<Draft<'t>>,
    /// Names of what is only shared by experiments within it.
    shared: BTreeSet<String>,
}

/// What says something of experiments, and is inherited by none.
const NOT_SHARED: [&str; 4] = ["experiment", "include_self", "unset", "name"];

impl Draft<'_> {
    /// All that holds for it. Made when it is needed: a thousand copies of what they share would be large.
    fn table(&self) -> Table {
        let mut layers = self.layers.iter();
        let mut table = layers.next().map(|top| top.without(&NOT_SHARED)).unwrap_or_default();
        for layer in layers {
            for (path, _) in unset_of(layer) {
                table.unset(path);
            }
            table = table.merged(&layer.without(&NOT_SHARED));
        }
        table
    }

    /// The paths of parameters that it takes away, below `params`.
    fn unset_params(&self) -> Vec<String> {
        let paths = self.layers.iter().skip(1).flat_map(|layer| unset_of(layer));
        let param = |(path, _): (&str, Span)| match path {
            "params" => Some(String::new()),
            path => path.strip_prefix("params.").map(str::to_string),
        };
        paths.filter_map(param).collect()
    }

    /// The places of what it says itself.
    fn own(&self) -> Vec<Span> {
        let own = self.layers.last().filter(|_| self.layers.len() > 1);
        std::iter::once(self.span).chain(own.into_iter().flat_map(|own| own.without(&["experiment"]).extents())).collect()
    }
}

/// What a layer takes away from those around it. What is no text is told once, by `unset_checked`.
fn unset_of(layer: &Table) -> Vec<(&str, Span)> {
    layer.get("unset").map(Node::texts).unwrap_or_default()
}

fn unset_checked(layers: &[&Table], own: &Table, found: &mut Found<'_>) {
    let Some(node) = own.get("unset") else { return };
    let mut around = Draft { layers: layers.to_vec(), span: node.span, name: None }.table();
    Reader { found }.texts(node, "unset");
    for (path, span) in unset_of(own) {
        if !around.unset(path) {
            let hint = did_you_mean(path, around.paths().iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| "a parameter is written params.NAME".to_string());
            found.error(span, format!("{} cannot be unset: it is not there", quoted(path)), hint);
        }
    }
}

pub(crate) fn of_text(written: &str, path: &str, only: Option<&str>, set: &[String], read_file: &ReadFile<'_>) -> Result<Plan, Problems> {
    let text = syntax::normal(written);
    let mut found = Found::new(Sources::of_file(path, &text, set));
    let mut plan = Plan { project: None, experiments: Vec::new(), warnings: Vec::new(), source: None };
    let mut files = Files::new(read_file);
    if let Some(table) = files.tree(0, &mut Vec::new(), &mut found) {
        keys::check(&table, &mut found);
        let all = drafts(&table, &mut found);
        let chosen = chosen(&all, only, &mut found);
        read(&table, &chosen, &all, set, &mut plan, &mut found);
    }
    plan.source = Some(SpecSource { path: path.to_string(), text: written.to_string(), included: files.included });
    finish(plan, found)
}

pub(crate) fn of_words(words: &[String], set: &[String]) -> Result<Plan, Problems> {
    let joined = words.join(" ");
    let mut found = Found::new(Sources::of_words("the command", &joined, set));
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
    let draft = Draft { name: Some(name::of_words(&words)), span: whole, layers: vec![&table] };
    carry_out(&[draft], &Drafts::default(), &changes, true, &mut plan, &mut found);
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

fn drafts<'t>(table: &'t Table, found: &mut Found<'_>) -> Drafts<'t> {
    let mut drafts = Drafts::default();
    let mut inherited = 0;
    collect(table, &[], Span::START, &mut drafts, &mut inherited, found);
    let all = &mut drafts.all;
    if all.len() > MOST_EXPERIMENTS {
        let message = format!("{} experiments are more than one file may hold ({MOST_EXPERIMENTS})", all.len());
        let hint = "what differs only in values is one experiment with lists below [params]".to_string();
        found.error(all[MOST_EXPERIMENTS].span, message, hint);
        return Drafts::default();
    }
    if inherited > MOST_INHERITED {
        let message = format!("{} experiments inherit {inherited} values, more than one file may hold", all.len());
        found.error(Span::START, message, "long lists of values belong to the experiment that varies them".to_string());
        return Drafts::default();
    }
    let mut names = BTreeSet::new();
    let several = all.len() > 1;
    for draft in all {
        // Any other one without a name is told.
        if several && draft.layers.len() == 1 && draft.name.is_none() {
            draft.name = draft.table().get("command").map(suggested);
        }
        if let Some(name) = &draft.name
            && !names.insert(name.clone())
        {
            found.error(draft.span, format!("two experiments are called {}", quoted(name)), "give one of them another name".to_string());
        }
    }
    drafts
}

/// The name that a command suggests, however good it is.
fn suggested(command: &Node) -> String {
    let mut texts = command.texts().into_iter().map(|(text, _)| text.to_string());
    name::of_command(&match &command.tree {
        Tree::List(_) => Command::Argv(texts.collect()),
        _ => Command::Shell(texts.next().unwrap_or_default()),
    })
}

/// How what experiments share becomes one of them.
pub(crate) fn include_self(name: &str) -> String {
    format!("{} is only what the experiments within it share: write include_self = true beside its name to run it too", quoted(name))
}

/// Those that are asked for.
fn chosen<'t>(drafts: &Drafts<'t>, only: Option<&str>, found: &mut Found<'_>) -> Vec<Draft<'t>> {
    let Some(only) = only else { return drafts.all.clone() };
    let known: BTreeSet<&str> = drafts.all.iter().filter_map(|draft| draft.name.as_deref()).collect();
    let known: Vec<&str> = known.into_iter().collect();
    if !known.contains(&only) {
        let hint = match known.as_slice() {
            _ if drafts.shared.contains(only) => include_self(only),
            [] => "its one experiment has no name; leave the name out".to_string(),
            known => did_you_mean(only, known.iter().copied()).unwrap_or_else(|| format!("it has {}", known.join(", "))),
        };
        found.error(Span::START, format!("there is no experiment {} in this file", quoted(only)), hint);
    }
    drafts.all.iter().filter(|draft| draft.name.as_deref() == Some(only)).cloned().collect()
}

/// The experiments of one table: itself when it holds no others or says so, and those within it.
fn collect<'t>(own: &'t Table, around: &[&'t Table], span: Span, drafts: &mut Drafts<'t>, inherited: &mut usize, found: &mut Found<'_>) {
    if drafts.all.len() > MOST_EXPERIMENTS || *inherited > MOST_INHERITED {
        return;
    }
    let inner: &[Node] = match own.get("experiment").map(|node| &node.tree) {
        Some(Tree::List(items)) => items,
        // What it is instead is told by the check of the keys.
        Some(_) => return,
        None => &[],
    };
    unset_checked(around, own, found);
    let layers = [around, &[own]].concat();
    let name = own.get("name");
    let include_self = own.get("include_self").and_then(|node| Reader { found }.flag(node, "include_self")).unwrap_or(false);
    if inner.is_empty() || include_self {
        if name.is_none() && !around.is_empty() {
            found.error(span, "an [[experiment]] needs a name", "write name = \"…\" below it".to_string());
        }
        let span = name.map_or(span, |node| node.span);
        let name = name.and_then(|node| named(node, "name", found));
        *inherited += around.iter().map(|layer| layer.without(&NOT_SHARED).size()).sum::<usize>();
        drafts.all.push(Draft { layers: layers.clone(), span, name });
    } else {
        drafts.shared.extend(name.into_iter().flat_map(Node::texts).map(|(name, _)| name.to_string()));
    }
    for item in inner {
        if let Tree::Table(experiment) = &item.tree {
            collect(experiment, &layers, item.span, drafts, inherited, found);
        }
    }
}

/// A name that can stand in listings and on the command line.
fn named(node: &Node, key: &str, found: &mut Found<'_>) -> Option<String> {
    let text = Reader { found }.text(node, key)?;
    if let Some(why) = name::refusal(&text) {
        found.error(
            node.span,
            format!("{} cannot be a {key}: {why}", quoted(&text)),
            format!("write {}, for instance", quoted(&name::mended(&text))),
        );
    }
    Some(text)
}

fn read(table: &Table, drafts: &[Draft<'_>], all: &Drafts<'_>, set: &[String], plan: &mut Plan, found: &mut Found<'_>) {
    let mut names: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for draft in drafts.iter().filter(|_| !set.is_empty()) {
        names.extend(names_of_params(&draft.table(), found).into_iter().filter(|name| known.insert(name.clone())));
    }
    let changes = set::read(set, &names, false, found);
    plan.project = table.get("project").and_then(|node| named(node, "project", found));
    carry_out(drafts, all, &changes, false, plan, found);
}

/// `all` are those of the file, of which an experiment may come after one that is not carried out.
fn carry_out(drafts: &[Draft<'_>], all: &Drafts<'_>, changes: &[Change], adds: bool, plan: &mut Plan, found: &mut Found<'_>) {
    let changed = set::settings_of(changes);
    keys::level(&changed, false, found);
    if let Some(node) = changed.get("project") {
        plan.project = named(node, "project", found);
    }
    let renamed = changed.get("name").and_then(|node| named(node, "name", found));
    if let (Some(node), true) = (changed.get("name"), drafts.len() > 1) {
        found.error(node.span, "one name for several experiments", "take one of them with FILE:NAME".to_string());
    }
    let mut places = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        found.of_experiment(Some(at));
        let mut table = draft.table();
        changes.iter().for_each(|change| change.apply_to_settings(&mut table));
        let mut reader = Reader { found };
        let params = reader.section(&table, "params");
        let sweep = sweep::read(&table, draft.unset_params(), &mut reader);
        let read = settings::read(&table, draft.span, &mut reader);
        let mut entries = params.map(|table| params::flatten(table, &found.sources)).unwrap_or_default();
        changes.iter().for_each(|change| change.apply_to_params(&mut entries, adds));
        let given = params::given(&entries, found);
        let space = sweep::space(&given, &sweep, found);
        let Some(read) = read else { continue };
        check::templates(&read, &given, found);
        worked::check(&read, &space, found);
        let name = renamed.clone().or_else(|| draft.name.clone());
        let name = name.unwrap_or_else(|| name::of_command(&read.settings.command));
        // At the top of the file it is refused.
        if let Some(after) = table.get("after").filter(|_| draft.layers.len() > 1).map(|node| node.span) {
            let matched = table.get("match").map_or(after, |node| node.span);
            places.push(stages::Place { experiment: name.clone(), after, matched });
        }
        let settings::Read { settings, parallel, wishes, not_before, wanted, wanted_on, .. } = read;
        let count = space.count();
        let (rows, source) = (Vec::new(), None);
        plan.experiments.push(Experiment { name, settings, parallel, wishes, not_before, wanted, wanted_on, rows, source, space, count });
    }
    found.of_experiment(None);
    let whose: Vec<(&str, Vec<Span>)> = drafts.iter().map(|draft| (draft.name.as_deref().unwrap_or_default(), draft.own())).collect();
    found.say_whose(&whose);
    if !places.is_empty() {
        let params = all.all.iter().filter_map(|draft| Some((draft.name.clone()?, names_of_params(&draft.table(), found)))).collect();
        stages::arrange(plan, &places, &stages::File { params, shared: &all.shared }, found);
    }
}

fn names_of_params(table: &Table, found: &Found<'_>) -> Vec<String> {
    let entries = table.table("params").map(|table| params::flatten(table, &found.sources)).unwrap_or_default();
    entries.into_iter().map(|entry| entry.name).collect()
}
