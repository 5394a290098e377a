//! Standard output or standard error of the command: read as it grows, made lines, handed to the spool and to the scraper.

use crate::lines::{Line, Lines};
use crate::position::{Position, StreamPosition};
use crate::spooler::Spooler;
use neronet_model::Millis;
use neronet_model::launch::Launch;
use neronet_scrape::{Found, Scraper, State};
use neronet_store::spool::{self, Chunk, Segments};
use nix::fcntl::{FallocateFlags, fallocate};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Read of one stream at one look.
pub(crate) const AT_ONCE: usize = 256 << 10;
/// Of a burst of rewrites only so many are looked into for metrics.
const REWRITES: usize = 64;
/// The last lines that the record of a failure keeps, and of each so much.
const LAST_LINES: usize = 20;
const LAST_LINE_BYTES: usize = 1_000;
/// Raw output is given back in pieces of so many bytes.
const PUNCHED: u64 = 64 << 10;

pub(crate) struct Stream {
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
    /// Of a line.
    limit: usize,
    punched: u64,
    reader: Reader,
}

/// What is known of the end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    NotYet,
    /// Whoever wrote may have been cut short within a line.
    Cut,
    Complete,
}

/// What becomes of the lines.
struct Reader {
    src: &'static str,
    scraper: Scraper,
    /// Lines up to this byte are in the spool.
    spooled: u64,
    last_lines: VecDeque<String>,
    /// States of a progress bar that were written over since the last line.
    rewrites: Vec<(String, u64)>,
    found: Found,
}

/// Both streams of an attempt, each where the predecessor left it.
pub(crate) fn open(folder: &Path, launch: &Launch, before: &Segments, position: Option<&Position>) -> io::Result<Vec<Stream>> {
    let mut spooled: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: BTreeMap<String, VecDeque<String>> = BTreeMap::new();
    let mut each = |chunk: Chunk| {
        let lines = last.entry(chunk.src.clone()).or_default();
        lines.extend(chunk.text.lines().map(|line| beginning(line).to_string()));
        lines.drain(..lines.len().saturating_sub(LAST_LINES));
        spooled.insert(chunk.src, chunk.at);
    };
    before.output(&mut each).map_err(io::Error::other)?;
    let limit = usize::try_from(launch.limits.line_bytes).unwrap_or(usize::MAX).max(16);
    let mut streams = Vec::new();
    for (src, name) in ["o", "e"].into_iter().zip(spool::STREAMS) {
        let path = spool::raw(folder, name);
        let mut scraper = Scraper::new(&launch.metrics.patterns, &launch.metrics.ignore).map_err(io::Error::other)?;
        let lines = match position.and_then(|position| position.get(src)).filter(|known| known.is_of(&path)) {
            Some(known) => {
                scraper.restore(known.scraper.clone());
                Lines::from(known.at, known.skipping, limit)
            }
            None => Lines::from(first_data(&path, !launch.secrets.is_empty()), false, limit),
        };
        let reader = Reader {
            src,
            scraper,
            spooled: spooled.get(src).copied().unwrap_or(0),
            last_lines: last.remove(src).unwrap_or_default(),
            rewrites: Vec::new(),
            found: Found::default(),
        };
        streams.push(Stream { path, file: None, lines, limit, punched: 0, reader });
    }
    Ok(streams)
}

/// The first byte that is still on the disk: what was read and recorded before may have been given back, `exact` to the byte.
fn first_data(path: &Path, exact: bool) -> u64 {
    let Ok(mut file) = File::open(path) else { return 0 };
    let at = nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekData).map_or(0, |at| u64::try_from(at).unwrap_or(0));
    let mut block = vec![0; if exact { PUNCHED as usize } else { 0 }];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read(&mut block)).unwrap_or(0);
    at + block[..read].iter().take_while(|b| **b == 0).count() as u64
}

/// As much of a line as the record of a failure keeps.
fn beginning(line: &str) -> &str {
    &line[..line.floor_char_boundary(LAST_LINE_BYTES)]
}

