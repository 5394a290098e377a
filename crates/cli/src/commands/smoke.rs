//! `neronet check --smoke`: what the smoke test shows while it runs, and what it found, in words and as JSON.

use crate::args::Check;
use crate::commands::followed::Followed;
use crate::commands::page::{Page, count};
use crate::commands::run::signals;
use crate::commands::screen::Screen;
use crate::output;
use crate::session::Session;
use neronet_capture::code::Survey;
use neronet_home::drive::Wish;
use neronet_home::objective::goal_of;
use neronet_home::smoke::{self, Axis, Ended, Estimate, Forecast, Now, Seed, Smoke, Speed, Wanted};
use neronet_home::{HomeError, masked};
use neronet_model::settings::Goal;
use neronet_model::size::grouped;
use neronet_model::{Millis, Params, number};
use neronet_report::{Style, words};
use neronet_spec::Plan;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Between two drawings of the line.
const REDRAW: Duration = Duration::from_millis(250);

/// A section for each experiment, where a smoke test is asked for.
pub(crate) fn as_text(session: &Session, words: &Check, plan: &Plan, survey: &Survey, known: &[String]) -> Result<ExitCode, HomeError> {
    let Some(time) = words.smoke else { return Ok(ExitCode::SUCCESS) };
    let smokes = tried(plan, survey, time, session)?;
    let mut page = Page::new(session);
    for smoke in &smokes {
        section(&mut page, plan, smoke, known);
    }
    output::print(&format!("\n{}", page.text));
    Ok(exit_code(&smokes))
}

/// The answer of `check`, with `smoke` in it where that is asked for.
pub(crate) fn as_json(
    session: &Session,
    words: &Check,
    plan: &Plan,
    survey: &Survey,
    known: &[String],
    mut answer: Value,
) -> Result<ExitCode, HomeError> {
    let Some(time) = words.smoke else {
        output::json(&answer);
        return Ok(ExitCode::SUCCESS);
    };
    let smokes = tried(plan, survey, time, session)?;
    answer["smoke"] = smokes.iter().map(|smoke| object(plan, smoke, known)).collect();
    output::json(&answer);
    Ok(exit_code(&smokes))
}

fn exit_code(smokes: &[Smoke]) -> ExitCode {
    let passed = smokes
        .iter()
        .all(|smoke| matches!(smoke.ended, Ended::AtLimit(_) | Ended::Finished) && !matches!(smoke.seed, Seed::Crashes { .. }));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tried(plan: &Plan, survey: &Survey, time: Millis, session: &Session) -> Result<Vec<Smoke>, HomeError> {
    let (set, signals) = signals()?;
    let start = survey.top.join(&survey.below);
    let wanted = Wanted { plan, start: &start, in_place_because: survey.in_place_because.as_deref(), time };
    let mut line = Line::new(time);
    let mut wish = Wish::GoOn;
    let smokes = smoke::smoke(&session.context, &wanted, std::os::fd::AsFd::as_fd(&signals), &mut |now| {
        while let Ok(Some(info)) = signals.read_signal() {
            wish = if wish == Wish::GoOn { Wish::Stop } else { Wish::Kill };
            let asked = Signal::try_from(info.ssi_signo as i32).is_ok_and(|signal| signal == Signal::SIGINT) && wish == Wish::Stop;
            line.say(if asked { "stopping the smoke test; Ctrl-C once more kills it" } else { "ending the smoke test" });
        }
        line.show(now);
        wish
    });
    line.clear();
    // What was not answered until now is told by the result.
    set.thread_unblock().ok();
    smokes
}

/// What is tried now: a line that is drawn over on a terminal, else one for each run.
struct Line {
    time: Millis,
    err: Screen,
    terminal: bool,
    drawn: Option<Instant>,
    /// What the line is about, with its run.
    shown: String,
    began: Instant,
    followed: Option<Followed>,
}

impl Line {
    fn new(time: Millis) -> Line {
        let terminal = std::io::stderr().is_terminal();
        let err = Screen::new(&std::io::stderr());
        Line { time, err, terminal, drawn: None, shown: String::new(), began: Instant::now(), followed: None }
    }

    fn show(&mut self, now: &Now<'_>) {
        let seed = now.seed.map(|seed| format!(" with seed = {seed}")).unwrap_or_default();
        let Some(attempt) = now.attempt else { return };
        let name = format!("{}{seed}", words::one_line(now.experiment, 40));
        if self.followed.is_none() || name != self.shown {
            self.followed = Some(Followed::new(attempt.to_path_buf(), true));
            self.began = Instant::now();
            if !self.terminal {
                self.err.put_line(&format!("trying {name} for {} at most", words::duration(self.time)));
            }
            self.shown = name;
        }
        if !self.terminal || self.err.is_behind() || self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        let Some(followed) = &mut self.followed else { return };
        followed.read_rows();
        // A loss first, then whatever has a direction.
        let rank = |name: &&String| match goal_of(name) {
            Some(Goal::Min) => 0,
            Some(Goal::Max) => 1,
            None => 2,
        };
        let telling: Vec<String> = followed.last.keys().min_by_key(rank).cloned().into_iter().collect();
        let fields: String = followed.fields(&telling).iter().map(|(_, field)| format!("  {field}")).collect();
        let seconds = self.began.elapsed().as_secs();
        let text = format!("trying {}: {seconds} of {}{fields}", self.shown, words::duration(self.time));
        let width = output::terminal_width().unwrap_or(80).saturating_sub(1);
        self.drawn = Some(Instant::now());
        self.err.put(format!("\r\x1b[K{}", words::one_line(&text, width)).as_bytes());
    }

    fn say(&mut self, text: &str) {
        self.clear();
        output::notice(text);
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.err.put(b"\r\x1b[K");
        }
    }
}

