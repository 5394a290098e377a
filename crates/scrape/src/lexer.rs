//! A line of output as words, numbers and marks. What is shaped like a date, a version, an address, a path or a hash becomes
//! one opaque token here, so that no reader can take a number out of it.

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Word,
    Number {
        value: f64,
        whole: bool,
    },
    /// `3/50`, blanks allowed.
    Ratio {
        part: f64,
        total: f64,
    },
    /// `1,000`: a thousand in a count, and anything in a list.
    Grouped {
        value: f64,
    },
    /// A number with a unit of time, size or speed.
    Quantity,
    Opaque,
    Mark(u8),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Blanks before it: none, one, or more (also a tab).
    pub(crate) gap: u8,
}

#[rustfmt::skip]
const UNITS: &[&str] = &[
    "ms", "us", "ns", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "days",
    "B", "KB", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "bytes", "K", "k", "M", "G", "T", "it", "fps", "FPS", "Hz", "W", "MHz",
];

/// What a speed is per.
#[rustfmt::skip]
const PER: &[&str] = &[
    "s", "sec", "second", "it", "iter", "iters", "iteration", "step", "epoch", "batch", "sample", "example", "image", "img", "token", "min", "h",
];

/// Whether a word after a number says that it is a time, a size or a speed.
pub(crate) fn is_unit(word: &str) -> bool {
    UNITS.contains(&word) || word.split_once('/').is_some_and(|(_, per)| PER.contains(&per))
}

pub(crate) fn tokens(line: &str, out: &mut Vec<Token>) {
    out.clear();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let blank = at;
        let mut tab = false;
        while at < bytes.len() && matches!(bytes[at], b' ' | b'\t' | 0x08 | 0x0b | 0x0c) {
            tab |= bytes[at] == b'\t';
            at += 1;
        }
        if at == bytes.len() {
            break;
        }
        let gap = if tab { 2 } else { (at - blank).min(2) as u8 };
        let (kind, end) = token(line, at);
        // Quotes around names are as good as none.
        let quote = matches!(bytes[at], b'"' | b'\'')
            && (bytes.get(end).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b':' | b'=' | b'_')));
        if !quote {
            out.push(Token { kind, start: at, end, gap });
        }
        at = end;
    }
}

/// The token that starts at `at`, with its end.
fn token(line: &str, at: usize) -> (Kind, usize) {
    let bytes = line.as_bytes();
    let byte = bytes[at];
    let next = bytes.get(at + 1).copied().unwrap_or(b' ');
    let digit_follows = next.is_ascii_digit();
    match byte {
        b'0'..=b'9' => number(line, at),
        b'+' | b'-' if digit_follows || (next == b'.' && bytes.get(at + 2).is_some_and(u8::is_ascii_digit)) => number(line, at),
        b'+' | b'-' if next.eq_ignore_ascii_case(&b'i') || next.eq_ignore_ascii_case(&b'n') => {
            let end = word_end(bytes, at + 1);
            match neronet_model::number::parse_word(&line[at..end]) {
                Some(value) => (Kind::Number { value, whole: false }, end),
                None => (Kind::Mark(byte), at + 1),
            }
        }
        b'.' if digit_follows => number(line, at),
        // Paths and amounts of money.
        b'/' | b'\\' | b'~' => (Kind::Opaque, chunk_end(bytes, at + 1)),
        b'.' if matches!(next, b'/' | b'.') => (Kind::Opaque, chunk_end(bytes, at + 1)),
        b'$' if digit_follows => (Kind::Opaque, chunk_end(bytes, at + 1)),
        // General punctuation, arrows, mathematical signs, boxes and bars.
        0xe2 => {
            let end = (at + 3).min(bytes.len());
            // A minus that is not ASCII's: its number would lose the sign.
            if line[at..].starts_with('\u{2212}') && bytes.get(end).is_some_and(u8::is_ascii_digit) {
                return (Kind::Opaque, chunk_end(bytes, end));
            }
            let mut end = end;
            while bytes.get(end) == Some(&0xe2) {
                end = (end + 3).min(bytes.len());
            }
            (Kind::Mark(b'|'), end)
        }
        0xc2 => (Kind::Mark(b'|'), (at + 2).min(bytes.len())),
        _ if is_word_start(byte) => word(line, at),
        _ => (Kind::Mark(byte), at + 1),
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'.' | b'/' | b'@' | b'\'' | b'-' | b'^')
        || (byte >= 0x80 && byte != 0xe2 && byte != 0xc2)
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < bytes.len() && is_word(bytes[end]) {
        // The bytes of a character stay together, whatever each looks like alone.
        end += match bytes[end] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
    }
    end.min(bytes.len())
}

