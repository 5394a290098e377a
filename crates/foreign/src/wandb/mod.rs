//! Weights & Biases: what is on the disk of a run, `wandb/[offline-]run-DATE_TIME-ID/run-ID.wandb` and `files/` beside it. Blocks
//! become records (`log`), records their fields (`record`), and those what a sink takes.

mod log;
mod record;

use crate::clean;
use crate::disk;
use crate::error::{Failure, ForeignError, Result};
use crate::gather::Gathered;
use crate::json::{self, Tree};
use crate::lines;
use crate::mlflow::artifact;
use crate::moment;
use crate::names::Names;
use crate::report::{Place, Report};
use crate::sink::{Metric, Output, Row, Run, Sink, Wanted};
use crate::source::Source;
use log::Found;
use neronet_model::UnixMs;
use record::{Record, items};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

const METADATA: &str = "wandb-metadata.json";
const OUTPUT: &str = "output.log";
/// What wandb writes beside the files of the user.
const OWN: [&[u8]; 4] = [b"wandb-metadata.json", b"wandb-summary.json", b"config.yaml", b"output.log"];
const LONGEST_METADATA: u64 = 4 << 20;
const MOST_RESULT_BYTES: usize = 16 << 20;
const LONGEST_RESULT: usize = 1000;

/// The id of the run in `run-ID.wandb`.
pub(crate) fn id(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"run-")?.strip_suffix(b".wandb").filter(|id| !id.is_empty())
}

pub(crate) fn read(source: &Source, sink: &mut dyn Sink) -> Result<Report> {
    let name = source.files.first().and_then(|path| path.file_name()).unwrap_or_default().as_encoded_bytes();
    let mut reading = Reading { id: clean::name(id(name).unwrap_or(name)), ..Reading::default() };
    for path in &source.files {
        if reading.wanted != Some(Wanted::Nothing) {
            reading.file(path, sink)?;
        }
    }
    reading.begin(sink)?;
    if reading.wanted == Some(Wanted::All) {
        reading.files(source, sink)?;
    }
    reading.summarize();
    sink.end(&reading.run)?;
    Ok(reading.report)
}

/// The records of a file alone.
pub(crate) fn read_bytes(bytes: &[u8], sink: &mut dyn Sink) {
    let mut reading = Reading::default();
    reading.log(bytes, sink).ok();
    reading.summarize();
}

#[derive(Default)]
struct Reading {
    id: String,
    path: PathBuf,
    run: Run,
    params: Gathered,
    report: Report,
    wanted: Option<Wanted>,
    names: Names,
    row: Vec<(Metric, f64)>,
    name: Vec<u8>,
    /// Single values that are no metrics, by name, as JSON.
    results: HashMap<Vec<u8>, Vec<u8>>,
    result_bytes: usize,
    last: Option<UnixMs>,
    printed: bool,
}

impl Reading {
    fn file(&mut self, path: &Path, sink: &mut dyn Sink) -> Result<()> {
        self.path = path.to_path_buf();
        if disk::is_folder(&beside(path, ""))
            && let Ok(Some(bytes)) = disk::small(&beside(path, METADATA), LONGEST_METADATA)
            && let Ok(tree) = json::whole(&bytes)
        {
            record::read_metadata(&tree, &mut self.run);
        }
        self.log(disk::open(path)?, sink)
    }

    fn log(&mut self, input: impl Read, sink: &mut dyn Sink) -> Result<()> {
        match log::read(input, |at, found| self.take(at, found, sink).map_err(Stopped::Here)) {
            Ok(bytes) => self.report.bytes += bytes,
            Err(Stopped::Here(error)) => return Err(error),
            Err(Stopped::Io(error)) => return Err(ForeignError::io("read", &self.path)(error)),
        }
        Ok(())
    }

