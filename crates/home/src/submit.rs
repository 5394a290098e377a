//! From a plan to runs in the journal: the code frozen, the environment described, ids given. Nothing is started here.

use crate::code::Part;
use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::preflight;
use crate::preflight::outside::{self, Depth, Report};
use crate::same::{self, Keys, Repeats, There};
use neronet_capture::code::{self, Survey};
use neronet_capture::devices::{self, Devices};
use neronet_capture::environment::{self, Environment};
use neronet_model::journal::{Code, Entry, Member, Submitted, Sweep};
use neronet_model::{Params, RunId, SweepId};
use neronet_spec::{Experiment, Plan, Problem, Problems};
use neronet_store::files::{self, Durability};
use neronet_supervise::os::process;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub struct Request<'a> {
    pub plan: &'a Plan,
    /// The spec's folder, or where the command was typed.
    pub start: &'a Path,
    pub project: Option<String>,
    pub detached: bool,
    /// Overrides `[sweep] parallel`.
    pub parallel: Option<u64>,
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
    /// The program that the runs need whatever happens, as it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

pub fn submit(context: &Context, request: &Request<'_>) -> Result<Receipt, HomeError> {
    let parts = crate::code::parts(request.plan);
    let cache = context.cache.clone();
    let variables = text_variables(&context.environment);
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
        let surveyed = parts.iter().map(|part| survey(context, request, part)).collect::<Result<Vec<_>, HomeError>>();
        let (environment, devices) = described.join().unwrap_or_default();
        (surveyed, environment, devices)
    });
    let mut surveyed = surveyed?;
    let mut receipt = Receipt::default();
    let nothing_new = parts.iter().zip(&surveyed).all(|(part, found)| found.there.is_all(&part.plan, found.code.git.as_ref()));
    for found in &mut surveyed {
        receipt.notes.append(&mut found.there.notes);
    }
    if nothing_new {
        return Ok(receipt);
    }
    receipt.notes.extend(request.plan.warnings.iter().map(ToString::to_string));
    for Surveyed { code, survey, report, .. } in &mut surveyed {
        let told = notes(code, survey, &environment, &report.warnings).into_iter().chain(std::mem::take(&mut report.notes));
        let told: Vec<String> = told.filter(|note| !receipt.notes.contains(note)).collect();
        receipt.notes.extend(told);
    }
    let world = World { environment, devices, ..World::default() };
    record(context, request, &surveyed, world, &mut receipt)?;
    Ok(receipt)
}

/// Without `..` where a look at the names is enough, as they read better.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if out.file_name().is_some() && !out.is_symlink() => drop(out.pop()),
            std::path::Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// A part of the plan with the code of its runs.
struct Surveyed {
    code: Code,
    survey: Survey,
    report: Report,
    project: String,
    there: There,
    /// Its experiments in the whole plan.
    places: Vec<usize>,
}

