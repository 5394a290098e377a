//! What a placeholder stands for, and where it may stand.

use crate::problem::quoted;
use crate::scan;
use crate::suggest::did_you_mean;
use crate::template;
use neronet_model::settings::{Command, FileEdit, Resume};
use neronet_model::{Settings, Value};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling<'n> {
    Param,
    Flags,
    Overrides,
    RunId,
    RunDir,
    RunSeed,
    RunGpus,
    RunPort,
    Checkpoint,
    BestCheckpoint,
    Input(&'n str),
    Target(&'n str),
    /// Of the run that this one goes on from.
    StageCheckpoint,
    BestStageCheckpoint,
}

/// What kind of text a placeholder stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Command,
    Resume,
    /// The command of a `[[then]]`, and which one.
    Step(usize),
    Env,
    /// `[inputs.NAME] path`
    Input,
    /// The text of a configuration file, or a value that is set in one.
    File,
    /// `[code] build`, which takes no placeholders.
    Build,
    /// `[resources] gpus` of parameters, which is no template.
    Gpus,
    /// What `[retry] on_oom` makes of a parameter, which is no template either.
    OnOom,
    /// A parameter that is named, by this key.
    Named(&'static str),
    /// The value of this key, which is the same for all runs.
    Literal(&'static str),
}

const BUILT_IN: [(&str, Filling<'static>); 9] = [
    ("flags", Filling::Flags),
    ("overrides", Filling::Overrides),
    ("run.id", Filling::RunId),
    ("run.dir", Filling::RunDir),
    ("run.seed", Filling::RunSeed),
    ("run.gpus", Filling::RunGpus),
    ("run.port", Filling::RunPort),
    ("checkpoint", Filling::Checkpoint),
    ("checkpoint.best", Filling::BestCheckpoint),
];

pub(crate) type Mistake = (String, Option<String>);

/// What `{name}` stands for. A built-in name wins over a parameter of that name, which still reaches the command by `{flags}`;
/// `check` refuses to take one for the other.
pub(crate) fn resolve<'n>(name: &'n str, part: Part, params: &[&str], settings: &Settings) -> Result<Filling<'n>, Mistake> {
    let filling = match built_in(name, settings) {
        Some(filling) => filling,
        None if params.contains(&name) => Filling::Param,
        None => match name.strip_prefix("target.") {
            Some(variable) => Filling::Target(variable),
            None => return Err(unknown(name, params, settings)),
        },
    };
    let refused = |why: &str, hint: &str| Err((format!("{{{name}}} {why}"), Some(hint.to_string())));
    match (filling, part) {
        (Filling::Param | Filling::Target(_), Part::Input) => Ok(filling),
        (_, Part::Input) => refused("cannot stand in the path of an input", "only parameters and {target.NAME} can"),
        (Filling::Checkpoint | Filling::BestCheckpoint, Part::Command | Part::Env | Part::File) => Err((
            format!("{{{name}}} is known only when a run goes on, so only in [resume] and [[then]]"),
            Some(format!("write below [resume]: arguments = \"--resume {{{name}}}\"")),
        )),
        (Filling::Flags | Filling::Overrides, Part::Env) => refused("belongs in a command, not in [env]", "write {NAME} for one parameter"),
        (Filling::Flags | Filling::Overrides, Part::File) => {
            refused("belongs in a command, not in a file", "write {NAME} for one parameter")
        }
        (Filling::Target(_), Part::File) => {
            refused("can stand in commands, in [env] and in the path of an input alone", "make it an input, and write {inputs.NAME} here")
        }
        (Filling::RunGpus, _) if settings.resources.gpus.is_none() => Err((
            "{run.gpus} is known only where [resources] gpus says how many a run needs".to_string(),
            Some("write gpus = 1 below [resources]".to_string()),
        )),
        _ => Ok(filling),
    }
}

/// What a name means that is no parameter's.
fn built_in<'n>(name: &'n str, settings: &Settings) -> Option<Filling<'n>> {
    if let Some((_, filling)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Some(*filling);
    }
    if let Some(input) = name.strip_prefix("inputs.")
        && settings.inputs.iter().any(|known| known.name == input)
    {
        return Some(Filling::Input(input));
    }
    match name.strip_prefix(&settings.stage.as_ref()?.after)? {
        ".checkpoint" => Some(Filling::StageCheckpoint),
        ".checkpoint.best" => Some(Filling::BestStageCheckpoint),
        _ => None,
    }
}

