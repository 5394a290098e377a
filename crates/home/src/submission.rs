//! A submission in words, those of a command line or of a request: which specification is meant, what of it, and when it may start.

use crate::clone::in_shell;
use crate::context::Context;
use crate::destinations::{self, Named};
use crate::error::HomeError;
use crate::listing::current_project;
use crate::same::Repeats;
use crate::select;
use crate::submit::Request;
use crate::view::Snapshot;
use crate::wishes::Asked;
use neronet_model::queue::Dependency;
use neronet_model::size::grouped;
use neronet_spec::rows::Rows;
use neronet_spec::{Experiment, Moment, Plan};
use std::path::{Path, PathBuf};

/// More runs than this are rarely meant: they must be wished for.
pub const MANY: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Words {
    /// A file, an experiment or a sheet of one; nothing for the one that is there.
    pub spec: Option<String>,
    /// A command to run without any.
    pub command: Vec<String>,
    pub set: Vec<String>,
    pub project: Option<String>,
    pub parallel: Option<u64>,
    pub targets: Named,
    pub priority: Option<i64>,
    pub not_before: Option<Moment>,
    /// Runs that must have ended, and finished.
    pub after: Vec<String>,
    pub after_ok: Vec<String>,
    /// However many runs there are.
    pub yes: bool,
    pub preflight: bool,
}

/// What the words come to.
pub struct Meant {
    pub plan: Plan,
    /// The folder that its paths are relative to.
    start: PathBuf,
    project: Option<String>,
    wishes: Asked,
}

impl Words {
    /// Reads what is meant. `place` is where files are looked for, as messages call it: nothing for the folder of this process.
    pub fn meant(&self, context: &Context, place: &Path) -> Result<Meant, HomeError> {
        if self.spec.is_some() && !self.command.is_empty() {
            return Err(HomeError::Words("give a specification or a command after --, not both".into()));
        }
        let (mut plan, start) = match self.command.is_empty() {
            true => read_spec(context, place, self.spec.as_deref(), &self.set)?,
            false => (neronet_spec::of_command(&self.command, &self.set)?, context.folder.clone()),
        };
        let count: u64 = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
        if count > MANY && !self.yes {
            return Err(HomeError::Words(format!(
                "this makes {} runs; `neronet check` shows a sample of them, `--yes` starts them",
                grouped(count)
            )));
        }
        destinations::settle(context, &mut plan, &self.targets)?;
        // A bare command belongs where `ls` looks for it.
        let here = || (!self.command.is_empty()).then(|| current_project(context));
        let wishes = Asked { priority: self.priority, not_before: self.not_before.clone(), after: self.dependencies(context)? };
        Ok(Meant { plan, start, project: self.project.clone().or_else(here), wishes })
    }

    /// The runs that those wait for which are submitted.
    fn dependencies(&self, context: &Context) -> Result<Vec<Dependency>, HomeError> {
        if self.after.is_empty() && self.after_ok.is_empty() {
            return Ok(Vec::new());
        }
        let (snapshot, old) = Snapshot::current(context)?;
        snapshot.warnings(old).iter().for_each(|warning| (context.say)(warning));
        let views = snapshot.views(context);
        let project = current_project(context);
        let named = |words: &[String], ok: bool| -> Result<Vec<Dependency>, HomeError> {
            select::refuse_absent(&snapshot, &views, words)?;
            let chosen = select::select(&views, words, Some(&project), context.now())?;
            Ok(chosen.iter().map(|view| Dependency { run: view.id, ok }).collect())
        };
        let ok = named(&self.after_ok, true)?;
        let ended = named(&self.after, false)?.into_iter().filter(|dependency| ok.iter().all(|other| other.run != dependency.run));
        Ok(ended.chain(ok.iter().copied()).collect())
    }
}

