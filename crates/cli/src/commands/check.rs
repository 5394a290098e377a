//! `neronet check`: what a specification would run. Nothing is run but by `--smoke`, and home stays as it is.

use crate::args::Check;
use crate::commands::check_json::refused;
use crate::commands::examined::{Examined, examine, shown};
use crate::commands::learn;
use crate::commands::page::{Page, count};
use crate::commands::smoke;
use crate::output;
use crate::session::Session;
use neronet_capture::code::Survey;
use neronet_capture::secrets::mask_text;
use neronet_home::compare::commit;
use neronet_home::estimate::Estimate;
use neronet_home::inputs::Seen;
use neronet_home::preflight::outside::Report;
use neronet_home::select::spans;
use neronet_home::submission::{MANY, default_spec};
use neronet_home::{HomeError, configure, there};
use neronet_model::queue::Wishes;
use neronet_model::settings::{Gpus, Match, Retry, RetryOn, Stage};
use neronet_model::size::grouped;
use neronet_model::{Params, RunId, Settings};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_spec::{Experiment, Plan, Planned, Problems, Severity};
use std::process::ExitCode;

/// Runs of an experiment that are shown.
const SAMPLE: u64 = 10;
/// Lines of a configuration file that are shown.
const LINES: usize = 40;

/// Experiments of a sheet that are shown, as each of its rows has been already.
const OF_SHEET: usize = 3;

pub(crate) fn check(session: &Session, words: &Check) -> Result<ExitCode, HomeError> {
    if let Some(log) = &words.learn {
        return learn::learned(session, words, log);
    }
    let mut rows = None;
    let examined = examine(session, words, &mut rows);
    let refused = |problems: Problems, report: &Report| {
        if words.json {
            refused(&problems, report, rows.as_ref());
        } else if let Some(rows) = &rows {
            let mut page = Page::new(session);
            rows.show(&mut page);
            output::print(&page.text);
        }
        Err(HomeError::Spec(problems))
    };
    let checked = match examined {
        Err(HomeError::Spec(problems)) => return refused(problems, &Report::default()),
        examined => examined?,
    };
    let Examined { plan, report, .. } = &checked;
    if !report.errors.is_empty() {
        return refused(Problems([&report.errors[..], &plan.warnings, &report.warnings].concat()), report);
    }
    let Some(survey) = checked.survey() else { return Ok(ExitCode::SUCCESS) };
    if words.json {
        let smoked = smoke::as_json(session, words, plan, survey, &checked.known, checked.as_json(words, rows.as_ref())?)?;
        return checked.strictly(words, smoked);
    }
    let mut page = Page::new(session);
    rows.iter().for_each(|rows| rows.show(&mut page));
    let most = if rows.is_some() { OF_SHEET } else { usize::MAX };
    for experiment in plan.experiments.iter().take(most) {
        checked.experiment(&mut page, experiment)?;
    }
    if plan.experiments.len() > most {
        page.text.push('\n');
        page.line(&format!("and {}", count(plan.experiments.len() - most, "more experiment")), Style::Faint);
    }
    for (survey, plan) in &checked.codes {
        page.heading("Code");
        code_of(&mut page, plan, survey);
    }
    if !checked.inputs.is_empty() {
        page.heading("Inputs");
        inputs_of(&mut page, &checked.inputs);
    }
    if !words.no_preflight {
        page.heading("Preflight");
        // A smoke test knows better how long it takes.
        preflight_of(&mut page, plan, report, words.smoke.is_none());
    }
    if !(plan.warnings.is_empty() && report.warnings.is_empty()) {
        page.heading("Warnings");
        plan.warnings.iter().chain(&report.warnings).for_each(|warning| page.block(&warning.to_string()));
    }
    let total = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
    let spec = words.spec.as_deref().filter(|spec| Some(*spec) != default_spec(&session.context.folder));
    let spec = spec.map(|spec| format!(" {}", neronet_home::clone::in_shell(&[spec.to_string()]))).unwrap_or_default();
    let set = words.set.iter().map(|set| format!(" --set {}", neronet_home::clone::in_shell(std::slice::from_ref(set))));
    let yes = if total > MANY { " --yes" } else { "" };
    // Rows that are there already are no runs once more, and `run` means here.
    let named = plan.experiments.iter().any(|experiment| !experiment.settings.target.is_empty());
    let verb = if rows.is_some() || named { "submit" } else { "run" };
    let start = format!("`neronet {verb}{spec}{}{yes}`", set.collect::<String>());
    let submitted = checked.submitted()?;
    let end = match total {
        0 => "nothing is to run".to_string(),
        total => format!("{}; {start} starts {}", many(total), if total == 1 { "it" } else { "them" }),
    };
    page.text.push_str(&format!("\n{end}\n"));
    submitted.iter().flat_map(|submitted| &submitted.says).for_each(|line| page.text.push_str(&format!("`neronet submit`: {line}\n")));
    output::print(&page.text);
    let smoked = smoke::as_text(session, words, plan, survey, &checked.known)?;
    checked.strictly(words, smoked)
}

