//! Names and texts from files that anybody may have written, made harmless: UTF-8, bounded, and in names no control characters.

/// No name that a person reads is longer.
const LONGEST_NAME: usize = 1000;

/// A name that goes into one line.
pub(crate) fn name(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..LONGEST_NAME).unwrap_or(bytes));
    text.chars().map(|c| if c.is_control() || is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A text of any lines; NUL would end it in the next program.
pub(crate) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.into_owned() }
}

/// A text, if there is one.
pub(crate) fn some(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| text(bytes))
}

/// What turns the direction of the line around, so that a name looks like another one.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_stay_in_their_line() {
        assert_eq!(super::name("train/loss µ".as_bytes()), "train/loss µ");
        assert_eq!(super::name(b"a\0b\nc\xffd"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(super::name("x\u{202e}y".as_bytes()), "x\u{fffd}y");
        assert!(super::name(&[b'a'; 5000]).len() <= super::LONGEST_NAME);
        assert_eq!(super::text(b"one\ntwo\0"), "one\ntwo\u{fffd}");
    }
}
