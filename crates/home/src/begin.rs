//! Begins one attempt of a run: its work folder, its command filled in, its launch, its keeper.

use crate::brought;
use crate::build;
use crate::configure;
use crate::context::Context;
use crate::error::HomeError;
use crate::filling::{self, Filling, Stage};
use crate::granted;
use crate::inputs;
use crate::masked;
use crate::port;
use crate::preflight;
use crate::secrets::is_kept_out;
use crate::steer;
use crate::submit::environment_of;
use crate::travel::needed::Staged;
use neronet_capture::code;
use neronet_capture::secrets::mask_text;
use neronet_model::journal::{Code, Sweep};
use neronet_model::launch::{self, Awaited, Courtesy, Launch, Limits};
use neronet_model::queue::Grant;
use neronet_model::run::Again;
use neronet_model::settings::{Resume, Step};
use neronet_model::{AttemptNo, FORMAT, Params, Run, RunId, SweepId, Uid, UnixMs};
use neronet_spec::plain;
use neronet_spec::render::{self, Mode, Rendered};
use neronet_store::files::{self, Durability};
use neronet_store::spool;
use neronet_supervise::files::files_found;
use neronet_supervise::found;
use neronet_supervise::os::process;
use neronet_supervise::start::{self, Started};
use neronet_supervise::{Nursery, Secrets};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `run.json`: the run as it was decided, frozen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frozen {
    pub version: u32,
    pub id: RunId,
    pub uid: Uid,
    pub sweep: SweepId,
    pub project: String,
    pub experiment: String,
    pub params: Params,
    pub command: String,
    pub directory: String,
    pub created: UnixMs,
    pub host: String,
    pub user: String,
    pub code: Code,
    /// The run of another experiment that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RunId>,
    /// Names and paths of the inputs that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<(String, String)>,
}

impl Frozen {
    /// Of a run that was begun.
    pub fn of(context: &Context, run: RunId) -> Option<Frozen> {
        files::read_json(&context.home.run(run).join("run.json")).ok().flatten()
    }
}

/// An attempt that is to be started.
pub(crate) struct Wanted {
    pub(crate) run: Run,
    /// The run that it goes on from.
    pub(crate) after: Option<RunId>,
    pub(crate) n: AttemptNo,
    /// How, for all but the first.
    pub(crate) again: Option<Again>,
    /// What it has of the machine, and how it yields to others there.
    pub(crate) grant: Grant,
    pub(crate) courtesy: Courtesy,
}

