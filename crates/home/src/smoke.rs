//! The smoke test: one configuration of each experiment, run for a moment in a home of its own that is gone afterwards.
//!
//! It goes the way of every run: `submit`, `begin`, `drive`. A run that is stopped when the time is over has passed. Then, where
//! there is a seed, another seed and the same one again, for as long as it takes to tell the same values.

mod pace;
mod probe;
mod scratch;

pub use pace::{Axis, Forecast, Speed, Total};

use crate::context::Context;
use crate::drive::{Drive, Whose, Wish};
use crate::error::HomeError;
use crate::same::Repeats;
use crate::submit::{self, Request};
use crate::there::is_elsewhere;
use neronet_model::outcome::Cause;
use neronet_model::settings::Retry;
use neronet_model::target::LOCAL;
use neronet_model::{AttemptNo, Millis, Outcome, Params, Value};
use neronet_spec::{Experiment, Plan};
use neronet_store::spool;
use probe::{Firsts, Probe};
use scratch::Scratch;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// How long a run that is asked to stop may take, however long its experiment would let it.
const GRACE: Millis = Millis(5_000);
/// Lines of output that are shown of a crash.
const LAST_LINES: usize = 10;
/// Runs among which another seed is looked for.
const LOOKED_AT: usize = 1_000;

/// What to try, and for how long each.
pub struct Wanted<'a> {
    pub plan: &'a Plan,
    /// The spec's folder.
    pub start: &'a Path,
    /// Why the code cannot be frozen, if it cannot.
    pub in_place_because: Option<&'a str>,
    pub time: Millis,
}

/// What became of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoke {
    pub experiment: String,
    /// The configuration that was run, with its secrets.
    pub params: Params,
    pub ended: Ended,
    /// Of its output, where it crashed.
    pub last_lines: Vec<String>,
    pub lasted: Millis,
    pub first: Option<First>,
    pub speed: Option<Speed>,
    /// Bytes of the whole tree of processes.
    pub peak_memory: Option<u64>,
    pub peak_gpu_memory: Option<u64>,
    pub seed: Seed,
    pub estimate: Option<Estimate>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It ran until it was stopped at this limit.
    AtLimit(Millis),
    Finished,
    /// Why, as far as that is known.
    Crashed(Option<String>),
    /// It was not run, for this reason.
    NotRun(String),
}

/// The first value of the metric that tells how a training goes.
#[derive(Debug, Clone, PartialEq)]
pub struct First {
    pub metric: String,
    pub value: f64,
    pub after: Millis,
}

/// What the parameter `seed` does to the first values of that metric; so many were compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Seed {
    /// There is no such parameter, or nothing was run.
    None,
    /// Another one gives other values, the same one the same.
    Changes { values: usize },
    /// Another one, this, gives the very same values.
    Same { values: usize, other: i64 },
    /// Already the same one gives other values.
    NotReproducible { values: usize },
    /// With this one it crashed.
    Crashes { seed: i64, why: String },
    /// Not known, for this reason.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub run: Millis,
    pub sweep: Millis,
    pub runs: u64,
    /// As the sweep says; else one at a time, as `run` starts them.
    pub parallel: Option<u64>,
    /// By what it is reckoned; nothing where the run came to its end.
    pub forecast: Option<Forecast>,
    /// `[resources] time`, where that is too short.
    pub limit: Option<Millis>,
}

/// For whoever shows progress.
pub struct Now<'a> {
    pub experiment: &'a str,
    /// Of a run that is made only to see what the seed does.
    pub seed: Option<i64>,
    /// The folder of the attempt that runs.
    pub attempt: Option<&'a Path>,
}