fn section(page: &mut Page<'_>, plan: &Plan, smoke: &Smoke, known: &[String]) {
    page.heading(&format!("Smoke: {}", smoke.experiment));
    let params: Vec<String> = shown(plan, smoke, known).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let bytes = |bytes: Option<u64>| bytes.map(words::bytes).unwrap_or_default();
    let first = smoke.first.as_ref().map(|first| {
        let value = words::number(first.value);
        format!("{} {value} after {}", first.metric, words::duration(first.after))
    });
    page.facts(&[
        ("with", params.join(" ")),
        ("ended", ended(smoke)),
        ("first", first.unwrap_or_default()),
        ("speed", smoke.speed.as_ref().map(pace).unwrap_or_default()),
        ("memory", bytes(smoke.peak_memory)),
        ("GPU memory", bytes(smoke.peak_gpu_memory)),
        ("seed", seed(&smoke.seed)),
        ("one run", one_run(smoke)),
        ("whole sweep", smoke.estimate.as_ref().map(whole).unwrap_or_default()),
    ]);
    for line in &smoke.last_lines {
        page.block(&format!("  {line}"));
    }
    for (message, remedy) in findings(smoke) {
        let remedy = remedy.map(|remedy| format!(" ({remedy})")).unwrap_or_default();
        page.line(&format!("warning: {message}{remedy}"), Style::Bad);
    }
}

fn shown(plan: &Plan, smoke: &Smoke, known: &[String]) -> Params {
    let experiment = plan.experiments.iter().find(|experiment| experiment.name == smoke.experiment);
    let varying = experiment.map(neronet_spec::Experiment::varying).unwrap_or_default();
    masked::params(&smoke.params, &varying, || known.to_vec()).into_owned()
}

fn ended(smoke: &Smoke) -> String {
    let lasted = words::duration(smoke.lasted);
    match &smoke.ended {
        Ended::AtLimit(limit) => format!("ran {} without an error, and was stopped", words::duration(*limit)),
        Ended::Finished => format!("finished in {lasted}"),
        Ended::Crashed(why) => format!("crashed after {lasted}: {}", why.as_deref().unwrap_or("nobody knows why")),
        Ended::NotRun(why) => format!("not run: {why}"),
    }
}

fn axis(axis: Axis) -> &'static str {
    match axis {
        Axis::Step => "step",
        Axis::Epoch => "epoch",
    }
}

fn pace(Speed { axis: by, per_second }: &Speed) -> String {
    if *per_second >= 0.5 {
        format!("{} {}s a second", words::number((per_second * 100.0).round() / 100.0), axis(*by))
    } else {
        format!("{} for each {}", words::duration(Millis((1000.0 / per_second) as u64)), axis(*by))
    }
}

fn seed(seed: &Seed) -> String {
    let first = |values: &usize| if *values == 1 { "the first value".to_string() } else { format!("the first {values} values") };
    match seed {
        Seed::None => String::new(),
        Seed::Changes { values } => format!("another one changes {}, the same one repeats them", first(values)),
        Seed::Same { values, other } => format!("another one ({other}) changes nothing of {}", first(values)),
        Seed::NotReproducible { values } => format!("the same one does not repeat {}", first(values)),
        Seed::Crashes { seed, why } => format!("crashed with seed = {seed}: {why}"),
        Seed::Unknown(why) => format!("not known: {why}"),
    }
}

fn one_run(smoke: &Smoke) -> String {
    match (&smoke.estimate, &smoke.ended) {
        (Some(Estimate { run, forecast: Some(forecast), .. }), _) => {
            let start_up = if forecast.start_up.0 < 1_000 {
                String::new()
            } else {
                format!(", {} of it to start", words::duration(forecast.start_up))
            };
            format!("about {}: {}{start_up}", words::duration(*run), basis(forecast))
        }
        (Some(Estimate { run, .. }), _) => words::duration(*run),
        (None, Ended::AtLimit(_)) if smoke.speed.is_some() => {
            "not known: print how many there are (epoch 3/50), or have a parameter named epochs or max_steps".to_string()
        }
        (None, Ended::AtLimit(_)) => "not known: too few steps or epochs were told; a longer test may show more (--smoke 5min)".to_string(),
        (None, _) => String::new(),
    }
}

