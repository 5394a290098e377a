//! `neronet import`: runs that were recorded elsewhere become runs of this home.

use crate::args::Import;
use crate::commands::page::{LONGEST, count};
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::import::{self, Became, Found, Words};
use neronet_home::{HomeError, select};
use neronet_model::RunId;
use neronet_report::words;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Notices of one run that are printed; its record has more.
const SOME: usize = 5;

pub(crate) fn import(session: &Session, typed: &Import) -> Result<ExitCode, HomeError> {
    let meant = Words {
        project: typed.project.clone(),
        experiment: typed.experiment.clone(),
        tags: typed.tag.iter().map(|tag| tag.strip_prefix('@').unwrap_or(tag).to_string()).collect(),
        dry: typed.dry_run,
    };
    let meter = Progress::new();
    let result = import::import(&session.context, &typed.paths, &meant, &mut |at| {
        meter.say(|| format!("importing: {} of {}, {} in this one", at.done, count(at.sources, "run"), count(at.points as usize, "point")));
    });
    drop(meter);
    let result = result?;
    result.notices.iter().for_each(|notice| output::notice(&format!("note: {notice}")));
    for found in &result.found {
        if let Became::Failed(why) = &found.became {
            output::notice(&format!("not imported: {} run '{}': {why}", found.from, found.name));
        }
        found.notices.iter().take(SOME).for_each(|notice| output::notice(&format!("note: {notice}")));
        if found.notices.len() > SOME {
            output::notice(&format!("note: and {} more on run '{}'", found.notices.len() - SOME, found.name));
        }
    }
    if typed.json {
        output::json(&Value::Array(result.found.iter().map(json).collect()));
    } else {
        output::print_line(&told(&result.found, typed.dry_run));
    }
    let failed = result.found.iter().any(|found| matches!(found.became, Became::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `12 runs imported as 43-54, 3 were there already`.
fn told(found: &[Found], dry: bool) -> String {
    let new: Vec<RunId> = found.iter().filter_map(|found| if let Became::New(run) = found.became { Some(run) } else { None }).collect();
    let is = |wanted: fn(&Became) -> bool| found.iter().filter(|found| wanted(&found.became)).count();
    let there = is(|became| matches!(became, Became::There(_) | Became::Changed(_)));
    let grown: Vec<(RunId, u64)> =
        found.iter().filter_map(|found| if let Became::Grown(run, points) = found.became { Some((run, points)) } else { None }).collect();
    let would = is(|became| matches!(became, Became::Would));
    let failed = is(|became| matches!(became, Became::Failed(_)));
    let mut lines: Vec<String> = Vec::new();
    if dry {
        let state = |found: &Found| match &found.became {
            Became::There(run) => format!("there already as run {run}"),
            Became::Changed(run) => format!("there already as run {run}, which may have grown"),
            Became::Failed(_) => "cannot be read".to_string(),
            _ => "new".to_string(),
        };
        lines.extend(
            found
                .iter()
                .map(|found| words::one_line(&format!("{}  {}  {}: {}", found.from, found.experiment, found.name, state(found)), LONGEST)),
        );
    }
    let mut said = match (dry, new.as_slice()) {
        (true, _) => vec![format!("{} would be imported", count(would, "run"))],
        (false, []) if !grown.is_empty() => Vec::new(),
        (false, []) => vec!["nothing imported".to_string()],
        (false, new) => vec![format!("{} imported as {}", count(new.len(), "run"), select::spans(new))],
    };
    if !grown.is_empty() {
        let (runs, points): (Vec<RunId>, Vec<u64>) = grown.into_iter().unzip();
        let points = points.into_iter().fold(0, u64::saturating_add);
        let (noun, has) = if runs.len() == 1 { ("run", "has") } else { ("runs", "have") };
        let what = match usize::try_from(points).unwrap_or(usize::MAX) {
            0 => "got what was new, and no points".to_string(),
            points => format!("{has} grown by {}", count(points, "point")),
        };
        said.push(format!("{noun} {} {what}", select::spans(&runs)));
    }
    if there > 0 {
        said.push(format!("{there} {} there already", if there == 1 { "was" } else { "were" }));
    }
    if failed > 0 {
        said.push(format!("{failed} could not be read"));
    }
    lines.push(said.join(", "));
    lines.join("\n")
}

fn json(found: &Found) -> Value {
    let (became, run, why) = match &found.became {
        Became::New(run) => ("imported", Some(run), None),
        Became::Would => ("new", None, None),
        Became::There(run) => ("there", Some(run), None),
        Became::Grown(run, _) => ("grown", Some(run), None),
        Became::Changed(run) => ("changed", Some(run), None),
        Became::Failed(why) => ("failed", None, Some(why)),
    };
    let added = if let Became::Grown(_, points) = found.became { Some(points) } else { None };
    json!({
        "from": found.from, "path": found.path, "name": found.name, "project": found.project, "experiment": found.experiment,
        "became": became, "run": run, "why": why, "points": found.points, "added": added, "notices": found.notices,
    })
}
