//! Values of a tree as the types that are wanted, with "expected …, found …" where they are not.

use crate::moment::{MOMENTS, Moment};
use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Key, Node, Table, Tree};
use crate::yaml;
use neronet_model::settings::STOP_SIGNALS;
use neronet_model::{Millis, Value, size};
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

/// Of one kind, in one experiment.
const MOST_TABLES: usize = 200;
/// More processors or GPUs than any machine has.
const MOST: u32 = 1_000_000;

/// What a value of a kind looks like.
fn example(wanted: &str) -> Option<&'static str> {
    Some(match wanted {
        "a string" | "a string or a number" => "\"…\"",
        "true or false" => "true",
        "a whole number" => "4",
        "a list of strings" => "[\"…\"]",
        _ => return None,
    })
}

pub(crate) struct Reader<'f, 's> {
    pub(crate) found: &'f mut Found<'s>,
}

impl Reader<'_, '_> {
    pub(crate) fn wrong(&mut self, node: &Node, wanted: &str, key: &str, hint: Option<String>) {
        let what = match &node.tree {
            Tree::Word(word) => quoted(word),
            _ => node.kind().to_string(),
        };
        let hint = hint.or_else(|| example(wanted).map(|value| self.written(node.span, key, value)));
        self.found.error(node.span, format!("expected {wanted} for '{key}', found {what}"), hint);
    }

