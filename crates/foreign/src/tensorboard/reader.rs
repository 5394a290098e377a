//! Event files, in pieces of bytes, to what a sink takes. It remembers across files what the first value of a tag says of the others.

use super::event::{Content, Value, What, event, plugin, values};
use super::records::{Found, Records, WHOLE, framed};
use super::{hparams, tensor};
use crate::clean;
use crate::disk;
use crate::error::{Failure, ForeignError, Result};
use crate::gather::Gathered;
use crate::moment;
use crate::names::Names;
use crate::report::{Place, Report};
use crate::sink::{Metric, Row, Run, Sink, Text};
use neronet_model::Params;
use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Tags that are remembered for their plugin; of more, each value must name it.
const MOST_TAGS: usize = 20_000;
const LONGEST_TAG: usize = 1000;
/// Read at once; a longer record makes it grow, up to `WHOLE`.
const PIECE: usize = 128 << 10;

/// Reads event files that are fed to it, those of one folder one after the other.
#[derive(Debug)]
pub struct EventReader {
    records: Records,
    reading: Reading,
}

#[derive(Debug)]
struct Reading {
    path: PathBuf,
    names: Names,
    plugins: HashMap<Box<[u8]>, Plugin>,
    row: Vec<(Metric, f64)>,
    /// Rows came before, in this file or in others of the run.
    goes_on: bool,
    first: Option<f64>,
    run: Run,
    params: Gathered,
    /// Parameters were read since somebody asked for them.
    has_news: bool,
    report: Report,
}

/// For which plugin the values of a tag are.
#[derive(Debug)]
enum Plugin {
    Scalars,
    Text,
    HParams,
    /// One that neronet has no place for, by its name.
    Other(String),
}

impl EventReader {
    /// A reader of the file at `path` (named in notices only) that is fed from `offset` on: 0, or a `position` of an earlier reader.
    pub fn new(path: &Path, offset: u64) -> EventReader {
        let reading = Reading {
            path: path.to_path_buf(),
            names: Names::default(),
            plugins: HashMap::new(),
            row: Vec::new(),
            goes_on: false,
            first: None,
            run: Run::default(),
            params: Gathered::default(),
            has_news: false,
            report: Report::default(),
        };
        EventReader { records: Records::at(offset), reading }
    }

    /// The same of a file beside others, which it may begin anew behind.
    pub fn behind_others(mut self) -> EventReader {
        self.reading.goes_on = true;
        self
    }

    /// Goes on with the first byte of the next file of the same run.
    pub fn next_file(&mut self, path: &Path) {
        self.reading.path = path.to_path_buf();
        self.records = Records::at(0);
    }

    /// The offset of the byte that must be fed next.
    pub fn wants(&self) -> u64 {
        self.records.wants()
    }

    /// Behind all that was read whole: where another reader can begin.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// Reads what is whole of bytes that begin at `wants`, and says how many it is done with: the others, a record that is still
    /// being written, must be fed again with what follows them. Of the sink it calls `metric`, `row`, `text` and `restarted`.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<usize> {
        let EventReader { records, reading } = self;
        let done = records.feed(bytes, |at, found| reading.take(at, found, sink))?;
        reading.report.bytes += done as u64;
        Ok(done)
    }

    /// Reads what is whole, about `most` bytes. Gives how many bytes behind `wants` are no whole record yet.
    pub(crate) fn read_on(&mut self, file: &File, sink: &mut dyn Sink, most: u64) -> Result<u64> {
        let mut buffer = vec![0; PIECE];
        let mut filled = 0;
        let begin = self.wants();
        while self.wants() - begin < most {
            let read = match file.read_at(&mut buffer[filled..], self.wants() + filled as u64) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ForeignError::io("read", &self.reading.path)(error)),
            };
            filled += read;
            let done = self.feed(&buffer[..filled], sink)?;
            buffer.copy_within(done..filled, 0);
            filled -= done;
            if filled == buffer.len() {
                // A record of `WHOLE` bytes with its frame is the longest that is waited for.
                buffer.resize((buffer.len() * 2).min(WHOLE + PIECE), 0);
            }
        }
        Ok(filled as u64)
    }

    /// Says of the `waiting` bytes behind `wants` that nothing follows them.
    pub fn finish(&mut self, waiting: u64) {
        let begin = self.records.position();
        let left = self.records.wants() + waiting - begin;
        if left > 0 {
            let what = match self.records.is_lost() {
                true => format!("the last {left} bytes are damaged"),
                false => format!("the last {left} bytes are a record that was not written to its end"),
            };
            self.reading.report.notice(&self.reading.path, Place::Byte(begin), what);
        }
    }

    /// What the events say of the run: parameters, times, outcome.
    pub fn run(&self) -> Run {
        Run { params: self.reading.params.params(), ..self.reading.run.clone() }
    }

    /// The parameters of the run, where something was said of them since the last time.
    pub fn new_params(&mut self) -> Option<Params> {
        std::mem::take(&mut self.reading.has_news).then(|| self.reading.params.params())
    }

    /// Opens its file and reads on in it, about `most` bytes of what is whole. Says whether there may be more.
    pub fn read(&mut self, sink: &mut dyn Sink, most: u64) -> Result<bool> {
        let file = disk::open(&self.reading.path)?;
        let behind = self.wants().saturating_add(most);
        self.read_on(&file, sink, most)?;
        Ok(self.wants() >= behind)
    }

    pub fn report(&self) -> &Report {
        &self.reading.report
    }

    /// Seconds since the epoch of the first event.
    pub(crate) fn first(&self) -> Option<f64> {
        self.reading.first
    }

    pub(crate) fn into_report(self) -> Report {
        self.reading.report
    }

    pub(crate) fn report_mut(&mut self) -> &mut Report {
        &mut self.reading.report
    }
}