    /// Takes what was found, and says whether more is wanted.
    fn take(&mut self, at: u64, found: Found<'_>, sink: &mut dyn Sink) -> Result<bool> {
        let what = match found {
            Found::Record(bytes) => match self.record(bytes, sink) {
                Ok(()) => return Ok(self.wanted != Some(Wanted::Nothing)),
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Malformed) => "this is no record, and is passed over",
            },
            Found::Long => {
                self.report.pass("records over 16 MiB");
                return Ok(true);
            }
            Found::Damaged => "is damaged; what follows is read from the next block on",
            Found::Torn => "the file ends within a record that was not written to its end",
            Found::Foreign => "the file does not begin as one of wandb's (version 0), and is passed over",
        };
        self.report.notice(&self.path, Place::Byte(at), what);
        Ok(true)
    }

    fn record(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        let record = record::record(bytes)?;
        if matches!(record, Record::History(_) | Record::Output(_) | Record::Stats(_)) {
            self.begin(sink)?;
            if self.wanted == Some(Wanted::Nothing) {
                return Ok(());
            }
        }
        match record {
            Record::History(history) => self.history(history, sink)?,
            Record::Summary(summary) => self.summary(summary)?,
            Record::Stats(stats) => self.stats(stats, sink)?,
            Record::Output(bytes) => {
                let (error, at, text) = record::output(bytes)?;
                self.last = self.last.max(at);
                self.printed = true;
                sink.output(Output { at, error, text: &clean::text(text) }).map_err(ForeignError::Refused)?;
            }
            Record::Config(config) => record::read_config(config, &mut self.params)?,
            Record::Run(run) => record::read_run(run, &mut self.run, &mut self.params, &mut self.id)?,
            Record::Exit(exit) => {
                record::read_exit(exit, &mut self.run)?;
                self.run.ended = self.last;
            }
            Record::Environment(environment) => record::read_environment(environment, &mut self.run)?,
            Record::Other(Some(kind)) => self.report.pass(kind),
            Record::Other(None) => {}
        }
        Ok(())
    }

    /// Tells the sink of the run, once something of it is there for it.
    fn begin(&mut self, sink: &mut dyn Sink) -> Result<()> {
        if self.wanted.is_none() {
            self.run.key = format!("wandb:{}:{}", self.run.project.as_deref().unwrap_or_default(), self.id);
            if self.run.name.is_empty() {
                self.run.name.clone_from(&self.id);
            }
            self.run.params = self.params.params();
            self.wanted = Some(sink.begin(&self.run)?);
        }
        Ok(())
    }

    fn history(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        let mut objects = BTreeSet::new();
        for item in items(bytes, 1) {
            objects.extend(item?.object()?);
        }
        let (mut at, mut step) = (None, record::step(bytes)?);
        self.row.clear();
        for item in items(bytes, 1) {
            let (value, parts) = item?.read(&mut self.name)?;
            let number = record::number(value);
            match (&self.name[..], number) {
                (b"_timestamp", Some(number)) => at = moment::seconds(number),
                (b"_step", Some(number)) => step = Some(number as i64),
                (name, _) if name.starts_with(b"_") => {}
                (name, _) if parts > 1 && is_of(name, &objects) => {
                    if name.ends_with(b"._type") {
                        self.report.pass(&object_kind(value));
                    }
                }
                (_, Some(number)) => self.point(number, sink)?,
                _ => self.other(value, sink)?,
            }
        }
        self.last = self.last.max(at);
        self.row(at, step, sink)
    }

    fn point(&mut self, number: f64, sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        match self.names.metric(&self.name, sink).map_err(ForeignError::Refused)? {
            Some(metric) => self.row.push((metric, number)),
            None => self.report.pass("values of too many metrics"),
        }
        Ok(())
    }

    /// A value that is no number: older versions keep tables in it.
    fn other(&mut self, value: &[u8], sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        match json::whole(value) {
            Ok(Tree::Bool(truth)) => self.point(f64::from(u8::from(truth)), sink)?,
            Ok(tree @ Tree::Table(_)) => match tree.get("_type").and_then(Tree::text) {
                Some(kind) => self.report.pass(&kind),
                None => {
                    let mut inner = Gathered::default();
                    tree.flatten(&clean::name(&self.name), &mut inner);
                    for (name, value) in inner.params().iter() {
                        if let Some(number) = value.number() {
                            self.name.clear();
                            self.name.extend_from_slice(name.as_bytes());
                            self.point(number, sink)?;
                        }
                    }
                }
            },
            _ => self.report.pass("values that are no numbers"),
        }
        Ok(())
    }

    fn row(&mut self, at: Option<UnixMs>, step: Option<i64>, sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        if !self.row.is_empty() {
            self.report.rows += 1;
            self.report.points += self.row.len() as u64;
            sink.row(Row { at, step, values: &self.row }).map_err(ForeignError::Refused)?;
        }
        Ok(())
    }

    /// What wandb read of the machine, under the names that neronet has for such readings.
    fn stats(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        self.row.clear();
        for item in items(bytes, 3) {
            let (value, _) = item?.read(&mut self.name)?;
            if let Some(number) = record::number(value).filter(|_| !self.name.starts_with(b"_")) {
                self.name.splice(0..0, *b"sys/");
                self.point(number, sink)?;
            }
        }
        self.row(record::stats_time(bytes)?, None, sink)
    }

    /// A summary holds the last value of each metric too, which are not kept.
    fn summary(&mut self, bytes: &[u8]) -> std::result::Result<(), Failure> {
        for item in items(bytes, 1) {
            let (value, _) = item?.read(&mut self.name)?;
            if self.name.starts_with(b"_") || self.names.knows(&self.name) || value.len() > LONGEST_RESULT {
                continue;
            }
            if let Some(known) = self.results.get_mut(&self.name) {
                known.clear();
                known.extend_from_slice(value);
                continue;
            }
            self.result_bytes += self.name.len() + LONGEST_RESULT;
            if self.result_bytes < MOST_RESULT_BYTES {
                self.results.insert(self.name.clone(), value.to_vec());
            }
        }
        Ok(())
    }

    /// Puts what is left of the summary into the run.
    fn summarize(&mut self) {
        let results: BTreeMap<Vec<u8>, Vec<u8>> = std::mem::take(&mut self.results).into_iter().collect();
        let mut left = Gathered::default();
        let objects: BTreeSet<&[u8]> = results.keys().filter_map(|name| name.strip_suffix(b"._type")).collect();
        for (name, value) in &results {
            if !self.names.knows(name)
                && !is_of(name, &objects)
                && let Ok(tree) = json::whole(value)
            {
                tree.flatten(&clean::name(name), &mut left);
            }
        }
        self.run.results = left.params();
        self.run.params = self.params.params();
    }

    /// What lies in `files/` of each folder.
    fn files(&mut self, source: &Source, sink: &mut dyn Sink) -> Result<()> {
        for path in &source.files {
            let output = beside(path, OUTPUT);
            if !self.printed && disk::is_folder(&beside(path, "")) && disk::is_file(&output) {
                self.report.bytes += lines::output(&output, disk::open(&output)?, sink)?;
            }
            disk::each_file(&beside(path, ""), &mut self.report, |report, path, name| match OWN.contains(&name) {
                true => Ok(()),
                false => artifact(path, name, report, sink),
            })?;
        }
        Ok(())
    }
}

