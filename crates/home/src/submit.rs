//! From a plan to runs in the journal: the code frozen, the environment described, ids given. Nothing is started here.

use crate::code::Part;
use crate::context::Context;
use crate::error::HomeError;
use crate::inputs::Seen;
use crate::masked;
use crate::planned::{self, Before, Planned, Runs};
use crate::preflight::outside::{self, Depth, Report};
use crate::preflight::{self, Looked};
use crate::same::{self, Repeats, There};
use crate::secrets::{Place, is_kept_out};
use crate::select::spans;
use crate::wishes::Asked;
use neronet_capture::code::{self, Survey};
use neronet_capture::devices::{self, Devices};
use neronet_capture::environment::{self, Environment};
use neronet_model::journal::{Code, Entry, Member, Submitted, Sweep};
use neronet_model::{RunId, SweepId, Uid};
use neronet_spec::rows::SheetRow;
use neronet_spec::{Experiment, Plan, Problem, Problems};
use neronet_store::files;
use neronet_supervise::os::process;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Request<'a> {
    /// Where its runs may execute is settled.
    pub plan: &'a Plan,
    /// The spec's folder, or where the command was typed.
    pub start: &'a Path,
    pub project: Option<String>,
    pub detached: bool,
    /// Overrides `[sweep] parallel`.
    pub parallel: Option<u64>,
    /// Goes over what the specification says of the queue.
    pub wishes: Asked,
    /// What becomes of runs that are there already.
    pub repeats: Repeats,
    /// Ask the system first whether the runs can start.
    pub preflight: bool,
}

#[derive(Debug, Default)]
pub struct Receipt {
    pub sweeps: Vec<SweepId>,
    pub runs: Vec<RunId>,
    /// Sentences that the researcher should read.
    pub notes: Vec<String>,
}

/// What a sweep's folder says of the world at submission.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct World {
    pub environment: Environment,
    pub devices: Devices,
    /// Path and reason of what the snapshot does not hold.
    pub left_out: Vec<(String, String)>,
    /// Large files that are linked: path and size.
    pub large: Vec<(String, u64)>,
    /// What the runs read, as it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Seen>,
    /// The program that the runs need whatever happens, as it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

pub fn submit(context: &Context, request: &Request<'_>) -> Result<Receipt, HomeError> {
    let parts = crate::code::parts(request.plan);
    let cache = context.cache.clone();
    let variables = described(context, request);
    let venv = request.plan.experiments.iter().find_map(|experiment| experiment.settings.environment.python.as_ref());
    let venv = venv.map(|python| preflight::virtual_environment(request.start, python));
    let program = request.plan.experiments.iter().find_map(|experiment| {
        let folder = request.start.join(experiment.settings.code.directory.as_deref().unwrap_or_default());
        experiment.program().map(|program| if program.contains('/') { folder.join(program) } else { PathBuf::from(program) })
    });
    let (surveyed, environment, devices) = std::thread::scope(|scope| {
        let described = scope.spawn(|| {
            // Read now, the journal is known when the lock is taken; what is wrong with it is told then.
            context.home.read().ok();
            (environment::describe(&variables, venv.as_deref(), program.as_deref(), &cache), devices::describe())
        });
        let surveyed = survey(context, request, &parts);
        let (environment, devices) = described.join().unwrap_or_default();
        (surveyed, environment, devices)
    });
    let surveyed = surveyed?;
    let mut receipt = Receipt::default();
    receipt.notes.extend(same::told(surveyed.codes.iter().map(|code| &code.there), request.repeats));
    if surveyed.codes.iter().all(|code| code.there.is_all(&surveyed.planned_of(code))) {
        return Ok(receipt);
    }
    receipt.notes.extend(request.plan.warnings.iter().map(ToString::to_string));
    receipt.notes.extend(request.wishes.over_already(request.plan, context.now()));
    for Frozen { code, survey, report, .. } in &surveyed.codes {
        let told = notes(code, survey, &environment, &report.warnings).into_iter().chain(report.notes.iter().cloned());
        let told: Vec<String> = told.filter(|note| !receipt.notes.contains(note)).collect();
        receipt.notes.extend(told);
    }
    let world = World { environment, devices, ..World::default() };
    record(context, request, &surveyed, world, &mut receipt)?;
    Ok(receipt)
}

