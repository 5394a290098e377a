//! Metrics from files: `$NERONET_METRICS`, the CSV, JSON-lines and JSON files that the spec names, and event files (`events`).
//! They are read from their beginning by every generation; rows on record are passed over. A row of a named file is known by its
//! number: scripts write such files anew with the same rows, and with a longer header when a metric comes to be.

use crate::events::{self, EventFiles};
use crate::globs::expand;
use crate::lines::Lines;
use neronet_capture::hash;
use neronet_model::UnixMs;
use neronet_model::launch::{FoundFile, Launch};
use neronet_model::settings::Metrics;
use neronet_scrape::{Found, Ignore, Table, json_document, json_rows, metrics_line};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Lines in files may be longer than lines of output; a row of a thousand columns is one.
const LINE_LIMIT: usize = 1 << 20;
/// A JSON document beyond this is not read: it needs many times its size in memory, each time it changes.
const DOCUMENT_LIMIT: u64 = 8 << 20;
const MOST_FILES: usize = 200;
const MOST_NAMES: usize = 20_000;
/// Read at one look at most, so that a huge file does not keep the output waiting.
const AT_ONCE: u64 = 512 << 10;
/// Bytes before the place where reading goes on that must be as they were.
const END: u64 = 64;

enum Reader {
    /// One JSON object a line, ours.
    Metrics,
    Table(Table),
    /// Read whole whenever it changed.
    Document,
}

/// What else a file says of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    /// When it was written, where that is told reliably.
    pub(crate) when: Option<UnixMs>,
    /// Before it the training began again.
    pub(crate) again: bool,
}

struct Followed {
    src: String,
    reader: Reader,
    inode: u64,
    lines: Lines,
    /// Lines read so far.
    count: u64,
    /// The last bytes read.
    end: Vec<u8>,
    /// Of a document: size and time when it was last read.
    seen: (u64, i128),
    /// As the attempt found it, for as long as that is still what it begins with: an earlier attempt's rows.
    found: Option<FoundFile>,
    said_too_long: bool,
}

pub(crate) struct Files {
    directory: PathBuf,
    patterns: Vec<String>,
    ignore: Ignore,
    followed: BTreeMap<PathBuf, Followed>,
    events: EventFiles,
    /// The attempt goes on with the curves of earlier ones.
    resumes: bool,
    /// The files that were there when the attempt began.
    found: BTreeMap<String, FoundFile>,
    said_too_many: bool,
    /// Sentences for the record about what is not read.
    pub(crate) notices: Vec<String>,
}

/// The named files that are there, as they are: what a further attempt must not take for its own. Nor must the first one event files,
/// to which nobody ever adds: they are of earlier runs in the same folder.
pub fn files_found(directory: &Path, metrics: &Metrics, is_first: bool) -> BTreeMap<String, FoundFile> {
    let tables = if is_first { &[] } else { &metrics.files[..] };
    let tables = tables.iter().flat_map(|pattern| expand(directory, pattern, MOST_NAMES).found).filter(|path| path.is_file());
    let paths = tables.chain(events::look(directory, &metrics.tensorboard).0);
    paths.filter_map(|path| Some((name_of(directory, &path), found_file(&path).ok()?))).collect()
}

fn found_file(path: &Path) -> io::Result<FoundFile> {
    let meta = fs::metadata(path)?;
    Ok(FoundFile { bytes: meta.len(), modified: modified(&meta), end: hash(&before(&mut File::open(path)?, meta.len())?) })
}

pub(crate) fn modified(meta: &fs::Metadata) -> UnixMs {
    UnixMs(meta.mtime().saturating_mul(1_000).saturating_add(meta.mtime_nsec() / 1_000_000))
}

/// Whether a file still begins with what an attempt found in it.
pub(crate) fn begins_so(found: &FoundFile, file: &mut File, meta: &fs::Metadata) -> io::Result<bool> {
    Ok(meta.len() >= found.bytes && hash(&before(file, found.bytes)?) == found.end)
}

