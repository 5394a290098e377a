//! JSON as other trackers write it, with the words NaN, Infinity and -Infinity of Python, read as a stream: a file of a billion points
//! needs no more memory than one of ten. <https://www.rfc-editor.org/rfc/rfc8259>

use crate::clean;
use crate::gather::Gathered;
use neronet_model::Value;
use std::borrow::Cow;
use std::io::{self, BufRead};

/// Nothing that a person reads is longer; of a longer text the beginning is kept.
const LONGEST_TEXT: usize = 1 << 20;
const LONGEST_NAME: usize = 1000;
const LONGEST_WORD: usize = 400;
const DEEPEST: usize = 64;
const MOST_VALUES: usize = 200_000;

#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// What is wrong at which byte.
    Malformed(u64, &'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

type Parsed<T> = Result<T, Fault>;

#[derive(Debug, PartialEq)]
pub(crate) enum Scalar<'j> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'j str),
    Str(Cow<'j, str>),
}

/// A value that is kept whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Str(String),
    List(Vec<Tree>),
    Table(Vec<(String, Tree)>),
}

pub(crate) struct Json<R> {
    input: R,
    at: u64,
    scratch: Vec<u8>,
}

impl<R: BufRead> Json<R> {
    /// Reads from `input`, whose first byte has this offset in the file.
    pub(crate) fn new(input: R, at: u64) -> Json<R> {
        Json { input, at, scratch: Vec::new() }
    }

