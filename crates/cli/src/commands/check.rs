//! `neronet check`: what a specification would run, or what would be read from a log. Nothing is run, and home stays as it is.

use crate::args::Check;
use crate::commands::examined::{self, Examined};
use crate::commands::page::{Page, count};
use crate::commands::run::{MANY, default_spec, grouped, read_spec};
use crate::commands::sheet::Fates;
use crate::output;
use crate::session::Session;
use neronet_capture::code::Survey;
use neronet_capture::secrets::mask_text;
use neronet_home::HomeError;
use neronet_home::compare::commit;
use neronet_home::preflight::outside::Report;
use neronet_home::{masked, preflight};
use neronet_model::{Params, RunId, Settings, Value};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_scrape::learn::{self, Learned};
use neronet_spec::render::{self, Mode};
use neronet_spec::{Experiment, Plan, Problem, Problems};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs of an experiment that are shown, and that are listed as JSON.
const SAMPLE: u64 = 10;
const LISTED: u64 = 10_000;
/// Experiments of a sheet that are shown, as each of its rows has been already.
const OF_SHEET: usize = 3;

pub(crate) fn check(session: &Session, words: &Check) -> Result<ExitCode, HomeError> {
    if let Some(log) = &words.learn {
        return learned(session, words, log);
    }
    let known = masked::in_environment(session.context.environment.clone());
    let mut rows = None;
    let examined = examined::examine(session, words, &known, &mut rows);
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
    let Examined { plan, surveys, report } = match examined {
        Err(HomeError::Spec(problems)) => return refused(problems, &Report::default()),
        examined => examined?,
    };
    if !report.errors.is_empty() {
        let all = Problems([&report.errors[..], &plan.warnings, &report.warnings].concat());
        return refused(all, &report);
    }
    // The numbers that the runs would get if they were started now.
    let first = RunId(session.context.home.read()?.state.last_run + 1);
    if words.json {
        as_json(session, &plan, &surveys, &report, (first, rows.as_ref()), &known)?;
        return strictly(words, &plan, &report);
    }
    let mut page = Page::new(session);
    rows.iter().for_each(|rows| rows.show(&mut page));
    let most = if rows.is_some() { OF_SHEET } else { usize::MAX };
    for experiment in plan.experiments.iter().take(most) {
        experiment_of(session, &mut page, experiment, first, &known)?;
    }
    if plan.experiments.len() > most {
        page.text.push('\n');
        page.line(&format!("and {}", count(plan.experiments.len() - most, "more experiment")), Style::Faint);
    }
    for (survey, plan) in &surveys {
        page.heading("Code");
        code_of(&mut page, plan, survey);
    }
    if !words.no_preflight {
        page.heading("Preflight");
        preflight_of(&mut page, &report);
    }
    if !(plan.warnings.is_empty() && report.warnings.is_empty()) {
        page.heading("Warnings");
        plan.warnings.iter().chain(&report.warnings).for_each(|warning| page.block(&warning.to_string()));
    }
    let total = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
    let spec = words.spec.as_deref().filter(|spec| Some(*spec) != default_spec(session));
    let spec = spec.map(|spec| format!(" {}", neronet_home::clone::in_shell(&[spec.to_string()]))).unwrap_or_default();
    let set = words.set.iter().map(|set| format!(" --set {}", neronet_home::clone::in_shell(std::slice::from_ref(set))));
    let yes = if total > MANY { " --yes" } else { "" };
    // Rows that are there already are no runs once more.
    let verb = if rows.is_some() { "submit" } else { "run" };
    let start = format!("`neronet {verb}{spec}{}{yes}`", set.collect::<String>());
    let end = if total == 0 {
        "nothing is to run".to_string()
    } else {
        format!("{}; {start} starts {}", many(total), if total == 1 { "it" } else { "them" })
    };
    page.text.push_str(&format!("\n{end}\n"));
    output::print(&page.text);
    strictly(words, &plan, &report)
}

/// Nothing can be started for these problems, as JSON says it.
fn refused(problems: &Problems, report: &Report, rows: Option<&Fates>) {
    let findings: Vec<_> = problems.0.iter().map(|problem| of_problem(problem, report)).collect();
    let mut said = json!({"count": 0, "runs": [], "findings": findings});
    if let Some(rows) = rows {
        said["rows"] = rows.json(false);
    }
    output::json(&said);
}