/// More runs are not looked for one by one only to say what would become of them.
const FORESEEN: u64 = 10_000;

/// What submitting a plan would come to, as far as the runs that are there decide it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreseen {
    pub there: usize,
    pub new: usize,
    /// What would be said of it.
    pub says: Vec<String>,
}

/// Looks for the runs of a plan. Nothing where that would take long, or where the runs that it goes on from are only known when
/// it is submitted.
pub fn foreseen(context: &Context, plan: &Plan, codes: &[(Survey, Plan)], inputs: &[Seen]) -> Result<Option<Foreseen>, HomeError> {
    let Some((first, _)) = codes.first() else { return Ok(None) };
    let project = plan.project.clone().unwrap_or_else(|| project_of(&first.top));
    let total = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
    let known = same::known(&context.home.read()?.state, &project);
    if known.is_empty() {
        return Ok(usize::try_from(total).ok().map(|new| Foreseen { new, ..Foreseen::default() }));
    }
    let within = |experiment: &Experiment| {
        let stage = experiment.settings.stage.as_ref();
        stage.is_none_or(|stage| plan.experiments.iter().any(|known| known.name == stage.after))
    };
    if total > FORESEEN || !plan.experiments.iter().all(within) {
        return Ok(None);
    }
    let parts = crate::code::parts(plan);
    let git_of = |at: usize| parts.iter().zip(codes).find(|(part, _)| part.places.contains(&at))?.1.0.git.as_ref();
    let planned = planned::runs(context, plan, &project, true, git_of)?;
    let (mut foreseen, mut all) = (Foreseen::default(), Vec::new());
    for (part, (survey, _)) in parts.iter().zip(codes) {
        let of_code: Vec<&Runs> = part.places.iter().filter_map(|at| planned.get(*at)).collect();
        let keys: HashSet<&same::Key> = of_code.iter().flat_map(|runs| &runs.all).filter_map(|run| run.key.as_ref()).collect();
        let there = keys.iter().filter(|key| known.contains_key(**key)).count();
        foreseen.there += there;
        foreseen.new += keys.len() - there;
        match same::look(context, (&part.plan, &of_code), (&project, survey, inputs), Repeats::OnlyNew) {
            Ok(there) => all.push(there),
            Err(HomeError::Failed(why)) => foreseen.says.push(why.replace('\n', "; ")),
            Err(other) => return Err(other),
        }
    }
    foreseen.says.extend(same::told(all.iter(), Repeats::OnlyNew));
    Ok(Some(foreseen))
}

/// All that is looked at before anything is recorded.
struct Surveyed {
    project: String,
    /// By experiment.
    planned: Vec<Runs>,
    codes: Vec<Frozen>,
}

/// The code of some experiments, frozen.
struct Frozen {
    code: Code,
    survey: Survey,
    inputs: Vec<Seen>,
    there: There,
    report: Report,
    /// Its experiments in the whole plan.
    places: Vec<usize>,
}

impl Surveyed {
    fn planned_of(&self, code: &Frozen) -> Vec<&Runs> {
        code.places.iter().filter_map(|at| self.planned.get(*at)).collect()
    }
}

