//! A sheet of runs, one a row, to a plan. Rows that belong together are written down as a specification, and what that says is
//! read as every specification is: so a row can be wrong in no other way, and what a run was is kept as text.
//!
//! `base` is what the specification beside the sheet says, `columns` what each column is for, `written` the text of a group of
//! rows with the cell of each line. Here the rows are chosen and put into groups.

mod base;
mod columns;
mod written;

use crate::include::ReadFile;
use crate::problem::{Problem, Problems, Severity, quoted};
use crate::suggest::did_you_mean;
use crate::{Experiment, LARGEST, Plan, plan};
use base::Base;
use columns::{Columns, Use};
use neronet_model::Params;
use neronet_model::journal::{Included, SpecSource};
use neronet_sheet::{Mistake, Row as SheetLine, Sheet};
use std::collections::{BTreeSet, HashMap};
use written::{Place, Written};

/// All that a sheet says: every row of it, and the plan of those that are to run.
#[derive(Debug)]
pub struct Rows {
    /// `runs.xlsx, sheet 'runs'`
    pub place: String,
    pub rows: Vec<Row>,
    /// The letters of the columns that are the same for all rows of a group: name, command, commit.
    pub shared: Vec<String>,
    /// What was read otherwise than somebody may expect.
    pub notes: Vec<Problem>,
    pub plan: Result<Plan, Problems>,
}

/// A row of a sheet, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// As the spreadsheet shows it.
    pub number: u32,
    pub status: Option<String>,
    /// What it says of parameters.
    pub params: Params,
    /// Why it does not run; nothing where it does.
    pub why: Option<String>,
    /// The first row of those with which it shares what is in the columns of `Rows::shared`.
    pub group: Option<u32>,
}

/// What a row says of its run beside the parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SheetRow {
    pub number: u32,
    pub tags: Vec<String>,
    pub note: Option<String>,
}

const NO_COMMAND: &str = "nothing says what to run";
/// More experiments than anybody keeps apart.
const MOST_GROUPS: usize = 1000;
/// Characters of a tag, of a note.
const LONGEST_TAG: usize = 100;
const LONGEST_NOTE: usize = 2000;

/// Reads the rows of a sheet. `file` is the path of its file, `base` that of the specification beside it, and `set` are
/// `KEY=VALUE` from the command line, which stand instead of what the sheet says.
pub(crate) fn of_sheet(sheet: &Sheet, file: &str, base: Option<&str>, set: &[String], read_file: &ReadFile<'_>) -> Rows {
    let is_text = [".csv", ".tsv"].iter().any(|ending| file.to_ascii_lowercase().ends_with(ending));
    let place = if is_text { file.to_string() } else { format!("{file}, sheet {}", quoted(&sheet.name)) };
    let notes: Vec<Problem> = sheet.notes.iter().map(|note| of_mistake(note, Severity::Note)).collect();
    let base = match base.map(|path| Base::read(path, read_file)).transpose() {
        Ok(base) => base,
        Err(problems) => return Rows { place, rows: Vec::new(), shared: Vec::new(), notes, plan: Err(problems) },
    };
    let columns = Columns::of(sheet, base.as_ref(), set);
    let mut reader =
        Reader { sheet, file, place, base, columns, rows: Vec::new(), groups: Vec::new(), errors: Vec::new(), bare: Vec::new(), notes };
    reader.gather();
    reader.groups.iter_mut().for_each(Group::seal);
    let plan = reader.plan(set, read_file);
    reader.notes.extend(reader.columns.notes(&reader.place));
    reader.notes.extend(reader.of_hidden());
    let shared = [reader.columns.name, reader.columns.command, reader.columns.git].into_iter().flatten();
    let shared = shared.flat_map(|at| sheet.columns[at].letters()).map(str::to_string).collect();
    Rows { place: reader.place, rows: reader.rows, shared, notes: reader.notes, plan }
}

/// The names of the parameters that the specification beside a sheet has or needs. What is wrong with it is told later.
pub(crate) fn params(base: Option<&str>, read_file: &ReadFile<'_>) -> BTreeSet<String> {
    let base = base.and_then(|path| Base::read(path, read_file).ok());
    base.map(|base| base.params.into_iter().chain(base.command.into_iter().flatten()).collect()).unwrap_or_default()
}

fn of_mistake(mistake: &Mistake, severity: Severity) -> Problem {
    Problem { severity, ..Problem::of_file(&mistake.place, mistake.message.clone(), mistake.hint.as_deref()) }
}

