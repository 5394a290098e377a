//! From what a researcher wrote to runs.
//!
//! A specification (or a command line) goes in, a [`Plan`] comes out: experiments with checked settings and the
//! parameters of their runs, counted and made one at a time. Whoever starts a run lets [`render`] fill in its command.
//! What is wrong comes back as [`Problems`], all that could be found in one go, and nothing is started.

pub mod again;
mod called;
mod check;
mod fill;
mod flags;
mod keys;
mod launcher;
mod name;
mod params;
mod plan;
mod problem;
mod quote;
mod read;
pub mod render;
mod scan;
mod set;
mod settings;
mod simple;
mod source;
mod suggest;
mod syntax;
mod template;
mod tree;
mod wanted;

pub use called::{Call, calls, variables};
pub use launcher::Entry;
pub use problem::{Excerpt, Problem, Problems, Severity};
pub use wanted::{Wanted, What};

use neronet_model::journal::SpecSource;
use neronet_model::settings::Command;
use neronet_model::{Params, Settings, Value};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Everything that one specification asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub project: Option<String>,
    pub experiments: Vec<Experiment>,
    pub warnings: Vec<Problem>,
    /// The specification as it was written; none for a bare command.
    pub source: Option<SpecSource>,
}

/// The project that a specification names, whatever else may be wrong with it at this moment.
pub fn project_in(text: &str) -> Option<String> {
    let mut top = text.lines().map(str::trim_start).take_while(|line| !line.starts_with('['));
    let value = top.find_map(|line| line.strip_prefix("project")?.trim_start().strip_prefix('='))?.trim_start();
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    value[1..].split_once(quote).map(|(project, _)| project.to_string()).filter(|project| !project.is_empty())
}

/// An experiment: its settings, and the values that its parameters take.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    pub name: String,
    pub settings: Settings,
    /// How many of its runs may run at a time.
    pub parallel: Option<u64>,
    /// What must be there before its runs start.
    pub wanted: Vec<Wanted>,
    /// Every parameter with its values, in the order of the file. One value: it does not vary.
    axes: Vec<(String, Vec<Value>)>,
}

impl Experiment {
    /// How many runs there are.
    pub fn count(&self) -> u64 {
        self.axes.iter().map(|(_, values)| values.len() as u64).product()
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

    /// The parameters with more than one value.
    pub fn varying(&self) -> Vec<String> {
        self.axes.iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| name.clone()).collect()
    }

    /// The parameters of each run, the last name fastest. Made one at a time: a grid may be far larger than memory.
    pub fn runs(&self) -> impl Iterator<Item = Params> + '_ {
        (0..self.count()).map(|mut index| {
            let mut picked: Vec<(String, Value)> = Vec::with_capacity(self.axes.len());
            for (name, values) in self.axes.iter().rev() {
                let size = values.len() as u64;
                picked.push((name.clone(), values[(index % size) as usize].clone()));
                index /= size;
            }
            picked.into_iter().rev().collect()
        })
    }
}

/// A specification is written by hand; what is larger is another file by mistake.
const LARGEST: u64 = 16 << 20;

/// Reads a specification from a file. `only` takes one of its experiments, `set` are `KEY=VALUE` from the command line.
pub fn load(path: &Path, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    let shown = path.display().to_string();
    let failed = |message: String, hint: Option<&str>| Problems(vec![Problem::of_file(&shown, message, hint)]);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed(
            "there is no such file".into(),
            Some("give the path of a specification, or run a command without one: neronet run -- CMD"),
        ),
        ErrorKind::IsADirectory => failed("this is a folder".into(), Some("give the file in it, such as neronet.toml")),
        _ => failed(format!("it cannot be read: {error}"), None),
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(
            format!("it is larger than {} MB, so it is no specification", LARGEST >> 20),
            Some("values that are many belong in a file that the script reads"),
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse(&text, &shown, only, set),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let hint = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it looks like UTF-16: save it as UTF-8",
                _ => "a specification is a TOML file in UTF-8",
            };
            Err(failed(format!("this is no text in UTF-8 (first on line {line})"), Some(hint)))
        }
    }
}

/// Reads a specification from its text. `path` is what messages call it.
pub fn parse(text: &str, path: &str, only: Option<&str>, set: &[String]) -> Result<Plan, Problems> {
    if text.len() as u64 > LARGEST {
        let message = format!("it is larger than {} MB, so it is no specification", LARGEST >> 20);
        return Err(Problems(vec![Problem::of_file(path, message, None)]));
    }
    plan::of_text(text, path, only, set)
}

/// The plan of a bare command line, with no specification at all. Every brace is what was typed, but for `{NAME}` of a
/// parameter that `set` brings, `{flags}` as an argument of its own, and `{run.id}`, `{run.dir}`, `{run.seed}`.
pub fn of_command(words: &[String], set: &[String]) -> Result<Plan, Problems> {
    plan::of_words(words, set)
}
