//! The programs that a command calls: found where the run will look for them, and fit to be started.

use super::outside::{Program, Report, Scene};
use crate::nearest::nearest;
use neronet_capture::code::is_environment;
use neronet_capture::interpreter::{self, Kind, Python, Resolved, Search, Trouble};
use neronet_spec::{Call, Entry, Problem, Reached, Text, Wanted, What, plain};
use std::path::{Path, PathBuf};

/// A Python that runs something of the researcher's.
pub(super) struct Script<'s> {
    pub(super) scene: &'s Scene<'s>,
    pub(super) call: &'s Call,
    /// Where it is called.
    pub(super) place: &'s Wanted,
    pub(super) python: Python,
    pub(super) entries: Vec<Entry>,
    /// Where it is by then.
    pub(super) folder: PathBuf,
    /// Whatever is missing for sure ends the run for sure.
    pub(super) sure: bool,
}

/// Looks at the programs of one experiment; gives those whose imports can be looked at.
pub(super) fn look<'s>(scene: &'s Scene<'s>, report: &mut Report) -> Vec<Script<'s>> {
    let mut scripts = Vec::new();
    for place in &scene.experiment.wanted {
        let call = match &place.what {
            What::Program(call) => call,
            What::Path(reached) => {
                missing(scene, reached, place).into_iter().for_each(|problem| report.add(problem));
                continue;
            }
            _ => continue,
        };
        let folder = call.folder.as_deref().map(|below| plain(&scene.folder.join(below)));
        let is_path = call.program.contains('/');
        let relative = is_path && !call.program.starts_with('/');
        // A PATH that a parameter decides, or a folder that only the run knows.
        if scene.unknown.iter().any(|name| name == "PATH") || (relative && folder.is_none()) {
            continue;
        }
        let search = Search {
            path: scene.variable("PATH").unwrap_or("/usr/bin:/bin"),
            folder: folder.as_deref().unwrap_or(&scene.folder),
            env: &scene.env,
        };
        let sure = call.sure && !may_be_changed(scene, call);
        // A step may need what the command wrote: nothing but what it finds in PATH was there before.
        let of_step = matches!(call.text, Text::Step(_));
        // The command makes the folder: until then the system finds no `..` of it.
        let to_come = relative && !search.folder.is_dir();
        let program = match to_come {
            true => plain(&search.folder.join(&call.program)).display().to_string(),
            false => call.program.clone(),
        };
        let program_sure = sure && !to_come && !(of_step && is_path);
        match interpreter::resolve(&program, &search) {
            Ok(found) => {
                let python = match &found.kind {
                    Kind::Python(python) => Some(python.clone()),
                    Kind::Other => None,
                };
                let program = Program { name: call.program.clone(), path: found.path.clone(), python, version: None };
                if !report.programs.contains(&program) {
                    report.programs.push(program);
                }
                // A run has its own copy of what lies in the code.
                if program_sure && !relative && call.text == Text::Command {
                    report.needed.entry(scene.experiment.name.clone()).or_insert_with(|| found.path.clone());
                }
                scripts.extend(folder.and_then(|folder| script(scene, call, place, found, folder, sure && !of_step)));
            }
            Err(trouble) if !is_of_shell(scene, call, &trouble) && (program_sure || !relative) => {
                report.add(problem(scene, call, place, &search, &trouble, program_sure));
            }
            Err(_) => {}
        }
    }
    scripts
}

/// The shell reads files of the user's before it reads the command.
fn may_be_changed(scene: &Scene<'_>, call: &Call) -> bool {
    let shell = scene.experiment.settings.environment.shell.as_deref().unwrap_or("bash");
    call.by_shell && (shell.ends_with("zsh") || scene.variable("BASH_ENV").is_some_and(|file| !file.is_empty()))
}

/// What a shell makes of the word by itself: a function of the environment, or a script without a first line.
fn is_of_shell(scene: &Scene<'_>, call: &Call, trouble: &Trouble) -> bool {
    let function = format!("BASH_FUNC_{}%%", call.program);
    let known = || scene.variable(&function).is_some() || may_be_changed(scene, call);
    call.by_shell && (matches!(trouble, Trouble::NoFirstLine(_)) || *trouble == Trouble::NotFound && known())
}

fn script<'s>(scene: &'s Scene<'s>, call: &'s Call, place: &'s Wanted, found: Resolved, folder: PathBuf, sure: bool) -> Option<Script<'s>> {
    let Kind::Python(python) = found.kind else { return None };
    let mut entries = call.entries.clone();
    // `./train.py`: the program is the script.
    if entries.is_empty() && python.of_script && plain(&found.path).starts_with(scene.survey.place()) {
        entries.push(Entry::Script(found.path.display().to_string()));
    }
    (!entries.is_empty()).then_some(Script { scene, call, place, python, entries, folder, sure })
}

