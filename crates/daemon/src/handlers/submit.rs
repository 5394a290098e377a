//! Submitting: what `neronet submit` does in a folder, for whoever has no process there.

use super::steer::Done;
use crate::refusal::Refusal;
use neronet_home::destinations::Named;
use neronet_home::same::Repeats;
use neronet_home::submission::Words;
use neronet_home::{Context, HomeError, submit as runs};
use neronet_spec::{MOMENTS, Moment};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submit {
    /// Where it is submitted, an absolute path: paths are relative to it, and commands start there
    folder: String,
    /// The specification, FILE:NAME for one of its experiments, or a spreadsheet (default: neronet.toml)
    spec: Option<String>,
    /// A command to run without any file, as a list of words
    #[serde(default)]
    command: Vec<String>,
    /// A parameter or a key each: "lr=0.1", or "lr=0.1,0.01" for one run each
    #[serde(default)]
    set: Vec<String>,
    /// The project that the runs belong to (default: the name of the git work tree)
    project: Option<String>,
    /// How many runs at a time
    #[schemars(range(min = 1))]
    parallel: Option<u64>,
    /// Where the runs execute: targets or groups of them, the first that has room; local is this machine (default: what the specification says)
    #[serde(default)]
    target: Vec<String>,
    /// Runs with a higher one start first
    priority: Option<i64>,
    /// Start no run before this: "22:00", "2026-11-23 22:00" in local time, or "in 2h"
    not_before: Option<String>,
    /// Start no run before these runs have ended, however that was
    #[serde(default)]
    after: Vec<String>,
    /// Start no run before these runs have finished; while one has failed, it is held
    #[serde(default)]
    after_ok: Vec<String>,
    /// Start runs anew that are there already
    again: Option<Again>,
    /// Leave runs out that are there already, whatever their code was
    #[serde(default)]
    keep: bool,
    /// However many runs there are; without it, more than 1,000 are refused
    #[serde(default)]
    yes: bool,
    /// Do not ask the system first whether programs, imported modules and room are there
    #[serde(default)]
    no_preflight: bool,
    /// The variables of the runs, these and no others (default: those of the daemon)
    environment: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Again {
    /// All of them
    All,
    /// Those that did not finish
    Failed,
}

/// A specification may be nested deeper than the stack of a thread that answers.
const STACK: usize = 8 << 20;

pub(crate) fn submit(context: &Context, words: Submit) -> Result<Done, Refusal> {
    std::thread::scope(|scope| {
        let working = std::thread::Builder::new().name("submit".into()).stack_size(STACK).spawn_scoped(scope, || submitted(context, words));
        let working = working.map_err(|e| HomeError::Daemon(format!("no thread can be started: {e}")))?;
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn submitted(context: &Context, asked: Submit) -> Result<Done, Refusal> {
    let folder = PathBuf::from(&asked.folder);
    if !folder.is_absolute() || !folder.is_dir() {
        let error = format!("'{}' is no folder", asked.folder.escape_debug());
        return Err(Refusal::new(400, error, "give the absolute path of the folder of the project, on this machine"));
    }
    if asked.again.is_some() && asked.keep {
        return Err(Refusal::new(400, "'again' and 'keep' cannot both be meant", "leave one out"));
    }
    if asked.parallel == Some(0) {
        return Err(Refusal::new(400, "'parallel' is 0", "give 1 or more"));
    }
    let environment = match asked.environment {
        None => context.environment.clone(),
        Some(given) => {
            let is_wrong = |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
            if let Some((name, _)) = given.iter().find(is_wrong) {
                return Err(Refusal::new(400, format!("'{}' is no variable", name.escape_debug()), "a name has no =, and nothing a NUL"));
            }
            given.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
        }
    };
    let not_before = asked.not_before.map(|word| {
        let wrong = || Refusal::new(400, format!("'{}' is no time", word.escape_debug()), MOMENTS);
        Moment::parse(&word).ok_or_else(wrong)
    });
    let context = Context { folder, environment, ..context.clone() };
    let words = Words {
        spec: asked.spec,
        command: asked.command,
        set: asked.set,
        project: asked.project,
        parallel: asked.parallel,
        targets: if asked.target.is_empty() { Named::AsSpecified } else { Named::These(asked.target) },
        priority: asked.priority,
        not_before: not_before.transpose()?,
        after: asked.after,
        after_ok: asked.after_ok,
        yes: asked.yes,
        preflight: !asked.no_preflight,
    };
    let meant = words.meant(&context, Path::new(&asked.folder))?;
    if let Some(nothing) = meant.nothing(&words) {
        return Ok(Done { notes: vec![nothing], ..Done::default() });
    }
    let again = asked.again.map(|again| if again == Again::All { Repeats::Again } else { Repeats::AgainFailed });
    let repeats = Repeats::meant(!words.command.is_empty(), again.or(asked.keep.then_some(Repeats::Keep)));
    let receipt = runs::submit(&context, &meant.request(&words, repeats, true))?;
    Ok(Done { notes: receipt.notes, ..Done::to(receipt.runs) })
}
