//! How a value is written into a command so that the process sees exactly that value, whatever quotes are around it.

use crate::scan::{Context, Place};
use crate::template::Token;

impl Place {
    /// The value as it must be written at this place.
    pub(crate) fn write(&self, value: &str, pretty: bool) -> String {
        let backslash = if self.after_backslash { "\\" } else { "" };
        let plain = pretty && !self.needs_quotes && is_plain(value);
        match self.context {
            Context::Bare if plain => value.to_string(),
            Context::Bare => single_quoted(value),
            Context::Single => value.replace('\'', r"'\''"),
            Context::Double if plain && !self.after_backslash => value.to_string(),
            // Leaves the quotes: what stands before (a variable's name, half an escape) cannot reach into the value.
            Context::Double => format!("{backslash}\"{}\"", single_quoted(value)),
            Context::Ansi => format!("{backslash}'{}$'", single_quoted(value)),
        }
    }

    /// The same of a value that the shell takes from a variable.
    pub(crate) fn write_variable(&self, name: &str) -> String {
        let backslash = if self.after_backslash { "\\" } else { "" };
        match self.context {
            Context::Bare => format!("\"${{{name}}}\""),
            Context::Single => format!("'\"${{{name}}}\"'"),
            Context::Double => format!("{backslash}\"\"${{{name}}}\"\""),
            Context::Ansi => format!("{backslash}'\"${{{name}}}\"$'"),
        }
    }
}

pub(crate) fn single_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// For people: quoted only where it must be.
pub(crate) fn pretty(value: &str) -> String {
    if is_plain(value) { value.to_string() } else { single_quoted(value) }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "_-./:,+%@=".contains(c))
}

/// Splits a text without a shell into words: blanks separate, quotes and backslashes keep together, nothing else is special.
pub(crate) fn split(tokens: &[Token]) -> Result<Vec<Vec<Token>>, &'static str> {
    let mut words: Vec<Vec<Token>> = Vec::new();
    let mut word: Option<Vec<Token>> = None;
    let mut quote = None;
    let mut rest = tokens.iter().peekable();
    while let Some(token) = rest.next() {
        match (token, quote) {
            (Token::Char(c, _), Some(open)) if *c == open => quote = None,
            (Token::Char(c @ ('\'' | '"'), _), None) => {
                quote = Some(*c);
                word.get_or_insert_default();
            }
            (Token::Char('\\', _), None) => match rest.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped.clone()),
                None => return Err("it ends in a backslash"),
            },
            (Token::Char('\\', _), Some('"')) => {
                let special = rest.next_if(|next| matches!(next, Token::Char('"' | '\\' | '$' | '`', _)));
                word.get_or_insert_default().push(special.unwrap_or(token).clone());
            }
            (Token::Char(c, _), None) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(token.clone()),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is never closed") } else { Ok(words) }
}