    /// The offset of the next byte.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    fn wrong<T>(&self, what: &'static str) -> Parsed<T> {
        Err(Fault::Malformed(self.at, what))
    }

    fn byte(&mut self) -> Parsed<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn advance(&mut self) {
        self.input.consume(1);
        self.at += 1;
    }

    /// The next byte that is no blank, which stays the next.
    pub(crate) fn peek(&mut self) -> Parsed<Option<u8>> {
        while let Some(byte) = self.byte()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
            self.advance();
        }
        Ok(None)
    }

    /// Goes past this bracket, if it is next.
    pub(crate) fn enter(&mut self, bracket: u8) -> Parsed<bool> {
        let is_next = self.peek()? == Some(bracket);
        if is_next {
            self.advance();
        }
        Ok(is_next)
    }

    /// Whether a list or table has another element; goes past its comma, or past the bracket that closes it.
    pub(crate) fn more(&mut self, first: &mut bool, close: u8) -> Parsed<bool> {
        let begins = std::mem::take(first);
        match self.peek()? {
            Some(byte) if byte == close => {
                self.advance();
                Ok(false)
            }
            Some(b',') if !begins => {
                self.advance();
                Ok(true)
            }
            Some(_) if begins => Ok(true),
            Some(_) => self.wrong("a comma is missing"),
            None => self.wrong("the file ends within a list or table"),
        }
    }

    /// The name of the next element of a table, with the colon behind it.
    pub(crate) fn key(&mut self) -> Parsed<String> {
        if self.peek()? != Some(b'"') {
            return self.wrong("a name in quotes is missing");
        }
        self.text(true)?;
        let key = clean::name(&self.scratch);
        if self.enter(b':')? { Ok(key) } else { self.wrong("a colon is missing") }
    }

    /// A value that is no list and no table.
    pub(crate) fn scalar(&mut self) -> Parsed<Scalar<'_>> {
        match self.peek()? {
            Some(b'"') => {
                self.text(true)?;
                return Ok(Scalar::Str(String::from_utf8_lossy(&self.scratch)));
            }
            Some(_) => self.word()?,
            None => return self.wrong("the file ends where a value is missing"),
        }
        let at = self.at;
        let word = str::from_utf8(&self.scratch).unwrap_or_default();
        Ok(match word {
            "null" | "None" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            _ if number(word).is_some() => Scalar::Number(word),
            _ => return Err(Fault::Malformed(at, "this is no value")),
        })
    }

    /// Goes past a value of any kind and depth.
    pub(crate) fn skip(&mut self) -> Parsed<()> {
        let mut depth = 0_u64;
        loop {
            match self.peek()? {
                Some(b'"') => self.text(false)?,
                Some(b'[' | b'{') => {
                    self.advance();
                    depth += 1;
                }
                Some(b']' | b'}') if depth > 0 => {
                    self.advance();
                    depth -= 1;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.advance();
                    continue;
                }
                Some(_) => self.word()?,
                None => return self.wrong("the file ends within a value"),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// The next value as a whole.
    pub(crate) fn tree(&mut self) -> Parsed<Tree> {
        self.branch(0, &mut 0)
    }

    fn branch(&mut self, depth: usize, values: &mut usize) -> Parsed<Tree> {
        *values += 1;
        if depth > DEEPEST || *values > MOST_VALUES {
            return self.wrong("is nested too deep, or has too many values");
        }
        let mut first = true;
        if self.enter(b'[')? {
            let mut items = Vec::new();
            while self.more(&mut first, b']')? {
                items.push(self.branch(depth + 1, values)?);
            }
            return Ok(Tree::List(items));
        }
        if self.enter(b'{')? {
            let mut entries = Vec::new();
            while self.more(&mut first, b'}')? {
                let key = self.key()?;
                entries.push((key, self.branch(depth + 1, values)?));
            }
            return Ok(Tree::Table(entries));
        }
        Ok(match self.scalar()? {
            Scalar::Null => Tree::Null,
            Scalar::Bool(truth) => Tree::Bool(truth),
            Scalar::Number(word) => Tree::Number(word.to_string()),
            Scalar::Str(text) => Tree::Str(text.into_owned()),
        })
    }

    /// What is next and not in quotes, into `scratch`.
    fn word(&mut self) -> Parsed<()> {
        self.scratch.clear();
        while let Some(byte) = self.byte()?.filter(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
            if self.scratch.len() >= LONGEST_WORD {
                return self.wrong("a number is too long");
            }
            self.scratch.push(byte);
            self.advance();
        }
        if self.scratch.is_empty() { self.wrong("this is no value") } else { Ok(()) }
    }

    /// The text in quotes that is next, into `scratch` if it is to be kept.
    fn text(&mut self, keep: bool) -> Parsed<()> {
        self.scratch.clear();
        self.advance();
        loop {
            let Some(byte) = self.byte()? else { return self.wrong("the file ends within a text") };
            self.advance();
            match byte {
                b'"' => return Ok(()),
                b'\\' => {
                    let Some(escape) = self.byte()? else { return self.wrong("the file ends within a text") };
                    self.advance();
                    let plain = match escape {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'b' => 8,
                        b'f' => 12,
                        b'u' => {
                            let c = self.escaped()?;
                            self.keep(keep, c.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        other => other,
                    };
                    self.keep(keep, &[plain]);
                }
                byte => self.keep(keep, &[byte]),
            }
        }
    }

    fn keep(&mut self, keep: bool, bytes: &[u8]) {
        if keep && self.scratch.len() < LONGEST_TEXT {
            self.scratch.extend_from_slice(bytes);
        }
    }

    /// The character behind `\u`; two of them make one beyond the first 65,536.
    fn escaped(&mut self) -> Parsed<char> {
        let first = self.digits()?;
        if !(0xd800..0xdc00).contains(&first) || self.byte()? != Some(b'\\') {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.advance();
        if self.byte()? != Some(b'u') {
            return self.wrong("half a character stands before another escape");
        }
        self.advance();
        let second = self.digits()?;
        let joined = 0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00);
        Ok(char::from_u32(joined).filter(|_| (0xdc00..0xe000).contains(&second)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn digits(&mut self) -> Parsed<u32> {
        let mut number = 0;
        for _ in 0..4 {
            let Some(digit) = self.byte()?.and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.wrong("four digits are missing behind \\u");
            };
            number = number << 4 | digit;
            self.advance();
        }
        Ok(number)
    }
}

/// A number as JSON or Python writes it.
pub(crate) fn number(word: &str) -> Option<f64> {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !word.ends_with(|c: char| c.is_ascii_alphabetic());
    let parsed = if is_number { word.parse().ok() } else { None };
    parsed.or_else(|| neronet_model::number::parse_word(word))
}

impl Tree {
    /// The value of a name in a table.
    pub(crate) fn get(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Table(entries) => entries.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Tree::Str(text) if !text.is_empty() => Some(clean::text(text.as_bytes())),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Tree::Number(word) => number(word),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Tree] {
        match self {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    /// Sets the values of this tree as parameters, with dotted names where there are tables. A list is a value, unless there are tables
    /// in it: then its places are names.
    pub(crate) fn flatten(&self, name: &str, params: &mut Gathered) {
        // What is nested so deep that its name would be longer is not told apart.
        let below = |inner: &str| match name.len() {
            0 => inner.to_string(),
            1..=LONGEST_NAME => format!("{name}.{inner}"),
            _ => name.to_string(),
        };
        match self {
            Tree::Table(entries) => match &entries[..] {
                // As the library jsonpickle writes what JSON has not.
                [(word, list @ Tree::List(_))] if word == "py/tuple" || word == "py/set" => list.flatten(name, params),
                _ => entries.iter().for_each(|(key, value)| value.flatten(&below(key), params)),
            },
            Tree::List(items) => match self.value() {
                Some(value) => params.set(name.as_bytes(), value),
                None => items.iter().enumerate().for_each(|(i, item)| item.flatten(&below(&i.to_string()), params)),
            },
            _ => {
                if let Some(value) = self.value() {
                    params.set(name.as_bytes(), value);
                }
            }
        }
    }

    /// What is no table and has none in it.
    fn value(&self) -> Option<Value> {
        Some(match self {
            Tree::Null => Value::as_word("null"),
            Tree::Bool(truth) => Value::Bool(*truth),
            Tree::Number(word) => match Value::as_typed(word) {
                Value::Str(word) => Value::float(&word)?,
                value => value,
            },
            Tree::Str(text) => Value::Str(clean::text(text.as_bytes())),
            Tree::List(items) => Value::List(items.iter().map(Tree::value).collect::<Option<_>>()?),
            Tree::Table(_) => return None,
        })
    }
}

/// The tree of a whole file.
pub(crate) fn whole(bytes: &[u8]) -> Parsed<Tree> {
    let mut json = Json::new(bytes, 0);
    let tree = json.tree()?;
    if json.peek()?.is_some() { json.wrong("something stands behind the value") } else { Ok(tree) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<(String, String)> {
        let mut gathered = Gathered::default();
        whole(text.as_bytes()).expect("well formed").flatten("", &mut gathered);
        let params = gathered.params();
        params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn values_keep_their_form_and_get_dotted_names() {
        let found = shown(
            r#" {"lr": 1e-05, "n": 64, "on": true, "none": null, "bad": [NaN, -Infinity], "model": {"name": "a\n\u00e9\ud83d\ude00\ud83d"},
                "layers": [{"units": 3}, 4], "span": {"py/tuple": [1, 2]}, "empty": {}} "#,
        );
        let expected = [
            ("lr", "1e-05"),
            ("n", "64"),
            ("on", "true"),
            ("none", "null"),
            ("bad", "[NaN, -Infinity]"),
            ("model.name", "a\né😀\u{fffd}"),
            ("layers.0.units", "3"),
            ("layers.1", "4"),
            ("span", "[1, 2]"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_string(), value.to_string())));
    }

    #[test]
    fn what_is_no_json_is_said_with_its_byte() {
        for (text, byte) in [("{\"a\": }", 6), ("[1 2]", 3), ("{\"a\" 1}", 5), ("[1", 2), ("1 2", 2), ("\"a", 2), ("nulll", 5), ("", 0)] {
            match whole(text.as_bytes()) {
                Err(Fault::Malformed(at, _)) => assert_eq!(at, byte, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(whole("[".repeat(100_000).as_bytes()), Err(Fault::Malformed(..))));
        assert!(matches!(Json::new("[".repeat(100_000).as_bytes(), 0).skip(), Err(Fault::Malformed(..))));
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_reads(text in "[\\[\\]{}:,\"a0-9. \\-eE]{0,30}") {
            let theirs: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            let ours = whole(text.as_bytes());
            prop_assert!(theirs.is_none() || ours.is_ok(), "{text}");
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            whole(&bytes).ok();
            Json::new(&bytes[..], 0).skip().ok();
        }
    }
}