impl Reading {
    fn take(&mut self, at: u64, found: Found<'_>, sink: &mut dyn Sink) -> Result<()> {
        match found {
            Found::Payload(payload) => {
                sink.record(at + framed(payload));
                match self.event(payload, sink) {
                    Err(Failure::Malformed) => {
                        self.report.notice(&self.path, Place::Byte(at), "this record is no event, and is passed over");
                        Ok(())
                    }
                    Err(Failure::Stop(error)) => Err(error),
                    Ok(()) => Ok(()),
                }
            }
            Found::Long(_) => {
                self.report.pass("records over 4 MiB");
                Ok(())
            }
            Found::Damaged(bytes) => {
                self.report.notice(&self.path, Place::Byte(at), format!("{bytes} bytes are damaged, and are passed over"));
                Ok(())
            }
        }
    }

    #[inline]
    fn event(&mut self, payload: &[u8], sink: &mut dyn Sink) -> std::result::Result<(), Failure> {
        let event = event(payload)?;
        if self.first.is_none() {
            self.first = Some(event.wall_time);
            self.run.started = self.run.started.or(moment::seconds(event.wall_time));
        }
        let (at, step) = (moment::seconds(event.wall_time), Some(event.step));
        match event.what {
            What::Summary(summary) => {
                self.row.clear();
                for value in values(summary) {
                    let value = value?;
                    if let Some(number) = self.value(&value, (at, step), sink)? {
                        match self.names.metric(value.tag, sink).map_err(ForeignError::Refused)? {
                            Some(metric) => self.row.push((metric, number)),
                            None => self.report.pass("values of too many metrics"),
                        }
                    }
                }
                if !self.row.is_empty() {
                    self.report.rows += 1;
                    self.report.points += self.row.len() as u64;
                    self.goes_on = true;
                    sink.row(Row { at, step, values: &self.row }).map_err(ForeignError::Refused)?;
                }
            }
            What::Start if self.goes_on => sink.restarted(event.step).map_err(ForeignError::Refused)?,
            What::Start | What::Nothing => {}
            What::Other(kind) => self.report.pass(kind),
        }
        Ok(())
    }

    /// The number of a value that is one; what else it is goes where it belongs.
    #[inline]
    fn value(
        &mut self,
        value: &Value<'_>,
        (at, step): (Option<neronet_model::UnixMs>, Option<i64>),
        sink: &mut dyn Sink,
    ) -> std::result::Result<Option<f64>, Failure> {
        let tensor = match value.content {
            Content::Number(number) => return Ok(Some(number)),
            Content::Other(kind) => {
                self.report.pass(kind);
                return Ok(None);
            }
            Content::Tensor(tensor) => Some(tensor),
            Content::Nothing => None,
        };
        if let Some((name, content)) = value.metadata.map(plugin).transpose()? {
            self.learn(value.tag, name, content)?;
        }
        let Some(tensor) = tensor else { return Ok(None) };
        match self.plugins.get(value.tag) {
            Some(Plugin::Text) => {
                let name = clean::name(value.tag.strip_suffix(b"/text_summary").unwrap_or(value.tag));
                for text in tensor::texts(tensor) {
                    let text = clean::text(text?);
                    self.report.texts += 1;
                    sink.text(Text { at, step, name: &name, text: &text }).map_err(ForeignError::Refused)?;
                }
                Ok(None)
            }
            Some(Plugin::HParams) => Ok(None),
            Some(Plugin::Other(name)) => {
                self.report.pass(name);
                Ok(None)
            }
            Some(Plugin::Scalars) | None => {
                let number = tensor::number(tensor)?;
                if number.is_none() {
                    self.report.pass("tensors");
                }
                Ok(number)
            }
        }
    }

    /// Remembers what the metadata of a value says: usually only the first of a tag has any.
    fn learn(&mut self, tag: &[u8], name: &[u8], content: &[u8]) -> std::result::Result<(), Failure> {
        if name == hparams::PLUGIN.as_bytes() {
            self.has_news = true;
            hparams::read(content, &mut self.run, &mut self.params)?;
        }
        if !name.is_empty() && !self.plugins.contains_key(tag) && self.plugins.len() < MOST_TAGS && tag.len() <= LONGEST_TAG {
            let plugin = match name {
                b"scalars" => Plugin::Scalars,
                b"text" => Plugin::Text,
                b"hparams" => Plugin::HParams,
                name => Plugin::Other(clean::name(name)),
            };
            self.plugins.insert(tag.into(), plugin);
        }
        Ok(())
    }
}
