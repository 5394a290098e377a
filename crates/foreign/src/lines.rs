//! Files of text, in bounded pieces.

use crate::error::{ForeignError, Result};
use crate::sink::{Output, Sink};
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// A longer line is none of a table.
const LONGEST: usize = 64 << 10;
const PIECE: usize = 64 << 10;

/// The lines of a file.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    /// Of the line that was read last, from 1.
    pub(crate) number: u64,
    pub(crate) bytes: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'l> {
    pub(crate) bytes: &'l [u8],
    /// It ends with a line break, and is not longer than what is kept of it.
    pub(crate) is_whole: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Lines<R> {
        Lines { input, line: Vec::new(), number: 0, bytes: 0 }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut is_whole = true;
        loop {
            let piece = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                piece => piece?,
            };
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(piece.len(), |end| end + 1);
            let text = &piece[..end.unwrap_or(taken)];
            let room = LONGEST - self.line.len();
            is_whole &= text.len() <= room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.input.consume(taken);
            self.bytes += taken as u64;
            if end.is_some() || taken == 0 {
                if taken == 0 && self.line.is_empty() {
                    return Ok(None);
                }
                self.number += 1;
                let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                return Ok(Some(Line { bytes: line, is_whole: is_whole && end.is_some() }));
            }
        }
    }
}

/// Gives the text of a file to the sink as output; returns its length.
pub(crate) fn output(path: &Path, mut file: File, sink: &mut dyn Sink) -> Result<u64> {
    let mut buffer = vec![0; PIECE];
    let (mut filled, mut total) = (0, 0);
    loop {
        let read = match file.read(&mut buffer[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(ForeignError::io("read", path))?,
        };
        filled += read;
        total += read as u64;
        // A character may be cut by the end of the piece.
        let whole = match str::from_utf8(&buffer[..filled]) {
            Err(error) if read > 0 && error.error_len().is_none() => error.valid_up_to(),
            _ => filled,
        };
        if whole > 0 {
            let text = crate::clean::text(&buffer[..whole]);
            sink.output(Output { at: None, error: false, text: &text })?;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        if read == 0 {
            return Ok(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_their_ends_are_known() {
        let long = "x".repeat(LONGEST + 5);
        let text = format!("one\r\n\n{long}\nlast");
        let mut lines = Lines::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            found.push((line.bytes.len(), line.is_whole));
        }
        assert_eq!(found, [(3, true), (0, true), (LONGEST, false), (4, false)]);
        assert_eq!((lines.number, lines.bytes), (4, text.len() as u64));
    }
}
