//! Before anything starts: whether what a specification names is there, and would be there for a run in its own copy of the code.
//! What must be asked of the system besides is in `outside`.

mod imports;
pub mod outside;
mod programs;
pub mod room;
mod secrets;
pub(crate) mod start;

use crate::configure;
use crate::context::Context;
use crate::destinations;
use crate::error::HomeError;
use crate::inputs::{self, Seen};
use crate::there::{Views, is_elsewhere};
use neronet_capture::code::{self, Survey, is_environment};
use neronet_capture::environment::interpreter_in;
use neronet_model::Settings;
use neronet_spec::plain;
use neronet_spec::{Experiment, Plan, Problem, Problems, Severity, Wanted, What};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What was looked at without asking the system.
#[derive(Debug, Default)]
pub struct Looked {
    pub warnings: Vec<Problem>,
    pub inputs: Vec<Seen>,
}

/// Looks at all that a specification names, as it is on each machine where the runs may execute. What only this machine lacks is a
/// warning where they may execute elsewhere.
///
/// # Errors
/// Something is missing; nothing may be started then.
pub fn look(context: &Context, plan: &Plan, survey: &Survey, project: &str) -> Result<Looked, HomeError> {
    let (errors, warnings) = destinations::look(context, plan, survey)?.into_iter().partition(|told| told.severity == Severity::Error);
    let mut all = Looked { warnings, inputs: Vec::new() };
    if !Vec::is_empty(&errors) {
        return Err(HomeError::Spec(Problems(errors.into_iter().chain(all.warnings).collect())));
    }
    let Views { here, perhaps, elsewhere } = Views::of(plan);
    for (plan, reads) in [(&elsewhere, false), (&*here, true)] {
        all.add(context, plan, survey, reads.then_some(project))?;
    }
    let pushed = inputs::look(context, &pushed(&elsewhere), survey, project)?;
    all.warn(pushed.warnings.into_iter());
    all.inputs.extend(pushed.seen);
    match all.add(context, &perhaps, survey, Some(project)) {
        Err(HomeError::Spec(Problems(lacks))) => all.warn(lacks.into_iter().map(no_reason)),
        other => other?,
    }
    Ok(all)
}

/// What is brought to other machines must be here.
fn pushed(elsewhere: &Plan) -> Plan {
    let mut pushed = elsewhere.clone();
    for experiment in &mut pushed.experiments {
        experiment.settings.target.clear();
        experiment.settings.inputs.retain(|input| input.push);
        experiment.wanted.retain(|wanted| matches!(&wanted.what, What::Input(input) if input.push));
    }
    pushed.experiments.retain(|experiment| !experiment.wanted.is_empty());
    // On most of its targets an experiment has the same.
    pushed.experiments.dedup_by(|next, one| next.name == one.name && next.settings.inputs == one.settings.inputs);
    pushed
}

/// That something is missing, where the runs may execute elsewhere.
pub(crate) fn no_reason(problem: Problem) -> Problem {
    let severity = if problem.severity == Severity::Error { Severity::Warning } else { problem.severity };
    Problem { severity, ..problem }
}

impl Looked {
    /// `project`: that of the runs, where their inputs are to be looked at.
    fn add(&mut self, context: &Context, plan: &Plan, survey: &Survey, project: Option<&str>) -> Result<(), HomeError> {
        if plan.experiments.is_empty() {
            return Ok(());
        }
        self.warn(check(plan, survey, &context.environment)?.into_iter());
        match configure::check(context, plan, survey) {
            Ok(notes) => self.warn(notes.into_iter()),
            Err(unfit) => return Err(HomeError::Spec(Problems(unfit.into_iter().chain(self.warnings.iter().cloned()).collect()))),
        }
        if let Some(project) = project {
            let found = inputs::look(context, plan, survey, project)?;
            self.warn(found.warnings.into_iter());
            self.inputs.extend(found.seen);
        }
        Ok(())
    }