/// The last bytes before a place in a file.
fn before(file: &mut File, at: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from = at.saturating_sub(END);
    file.seek(SeekFrom::Start(from))?;
    file.take(at - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn name_of(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

impl Files {
    pub(crate) fn new(directory: &Path, launch: &Launch, metrics: &Path) -> Files {
        let ours = Followed::new("m".into(), Reader::Metrics, None);
        Files {
            directory: directory.to_path_buf(),
            patterns: launch.metrics.files.clone(),
            ignore: Ignore::new(&launch.metrics.ignore),
            followed: BTreeMap::from([(metrics.to_path_buf(), ours)]),
            events: EventFiles::new(directory, launch),
            resumes: launch.resumes,
            found: launch.files_found.clone(),
            said_too_many: false,
            notices: Vec::new(),
        }
    }

    /// Looks for files that appeared.
    pub(crate) fn discover(&mut self) {
        self.events.discover(&mut self.notices);
        for pattern in &self.patterns {
            let expanded = expand(&self.directory, pattern, MOST_NAMES);
            let mut too_many = expanded.cut_short;
            for path in expanded.found {
                if self.followed.contains_key(&path) || !path.is_file() {
                    continue;
                }
                if self.followed.len() >= MOST_FILES {
                    too_many = true;
                    break;
                }
                let name = name_of(&self.directory, &path);
                let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
                let reader = match ending.as_deref() {
                    Some("json") => Reader::Document,
                    Some("jsonl" | "ndjson") => Reader::Metrics,
                    _ => Reader::Table(Table::new()),
                };
                let found = self.found.get(&name).cloned();
                self.followed.insert(path, Followed::new(format!("f:{name}"), reader, found));
            }
            if too_many && !std::mem::replace(&mut self.said_too_many, true) {
                self.notices.push(format!(
                    "[metrics] files: '{pattern}' matches or passes too much: {MOST_FILES} files are read, {MOST_NAMES} names looked at"
                ));
            }
        }
    }

    /// Reads what is new; documents, which are read whole, only with `documents`. `complete`: what stands at the end without a
    /// newline is a row. `each` gets the source, what the row is known by there (`Row::at`), what else the file says of it, and
    /// the row. True when more is there.
    pub(crate) fn read(&mut self, complete: bool, documents: bool, mut each: impl FnMut(&str, u64, Written, &mut Found)) -> bool {
        let mut more = false;
        let ignore = &self.ignore;
        let mut all = |src: &str, at: u64, written: Written, found: &mut Found| {
            ignore.filter(found);
            each(src, at, written, found);
        };
        more |= self.events.read(&mut all, &mut self.notices);
        let mut kept = |src: &str, at: u64, found: &mut Found| all(src, at, Written::default(), found);
        for (path, followed) in &mut self.followed {
            if matches!(followed.reader, Reader::Document) && !documents {
                continue;
            }
            // A file that vanished or cannot be read now is looked at again next time.
            more |= followed.read(path, (complete, self.resumes), &mut kept, &mut self.notices).unwrap_or(false);
        }
        more
    }

    /// Nothing will be written any more: sentences on what was damaged.
    pub(crate) fn damage(&mut self) -> Option<String> {
        self.events.damage()
    }
}

impl Followed {
    fn new(src: String, reader: Reader, found: Option<FoundFile>) -> Followed {
        let lines = Lines::from(0, false, LINE_LIMIT);
        Followed { src, reader, inode: 0, lines, count: 0, end: Vec::new(), seen: (0, 0), found, said_too_long: false }
    }

    fn read(
        &mut self,
        path: &Path,
        (complete, resumes): (bool, bool),
        each: &mut impl FnMut(&str, u64, &mut Found),
        notices: &mut Vec<String>,
    ) -> io::Result<bool> {
        let meta = fs::metadata(path)?;
        if let Reader::Document = self.reader {
            if meta.len() > DOCUMENT_LIMIT && !std::mem::replace(&mut self.said_too_long, true) {
                notices.push(format!("{} is not read any more: it is longer than {} MB", path.display(), DOCUMENT_LIMIT >> 20));
            }
            return self.read_document(path, &meta, each).map(|()| false);
        }
        // Most looks find nothing new, and on a network disk to open is not free.
        let as_read = self.inode == meta.ino() && self.lines.at() == meta.len();
        if as_read && !complete && self.found.as_ref().is_none_or(|found| found.modified == modified(&meta)) {
            return Ok(false);
        }
        let mut file = File::open(path)?;
        if self.is_written_anew(&mut file, &meta, resumes)? {
            // A table that is saved whole each epoch begins with the earlier attempt's rows, where this one goes on from them.
            let found = self.found.take().filter(|found| resumes && begins_so(found, &mut file, &meta).unwrap_or(false));
            *self = Followed::new(std::mem::take(&mut self.src), self.reader.anew(), found);
        }
        self.inode = meta.ino();
        let available = meta.len().saturating_sub(self.lines.at());
        if available == 0 && !complete {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.lines.at()))?;
        let mut bytes = Vec::new();
        file.take(AT_ONCE).read_to_end(&mut bytes)?;
        self.end.extend_from_slice(&bytes[bytes.len().saturating_sub(END as usize)..]);
        self.end.drain(..self.end.len().saturating_sub(END as usize));
        let Followed { src, reader, lines, count, found, .. } = self;
        let earlier = found.as_ref().map_or(0, |found| found.bytes);
        let named = src != "m";
        let mut row = Found::default();
        let mut line_of = |line: crate::lines::Line<'_>| {
            *count += 1;
            match reader {
                Reader::Table(table) => table.line(&line.text, &mut row),
                // A line that is no JSON object is the script's own affair.
                _ if metrics_line(&line.text, &mut row).is_err() => return,
                _ => {}
            }
            if line.end > earlier && !row.is_empty() {
                each(src, if named { *count } else { line.end }, &mut row);
            }
        };
        lines.feed(&bytes, &mut line_of);
        let more = available > bytes.len() as u64;
        if complete && !more {
            lines.finish(line_of);
        }
        Ok(more)
    }

    /// Whether something else stands where reading would go on, or where an earlier attempt's rows were.
    fn is_written_anew(&self, file: &mut File, meta: &fs::Metadata, resumes: bool) -> io::Result<bool> {
        let (length, at) = (meta.len(), self.lines.at());
        if (self.inode != 0 && self.inode != meta.ino()) || length < at || (length > at && before(file, at)? != self.end) {
            return Ok(true);
        }
        let Some(found) = &self.found else { return Ok(false) };
        // An attempt that begins from scratch may also write the very same again.
        let same_again = !resumes && length == found.bytes && modified(meta) != found.modified;
        Ok(same_again || !begins_so(found, file, meta)?)
    }

    fn read_document(&mut self, path: &Path, meta: &fs::Metadata, each: &mut impl FnMut(&str, u64, &mut Found)) -> io::Result<()> {
        let seen = (meta.len(), i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()));
        if seen == self.seen || meta.len() > DOCUMENT_LIMIT {
            return Ok(());
        }
        if self.found.as_ref().is_some_and(|found| (found.bytes, found.modified) == (meta.len(), modified(meta))) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        // A list grows: its rows are counted. A single object is replaced: its time tells the versions apart.
        if let Ok(mut rows) = json_rows(&text) {
            for (i, row) in rows.iter_mut().enumerate().filter(|(_, row)| !row.is_empty()) {
                each(&self.src, i as u64 + 1, row);
            }
        } else {
            let mut object = Found::default();
            // Half-written JSON does not parse; it is read when it does.
            if json_document(&text, &mut object).is_err() {
                return Ok(());
            }
            if !object.is_empty() {
                each(&self.src, (seen.1 / 1_000_000) as u64, &mut object);
            }
        }
        self.seen = seen;
        Ok(())
    }
}

impl Reader {
    /// The same of a file that is read from its beginning.
    fn anew(&self) -> Reader {
        match self {
            Reader::Metrics => Reader::Metrics,
            Reader::Table(_) => Reader::Table(Table::new()),
            Reader::Document => Reader::Document,
        }
    }
}
