//! The part of the preflight that asks the system: which programs the command starts, whether Python finds what the script imports,
//! whether there is room. Whoever starts runs does it beside what must be done anyway.

use super::{activated, imports, no_reason, programs, room, virtual_environment};
use crate::context::Context;
use crate::there::Views;
use neronet_capture::code::Survey;
use neronet_capture::interpreter::Python;
use neronet_spec::{Experiment, Plan, Problem, Severity};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Nothing may be started then.
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
    /// The programs that are called.
    pub programs: Vec<Program>,
    /// By experiment: the program that its runs need whatever happens.
    pub needed: BTreeMap<String, PathBuf>,
    pub room: room::Room,
}

/// A program as it is written, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    /// Of a Python, or of a script for one.
    pub python: Option<Python>,
    /// Of the Python, where it was asked.
    pub version: Option<String>,
}

impl Program {
    /// `/usr/bin/python3.11, Python 3.11.4 of /home/ada/.venv`
    pub fn described(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(", Python {version}")).unwrap_or_default();
        let path = self.path.display();
        let Some(python) = &self.python else { return path.to_string() };
        let of = if python.of_script { format!(" for {}", python.interpreter.display()) } else { String::new() };
        let environment = python.prefix.as_ref().map(|prefix| format!(" of {}", prefix.display())).unwrap_or_default();
        format!("{path}{of}{version}{environment}")
    }
}

impl Report {
    /// Takes up what was found of another part of the plan.
    pub fn join(&mut self, other: Report) {
        other.errors.into_iter().chain(other.warnings).for_each(|problem| self.add(problem));
        self.notes.extend(other.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>());
        self.programs.extend(other.programs.into_iter().filter(|program| !self.programs.contains(program)).collect::<Vec<_>>());
        self.needed.extend(other.needed);
        if self.room == room::Room::default() {
            self.room = other.room;
        }
    }

    pub(super) fn add(&mut self, problem: Problem) {
        let list = if problem.severity == Severity::Error { &mut self.errors } else { &mut self.warnings };
        // What several experiments inherit is said once.
        if !list.contains(&problem) {
            list.push(problem);
        }
    }
}

/// How closely earlier runs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Somebody asked and waits for the answer.
    Check,
    /// Runs are about to start.
    Start,
}

/// An experiment with what its runs will find.
pub(super) struct Scene<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) survey: &'a Survey,
    /// The variables of its runs, as far as they are known.
    pub(super) env: Vec<(String, String)>,
    /// Those whose value a parameter decides.
    pub(super) unknown: Vec<String>,
    /// Where the command starts, in the code as it lies.
    pub(super) folder: PathBuf,
    /// The specification's folder.
    pub(super) start: PathBuf,
    /// The runs work in copies of their own.
    pub(super) frozen: bool,
}

impl<'a> Scene<'a> {
    fn of(context: &Context, experiment: &'a Experiment, survey: &'a Survey) -> Scene<'a> {
        let settings = &experiment.settings;
        let start = survey.top.join(&survey.below);
        let text =
            |(name, value): &(std::ffi::OsString, std::ffi::OsString)| Some((name.to_str()?.to_string(), value.to_str()?.to_string()));
        let mut env: BTreeMap<String, String> = context.environment.iter().filter_map(text).collect();
        if let Some(python) = &settings.environment.python {
            let changes = activated(&virtual_environment(&start, python), env.get("PATH").map(String::as_str));
            for (name, value) in changes {
                env.remove(name);
                env.extend(value.map(|value| (name.to_string(), value)));
            }
        }
        let mut unknown = Vec::new();
        for (name, value) in neronet_spec::variables(settings) {
            match value {
                Some(value) => drop(env.insert(name, value)),
                None => unknown.push(name),
            }
        }
        Scene {
            experiment,
            survey,
            env: env.into_iter().collect(),
            unknown,
            folder: survey.place().join(&survey.below).join(settings.code.directory.as_deref().unwrap_or_default()),
            start,
            frozen: survey.in_place_because.is_none() && !settings.code.in_place,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A path as messages call it: from the specification's folder where it lies there.
    pub(super) fn shown(&self, path: &Path) -> String {
        let below = path
            .strip_prefix(&self.start)
            .or_else(|_| path.strip_prefix(&self.survey.top))
            .or_else(|_| path.strip_prefix(self.survey.place()));
        below.ok().filter(|below| below.components().next().is_some()).unwrap_or(path).display().to_string()
    }
}

/// Looks at everything that runs on this machine need. `project` is that of the runs. Where they may execute elsewhere, what is missing
/// here is no reason not to start them.
pub fn look(context: &Context, plan: &Plan, survey: &Survey, project: &str, depth: Depth) -> Report {
    let Views { here, perhaps, elsewhere } = Views::of(plan);
    let of = |plan: &Plan| if plan.experiments.is_empty() { Report::default() } else { here_alone(context, plan, survey, project, depth) };
    let mut report = of(&here);
    let Report { errors, warnings, notes, programs, room, .. } = of(&perhaps);
    let warnings = errors.into_iter().map(no_reason).chain(warnings).collect();
    report.join(Report { warnings, notes, programs, room, ..Report::default() });
    if depth == Depth::Check && !elsewhere.experiments.is_empty() {
        report.notes.push("what other machines have is not looked at".to_string());
    }
    report
}

fn here_alone(context: &Context, plan: &Plan, survey: &Survey, project: &str, depth: Depth) -> Report {
    let mut report = Report::default();
    let scenes: Vec<Scene<'_>> = plan.experiments.iter().map(|experiment| Scene::of(context, experiment, survey)).collect();
    let mut scripts = Vec::new();
    for scene in &scenes {
        scripts.extend(programs::look(scene, &mut report));
    }
    std::thread::scope(|scope| {
        let room = scope.spawn(|| room::look(context, plan, survey, project, depth));
        imports::look(&scripts, &context.cache, &mut report);
        let (room, problems) = room.join().unwrap_or_default();
        report.room = room;
        problems.into_iter().for_each(|problem| report.add(problem));
    });
    report
}
