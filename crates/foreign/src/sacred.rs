//! Sacred's `FileStorageObserver`: `RUNS/ID/` with `run.json`, `config.json`, `metrics.json`, `cout.txt`, `info.json`.
//! <https://github.com/IDSIA/sacred/blob/master/sacred/observers/file_storage.py>

use crate::clean;
use crate::disk;
use crate::error::{ForeignError, Result};
use crate::gather::Gathered;
use crate::json::{self, Fault, Json, Scalar, Tree};
use crate::lines;
use crate::mlflow::artifact;
use crate::moment;
use crate::names::Names;
use crate::report::{Place, Report};
use crate::sink::{Metric, Output, Row, Run, Sink, Wanted};
use crate::source::Source;
use neronet_model::Outcome;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

pub(crate) const RUN: &str = "run.json";
const CONFIG: &str = "config.json";
const INFO: &str = "info.json";
const METRICS: &str = "metrics.json";
const OUTPUT: &str = "cout.txt";
const LONGEST: u64 = 16 << 20;
/// What the observer writes beside the artifacts.
const OWN: [&[u8]; 5] = [b"run.json", b"config.json", b"info.json", b"metrics.json", b"cout.txt"];

/// Whether a folder with a `run.json` is a run: files of that name are others' too.
pub(crate) fn is_run(folder: &Path) -> bool {
    [CONFIG, OUTPUT, METRICS, INFO].iter().any(|name| disk::is_file(&folder.join(name)))
}

pub(crate) fn read(source: &Source, sink: &mut dyn Sink) -> Result<Report> {
    let folder = &source.path;
    let mut report = Report::default();
    let path = folder.join(RUN);
    let tree = tree(&path)?.ok_or_else(|| ForeignError::unreadable(&path, Place::Whole, "is not there"))?;
    let mut run = of_tree(&tree, folder);
    let (mut params, mut results) = (Gathered::default(), Gathered::default());
    if let Some(result) = tree.get("result").filter(|result| **result != Tree::Null) {
        result.flatten(if matches!(result, Tree::Table(_)) { "" } else { "result" }, &mut results);
    }
    for (name, values) in [(CONFIG, &mut params), (INFO, &mut results)] {
        let path = folder.join(name);
        match self::tree(&path) {
            Ok(Some(tree)) => tree.flatten("", values),
            Ok(None) => {}
            Err(error) => report.notice(&path, Place::Whole, error.to_string()),
        }
    }
    run.params = params.params();
    run.results = results.params();
    if sink.begin(&run)? == Wanted::All {
        metrics(&folder.join(METRICS), &mut report, sink)?;
        let path = folder.join(OUTPUT);
        if disk::is_file(&path) {
            report.bytes += lines::output(&path, disk::open(&path)?, sink)?;
        }
        for line in tree.get("fail_trace").map(Tree::items).unwrap_or_default().iter().filter_map(Tree::text) {
            sink.output(Output { at: run.ended, error: true, text: &line })?;
        }
        disk::each_file(folder, &mut report, |report, path, name| match OWN.contains(&name) {
            true => Ok(()),
            false => artifact(path, name, report, sink),
        })?;
    }
    sink.end(&run)?;
    Ok(report)
}

fn tree(path: &Path) -> Result<Option<Tree>> {
    let bytes = match disk::small(path, LONGEST)? {
        Some(bytes) => bytes,
        None => return Ok(None),
    };
    json::whole(&bytes).map(Some).map_err(|fault| of_fault(path, fault))
}

fn of_fault(path: &Path, fault: Fault) -> ForeignError {
    match fault {
        Fault::Io(error) => ForeignError::io("read", path)(error),
        Fault::Malformed(at, what) => ForeignError::unreadable(path, Place::Byte(at), format!("this is no JSON: {what}")),
    }
}

fn of_tree(tree: &Tree, folder: &Path) -> Run {
    let text = |names: &[&str]| names.iter().try_fold(tree, |tree, name| tree.get(name)).and_then(Tree::text);
    let line = |names: &[&str]| text(names).map(|text| clean::name(text.as_bytes()));
    let moment = |name| text(&[name]).and_then(|text| moment::iso(&text));
    let id = clean::name(folder.file_name().unwrap_or_default().as_encoded_bytes());
    let project = line(&["experiment", "name"]);
    let repository = tree.get("experiment").and_then(|experiment| experiment.get("repositories")).and_then(|all| all.items().first());
    let of_repository = |name| repository.and_then(|it| it.get(name)).and_then(Tree::text).map(|text| clean::name(text.as_bytes()));
    Run {
        key: format!("sacred:{}:{id}:{}", project.as_deref().unwrap_or_default(), line(&["start_time"]).unwrap_or_default()),
        name: line(&["meta", "options", "--name"]).unwrap_or(id),
        project,
        note: text(&["meta", "comment"]).or_else(|| text(&["meta", "options", "--comment"])),
        started: moment("start_time"),
        ended: moment("stop_time"),
        outcome: match text(&["status"]).as_deref() {
            Some("COMPLETED") => Some(Outcome::Finished),
            Some("FAILED" | "TIMEOUT") => Some(Outcome::Failed),
            Some("INTERRUPTED") => Some(Outcome::Stopped),
            _ => None,
        },
        host: line(&["host", "hostname"]),
        command: line(&["experiment", "mainfile"]).into_iter().chain(line(&["command"])).collect(),
        repository: of_repository("url"),
        commit: of_repository("commit"),
        ..Run::default()
    }
}