fn survey(context: &Context, request: &Request<'_>, part: &Part<'_>) -> Result<Surveyed, HomeError> {
    let plan: &Plan = &part.plan;
    let in_place = plan.experiments.iter().all(|experiment| experiment.settings.code.in_place);
    let survey = crate::code::survey(context, plan, request.start)?;
    let mut warnings = preflight::check(plan, &survey, &context.environment)?;
    let mut code = Code {
        snapshot: None,
        in_place_because: survey.in_place_because.clone(),
        top: survey.top.display().to_string(),
        below: survey.below.clone(),
        git: survey.git.clone(),
    };
    let project = request.project.clone().or_else(|| plan.project.clone()).unwrap_or_else(|| project_of(Path::new(&code.top)));
    let there = same::look(context, plan, &project, &survey, request.repeats)?;
    let places = part.places.clone();
    if there.is_all(plan, code.git.as_ref()) {
        return Ok(Surveyed { code, survey, report: Report::default(), project, there, places });
    }
    let store = || -> Result<Option<String>, HomeError> {
        if in_place || survey.in_place_because.is_some() {
            return Ok(None);
        }
        let snapshots = context.home.snapshots();
        files::make_folder(&snapshots)?;
        let stored = code::store(&survey, &snapshots);
        // What lies in home and cannot be written says something about home, all else about the code.
        Ok(Some(stored.map_err(|e| if e.place.starts_with(&snapshots) { HomeError::Snapshots(e) } else { e.into() })?))
    };
    let (report, stored) = std::thread::scope(|scope| {
        let look = || outside::look(context, plan, &survey, &project, Depth::Start);
        let report = request.preflight.then(|| scope.spawn(look));
        let stored = store();
        (report.map(|report| report.join().unwrap_or_default()).unwrap_or_default(), stored)
    });
    code.snapshot = stored?;
    warnings.extend(report.warnings);
    if !report.errors.is_empty() {
        return Err(HomeError::Spec(Problems(report.errors.into_iter().chain(warnings).collect())));
    }
    Ok(Surveyed { code, survey, report: Report { warnings, ..report }, project, there, places })
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

fn record(
    context: &Context,
    request: &Request<'_>,
    surveyed: &[Surveyed],
    mut world: World,
    receipt: &mut Receipt,
) -> Result<(), HomeError> {
    let driver = process::myself();
    // Made before the lock is taken: 100,000 of them take a moment.
    let as_set = request.repeats != Repeats::Start;
    let mut taken = std::collections::HashSet::new();
    let of = |at: usize| surveyed.iter().find(|found| found.places.contains(&at));
    let mut assignments: Vec<(&Experiment, &Surveyed, Vec<Member>)> = Vec::new();
    let secrets = std::cell::OnceCell::new();
    for (at, experiment) in request.plan.experiments.iter().enumerate() {
        let Some(found) = of(at) else { continue };
        let keys = Keys::of(&experiment.settings, found.code.git.as_ref());
        // In a set each is there once.
        let mut is_new = |params: &Params| !as_set || (!found.there.left_out.contains(&keys.key(params)) && taken.insert(keys.key(params)));
        let rows = experiment.rows.iter().map(Some).chain(std::iter::repeat(None));
        let new = experiment.runs().zip(rows).filter(|(params, _)| is_new(params));
        let members = new.map(|(params, row)| {
            let member = Member { id: RunId(0), uid: context.uid()?, params, tags: Vec::new(), note: None };
            let Some(row) = row.filter(|row| !row.tags.is_empty() || row.note.is_some()) else { return Ok(member) };
            let known = secrets.get_or_init(|| masked::in_environment(context.environment.clone()));
            let tags = row.tags.iter().map(|tag| masked::tag(tag, known)).collect();
            Ok(Member { tags, note: row.note.as_ref().map(|note| masked::note(note, known)), ..member })
        });
        assignments.push((experiment, found, members.collect::<Result<_, HomeError>>()?));
    }
    let mut home = context.lock()?;
    let seen = surveyed.iter().map(|found| found.there.seen).min().unwrap_or_default();
    if as_set && request.repeats != Repeats::Again && home.state().last_run > seen {
        // Somebody submitted in the meantime, perhaps the same.
        let known = surveyed.first().map(|found| same::known(home.state(), &found.project)).unwrap_or_default();
        for (experiment, found, members) in &mut assignments {
            let keys = Keys::of(&experiment.settings, found.code.git.as_ref());
            members.retain(|member| known.get(&keys.key(&member.params)).is_none_or(|run| run.0 <= seen));
        }
    }
    let at = context.now();
    let (mut next_run, mut next_sweep) = (home.state().last_run, home.state().last_sweep);
    let mut all = Vec::new();
    for (experiment, Surveyed { code, survey, report, project, .. }, members) in assignments {
        if as_set && members.is_empty() {
            continue;
        }
        next_sweep += 1;
        let sweep = Sweep {
            id: SweepId(next_sweep),
            at,
            project: project.clone(),
            experiment: experiment.name.clone(),
            settings: experiment.settings.clone(),
            varying: experiment.varying(),
            parallel: parallel(request, experiment),
            driver: driver.clone(),
            detached: request.detached,
            code: if experiment.settings.code.in_place { Code { snapshot: None, ..code.clone() } } else { code.clone() },
            host: driver.host.clone(),
            user: context.user.clone(),
            spec: experiment.source.clone().or_else(|| request.plan.source.clone()),
        };
        let members = members.into_iter().map(|member| {
            next_run += 1;
            // A damaged journal may have forgotten a run; its folder says that the number is taken.
            while context.home.run(RunId(next_run)).exists() {
                next_run += 1;
            }
            Member { id: RunId(next_run), ..member }
        });
        let submitted = Submitted { members: members.collect(), sweep };
        receipt.sweeps.push(submitted.sweep.id);
        receipt.runs.extend(submitted.members.iter().map(|member| member.id));
        world.program = report.needed.get(&submitted.sweep.experiment).cloned();
        world.left_out.clone_from(&survey.left_out);
        world.large = survey.large.iter().map(|large| (large.path.clone(), large.size)).collect();
        write_world(context, submitted.sweep.id, &world)?;
        all.push(submitted);
    }
    if !all.is_empty() {
        home.decide(Entry::Submitted(all))?;
    }
    Ok(())
}

fn parallel(request: &Request<'_>, experiment: &Experiment) -> u64 {
    request.parallel.or(experiment.parallel).unwrap_or(1)
}

/// The work tree's name, without which the folder's.
pub fn project_of(top: &Path) -> String {
    let name = top.file_name().map(|name| name.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".into())
}

pub fn world_file(context: &Context, sweep: SweepId) -> PathBuf {
    context.home.root().join("sweeps").join(format!("{sweep}.json"))
}

fn write_world(context: &Context, sweep: SweepId, world: &World) -> Result<(), HomeError> {
    let path = world_file(context, sweep);
    files::make_folder(path.parent().unwrap_or(context.home.root()))?;
    files::replace_json(&path, world, Durability::Synced)?;
    files::make_folder(&context.home.private())?;
    let mut bytes = Vec::new();
    for (name, value) in &context.environment {
        bytes.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    files::replace(&context.home.environment_of(sweep), &bytes, Durability::Synced)?;
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

fn text_variables(environment: &[(OsString, OsString)]) -> Vec<(String, String)> {
    environment.iter().filter_map(|(name, value)| Some((name.to_str()?.to_string(), value.to_str()?.to_string()))).collect()
}