/// With `--strict` a warning is a failure.
fn strictly(words: &Check, plan: &Plan, report: &Report) -> Result<ExitCode, HomeError> {
    match plan.warnings.len() + report.warnings.len() {
        warnings if words.strict && warnings > 0 => {
            Err(HomeError::Failed(format!("{}, and --strict takes each for a failure", count(warnings, "warning"))))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn preflight_of(page: &mut Page<'_>, report: &Report) {
    let room = &report.room;
    let programs = report.programs.iter().map(|(name, place)| if place == name { place.clone() } else { format!("{name} is {place}") });
    let disk = room.disk.as_ref().map(|disk| {
        let quota = if disk.by_quota { " by your quota" } else { "" };
        format!("{} free{quota} on {}", words::bytes(disk.free), disk.mount.display())
    });
    let memory = room.memory.available.zip(room.memory.total).map(|(available, total)| {
        let group = if room.memory.by_group { " of the control group" } else { "" };
        format!("{} free of {}{group}", words::bytes(available), words::bytes(total))
    });
    let likely = [room.duration.map(words::duration), room.bytes.map(words::bytes)];
    let likely = likely.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let likely = if likely.is_empty() { likely } else { format!("{likely} in all, from {}", count(room.earlier, "earlier run")) };
    page.facts(&[
        ("programs", programs.collect::<Vec<_>>().join("; ")),
        ("disk", disk.unwrap_or_default()),
        ("memory", memory.unwrap_or_default()),
        ("gpus", room.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(", ")),
        ("likely", likely),
    ]);
    report.notes.iter().for_each(|note| page.line(note, Style::Plain));
}

fn many(total: u64) -> String {
    format!("{} run{}", grouped(total), if total == 1 { "" } else { "s" })
}

/// Without the secrets in it, which are `known`.
pub(crate) fn command(session: &Session, settings: &Settings, params: &Params, run: RunId, known: &[String]) -> Result<String, HomeError> {
    let run_directory = session.context.home.run(run).display().to_string();
    let seed = match params.get("seed") {
        Some(Value::Int(seed)) => Some(*seed),
        _ => None,
    };
    let context = render::Context { seed, ..render::Context::of(run, &run_directory) };
    let rendered = render::command(settings, params, &context, Mode::First, preflight::default_shell(&session.context.environment));
    rendered
        .map(|rendered| mask_text(&rendered.shown, known))
        .map_err(|why| HomeError::Failed(format!("the command cannot be made: {why}")))
}

fn experiment_of(session: &Session, page: &mut Page<'_>, experiment: &Experiment, first: RunId, known: &[String]) -> Result<(), HomeError> {
    let varying = experiment.varying();
    let total = experiment.count();
    let mut title = format!("{}: {}", experiment.name, many(total));
    let at_a_time = experiment.parallel.unwrap_or(1);
    if total > 1 {
        title.push_str(&if at_a_time == 1 { ", one at a time".to_string() } else { format!(", {} at a time", grouped(at_a_time)) });
    }
    page.heading(&title);
    let sample: Vec<Params> = experiment.runs().take(SAMPLE as usize).collect();
    let Some(of_first) = sample.first() else { return Ok(()) };
    let command = command(session, &experiment.settings, of_first, first, known)?;
    let sample: Vec<Params> = sample.iter().map(|params| shown(params, &varying, known)).collect();
    let of_first = &sample[0];
    let fixed: Vec<String> = of_first
        .iter()
        .filter(|(name, _)| !varying.iter().any(|varying| varying == name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    page.block(&command);
    let objectives = experiment.settings.objectives.iter();
    let objectives = objectives.map(|objective| format!("{} {}", objective.metric, neronet_home::objective::word(objective.goal)));
    page.facts(&[("fixed", fixed.join(" ")), ("objective", objectives.collect::<Vec<_>>().join(", "))]);
    if !varying.is_empty() {
        page.table(&sample_table(&varying, &sample));
        if total > SAMPLE {
            page.line(&format!("and {} more", grouped(total - SAMPLE)), Style::Faint);
        }
    }
    Ok(())
}

pub(crate) fn shown(params: &Params, varying: &[String], known: &[String]) -> Params {
    masked::params(params, varying, || known.to_vec()).into_owned()
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
    let large = survey.large.iter().map(|large| format!("linked, not copied: {} ({})", large.path, words::bytes(large.size)));
    let frozen = !in_place && survey.in_place_because.is_none();
    let lines: Vec<String> = survey.notes.iter().cloned().chain(left_out.chain(large).filter(|_| frozen)).collect();
    lines.iter().take(10).for_each(|line| page.line(line, Style::Plain));
    if lines.len() > 10 {
        page.line(&format!("and {} more", lines.len() - 10), Style::Faint);
    }
}

fn as_json(
    session: &Session,
    plan: &Plan,
    surveys: &[(Survey, Plan)],
    report: &Report,
    (first, rows): (RunId, Option<&Fates>),
    known: &[String],
) -> Result<(), HomeError> {
    let mut runs = Vec::new();
    let total = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
    for experiment in &plan.experiments {
        let varying = experiment.varying();
        let room = LISTED.saturating_sub(runs.len() as u64) as usize;
        for params in experiment.runs().take(room) {
            let id = RunId(first.0 + runs.len() as u64);
            let command = command(session, &experiment.settings, &params, id, known)?;
            runs.push(json!({"experiment": experiment.name, "params": shown(&params, &varying, known), "command": command}));
        }
    }
    let mut findings: Vec<serde_json::Value> =
        plan.warnings.iter().chain(&report.warnings).map(|problem| of_problem(problem, report)).collect();
    let told = |source: &str, severity: &str, message: &str| json!({"source": source, "severity": severity, "message": message, "evidence": null, "remedies": []});
    let finding = |source: &str, message: &str| told(source, "warning", message);
    findings.extend(report.notes.iter().map(|note| told("preflight", "note", note)));
    for (survey, _) in surveys {
        findings.extend(survey.in_place_because.iter().map(|why| finding("code", &format!("the code cannot be frozen: {why}"))));
        findings.extend(survey.notes.iter().map(|note| finding("code", note)));
        findings.extend(survey.left_out.iter().map(|(path, why)| finding("code", &format!("{path} is not in the snapshot: {why}"))));
    }
    let mut said = json!({"count": total, "runs": runs, "findings": findings});
    if let Some(rows) = rows {
        let notes = rows.notes().iter().map(|note| of_problem(note, report));
        said["findings"].as_array_mut().into_iter().for_each(|findings| findings.extend(notes.clone()));
        said["rows"] = rows.json(true);
    }
    output::json(&said);
    Ok(())
}

/// A finding, with the place in fields of their own; a line of 0 means nothing.
fn of_problem(problem: &Problem, report: &Report) -> serde_json::Value {
    let outside = report.errors.contains(problem) || report.warnings.contains(problem);
    json!({
        "source": if outside { "preflight" } else { "specification" },
        "severity": problem.severity.to_string(),
        "message": problem.message,
        "evidence": problem.excerpt.as_ref().map(|excerpt| &excerpt.line_text),
        "remedies": problem.hint.iter().collect::<Vec<_>>(),
        "hint": problem.hint,
        "file": problem.path,
        "line": problem.line,
        "column": problem.column,
    })
}

fn learned(session: &Session, words: &Check, log: &Path) -> Result<ExitCode, HomeError> {
    // A specification brings its own patterns; without one only what is built in reads.
    let metrics = if words.spec.is_some() || default_spec(session).is_some() {
        let (plan, _) = read_spec(session, words.spec.as_deref(), &words.set)?;
        plan.experiments.into_iter().next().map(|experiment| experiment.settings.metrics).unwrap_or_default()
    } else {
        Default::default()
    };
    let reader: Box<dyn BufRead> = if log == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let path: PathBuf = session.context.folder.join(log);
        let file = File::open(&path).map_err(|e| HomeError::Words(format!("{} cannot be read: {e}", log.display())))?;
        Box::new(BufReader::new(file))
    };
    let learned = learn::learn(reader, &metrics.patterns, &metrics.ignore)
        .map_err(|e| HomeError::Failed(format!("{} cannot be read: {e}", log.display())))?;
    if words.json {
        output::json(&serde_json::to_value(&learned).unwrap_or_default());
    } else {
        output::print(&learned_text(session, &learned));
    }
    Ok(ExitCode::SUCCESS)
}

fn learned_text(session: &Session, learned: &Learned) -> String {
    let mut page = Page::new(session);
    page.heading(&format!("{} read", count(learned.lines as usize, "line")));
    if learned.series.is_empty() {
        page.line("no metric was found", Style::Plain);
    } else {
        let rows = learned.series.iter().map(|series| {
            let cells = [
                series.name.clone(),
                series.points.to_string(),
                words::number(series.first),
                words::number(series.last),
                series.axis.to_string(),
                series.reader.to_string(),
                series.example.clone(),
            ];
            cells.map(Cell::plain).to_vec()
        });
        let columns = vec![
            Column::left("metric"),
            Column::right("points"),
            Column::right("first"),
            Column::right("last"),
            Column::left("by"),
            Column::left("read as"),
            Column::left("example"),
        ];
        page.table(&Table { columns, rows: rows.collect() });
    }
    if !learned.config.is_empty() {
        page.heading("Configuration");
        let facts: Vec<(&str, String)> = learned.config.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        page.facts(&facts);
    }
    if !learned.unread.is_empty() {
        page.heading("Lines with numbers that gave nothing");
        for unread in &learned.unread {
            page.line(&format!("{} × {}", grouped(unread.lines), unread.example), Style::Plain);
        }
        let patterns: Vec<&str> = learned.unread.iter().filter_map(|unread| unread.pattern.as_deref()).collect();
        if !patterns.is_empty() {
            page.heading("Patterns that would read them, if they are metrics");
            let lines: String = patterns.iter().map(|pattern| format!("    {},\n", toml_text(pattern))).collect();
            page.block(&format!("[metrics]\npatterns = [\n{lines}]"));
        }
    }
    page.text
}

/// As TOML writes a text: a literal one where it can be.
fn toml_text(pattern: &str) -> String {
    if pattern.contains(['\'', '\n']) { serde_json::to_string(pattern).unwrap_or_default() } else { format!("'{pattern}'") }
}
