//! What stands between the values of a YAML file: blanks, comments, indicators, anchors and tags.

/// The text, with the way from the parser's places to its bytes.
pub(super) struct Gaps<'a> {
    text: &'a str,
    /// The byte of each character; empty where they are the same.
    bytes: Vec<u32>,
}

impl<'a> Gaps<'a> {
    pub(super) fn new(text: &'a str) -> Gaps<'a> {
        // Files are far smaller than 4 GB.
        let bytes = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte as u32).collect() };
        Gaps { text, bytes }
    }

    pub(super) fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.text.len());
        }
        self.bytes.get(character).map_or(self.text.len(), |byte| *byte as usize)
    }

    pub(super) fn at(&self, byte: usize) -> &'a str {
        &self.text[byte..]
    }

    /// The next byte at or behind `at` that is neither blank nor in a comment.
    fn next(&self, mut at: usize) -> usize {
        loop {
            let rest = self.at(at);
            at = self.text.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let begins = at == 0 || self.text[..at].ends_with([' ', '\t', '\r', '\n']);
            if !begins || !self.at(at).starts_with('#') {
                return at;
            }
            at += self.at(at).find('\n').unwrap_or(self.text.len() - at);
        }
    }

    /// Passes over an anchor and a tag: behind the last of them, and where their value begins.
    pub(super) fn properties(&self, start: usize) -> (usize, usize) {
        let mut behind = start;
        loop {
            let at = self.next(behind);
            let rest = self.at(at);
            if !rest.starts_with(['&', '!']) {
                return (behind, at);
            }
            let ends = |c: char| c.is_ascii_whitespace() || ",[]{}".contains(c);
            let length = match rest.starts_with("!<") {
                true => rest.find('>').map(|end| end + 1),
                false => rest.find(ends),
            };
            behind = at + length.unwrap_or(rest.len());
        }
    }

    /// Behind the last indicator in `from..to`, or `from`.
    pub(super) fn behind_indicators(&self, from: usize, to: usize) -> usize {
        let mut behind = from;
        loop {
            let at = self.next(behind);
            if at >= to {
                return behind.min(to);
            }
            behind = at + self.at(at).chars().next().map_or(1, char::len_utf8);
        }
    }

    /// The `|` or `>` of a block text between `from` and its first letter.
    pub(super) fn block_header(&self, from: usize, to: usize) -> usize {
        self.first(from, to, &['|', '>'])
    }

    /// The first of some indicators in `from..to`, or `to`.
    fn first(&self, from: usize, to: usize, indicators: &[char]) -> usize {
        let mut at = self.next(from);
        while at < to && !self.at(at).starts_with(indicators) {
            at = self.next(at + self.at(at).chars().next().map_or(1, char::len_utf8));
        }
        at.min(to)
    }

    /// The ends of a block text's `|2-`, of the line with it, and of its last line that is not blank.
    pub(super) fn block_text(&self, header: usize, end: usize) -> (usize, usize, usize) {
        let indicators = self.at(header).find(|c: char| !"|>+-".contains(c) && !c.is_ascii_digit());
        let header_end = indicators.map_or(self.text.len(), |length| header + length);
        let line_end = self.at(header_end).find(['\r', '\n']).map_or(self.text.len(), |length| header_end + length);
        let content = self.text[..end.max(header_end)].trim_end_matches([' ', '\t', '\r', '\n']);
        (header_end, line_end, content.len())
    }

    /// Behind the closing quote of the text that begins at `start`.
    pub(super) fn behind_quotes(&self, start: usize, end: usize) -> usize {
        let bytes = &self.text.as_bytes()[start..end];
        let quote = bytes.first();
        let mut at = 1;
        while let Some(byte) = bytes.get(at) {
            at += match byte {
                b'\\' if quote == Some(&b'"') => 2,
                b'\'' if quote == Some(byte) && bytes.get(at + 1) == quote => 2,
                byte if Some(byte) == quote => return start + at + 1,
                _ => 1,
            };
        }
        end
    }

    /// The first `-` between a key and an element of its list.
    pub(super) fn first_dash(&self, from: usize, to: usize) -> usize {
        self.first(from, to, &['-'])
    }

    pub(super) fn is_behind(&self, at: usize, indicator: char) -> bool {
        self.text[..at].ends_with(indicator)
    }

    /// The line break before this place, where nothing but blanks is between.
    pub(super) fn line_break_before(&self, at: usize) -> Option<usize> {
        let before = self.text[..at].trim_end_matches(' ');
        let line = before.strip_suffix('\n')?;
        Some(line.strip_suffix('\r').unwrap_or(line).len())
    }
}
