//! Values of a tree as the types that are wanted, with "expected …, found …" where they are not.

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::tree::{Node, Table, Tree};
use neronet_model::{Millis, Value};

pub(crate) struct Reader<'f, 's> {
    pub(crate) found: &'f mut Found<'s>,
}

impl Reader<'_, '_> {
    fn wrong(&mut self, node: &Node, wanted: &str, key: &str, hint: Option<String>) {
        let what = match &node.tree {
            Tree::Word(word) => quoted(word),
            _ => node.kind().to_string(),
        };
        self.found.error(node.span, format!("expected {wanted} for '{key}', found {what}"), hint);
    }

    /// A sub-table, which may be missing.
    pub(crate) fn section<'t>(&mut self, table: &'t Table, name: &str) -> Option<&'t Table> {
        let node = table.get(name)?;
        match &node.tree {
            Tree::Table(section) => Some(section),
            _ => {
                self.wrong(node, "a table", name, Some(format!("write [{name}] on a line of its own and the keys below it")));
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
        match &node.tree {
            Tree::Scalar(Value::Bool(on)) => Some(*on),
            Tree::Word(word) if word == "true" || word == "false" => Some(word == "true"),
            _ => {
                self.wrong(node, "true or false", key, None);
                None
            }
        }
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&mut self, node: &Node, key: &str, least: u64) -> Option<u64> {
        let number = match &node.tree {
            Tree::Scalar(Value::Int(int)) => Some(*int),
            Tree::Word(word) => word.parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong(node, "a whole number", key, None);
            return None;
        };
        match u64::try_from(number) {
            Ok(number) if number >= least => Some(number),
            _ => {
                self.found.error(node.span, format!("expected at least {least} for '{key}', found {number}"), None);
                None
            }
        }
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

    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let word = self.text(node, key)?;
        let chosen = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let hint = crate::suggest::did_you_mean(&word, names.iter().copied());
            let message = format!("expected one of {} for '{key}', found {}", names.join(", "), quoted(&word));
            self.found.error(node.span, message, hint);
        }
        chosen
    }

    pub(crate) fn path(&mut self, node: &Node, key: &str) -> Option<String> {
        let path = self.filled(node, key)?;
        self.is_path(&path, node.span, key).then_some(path)
    }

    pub(crate) fn paths(&mut self, node: &Node, key: &str) -> Vec<(String, Span)> {
        let texts = self.texts(node, key);
        texts.into_iter().filter(|(path, span)| self.is_path(path, *span, key)).collect()
    }

    fn is_path(&mut self, path: &str, span: Span, key: &str) -> bool {
        if path.starts_with('~') || path.contains('$') {
            let hint = "it is taken as it is written: write the whole path, or one relative to the specification".to_string();
            self.found.error(span, format!("'~' and '$' mean nothing in '{key}', found {}", quoted(path)), hint);
            return false;
        }
        if path.chars().any(char::is_control) {
            self.found.error(span, format!("a control character in the path of '{key}'"), None);
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