fn survey(context: &Context, request: &Request<'_>, parts: &[Part<'_>]) -> Result<Surveyed, HomeError> {
    let mut codes = Vec::new();
    for part in parts {
        let plan: &Plan = &part.plan;
        let survey = crate::code::survey(context, plan, request.start)?;
        let Looked { warnings, inputs } = preflight::look(context, plan, &survey, &project(request, &survey))?;
        let code = Code {
            snapshot: None,
            in_place_because: survey.in_place_because.clone(),
            top: survey.top.display().to_string(),
            below: survey.below.clone(),
            git: survey.git.clone(),
        };
        let report = Report { warnings, ..Report::default() };
        codes.push(Frozen { code, survey, inputs, there: There::default(), report, places: part.places.clone() });
    }
    let project = codes.first().map(|code| project(request, &code.survey)).unwrap_or_default();
    let git_of = |at: usize| codes.iter().find(|code| code.places.contains(&at)).and_then(|code| code.code.git.as_ref());
    let planned = planned::runs(context, request.plan, &project, request.repeats != Repeats::Start, git_of)?;
    let mut surveyed = Surveyed { project, planned, codes: Vec::new() };
    for (mut code, part) in codes.into_iter().zip(parts) {
        let of_code = surveyed.planned_of(&code);
        let there = same::look(context, (&part.plan, &of_code), (&surveyed.project, &code.survey, &code.inputs), request.repeats)?;
        if !there.is_all(&of_code) {
            freeze(context, request, (&part.plan, &surveyed.project), &mut code)?;
        }
        code.there = there;
        surveyed.codes.push(code);
    }
    Ok(surveyed)
}

fn project(request: &Request<'_>, survey: &Survey) -> String {
    request.project.clone().or_else(|| request.plan.project.clone()).unwrap_or_else(|| project_of(&survey.top))
}

/// Stores the code, and asks the system meanwhile whether the runs can start.
fn freeze(context: &Context, request: &Request<'_>, (plan, project): (&Plan, &str), frozen: &mut Frozen) -> Result<(), HomeError> {
    let in_place = plan.experiments.iter().all(|experiment| experiment.settings.code.in_place);
    let survey = &frozen.survey;
    let store = || -> Result<Option<String>, HomeError> {
        if in_place || survey.in_place_because.is_some() {
            return Ok(None);
        }
        let snapshots = context.home.snapshots();
        files::make_folder(&snapshots)?;
        let stored = code::store(survey, &snapshots);
        // What lies in home and cannot be written says something about home, all else about the code.
        Ok(Some(stored.map_err(|e| if e.place.starts_with(&snapshots) { HomeError::Snapshots(e) } else { e.into() })?))
    };
    let (report, stored) = std::thread::scope(|scope| {
        let look = || outside::look(context, plan, survey, project, Depth::Start);
        let report = request.preflight.then(|| scope.spawn(look));
        let stored = store();
        (report.map(|report| report.join().unwrap_or_default()).unwrap_or_default(), stored)
    });
    frozen.code.snapshot = stored?;
    let mut warnings = std::mem::take(&mut frozen.report.warnings);
    warnings.extend(report.warnings);
    if !request.preflight {
        warnings.extend(preflight::room::beyond(context, plan));
    }
    if !report.errors.is_empty() {
        return Err(HomeError::Spec(Problems(report.errors.into_iter().chain(warnings).collect())));
    }
    frozen.report = Report { warnings, ..report };
    Ok(())
}

fn notes(code: &Code, survey: &Survey, environment: &Environment, warnings: &[Problem]) -> Vec<String> {
    let mut notes: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    notes.extend(survey.notes.iter().cloned());
    if let Some(why) = &code.in_place_because {
        notes.push(format!("the code is not frozen, runs execute in {} itself: {why}", code.top));
    }
    notes.extend(survey.left_out.iter().take(5).map(|(path, why)| format!("{path} is not in the snapshot: {why}")));
    if survey.left_out.len() > 5 {
        notes.push(format!("{} more files are not in the snapshot (`neronet show` names them)", survey.left_out.len() - 5));
    }
    if code.snapshot.is_some() {
        let inside = environment.editable.iter().filter(|(_, folder)| folder.starts_with(&survey.top));
        notes.extend(inside.map(|(name, folder)| {
            format!("package {name} is installed from {} itself: that part of the code is not frozen", folder.display())
        }));
    }
    notes
}

/// What a run has that is not there already.
struct New {
    uid: Uid,
    /// Of an expression.
    gpus: Option<u32>,
}

