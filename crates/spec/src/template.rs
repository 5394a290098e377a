//! Placeholders in a text: which braces are meant, which are left alone.
//!
//! `{name}` is a placeholder. `{{` and `}}` are literal braces, unless a pair of them is plainly something else: in
//! `{"a": {"b": 1}}` the two closing braces close two that were opened one by one, and stay two. `${…}` and braces around
//! no name are left alone.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A character, and where it begins.
    Char(char, usize),
    /// A placeholder with its braces.
    Hole(Range<usize>),
}

/// The name inside a placeholder's braces.
pub(crate) fn name<'a>(text: &'a str, hole: &Range<usize>) -> &'a str {
    &text[hole.start + 1..hole.end - 1]
}

/// Whether a text can be the name of a parameter: identifiers joined by single dots.
pub fn is_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    })
}

/// An open brace that waits for its partner.
enum Open {
    Single,
    /// `${`
    Expansion,
    /// `{{`, of which the second is at this index of the tokens.
    Double(usize),
}

pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut open: Vec<Open> = Vec::new();
    // Second halves of `{{` that turn out to be an escape.
    let mut dropped = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with("${") {
            tokens.extend([Token::Char('$', at), Token::Char('{', at + 1)]);
            open.push(Open::Expansion);
            at += 2;
        } else if rest.starts_with("{{") {
            tokens.extend([Token::Char('{', at), Token::Char('{', at + 1)]);
            open.push(Open::Double(tokens.len() - 1));
            at += 2;
        } else if let Some(end) = hole_end(rest) {
            tokens.push(Token::Hole(at..at + end));
            at += end;
        } else if rest.starts_with("}}") && matches!(open.last(), None | Some(Open::Double(_))) {
            if let Some(Open::Double(second)) = open.pop() {
                dropped.push(second);
            }
            tokens.push(Token::Char('}', at));
            at += 2;
        } else {
            match c {
                '{' => open.push(Open::Single),
                '}' => {
                    // One brace against two: they were two single ones after all.
                    if let Some(Open::Double(_)) = open.pop() {
                        open.push(Open::Single);
                    }
                }
                _ => {}
            }
            tokens.push(Token::Char(c, at));
            at += c.len_utf8();
        }
    }
    dropped.extend(open.iter().filter_map(|brace| match brace {
        Open::Double(second) => Some(*second),
        _ => None,
    }));
    dropped.sort_unstable();
    let mut drop = dropped.into_iter().peekable();
    let mut index = 0;
    tokens.retain(|_| {
        index += 1;
        drop.next_if_eq(&(index - 1)).is_none()
    });
    tokens
}

/// The length of the placeholder that `rest` begins with.
fn hole_end(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('{')?;
    let end = inner.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))?;
    (inner[end..].starts_with('}') && (is_name(&inner[..end]) || is_checkpoint_of(&inner[..end]))).then_some(end + 2)
}

/// `3d-unet.checkpoint`: the names of experiments may begin with a digit.
fn is_checkpoint_of(text: &str) -> bool {
    let experiment = text.strip_suffix(".checkpoint.best").or_else(|| text.strip_suffix(".checkpoint"));
    experiment.is_some_and(|name| !name.is_empty() && !name.starts_with(['-', '.']))
}

/// The names of all placeholders.
pub(crate) fn names(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let holes = tokens.iter().filter_map(|token| match token {
        Token::Hole(range) => Some(name(text, range).to_string()),
        Token::Char(..) => None,
    });
    holes.collect()
}

/// Writes a text as typed into the form of a template: the placeholders that `keep` knows stay, every other brace is literal.
pub(crate) fn escape(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    // True for `${`, whose braces a template leaves alone.
    let mut open: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut taken = c.len_utf8();
        if rest.starts_with("${") {
            out.push_str("${");
            open.push(true);
            taken = 2;
        } else if let Some(end) = hole_end(rest).filter(|end| keep(&rest[1..end - 1])) {
            out.push_str(&rest[..end]);
            taken = end;
        } else if c == '{' {
            out.push_str("{{");
            open.push(false);
        } else if c == '}' {
            out.push_str(if open.pop() == Some(true) { "}" } else { "}}" });
        } else {
            out.push(c);
        }
        at += taken;
    }
    out
}