/// Tries the experiments one after the other. `watch` is asked several times a second, and at once when `wake` is readable; what
/// it wishes ends the whole test, whose traces are gone either way.
pub fn smoke(
    context: &Context,
    wanted: &Wanted<'_>,
    wake: BorrowedFd<'_>,
    watch: &mut dyn FnMut(&Now<'_>) -> Wish,
) -> Result<Vec<Smoke>, HomeError> {
    let scratch = Scratch::new(context)?;
    let mut test = Test { wanted, scratch: &scratch.context, wake, watch, interrupted: false };
    let mut tried: Vec<Smoke> = Vec::new();
    for experiment in &wanted.plan.experiments {
        let smoke = match (held_up(experiment, &tried), experiment.runs().next()) {
            (Some(why), Some(params)) => not_run(experiment, params, why),
            (_, params) => match test.experiment(experiment) {
                Err(e) if test.interrupted => return Err(e),
                // What was found of the others is told all the same.
                Err(e) if wanted.plan.experiments.len() > 1 => not_run(experiment, params.unwrap_or_default(), e.to_string()),
                smoke => smoke?,
            },
        };
        tried.push(smoke);
    }
    Ok(tried)
}

/// Why an experiment that comes after another one cannot be tried, if it cannot.
fn held_up(experiment: &Experiment, tried: &[Smoke]) -> Option<String> {
    let after = &experiment.settings.stage.as_ref()?.after;
    match tried.iter().find(|smoke| smoke.experiment == *after).map(|smoke| &smoke.ended) {
        Some(Ended::Finished) => None,
        Some(Ended::AtLimit(_)) => Some(format!("it goes on from a finished run of {after}, which did not finish in this time")),
        Some(_) => Some(format!("it goes on from a finished run of {after}, and there is none")),
        None => Some(format!("it goes on from a finished run of {after}, which is not among what is tried")),
    }
}

struct Test<'a> {
    wanted: &'a Wanted<'a>,
    scratch: &'a Context,
    wake: BorrowedFd<'a>,
    watch: &'a mut dyn FnMut(&Now<'_>) -> Wish,
    /// By whoever watches.
    interrupted: bool,
}

/// One run.
struct Trial {
    folder: PathBuf,
    ended: Ended,
    last_lines: Vec<String>,
    lasted: Millis,
    firsts: Firsts,
    peak_memory: Option<u64>,
    peak_gpu_memory: Option<u64>,
}

/// A run to see what its seed does: it is over when it has told so many values of the metric.
struct Compared<'a> {
    seed: i64,
    metric: &'a str,
    values: usize,
}