fn word(line: &str, at: usize) -> (Kind, usize) {
    let bytes = line.as_bytes();
    let mut end = word_end(bytes, at);
    let text = &line[at..end];
    // `scheme://…`, and `user@host:path`.
    if bytes[end..].starts_with(b"://") {
        return (Kind::Opaque, chunk_end(bytes, end));
    }
    if text.bytes().filter(|b| *b == b'/').count() > 2 {
        return (Kind::Opaque, chunk_end(bytes, end));
    }
    while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-' | b'\'' | b'/') {
        end -= 1;
    }
    // `mAP@0.5:0.95`
    if bytes.get(end) == Some(&b':')
        && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
        && line[at..end].rsplit_once('@').is_some_and(|(_, of)| of.parse::<f64>().is_ok())
    {
        return (Kind::Word, decimal(bytes, end + 1).0);
    }
    // `'inf'` in quotes is a text.
    let quoted = at > 0 && matches!(bytes[at - 1], b'"' | b'\'');
    match neronet_model::number::parse_word(&line[at..end]) {
        Some(value) if !quoted => (Kind::Number { value, whole: false }, end),
        _ => (Kind::Word, end),
    }
}

/// The end of an opaque chunk: blanks and most marks end it; a comma before a digit (`12:00:01,123`) does not.
fn chunk_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b' ' | b'\t' | b')' | b']' | b'}' | b'|' | b'"' | b'\'' | b';' => break,
            b',' if !bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => break,
            _ => end += 1,
        }
    }
    end
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The end of an unsigned decimal number, and whether it is whole.
fn decimal(bytes: &[u8], at: usize) -> (usize, bool) {
    let mut end = digits(bytes, at);
    let mut whole = true;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_none_or(|b| !b.is_ascii_alphabetic() || matches!(b, b'e' | b'E')) {
        let fraction = digits(bytes, end + 1);
        // A full stop after a whole number ends a sentence; before anything but a blank it is a fraction without digits.
        whole = false;
        end = fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(bytes, end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
            whole = false;
        }
    }
    (end, whole)
}

fn number(line: &str, at: usize) -> (Kind, usize) {
    let bytes = line.as_bytes();
    let signed = usize::from(matches!(bytes[at], b'+' | b'-'));
    if let Some(token) = grouped(line, at, at + signed) {
        return token;
    }
    let (end, whole) = decimal(bytes, at + signed);
    let opaque = |from| (Kind::Opaque, chunk_end(bytes, from));
    let Ok(value) = line[at..end].parse::<f64>() else {
        return opaque(end);
    };
    let number = (Kind::Number { value, whole }, end);
    let next = bytes.get(end).copied().unwrap_or(b' ');
    let after = bytes.get(end + 1).copied().unwrap_or(b' ');
    match next {
        b' ' | b'\t' => spaced_ratio(bytes, end, value).unwrap_or(number),
        b'|' | b';' | b')' | b']' | b'}' | b'%' | b'(' | b'[' | b'*' | b'"' | b'\'' | b'!' | b'?' | 0x08 => number,
        b',' if !after.is_ascii_digit() => number,
        b'.' if matches!(after, b' ' | b'\t' | b'.') => number,
        b':' if matches!(after, b' ' | b'\t' | b'|' | b']') => number,
        b'+' if matches!(after, b'-' | b'/') => number,
        b'/' => ratio(bytes, end + 1, value).unwrap_or_else(|| opaque(end)),
        // ± and bars after a number
        0xc2 | 0xe2 => number,
        _ if next.is_ascii_alphabetic() => {
            let unit_end = end + bytes[end..].iter().take_while(|b| b.is_ascii_alphabetic() || **b == b'/').count();
            let bounded = bytes.get(unit_end).is_none_or(|b| !is_word(*b) && *b != b':');
            if bounded && is_unit(&line[end..unit_end]) { (Kind::Quantity, unit_end) } else { opaque(end) }
        }
        _ => opaque(end),
    }
}

