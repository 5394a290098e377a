//! What a specification names of the machine that runs it. Nothing is looked for here: whoever starts runs does that, and says
//! what is missing at the place where it was named.

use crate::called::{self, Call, Reached, Text};
use crate::check::{Style, Written};
use crate::fill::Part;
use crate::problem::{Problem, Severity};
use crate::source::{Found, Span};
use crate::template::{self, Token};
use neronet_model::Settings;
use neronet_model::settings::{Input, SecretSource};
use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An entry of `target`: a target, or a group of them.
    Target(String),
    /// `[on.NAME]`, of a target or a group.
    On(String),
    /// `[environment] python`
    Python(String),
    /// `[environment] shell`
    Shell(String),
    /// `[code] directory`
    Directory(String),
    /// `[code] commit`
    Commit(String),
    /// An entry of `[code] link`
    Link(String),
    /// A secret, and where its value comes from.
    Secret(String, SecretSource),
    /// An input; its path may hold placeholders.
    Input(Input),
    /// The file that a `[[file]]` reads: below the specification's folder, in the snapshot.
    Template(String),
    /// A value that a `[[file]]` sets: the file, and the path in it.
    Set(String, String),
    /// A copy of the code for each run: `[checkpoints] keep` deletes nothing elsewhere.
    OwnCopy,
    /// A part of the command that could be a relative path.
    Word(String),
    /// A program that is called, as [`calls`](crate::calls) has it.
    Program(Call),
    Path(Reached),
    /// A key of `[resources]`.
    Resource(&'static str),
    /// An entry of `[checkpoints] paths`.
    Checkpoints(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub what: What,
    /// Without a message yet.
    place: Problem,
}

impl Wanted {
    pub(crate) fn new(what: What, span: Span, found: &Found<'_>) -> Wanted {
        Wanted { what, place: found.sources.problem(Severity::Error, span, String::new(), None) }
    }

    /// What no specification says: an option, or another file as a whole.
    pub fn of_file(what: What, path: &str) -> Wanted {
        Wanted { what, place: Problem::of_file(path, String::new(), None) }
    }

    /// Moves the place where it was named.
    pub(crate) fn place(&mut self, moved: impl FnOnce(Problem) -> Problem) {
        self.place = moved(self.place.clone());
    }

    pub fn error(&self, message: String, hint: Option<String>) -> Problem {
        Problem { message, hint, ..self.place.clone() }
    }

    pub fn warning(&self, message: String, hint: Option<String>) -> Problem {
        Problem { severity: Severity::Warning, ..self.error(message, hint) }
    }
}

/// Parts of a command that are looked at; a longer one names its data elsewhere.
const MOST_WORDS: usize = 50;

/// The literal words of the command. What a placeholder touches is known only when a run starts.
pub(crate) fn words(written: &[Written], found: &Found<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let commands =
        written.iter().filter(|template| template.part == Part::Command && template.target.is_none() && template.style != Style::Arguments);
    for template in commands {
        let mut word = String::new();
        let mut start = 0;
        let mut whole = true;
        let mut end_of_word = |word: &mut String, start: usize, whole: bool| {
            let word = std::mem::take(word);
            let path = word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'));
            if whole && path && wanted.len() < MOST_WORDS {
                let span = found.sources.inside(template.span, start..start + word.len());
                wanted.push(Wanted::new(What::Word(word), span, found));
            }
        };
        for token in template::tokens(&template.text) {
            match token {
                Token::Char(c, _) if c.is_whitespace() || "'\"`\\;|&<>()$=,:*?#".contains(c) => {
                    end_of_word(&mut word, start, whole);
                    whole = true;
                }
                Token::Char(c, at) => {
                    start = if word.is_empty() { at } else { start };
                    word.push(c);
                }
                Token::Hole(_) => whole = false,
            }
        }
        end_of_word(&mut word, start, whole);
    }
    wanted
}

/// What the build, the command and its steps call, and what the setup before them reads.
pub(crate) fn programs(settings: &Settings, written: &[Written], setup: &[Span], found: &Found<'_>) -> Vec<Wanted> {
    let span = |text: Text, place: Range<usize>| {
        let part = match text {
            Text::Setup(line) => return Some(found.sources.inside(*setup.get(line)?, place)),
            Text::Build => Part::Build,
            Text::Command => Part::Command,
            Text::Step(at) => Part::Step(at),
        };
        let mut templates = written.iter().filter(|template| template.part == part && template.target.is_none());
        let first = templates.next()?;
        match first.style {
            Style::Shell => Some(found.sources.inside(first.span, place)),
            _ => Some(std::iter::once(first).chain(templates).nth(place.start)?.span),
        }
    };
    let (calls, reached) = called::walked(settings);
    let calls = calls.into_iter().map(|call| (call.text, call.place.clone(), What::Program(call)));
    let reached = reached.into_iter().map(|path| (path.text, path.place.clone(), What::Path(path)));
    calls.chain(reached).filter_map(|(text, place, what)| Some(Wanted::new(what, span(text, place)?, found))).collect()
}