impl Examined<'_> {
    /// With `--strict` a warning is a failure. A note is none.
    fn strictly(&self, words: &Check, otherwise: ExitCode) -> Result<ExitCode, HomeError> {
        let warnings = self.plan.warnings.iter().chain(&self.report.warnings).filter(|problem| problem.severity != Severity::Note).count();
        if words.strict && warnings > 0 {
            return Err(HomeError::Failed(format!("{}, and --strict takes each for a failure", count(warnings, "warning"))));
        }
        Ok(otherwise)
    }

    fn experiment(&self, page: &mut Page<'_>, experiment: &Experiment) -> Result<(), HomeError> {
        let varying = experiment.varying();
        let total = experiment.count();
        let mut title = format!("{}: {}", experiment.name, many(total));
        if let Some(at_a_time) = experiment.parallel.filter(|_| total > 1) {
            title.push_str(&if at_a_time == 1 { ", one at a time".to_string() } else { format!(", {} at a time", grouped(at_a_time)) });
        }
        page.heading(&title);
        let planned: Vec<Planned> = self.plan.runs(experiment).take(SAMPLE as usize).collect();
        let Some(Planned { params: of_first, .. }) = planned.first() else { return Ok(()) };
        let settings = &*there::first(&experiment.settings);
        let filling = self.filling(settings, of_first, self.first)?;
        page.block(&self.command(settings, of_first, &filling)?);
        let made = configure::foreseen(settings, of_first, &filling.context(), &[&self.code(settings)]).map_err(HomeError::Failed)?;
        let fixed: Vec<String> = self.fixed(experiment, of_first).iter().map(|(name, value)| format!("{name}={value}")).collect();
        let objectives = settings.objectives.iter();
        let objectives = objectives.map(|objective| format!("{} {}", objective.metric, neronet_home::objective::word(objective.goal)));
        let steps = self.steps(settings, of_first, &filling)?;
        let facts = [
            ("targets", experiment.settings.target.join(", ")),
            ("after", settings.stage.as_ref().map(after).unwrap_or_default()),
            ("fixed", fixed.join(" ")),
            ("objective", objectives.collect::<Vec<_>>().join(", ")),
            ("resources", resources(settings)),
            ("queue", wishes(&experiment.wishes, experiment.not_before.as_ref().map(ToString::to_string))),
            ("retries", retries(settings)),
            ("build", self.build(settings)),
        ];
        page.facts(
            &facts.into_iter().chain(steps.into_iter().map(|(name, shown)| ("then", format!("{name}: {shown}")))).collect::<Vec<_>>(),
        );
        let before = self.before(experiment, &planned);
        let sample: Vec<Params> = planned
            .iter()
            .zip(&before)
            .map(|(run, before)| {
                shown(&run.params, &varying, &self.known)
                    .iter()
                    .chain(before.iter())
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect()
            })
            .collect();
        let mut columns = varying;
        columns.extend(before.first().into_iter().flat_map(|before| before.iter()).map(|(name, _)| name.to_string()));
        if !columns.is_empty() {
            page.table(&sample_table(&columns, &sample));
            if total > SAMPLE {
                page.line(&format!("and {} more", grouped(total - SAMPLE)), Style::Faint);
            }
        }
        for file in made {
            let of = if total > 1 { " of the first run" } else { "" };
            page.line(&format!("{}{of}:", file.path), Style::Plain);
            let text = mask_text(&file.text, &self.known);
            let lines: Vec<String> = text.lines().take(LINES).map(|line| format!("  {line}")).collect();
            page.block(&lines.join("\n"));
            if text.lines().count() > LINES {
                page.line(&format!("and {} more lines", grouped((text.lines().count() - LINES) as u64)), Style::Faint);
            }
        }
        Ok(())
    }
}

