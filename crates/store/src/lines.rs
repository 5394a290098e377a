//! The lines of a segment, plain or sealed, whatever is in the file: in bounded memory, what cannot be read passed over and counted.
//!
//! Only a newline makes a line whole. No line that we write holds a NUL byte: where some stand (a power cut leaves blocks of them),
//! what is before them and what is behind them are looked at each by itself.

use crate::error::StoreError;
use crate::sealed::{self, Piece};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::AddAssign;
use std::path::Path;

/// The longest line that is believed: ten times the longest that is written (the event `ended` with 10,000 names of metrics).
pub const MOST: usize = 32 << 20;
const AT_A_TIME: usize = 64 << 10;

/// What was passed over because it cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Lines of which something is lost. What a damaged frame of a sealed segment held counts as one.
    pub lines: u64,
    pub bytes: u64,
    /// Bytes behind the last whole line: still being written, or torn off where nobody writes any more.
    pub tail: u64,
}

impl Damage {
    /// Where nobody writes any more.
    pub fn of_ended(self) -> Damage {
        Damage { lines: self.lines + u64::from(self.tail > 0), bytes: self.bytes + self.tail, tail: 0 }
    }

    /// A sentence for people, if there is anything to say. `what` is what was being read: "the output".
    pub fn notice(&self, what: &str) -> Option<String> {
        let (lines, were) = if self.lines == 1 { ("line", "was") } else { ("lines", "were") };
        (self.lines > 0).then(|| format!("{} damaged {lines} of {what} ({} bytes) {were} passed over", self.lines, self.bytes))
    }
}

impl AddAssign for Damage {
    fn add_assign(&mut self, other: Damage) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.tail += other.tail;
    }
}

/// Reads each line of a segment from byte `from` of what was written; `each` says whether it understood it. Gives the offset behind
/// the last whole line. A segment that is not there has no lines.
pub fn read(path: &Path, from: u64, mut each: impl FnMut(&[u8]) -> bool) -> Result<(u64, Damage), StoreError> {
    placed(path, from, |line, _| each(line))
}

/// The same, with the offset behind each line. What was found of one line, about bytes that cannot be read, has one offset.
pub fn placed(path: &Path, from: u64, mut each: impl FnMut(&[u8], u64) -> bool) -> Result<(u64, Damage), StoreError> {
    let mut splitter = Splitter::at(from);
    match File::open(path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(from)).map_err(StoreError::io("read", path))?;
            let mut buffer = vec![0; AT_A_TIME];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => splitter.take(&buffer[..n], &mut each),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(source) => return Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
                }
            }
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let Some(mut sealed) = sealed::Reader::open(path)? else { return Ok((from, Damage::default())) };
            while let Some(piece) = sealed.next(from)? {
                match piece {
                    Piece::Bytes { at, bytes } => {
                        let known = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
                        splitter.take(&bytes[known..], &mut each);
                    }
                    Piece::Gap { to, bytes } if to >= from => splitter.gap(to, bytes.min(to - from)),
                    Piece::Gap { .. } => {}
                }
            }
        }
        Err(source) => return Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
    }
    Ok(splitter.end())
}

/// The same for lines that are JSON of one type; what is none of that is damage. An empty line ends one that a full disk had torn
/// before its first byte.
pub fn typed<T: DeserializeOwned>(path: &Path, from: u64, mut each: impl FnMut(T)) -> Result<(u64, Damage), StoreError> {
    read(path, from, |line| serde_json::from_slice(line).map(&mut each).is_ok())
}

/// Makes lines of bytes that come in pieces.
struct Splitter {
    /// Offset of the next byte.
    at: u64,
    /// Behind the last newline.
    whole: u64,
    /// What there is of the line so far; a NUL byte stands for as many as there were.
    line: Vec<u8>,
    /// Bytes of this line that cannot be read.
    lost: u64,
    /// The line is longer than any that is written: nothing of it is kept before the next NUL byte.
    endless: bool,
    damage: Damage,
}

impl Splitter {
    fn at(from: u64) -> Splitter {
        Splitter { at: from, whole: from, line: Vec::new(), lost: 0, endless: false, damage: Damage::default() }
    }