/// A file in the folder `files` beside the `.wandb` file.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join("files").join(name)
}

/// Whether this is the name of a part of one of these objects.
fn is_of(name: &[u8], objects: &BTreeSet<&[u8]>) -> bool {
    let mut dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.').take(64);
    !objects.is_empty() && dots.any(|(i, _)| objects.contains(&name[..i]))
}

fn object_kind(value: &[u8]) -> String {
    json::whole(value).ok().and_then(|tree| tree.text()).unwrap_or_else(|| "objects".to_string())
}

/// What ended the reading of a file.
enum Stopped {
    Io(std::io::Error),
    Here(ForeignError),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Stopped {
        Stopped::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    proptest! {
        /// The records themselves, mutated within pieces whose checksums are made right again.
        #[test]
        fn mutated_records_come_back(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/wandb/offline-run-20231114_221320-abcd1234/run-abcd1234.wandb");
            let bytes = fs::read(path).expect("readable");
            let mut records = Vec::new();
            log::read(&bytes[..], |_, found| {
                if let Found::Record(record) = found && record.len() < 2000 {
                    records.push(record.to_vec());
                }
                Ok::<_, std::io::Error>(true)
            })
            .expect("readable");
            prop_assert!(records.len() > 100);
            for (record, at, value) in flips {
                let record = &mut records[record.index(130)];
                let at = at.index(record.len());
                record[at] = value;
            }
            read_bytes(&log::tests::written(&records), &mut crate::sink::Nobody);
        }
    }
}
