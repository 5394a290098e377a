//! What a table of keys is, and the check of a file's keys against it. Nothing is ignored in silence: what is not carried out
//! by this version is told in a note.
//! The language itself is the table in `language`; `settings` reads the values, `schema` publishes the table.

mod language;

pub(crate) use language::{
    BOOL_STYLES, FETCHED, FILE_FORMATS, FINGERPRINTS, LIST_STYLES, MATCHES, NOTIFY_ON, PATH, RETRY_ON, RULE_ACTIONS, TARGETS, TOP,
};

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Node, Table, Tree};

/// A table of a specification.
pub(crate) struct Section {
    /// As it is written: `[resources]`, `[[file]]`, `[inputs.NAME]`; empty for the top.
    pub(crate) header: &'static str,
    pub(crate) keys: &'static [Key],
    /// Its kinds: keys that one has, and keys that it then has not. Empty where there is one kind.
    pub(crate) ways: &'static [(&'static [&'static str], &'static [&'static str])],
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// For people.
    pub(crate) says: &'static str,
    pub(crate) place: Place,
    pub(crate) state: State,
    pub(crate) needed: bool,
}

/// What a key's value is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// A text that can name an experiment.
    Name,
    /// A text that matches this pattern.
    Like(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts, or one text.
    Texts,
    /// A list of texts, or one text, which may have commas.
    Lines,
    /// A path, in which `~` and `$` mean nothing.
    Path,
    /// A list of paths or globs, or one.
    Paths,
    /// The path of a file below the specification's folder, which matches this pattern.
    Inner(&'static str),
    /// A list of paths or globs that do not lead out of their folder, or one.
    Inners,
    /// A list of such words, or one of them.
    Words(&'static [&'static str]),
    Flag,
    /// `true`, and nothing else.
    True,
    /// A whole number of at least this.
    Whole(u64),
    /// A whole number of any sign.
    Integer,
    /// A number above 0.
    Positive,
    /// A time, or how long from now.
    Moment,
    Duration,
    /// A duration that may be 0.
    Grace,
    Size,
    Signal,
    Gpus,
    /// Words, or a list of names of parameters.
    WordOrTexts(&'static [&'static str]),
    /// A text for the shell, or a list of arguments.
    Command,
    /// A metric and `min` or `max`, several in a list.
    Objective,
    /// A list of lists of names.
    Groups,
    /// Any names, with texts and numbers.
    Scalars,
    /// Any names, with texts that match this pattern.
    Alike(&'static str),
    /// Any names, with texts, numbers and lists.
    Values,
    /// Any names, with whole numbers of at least 1.
    Amounts,
    Params,
    /// Names of parameters, with expressions.
    Expressions,
    /// `[NAME]`
    Table(&'static Section),
    /// `[[NAME]]`
    Tables(&'static Section),
    /// `[NAME.ANY]`
    Named(&'static Section),
    /// `[[experiment]]`, with nearly all keys of the top.
    Experiments,
    /// `[on.TARGET]`, with many keys of the top.
    Targets,
}

/// Where a key of the top may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    /// Not in `[on.TARGET]`: a run's parameters and its place among others are the same on every target.
    Run,
    Top,
    Experiment,
}

#[derive(Clone, Copy)]
pub(crate) enum State {
    Now,
    /// Read and checked. Until it is honoured, the version does this instead.
    Later(When, &'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Queue,
    Notifications,
    Rules,
    Later,
}

/// Which table with the keys of the top it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Top,
    Experiment,
    Target,
}

impl Key {
    /// What is wrong with the key at this level.
    fn misplaced(&self, level: Level) -> Option<String> {
        let name = self.name;
        match (self.place, level) {
            (Place::Experiment, Level::Top) => Some(format!("'{name}' belongs to an [[experiment]]")),
            (Place::Top, Level::Experiment) => Some(format!("'{name}' belongs to the top of the file, not to an [[experiment]]")),
            (Place::Top | Place::Experiment | Place::Run, Level::Target) => {
                Some(format!("'{name}' is the same on every target, so it cannot stand in [on.TARGET]"))
            }
            _ => None,
        }
    }

    pub(crate) fn belongs(&self, level: Level) -> bool {
        self.misplaced(level).is_none()
    }

    /// As it is written where the whole table is meant: `[retry]`, `[[rule]]`.
    fn written(&self) -> String {
        match self.kind {
            Kind::Table(section) | Kind::Tables(section) | Kind::Named(section) => section.header.to_string(),
            Kind::Targets => "[on.TARGET]".to_string(),
            _ => self.name.to_string(),
        }
    }
}

impl When {
    pub(crate) fn words(self) -> &'static str {
        match self {
            When::Queue => "by the queue",
            When::Notifications => "when there are notifications",
            When::Rules => "when there are rules",
            When::Later => "by a later version",
        }
    }
}

impl Section {
    fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    fn names(&self, level: Level) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter(move |key| key.belongs(level)).map(|key| key.name)
    }

    /// This table and all below it, each once.
    fn all(&'static self) -> Vec<&'static Section> {
        let below = self.keys.iter().filter_map(|key| match key.kind {
            Kind::Table(section) | Kind::Tables(section) | Kind::Named(section) => Some(section.all()),
            _ => None,
        });
        std::iter::once(self).chain(below.flatten()).collect()
    }
}

/// Whether a dotted path begins as a key of the language does: `resources.time`, but not `name.first`.
pub(crate) fn is_setting(path: &[String]) -> bool {
    let [first, rest @ ..] = path else { return false };
    let Some(key) = TOP.key(first).filter(|key| key.belongs(Level::Top)) else { return false };
    let is_table = matches!(
        key.kind,
        Kind::Scalars | Kind::Alike(_) | Kind::Params | Kind::Table(_) | Kind::Tables(_) | Kind::Named(_) | Kind::Targets
    );
    rest.is_empty() || is_table
}

/// Whether the key at a dotted path holds several texts, none of which has a comma.
pub(crate) fn takes_list(path: &[String]) -> bool {
    let Some((last, before)) = path.split_last() else { return false };
    let mut names = before.iter();
    let mut section = &TOP;
    while let Some(name) = names.next() {
        section = match section.key(name).map(|key| key.kind) {
            Some(Kind::Table(below) | Kind::Tables(below)) => below,
            Some(Kind::Named(below)) => names.next().map_or(section, |_| below),
            _ => return false,
        };
    }
    let several = |kind: Kind| {
        let listed = matches!(kind, Kind::Texts | Kind::Paths | Kind::Inners | Kind::Words(_));
        listed || matches!(kind, Kind::WordOrTexts(_) | Kind::Objective | Kind::Groups)
    };
    section.key(last).is_some_and(|key| several(key.kind))
}

pub(crate) fn top() -> impl Iterator<Item = &'static str> {
    TOP.names(Level::Top)
}

/// Checks every key of a file, experiments included.
pub(crate) fn check(table: &Table, found: &mut Found<'_>) {
    level(table, false, found);
}

/// Checks every key of `targets.toml`.
pub(crate) fn check_targets(table: &Table, found: &mut Found<'_>) {
    section(&TARGETS, table, Level::Top, found);
}

/// Checks the keys of the top of the file, or of an `[[experiment]]`, with all tables in it.
pub(crate) fn level(table: &Table, in_experiment: bool, found: &mut Found<'_>) {
    section(&TOP, table, if in_experiment { Level::Experiment } else { Level::Top }, found);
}

fn section(section: &'static Section, table: &Table, level: Level, found: &mut Found<'_>) {
    let mut later: Vec<(Span, &'static Key)> = Vec::new();
    for (written, node) in &table.entries {
        let Some(key) = section.key(&written.name) else {
            if !found.is_full() {
                let place = placed(section);
                let yaml = found.sources.is_yaml(written.span.source);
                let hint = unknown(section, &written.name, node, level, yaml);
                found.error(written.span, format!("unknown key {}{place}", quoted(&written.name)), hint);
            }
            continue;
        };
        if let Some(why) = key.misplaced(level).filter(|_| section.header.is_empty()) {
            let hint = match level {
                Level::Top => "write it below a line [[experiment]], or take it out",
                Level::Experiment => "move it above the first [table] of the file",
                Level::Target => "write it outside of [on.TARGET]",
            };
            found.error(written.span, why, hint.to_string());
            continue;
        }
        match key.state {
            State::Now => {}
            State::Later(..) => later.push((written.span, key)),
        }
        inside(key, node, found);
    }
    say_later(section, &later, found);
}

/// The tables that a key's value is made of.
fn inside(key: &'static Key, node: &Node, found: &mut Found<'_>) {
    match (key.kind, &node.tree) {
        (Kind::Table(below), Tree::Table(table)) => section(below, table, Level::Top, found),
        (Kind::Named(below), Tree::Table(named)) => {
            for (_, node) in &named.entries {
                if let Tree::Table(table) = &node.tree {
                    section(below, table, Level::Top, found);
                }
            }
        }
        (Kind::Targets, Tree::Table(named)) => {
            for (_, node) in &named.entries {
                if let Tree::Table(table) = &node.tree {
                    section(&TOP, table, Level::Target, found);
                }
            }
        }
        (Kind::Tables(_) | Kind::Experiments, Tree::List(items)) => {
            for item in items {
                match (&item.tree, key.kind) {
                    (Tree::Table(table), Kind::Tables(below)) => section(below, table, Level::Top, found),
                    (Tree::Table(table), _) => level(table, true, found),
                    _ => found.error(item.span, format!("expected [[{}]], found {}", key.name, item.kind()), None),
                }
            }
        }
        (Kind::Tables(_) | Kind::Experiments, _) => {
            let name = key.name;
            let each = if matches!(key.kind, Kind::Experiments) { "each experiment" } else { "each" };
            let (wanted, hint) = match found.sources.is_yaml(node.span.source) {
                true => {
                    (format!("a list of tables for '{name}'"), format!("{each} begins with a dash, on a line of its own below {name}:"))
                }
                false => (format!("[[{name}]]"), format!("{each} begins with a line [[{name}]], in double brackets")),
            };
            let is = if matches!(&node.tree, Tree::Word(word) if word.is_empty()) { "nothing" } else { node.kind() };
            found.error(node.span, format!("expected {wanted}, found {is}"), hint);
        }
        _ => {}
    }
}

fn placed(section: &Section) -> String {
    if section.header.is_empty() { String::new() } else { format!(" in {}", section.header) }
}

/// One line for all keys of a table that the same is to be said of.
fn say_later(section: &Section, later: &[(Span, &'static Key)], found: &mut Found<'_>) {
    let said = |key: &Key| match key.state {
        State::Later(when, instead) => Some((when, instead)),
        _ => None,
    };
    for (at, (span, key)) in later.iter().enumerate() {
        let Some((when, instead)) = said(key) else { continue };
        if later[..at].iter().any(|(_, before)| said(before) == Some((when, instead))) {
            continue;
        }
        let names: Vec<String> = later[at..]
            .iter()
            .filter(|(_, key)| said(key) == Some((when, instead)))
            .map(|(_, key)| format!("'{}'", key.written()))
            .collect();
        let (are, names) = match names.as_slice() {
            [name] => ("is", name.clone()),
            [before @ .., last] => ("are", format!("{} and {last}", before.join(", "))),
            [] => continue,
        };
        let place = placed(section);
        let when = when.words();
        found.note(*span, format!("{names}{place} {are} understood and will be honoured {when}; this version {instead}"), None);
    }
}

/// What may have been meant: a near word here, the right word in another place, or a parameter.
fn unknown(section: &'static Section, name: &str, node: &Node, level: Level, yaml: bool) -> Option<String> {
    if let Some(guess) = did_you_mean(name, section.names(level)) {
        return Some(guess);
    }
    let is_top = section.header.is_empty();
    let is_of_targets = TARGETS.all().into_iter().any(|known| known.header == section.header);
    if !is_top && !is_of_targets && TOP.key(name).is_some() {
        return Some(format!("'{name}' belongs above the first [table], or in an [[experiment]]"));
    }
    let others = if is_of_targets { TARGETS.all() } else { TOP.all() }.into_iter().filter(|other| other.header != section.header);
    if let Some(home) = others.into_iter().find(|other| other.key(name).is_some()) {
        return Some(format!("'{name}' is a key of {}", home.header));
    }
    if is_top && yaml && level == Level::Top && matches!(node.tree, Tree::Table(_) | Tree::List(_)) {
        return Some(format!("what is here for its anchor alone has a name that begins with x-, as x-{name}"));
    }
    if is_top && !matches!(node.tree, Tree::Table(_)) {
        return Some(format!("if it is a parameter, write it below [params], or as params.{name}"));
    }
    (!is_top).then(|| format!("{} knows {}", section.header, section.names(level).collect::<Vec<_>>().join(", ")))
}
