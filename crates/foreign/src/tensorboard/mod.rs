//! TensorBoard: folders of event files. Bytes become frames (`records`), frames events (`event`, `tensor`, `hparams`), and events
//! what a sink takes (`reader`); `follow` reads files on the disk, also while they grow; `write` writes them.

mod event;
mod follow;
mod hparams;
mod reader;
mod records;
mod tensor;
mod write;

pub use follow::{EventFile, Progress};
pub use reader::EventReader;
pub use write::{EventWriter, file_name};

use crate::clean;
use crate::error::Result;
use crate::report::{Place, Report};
use crate::sink::{Nobody, Run, Sink, Wanted};
use crate::source::{Kind, Source};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

/// Parameters are written before the first points; so much is read for them before a run begins.
const PEEKED: u64 = 64 << 10;
const MOST_PEEKED: usize = 16;

/// Whether a file of this name is one of events: as TensorBoard itself decides it.
pub fn is_event_file(name: &[u8]) -> bool {
    name.windows(8).any(|window| window == b"tfevents")
}

/// Reads the event files of one folder, in the order of their names, which begin with the time.
pub(crate) fn read(source: &Source, sink: &mut dyn Sink) -> Result<Report> {
    let peeked = peek(source)?;
    let identity = identity(source, peeked.first());
    let wanted = sink.begin(&complete(peeked.run(), &identity))?;
    if wanted == Wanted::Nothing {
        sink.end(&complete(peeked.run(), &identity))?;
        return Ok(Report::default());
    }
    let mut reader = EventReader::new(&source.path, 0);
    for path in &source.files {
        reader.next_file(path);
        match EventFile::with(path, reader) {
            Ok(mut file) => {
                file.poll(sink)?;
                reader = file.finish();
            }
            Err((error, back)) => {
                reader = *back;
                reader.report_mut().notice(path, Place::Whole, error.to_string());
            }
        }
    }
    sink.end(&complete(reader.run(), &identity))?;
    Ok(reader.into_report())
}

fn peek(source: &Source) -> Result<EventReader> {
    let mut reader = EventReader::new(&source.path, 0);
    for (i, path) in source.files.iter().take(MOST_PEEKED).enumerate() {
        reader.next_file(path);
        match EventFile::with(path, reader) {
            Ok(mut file) => {
                file.read(&mut Nobody, PEEKED)?;
                reader = file.into_reader();
            }
            Err((error, _)) if i == 0 => return Err(error),
            Err((_, back)) => reader = *back,
        }
    }
    Ok(reader)
}

/// PyTorch and tensorboardX write the parameters of `add_hparams` into a folder of their own below that of the run, named by the time.
/// Where there is one such folder, it belongs to the run; where there are several, each is a session of its own.
pub(crate) fn join_sessions(sources: &mut Vec<Source>) {
    let is_time = |name: &OsStr| name.to_str().is_some_and(|name| name.contains('.') && name.parse().is_ok_and(|s: f64| s > 1e9));
    let mut runs: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut sessions: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (i, source) in sources.iter().enumerate().filter(|(_, source)| source.kind == Kind::TensorBoard) {
        match source.path.parent().filter(|_| source.path.file_name().is_some_and(is_time)) {
            Some(parent) => sessions.entry(parent.to_path_buf()).or_default().push(i),
            None => drop(runs.insert(source.path.clone(), i)),
        }
    }
    for (parent, sessions) in sessions {
        if let (Some(run), [session]) = (runs.get(&parent), &sessions[..]) {
            let files = std::mem::take(&mut sources[*session].files);
            sources[*run].files.extend(files);
        }
    }
    sources.retain(|source| source.kind != Kind::TensorBoard || !source.files.is_empty());
}

/// What the folder and the first file say: the time of the first event stays the same while the files grow, and tells apart folders
/// with files that were begun in the same second.
fn identity(source: &Source, first: Option<f64>) -> Run {
    let file = source.files.first().and_then(|path| path.file_name()).unwrap_or_default().as_encoded_bytes();
    let folder = source.path.file_name().unwrap_or_default().as_encoded_bytes();
    let key = format!("tensorboard:{}:{}:{:.6}", clean::name(folder), clean::name(file), first.unwrap_or_default());
    Run { key, name: source.name(), host: host(file), ..Run::default() }
}

fn complete(events: Run, identity: &Run) -> Run {
    Run { key: identity.key.clone(), name: identity.name.clone(), host: identity.host.clone(), ..events }
}

/// The host in `events.out.tfevents.SECONDS.HOST.PID.N`, with or without what is behind it.
fn host(file: &[u8]) -> Option<String> {
    let name = clean::name(file);
    let (_, rest) = name.split_once("tfevents.")?;
    let (_, mut host) = rest.split_once('.')?;
    host = host.strip_suffix(".v2").unwrap_or(host);
    for _ in 0..2 {
        match host.rsplit_once('.') {
            Some((before, last)) if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) => host = before,
            _ => break,
        }
    }
    (!host.is_empty()).then(|| host.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_host_is_in_the_name() {
        for (name, host) in [
            ("events.out.tfevents.1732190400.gpu1.lab.org.4242.0", Some("gpu1.lab.org")),
            ("events.out.tfevents.1732190400.gpu1.4242.0.v2", Some("gpu1")),
            ("events.out.tfevents.1732190400.gpu1", Some("gpu1")),
            ("events.out.tfevents.1732190400", None),
            ("my.tfevents", None),
        ] {
            assert_eq!(super::host(name.as_bytes()).as_deref(), host, "{name}");
        }
    }
}