/// Starts an attempt. The nursery has the sweep's environment; the secrets are those that the sweep names.
pub(crate) fn begin(
    context: &Context,
    nursery: &Nursery,
    sweep: &Sweep,
    Wanted { run, after, n, again, grant, courtesy }: &Wanted,
    secrets: &Secrets,
) -> Result<Started, HomeError> {
    let (after, n, again, courtesy) = (*after, *n, again.as_ref(), *courtesy);
    preflight::start::may(context, sweep)?;
    let folder = context.home.run(run.id);
    files::make_folder(&folder)?;
    let start = work_folder(context, sweep, run.id, n)?;
    let directory = plain(&start.join(sweep.settings.code.directory.as_deref().unwrap_or_default()));
    let environment = environment_of(context, sweep.id);
    let (checkpoint, best) = match again {
        Some(Again::Resume { checkpoint, best, .. }) => (checkpoint.clone(), best.clone().or_else(|| checkpoint.clone())),
        _ => (None, None),
    };
    let gone = checkpoint.as_deref().map(Path::new).filter(|path| path.starts_with(&folder) && !path.exists());
    if let Some(gone) = gone.filter(|_| sweep.settings.resume != Some(Resume::Automatic)) {
        let (what, id) = (gone.strip_prefix(&folder).unwrap_or(gone).display(), run.id);
        return Err(HomeError::Failed(format!(
            "run {id} is to go on from {what}, which is not here; if it is on a target, `neronet fetch {id}` brings it"
        )));
    }
    let (after, stage) = match after {
        Some(after) => (Some(after), checkpoints_of(context, after)?),
        // Nobody here knows that run, whose checkpoints were sent.
        None => Staged::of(context, run.id)?.map_or_else(Default::default, |(after, stage)| (Some(after), stage)),
    };
    if let Some(after) = after.filter(|_| stage.latest.is_none() && filling::names_stage(&sweep.settings)) {
        return Err(HomeError::Failed(format!("run {after}, which it goes on from, has no complete checkpoint")));
    }
    // As it was frozen; what links lead to lies with the run alone.
    let frozen = copied_from(context, sweep).map(|tree| tree.join(&sweep.code.below));
    let code: Vec<&Path> = frozen.iter().chain([&start]).map(PathBuf::as_path).collect();
    let (filled, notices) = filled(context, sweep, run, n, &code)?;
    let filled = filled.with_stage(stage).with_gpus(grant.gpus.as_ref().map(|gpus| gpus.len() as u32));
    let run_directory = folder.display().to_string();
    let filling = render::Context { checkpoint: checkpoint.as_deref(), best_checkpoint: best.as_deref(), ..filled.context() };
    // A step goes on with what the command left.
    if first_step(again).is_none() {
        configure(context, sweep, run, &filling, (&code, &start))?;
    }
    let shell = preflight::default_shell(&environment);
    let rendered = rendered(sweep, run, &filling, again, shell)?;
    let known = [masked::in_environment(environment.clone()), secrets.lines()].concat();
    let shown = mask_text(&rendered.shown, &known);
    let mut steps = steps(sweep, run, &filling, first_step(again), shell)?;
    steps.iter_mut().for_each(|step| step.shown = mask_text(&step.shown, &known));
    if !folder.join("run.json").exists() {
        let frozen = Frozen {
            version: FORMAT,
            id: run.id,
            uid: run.uid,
            sweep: sweep.id,
            project: sweep.project.clone(),
            experiment: sweep.experiment.clone(),
            params: run.params.clone(),
            command: shown.clone(),
            directory: directory.display().to_string(),
            created: run.created,
            host: sweep.host.clone(),
            user: sweep.user.clone(),
            code: sweep.code.clone(),
            after,
            inputs: filled.inputs.clone(),
        };
        files::replace_json(&folder.join("run.json"), &frozen, Durability::Renamed)?;
        files::replace_json(&folder.join("params.json"), &run.params, Durability::Renamed)?;
    }
    let attempt = context.home.attempt(run.id, n);
    let launch = Launch {
        version: FORMAT,
        run: run.id,
        uid: run.uid,
        attempt: n,
        argv: rendered.argv,
        setup: render::setup(&sweep.settings, shell),
        shown,
        hides_ends: rendered.hides_ends,
        steps,
        steps_only: first_step(again).is_some(),
        directory: directory.display().to_string(),
        run_directory,
        env: {
            // The nursery may have it still: what a first attempt finds, a retry must find too.
            let kept_out = context.environment.iter().filter(|(name, value)| is_kept_out(&sweep.settings, secrets, (name, value)));
            let kept_out = kept_out.filter_map(|(name, _)| Some((name.to_str()?.to_string(), None)));
            kept_out.chain(variables(sweep, run, &filling, (&attempt, n), grant, &environment)?).collect()
        },
        secrets: sweep.settings.secrets.iter().map(|(name, _)| name.clone()).collect(),
        time_limit: sweep.settings.time_limit,
        stop: sweep.settings.stop.clone(),
        metrics: sweep.settings.metrics.clone(),
        checkpoints: sweep.settings.checkpoints.clone(),
        outputs: sweep.settings.outputs.clone(),
        code: copied_from(context, sweep).map(|tree| tree.display().to_string()),
        objectives: sweep.settings.objectives.clone(),
        resumes: matches!(again, Some(Again::Resume { .. })),
        resumed_from: checkpoint,
        files_found: files_found(&directory, &sweep.settings.metrics, n.0 == 1),
        limits: limits(&environment),
        grant: Some(grant.clone()),
        courtesy,
        notices,
    };
    Ok(start::start(nursery, &attempt, &launch, secrets)?)
}

/// Smaller limits for tests of what happens beyond them.
fn limits(environment: &[(OsString, OsString)]) -> Limits {
    let of = |name: &str| environment.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.to_str()?.parse().ok());
    let default = Limits::default();
    Limits { output_bytes: of("NERONET_OUTPUT_LIMIT").unwrap_or(default.output_bytes), ..default }
}