/// A folder that is gone to, or a file that the shell reads, and that is not there.
fn missing(scene: &Scene<'_>, reached: &Reached, place: &Wanted) -> Option<Problem> {
    let Reached { path, from, is_folder, .. } = reached;
    let full = match path.strip_prefix("~/") {
        Some(below) => Path::new(scene.variable("HOME")?).join(below),
        None => scene.folder.join(from).join(path),
    };
    let full = plain(&full);
    // What a run's own copy lacks is told elsewhere.
    let there = full.exists() || Path::new(path).is_relative() && plain(&scene.start.join(from).join(path)).exists();
    let (what, hint) = match is_folder {
        true => ("folder", "make it, or mend its name; relative ones begin where the command starts"),
        false => ("file", "make it, or mend its name: the shell goes on without it"),
    };
    (!there).then(|| place.warning(format!("there is no {what} {path}"), Some(hint.to_string())))
}

fn problem(scene: &Scene<'_>, call: &Call, place: &Wanted, search: &Search<'_>, trouble: &Trouble, sure: bool) -> Problem {
    let shown = |path: &Path| scene.shown(path);
    let program = &call.program;
    let (message, hint) = match trouble {
        Trouble::NotFound if program.contains('/') => (format!("there is no program {program}"), near_file(search, program)),
        Trouble::NotFound => (format!("there is no program '{program}' in PATH"), Some(advice(scene, search, program))),
        Trouble::Folder(path) => (format!("{} is a folder", shown(path)), Some("name the program in it".to_string())),
        Trouble::NotExecutable(path) => {
            let with =
                if path.extension().is_some_and(|ending| ending == "py") { format!(", or write python3 {program}") } else { String::new() };
            (format!("{} is not executable", shown(path)), Some(format!("chmod +x {}{with}", in_shell(&shown(path)))))
        }
        Trouble::NoInterpreter(path, named) => {
            let message = format!("{} names {named} in its first line, which is not there", shown(path));
            (message, Some("write #!/usr/bin/env NAME, or name the interpreter in the command".to_string()))
        }
        Trouble::CarriageReturn(path) => {
            let message = format!("the first line of {} ends as on Windows, so the system finds no interpreter", shown(path));
            (message, Some(format!("sed -i 's/\\r$//' {}", in_shell(&shown(path)))))
        }
        Trouble::NoFirstLine(path) => {
            let message = format!("{} is a text that names no interpreter in its first line", shown(path));
            (message, Some("begin it with #!/bin/sh, or name the interpreter in the command".to_string()))
        }
        Trouble::OtherMachine(path, kind) => {
            let message = format!("{} is built for {kind}, and this machine is {}", shown(path), std::env::consts::ARCH);
            (message, Some("build or install it for this machine".to_string()))
        }
        Trouble::NoLoader(path, loader) => {
            let message = format!("{} needs {loader}, which this system does not have", shown(path));
            (message, Some("it is built for another system, or a library package is missing".to_string()))
        }
    };
    if sure { place.error(message, hint) } else { place.warning(message, hint) }
}

/// A path that the shell takes as it is.
fn in_shell(path: &str) -> String {
    crate::clone::in_shell(&[path.to_string()])
}

fn near_file(search: &Search<'_>, program: &str) -> Option<String> {
    let path = search.folder.join(program);
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let names: Vec<String> = entries.flatten().take(1000).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(|guess| format!("did you mean '{guess}'?"))
}

fn advice(scene: &Scene<'_>, search: &Search<'_>, program: &str) -> String {
    let has = |folder: &Path| folder.join("bin").join(program).is_file();
    if let Some(folder) = environments(scene).into_iter().find(|folder| has(folder)) {
        return format!("{} has it: write [environment] python = \"{}\", or activate it", scene.shown(&folder), scene.shown(&folder));
    }
    if scene.folder.join(program).is_file() {
        return format!("./{program} is a file of the code: write ./{program}");
    }
    let names = interpreter::names(search);
    let known: std::collections::BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if program == "python" && known.contains("python3") {
        return "write python3, activate an environment, or write [environment] python = \".venv\"".to_string();
    }
    match nearest(program, known.iter().copied()) {
        Some(guess) => format!("did you mean '{guess}'?"),
        None => "install it, activate the environment that has it, or write its path".to_string(),
    }
}

/// Virtual environments that are near and may be meant.
pub(super) fn environments(scene: &Scene<'_>) -> Vec<PathBuf> {
    let named = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| scene.variable(name)).map(PathBuf::from);
    let places = [&scene.folder, &scene.start, &scene.survey.top];
    let near = places.into_iter().flat_map(|folder| [".venv", "venv", "env"].map(|name| folder.join(name)));
    named.chain(near).filter(|folder| is_environment(folder)).collect()
}