    fn warn(&mut self, warnings: impl Iterator<Item = Problem>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// What is missing; nothing may be started then. Else what deserves a word.
fn check(plan: &Plan, survey: &Survey, environment: &[(OsString, OsString)]) -> Result<Vec<Problem>, Problems> {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for experiment in &plan.experiments {
        let frozen = survey.in_place_because.is_none() && !experiment.settings.code.in_place;
        let look = Look { experiment, survey, environment, frozen };
        let found = experiment.wanted.iter().filter_map(|wanted| look.at(wanted)).chain(secrets::look(&look, plan));
        for (is_error, problem) in found {
            let list = if is_error { &mut errors } else { &mut warnings };
            // What several experiments inherit is said once.
            if !list.contains(&problem) {
                list.push(problem);
            }
        }
    }
    if errors.is_empty() { Ok(warnings) } else { Err(Problems(errors)) }
}

/// bash where present, else sh.
pub fn default_shell(environment: &[(OsString, OsString)]) -> &'static str {
    if on_path("bash", path_of(environment)) { "bash" } else { "sh" }
}

/// The folder of the virtual environment that `[environment] python` names, itself or by the Python in it.
pub(crate) fn virtual_environment(start: &Path, python: &str) -> PathBuf {
    let named = plain(&start.join(python));
    let around = named.parent().filter(|bin| bin.ends_with("bin") && named.is_file()).and_then(Path::parent);
    // Elsewhere `bin` may hold several Pythons, and which of them runs would be the command's choice.
    match around.filter(|folder| is_environment(folder)) {
        Some(folder) => folder.to_path_buf(),
        None => named,
    }
}

/// Why a folder is no virtual environment, if it is none.
pub(crate) fn no_python(folder: &Path) -> Option<String> {
    match interpreter_in(folder) {
        Some(_) => None,
        None if folder.is_dir() => Some(format!("there is no bin/python in {}", folder.display())),
        None if folder.exists() => Some(format!("{} is no virtual environment", folder.display())),
        None => Some(format!("there is no {}", folder.display())),
    }
}

/// `X/bin/PROGRAM` of a virtual or conda environment X, relative to `start`: linked alone it would lose what is beside it.
fn in_environment(start: &Path, program: &Path) -> Option<(String, String)> {
    let environment = program.parent().filter(|bin| bin.ends_with("bin"))?.parent()?;
    is_environment(&start.join(environment)).then_some(())?;
    Some((environment.display().to_string(), program.file_name()?.to_str()?.to_string()))
}

fn path_of(environment: &[(OsString, OsString)]) -> &OsStr {
    environment.iter().find(|(name, _)| name == "PATH").map_or(OsStr::new("/usr/bin:/bin"), |(_, value)| value)
}

fn on_path(program: &str, path: &OsStr) -> bool {
    std::env::split_paths(path).any(|folder| folder.join(program).is_file())
}

/// The variables by which a virtual environment is active, over a PATH as it was; `None` is unset.
pub(crate) fn activated(venv: &Path, path: Option<&str>) -> [(&'static str, Option<String>); 3] {
    let path = format!("{}:{}", venv.join("bin").display(), path.unwrap_or("/usr/bin:/bin"));
    [("PATH", Some(path)), ("VIRTUAL_ENV", Some(venv.display().to_string())), ("PYTHONHOME", None)]
}

struct Look<'a> {
    experiment: &'a Experiment,
    survey: &'a Survey,
    environment: &'a [(OsString, OsString)],
    /// The runs work in copies of their own.
    frozen: bool,
}

impl Look<'_> {
    /// What is wrong, and whether nothing may be started then.
    fn at(&self, wanted: &Wanted) -> Option<(bool, Problem)> {
        let error = |message: String, hint: &str| Some((true, wanted.error(message, Some(hint.to_string()))));
        match &wanted.what {
            // What is there is known to the machine alone.
            What::Python(_) | What::Shell(_) if is_elsewhere(self.settings()) => None,
            What::Python(python) => {
                let why = no_python(&virtual_environment(&self.start(), python))?;
                error(why, "python names a virtual environment; any other Python is written in the command: python3.11 train.py")
            }
            What::Shell(shell) => {
                let own = self.settings().env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| OsStr::new(value));
                let found = match shell.contains('/') {
                    true => self.start().join(shell).is_file(),
                    // A PATH that a placeholder or the setup makes is known only when the run starts.
                    false => {
                        on_path(shell, own.unwrap_or(path_of(self.environment)))
                            || own.is_some()
                            || !self.settings().environment.setup.is_empty()
                    }
                };
                if found {
                    None
                } else {
                    error(format!("there is no shell '{shell}' here"), "leave it out for bash where there is one, else sh")
                }
            }
            What::Directory(directory) => {
                if !self.survey.place().join(&self.survey.below).join(directory).is_dir() {
                    let of = if self.survey.checkout.is_some() { " in that commit" } else { "" };
                    return error(format!("there is no folder '{directory}'{of}"), "write it relative to the specification");
                }
                let absent = self.absent("", directory)?;
                error(format!("'{directory}' is not in the snapshot"), &absent)
            }
            What::Link(link) if self.frozen => {
                let refused = code::linked(&self.of_top(link), &self.survey.top).err()?;
                error(refused.what, &refused.remedy)
            }
            What::Link(link) => {
                let missing = std::fs::symlink_metadata(self.start().join(link)).is_err();
                if missing {
                    error(format!("cannot link '{link}': it does not exist"), "create it, or take it out of [code] link")
                } else {
                    None
                }
            }
            What::Target(_) | What::On(_) | What::Input(_) | What::Template(_) | What::Set(..) | What::Commit(_) => None,
            What::OwnCopy if self.frozen => None,
            What::OwnCopy => {
                let why = self.survey.in_place_because.as_deref().unwrap_or("in_place = true");
                let message =
                    "'keep' deletes only what lies in a run's own copy of the code, and these runs execute in the work tree itself";
                error(format!("{message}: {why}"), "leave keep out to keep all")
            }
            What::Word(word) => {
                let absent = self.absent(self.settings().code.directory.as_deref().unwrap_or(""), word)?;
                Some((false, wanted.warning(format!("'{word}' is here, but not in the snapshot that the runs work in"), Some(absent))))
            }
            // What these are, `programs`, `room` and `secrets` see.
            What::Program(_) | What::Path(_) | What::Resource(_) | What::Checkpoints(_) | What::Secret(..) => None,
        }
    }

    fn settings(&self) -> &Settings {
        &self.experiment.settings
    }

    /// The specification's folder.
    fn start(&self) -> PathBuf {
        self.survey.top.join(&self.survey.below)
    }

    /// A path relative to the specification's folder as one relative to the top of the code; an absolute one as it is.
    fn of_top(&self, path: &str) -> String {
        Path::new(&self.survey.below).join(path).display().to_string()
    }

    /// What to do about a path that is there, inside the code, and that a run's own copy will not have.
    fn absent(&self, folder: &str, path: &str) -> Option<String> {
        let top = &self.survey.top;
        let below = Path::new(folder).join(path);
        let place = plain(&self.start().join(&below));
        let path = place.strip_prefix(top).ok()?.to_str()?;
        if !self.frozen || path.is_empty() || std::fs::symlink_metadata(&place).is_err() || self.holds(path) {
            return None;
        }
        let linked = self.settings().code.link.iter().filter_map(|link| code::linked(&self.of_top(link), top).ok());
        if linked.into_iter().any(|(linked, _)| Path::new(path).starts_with(linked)) {
            return None;
        }
        let is_empty = std::fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty {
            let held = self.survey.folders.iter().any(|folder| folder == path);
            return (!held).then(|| "it is empty: let the command make it".to_string());
        }
        if let Some((environment, program)) = in_environment(&self.start(), &below) {
            return Some(format!("write [environment] python = \"{environment}\", and in the command {program} without its folder"));
        }
        if let (Some(_), Some(commit)) = (&self.survey.checkout, &self.settings().code.commit) {
            return Some(format!("commit {commit} does not have it"));
        }
        let why = if self.survey.git.is_some() { "git ignores it" } else { "environments and caches are not copied" };
        Some(format!("{why}; if the command reads it, write [code] link = [\"{}\"]", below.display()))
    }

    /// Whether the snapshot has this, or something below it. What was left out for a reason is told elsewhere.
    fn holds(&self, path: &str) -> bool {
        let survey = self.survey;
        let mut all = survey.files.iter().map(|file| file.path.as_str());
        let within = |held: &str| Path::new(held).starts_with(path);
        all.any(within)
            || survey.large.iter().any(|large| within(&large.path))
            // A link is followed: what lies behind it is there too.
            || survey.links.iter().any(|link| within(&link.path) || Path::new(path).starts_with(&link.path))
            || survey.left_out.iter().any(|(left_out, _)| within(left_out))
    }
}