/// Which runs the runs of an experiment go on from.
pub(crate) fn after(stage: &Stage) -> String {
    match &stage.match_on {
        Match::All => format!("each run of {}", stage.after),
        Match::Best => format!("the best run of {}", stage.after),
        Match::Params(names) => format!("each run of {} with the same {}", stage.after, names.join(", ")),
    }
}

/// What `[resources]` asks for, as it is written there.
pub(crate) fn resources(settings: &Settings) -> String {
    let resources = &settings.resources;
    let gpus = resources.gpus.as_ref().map(|gpus| match gpus {
        Gpus::Count(count) => format!("{count} GPU{}", if *count == 1 { "" } else { "s" }),
        Gpus::All => "all GPUs".to_string(),
        Gpus::Range(least, most) => format!("{least} to {most} GPUs"),
        Gpus::Fraction(part) => format!("{part} of a GPU"),
        Gpus::Expression(text) => format!("{text} GPUs"),
    });
    let cpus = resources.cpus.map(|cpus| format!("{cpus} CPU{}", if cpus == 1 { "" } else { "s" }));
    let sized = |size: Option<u64>, of: &str| size.map(|size| format!("{} of {of}", words::bytes(size)));
    let time = settings.time_limit.map(|limit| format!("at most {}", words::duration(limit)));
    let slot = resources.slot.map(|slot| format!("slots of {}", words::duration(slot)));
    let memory = [sized(resources.memory, "memory"), sized(resources.gpu_memory, "GPU memory"), sized(resources.disk, "disk")];
    let named = resources.named.iter().map(|(name, amount)| Some(format!("{amount} of {name}")));
    [cpus, gpus].into_iter().chain(memory).chain(named).chain([time, slot]).flatten().collect::<Vec<_>>().join(", ")
}

