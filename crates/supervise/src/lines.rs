//! Bytes of a stream to lines: `\r` rewrites collapsed, long lines cut with a mark, invalid UTF-8 made visible.
//! Memory is bounded by one line's limit, whatever comes.

use memchr::memchr2;
use std::borrow::Cow;

const CUT: &str = " … [line cut here: it is longer than neronet keeps]";

/// A line, or a state of one that was written over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Offset in the stream of the byte behind it.
    pub(crate) end: u64,
    /// A progress bar's intermediate state: seen, not kept.
    pub(crate) rewritten: bool,
}

#[derive(Debug)]
pub(crate) struct Lines {
    pending: Vec<u8>,
    /// Offset of the first byte of `pending`; from here a successor could start again.
    start: u64,
    /// Offset of the next byte to come.
    at: u64,
    /// A carriage return came last: the next byte tells a line's end from a rewrite.
    returned: bool,
    /// The line was cut; its rest is passed over.
    skipping: bool,
    limit: usize,
}

impl Lines {
    pub(crate) fn from(at: u64, skipping: bool, limit: usize) -> Lines {
        Lines { pending: Vec::new(), start: at, at, returned: false, skipping, limit }
    }

    /// Where a successor must go on: offset, and whether within a line that was cut.
    pub(crate) fn position(&self) -> (u64, bool) {
        (self.start, self.skipping)
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(first) = bytes.first() {
            if self.returned {
                self.returned = false;
                if *first == b'\n' {
                    self.at += 1;
                    bytes = &bytes[1..];
                    self.line(&mut each);
                    continue;
                }
                self.rewrite(&mut each);
            }
            let stop = memchr2(b'\n', b'\r', bytes);
            let piece = &bytes[..stop.unwrap_or(bytes.len())];
            self.take(piece, &mut each);
            bytes = &bytes[piece.len()..];
            if let Some(mark) = bytes.first() {
                self.at += 1;
                if *mark == b'\n' {
                    self.line(&mut each);
                } else {
                    self.returned = true;
                }
                bytes = &bytes[1..];
            }
        }
    }

    /// What stands without a newline at the end of the stream.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if !self.pending.is_empty() {
            self.line(&mut each);
        }
    }

    fn take(&mut self, piece: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.skipping {
            self.at += piece.len() as u64;
            self.start = self.at;
            return;
        }
        let room = self.limit - self.pending.len();
        if piece.len() <= room {
            self.pending.extend_from_slice(piece);
            self.at += piece.len() as u64;
            return;
        }
        self.pending.extend_from_slice(&piece[..room]);
        // The cut is at a fixed offset of the line, so that a successor that reads it again cuts it at the same.
        let end = self.start + self.limit as u64;
        let text = String::from_utf8_lossy(&self.pending).into_owned() + CUT;
        each(Line { text: text.into(), end, rewritten: false });
        self.pending.clear();
        self.at += piece.len() as u64;
        self.start = self.at;
        self.skipping = true;
    }

    fn line(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if !self.skipping {
            each(Line { text: String::from_utf8_lossy(&self.pending), end: self.at, rewritten: false });
        }
        self.begin_anew();
    }

    fn rewrite(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if !self.skipping && !self.pending.is_empty() {
            each(Line { text: String::from_utf8_lossy(&self.pending), end: self.at, rewritten: true });
        }
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.pending.clear();
        self.start = self.at;
        self.skipping = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(lines: &mut Lines, bytes: &[u8], last: bool) -> Vec<(String, u64, bool)> {
        let mut found = Vec::new();
        lines.feed(bytes, |line| found.push((line.text.into_owned(), line.end, line.rewritten)));
        if last {
            lines.finish(|line| found.push((line.text.into_owned(), line.end, line.rewritten)));
        }
        found
    }

    #[test]
    fn rewrites_collapse_and_windows_line_ends_do_not_count_as_one() {
        let found = all(&mut Lines::from(0, false, 100), b"a\r\n10%\r50%\r100%\nrest", true);
        let kept: Vec<(&str, bool)> = found.iter().map(|(text, _, rewritten)| (text.as_str(), *rewritten)).collect();
        assert_eq!(kept, [("a", false), ("10%", true), ("50%", true), ("100%", false), ("rest", false)]);
    }

    #[test]
    fn a_long_line_is_cut_once_and_costs_no_more_memory() {
        let mut lines = Lines::from(0, false, 1000);
        let mut found = Vec::new();
        for _ in 0..1000 {
            lines.feed(&[b'x'; 777], |line| found.push(line.text.into_owned()));
            assert!(lines.pending.capacity() <= 4096);
        }
        found.extend(all(&mut lines, b"\nnext\n", false).into_iter().map(|(text, _, _)| text));
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("xxx") && found[0].ends_with(CUT));
        assert_eq!(found[1], "next");
    }

    proptest! {
        /// Reading in other pieces, or going on from a position after a crash, gives the same lines.
        #[test]
        fn a_successor_reads_the_same_lines(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xff)], 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut whole = all(&mut Lines::from(0, false, 7), &bytes, true);
            whole.retain(|(_, _, rewritten)| !rewritten);
            let cut = cut.index(bytes.len() + 1);
            let mut first = Lines::from(0, false, 7);
            let mut found = all(&mut first, &bytes[..cut], false);
            let (at, skipping) = first.position();
            let seen = found.iter().filter(|(_, _, rewritten)| !rewritten).map(|(_, end, _)| *end).max().unwrap_or(0);
            let again = all(&mut Lines::from(at, skipping, 7), &bytes[at as usize..], true);
            found.extend(again.into_iter().filter(|(_, end, _)| *end > seen));
            found.retain(|(_, _, rewritten)| !rewritten);
            prop_assert_eq!(found, whole);
        }
    }
}
