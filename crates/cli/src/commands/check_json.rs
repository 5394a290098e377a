//! `neronet check --json`.

use crate::args::Check;
use crate::commands::check::{after, resources};
use crate::commands::examined::{Examined, shown};
use crate::commands::sheet::Fates;
use crate::output;
use neronet_capture::secrets::mask_text;
use neronet_home::preflight::outside::Report;
use neronet_home::{HomeError, configure, json, there};
use neronet_model::{Millis, RunId};
use neronet_spec::{Experiment, Planned, Problem, Problems};
use serde_json::{Value, json};

/// Runs that are listed.
const LISTED: u64 = 10_000;

impl Examined<'_> {
    pub(crate) fn as_json(&self, words: &Check, rows: Option<&Fates>) -> Result<Value, HomeError> {
        let Examined { plan, codes, report, .. } = self;
        let (mut runs, mut experiments) = (Vec::new(), Vec::new());
        let total = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
        for experiment in &plan.experiments {
            let varying = experiment.varying();
            let room = LISTED.saturating_sub(runs.len() as u64) as usize;
            let planned: Vec<Planned> = plan.runs(experiment).take(room).collect();
            let before = self.before(experiment, &planned);
            experiments.push(self.experiment_json(experiment, planned.first())?);
            for (Planned { params, after }, before) in planned.into_iter().zip(before) {
                let id = RunId(self.first.0 + runs.len() as u64);
                let settings = there::first(&experiment.settings);
                let filling = self.filling(&settings, &params, id)?;
                let command = self.command(&settings, &params, &filling)?;
                let stage = experiment.settings.stage.as_ref();
                let after = stage.map(|stage| json!({"experiment": stage.after, "number": after, "params": before}));
                let params = shown(&params, &varying, &self.known);
                runs.push(json!({"experiment": experiment.name, "params": params, "command": command, "after": after}));
            }
        }
        let mut findings: Vec<Value> = plan.warnings.iter().chain(&report.warnings).map(|problem| of_problem(problem, report)).collect();
        let told = |source: &str, severity: &str, message: &str| json!({"source": source, "severity": severity, "message": message, "evidence": null, "remedies": []});
        let finding = |source: &str, message: &str| told(source, "warning", message);
        findings.extend(report.notes.iter().map(|note| told("preflight", "note", note)));
        for (survey, _) in codes {
            findings.extend(survey.in_place_because.iter().map(|why| finding("code", &format!("the code cannot be frozen: {why}"))));
            findings.extend(survey.notes.iter().map(|note| finding("code", note)));
            findings.extend(survey.left_out.iter().map(|(path, why)| finding("code", &format!("{path} is not in the snapshot: {why}"))));
        }
        let submitted = self.submitted()?;
        let mut said = json!({
            "count": total,
            "runs": runs,
            "experiments": experiments,
            "inputs": self.inputs,
            "findings": findings,
            "preflight": (!words.no_preflight).then(|| found(report)),
            "estimate": report.room.expected.as_ref().map(|expected| json!({
                "seconds": expected.duration.map(Millis::seconds),
                "bytes": expected.bytes,
                "runs": expected.runs,
                "scaled_from": expected.scaled_from,
            })),
            "submit": submitted.map(|submitted| json!({"there": submitted.there, "new": submitted.new, "says": submitted.says})),
        });
        if let Some(rows) = rows {
            let notes = rows.notes().iter().map(|note| of_problem(note, report));
            said["findings"].as_array_mut().into_iter().for_each(|findings| findings.extend(notes.clone()));
            said["rows"] = rows.json(true);
        }
        Ok(said)
    }

    /// What is said of an experiment as a whole; the command's files and steps are those of its first run.
    fn experiment_json(&self, experiment: &Experiment, first: Option<&Planned>) -> Result<Value, HomeError> {
        let settings = &*there::first(&experiment.settings);
        let mut said = json!({
            "name": experiment.name,
            "count": experiment.count(),
            "parallel": experiment.parallel,
            "targets": experiment.settings.target,
            "wishes": json::wishes(&experiment.wishes, experiment.not_before.as_ref().map(ToString::to_string).into()),
            "varying": experiment.varying(),
            "after": settings.stage.as_ref().map(after),
            "objectives": settings.objectives,
            "resources": resources(settings),
            "build": settings.code.build.as_ref().map(|_| self.build(settings)),
            "fixed": {},
            "then": [],
            "files": [],
        });
        let Some(Planned { params, .. }) = first else { return Ok(said) };
        let filling = self.filling(settings, params, self.first)?;
        let steps = self.steps(settings, params, &filling)?;
        said["fixed"] = json!(self.fixed(experiment, params));
        said["then"] = steps.into_iter().map(|(name, command)| json!({"name": name, "command": command})).collect();
        let made = configure::foreseen(settings, params, &filling.context(), &[&self.code(settings)]).map_err(HomeError::Failed)?;
        said["files"] = made.iter().map(|file| json!({"path": file.path, "text": mask_text(&file.text, &self.known)})).collect();
        Ok(said)
    }
}

/// What the preflight has seen, good or bad.
fn found(report: &Report) -> Value {
    let room = &report.room;
    let programs = report.programs.iter().map(|program| {
        let python = program.python.as_ref();
        json!({
            "name": program.name,
            "path": program.path,
            "interpreter": python.map(|python| &python.interpreter),
            "environment": python.and_then(|python| python.prefix.as_ref()),
            "version": program.version,
        })
    });
    json!({
        "programs": programs.collect::<Vec<_>>(),
        "disk": room.disk.as_ref().map(|disk| json!({"mount": disk.mount, "free": disk.free, "total": disk.total})),
        "memory": {"available": room.memory.available, "total": room.memory.total},
        "gpus": room.gpus,
    })
}

/// Nothing can be started for these problems, as JSON says it.
pub(crate) fn refused(problems: &Problems, report: &Report, rows: Option<&Fates>) {
    let findings: Vec<_> = problems.0.iter().map(|problem| of_problem(problem, report)).collect();
    let mut said = json!({"count": 0, "runs": [], "findings": findings});
    if let Some(rows) = rows {
        said["rows"] = rows.json(false);
    }
    output::json(&said);
}

/// A finding, with the place in fields of their own; a line of 0 means nothing.
fn of_problem(problem: &Problem, report: &Report) -> Value {
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
