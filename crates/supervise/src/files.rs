//! Metrics from files: `$NERONET_METRICS`, and the CSV, JSON-lines and JSON files that the spec names.
//! They are read from their beginning by every generation; rows on record are passed over by their offsets.

use crate::globs::expand;
use crate::lines::Lines;
use neronet_scrape::{Found, Table, json_document, json_rows, metrics_line};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Lines in files may be longer than lines of output; a row of a thousand columns is one.
const LINE_LIMIT: usize = 1 << 20;
/// A JSON document beyond this is no file of results.
const DOCUMENT_LIMIT: u64 = 64 << 20;
const MOST_FILES: usize = 200;
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
}

pub(crate) struct Files {
    directory: PathBuf,
    patterns: Vec<String>,
    followed: BTreeMap<PathBuf, Followed>,
    /// The attempt's first look is over: a file that appears from now on is this attempt's.
    looked: bool,
    resumed: bool,
}

impl Files {
    pub(crate) fn new(directory: &Path, patterns: &[String], metrics: &Path, resumed: bool) -> Files {
        let ours = Followed {
            src: "m".into(),
            reader: Reader::Metrics,
            inode: 0,
            lines: Lines::from(0, false, LINE_LIMIT),
            seen: (0, 0),
            earlier: 0,
        };
        Files {
            directory: directory.to_path_buf(),
            patterns: patterns.to_vec(),
            followed: BTreeMap::from([(metrics.to_path_buf(), ours)]),
            looked: false,
            resumed,
        }
    }

    /// Looks for files that appeared.
    pub(crate) fn discover(&mut self) {
        for pattern in &self.patterns {
            for path in expand(&self.directory, pattern, 20_000) {
                if self.followed.len() >= MOST_FILES || self.followed.contains_key(&path) || !path.is_file() {
                    continue;
                }
                let name = path.strip_prefix(&self.directory).unwrap_or(&path).display().to_string();
                let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
                let reader = match ending.as_deref() {
                    Some("json") => Reader::Document,
                    Some("jsonl" | "ndjson") => Reader::Metrics,
                    _ => Reader::Table(Table::new()),
                };
                let earlier = if self.resumed && !self.looked { fs::metadata(&path).map_or(0, |meta| meta.len()) } else { 0 };
                let lines = Lines::from(0, false, LINE_LIMIT);
                let followed = Followed { src: format!("f:{name}"), reader, inode: 0, lines, seen: (0, 0), earlier };
                self.followed.insert(path, followed);
            }
        }
        self.looked = true;
    }

    /// Reads what is new. `each` gets the source, the offset behind the row, and the row. True when more is there.
    pub(crate) fn read(&mut self, last: bool, mut each: impl FnMut(&str, u64, &mut Found)) -> bool {
        let mut more = false;
        for (path, followed) in &mut self.followed {
            // A file that vanished or cannot be read now is looked at again next time.
            more |= followed.read(path, last, &mut each).unwrap_or(false);
        }
        more
    }
}

impl Followed {
    fn read(&mut self, path: &Path, last: bool, each: &mut impl FnMut(&str, u64, &mut Found)) -> io::Result<bool> {
        let meta = fs::metadata(path)?;
        if let Reader::Document = self.reader {
            return self.read_document(path, &meta, each).map(|()| false);
        }
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
