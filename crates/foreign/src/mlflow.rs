//! MLflow's file store: `mlruns/EXPERIMENT/RUN/` with `meta.yaml`, and a file for each metric, parameter and tag.
//! <https://github.com/mlflow/mlflow/blob/master/mlflow/store/tracking/file_store.py>

use crate::clean;
use crate::disk;
use crate::error::{ForeignError, Result};
use crate::gather::Gathered;
use crate::lines::Lines;
use crate::names::Names;
use crate::report::{Place, Report};
use crate::sink::{Artifact, Row, Run, Sink, Wanted};
use crate::source::Source;
use crate::yaml;
use neronet_model::{Outcome, UnixMs, Value};
use std::io::BufReader;
use std::path::Path;

const META: &str = "meta.yaml";
const LONGEST_META: u64 = 256 << 10;
/// MLflow allows 6,000 characters of a parameter, and 8,000 of a tag.
const LONGEST_VALUE: u64 = 1 << 20;
const MOST_TAGS: usize = 10_000;
const MOST_TAG_BYTES: usize = 16 << 20;

/// Whether a folder with a `meta.yaml` is a run: experiments and registered models have one too.
pub(crate) fn is_run(folder: &Path) -> bool {
    let meta = disk::small(&folder.join(META), LONGEST_META).ok().flatten().unwrap_or_default();
    meta.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"run_uuid:") || line.starts_with(b"run_id:"))
}

pub(crate) fn read(source: &Source, sink: &mut dyn Sink) -> Result<Report> {
    let folder = &source.path;
    let mut report = Report::default();
    let meta = meta(&folder.join(META))?;
    let mut run = of_meta(&meta, folder);
    let uri = meta.iter().find(|(key, _)| key == "artifact_uri").map(|(_, uri)| clean::name(uri.as_bytes())).unwrap_or_default();
    if let Some(scheme) = uri.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| !matches!(*scheme, "file" | "mlflow-artifacts")) {
        report.notice(folder, Place::Whole, format!("its artifacts lie at {uri}, and are not read: {scheme} is no folder"));
    }
    let experiment = folder.parent().map(|parent| parent.join(META));
    if let Some(pairs) = experiment.filter(|path| disk::is_file(path)).and_then(|path| meta_or_notice(&path, &mut report)) {
        let get = |key: &str| pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        run.project = get("name").map(|name| clean::name(name.as_bytes()));
        run.deleted |= get("lifecycle_stage") == Some("deleted");
    }
    let mut params = Gathered::default();
    each_value(&folder.join("params"), &mut report, |name, text| params.set(name, Value::as_word(text.trim_end_matches('\n'))))?;
    run.params = params.params();
    let mut room = MOST_TAG_BYTES;
    each_value(&folder.join("tags"), &mut report, |name, text| {
        if let Some(left) = room.checked_sub(text.len()) {
            room = left;
            tag(&mut run, name, text);
        }
    })?;
    if sink.begin(&run)? == Wanted::All {
        let mut names = Names::default();
        disk::each_file(&folder.join("metrics"), &mut report, |report, path, name| metric(path, name, &mut names, report, sink))?;
        let artifacts = folder.join("artifacts");
        disk::each_file(&artifacts, &mut report, |report, path, name| artifact(path, name, report, sink))?;
    }
    sink.end(&run)?;
    Ok(report)
}

/// Gives a file to the sink.
pub(crate) fn artifact(path: &Path, name: &[u8], report: &mut Report, sink: &mut dyn Sink) -> Result<()> {
    let bytes = path.symlink_metadata().map_err(ForeignError::io("read", path))?.len();
    report.artifacts += 1;
    sink.artifact(Artifact { name: &clean::name(name), path, bytes })?;
    Ok(())
}

fn meta(path: &Path) -> Result<Vec<(String, String)>> {
    let bytes = disk::small(path, LONGEST_META)?.ok_or_else(|| ForeignError::unreadable(path, Place::Whole, "is not there"))?;
    yaml::flat(&String::from_utf8_lossy(&bytes)).map_err(|(line, what)| ForeignError::unreadable(path, Place::Line(line), what))
}

fn meta_or_notice(path: &Path, report: &mut Report) -> Option<Vec<(String, String)>> {
    meta(path).map_err(|error| report.notice(path, Place::Whole, error.to_string())).ok()
}