fn record(context: &Context, request: &Request<'_>, surveyed: &Surveyed, mut world: World, receipt: &mut Receipt) -> Result<(), HomeError> {
    let driver = process::myself();
    // Made before the lock is taken: 100,000 of them take a moment.
    let as_set = request.repeats != Repeats::Start;
    let mut taken = HashSet::new();
    let Surveyed { project, planned, codes } = surveyed;
    let code_of = |at: usize| codes.iter().find(|code| code.places.contains(&at));
    let mut news: Vec<Vec<Option<New>>> = Vec::new();
    for (at, runs) in planned.iter().enumerate() {
        let left_out = code_of(at).map(|code| &code.there.left_out);
        let left_out = |key: &same::Key| left_out.is_some_and(|left_out| left_out.contains(key));
        // In a set each is there once.
        let mut is_new = |run: &Planned| run.key.as_ref().is_none_or(|key| !left_out(key) && taken.insert(key.clone()));
        let experiment = request.plan.experiments.get(at);
        let gpus = |run: &Planned| experiment.map_or(Ok(None), |experiment| neronet_spec::gpus(&experiment.settings, &run.params));
        let new = |run| match is_new(run) {
            true => Ok(Some(New { uid: context.uid()?, gpus: gpus(run).map_err(HomeError::Words)? })),
            false => Ok(None),
        };
        news.push(runs.all.iter().map(new).collect::<Result<_, HomeError>>()?);
    }
    let secrets = std::cell::OnceCell::new();
    let labels = |row: Option<&SheetRow>| {
        let Some(row) = row.filter(|row| !row.tags.is_empty() || row.note.is_some()) else { return (Vec::new(), None) };
        let known = secrets.get_or_init(|| masked::in_environment(context.environment.clone()));
        (row.tags.iter().map(|tag| masked::tag(tag, known)).collect(), row.note.as_ref().map(|note| masked::note(note, known)))
    };
    let mut home = context.lock()?;
    let staged = request.plan.experiments.iter().any(|experiment| experiment.settings.stage.is_some());
    let seen = codes.iter().map(|code| code.there.seen).min().unwrap_or_default();
    let somebody = request.repeats != Repeats::Again && home.state().last_run > seen;
    // Of what is there already, for runs that go on from it; and somebody may have submitted in the meantime, perhaps the same.
    let mut known = if as_set && (somebody || staged) { same::known(home.state(), project) } else { Default::default() };
    let mut just_now: Vec<RunId> = Vec::new();
    if somebody {
        for (run, new) in planned.iter().flat_map(|runs| &runs.all).zip(news.iter_mut().flatten()) {
            let there = run.key.as_ref().and_then(|key| known.get(key)).filter(|run| run.0 > seen);
            if let Some(there) = there.filter(|_| new.take().is_some()) {
                just_now.push(*there);
            }
        }
    }
    let at = context.now();
    let (mut next_run, mut next_sweep) = (home.state().last_run, home.state().last_sweep);
    let mut all = Vec::new();
    let mut ids: Vec<Vec<Option<RunId>>> = Vec::new();
    for (at_plan, ((experiment, runs), news)) in request.plan.experiments.iter().zip(planned).zip(news).enumerate() {
        let Some(Frozen { code, survey, inputs, report, .. }) = code_of(at_plan) else { continue };
        let before = |before: Before| match before {
            Before::Planned(experiment, n) => *ids.get(experiment)?.get(n)?,
            Before::There(run) => Some(run),
        };
        let best_of: Vec<RunId> = runs.best_of.iter().filter_map(|run| before(*run)).collect();
        let mut members = Vec::new();
        let mut own = Vec::new();
        for (n, (run, new)) in runs.all.iter().zip(news).enumerate() {
            let Some(New { uid, gpus }) = new else {
                own.push(run.key.as_ref().and_then(|key| known.get(key)).copied());
                continue;
            };
            next_run += 1;
            // A damaged journal may have forgotten a run; its folder says that the number is taken.
            while context.home.run(RunId(next_run)).exists() {
                next_run += 1;
            }
            let id = RunId(next_run);
            own.push(Some(id));
            known.extend(run.key.clone().filter(|_| staged).map(|key| (key, id)));
            let (tags, note) = labels(experiment.rows.get(n));
            members.push(Member { id, uid, params: run.params.clone(), after: run.after.and_then(before), gpus, tags, note });
        }
        ids.push(own);
        if as_set && members.is_empty() {
            continue;
        }
        next_sweep += 1;
        let sweep = Sweep {
            id: SweepId(next_sweep),
            at,
            project: project.clone(),
            experiment: experiment.name.clone(),
            settings: Arc::new(experiment.settings.clone()),
            varying: experiment.varying(),
            parallel: request.parallel.or(experiment.parallel),
            driver: driver.clone(),
            detached: request.detached,
            code: if experiment.settings.code.in_place { Code { snapshot: None, ..code.clone() } } else { code.clone() },
            host: driver.host.clone(),
            user: context.user.clone(),
            spec: experiment.source.clone().or_else(|| request.plan.source.clone()),
            best_of,
            wishes: request.wishes.over(experiment, at),
            targets: experiment.settings.target.clone(),
            imported: None,
        };
        let submitted = Submitted { members, sweep };
        receipt.sweeps.push(submitted.sweep.id);
        receipt.runs.extend(submitted.members.iter().map(|member| member.id));
        world.program = report.needed.get(&submitted.sweep.experiment).cloned();
        world.inputs.clone_from(inputs);
        world.left_out.clone_from(&survey.left_out);
        world.large = survey.large.iter().map(|large| (large.path.clone(), large.size)).collect();
        write_world(context, &submitted.sweep, &world)?;
        all.push(submitted);
    }
    if !just_now.is_empty() {
        let runs = if just_now.len() == 1 { "1 run was" } else { &format!("{} runs were", just_now.len()) };
        receipt.notes.push(format!("{runs} submitted by another neronet just now ({})", spans(&just_now)));
    }
    if !all.is_empty() {
        home.decide(context.keyed_with(Entry::Submitted(all), &receipt.notes))?;
    }
    Ok(())
}