struct Reader<'s> {
    sheet: &'s Sheet,
    file: &'s str,
    place: String,
    base: Option<Base>,
    columns: Columns<'s>,
    rows: Vec<Row>,
    groups: Vec<Group<'s>>,
    errors: Vec<Problem>,
    /// Rows that say nothing of what to run.
    bare: Vec<u32>,
    notes: Vec<Problem>,
}

/// Rows that differ in the values of the same parameters alone.
struct Group<'s> {
    key: Key,
    rows: Vec<Picked<'s>>,
    /// Each assignment, with the number of its first row.
    seen: HashMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    name: Option<String>,
    command: Option<String>,
    commit: Option<String>,
    /// The columns whose cells are filled, as parameters.
    params: Vec<usize>,
}

struct Picked<'s> {
    line: &'s SheetLine,
    /// Its place among the rows.
    at: usize,
    said: SheetRow,
}

impl Group<'_> {
    /// Nothing is added any more.
    fn seal(&mut self) {
        self.seen = HashMap::new();
    }
}

impl<'s> Reader<'s> {
    /// Looks at every row, and puts those that run into groups.
    fn gather(&mut self) {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let sheet = self.sheet;
        for line in &sheet.rows {
            let status = self.columns.status.map(|at| cell(line, at).map(str::to_string));
            let params = self.columns.params_of(line);
            let mut row = Row { number: line.number, status: status.clone().flatten(), params, why: None, group: None };
            row.why = match &status {
                Some(None) if self.wrong(line, self.columns.status).is_none() => Some("its status is blank".to_string()),
                Some(Some(status)) if !status.eq_ignore_ascii_case("todo") => Some(format!("its status is {}", quoted(status))),
                None if !self.columns.says_something(line) => Some("it gives neither a parameter nor a command".to_string()),
                _ => self.take(line, &mut places),
            };
            self.rows.push(row);
        }
        for group in &self.groups {
            let first = group.rows.first().map(|row| row.line.number);
            group.rows.iter().for_each(|row| self.rows[row.at].group = first);
        }
        let whole = self.groups.is_empty() && self.bare.len() > 1;
        let places =
            if whole { vec![self.place.clone()] } else { self.bare.iter().map(|row| format!("{}, row {row}", self.place)).collect() };
        let hint = "write a command in a column called command, or for all rows in a neronet.toml beside the sheet";
        let bare = places.iter().map(|place| Problem::of_file(place, NO_COMMAND.to_string(), Some(hint)));
        self.errors.extend(bare);
    }

    /// Rows that run and that nobody sees.
    fn of_hidden(&self) -> Option<Problem> {
        let runs = self.rows.iter().filter(|row| row.why.is_none()).count();
        let hidden = self.rows.iter().zip(&self.sheet.rows).filter(|(row, line)| row.why.is_none() && line.hidden).count();
        let are = if hidden == 1 { "is" } else { "are" };
        let message = format!("{hidden} of the {runs} rows that run {are} hidden in the sheet");
        (hidden > 0).then(|| Problem { severity: Severity::Note, ..Problem::of_file(&self.place, message, None) })
    }