/// What was said of the place in the queue.
pub(crate) fn wishes(wishes: &Wishes, not_before: Option<String>) -> String {
    let priority = (wishes.priority != 0).then(|| format!("priority {}", wishes.priority));
    let not_before = not_before.map(|when| if when.starts_with("in ") { format!("starts {when}") } else { format!("not before {when}") });
    let after = |ok: bool, how: &str| {
        let runs: Vec<RunId> = wishes.after.iter().filter(|dependency| dependency.ok == ok).map(|dependency| dependency.run).collect();
        (!runs.is_empty()).then(|| format!("after {} {how}", spans(&runs)))
    };
    let gpu_time = wishes.gpu_time.map(|time| format!("at most {} GPU hours", words::number(time.seconds() / 3600.0)));
    let held = wishes.hold_after.map(|most| format!("held after {} of the same cause", count(most as usize, "failure")));
    let all = [priority, not_before, after(false, "ended"), after(true, "finished"), gpu_time, held];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What `[retry]` says.
fn retries(settings: &Settings) -> String {
    let Retry { times, on, backoff, on_oom } = &settings.retry;
    if *times == 0 {
        return String::new();
    }
    let after = |on: &RetryOn| match on {
        RetryOn::Crash => "a crash",
        RetryOn::Oom => "running out of memory",
        RetryOn::Lost => "a loss",
        RetryOn::Time => "the time limit",
    };
    let on = if on.is_empty() { String::new() } else { format!(" after {}", on.iter().map(after).collect::<Vec<_>>().join(", ")) };
    let backoff = backoff.map(|wait| format!(", the first in {}", words::duration(wait))).unwrap_or_default();
    let changed = on_oom.iter().map(|(name, text)| format!("; out of memory: {name} = {text}"));
    format!("at most {times}{on}{backoff}{}", changed.collect::<String>())
}

fn inputs_of(page: &mut Page<'_>, inputs: &[Seen]) {
    let amount = |seen: &Seen| match seen.data.files {
        0 => String::new(),
        files => format!(" ({}, {})", count(files as usize, "file"), words::bytes(seen.data.bytes)),
    };
    let facts: Vec<(&str, String)> = inputs.iter().map(|seen| (seen.name.as_str(), format!("{}{}", seen.path, amount(seen)))).collect();
    page.facts(&facts);
}

fn preflight_of(page: &mut Page<'_>, plan: &Plan, report: &Report, with_estimate: bool) {
    let room = &report.room;
    let programs = report.programs.iter().map(|program| match program.described() {
        place if place == program.name => place,
        place => format!("{} is {place}", program.name),
    });
    let disk = room.disk.as_ref().map(|disk| {
        let quota = if disk.by_quota { " by your quota" } else { "" };
        format!("{} free{quota} on {}", words::bytes(disk.free), disk.mount.display())
    });
    let memory = room.memory.available.zip(room.memory.total).map(|(available, total)| {
        let group = if room.memory.by_group { " of the control group" } else { "" };
        format!("{} free of {}{group}", words::bytes(available), words::bytes(total))
    });
    let expected = room.expected.as_ref().filter(|_| with_estimate);
    page.facts(&[
        ("programs", programs.collect::<Vec<_>>().join("; ")),
        ("disk", disk.unwrap_or_default()),
        ("memory", memory.unwrap_or_default()),
        ("gpus", room.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(", ")),
        ("likely", expected.map(|expected| likely(expected, plan)).unwrap_or_default()),
    ]);
    report.notes.iter().for_each(|note| page.line(note, Style::Plain));
}

fn likely(expected: &Estimate, plan: &Plan) -> String {
    let both = [expected.duration.map(words::duration), expected.bytes.map(words::bytes)];
    let both = both.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let scaled: Vec<&str> = expected.scaled_from.iter().map(String::as_str).collect();
    let scaled = if scaled.is_empty() { String::new() } else { format!("; the time is scaled from runs with {}", scaled.join(" or ")) };
    let unlimited = expected.duration.is_some() && plan.experiments.iter().any(|known| known.parallel.is_none() && known.count() > 1);
    let queued = if unlimited { format!(", one at a time{}", smoke::UNLIMITED) } else { String::new() };
    format!("{both} in all, from {}{scaled}{queued}", count(expected.runs, "earlier run"))
}

fn many(total: u64) -> String {
    format!("{} run{}", grouped(total), if total == 1 { "" } else { "s" })
}

fn sample_table(varying: &[String], sample: &[Params]) -> Table {
    let numeric = |name: &String| sample.iter().all(|params| params.get(name).is_none_or(|value| value.number().is_some()));
    let column = |name: &String| if numeric(name) { Column::right(name) } else { Column::left(name) };
    let cell = |params: &Params, name: &String| Cell::plain(params.get(name).map(ToString::to_string).unwrap_or_default());
    Table {
        columns: varying.iter().map(column).collect(),
        rows: sample.iter().map(|params| varying.iter().map(|name| cell(params, name)).collect()).collect(),
    }
}

fn code_of(page: &mut Page<'_>, plan: &Plan, survey: &Survey) {
    let in_place = plan.experiments.iter().all(|experiment| experiment.settings.code.in_place);
    let bytes = survey.files.iter().map(|file| file.size).sum();
    let code = match &survey.in_place_because {
        _ if in_place => "is not frozen: in_place = true runs in the work tree itself".to_string(),
        Some(why) => format!("cannot be frozen, runs would execute in place: {why}"),
        None => format!("{}, {}, frozen at the start", count(survey.files.len(), "file"), words::bytes(bytes)),
    };
    let git = survey.git.as_ref();
    page.facts(&[
        ("folder", survey.top.display().to_string()),
        ("commit", git.map(|git| commit(&git.commit, git.dirty)).unwrap_or_default()),
        ("code", code),
    ]);
    let left_out = survey.left_out.iter().map(|(path, why)| format!("left out: {path} ({why})"));
    let frozen = !in_place && survey.in_place_because.is_none();
    let lines: Vec<String> = survey.notes.iter().cloned().chain(left_out.filter(|_| frozen)).collect();
    lines.iter().take(10).for_each(|line| page.line(line, Style::Plain));
    if lines.len() > 10 {
        page.line(&format!("and {} more", lines.len() - 10), Style::Faint);
    }
}
