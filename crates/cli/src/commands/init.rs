//! `neronet init`: a first specification from what there is. Reading, asking and writing happen here; what becomes of the text is
//! decided in `draft`.

use crate::args::Init;
use crate::commands::page::{LONGEST, Page};
use crate::output;
use crate::session::Session;
use neronet_capture::secrets::{MASK, is_secret_assigned, mask_text, values_in_command};
use neronet_draft::{Draft, Source, of_command, of_text};
use neronet_home::clone::in_shell;
use neronet_home::{HomeError, masked};
use neronet_model::settings::Command;
use neronet_model::size::grouped;
use neronet_report::{Style, words::one_line};
use neronet_spec::Experiment;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::ExitCode;

mod asked;
mod found;
mod project;

pub(crate) fn init(session: &Session, words: &Init) -> Result<ExitCode, HomeError> {
    let place = session.context.folder.join(&words.output);
    let shown = words.output.display().to_string();
    if !words.print {
        refuse_to_replace(words, &place, &shown)?;
    }
    let (mut draft, from) = drafted(session, words)?;
    let secrets = secrets(session, &draft.text);
    let from = mask_text(&from, &secrets);
    if !secrets.is_empty() {
        let masked = |text: &str| secrets.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), MASK));
        draft = Draft { text: masked(&draft.text), notes: draft.notes.iter().map(|note| masked(note)).collect() };
        draft.notes.push(format!("what looks like a secret is written as {MASK}: let the script read it from its environment"));
    }
    if words.print {
        output::print(&draft.text);
        return Ok(ExitCode::SUCCESS);
    }
    write(&place, &draft.text, words.force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => HomeError::Words(format!("{shown} has appeared meanwhile and is left alone; --force replaces it")),
        _ => HomeError::unwritable(&shown, &error),
    })?;
    summary(session, &draft, &shown, &from);
    Ok(ExitCode::SUCCESS)
}

/// Values in a draft that nobody may find there: those of secret variables, and what looks like a secret by itself. The names
/// below [secrets] stay.
fn secrets(session: &Session, text: &str) -> Vec<String> {
    const SHORTEST: usize = 6;
    let words = text.split(|c: char| c.is_whitespace() || "\"',[]()".contains(c)).filter(|word| word.len() >= SHORTEST);
    let by_looks = words.flat_map(|word| values_in_command(&[word.to_string()])).filter(|value| !value.starts_with(['$', '{']));
    let in_environment = masked::in_environment(session.context.environment.clone());
    let mut values: Vec<String> =
        in_environment.into_iter().chain(by_looks).filter(|value| value.len() >= SHORTEST && text.contains(value.as_str())).collect();
    // One that holds another goes first, else its rest would stay.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    values
}

fn refuse_to_replace(words: &Init, place: &Path, shown: &str) -> Result<(), HomeError> {
    if place.extension().is_none_or(|ending| ending != "toml") {
        return Err(HomeError::Words(format!("{shown}: a specification is written as TOML, so its name ends in .toml")));
    }
    match fs::symlink_metadata(place) {
        Ok(there) if there.is_dir() => Err(HomeError::Words(format!("{shown} is a folder"))),
        Ok(_) if !words.force => Err(HomeError::Words(format!(
            "{shown} is there already and is left alone: --print shows the draft, -o FILE writes it elsewhere, --force replaces the file"
        ))),
        _ => Ok(()),
    }
}

/// The draft, and what it is drafted from.
fn drafted(session: &Session, words: &Init) -> Result<(Draft, String), HomeError> {
    if !words.command.is_empty() {
        if let Some(source) = &words.source {
            let source = source.display();
            return Err(HomeError::Words(format!(
                "{source} and a command: take one of them, `neronet init {source}` or `neronet init -- CMD`"
            )));
        }
        let command = in_shell(&words.command);
        let draft = of_command(&words.command, is_secret_assigned).map_err(|why| HomeError::Words(format!("{command}: {why}")))?;
        return Ok((draft, command));
    }
    match &words.source {
        Some(source) if session.context.folder.join(source).is_dir() => found::only(session, source),
        Some(source) => of_file(session, source, false),
        None => found::only(session, Path::new("")),
    }
}