    /// Why a row that is to run cannot, if it cannot.
    fn take(&mut self, line: &'s SheetLine, places: &mut HashMap<Key, usize>) -> Option<String> {
        let usual = [self.columns.status, self.columns.command, self.columns.git, self.columns.name];
        if let Some(wrong) = usual.into_iter().find_map(|column| self.wrong(line, column)) {
            return Some(self.refuse(wrong));
        }
        let command = self.columns.command_of(line);
        if command.is_none() && self.base.as_ref().is_none_or(|base| !base.has_command()) {
            self.bare.push(line.number);
            return Some(NO_COMMAND.to_string());
        }
        let mut params = Vec::new();
        let mut tags = Vec::new();
        let uses = self.columns.uses(command.as_deref(), self.base.as_ref());
        for (at, column) in uses.iter().enumerate() {
            match column {
                Use::Param => match self.wrong(line, Some(at)) {
                    Some(wrong) => return Some(self.refuse(wrong)),
                    None if line.cells[at].is_some() => params.push(at),
                    None => {}
                },
                Use::Tag => tags.extend(cell(line, at).map(|text| tag(&self.sheet.columns[at].name, text))),
                Use::Nothing => {}
            }
        }
        let name = self.columns.name.and_then(|at| cell(line, at)).map(joined);
        let commit = self.columns.git.and_then(|at| cell(line, at)).map(str::to_string);
        let said = SheetRow { number: line.number, tags, note: self.columns.note_of(line) };
        let key = Key { name, command, commit, params };
        let at = match places.get(&key) {
            Some(at) => *at,
            None if self.groups.len() == MOST_GROUPS => {
                let why = "there are too many experiments".to_string();
                if self.rows.iter().any(|row| row.why.as_ref() == Some(&why)) {
                    return Some(why);
                }
                let problem = Problem::of_file(
                    &format!("{}, row {}", self.place, line.number),
                    format!("names, commands and commits make more than {MOST_GROUPS} experiments"),
                    Some("runs of one experiment have the same name; what tells them apart is a parameter"),
                );
                self.errors.push(problem);
                return Some(why);
            }
            None => {
                self.groups.push(Group { key: key.clone(), rows: Vec::new(), seen: HashMap::new() });
                places.insert(key, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[at];
        if let Some(first) = group.seen.insert(assignment(line, &group.key.params), line.number) {
            group.seen.insert(assignment(line, &group.key.params), first);
            return Some(format!("it is the same run as row {first}"));
        }
        group.rows.push(Picked { line, at: self.rows.len(), said });
        None
    }

    fn refuse(&mut self, wrong: Problem) -> String {
        let why = told_of(&wrong);
        self.errors.push(wrong);
        why
    }

    /// With the advice that fits a sheet.
    fn advised(&self, problem: Problem) -> Problem {
        let name = problem.message.strip_prefix("unknown placeholder '{").and_then(|rest| rest.split_once('}'));
        match name {
            Some((name, _)) if problem.line == 0 && problem.hint.as_ref().is_none_or(|hint| !hint.starts_with("did you")) => {
                let hint = did_you_mean(name, self.columns.all()).unwrap_or_else(|| format!("give the sheet a column {}", quoted(name)));
                Problem { hint: Some(hint), ..problem }
            }
            _ => problem,
        }
    }

    /// What is wrong with a cell that has no value.
    fn wrong(&self, line: &SheetLine, column: Option<usize>) -> Option<Problem> {
        let column = column.filter(|at| !line.mistakes.is_empty() && line.cells[*at].is_none())?;
        let cell = format!(", {}{}", self.sheet.columns[column].letter_in(line.number), line.number);
        let mistake = line.mistakes.iter().find(|mistake| mistake.place.ends_with(&cell))?;
        Some(of_mistake(mistake, Severity::Error))
    }

    /// The plan of all groups, each read as a specification of its own.
    fn plan(&mut self, set: &[String], read_file: &ReadFile<'_>) -> Result<Plan, Problems> {
        self.errors.extend(self.columns.mistakes(&self.place, &self.groups));
        let mut all = Plan { project: None, experiments: Vec::new(), warnings: Vec::new(), source: None };
        let mut included: Vec<Included> = Vec::new();
        let mut told = BTreeSet::new();
        for group in if self.errors.is_empty() { &self.groups[..] } else { &[] } {
            let written = Written::of(group, &self.columns, self.base.as_ref(), self.file, &self.place);
            let path = format!("{}.toml", self.file);
            if written.text.len() as u64 > LARGEST {
                let message = format!("{} rows make a specification of more than {} MB", group.rows.len(), LARGEST >> 20);
                self.errors.push(Problem::of_file(&self.place, message, Some("split the table into several files")));
                break;
            }
            let found = plan::of_text(&written.text, &path, None, set, read_file);
            let (problems, plan) = match found {
                Ok(mut plan) => (std::mem::take(&mut plan.warnings), Some(plan)),
                Err(Problems(problems)) => (problems, None),
            };
            for problem in problems {
                let of = written.place_of(&problem);
                let Some(problem) = written.placed(problem, &path, &self.place, self.sheet).map(|problem| self.advised(problem)) else {
                    continue;
                };
                if problem.severity == Severity::Error {
                    for row in group.rows.iter().filter(|row| !matches!(of, Place::Value(_, number) if number != row.line.number)) {
                        self.rows[row.at].why.get_or_insert_with(|| told_of(&problem));
                    }
                }
                if told.insert(problem.to_string()) {
                    let list = if problem.severity == Severity::Error { &mut self.errors } else { &mut all.warnings };
                    list.push(problem);
                }
            }
            let Some(mut plan) = plan else { continue };
            all.project = plan.project.take().or(all.project);
            if let Some(source) = &plan.source {
                included.extend(source.included.iter().filter(|file| !included.contains(file)).cloned().collect::<Vec<_>>());
            }
            let Some(mut experiment) = plan.experiments.pop() else { continue };
            for wanted in experiment.wanted.iter_mut().chain(experiment.wanted_on.iter_mut().flatten()) {
                wanted.place(|problem| written.placed(problem.clone(), &path, &self.place, self.sheet).unwrap_or(problem));
            }
            experiment.source = plan.source;
            if one_a_row(&mut experiment, group, &mut self.rows) {
                all.experiments.push(experiment);
            } else {
                let problem = self.varies(group, &experiment.varying());
                for row in &group.rows {
                    self.rows[row.at].why.get_or_insert_with(|| told_of(&problem));
                }
                self.errors.extend(Some(problem).filter(|problem| told.insert(problem.to_string())));
            }
        }
        if self.errors.is_empty() {
            // Its text is in each experiment; this says which files are the specification's own.
            all.source = Some(SpecSource { path: self.file.to_string(), text: String::new(), included });
            Ok(all)
        } else {
            Err(Problems(self.errors.drain(..).chain(all.warnings).collect()))
        }
    }

    /// A row is one run, and one of these parameters has several values in it.
    fn varies(&self, group: &Group<'_>, varying: &[String]) -> Problem {
        let own = |name: &str| group.key.params.iter().any(|at| self.columns.param(*at) == name);
        let name = varying.iter().find(|name| !own(name)).map(String::as_str).unwrap_or_default();
        let column = self.columns.of_param(name).filter(|_| !self.columns.is_set(name));
        let base = self.base.as_ref().filter(|_| !self.columns.is_set(name));
        let base = base.map(|base| base.path.as_str()).unwrap_or("--set");
        let message = format!("a row is one run, and {base} gives {} several values", quoted(name));
        match (column, group.rows.first()) {
            (Some(at), Some(row)) => {
                let place = format!("{}, {}{}", self.place, self.sheet.columns[at].letter_in(row.line.number), row.line.number);
                Problem::of_file(&place, format!("the cell is blank; {message}"), Some("write the value of this run here"))
            }
            _ => {
                let hint = match self.columns.is_set(name) {
                    true => format!("give it one: --set {name}=VALUE"),
                    false => format!("give the sheet a column {}, or say which: --set {name}=VALUE", quoted(name)),
                };
                Problem::of_file(&self.place, message, Some(&hint))
            }
        }
    }
}

/// A problem in a few words: `B7: the cell holds an error`.
fn told_of(problem: &Problem) -> String {
    let place = problem.path.rsplit(", ").next().unwrap_or_default();
    let line = if problem.line > 0 { format!(":{}", problem.line) } else { String::new() };
    format!("{place}{line}: {}", problem.message)
}

/// Gives each run of an experiment its row; false where there are several to a row.
fn one_a_row(experiment: &mut Experiment, group: &Group<'_>, rows: &mut [Row]) -> bool {
    let Some(kept) = experiment.space.along(group.rows.len() as u64) else { return false };
    let mut kept = kept.into_iter().peekable();
    for (at, picked) in group.rows.iter().enumerate() {
        if kept.next_if_eq(&(at as u64)).is_some() {
            experiment.rows.push(picked.said.clone());
        } else if let Some(row) = rows.get_mut(picked.at) {
            row.why = Some("only_if leaves it out".to_string());
        }
    }
    true
}

/// The text of a cell that holds something.
fn cell(line: &SheetLine, at: usize) -> Option<&str> {
    line.cells[at].as_ref().map(|cell| cell.text.trim()).filter(|text| !text.is_empty())
}

/// A name with no blanks in it.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("-")
}

/// `machine=gpu1`: one word without @, as every tag is.
fn tag(name: &str, text: &str) -> String {
    let clean = |text: &str| -> String {
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c.is_control() || c == '@').filter(|word| !word.is_empty()).collect();
        words.join("_")
    };
    shortened(&format!("{}={}", clean(name), clean(text)), LONGEST_TAG)
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// What tells a row from the others of its group.
fn assignment(line: &SheetLine, params: &[usize]) -> String {
    params.iter().filter_map(|at| line.cells[*at].as_ref()).map(|cell| format!("{}\n", cell.value.identity())).collect()
}