/// The work tree's name, without which the folder's.
pub fn project_of(top: &Path) -> String {
    let name = top.file_name().map(|name| name.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".into())
}

pub fn world_file(context: &Context, sweep: SweepId) -> PathBuf {
    context.home.root().join("sweeps").join(format!("{sweep}.json"))
}

fn write_world(context: &Context, sweep: &Sweep, world: &World) -> Result<(), HomeError> {
    let path = world_file(context, sweep.id);
    files::make_folder(path.parent().unwrap_or(context.home.root()))?;
    files::make_folder(&context.home.private())?;
    let secrets = Place::of(context, sweep).known(&sweep.settings);
    let kept = context.environment.iter().filter(|(name, value)| !is_kept_out(&sweep.settings, &secrets, (name, value)));
    let mut bytes = Vec::new();
    for (name, value) in kept {
        bytes.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    let world = files::json_bytes(&path, world)?;
    files::write_ahead(&[(&path, &world), (&context.home.environment_of(sweep.id), &bytes)])?;
    Ok(())
}

/// The submitter's environment as it was; our own where it was not kept.
pub fn environment_of(context: &Context, sweep: SweepId) -> Vec<(OsString, OsString)> {
    let Ok(bytes) = std::fs::read(context.home.environment_of(sweep)) else { return context.environment.clone() };
    let pairs = bytes.split(|b| *b == 0).filter_map(|pair| {
        let at = pair.iter().position(|b| *b == b'=').filter(|at| *at > 0)?;
        Some((OsString::from_vec(pair[..at].to_vec()), OsString::from_vec(pair[at + 1..].to_vec())))
    });
    pairs.collect()
}

/// The variables that are described: none that is the secret of any experiment.
fn described(context: &Context, request: &Request<'_>) -> Vec<(String, String)> {
    let place = Place { environment: &context.environment, folder: request.start.to_path_buf() };
    let settings = request.plan.experiments.iter().map(|experiment| &experiment.settings);
    let secrets: Vec<_> = settings.map(|settings| (settings, place.known(settings))).collect();
    let is_secret =
        |name: &OsString, value: &OsString| secrets.iter().any(|(settings, secrets)| is_kept_out(settings, secrets, (name, value)));
    let described = context.environment.iter().filter(|(name, value)| !is_secret(name, value));
    described.filter_map(|(name, value)| Some((name.to_str()?.to_string(), value.to_str()?.to_string()))).collect()
}
