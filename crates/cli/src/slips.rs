//! Slips of the pen on the command line: what clap says of them, with the tip that helps and without those that mislead.

use crate::args::Args;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};
use neronet_home::nearest::nearest;
use neronet_home::submission::as_command;

/// `words` are those behind `neronet`.
pub(crate) fn explained(mut error: Error, words: &[String]) -> Error {
    // "to pass '--set' as a value, use '-- --set'": never meant.
    error.remove(ContextKind::Suggested);
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let after_run = words.iter().position(|word| matches!(word.as_str(), "run" | "submit")).map(|at| &words[at + 1..]);
            let tip = after_run.and_then(|words| tip_for_run(&error, words)).map(|tip| format!("to run a command: {tip}"));
            if let Some(tip) = tip.or_else(|| tip_for_target(&error, words)) {
                let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
                error.insert(ContextKind::Suggested, tip);
            }
        }
        ErrorKind::InvalidSubcommand if error.get(ContextKind::SuggestedSubcommand).is_none() => {
            let known = Args::command();
            let names = known.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
                && let Some(guess) = nearest(word, names)
            {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(guess.to_string()));
            }
        }
        _ => {}
    }
    error
}

/// A command was typed where a specification is expected: `run python train.py`.
fn tip_for_run(error: &Error, words: &[String]) -> Option<String> {
    match words.first()? {
        first if first.starts_with('-') => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(unknown)) if !unknown.starts_with('-') => Some("neronet run -- CMD".to_string()),
            _ => None,
        },
        first if is_specification(first) => None,
        _ => Some(as_command(words)),
    }
}

/// `run` means here.
fn tip_for_target(error: &Error, words: &[String]) -> Option<String> {
    let is_target = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(unknown)) if unknown == "--target");
    let is_run = words.iter().any(|word| word == "run");
    (is_target && is_run).then(|| "to run on another machine: neronet submit --target NAME --wait".to_string())
}

fn is_specification(word: &str) -> bool {
    [".toml", ".yaml", ".yml"].iter().any(|ending| word.ends_with(ending) || word.contains(&format!("{ending}:")))
}