/// Where the spec's folder is for this run: in its own copy, or in place.
fn work_folder(context: &Context, sweep: &Sweep, run: RunId, n: AttemptNo) -> Result<PathBuf, HomeError> {
    let code = &sweep.code;
    let Some(snapshot) = &code.snapshot else { return Ok(Path::new(&code.top).join(&code.below)) };
    let work = context.home.work(run);
    let below = Path::new(&code.below);
    let links: Vec<String> = sweep.settings.code.link.iter().map(|link| below.join(link).display().to_string()).collect();
    let brought = brought::before(context, run, n);
    if work.exists() && !brought {
        if n.0 > 1 && interrupted(context, run, AttemptNo(n.0 - 1)) {
            match build::place(context, sweep) {
                Some(built) => code::mend_built(&built, &work)?,
                None => code::mend(&context.home.snapshots(), snapshot, &work, &links, Path::new(&code.top))?,
            };
        }
    } else {
        // What starts that were cut short have left.
        let left = std::fs::read_dir(context.home.run(run)).into_iter().flatten().flatten();
        let drafts = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
        drafts.for_each(|entry| drop(files::remove_folder(&entry.path())));
        // Under another name until it is whole: a start that was cut short must not leave half a work folder.
        let unfinished = context.home.run(run).join(format!(".work.{}", std::process::id()));
        let made = match build::place(context, sweep) {
            Some(built) => code::copy_built(&context.home.snapshots(), snapshot, &built, &unfinished, &links, Path::new(&code.top)),
            None => code::materialise(&context.home.snapshots(), snapshot, &unfinished, &links, Path::new(&code.top)),
        };
        if made.is_err() {
            // The room is needed, and be it to write down that there was none.
            files::remove_folder(&unfinished).ok();
        }
        made?;
        let placed = if brought { brought::kept(&work, &unfinished) } else { Ok(()) };
        let placed = placed.and_then(|()| std::fs::rename(&unfinished, &work));
        placed.map_err(neronet_store::StoreError::io("make the work folder", &work))?;
    }
    Ok(if code.below.is_empty() { work } else { work.join(&code.below) })
}

/// The tree that the work folder was made from.
fn copied_from(context: &Context, sweep: &Sweep) -> Option<PathBuf> {
    let snapshot = sweep.code.snapshot.as_ref()?;
    Some(build::place(context, sweep).unwrap_or_else(|| code::stored(&context.home.snapshots(), snapshot)))
}

/// The machine went down during that attempt.
fn interrupted(context: &Context, run: RunId, n: AttemptNo) -> bool {
    let attempt = spool::attempt(&context.home.attempt(run, n), n);
    attempt.is_ok_and(|attempt| attempt.keeper.as_ref().is_some_and(process::rebooted_since))
}

/// What the placeholders of this attempt stand for. `code` is the specification's folder as the run has it, or had it.
/// With it a word on inputs that are not what they were.
fn filled(context: &Context, sweep: &Sweep, run: &Run, n: AttemptNo, code: &[&Path]) -> Result<(Filling, Vec<String>), HomeError> {
    let start = Path::new(&sweep.code.top).join(&sweep.code.below);
    let filling = Filling::of(context, &sweep.settings, &run.params, run.id, code, &start).map_err(HomeError::Failed)?;
    let then = if filling.inputs.is_empty() { Vec::new() } else { inputs::of_sweep(context, sweep.id).unwrap_or_default() };
    let notices = inputs::still_there(&sweep.settings.inputs, &filling, &then)?;
    let port = if filling::names_port(&sweep.settings, code) { Some(port::reserve(context, run.id, n)?) } else { None };
    Ok((filling.with_port(port), notices))
}

/// The latest checkpoint of a run that another one goes on from, and the best by its own objective.
fn checkpoints_of(context: &Context, run: RunId) -> Result<Stage, HomeError> {
    let state = context.home.read()?.state;
    let Some((before, sweep)) = state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else {
        return Ok(Stage::default());
    };
    let joined = found::joined(&context.home.run(run), AttemptNo(before.attempts))?;
    let found = steer::checkpoints_among(context, run, sweep, &joined)?;
    let text = |path: &Path| path.display().to_string();
    // What is on a target alone comes with `neronet fetch`.
    let here = |path: &&Path| found.is_here(path);
    let (latest, best) = (found.latest.as_deref().filter(here), found.best.as_deref().filter(here));
    if let (None, None, Some(away)) = (latest, best, &found.latest) {
        let what = away.strip_prefix(context.home.run(run)).unwrap_or(away).display();
        return Err(HomeError::Failed(format!(
            "{what} of run {run}, which it goes on from, is on a target: `neronet fetch {run}` brings it"
        )));
    }
    Ok(Stage { best: best.or(latest).map(text), latest: latest.or(best).map(text) })
}

/// Makes the configuration files of a run from the code as it was frozen, writes them into the run's copy of it, `start`, and keeps
/// them beside that.
fn configure(
    context: &Context,
    sweep: &Sweep,
    run: &Run,
    filling: &render::Context<'_>,
    (code, start): (&[&Path], &Path),
) -> Result<(), HomeError> {
    if sweep.settings.files.is_empty() {
        return Ok(());
    }
    if sweep.code.snapshot.is_none() {
        return Err(HomeError::Failed(
            "[[file]] writes into a run's own copy of the code, and this run executes in the work tree itself".into(),
        ));
    }
    let kept = context.home.run(run.id).join("files");
    let made = configure::made(&sweep.settings, &run.params, filling, code);
    let written = made.and_then(|made| configure::write(&made, start, &context.home.work(run.id), &kept));
    written.map_err(|why| HomeError::Failed(format!("the configuration files of run {} cannot be made: {why}", run.id)))
}