/// The end of digits in groups of three, such as `1,000`. None: they are not.
fn groups(bytes: &[u8], at: usize) -> Option<usize> {
    let first = digits(bytes, at);
    if bytes.get(first) != Some(&b',') {
        return None;
    }
    let mut end = first;
    while bytes.get(end) == Some(&b',') && digits(bytes, end + 1) == end + 4 {
        end += 4;
    }
    let lists_on = bytes.get(end) == Some(&b',') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
    (end > first && (1..=3).contains(&(first - at)) && bytes[at] != b'0' && !lists_on).then_some(end)
}

/// `1,000` and `1,234.5`, from `at`; the digits begin at `unsigned`.
fn grouped(line: &str, at: usize, unsigned: usize) -> Option<(Kind, usize)> {
    let bytes = line.as_bytes();
    let whole_end = groups(bytes, unsigned)?;
    let fraction = bytes.get(whole_end) == Some(&b'.') && bytes.get(whole_end + 1).is_some_and(u8::is_ascii_digit);
    let end = if fraction { digits(bytes, whole_end + 1) } else { whole_end };
    let value: f64 = line[at..end].replace(',', "").parse().ok()?;
    let bounded = match bytes.get(end) {
        None | Some(b' ' | b'\t' | b')' | b']' | b'|' | b';' | b'%' | b',' | b'/') => true,
        Some(b':' | b'.') => bytes.get(end + 1).is_none_or(|b| matches!(b, b' ' | b'\t')),
        Some(_) => false,
    };
    match bytes.get(end) {
        _ if !bounded => None,
        Some(b'/') => ratio(bytes, end + 1, value),
        Some(b' ') if let Some(ratio) = spaced_ratio(bytes, end, value) => Some(ratio),
        _ if fraction => Some((Kind::Number { value, whole: false }, end)),
        _ => Some((Kind::Grouped { value }, end)),
    }
}

/// `3/50`, from behind the slash; also `3/1e6` and `3/1,000`.
fn ratio(bytes: &[u8], at: usize, part: f64) -> Option<(Kind, usize)> {
    let mut start = at;
    while bytes.get(start) == Some(&b' ') && start - at < 6 {
        start += 1;
    }
    let mut end = groups(bytes, start).unwrap_or_else(|| digits(bytes, start));
    if end > start && matches!(bytes.get(end), Some(b'e' | b'E')) {
        end = digits(bytes, end + 1);
    }
    let text = std::str::from_utf8(&bytes[start..end]).ok()?;
    let total: f64 = text.replace(',', "").parse().ok()?;
    let bounded = match bytes.get(end) {
        None => true,
        Some(b'.') => bytes.get(end + 1).is_none_or(|b| matches!(*b, b' ' | b'.')),
        Some(b',') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(b':') => bytes.get(end + 1).is_none_or(|b| !b.is_ascii_digit()),
        Some(byte) => !is_word(*byte),
    };
    (bounded && part.fract() == 0.0 && part >= 0.0).then_some((Kind::Ratio { part, total }, end))
}

/// `100 / 1234` and `200 /1234`.
fn spaced_ratio(bytes: &[u8], at: usize, part: f64) -> Option<(Kind, usize)> {
    let slash = at + bytes[at..].iter().take(6).take_while(|b| **b == b' ').count();
    (bytes.get(slash) == Some(&b'/')).then(|| ratio(bytes, slash + 1, part)).flatten()
}
