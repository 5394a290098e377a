//! From what a researcher wrote to runs.
//!
//! A specification (or a command line) goes in, a [`Plan`] comes out: experiments with checked settings and the
//! parameters of their runs, counted and made one at a time. Whoever starts a run lets [`render`] fill in its command.
//! What is wrong comes back as [`Problems`], all that could be found in one go, and nothing is started.

pub mod again;
mod called;
mod check;
mod draw;
mod expr;
mod fill;
mod flags;
mod handed;
mod hidden;
mod hours;
mod include;
mod keys;
mod launcher;
mod literal;
mod moment;
mod name;
mod params;
pub mod plain;
mod plan;
mod problem;
mod quote;
mod read;
pub mod render;
pub mod rows;
mod scan;
mod schema;
mod set;
mod settings;
mod simple;
mod source;
mod space;
mod stages;
mod suggest;
mod sweep;
mod syntax;
mod targets;
mod template;
mod tree;
mod wanted;
mod worked;
mod yaml;

pub use called::{Call, Reached, Text, calls, variables};
pub use handed::LONGEST_ARGUMENT;
pub use include::plain;
pub use launcher::Entry;
pub use moment::{Clock, MOMENTS, Moment, When};
pub use problem::{Excerpt, Problem, Problems, Severity};
pub use schema::schema;
pub use stages::Planned;
pub use targets::targets;
pub use template::{Piece, is_name, template};
pub use wanted::{Wanted, What};
pub use worked::{gpus, smaller};

use neronet_model::journal::SpecSource;
use neronet_model::queue::Wishes;
use neronet_model::settings::Command;
use neronet_model::{Params, Settings};
use neronet_sheet::Sheet;
use rows::{Rows, SheetRow};
use space::Space;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Everything that one specification asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub project: Option<String>,
    pub experiments: Vec<Experiment>,
    pub warnings: Vec<Problem>,
    /// The specification as it was written; none for a bare command. A sheet has no text, as each experiment has its own.
    pub source: Option<SpecSource>,
}

/// What a specification is called when nobody says its name, the first that is there.
pub const DEFAULT_NAMES: [&str; 3] = ["neronet.toml", "neronet.yaml", "neronet.yml"];

/// The project that a specification names, whatever else may be wrong with it at this moment.
pub fn project_in(text: &str) -> Option<String> {
    let top = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    // In YAML a key of the top is not indented.
    let mut value = top.filter_map(|line| match line.trim_start().strip_prefix("project")?.trim_start() {
        rest if rest.starts_with(':') && line.starts_with(' ') => None,
        rest => rest.strip_prefix(['=', ':']).map(str::trim),
    });
    let value = value.next()?;
    let project = match value.chars().next().filter(|quote| ['"', '\''].contains(quote)) {
        Some(quote) => value[1..].split_once(quote)?.0,
        None => value.split(" #").next()?.trim_end(),
    };
    Some(project.to_string()).filter(|project| !project.is_empty())
}

/// An experiment: its settings, and the values that its parameters take.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    pub name: String,
    pub settings: Settings,
    /// How many of its runs may run at a time.
    pub parallel: Option<u64>,
    /// What `[sweep]` says of their place in the queue, but for `not_before`.
    pub wishes: Wishes,
    /// Not to be started earlier.
    pub not_before: Option<Moment>,
    /// What must be there before its runs start.
    pub wanted: Vec<Wanted>,
    /// The same for runs on a target that `settings.on` has an entry of, by those entries.
    pub wanted_on: Vec<Vec<Wanted>>,
    /// Of a sheet: what each run's row says beside the parameters, in the order of the runs.
    pub rows: Vec<SheetRow>,
    /// Of a sheet: the specification that its rows were written as.
    pub source: Option<SpecSource>,
    space: Space,
    /// How many runs there are, those of the plan counted that it comes after.
    count: u64,
}