impl Stream {
    /// Reads what is new, `AT_ONCE` at most; gives how much it was. When nothing will be added any more, what stands at the end
    /// without a newline is kept; a value in it is believed only if it is `complete` and not perhaps half of one.
    pub(crate) fn read(&mut self, t: Millis, end: End, spool: &mut Spooler, buffer: &mut [u8]) -> usize {
        let mut got = 0;
        let all = loop {
            let n = match self.next(buffer) {
                Ok(0) | Err(_) => break true,
                Ok(n) => n,
            };
            got += n;
            let reader = &mut self.reader;
            self.lines.feed(&buffer[..n], |line| reader.take(line, t, spool));
            if got >= AT_ONCE {
                break false;
            }
        };
        if all && end != End::NotYet {
            let reader = &mut self.reader;
            let complete = end == End::Complete;
            self.lines.finish(|line| if complete { reader.take(line, t, spool) } else { reader.keep(&line, t, spool) });
        }
        self.reader.scrape_rewrites(t, spool);
        got
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().read(true).write(true).open(&self.path)?);
        }
        let Some(file) = self.file.as_mut() else { return Ok(0) };
        file.seek(SeekFrom::Start(self.lines.at()))?;
        file.read(buffer)
    }

    /// Bytes that are there and not read yet.
    pub(crate) fn behind(&self) -> u64 {
        let length = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        length.saturating_sub(self.lines.at())
    }

    /// Passes over what is more than `most` behind, up to the beginning of a line: however much is printed, it must not fill the
    /// disk. Gives how many bytes that were.
    pub(crate) fn pass_over(&mut self, most: u64) -> Option<u64> {
        let passed = self.behind().checked_sub(most / 2).filter(|passed| *passed > most / 2)?;
        self.lines = Lines::from(self.lines.at() + passed, true, self.limit);
        Some(passed)
    }

    /// Its name in the spool, and where a successor goes on.
    pub(crate) fn position(&self) -> (String, StreamPosition) {
        let (at, skipping) = self.lines.position();
        (self.reader.src.to_string(), StreamPosition { at, skipping, scraper: self.reader.scraper.state() })
    }

    /// Gives the disk back what a successor would not read again; all of it where there may be secrets, else whole blocks.
    pub(crate) fn punch(&mut self, blocks: bool) {
        let (at, _) = self.lines.position();
        let whole = if blocks { at / PUNCHED * PUNCHED } else { at };
        if let (Some(file), true) = (&self.file, whole > self.punched) {
            let holes = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Where the file system cannot, the raw output stays until the end.
            fallocate(file, holes, self.punched as i64, (whole - self.punched) as i64).ok();
            self.punched = whole;
        }
    }

    /// What comes is of another command: nothing that was said before means anything for it.
    pub(crate) fn begin_anew(&mut self) {
        self.lines = Lines::from(self.lines.at(), false, self.limit);
        self.reader.scraper.restore(State::default());
        self.reader.last_lines.clear();
    }

    pub(crate) fn last_lines(&self) -> &VecDeque<String> {
        &self.reader.last_lines
    }
}

impl Reader {
    fn take(&mut self, line: Line<'_>, t: Millis, spool: &mut Spooler) {
        let text = spool.masked(line.text);
        if line.rewritten {
            self.rewrites.push((text.into_owned(), line.end));
            if self.rewrites.len() > 4 * REWRITES {
                self.rewrites.drain(..3 * REWRITES);
            }
            return;
        }
        // Values in the bar that this line ends come before those of the line.
        self.scrape_rewrites(t, spool);
        self.put(&text, line.end, t, spool);
        self.scrape(&text, line.end, t, spool);
    }

    /// The text alone.
    fn keep(&mut self, line: &Line<'_>, t: Millis, spool: &mut Spooler) {
        let text = spool.masked(line.text.clone()).into_owned();
        self.put(&text, line.end, t, spool);
    }

    fn put(&mut self, text: &str, end: u64, t: Millis, spool: &mut Spooler) {
        if end > self.spooled {
            spool.output.line(t.0, self.src, end, text);
            self.spooled = end;
            // The oldest line makes room for the newest, its memory included.
            let full = self.last_lines.len() == LAST_LINES;
            let mut last = if full { self.last_lines.pop_front().unwrap_or_default() } else { String::new() };
            last.clear();
            last.push_str(beginning(text));
            self.last_lines.push_back(last);
        }
    }

    /// A progress bar tells its values in what it writes over. Of very many only the newest are worth the time.
    fn scrape_rewrites(&mut self, t: Millis, spool: &mut Spooler) {
        let mut rewrites = std::mem::take(&mut self.rewrites);
        let skip = rewrites.len().saturating_sub(REWRITES);
        for (text, end) in rewrites.drain(..).skip(skip) {
            self.scrape(&text, end, t, spool);
        }
        // Its room is used again.
        self.rewrites = rewrites;
    }

    fn scrape(&mut self, text: &str, end: u64, t: Millis, spool: &mut Spooler) {
        self.scraper.line(text, &mut self.found);
        spool.found(&mut self.found, self.src, end, (t, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_position_reading_begins_behind_what_was_given_back_to_the_byte() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"\0\0\0\0rest\n").expect("written");
        assert_eq!((first_data(file.path(), true), first_data(file.path(), false)), (4, 0));
        assert_eq!(first_data(Path::new("/nowhere"), true), 0);
    }
}