/// From a file. `carefully`: nobody named it, so it is only run where it would understand what it is asked.
fn of_file(session: &Session, source: &Path, carefully: bool) -> Result<(Draft, String), HomeError> {
    let shown = source.display().to_string();
    let wrong = |why: String| HomeError::Words(format!("{shown}: {why}"));
    let text = read(&session.context.folder.join(source)).map_err(wrong)?;
    let ending = source.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    if ending == "toml" {
        return Err(wrong("this is TOML already; `neronet check FILE` says whether it is a specification".to_string()));
    }
    if ending == "py" {
        return project::of_script(session, source, &text, carefully);
    }
    let Some(kind) = Source::of(&shown, &text) else {
        let known = "a Python script, a script for Slurm or Grid Engine, a W&B sweep, a config.yaml of the first neronet, a list of commands or the output of --help";
        return Err(wrong(format!(
            "nothing is known of such a file; what can be drafted from is {known}; or give a command: neronet init -- CMD"
        )));
    };
    let draft = of_text(kind, &text, &shown, is_secret_assigned).map_err(wrong)?;
    Ok((draft, shown))
}

/// The text of a file that is not too large for a source.
fn read(path: &Path) -> Result<String, String> {
    let most = neronet_draft::LARGEST as u64;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("it is no file"));
        }
        file.take(most + 1).read_to_end(&mut bytes)
    });
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "there is no such file; a command is written behind --, as in neronet init -- python train.py --lr 0.1".to_string()
        }
        _ => format!("it cannot be read: {error}"),
    })?;
    if bytes.len() as u64 > most {
        return Err(format!("it is larger than {} MB, so it is no source of a specification", most >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_string())
}

/// There whole or not at all; nobody's file is replaced unless that is asked for.
fn write(place: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unfinished = place.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&unfinished).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_data()));
    let done = written.and_then(|()| match force {
        true => fs::rename(&unfinished, place),
        // A link is made only where nothing is.
        false => match fs::hard_link(&unfinished, place) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                File::create_new(place).and_then(|mut file| file.write_all(text.as_bytes()))
            }
            linked => linked,
        },
    });
    fs::remove_file(&unfinished).ok();
    done
}

fn summary(session: &Session, draft: &Draft, file: &str, from: &str) {
    let mut page = Page::new(session);
    page.heading(&format!("{file}, drafted from {}", one_line(from, LONGEST)));
    let plan = neronet_spec::parse(&draft.text, file, None, &[]);
    match &plan {
        Ok(plan) => {
            for experiment in plan.experiments.iter().take(SHOWN) {
                page.facts(&[
                    ("name", experiment.name.clone()),
                    ("command", command(experiment)),
                    ("varies", experiment.varying().join(" ")),
                    ("runs", grouped(experiment.count())),
                ]);
            }
            if plan.experiments.len() > SHOWN {
                page.line(&format!("and {} more experiments", plan.experiments.len() - SHOWN), Style::Faint);
            }
        }
        // A key that only a later version carries out.
        Err(problems) => problems.0.iter().take(1).for_each(|problem| page.line(&problem.message, Style::Plain)),
    }
    if !draft.notes.is_empty() {
        page.heading("Guessed or left out");
        draft.notes.iter().for_each(|note| page.line(note, Style::Plain));
    }
    let named = if file == "neronet.toml" { String::new() } else { format!(" {}", in_shell(&[file.to_string()])) };
    page.text.push_str(&format!("\n`neronet check{named}` shows the runs, `neronet run{named}` starts them\n"));
    output::print(&page.text);
}

/// Experiments that are shown.
const SHOWN: usize = 5;

fn command(experiment: &Experiment) -> String {
    match &experiment.settings.command {
        Command::Shell(text) => text.clone(),
        Command::Argv(words) => in_shell(words),
    }
}