/// By what it is reckoned.
fn basis(forecast: &Forecast) -> String {
    let total = &forecast.total;
    let by = total.param.as_ref().map_or("as printed".to_string(), |param| format!("by the parameter {param}"));
    let many = |number: f64, noun: &str| count(number.clamp(0.0, 1e15) as usize, noun);
    match total.epochs_of {
        Some((epochs, steps)) => format!("{} of {} ({by})", many(epochs, "epoch"), many(steps, "step")),
        None => format!("{} ({by})", many(total.count, axis(total.axis))),
    }
}

/// Behind a time that is reckoned for one run at a time only because nothing says otherwise.
pub(crate) const UNLIMITED: &str = "; `neronet submit` starts as many at a time as fit";

fn whole(estimate: &Estimate) -> String {
    let Estimate { runs, parallel, sweep, .. } = estimate;
    let (at_a_time, queued) = match parallel {
        None => ("one".to_string(), UNLIMITED),
        Some(1) => ("one".to_string(), ""),
        Some(parallel) => (grouped(*parallel), ""),
    };
    match runs {
        1 => String::new(),
        _ => format!("about {}: {} runs, {at_a_time} at a time, if all take as long{queued}", words::duration(*sweep), grouped(*runs)),
    }
}

/// What deserves a word, and what to do.
fn findings(smoke: &Smoke) -> Vec<(String, Option<&'static str>)> {
    let mut found = Vec::new();
    match (&smoke.first, &smoke.ended) {
        (Some(first), _) if !first.value.is_finite() => {
            let message = format!("{} is {} from its first value on", first.metric, words::number(first.value));
            found.push((message, Some("look at the data, the first learning rate and the precision")));
        }
        (None, Ended::AtLimit(_)) => {
            let remedy = "`neronet check --learn LOG` shows what is read of an output; or it needs longer: --smoke 5min";
            found.push(("no metric was read".to_string(), Some(remedy)));
        }
        (None, Ended::Finished) => {
            let remedy = "`neronet check --learn LOG` shows what is read of an output, and proposes patterns";
            found.push(("no metric was read".to_string(), Some(remedy)));
        }
        _ => {}
    }
    match &smoke.seed {
        Seed::Same { .. } => {
            let remedy = "the command gets it by {seed} or {flags}, the process as $NERONET_SEED";
            found.push(("the seed changes nothing: is it used?".to_string(), Some(remedy)));
        }
        Seed::Crashes { seed, .. } => found.push((format!("it crashes with another seed ({seed})"), None)),
        _ => {}
    }
    if let Some(Estimate { run, limit: Some(limit), .. }) = &smoke.estimate {
        let (run, limit) = (words::duration(*run), words::duration(*limit));
        found.push((format!("one run would take about {run} and is stopped after {limit}, as [resources] time says"), None));
    }
    found
}

fn object(plan: &Plan, smoke: &Smoke, known: &[String]) -> Value {
    let (outcome, cause) = match &smoke.ended {
        Ended::AtLimit(_) => ("stopped", None),
        Ended::Finished => ("finished", None),
        Ended::Crashed(why) => ("crashed", why.as_ref()),
        Ended::NotRun(why) => ("not-run", Some(why)),
    };
    let (effect, values) = match &smoke.seed {
        Seed::None => (None, None),
        Seed::Changes { values } => (Some("changes"), Some(values)),
        Seed::Same { values, .. } => (Some("same"), Some(values)),
        Seed::NotReproducible { values } => (Some("not-reproducible"), Some(values)),
        Seed::Crashes { .. } => (Some("crashes"), None),
        Seed::Unknown(_) => (Some("unknown"), None),
    };
    let estimate = smoke.estimate.as_ref().map(|estimate| {
        let forecast = estimate.forecast.as_ref();
        json!({
            "run": estimate.run.seconds(),
            "sweep": estimate.sweep.seconds(),
            "start_up": forecast.map(|forecast| forecast.start_up.seconds()),
            "by": forecast.map(|forecast| axis(forecast.total.axis)),
            "total": forecast.map(|forecast| forecast.total.count),
            "param": forecast.and_then(|forecast| forecast.total.param.as_ref()),
        })
    });
    let finding = |(message, remedy): (String, Option<&str>)| json!({"source": "smoke", "severity": "warning", "message": message, "evidence": null, "remedies": remedy.into_iter().collect::<Vec<_>>()});
    json!({
        "experiment": smoke.experiment,
        "params": shown(plan, smoke, known),
        "outcome": outcome,
        "cause": cause,
        "last_lines": smoke.last_lines,
        "seconds": smoke.lasted.seconds(),
        "first": smoke.first.as_ref().map(|first| json!({"metric": first.metric, "value": number::json(first.value), "after": first.after.seconds()})),
        "speed": smoke.speed.as_ref().map(|speed| json!({"by": axis(speed.axis), "per_second": speed.per_second})),
        "peak_memory": smoke.peak_memory,
        "peak_gpu_memory": smoke.peak_gpu_memory,
        "seed": effect.map(|effect| json!({"effect": effect, "values": values, "message": seed(&smoke.seed)})),
        "estimate": estimate,
        "findings": findings(smoke).into_iter().map(finding).collect::<Vec<_>>(),
    })
}
