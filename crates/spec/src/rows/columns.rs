//! What each column of a sheet is for: a parameter where the command needs it, else a tag; results are left alone.

use super::base::Base;
use super::{Group, LONGEST_NOTE, cell, shortened};
use crate::problem::{Problem, Severity, quoted};
use crate::template;
use neronet_model::Params;
use neronet_sheet::{Role, Row as SheetLine, Sheet};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// What becomes of a column's cells in rows of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Param,
    Tag,
    Nothing,
}

pub(super) struct Columns<'s> {
    sheet: &'s Sheet,
    pub(super) status: Option<usize>,
    pub(super) command: Option<usize>,
    pub(super) git: Option<usize>,
    pub(super) name: Option<usize>,
    comments: Vec<usize>,
    /// Of each column the parameter that it would be; none where it has a meaning of its own.
    params: Vec<Option<String>>,
    /// What `--set` says instead.
    set: BTreeSet<String>,
    /// What rows of a command make of the columns.
    uses: HashMap<Option<String>, Rc<Vec<Use>>>,
}

/// Placeholders that stand for something else than a parameter.
fn is_reserved(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    matches!(name, "flags" | "overrides" | "checkpoint") || (matches!(first, "run" | "inputs" | "target" | "checkpoint") && first != name)
}

/// A header as the name of a parameter: what cannot stand in one becomes `_`.
pub(super) fn as_param(header: &str, letter: &str) -> String {
    let part = |part: &str| {
        let words: Vec<&str> =
            part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).filter(|word| !word.is_empty()).collect();
        let joined = words.join("_");
        let fits = joined.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if fits || joined.is_empty() { joined } else { format!("_{joined}") }
    };
    // So `export` tells a parameter from a fact of the same name.
    let header = header.strip_prefix("params.").unwrap_or(header);
    let parts: Vec<String> = header.split('.').map(part).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { format!("column_{letter}") } else { parts.join(".") }
}

impl<'s> Columns<'s> {
    pub(super) fn of(sheet: &'s Sheet, base: Option<&Base>, set: &[String]) -> Columns<'s> {
        let at = |role: Role| sheet.columns.iter().position(|column| column.role == role);
        let set = set.iter().filter_map(|set| set.split_once('=')).map(|(key, _)| key.trim());
        let mut columns = Columns {
            sheet,
            status: at(Role::Status),
            command: at(Role::Command),
            git: at(Role::Git),
            name: at(Role::Name),
            comments: (0..sheet.columns.len()).filter(|at| sheet.columns[*at].role == Role::Comments).collect(),
            params: Vec::new(),
            set: set.map(|key| key.strip_prefix("params.").unwrap_or(key).to_string()).collect(),
            uses: HashMap::new(),
        };
        let mut known: BTreeSet<String> = BTreeSet::new();
        if let Some(base) = base {
            known.extend(base.params.iter().chain(&base.used).chain(base.command.iter().flatten()).cloned());
        }
        known.extend(sheet.rows.iter().filter_map(|line| cell(line, columns.command?)).flat_map(template::names));
        columns.params = sheet
            .columns
            .iter()
            .map(|column| {
                let grouped = column.group.as_ref().map(|group| format!("{group}.{}", column.name));
                // `{optim.lr}` means the column lr of the group optim.
                let grouped = grouped.filter(|name| known.contains(name) && !known.contains(&column.name));
                (column.role == Role::Value).then(|| grouped.unwrap_or_else(|| as_param(&column.name, &column.letter)))
            })
            .collect();
        columns
    }

    /// The parameters that the columns would be.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.params.iter().flatten().map(String::as_str)
    }

    pub(super) fn param(&self, at: usize) -> &str {
        self.params[at].as_deref().unwrap_or_default()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    pub(super) fn of_param(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.as_deref() == Some(name))
    }

    pub(super) fn params_of(&self, line: &SheetLine) -> Params {
        let values = self.params.iter().zip(&line.cells);
        values.filter_map(|(param, cell)| Some((param.clone()?, cell.as_ref()?.value.clone()))).collect()
    }

    /// Whether there is anything in a row that a run could be made of.
    pub(super) fn says_something(&self, line: &SheetLine) -> bool {
        let value = |at: usize| self.params[at].is_some() && !is_result(&self.sheet.columns[at].name, None);
        (0..line.cells.len()).any(|at| line.cells[at].is_some() && (value(at) || Some(at) == self.command)) || !line.mistakes.is_empty()
    }

    /// The command as it is typed: a column called python holds what follows that word.
    pub(super) fn command_of(&self, line: &SheetLine) -> Option<String> {
        let at = self.command?;
        let text = cell(line, at)?;
        let first = text.split_whitespace().next().unwrap_or_default();
        let version = first.strip_prefix("python").map(|version| version.strip_prefix('3').unwrap_or(version));
        let is_program = version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        let of_python = self.sheet.columns[at].name.eq_ignore_ascii_case("python") && !is_program;
        Some(if of_python { format!("python {text}") } else { text.to_string() })
    }

