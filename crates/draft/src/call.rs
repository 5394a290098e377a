//! One call of a program, taken apart: which of its words are parameters, and the command with placeholders in their places.
//!
//! The command stands for the very same arguments as before. Where `{flags}` or `{overrides}` would write a run of words as they
//! stand, they take that place; elsewhere each parameter has a placeholder of its own, and what cannot have one stays.

use crate::program::{self, Head};
use crate::shell::{self, Statement, Word};
use crate::toml::{self, Block};
use crate::{IsSecret, known::Known};
use arguments::Arguments;
use neronet_model::Value;
use neronet_spec::{Piece, template};
use std::collections::BTreeMap;

mod arguments;
mod items;

/// A parameter, with its value in TOML.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) value: Given,
    pub(crate) comment: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// As it was typed, and whether it is a text although it looks like something else.
    Typed(String, bool),
    Switch,
    /// A list that is one value.
    List(Vec<Value>),
    /// In TOML already: what a loop or an array of jobs runs through.
    Varies(String),
}

impl Given {
    pub(crate) fn toml(&self) -> String {
        match self {
            Given::Typed(text, true) => toml::string(text),
            Given::Typed(text, false) => toml::typed(text),
            Given::Switch => "true".to_string(),
            Given::List(items) => format!("{{ value = {} }}", toml::list(items)),
            Given::Varies(toml) => toml.clone(),
        }
    }
}

/// The call as a specification has it.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) params: Vec<Param>,
    /// Variables before the command.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) secrets: Vec<String>,
    /// Keys of `[flags]`.
    pub(crate) flags: Vec<(&'static str, &'static str)>,
    pub(crate) remarks: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) processes: Option<(String, String)>,
    pub(crate) program: String,
    /// The parameters that variables of the shell have become.
    variables: BTreeMap<String, String>,
}

impl Call {
    /// Takes the words of one command apart. `known` are the variables of the shell whose values are at hand.
    pub(crate) fn of(words: &[Word], known: &Known, secret: IsSecret) -> Call {
        let mut call = Call::default();
        let mut words = words;
        while let Some((name, value)) = words.first().and_then(shell::assignment) {
            match value.literal() {
                Some(_) if secret(name) => call.secrets.push(name.to_string()),
                Some(value) => call.env.push((name.to_string(), value)),
                // Only the shell knows its value.
                None => break,
            }
            words = &words[1..];
        }
        let assigned = words.iter().take_while(|word| shell::assignment(word).is_some()).count();
        let Head { length, processes, program } = program::head(&words[assigned..]);
        let length = assigned + length;
        (call.processes, call.program) = (processes, program);
        let mut arguments = Arguments { known, secret, reserved: Vec::new(), call: &mut call };
        for (at, word) in words[..length.min(words.len())].iter().enumerate() {
            // A keyword of the shell is a program here.
            if at == 0 && is_keyword(&word.raw) { arguments.text(&format!("'{}'", word.raw)) } else { arguments.word(word) }
        }
        arguments.all(&words[length.min(words.len())..]);
        call.notes.extend(call.secrets.iter().map(|name| unwritten(name)));
        call
    }

    /// Puts another command before this one, or behind it: its words as they are, with the same parameters.
    pub(crate) fn beside(&mut self, words: &[Word], before: bool, joined: &str, known: &Known) {
        let own = std::mem::take(&mut self.pieces);
        let mut arguments = Arguments { known, secret: |_| false, reserved: Vec::new(), call: self };
        words.iter().for_each(|word| arguments.word(word));
        let other = std::mem::take(&mut self.pieces);
        let (first, last) = if before { (other, own) } else { (own, other) };
        self.pieces = first.into_iter().chain([Piece::Text(joined.to_string())]).chain(last).collect();
    }

    /// The parameter that a variable is; made where there is none yet.
    pub(crate) fn parameter(&mut self, variable: &str, known: &Known) -> String {
        Arguments { known, secret: |_| false, reserved: Vec::new(), call: self }.of_variable(variable)
    }

    pub(crate) fn command(&self) -> String {
        template(&self.pieces)
    }

    /// Everything but the name.
    pub(crate) fn write(&self, block: &mut Block) {
        for remark in &self.remarks {
            block.remark("", remark);
        }
        block.set("", "command", toml::string(&self.command()), "");
        self.params.iter().for_each(|param| block.set("params", &param.name, param.value.toml(), param.comment));
        self.flags.iter().for_each(|(key, value)| block.set("flags", key, toml::string(value), ""));
        for (name, value) in &self.env {
            let comment = if name == "CUDA_VISIBLE_DEVICES" { "as typed; the same GPU for all runs" } else { "" };
            block.set("env", name, toml::string(&template(&[Piece::Text(value.clone())])), comment);
        }
        self.secrets
            .iter()
            .for_each(|name| block.set("secrets", name, toml::string("env"), "taken from your environment; never written down"));
        if let Some((count, launcher)) = &self.processes {
            block.propose("resources", "gpus", toml::typed(count), &format!("{launcher} starts {count} processes"));
        }
    }
}

pub(crate) fn unwritten(name: &str) -> String {
    format!("the value of {name} is not written down: [secrets] takes it from your environment, so export it there")
}

fn is_keyword(word: &str) -> bool {
    let keywords = "! { } [[ ]] if then else elif fi for while until do done case esac in function select time coproc";
    keywords.split(' ').any(|keyword| keyword == word)
}

/// The statement without `nohup` before and what it prints where.
pub(crate) fn trimmed(statement: &Statement, notes: &mut Vec<String>) -> Statement {
    let mut statement = statement.clone();
    if statement.word(0) == "nohup" {
        statement.words.remove(0);
        notes.push("nohup is left out: runs go on when the terminal is closed, see `neronet run --detach`".to_string());
    }
    if !statement.outputs.is_empty() {
        const KEPT: &str = " is left out: neronet keeps what a run prints, see `neronet logs`";
        if !notes.iter().any(|note| note.ends_with(KEPT)) {
            notes.push(format!("{}{KEPT}", statement.outputs.join(" ")));
        }
        statement.outputs.clear();
    }
    if statement.joined == "&" {
        notes.push("the & at the end is left out: [sweep] parallel says how many runs at a time".to_string());
        statement.joined = "\n".to_string();
    }
    statement
}