impl Experiment {
    /// How many runs there are. Of one that comes after an experiment that is not in the plan, for each run of that.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The program that the command calls, as it is written; what only prepares the shell is passed over. Nothing where a
    /// parameter names it.
    pub fn program(&self) -> Option<String> {
        let program = match &self.settings.command {
            Command::Argv(words) => simple::program(&words.iter().map(String::as_str).collect::<Vec<_>>()).map(str::to_string),
            Command::Shell(text) => {
                let scan = scan::scan(text, &template::tokens(text), true).ok()?;
                let commands = simple::commands(text, &scan);
                let words: Vec<&str> = commands.iter().find(|command| !command.prepares())?.words.iter().map(|(word, _)| *word).collect();
                simple::program(&words).map(str::to_string)
            }
        };
        program.filter(|program| template::names(program).is_empty())
    }

    /// The names of all parameters, in the order of the file.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.space.names()
    }

    /// The parameters that are not the same in all runs.
    pub fn varying(&self) -> Vec<String> {
        self.space.varying()
    }

    /// The same experiment as its runs are on a target, with what `[on.TARGET]` says where it says anything.
    pub fn on(&self, target: &str) -> Experiment {
        let entry = self.settings.on.iter().position(|(name, _)| name == target);
        let wanted = entry.and_then(|at| self.wanted_on.get(at)).unwrap_or(&self.wanted);
        Experiment { settings: self.settings.there(target), wanted: wanted.clone(), wanted_on: Vec::new(), ..self.clone() }
    }

    /// The same experiment with the one run that has these values; those that are derived are worked out anew. Nothing where
    /// that cannot be done.
    pub fn one(&self, params: &Params) -> Option<Experiment> {
        Some(Experiment { space: self.space.one(params)?, ..self.clone() })
    }

    /// The combinations of its parameters, the last name fastest: each is a run, or one for each run that it comes after.
    pub fn runs(&self) -> impl Iterator<Item = Params> + '_ {
        self.space.runs()
    }
}

/// The variable in which a run finds a parameter.
pub fn variable(param: &str) -> String {
    let upper = param.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("NERONET_PARAM_{}", upper.collect::<String>())
}

/// A specification is written by hand; what is larger is another file by mistake.
const LARGEST: u64 = 16 << 20;

/// Reads a specification from a file, and the files that it includes. `only` takes one of its experiments, `set` are
/// `KEY=VALUE` from the command line.
pub fn load(path: &Path, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    let shown = path.display().to_string();
    let failed = |message: String, hint: &str| Problems(vec![Problem::of_file(&shown, message, Some(hint))]);
    let text = read_file(path).map_err(|unread| match unread {
        Unread::Missing => {
            failed("there is no such file".into(), "give the path of a specification, or run a command without one: neronet run -- CMD")
        }
        Unread::Folder => failed("this is a folder".into(), "give the file in it, such as neronet.toml"),
        Unread::TooLarge => failed(
            format!("it is larger than {} MB, so it is no specification", LARGEST >> 20),
            "values that are many belong in a file that the script reads",
        ),
        Unread::NoText { line, utf16 } => failed(
            format!("this is no text in UTF-8 (first on line {line})"),
            if utf16 { "it looks like UTF-16: save it as UTF-8" } else { "a specification is a TOML or YAML file in UTF-8" },
        ),
        Unread::Failed(error) => Problems(vec![Problem::of_file(&shown, format!("it cannot be read: {error}"), None)]),
    })?;
    plan::of_text(&text, &shown, only, set, &read_beside)
}

/// Reads a file that is included, or stands beside a sheet. One that is given may be a pipe; one that is named in a file would be
/// waited for without end.
fn read_beside(path: &Path) -> Result<String, String> {
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => Err("it is no regular file".to_string()),
        _ => read_file(path).map_err(why),
    }
}

/// Why a file that is included, or stands beside a sheet, is not read.
fn why(unread: Unread) -> String {
    match unread {
        Unread::Missing => "there is no such file".to_string(),
        Unread::Folder => "it is a folder".to_string(),
        Unread::TooLarge => format!("it is larger than {} MB", LARGEST >> 20),
        Unread::NoText { line, .. } => format!("it is no text in UTF-8 (first on line {line})"),
        Unread::Failed(error) => error.to_string(),
    }
}