    pub(super) fn note_of(&self, line: &SheetLine) -> Option<String> {
        let texts: Vec<&str> = self.comments.iter().filter_map(|at| cell(line, *at)).collect();
        (!texts.is_empty()).then(|| shortened(&texts.join("; "), LONGEST_NOTE))
    }

    /// What the rows of a command, or of the base's, make of the columns.
    pub(super) fn uses(&mut self, command: Option<&str>, base: Option<&Base>) -> Rc<Vec<Use>> {
        let key = command.map(str::to_string);
        if let Some(known) = self.uses.get(&key) {
            return Rc::clone(known);
        }
        let mut names: BTreeSet<String> = match command {
            Some(command) => template::names(command).into_iter().collect(),
            None => base.and_then(|base| base.command.clone()).unwrap_or_default(),
        };
        names.extend(base.into_iter().flat_map(|base| base.params.iter().chain(&base.used)).cloned());
        // Every run has it in its environment.
        names.insert("seed".to_string());
        let flags = names.contains("flags") || names.contains("overrides");
        let used = |at: usize| match &self.params[at] {
            Some(param) if self.set.contains(param) => Use::Nothing,
            Some(param) if names.contains(param) && !is_reserved(param) => Use::Param,
            Some(_) if is_result(&self.sheet.columns[at].name, base) => Use::Nothing,
            Some(_) if flags => Use::Param,
            Some(_) => Use::Tag,
            None => Use::Nothing,
        };
        let uses = Rc::new((0..self.params.len()).map(used).collect::<Vec<_>>());
        self.uses.insert(key, Rc::clone(&uses));
        uses
    }

    /// Columns that would be one parameter, or a parameter inside another.
    pub(super) fn mistakes(&self, place: &str, groups: &[Group<'_>]) -> Vec<Problem> {
        let used: BTreeSet<usize> = groups.iter().flat_map(|group| group.key.params.iter().copied()).collect();
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let mut problems = Vec::new();
        for at in used {
            if let Some(other) = first.insert(self.param(at), at) {
                let other = &self.sheet.columns[other];
                let which = format!("{} ({}) and this one", other.letter, quoted(&other.name));
                let message = format!("columns {which} are both parameter {}", quoted(self.param(at)));
                let place = format!("{place}, column {}", self.sheet.columns[at].letter);
                problems.push(Problem::of_file(&place, message, Some("give one of the columns another name")));
            }
        }
        for (name, at) in &first {
            let outer = name.match_indices('.').find_map(|(end, _)| first.get_key_value(&name[..end]));
            if let Some((outer, other)) = outer {
                let place = format!("{place}, column {}", self.sheet.columns[*at].letter);
                let message = format!(
                    "parameter {} is part of {}, which column {} gives a value of its own",
                    quoted(name),
                    quoted(outer),
                    self.sheet.columns[*other].letter
                );
                problems.push(Problem::of_file(&place, message, Some("give one of the columns another name")));
            }
        }
        problems
    }

    /// What became of the columns, where that needs a word.
    pub(super) fn notes(&self, place: &str) -> Vec<Problem> {
        let filled = |at: &usize| self.sheet.rows.iter().any(|line| line.cells[*at].is_some());
        let of = |wanted: Use| -> Vec<usize> {
            let is = |at: &usize| self.params[*at].is_some() && self.uses.values().any(|uses| uses[*at] == wanted);
            (0..self.params.len()).filter(is).filter(filled).collect()
        };
        let names = |columns: &[usize]| columns.iter().map(|at| quoted(&self.sheet.columns[*at].name)).collect::<Vec<_>>().join(", ");
        let mut said: Vec<String> = Vec::new();
        let renamed = of(Use::Param).into_iter().filter(|at| self.sheet.columns[*at].name != self.param(*at));
        let renamed = renamed.filter(|at| !self.param(*at).ends_with(&format!(".{}", self.sheet.columns[*at].name)));
        said.extend(renamed.map(|at| format!("column {} is parameter {}", quoted(&self.sheet.columns[at].name), quoted(self.param(at)))));
        let tags = of(Use::Tag);
        if !tags.is_empty() {
            let they = if tags.len() == 1 { "it becomes a tag" } else { "they become tags" };
            said.push(format!("the command does not need {}: {they} of the runs", names(&tags)));
        }
        let (set, results): (Vec<usize>, Vec<usize>) = of(Use::Nothing).into_iter().partition(|at| self.set.contains(self.param(*at)));
        if !results.is_empty() {
            said.push(format!("what is in {} looks like results, and is left alone", names(&results)));
        }
        if !set.is_empty() {
            said.push(format!("--set stands instead of {}", names(&set)));
        }
        let note = |message: String| Problem { severity: Severity::Note, ..Problem::of_file(place, message, None) };
        said.into_iter().map(note).collect()
    }
}

/// `test_error@epoch=10`, or what the objective measures.
fn is_result(header: &str, base: Option<&Base>) -> bool {
    header.contains('@') || base.is_some_and(|base| base.objectives.contains(header))
}