    fn take(&mut self, mut bytes: &[u8], each: &mut impl FnMut(&[u8], u64) -> bool) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..end];
            self.at += end as u64 + 1;
            if self.line.is_empty() && self.lost == 0 && !self.endless && memchr::memchr(0, line).is_none() {
                // As good as every line.
                self.look(line, each);
            } else {
                self.collect(line);
                let line = std::mem::take(&mut self.line);
                line.split(|byte| *byte == 0).for_each(|piece| self.look(piece, each));
                self.line = line;
                self.line.clear();
            }
            if self.lost > 0 {
                self.damage += Damage { lines: 1, bytes: self.lost, tail: 0 };
            }
            (self.whole, self.lost, self.endless) = (self.at, 0, false);
            bytes = &bytes[end + 1..];
        }
        self.at += bytes.len() as u64;
        self.collect(bytes);
    }

    fn look(&mut self, line: &[u8], each: &mut impl FnMut(&[u8], u64) -> bool) {
        if !line.is_empty() && !each(line, self.at) {
            self.lost += line.len() as u64;
        }
    }

    /// Takes what has no newline.
    fn collect(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(0, bytes) {
            self.append(&bytes[..end]);
            let behind = bytes[end..].iter().position(|byte| *byte != 0).map_or(bytes.len(), |nuls| end + nuls);
            self.lost += (behind - end) as u64;
            self.endless = false;
            if self.line.last().is_some_and(|last| *last != 0) {
                self.line.push(0);
            }
            bytes = &bytes[behind..];
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MOST {
            self.lost += self.line.iter().filter(|byte| **byte != 0).count() as u64;
            self.line.clear();
            self.endless = true;
        }
        if self.endless {
            self.lost += bytes.len() as u64;
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    /// So many bytes are lost, and what follows is at `to`.
    fn gap(&mut self, to: u64, bytes: u64) {
        self.damage += Damage { lines: 1, bytes: bytes + self.at.saturating_sub(self.whole), tail: 0 };
        self.line.clear();
        *self = Splitter { damage: self.damage, line: std::mem::take(&mut self.line), ..Splitter::at(to) };
    }

    fn end(self) -> (u64, Damage) {
        (self.whole, Damage { tail: self.at.saturating_sub(self.whole), ..self.damage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    /// Numbers of the lines `{"n":…}` that are read.
    fn numbers(bytes: &[u8]) -> (Vec<u64>, u64, Damage) {
        #[derive(serde::Deserialize)]
        struct Line {
            n: u64,
            #[serde(default)]
            text: String,
        }
        let mut numbers = Vec::new();
        let each = |Line { n, text }| {
            assert!(!text.contains('\0'));
            numbers.push(n);
        };
        let (to, damage) = typed(file(bytes).path(), 0, each).expect("reads");
        (numbers, to, damage)
    }

    #[test]
    fn what_is_no_line_of_ours_is_passed_over_and_counted() {
        let nuls = vec![0; 70_000];
        let told = |lines, bytes| Damage { lines, bytes, tail: 0 };
        for (what, bytes, found, damage) in [
            ("an empty line", b"{\"n\":1}\n\n{\"n\":2}\n".to_vec(), vec![1, 2], told(0, 0)),
            ("garbage", b"{\"n\":1}\n\xff\xfe{]\n{\"n\":2}\n".to_vec(), vec![1, 2], told(1, 4)),
            ("no UTF-8", b"{\"n\":1,\"text\":\"\xff\"}\n{\"n\":2}\n".to_vec(), vec![2], told(1, 18)),
            ("zeros before a line", [&b"{\"n\":1}\n"[..], &nuls, b"{\"n\":2}\n"].concat(), vec![1, 2], told(1, 70_000)),
            ("zeros for a newline", [&b"{\"n\":1}"[..], &nuls, b"{\"n\":2}\n"].concat(), vec![1, 2], told(1, 70_000)),
            ("zeros over lines", [&b"{\"n\":1}\n{\"n\""[..], &nuls, b"n\":2}\n{\"n\":3}\n"].concat(), vec![1, 3], told(1, 70_009)),
            ("a torn line", b"{\"n\":1}\n{\"n\":\n{\"n\":2}\n".to_vec(), vec![1, 2], told(1, 5)),
        ] {
            assert_eq!(numbers(&bytes), (found, bytes.len() as u64, damage), "{what}");
        }
        let (found, to, damage) = numbers(&[&b"{\"n\":1}\n{\"n\":2"[..], &nuls].concat());
        assert_eq!((found, to, damage), (vec![1], 8, Damage { lines: 0, bytes: 0, tail: 70_006 }));
        assert_eq!(damage.of_ended().notice("the output").as_deref(), Some("1 damaged line of the output (70006 bytes) was passed over"));
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut splitter = Splitter::at(0);
        let (mut seen, garbage) = (Vec::new(), vec![b'x'; 1 << 20]);
        let mut each = |line: &[u8], _: u64| {
            seen.push(line.to_vec());
            true
        };
        for _ in 0..100 {
            splitter.take(&garbage, &mut each);
            assert!(splitter.line.capacity() <= 2 * MOST);
        }
        splitter.take(b"\0\0a line\nanother\n", &mut each);
        let (to, damage) = splitter.end();
        assert_eq!((seen, to), (vec![b"a line".to_vec(), b"another".to_vec()], (100 << 20) + 17));
        assert_eq!(damage, Damage { lines: 1, bytes: (100 << 20) + 2, tail: 0 });
    }

    proptest! {
        /// A block of any place and length, of zeros or of anything, costs the lines that it touches and no others.
        #[test]
        fn a_damaged_block_costs_the_lines_that_it_touches(at in 0..3_000usize, length in 1..1_200usize, fill in proptest::option::of(any::<u8>())) {
            let line = |n: u64| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "word ".repeat(n as usize % 9));
            let lines: Vec<String> = (0..100).map(line).collect();
            let mut bytes = lines.concat().into_bytes();
            let end = (at + length).min(bytes.len());
            bytes[at..end].fill(fill.unwrap_or(0));
            let mut whole = Vec::new();
            let mut from = 0;
            for (n, line) in (0..).zip(&lines) {
                // Its newline belongs to it.
                if from + line.len() <= at || from >= end {
                    whole.push(n);
                }
                from += line.len();
            }
            let (found, _, damage) = numbers(&bytes);
            // What has lost its newline takes the next with it, unless it shows where it ends.
            let lost = whole.iter().filter(|n| !found.contains(n)).count();
            prop_assert!(lost == 0 || (lost == 1 && !matches!(fill, None | Some(0 | b'\n'))), "{found:?}");
            // What may stand in a text, or is nothing to JSON, can hide where a line ended: only the hash of the segment tells.
            let hides = fill.is_some_and(|fill| (b' '..=0x7f).contains(&fill) || fill.is_ascii_whitespace());
            prop_assert!(found.len() == 100 || damage.of_ended().lines > 0 || hides);
            prop_assert!(damage.tail == 0 || end == bytes.len());
        }
    }
}
