//! What logging libraries put in front of a message: the time, the logger, the process, the place in the code and the level.
//! A message reads as it would without them.

use crate::lexer::{Kind, Token, tokens};
use crate::names::{Judge, Meaning};

pub(crate) const LEVELS: [&str; 6] = ["INFO", "WARNING", "WARN", "ERROR", "DEBUG", "CRITICAL"];
/// A level further in than this is a word of the message.
const LONGEST: usize = 160;

/// The message behind such a prefix. None: the line has none, or it says something of its own (`Epoch 3 - INFO - …`).
pub(crate) fn message<'a>(line: &'a str, buffer: &mut Vec<Token>, judge: &mut Judge) -> Option<&'a str> {
    let bytes = line.as_bytes();
    let head = &bytes[..bytes.len().min(LONGEST)];
    if is_glog(bytes) {
        // `I0102 12:00:01.123456  1234 train.py:42] loss 0.5`
        return memchr::memchr(b']', head).map(|at| unspaced(&line[at + 1..]));
    }
    let (start, end) = level(head)?;
    let before = &line[..start];
    if before.contains(['=', '{', '%']) || is_setting(before) || !says_nothing(before, buffer, judge) {
        return None;
    }
    let message = behind(&line[end..]);
    // `TEST ERROR: 0.25` is a name.
    let named = &line[start..end] == "ERROR" && message.trim_start().starts_with(|c: char| c.is_ascii_digit());
    (!named && !message.trim().is_empty()).then_some(message)
}

/// `I0102 `, as glog and absl begin.
fn is_glog(bytes: &[u8]) -> bool {
    let digits = bytes.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    matches!(bytes.first(), Some(b'I' | b'W' | b'E' | b'F')) && matches!(digits, 4 | 8) && bytes.get(digits + 1) == Some(&b' ')
}

/// The first level as a word of its own. Each holds one of three letters, and few lines have any of those.
fn level(head: &[u8]) -> Option<(usize, usize)> {
    memchr::memchr3_iter(b'N', b'R', b'U', head).find_map(|at| {
        let start = head[..at].iter().rposition(|byte| !byte.is_ascii_uppercase()).map_or(0, |before| before + 1);
        let end = head[at..].iter().position(|byte| !byte.is_ascii_uppercase()).map_or(head.len(), |length| at + length);
        let bounded = matches!(head[..start].last(), None | Some(b' ' | b'\t' | b'[' | b'(' | b'|' | b':' | b'-' | b'<'))
            && matches!(head.get(end), Some(b' ' | b'\t' | b']' | b')' | b'|' | b':' | b'>'));
        (bounded && LEVELS.iter().any(|level| level.as_bytes() == &head[start..end])).then_some((start, end))
    })
}

/// `log_level: INFO  [default: …]`
fn is_setting(before: &str) -> bool {
    let name = before.trim_end_matches([' ', ':']).as_bytes();
    name.len() >= 5 && name[name.len() - 5..].eq_ignore_ascii_case(b"level")
}

/// Whether no step, epoch or value stands in what may be a prefix.
fn says_nothing(before: &str, buffer: &mut Vec<Token>, judge: &mut Judge) -> bool {
    tokens(before, buffer);
    buffer.iter().enumerate().all(|(i, token)| match token.kind {
        // A date; else a counter.
        Kind::Ratio { .. } => buffer.get(i + 1).is_some_and(|next| next.kind == Kind::Opaque),
        Kind::Number { whole, .. } => {
            let name = buffer[..i].iter().rev().take(2).find(|name| !matches!(name.kind, Kind::Mark(b':' | b'[' | b'#')));
            let Some(name) = name.filter(|name| name.kind == Kind::Word) else { return true };
            let meaning = judge.meaning(&before[name.start..name.end]);
            whole && !matches!(meaning, Meaning::Epoch | Meaning::Step | Meaning::GlobalStep | Meaning::Result | Meaning::Rate)
        }
        _ => true,
    })
}

/// What comes after the level: separators, perhaps the logger's name or the place in the code, then the message.
fn behind(rest: &str) -> &str {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    let mut rest = rest.trim_start_matches([']', ')', '>']);
    if let Some(glued) = rest.strip_prefix(':') {
        // `INFO:root:loss 0.5`, but `INFO:loss:0.5`
        rest = match glued.split_once(':') {
            Some((logger, message)) if is_name(logger) && message.starts_with(|c: char| c.is_alphabetic() || c == '[') => message,
            _ => glued,
        };
    } else if let Some(separated) = rest.trim_start().strip_prefix(['|', '-'])
        && separated.starts_with(' ')
    {
        rest = separated;
    }
    rest = unspaced(rest);
    // `__main__:train:42 - loss 0.5`, as loguru writes it.
    if let Some((place, message)) = rest.split_once(" - ")
        && let Some((function, line)) = place.rsplit_once(':')
        && line.bytes().all(|b| b.is_ascii_digit())
        && !function.contains(' ')
    {
        return message;
    }
    match rest.split_once(' ') {
        Some(("root" | "__main__", message)) => message,
        _ => rest,
    }
}

/// Only the first blank goes: printed configuration is nested by the others.
fn unspaced(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}
