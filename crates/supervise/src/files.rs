//! Metrics from files: `$NERONET_METRICS`, and the CSV, JSON-lines and JSON files that the spec names.
//! They are read from their beginning by every generation; rows on record are passed over by their offsets.

use crate::checkpoints::Writes;
use crate::globs::expand;
use crate::lines::Lines;
use neronet_model::launch::Launch;
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

enum Reader {
    /// One JSON object a line, ours.
    Metrics,
    Table(Table),
    /// Read whole whenever it changed.
    Document,
}

struct Followed {
    src: String,
    reader: Reader,
    inode: u64,
    lines: Lines,
    /// Of a document: size and time when it was last read.
    seen: (u64, i128),
    /// Rows up to here were there when the attempt began: an earlier attempt's.
    earlier: u64,
    said_too_long: bool,
}

pub(crate) struct Files {
    directory: PathBuf,
    patterns: Vec<String>,
    ignore: Ignore,
    followed: BTreeMap<PathBuf, Followed>,
    /// Lengths of the files that were there when the attempt began.
    before: BTreeMap<String, u64>,
    /// Sentences for the record about what is not read.
    pub(crate) notices: Vec<String>,
}

/// The named files that are there, and how long they are: what a further attempt must not take for its own.
pub fn lengths(directory: &Path, patterns: &[String]) -> BTreeMap<String, u64> {
    let paths = patterns.iter().flat_map(|pattern| expand(directory, pattern, MOST_NAMES)).filter(|path| path.is_file());
    paths.map(|path| (name_of(directory, &path), fs::metadata(&path).map_or(0, |meta| meta.len()))).collect()
}

fn name_of(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

impl Files {
    pub(crate) fn new(directory: &Path, launch: &Launch, metrics: &Path) -> Files {
        let ours = Followed {
            src: "m".into(),
            reader: Reader::Metrics,
            inode: 0,
            lines: Lines::from(0, false, LINE_LIMIT),
            seen: (0, 0),
            earlier: 0,
            said_too_long: false,
        };
        Files {
            directory: directory.to_path_buf(),
            patterns: launch.metrics.files.clone(),
            ignore: Ignore::new(&launch.metrics.ignore),
            followed: BTreeMap::from([(metrics.to_path_buf(), ours)]),
            before: launch.files_before.clone(),
            notices: Vec::new(),
        }
    }

    /// Looks for files that appeared.
    pub(crate) fn discover(&mut self) {
        for pattern in &self.patterns {
            for path in expand(&self.directory, pattern, MOST_NAMES) {
                if self.followed.len() >= MOST_FILES || self.followed.contains_key(&path) || !path.is_file() {
                    continue;
                }
                let name = name_of(&self.directory, &path);
                let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
                let reader = match ending.as_deref() {
                    Some("json") => Reader::Document,
                    Some("jsonl" | "ndjson") => Reader::Metrics,
                    _ => Reader::Table(Table::new()),
                };
                let earlier = self.before.get(&name).copied().unwrap_or(0);
                let lines = Lines::from(0, false, LINE_LIMIT);
                let followed = Followed { src: format!("f:{name}"), reader, inode: 0, lines, seen: (0, 0), earlier, said_too_long: false };
                self.followed.insert(path, followed);
            }
        }
    }

    /// Reads what is new; documents, which are read whole, only with `documents`. `each` gets the source, the offset behind the
    /// row, and the row. True when more is there.
    pub(crate) fn read(&mut self, writes: Writes, documents: bool, mut each: impl FnMut(&str, u64, &mut Found)) -> bool {
        let mut more = false;
        let ignore = &self.ignore;
        let mut kept = |src: &str, at: u64, found: &mut Found| {
            ignore.filter(found);
            each(src, at, found);
        };
        for (path, followed) in &mut self.followed {
            if matches!(followed.reader, Reader::Document) && !documents {
                continue;
            }
            // A file that vanished or cannot be read now is looked at again next time.
            more |= followed.read(path, writes, &mut kept, &mut self.notices).unwrap_or(false);
        }
        more
    }
}

impl Followed {
    fn read(
        &mut self,
        path: &Path,
        writes: Writes,
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
        // What stands at the end without a newline is a row when its writer came to its end.
        let last = writes == Writes::NoMore;
        let replaced = self.inode != 0 && self.inode != meta.ino();
        if replaced || meta.len() < self.lines.at() {
            // Written anew, as a table is that is saved whole each epoch: the same rows have the same offsets.
            self.lines = Lines::from(0, false, LINE_LIMIT);
            if let Reader::Table(table) = &mut self.reader {
                *table = Table::new();
            }
        }
        self.inode = meta.ino();
        let available = meta.len() - self.lines.at();
        if available == 0 && !last {
            return Ok(false);
        }
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.lines.at()))?;
        let mut bytes = Vec::new();
        file.take(AT_ONCE).read_to_end(&mut bytes)?;
        let Followed { src, reader, lines, earlier, .. } = self;
        let mut found = Found::default();
        let mut line_of = |line: crate::lines::Line<'_>| {
            match reader {
                Reader::Table(table) => table.line(&line.text, &mut found),
                // A line that is no JSON object is the script's own affair.
                _ if metrics_line(&line.text, &mut found).is_err() => return,
                _ => {}
            }
            if line.end > *earlier && !found.is_empty() {
                each(src, line.end, &mut found);
            }
        };
        lines.feed(&bytes, &mut line_of);
        let more = available > bytes.len() as u64;
        if last && !more {
            lines.finish(&mut line_of);
        }
        Ok(more)
    }

    fn read_document(&mut self, path: &Path, meta: &fs::Metadata, each: &mut impl FnMut(&str, u64, &mut Found)) -> io::Result<()> {
        let seen = (meta.len(), i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()));
        if seen == self.seen || meta.len() > DOCUMENT_LIMIT {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        // Half-written JSON does not parse; it is read when it does.
        let Ok(mut rows) = json_rows(&text).or_else(|_| one_object(&text)) else { return Ok(()) };
        self.seen = seen;
        let list = rows.len() > 1;
        for (i, found) in rows.iter_mut().enumerate() {
            // A list grows: its rows are counted. A single object is replaced: its time tells the versions apart.
            let at = if list { i as u64 + 1 } else { (seen.1 / 1_000_000) as u64 };
            if !found.is_empty() && (self.earlier == 0 || !list) {
                each(&self.src, at, found);
            }
        }
        Ok(())
    }
}

/// The final results of many a script: one object, no list.
fn one_object(text: &str) -> Result<Vec<Found>, String> {
    let mut found = Found::default();
    json_document(text, &mut found).map(|()| vec![found])
}