enum Unread {
    Missing,
    Folder,
    TooLarge,
    NoText { line: usize, utf16: bool },
    Failed(std::io::Error),
}

fn read_file(path: &Path) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unread::Missing,
        ErrorKind::IsADirectory => Unread::Folder,
        _ => Unread::Failed(error),
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Unread::NoText { line, utf16: matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) }
    })
}

/// A sheet is larger than its text.
const LARGEST_SHEET: u64 = 64 << 20;

/// The endings of files that hold sheets. What is not read is told by whoever opens it.
const SHEETS: [&str; 7] = ["xlsx", "xlsm", "xls", "ods", "csv", "tsv", "numbers"];

/// Whether a file of this name is a spreadsheet.
pub fn is_sheet(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SHEETS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Reads the rows of a spreadsheet, with the specification beside it: the one of its name, else the default one. `chosen` is
/// the name or number of a sheet, `set` are `KEY=VALUE` from the command line.
pub fn load_sheet(path: &Path, chosen: Option<&str>, set: &[String]) -> Result<Rows, Problems> {
    let shown = path.display().to_string();
    let failed = |message: String, hint: Option<&str>| Problems(vec![Problem::of_file(&shown, message, hint)]);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_SHEET + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            failed("there is no such file".into(), Some("give the path of a spreadsheet, or FILE:SHEET for one of its sheets"))
        }
        ErrorKind::IsADirectory => failed("this is a folder".into(), Some("give the file in it")),
        _ => failed(format!("it cannot be read: {error}"), None),
    })?;
    if bytes.len() as u64 > LARGEST_SHEET {
        return Err(failed(format!("it is larger than {} MB", LARGEST_SHEET >> 20), Some("split it into several files")));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let own = ["toml", "yaml", "yml"].map(|ending| path.with_extension(ending));
    let base = own.into_iter().chain(DEFAULT_NAMES.map(|name| folder.join(name))).find(|base| base.is_file());
    let base = base.map(|base| base.display().to_string());
    let params = rows::params(base.as_deref(), &read_beside);
    let sheet = neronet_sheet::read_runs(&bytes, &shown, chosen, &|name| params.contains(name))
        .map_err(|mistake| Problems(vec![Problem::of_file(&mistake.place, mistake.message, mistake.hint.as_deref())]))?;
    Ok(rows::of_sheet(&sheet, &shown, base.as_deref(), set, &read_beside))
}

/// Reads the rows of a sheet from what is at hand: `files` are the specification beside it, if there is one, and what that includes.
pub fn parse_sheet(sheet: &Sheet, path: &str, files: &[(&str, &str)], set: &[String]) -> Rows {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| text.to_string()).ok_or_else(|| "it is not at hand".to_string())
    };
    rows::of_sheet(sheet, path, files.first().map(|(name, _)| *name), set, &read)
}

/// Reads a specification from its text alone. `path` is what messages call it; its ending tells TOML from YAML.
pub fn parse(text: &str, path: &str, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    recorded(&SpecSource { path: path.to_string(), text: text.to_string(), included: Vec::new() }, only, set)
}

/// Reads a specification once more as it was submitted, with what it included then.
pub fn recorded(spec: &SpecSource, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    if spec.text.len() as u64 > LARGEST {
        let message = format!("it is larger than {} MB, so it is no specification", LARGEST >> 20);
        return Err(Problems(vec![Problem::of_file(&spec.path, message, None)]));
    }
    plan::of_text(&spec.text, &spec.path, only, set, &|path| {
        let file = spec.included.iter().find(|file| Path::new(&file.path) == path);
        file.map(|file| file.text.clone()).ok_or_else(|| "it is not at hand".to_string())
    })
}

/// The plan of a bare command line, with no specification at all. Every brace is what was typed, but for `{NAME}` of a
/// parameter that `set` brings, `{flags}` as an argument of its own, and `{run.id}`, `{run.dir}`, `{run.seed}`.
pub fn of_command(words: &[String], set: &[String]) -> Result<Plan, Problems> {
    plan::of_words(words, set)
}