/// Where the three lists of a metric begin, which belong together place by place.
#[derive(Debug, Default)]
struct Lists {
    steps: Option<u64>,
    timestamps: Option<u64>,
    values: Option<u64>,
}

/// Reads `{NAME: {steps: […], timestamps: […], values: […]}}`: first for the places of the lists, then three lists at a time.
fn metrics(path: &Path, report: &mut Report, sink: &mut dyn Sink) -> Result<()> {
    if !disk::is_file(path) {
        return Ok(());
    }
    let file = disk::open(path)?;
    report.bytes += file.metadata().map_err(ForeignError::io("read", path))?.len();
    let mut names = Names::default();
    let mut json = Json::new(BufReader::new(file), 0);
    let mut first = true;
    let mut read = || -> std::result::Result<(), Failure> {
        if !json.enter(b'{')? {
            return Err(Fault::Malformed(json.at(), "a table of metrics is missing").into());
        }
        while json.more(&mut first, b'}')? {
            let name = json.key()?;
            let lists = lists(&mut json)?;
            match names.metric(name.as_bytes(), sink).map_err(ForeignError::Refused)? {
                Some(metric) => points(path, metric, &lists, report, sink)?,
                None => report.pass("metrics beyond 100,000"),
            }
        }
        Ok(())
    };
    match read() {
        // A run that is being written, or was killed while it was: what is before the mistake is read.
        Err(Failure::Fault(Fault::Malformed(at, what))) => {
            report.notice(path, Place::Byte(at), format!("this is no JSON: {what}; what follows is passed over"));
            Ok(())
        }
        Err(Failure::Fault(fault)) => Err(of_fault(path, fault)),
        Err(Failure::Stop(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

fn lists(json: &mut Json<BufReader<File>>) -> std::result::Result<Lists, Fault> {
    let mut lists = Lists::default();
    if json.peek()? != Some(b'{') {
        json.skip()?;
        return Ok(lists);
    }
    json.enter(b'{')?;
    let mut first = true;
    while json.more(&mut first, b'}')? {
        let key = json.key()?;
        json.peek()?;
        match key.as_str() {
            "steps" => lists.steps = Some(json.at()),
            "timestamps" => lists.timestamps = Some(json.at()),
            "values" => lists.values = Some(json.at()),
            _ => {}
        }
        json.skip()?;
    }
    Ok(lists)
}

fn points(path: &Path, metric: Metric, lists: &Lists, report: &mut Report, sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
    let Some(values) = lists.values else { return Ok(()) };
    let mut values = List::open(path, values)?;
    let mut steps = lists.steps.map(|at| List::open(path, at)).transpose()?;
    let mut timestamps = lists.timestamps.map(|at| List::open(path, at)).transpose()?;
    while let Some(item) = values.next()? {
        let value = match item {
            Item::Number(number) => Some(number),
            Item::Text(text) => neronet_model::number::parse_word(&text),
            Item::Other => None,
        };
        let step = match steps.as_mut().map(List::next).transpose()?.flatten() {
            Some(Item::Number(step)) => Some(step as i64),
            _ => None,
        };
        let at = match timestamps.as_mut().map(List::next).transpose()?.flatten() {
            Some(Item::Text(text)) => moment::iso(&text),
            Some(Item::Number(seconds)) => moment::seconds(seconds),
            _ => None,
        };
        match value {
            Some(value) => {
                report.rows += 1;
                report.points += 1;
                sink.row(Row { at, step, values: &[(metric, value)] }).map_err(ForeignError::Refused)?;
            }
            None => report.pass("values that are no numbers"),
        }
    }
    Ok(())
}

/// A list in the file, element by element.
struct List {
    json: Json<BufReader<File>>,
    first: bool,
    ended: bool,
}

enum Item {
    Number(f64),
    Text(String),
    Other,
}

impl List {
    fn open(path: &Path, at: u64) -> std::result::Result<List, Failure> {
        let mut file = disk::open(path)?;
        file.seek(SeekFrom::Start(at)).map_err(ForeignError::io("read", path))?;
        let mut json = Json::new(BufReader::new(file), at);
        let ended = !json.enter(b'[')?;
        Ok(List { json, first: true, ended })
    }

    fn next(&mut self) -> std::result::Result<Option<Item>, Fault> {
        self.ended = self.ended || !self.json.more(&mut self.first, b']')?;
        if self.ended {
            return Ok(None);
        }
        Ok(Some(match self.json.peek()? {
            // As numbers of NumPy are written where they are not made plain: {"dtype": "float64", "value": 0.5}.
            Some(b'{') => self.json.tree()?.get("value").and_then(Tree::number).map_or(Item::Other, Item::Number),
            Some(b'[') => {
                self.json.skip()?;
                Item::Other
            }
            _ => match self.json.scalar()? {
                Scalar::Number(word) => json::number(word).map_or(Item::Other, Item::Number),
                Scalar::Str(text) => Item::Text(text.into_owned()),
                Scalar::Bool(truth) => Item::Number(f64::from(u8::from(truth))),
                Scalar::Null => Item::Other,
            },
        }))
    }
}

/// Why the metrics were not read to their end.
enum Failure {
    Fault(Fault),
    Stop(ForeignError),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<ForeignError> for Failure {
    fn from(error: ForeignError) -> Failure {
        Failure::Stop(error)
    }
}