fn of_meta(meta: &[(String, String)], folder: &Path) -> Run {
    let get = |key: &str| meta.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
    let moment = |key| get(key).and_then(|text| text.parse().ok()).filter(|ms| *ms > 0).map(UnixMs);
    let id = get("run_id").or_else(|| get("run_uuid")).map(|id| clean::name(id.as_bytes()));
    let id = id.unwrap_or_else(|| clean::name(folder.file_name().unwrap_or_default().as_encoded_bytes()));
    Run {
        key: format!("mlflow:{id}"),
        name: get("run_name").map_or(id, |name| clean::name(name.as_bytes())),
        started: moment("start_time"),
        ended: moment("end_time"),
        // RUNNING is 1, SCHEDULED 2; some versions wrote the word.
        outcome: match get("status") {
            Some("3" | "FINISHED") => Some(Outcome::Finished),
            Some("4" | "FAILED") => Some(Outcome::Failed),
            Some("5" | "KILLED") => Some(Outcome::Stopped),
            _ => None,
        },
        user: get("user_id").map(|user| clean::name(user.as_bytes())),
        deleted: get("lifecycle_stage") == Some("deleted"),
        ..Run::default()
    }
}

/// Those tags that MLflow sets itself have places of their own; the others of its own say how, not what.
fn tag(run: &mut Run, name: &[u8], text: &str) {
    let line = || Some(clean::name(text.as_bytes())).filter(|line| !line.is_empty());
    match name {
        b"mlflow.runName" => run.name = line().unwrap_or_default(),
        b"mlflow.user" => run.user = line(),
        b"mlflow.note.content" => run.note = clean::some(text.as_bytes()),
        b"mlflow.parentRunId" => run.parent = line(),
        b"mlflow.source.name" => run.command = line().into_iter().collect(),
        b"mlflow.source.git.commit" => run.commit = line(),
        b"mlflow.source.git.repoURL" => run.repository = line(),
        name if name.starts_with(b"mlflow.") => {}
        name if run.tags.len() < MOST_TAGS => run.tags.push((clean::name(name), clean::text(text.as_bytes()))),
        _ => {}
    }
}

/// The files of a folder whose paths are names and whose contents are values.
fn each_value(folder: &Path, report: &mut Report, mut value: impl FnMut(&[u8], &str)) -> Result<()> {
    disk::each_file(folder, report, |report, path, name| {
        match disk::small(path, LONGEST_VALUE) {
            Ok(Some(bytes)) => value(name, &clean::text(&bytes)),
            Ok(None) => {}
            Err(error) => report.notice(path, Place::Whole, error.to_string()),
        }
        Ok(())
    })
}

/// The points of a metric: `MILLISECONDS VALUE STEP`, in old files without a step, in new ones with a data set behind it.
fn metric(path: &Path, name: &[u8], names: &mut Names, report: &mut Report, sink: &mut dyn Sink) -> Result<()> {
    let file = match disk::open(path) {
        Ok(file) => file,
        Err(error) => {
            report.notice(path, Place::Whole, error.to_string());
            return Ok(());
        }
    };
    let Some(metric) = names.metric(name, sink)? else {
        report.pass("metrics beyond 100,000");
        return Ok(());
    };
    let mut lines = Lines::new(BufReader::new(file));
    loop {
        let line = lines.next().map_err(ForeignError::io("read", path))?;
        let Some(line) = line else { break };
        let point = if line.is_whole { str::from_utf8(line.bytes).ok().and_then(point) } else { None };
        let (is_whole, is_empty) = (line.is_whole, line.bytes.is_empty());
        match point {
            Some((at, value, step)) => {
                report.rows += 1;
                report.points += 1;
                sink.row(Row { at, step, values: &[(metric, value)] })?;
            }
            None if is_empty => {}
            None => {
                let what = if is_whole { "this is no point of a metric" } else { "this line was not written to its end" };
                report.notice(path, Place::Line(lines.number), what);
            }
        }
    }
    report.bytes += lines.bytes;
    Ok(())
}

fn point(line: &str) -> Option<(Option<UnixMs>, f64, Option<i64>)> {
    let mut words = line.split(' ');
    let at: i64 = words.next()?.parse().ok()?;
    let word = words.next()?;
    let value = word.parse().ok().or_else(|| neronet_model::number::parse_word(word))?;
    let step = match words.next() {
        Some(step) => Some(step.parse().ok()?),
        None => None,
    };
    Some(((at > 0).then_some(UnixMs(at)), value, step))
}
