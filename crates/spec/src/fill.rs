//! What a placeholder stands for, and where it may stand.

use crate::problem::quoted;
use crate::scan;
use crate::suggest::did_you_mean;
use crate::template;
use neronet_model::Settings;
use neronet_model::settings::{Command, Resume};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    Param,
    Flags,
    Overrides,
    RunId,
    RunDir,
    RunSeed,
    Checkpoint,
    BestCheckpoint,
}

/// What kind of text a placeholder stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Command,
    Resume,
    Env,
}

const BUILT_IN: [(&str, Filling); 7] = [
    ("flags", Filling::Flags),
    ("overrides", Filling::Overrides),
    ("run.id", Filling::RunId),
    ("run.dir", Filling::RunDir),
    ("run.seed", Filling::RunSeed),
    ("checkpoint", Filling::Checkpoint),
    ("checkpoint.best", Filling::BestCheckpoint),
];

pub(crate) type Mistake = (String, Option<String>);

/// What `{name}` stands for. A built-in name wins over a parameter of that name, which still reaches the command by `{flags}`.
pub(crate) fn resolve(name: &str, part: Part, params: &[&str]) -> Result<Filling, Mistake> {
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, filling)| *filling);
    match (built_in, part) {
        (Some(Filling::Checkpoint | Filling::BestCheckpoint), Part::Command | Part::Env) => Err((
            format!("{{{name}}} is known only when a run goes on, so only in [resume]"),
            Some(format!("write below [resume]: arguments = \"--resume {{{name}}}\"")),
        )),
        (Some(Filling::Flags | Filling::Overrides), Part::Env) => Err((format!("{{{name}}} belongs in a command, not in [env]"), None)),
        (Some(filling), _) => Ok(filling),
        (None, _) if params.contains(&name) => Ok(Filling::Param),
        (None, _) => Err(unknown(name, params)),
    }
}

fn unknown(name: &str, params: &[&str]) -> Mistake {
    let later = matches!(name, "run.gpus" | "run.port")
        || name.starts_with("inputs.")
        || name.starts_with("target.")
        || name.ends_with(".checkpoint")
        || name.ends_with(".checkpoint.best");
    if later {
        return (format!("{{{name}}} is known, but not carried out by this version"), None);
    }
    let known = params.iter().copied().chain(BUILT_IN.iter().map(|(name, _)| *name));
    let hint = did_you_mean(name, known).unwrap_or_else(|| {
        let literal = format!("for literal braces write {{{{{name}}}}}");
        match params {
            [] => format!("there are no [params]; {literal}"),
            params => {
                let few: Vec<&str> = params.iter().copied().take(8).collect();
                let more = if params.len() > few.len() { ", …" } else { "" };
                format!("the parameters are {}{more}; {literal}", few.join(", "))
            }
        }
    });
    (format!("unknown placeholder {}: no parameter has this name", quoted(&format!("{{{name}}}"))), Some(hint))
}

/// The names that a run's command uses, itself or beside it, so that `{flags}` leaves them out. `resumed`: what is written for
/// a run that goes on counts too. `ansi`: whether `$'…'` are quotes of its shell.
pub(crate) fn used(settings: &Settings, resumed: bool, ansi: bool) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = settings.env.iter().flat_map(|(_, value)| template::names(value)).collect();
    match settings.resume.as_ref().filter(|_| resumed) {
        Some(Resume::Command(command)) => names.extend(of_command(command, ansi)),
        Some(Resume::Arguments(arguments)) => {
            names.extend(match &settings.command {
                Command::Shell(_) => of_script(arguments, ansi),
                Command::Argv(_) => template::names(arguments),
            });
            names.extend(of_command(&settings.command, ansi));
        }
        Some(Resume::Automatic) | None => names.extend(of_command(&settings.command, ansi)),
    }
    // A built-in placeholder uses no parameter, even one of the same name.
    names.retain(|name| !BUILT_IN.iter().any(|(known, _)| known == name));
    names
}

/// The names in all placeholders of a command.
pub(crate) fn of_command(command: &Command, ansi: bool) -> Vec<String> {
    match command {
        Command::Shell(text) => of_script(text, ansi),
        Command::Argv(words) => words.iter().flat_map(|word| template::names(word)).collect(),
    }
}

/// What stands in a comment of the shell reaches nobody.
fn of_script(text: &str, ansi: bool) -> Vec<String> {
    match scan::scan(text, &template::tokens(text), ansi) {
        Ok(scan) => scan.places.iter().map(|place| template::name(text, &place.hole).to_string()).collect(),
        Err(_) => template::names(text),
    }
}