    /// The tables of `[[name]]`, each with its place; what is no table is told by the check of the keys.
    pub(crate) fn tables<'t>(&mut self, table: &'t Table, name: &str) -> Vec<(&'t Table, Span)> {
        let items = match table.get(name).map(|node| &node.tree) {
            Some(Tree::List(items)) => items.as_slice(),
            _ => &[],
        };
        let table = |node: &'t Node| match &node.tree {
            Tree::Table(table) => Some((table, node.span)),
            _ => None,
        };
        let tables: Vec<_> = items.iter().filter_map(table).collect();
        self.within(tables, &format!("[[{name}]]"), |(_, span)| *span)
    }

    /// The tables of `[name.ANY]`, each with its name.
    pub(crate) fn named<'t>(&mut self, table: &'t Table, name: &str) -> Vec<(&'t Key, &'t Table)> {
        let mut named = Vec::new();
        for (key, node) in self.section(table, name).map(|section| section.entries.as_slice()).unwrap_or_default() {
            match &node.tree {
                Tree::Table(table) => named.push((key, table)),
                _ => {
                    let hint = match self.found.sources.is_yaml(key.span.source) {
                        true => yaml::keys_below(&key.name, node),
                        false => format!("write [{name}.{}] and its keys below it", key.name),
                    };
                    self.wrong(node, "a table", &format!("{name}.{}", key.name), Some(hint));
                }
            }
        }
        self.within(named, &format!("[{name}.…]"), |(key, _)| key.span)
    }

    /// None at all where there are too many.
    fn within<T>(&mut self, all: Vec<T>, shown: &str, span: impl Fn(&T) -> Span) -> Vec<T> {
        let Some(first_over) = all.get(MOST_TABLES) else { return all };
        let message = format!("{} {shown} are more than an experiment may have ({MOST_TABLES})", all.len());
        self.found.error(span(first_over), message, "what many experiments need belongs into one script".to_string());
        Vec::new()
    }

    /// A key with a value, in the language of the file.
    fn written(&self, span: Span, key: &str, value: &str) -> String {
        let short = key.rsplit('.').next().unwrap_or(key);
        let joined = if self.found.sources.is_yaml(span.source) { ":" } else { " =" };
        format!("write {short}{joined} {value}")
    }

    /// A sub-table, which may be missing.
    pub(crate) fn section<'t>(&mut self, table: &'t Table, name: &str) -> Option<&'t Table> {
        let node = table.get(name)?;
        match &node.tree {
            Tree::Table(section) => Some(section),
            _ => {
                let hint = match () {
                    () if !self.found.sources.is_yaml(node.span.source) => {
                        format!("write [{name}] on a line of its own and the keys below it")
                    }
                    () => yaml::keys_below(name, node),
                };
                self.wrong(node, "a table", name, Some(hint));
                None
            }
        }
    }

    pub(crate) fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.tree {
            Tree::Scalar(Value::Str(text)) | Tree::Word(text) => Some(text.clone()),
            Tree::Scalar(_) | Tree::Date(_) => {
                let short = key.rsplit('.').next().unwrap_or(key);
                let hint = format!("write {short} = \"{}\"", self.found.sources.slice(node.span));
                self.wrong(node, "a string", key, Some(hint));
                None
            }
            _ => {
                self.wrong(node, "a string", key, None);
                None
            }
        }
    }

    /// A string with something in it.
    pub(crate) fn filled(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = self.text(node, key)?;
        if text.trim().is_empty() {
            self.found.error(node.span, format!("'{key}' is empty"), "leave the key out, or fill it in".to_string());
            return None;
        }
        Some(text)
    }

    /// A scalar as it was written: `4` and `"4"` are the same to a process.
    pub(crate) fn written_scalar(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.tree {
            Tree::Scalar(value) => Some(value.to_string()),
            Tree::Word(text) | Tree::Date(text) => Some(text.clone()),
            _ => {
                self.wrong(node, "a string or a number", key, None);
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, node: &Node, key: &str) -> Option<bool> {
        match node.meaning() {
            Some(Value::Bool(on)) => Some(on),
            _ => {
                self.wrong(node, "true or false", key, None);
                None
            }
        }
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&mut self, node: &Node, key: &str, least: u64) -> Option<u64> {
        let Some(number) = node.int() else {
            self.wrong(node, "a whole number", key, None);
            return None;
        };
        match u64::try_from(number) {
            Ok(number) if number >= least => Some(number),
            _ => {
                let hint = self.written(node.span, key, &format!("{least}, or more"));
                self.found.error(node.span, format!("expected at least {least} for '{key}', found {number}"), hint);
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, node: &Node, key: &str) -> Option<i64> {
        let number = node.int();
        if number.is_none() {
            self.wrong(node, "a whole number", key, None);
        }
        number
    }

    /// A number above 0.
    pub(crate) fn positive(&mut self, node: &Node, key: &str) -> Option<f64> {
        let number = node.meaning().and_then(|value| value.number());
        let good = number.filter(|number| *number > 0.0 && *number < 1e9);
        if good.is_none() {
            let hint = self.written(node.span, key, "100, or another number above 0");
            self.wrong(node, "a number above 0", key, Some(hint));
        }
        good
    }

    /// A time of the day, a date with one, or how long from now.
    pub(crate) fn moment(&mut self, node: &Node, key: &str) -> Option<Moment> {
        let (Tree::Scalar(Value::Str(text)) | Tree::Word(text) | Tree::Date(text)) = &node.tree else {
            self.wrong(node, "a time", key, Some(MOMENTS.to_string()));
            return None;
        };
        let moment = Moment::parse(text);
        if moment.is_none() {
            self.found.error(node.span, format!("expected a time for '{key}', found {}", quoted(text)), MOMENTS.to_string());
        }
        moment
    }

    /// A duration longer than nothing.
    pub(crate) fn duration(&mut self, node: &Node, key: &str) -> Option<Millis> {
        let duration = self.duration_or_none(node, key)?;
        if duration.0 == 0 {
            self.found.error(node.span, format!("'{key}' is no time at all"), "leave the key out for no limit".to_string());
            return None;
        }
        Some(duration)
    }

    pub(crate) fn duration_or_none(&mut self, node: &Node, key: &str) -> Option<Millis> {
        let text = match &node.tree {
            Tree::Scalar(Value::Bool(_)) | Tree::List(_) | Tree::Table(_) => None,
            Tree::Scalar(value) => Some(value.to_string()),
            Tree::Word(text) | Tree::Date(text) => Some(text.clone()),
        };
        let hint = "write \"90 min\", \"70h\", \"1-12:00:00\", or seconds as a number".to_string();
        let Some(text) = text else {
            self.wrong(node, "a duration", key, Some(hint));
            return None;
        };
        let duration = Millis::parse(&text);
        if duration.is_none() {
            self.found.error(node.span, format!("expected a duration for '{key}', found {}", quoted(&text)), hint);
        }
        duration
    }

    /// A list of strings, or one string.
    pub(crate) fn texts(&mut self, node: &Node, key: &str) -> Vec<(String, Span)> {
        let items = match &node.tree {
            Tree::List(items) => items.as_slice(),
            Tree::Scalar(Value::Str(_)) | Tree::Word(_) => std::slice::from_ref(node),
            _ => {
                self.wrong(node, "a list of strings", key, None);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            if let Tree::Scalar(Value::Bool(_) | Value::Int(_) | Value::Float(_)) | Tree::Date(_) = item.tree {
                self.wrong(item, "a string", key, Some("each element is a text in quotes".to_string()));
            } else if let Some(text) = self.filled(item, key) {
                texts.push((text, item.span));
            }
        }
        texts
    }

    /// One of `words`, each of which is a variant of `T`.
    pub(crate) fn word<T: DeserializeOwned>(&mut self, node: &Node, key: &str, words: &[&str]) -> Option<T> {
        let word = self.text(node, key)?;
        self.one_of(&word, node.span, key, words)
    }

    /// A list of such words, or one of them.
    pub(crate) fn words<T: DeserializeOwned>(&mut self, node: &Node, key: &str, words: &[&str]) -> Vec<T> {
        let texts = self.texts(node, key);
        texts.iter().filter_map(|(word, span)| self.one_of(word, *span, key, words)).collect()
    }

    fn one_of<T: DeserializeOwned>(&mut self, word: &str, span: Span, key: &str, words: &[&str]) -> Option<T> {
        if !words.contains(&word) {
            let hint = did_you_mean(word, words.iter().copied())
                .unwrap_or_else(|| self.written(span, key, &format!("\"{}\"", words.first().unwrap_or(&"…"))));
            self.found.error(span, format!("expected one of {} for '{key}', found {}", words.join(", "), quoted(word)), hint);
            return None;
        }
        let input: StrDeserializer<'_, Error> = word.into_deserializer();
        T::deserialize(input).ok()
    }

    /// A signal that asks a process for something, without `SIG`.
    pub(crate) fn signal(&mut self, node: &Node, key: &str) -> Option<String> {
        let written = self.text(node, key)?;
        let upper = written.to_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if !STOP_SIGNALS.contains(&name) {
            let hint = did_you_mean(name, STOP_SIGNALS).unwrap_or_else(|| format!("one of {}", STOP_SIGNALS.join(", ")));
            self.found.error(node.span, format!("expected a signal for '{key}', found {}", quoted(&written)), hint);
            return None;
        }
        Some(name.to_string())
    }

    /// A size in bytes, more than nothing.
    pub(crate) fn size(&mut self, node: &Node, key: &str) -> Option<u64> {
        let hint = "write \"6 GB\" (1000^3 bytes), \"6 GiB\" or \"6G\" (1024^3)".to_string();
        let text = match &node.tree {
            Tree::Scalar(Value::Str(text)) | Tree::Word(text) => text,
            Tree::Scalar(Value::Int(_) | Value::Float(_)) => {
                self.found.error(node.span, format!("'{key}' needs a unit"), hint);
                return None;
            }
            _ => {
                self.wrong(node, "a size", key, Some(hint));
                return None;
            }
        };
        match size::parse(text) {
            Some(0) => self.found.error(node.span, format!("'{key}' is nothing at all"), "leave the key out for no limit".to_string()),
            Some(bytes) => return Some(bytes),
            None if text.trim().bytes().all(|byte| byte.is_ascii_digit()) && !text.trim().is_empty() => {
                self.found.error(node.span, format!("'{key}' needs a unit"), hint);
            }
            None => self.found.error(node.span, format!("expected a size for '{key}', found {}", quoted(text)), hint),
        }
        None
    }

    /// A whole number that counts things.
    pub(crate) fn count(&mut self, node: &Node, key: &str, least: u64) -> Option<u32> {
        let number = self.whole(node, key, least)?;
        let count = u32::try_from(number).ok().filter(|count| *count <= MOST);
        if count.is_none() {
            self.found.error(
                node.span,
                format!("expected at most {MOST} for '{key}', found {number}"),
                "leave the key out for what the target gives".to_string(),
            );
        }
        count
    }

    pub(crate) fn path(&mut self, node: &Node, key: &str) -> Option<String> {
        let path = self.filled(node, key)?;
        self.is_path(&path, node.span, key).then_some(path)
    }

    pub(crate) fn paths(&mut self, node: &Node, key: &str) -> Vec<(String, Span)> {
        let texts = self.texts(node, key);
        texts.into_iter().filter(|(path, span)| self.is_path(path, *span, key)).collect()
    }

    /// A file below the specification's folder, as `a/b`.
    pub(crate) fn inner_path(&mut self, node: &Node, key: &str) -> Option<String> {
        let path = self.path(node, key)?;
        match below(&path) {
            Some(plain) if !plain.is_empty() && !path.ends_with('/') => Some(plain),
            _ => {
                let hint = "write it relative, as \"configs/solver.yaml\"".to_string();
                self.found.error(
                    node.span,
                    format!("expected a file below the specification's folder for '{key}', found {}", quoted(&path)),
                    hint,
                );
                None
            }
        }
    }

    pub(crate) fn is_path(&mut self, path: &str, span: Span, key: &str) -> bool {
        if path.starts_with('~') || path.contains('$') {
            let hint = "it is taken as it is written: write the whole path, or one relative to the specification".to_string();
            self.found.error(span, format!("'~' and '$' mean nothing in '{key}', found {}", quoted(path)), hint);
            return false;
        }
        if path.chars().any(char::is_control) {
            self.found.error(span, format!("a control character in the path of '{key}'"), "give the file another name".to_string());
            return false;
        }
        true
    }

    pub(crate) fn globs(&mut self, node: &Node, key: &str) -> Vec<(String, Span)> {
        let mut globs = Vec::new();
        for (glob, span) in self.texts(node, key) {
            match globset::Glob::new(&glob) {
                Err(error) => {
                    let hint = "*, ?, [a-z], {a,b} and ** are special; a backslash takes that away".to_string();
                    self.found.error(span, format!("the pattern of '{key}' cannot be read: {}", error.kind()), hint);
                }
                Ok(_) => {
                    if self.is_path(&glob, span, key) {
                        globs.push((glob, span));
                    }
                }
            }
        }
        globs
    }
}

/// A relative path without `.` and `//`; none where it is absolute or has `..`.
pub(crate) fn below(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!path.starts_with('/') && !parts.contains(&"..")).then(|| parts.join("/"))
}