fn unknown(name: &str, params: &[&str], settings: &Settings) -> Mistake {
    if let Some(input) = name.strip_prefix("inputs.") {
        let known: Vec<&str> = settings.inputs.iter().map(|input| input.name.as_str()).collect();
        let hint = did_you_mean(input, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
            [] => format!("write [inputs.{input}] with a path"),
            known => format!("the inputs are {}", known.join(", ")),
        });
        return (format!("there is no input {}", quoted(input)), Some(hint));
    }
    if let Some(experiment) = name.strip_suffix(".checkpoint.best").or_else(|| name.strip_suffix(".checkpoint")) {
        let message = format!("{{{name}}} is known only in an [[experiment]] with after = \"{experiment}\"");
        let hint = settings.stage.as_ref().map(|stage| format!("this one comes after {}", quoted(&stage.after)));
        return (message, hint.or_else(|| Some(format!("write after = \"{experiment}\" in this [[experiment]]"))));
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

/// Which command of an experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'s> {
    First,
    /// With what is written for a run that goes on.
    Resumed,
    Step(&'s Command),
}

/// The names that a run's command uses, itself or beside it, so that `{flags}` leaves them out.
/// `ansi`: whether `$'…'` are quotes of its shell.
pub(crate) fn used(settings: &Settings, of: Of<'_>, ansi: bool) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = settings.env.iter().flat_map(|(_, value)| template::names(value)).collect();
    names.extend(settings.inputs.iter().flat_map(|input| template::names(&input.path)));
    names.extend(settings.files.iter().flat_map(of_file));
    let resume = settings.resume.as_ref().filter(|_| matches!(of, Of::Resumed));
    match (of, resume) {
        (Of::Step(command), _) | (_, Some(Resume::Command(command))) => names.extend(of_command(command, ansi)),
        (_, Some(Resume::Arguments(arguments))) => {
            names.extend(match &settings.command {
                Command::Shell(_) => of_script(arguments, ansi),
                Command::Argv(_) => template::names(arguments),
            });
            names.extend(of_command(&settings.command, ansi));
        }
        (_, Some(Resume::Automatic) | None) => names.extend(of_command(&settings.command, ansi)),
    }
    // A built-in placeholder uses no parameter, even one of the same name.
    names.retain(|name| built_in(name, settings).is_none());
    names
}

/// Every name in a placeholder of an experiment, wherever it stands, its templates excepted.
pub(crate) fn named(settings: &Settings) -> BTreeSet<String> {
    let steps = settings.then.iter().map(|step| &step.command);
    let resumed = settings.resume.iter().flat_map(|resume| match resume {
        Resume::Arguments(arguments) => template::names(arguments),
        Resume::Command(command) => of_command(command, true),
        Resume::Automatic => Vec::new(),
    });
    let mut names: BTreeSet<String> = settings.env.iter().flat_map(|(_, value)| template::names(value)).collect();
    names.extend(settings.inputs.iter().flat_map(|input| template::names(&input.path)));
    names.extend(settings.files.iter().flat_map(of_file));
    names.extend(std::iter::once(&settings.command).chain(steps).flat_map(|command| of_command(command, true)));
    names.extend(resumed);
    names
}

/// The names in the values that are set in a file.
fn of_file(file: &FileEdit) -> Vec<String> {
    match file {
        FileEdit::Template { .. } => Vec::new(),
        FileEdit::Edit { set, .. } => set.iter().flat_map(|(_, value)| of_value(value)).collect(),
    }
}

fn of_value(value: &Value) -> Vec<String> {
    match value {
        Value::Str(text) => template::names(text),
        Value::List(items) => items.iter().flat_map(of_value).collect(),
        _ => Vec::new(),
    }
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