impl Test<'_> {
    fn experiment(&mut self, experiment: &Experiment) -> Result<Smoke, HomeError> {
        let targets = &experiment.settings.target;
        if let (true, Some(params)) = (is_elsewhere(&experiment.settings), experiment.runs().next()) {
            return Ok(not_run(experiment, params, format!("it executes on {}, and a smoke test on this machine", targets.join(", "))));
        }
        let here = (!targets.is_empty()).then(|| experiment.on(LOCAL));
        let experiment = here.as_ref().unwrap_or(experiment);
        let Some(params) = experiment.runs().next() else {
            return Ok(not_run(experiment, Params::new(), "it has no runs".into()));
        };
        let in_place = experiment.settings.code.in_place.then_some("in_place = true");
        if let Some(why) = in_place.or(self.wanted.in_place_because) {
            let why = format!("it would execute in the work tree itself and write there: {why}");
            return Ok(not_run(experiment, params, why));
        }
        let Some(one) = experiment.one(&params) else {
            return Ok(not_run(experiment, params, "its parameters cannot be worked out".into()));
        };
        let trial = self.run(one, None)?;
        let first = probe::telling(&trial.firsts, &experiment.settings.objectives);
        let pace = probe::pace(&trial.folder, first.as_ref().map_or("", |first| &first.metric), trial.lasted)?;
        Ok(Smoke {
            experiment: experiment.name.clone(),
            seed: self.seed(experiment, &params, &trial, first.as_ref())?,
            first,
            speed: pace.speed(trial.lasted),
            estimate: match trial.ended {
                Ended::Finished => Some(estimate(experiment, trial.lasted, None)),
                Ended::AtLimit(_) => {
                    pace.forecast(trial.lasted, &params).map(|forecast| estimate(experiment, forecast.run, Some(forecast)))
                }
                _ => None,
            },
            params,
            ended: trial.ended,
            last_lines: trial.last_lines,
            lasted: trial.lasted,
            peak_memory: trial.peak_memory,
            peak_gpu_memory: trial.peak_gpu_memory,
        })
    }

    fn run(&mut self, mut experiment: Experiment, compared: Option<&Compared<'_>>) -> Result<Trial, HomeError> {
        // Now, and once.
        experiment.not_before = None;
        let settings = &mut experiment.settings;
        settings.retry = Retry::default();
        let limit = settings.time_limit.map_or(self.wanted.time, |own| own.min(self.wanted.time));
        settings.time_limit = Some(limit);
        settings.stop.grace = settings.stop.grace.min(GRACE);
        let name = experiment.name.clone();
        let (project, source) = (self.wanted.plan.project.clone(), self.wanted.plan.source.clone());
        let plan = Plan { project, experiments: vec![experiment], warnings: Vec::new(), source };
        let request = Request {
            plan: &plan,
            start: self.wanted.start,
            project: None,
            detached: false,
            parallel: Some(1),
            wishes: Default::default(),
            repeats: Repeats::Start,
            preflight: false,
        };
        let receipt = submit::submit(self.scratch, &request)?;
        let Some(run) = receipt.runs.first() else { return Err(HomeError::Failed(format!("no run was made of {name}"))) };
        let folder = self.scratch.home.attempt(*run, AttemptNo(1));
        let mut probe = Probe::new();
        let drive = Drive::new(self.scratch, Whose::These(receipt.runs.iter().copied().collect()), None)?;
        let (watch, interrupted) = (&mut self.watch, &mut self.interrupted);
        let ended = drive.carry_out(Some(self.wake), |progress| {
            let runs = !progress.running.is_empty();
            let wish = watch(&Now { experiment: &name, seed: compared.map(|compared| compared.seed), attempt: runs.then_some(&folder) });
            *interrupted |= wish != Wish::GoOn;
            let enough = runs && probe.sample(&folder) && compared.is_some_and(|compared| compared.has_enough(&folder));
            if enough { wish.max(Wish::Stop) } else { wish }
        })?;
        if self.interrupted {
            return Err(HomeError::Failed(
                "the smoke test was interrupted; what it started was stopped, and its traces are removed".into(),
            ));
        }
        let attempt = ended.into_values().next().map(|end| end.attempt);
        let Some((attempt, end)) = attempt.and_then(|mut attempt| attempt.end.take().map(|end| (attempt, end))) else {
            return Err(HomeError::Failed(format!("nobody knows how the smoke run of {name} ended")));
        };
        let mut said = Vec::new();
        let ended = match (end.outcome, end.cause) {
            (Outcome::Finished, _) => Ended::Finished,
            (_, Some(Cause::TimeLimit)) => Ended::AtLimit(limit),
            // By us: who compares has seen enough.
            (Outcome::Stopped, _) if compared.is_some() => Ended::Finished,
            // What a build said.
            (_, Some(Cause::NotStarted(why))) if why.contains(":\n") => {
                let (why, lines) = why.split_once(":\n").unwrap_or((&why, ""));
                said.extend(lines.lines().map(str::to_string));
                Ended::Crashed(Some(why.to_string()))
            }
            (_, cause) => Ended::Crashed(cause.map(|cause| cause.to_string())),
        };
        let last_lines = match ended {
            Ended::Crashed(_) if !said.is_empty() => said,
            Ended::Crashed(_) => spool::attempt(&folder, AttemptNo(1))?.end.map(|end| end.last_lines).unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Trial {
            ended,
            last_lines: last_lines[last_lines.len().saturating_sub(LAST_LINES)..].to_vec(),
            lasted: attempt.lasted.unwrap_or_default(),
            firsts: probe::firsts(&folder)?,
            peak_memory: probe.memory.max(attempt.peak_memory_kb.map(|kb| kb * 1024)),
            peak_gpu_memory: probe.gpu_memory,
            folder,
        })
    }

    /// Two more runs at most, each no longer than the first.
    fn seed(&mut self, experiment: &Experiment, params: &Params, trial: &Trial, first: Option<&First>) -> Result<Seed, HomeError> {
        let Some(seed) = params.get("seed").and_then(Value::int) else { return Ok(Seed::None) };
        if let Ended::Crashed(_) = trial.ended {
            return Ok(unknown("it crashed"));
        }
        let Some(first) = first else { return Ok(unknown("there is no metric to compare")) };
        if !first.value.is_finite() {
            return Ok(unknown(&format!("the first {} is no number", first.metric)));
        }
        if first.after.0 > self.wanted.time.0 / 3 {
            return Ok(unknown(&format!("the first {} came too late to compare runs in this time", first.metric)));
        }
        let known = trial.firsts.get(&first.metric).map(Vec::as_slice).unwrap_or_default();
        let mut compare = |params: &Params, seed: i64| -> Result<Result<(usize, bool), Seed>, HomeError> {
            let is_it = |params: Params| params.get("seed").and_then(Value::int) == Some(seed);
            let one = experiment.one(params).filter(|one| one.runs().next().is_some_and(is_it));
            let Some(one) = one else { return Ok(Err(unknown("other parameters decide on it"))) };
            let trial = self.run(one, Some(&Compared { seed, metric: &first.metric, values: known.len() }))?;
            if let Ended::Crashed(why) = trial.ended {
                return Ok(Err(Seed::Crashes { seed, why: why.unwrap_or_default() }));
            }
            let values = trial.firsts.get(&first.metric).map(Vec::as_slice).unwrap_or_default();
            let same = known.iter().zip(values).all(|((_, a), (_, b))| a.to_bits() == b.to_bits());
            let compared = known.len().min(values.len());
            Ok(if compared > 0 { Ok((compared, same)) } else { Err(unknown(&format!("with seed = {seed} no {} came", first.metric))) })
        };
        // One that will be run, if there are others.
        let seeds = experiment.runs().take(LOOKED_AT).filter_map(|params| params.get("seed").and_then(Value::int));
        let other = seeds.into_iter().find(|other| *other != seed).unwrap_or(seed.wrapping_add(1));
        let mut changed = params.clone();
        changed.set("seed", Value::Int(other));
        match compare(&changed, other)? {
            Err(seed) => return Ok(seed),
            Ok((values, true)) => return Ok(Seed::Same { values, other }),
            Ok(_) => {}
        }
        Ok(match compare(params, seed)? {
            Err(seed) => seed,
            Ok((values, true)) => Seed::Changes { values },
            Ok((values, false)) => Seed::NotReproducible { values },
        })
    }
}

impl Compared<'_> {
    fn has_enough(&self, folder: &Path) -> bool {
        probe::firsts(folder).is_ok_and(|firsts| firsts.get(self.metric).is_some_and(|values| values.len() >= self.values))
    }
}

fn unknown(why: &str) -> Seed {
    Seed::Unknown(why.to_string())
}

fn not_run(experiment: &Experiment, params: Params, why: String) -> Smoke {
    Smoke {
        experiment: experiment.name.clone(),
        params,
        ended: Ended::NotRun(why),
        last_lines: Vec::new(),
        lasted: Millis(0),
        first: None,
        speed: None,
        peak_memory: None,
        peak_gpu_memory: None,
        seed: Seed::None,
        estimate: None,
    }
}

fn estimate(experiment: &Experiment, run: Millis, forecast: Option<Forecast>) -> Estimate {
    let (runs, parallel) = (experiment.count(), experiment.parallel);
    let limit = experiment.settings.time_limit.filter(|limit| *limit < run);
    // Stopped there, it takes no longer.
    let each = limit.unwrap_or(run);
    Estimate { run, sweep: Millis(each.0.saturating_mul(runs.div_ceil(parallel.unwrap_or(1).max(1)))), runs, parallel, forecast, limit }
}