/// A part of a template that is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Stands for itself, braces included.
    Text(String),
    /// A placeholder, by its name.
    Hole(String),
}

/// The template that stands for exactly these pieces. Braces are doubled only where they would mean something else.
pub fn template(pieces: &[Piece]) -> String {
    let joined = |write: &dyn Fn(&str) -> String| {
        let written = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => write(text),
            Piece::Hole(name) => format!("{{{name}}}"),
        });
        written.collect::<String>()
    };
    let plain = joined(&str::to_string);
    if stands_for(&plain, pieces) { plain } else { joined(&|text| escape(text, |_| false)) }
}

fn stands_for(text: &str, pieces: &[Piece]) -> bool {
    let mut tokens = tokens(text).into_iter();
    let mut all = pieces.iter().all(|piece| match piece {
        Piece::Text(written) => written.chars().all(|c| matches!(tokens.next(), Some(Token::Char(read, _)) if read == c)),
        Piece::Hole(wanted) => matches!(tokens.next(), Some(Token::Hole(range)) if name(text, &range) == wanted),
    });
    all &= tokens.next().is_none();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text with `<name>` for each placeholder.
    fn shown(text: &str) -> String {
        tokens(text)
            .iter()
            .map(|token| match token {
                Token::Char(c, _) => c.to_string(),
                Token::Hole(range) => format!("<{}>", name(text, range)),
            })
            .collect()
    }

    #[test]
    fn braces_around_no_name_are_left_alone() {
        for text in [
            "awk '{print $1}'",
            r#"{"a": {"b": 1}}"#,
            "echo {a,b} {1..3} {a..z} ${HOME} ${X:-{}} {} { x; }",
            "awk '{ if (x) { y }}'",
            "{{a,b},c}",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn placeholders_and_literal_braces() {
        for (text, expected) in [
            ("{lr}", "<lr>"),
            ("a{optim.lr}b{x-y}", "a<optim.lr>b<x-y>"),
            ("{{lr}}", "{lr}"),
            ("{{{lr}}}", "{<lr>}"),
            ("{{ {{ }} }}", "{ { } }"),
            ("{{", "{"),
            ("}}", "}"),
            (r#"{{"a": {lr}}}"#, r#"{"a": <lr>}"#),
            (r#"{"a": {"b": {lr}}}"#, r#"{"a": {"b": <lr>}}"#),
            ("${X:-{lr}}", "${X:-<lr>}"),
            ("{größe}", "<größe>"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn pieces_stand_for_themselves() {
        let text = |text: &str| Piece::Text(text.into());
        let hole = || Piece::Hole("lr".into());
        for (pieces, expected) in [
            (vec![text("awk '{print $1}' "), hole()], "awk '{print $1}' {lr}"),
            (vec![text("echo {lr} "), hole()], "echo {{lr}} {lr}"),
            (vec![text("${X} {{ "), hole()], "${X} {{{{ {lr}"),
        ] {
            let written = template(&pieces);
            assert_eq!(written, expected);
            assert!(stands_for(&written, &pieces));
        }
    }

    proptest! {
        #[test]
        fn an_escaped_text_comes_back_as_typed(text in "[a${} \\\\]{0,24}|\\PC{0,12}") {
            let escaped = escape(&text, |_| false);
            prop_assert_eq!(shown(&escaped), text);
        }

        #[test]
        fn known_placeholders_survive_escaping(before in "[a{} ]{0,8}", after in "[b{} ]{0,8}") {
            // A brace right before would make it `{{known}`, which is typed text like any other.
            let text = format!("{before} {{known}}{after}");
            let escaped = escape(&text, |name| name == "known");
            prop_assert_eq!(shown(&escaped), format!("{before} <known>{after}"));
        }
    }
}