fn rendered(sweep: &Sweep, run: &Run, filling: &render::Context<'_>, again: Option<&Again>, shell: &str) -> Result<Rendered, HomeError> {
    let mode = if matches!(again, Some(Again::Resume { step: None, .. })) { Mode::Resume } else { Mode::First };
    render::command(&sweep.settings, &run.params, filling, mode, shell)
        .map_err(|why| HomeError::Failed(format!("the command of run {} cannot be made: {why}", run.id)))
}

/// The step that an attempt begins with, where it does not begin with the command.
fn first_step(again: Option<&Again>) -> Option<&str> {
    match again {
        Some(Again::Resume { step, .. }) => step.as_deref(),
        _ => None,
    }
}

fn steps(
    sweep: &Sweep,
    run: &Run,
    filling: &render::Context<'_>,
    first: Option<&str>,
    shell: &str,
) -> Result<Vec<launch::Step>, HomeError> {
    let steps = sweep.settings.then.iter().skip_while(|step| first.is_some_and(|first| step.name != first));
    let render = |step| render::step(&sweep.settings, &run.params, filling, step, shell).map_err(|why| (step, why));
    let failed = |(step, why): (&Step, String)| HomeError::Failed(format!("step {} of run {} cannot be made: {why}", step.name, run.id));
    steps.map(render).collect::<Result<_, _>>().map_err(failed)
}

fn variables(
    sweep: &Sweep,
    run: &Run,
    filling: &render::Context<'_>,
    (attempt, n): (&Path, AttemptNo),
    grant: &Grant,
    environment: &[(OsString, OsString)],
) -> Result<Vec<(String, Option<String>)>, HomeError> {
    let folder = Path::new(filling.run_directory);
    // Of an outer run, if we are started from within one: what is ours is set below.
    let outer = |name: &str| {
        name.starts_with("NERONET_PARAM_")
            || ["NERONET_SEED", "NERONET_COMMIT", "NERONET_BRANCH", "NERONET_RESUME_FROM", granted::IDS].contains(&name)
            || [Awaited::Latest, Awaited::Best].iter().any(|awaited| awaited.variable() == name)
    };
    let inherited = environment.iter().filter_map(|(name, _)| name.to_str());
    let mut all: Vec<(String, Option<String>)> = inherited.filter(|name| outer(name)).map(|name| (name.into(), None)).collect();
    let mut set = |name: &str, value: String| all.push((name.to_string(), Some(value)));
    set("PYTHONUNBUFFERED", "1".into());
    set("NERONET_RUN", run.id.to_string());
    set("NERONET_ATTEMPT", n.to_string());
    set("NERONET_RUN_DIR", filling.run_directory.to_string());
    set("NERONET_PARAMS", folder.join("params.json").display().to_string());
    set(start::METRICS_VARIABLE, attempt.join("metrics-in.jsonl").display().to_string());
    let checkpoints = folder.join("checkpoints");
    files::make_folder(&checkpoints)?;
    set("NERONET_CHECKPOINTS", checkpoints.display().to_string());
    if let Some(seed) = filling.seed {
        set("NERONET_SEED", seed.to_string());
    }
    if let Some(git) = &sweep.code.git {
        set("NERONET_COMMIT", git.commit.clone());
        set("NERONET_BRANCH", git.branch.clone());
    }
    for (name, value) in run.params.iter() {
        let value = value.to_string();
        // The system starts nothing with a longer one; `params.json` has them all.
        if value.len() <= neronet_spec::LONGEST_ARGUMENT {
            set(&neronet_spec::variable(name), value);
        }
    }
    if let Some(python) = &sweep.settings.environment.python {
        let venv = preflight::virtual_environment(&Path::new(&sweep.code.top).join(&sweep.code.below), python);
        if let Some(why) = preflight::no_python(&venv) {
            return Err(HomeError::Failed(format!("[environment] python: {why}")));
        }
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.to_string_lossy().into_owned());
        all.extend(preflight::activated(&venv, path.as_deref()).map(|(name, value)| (name.to_string(), value)));
    }
    all.extend(filling.checkpoint.map(|path| ("NERONET_RESUME_FROM".to_string(), Some(path.to_string()))));
    all.extend(granted::variables(grant).into_iter().map(|(name, value)| (name.to_string(), Some(value))));
    let own = render::env(&sweep.settings, &run.params, filling).map_err(HomeError::Failed)?;
    all.extend(own.into_iter().map(|(name, value)| (name, Some(value))));
    Ok(all)
}