impl Meant {
    /// Where there is nothing to run: why.
    pub fn nothing(&self, words: &Words) -> Option<String> {
        let spec = words.spec.as_deref().unwrap_or_default();
        self.plan.experiments.is_empty().then(|| format!("note: nothing is to run in {spec}: `neronet check` says why, row by row"))
    }

    /// `detached`: whoever keeps the queue carries the runs out.
    pub fn request(&self, words: &Words, repeats: Repeats, detached: bool) -> Request<'_> {
        Request {
            plan: &self.plan,
            start: &self.start,
            project: self.project.clone(),
            detached,
            parallel: words.parallel,
            wishes: self.wishes.clone(),
            repeats,
            preflight: words.preflight,
        }
    }
}

/// The specification that is meant where none is named.
pub fn default_spec(folder: &Path) -> Option<&'static str> {
    neronet_spec::DEFAULT_NAMES.into_iter().find(|name| folder.join(name).exists())
}

/// The plan of a specification, and the folder that its paths are relative to. `place` as in `Words::meant`.
pub fn read_spec(context: &Context, place: &Path, spec: Option<&str>, set: &[String]) -> Result<(Plan, PathBuf), HomeError> {
    let Some(named) = spec.or_else(|| default_spec(&context.folder)) else {
        return Err(HomeError::Words(format!(
            "there is no neronet.toml in {}; write one, name another file, or run a command without any: neronet run -- CMD",
            context.folder.display()
        )));
    };
    let named = place.join(named).to_string_lossy().into_owned();
    if let Some(named) = sheet(&named) {
        let (rows, folder) = read_sheet(context, named, set)?;
        let mut plan = rows.plan?;
        plan.warnings.extend(rows.notes);
        return Ok((plan, folder));
    }
    let (file, only) = match named.rsplit_once(':') {
        Some((file, name)) if !Path::new(&named).exists() => (file, Some(name)),
        _ => (named.as_str(), None),
    };
    let path = Path::new(file);
    let is_command = path.extension().is_some_and(|ending| !["toml", "yaml", "yml"].map(Some).contains(&ending.to_str()))
        || (path.extension().is_none() && !path.exists());
    if is_command {
        let there = if path.exists() { "" } else { ", and there is no such file" };
        return Err(HomeError::Words(format!(
            "'{file}' is no specification, whose name ends in .toml or .yaml{there}; to run a command: {}",
            as_command(&[file.to_string()])
        )));
    }
    Ok((neronet_spec::load(path, only, set)?, folder_of(context, path)))
}

/// A spreadsheet that is named, and its sheet: `runs.xlsx`, `runs.xlsx:old ones`.
pub fn sheet(words: &str) -> Option<(&str, Option<&str>)> {
    let is_sheet = |file: &str| neronet_spec::is_sheet(Path::new(file));
    match words.rsplit_once(':') {
        Some((file, sheet)) if is_sheet(file) && !Path::new(words).exists() => Some((file, Some(sheet))),
        _ => is_sheet(words).then_some((words, None)),
    }
}

/// The rows of a spreadsheet, and the folder that its paths are relative to.
pub fn read_sheet(context: &Context, (file, sheet): (&str, Option<&str>), set: &[String]) -> Result<(Rows, PathBuf), HomeError> {
    let path = Path::new(file);
    Ok((neronet_spec::load_sheet(path, sheet, set)?, folder_of(context, path)))
}

fn folder_of(context: &Context, file: &Path) -> PathBuf {
    file.parent().map_or_else(|| context.folder.clone(), |parent| context.folder.join(parent))
}

/// How to run these words without a specification.
pub fn as_command(words: &[String]) -> String {
    let interpreter = match words.first().map(|word| Path::new(word).extension().unwrap_or_default().to_string_lossy().into_owned()) {
        Some(ending) if ending == "py" => "python ",
        Some(ending) if ending == "sh" => "sh ",
        _ => "",
    };
    format!("neronet run -- {interpreter}{}", in_shell(words))
}
