//! Random contents of a file, and what all the writers of files share.

use proptest::prelude::*;
use std::ops::Range;

#[derive(Debug, Clone)]
pub(crate) enum Document {
    Table(Vec<(String, Document)>),
    List(Vec<Document>),
    Bool(bool),
    Int(i32),
    Float(f64),
    Text(String),
    Null,
}

pub(crate) fn document() -> impl Strategy<Value = Document> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Document::Bool),
        any::<i32>().prop_map(Document::Int),
        (-1e6..1e6f64).prop_map(Document::Float),
        "[a-z][a-z é]{0,8}[a-zß]".prop_map(Document::Text),
        "[ -~é]{0,8}".prop_map(Document::Text),
        Just(Document::Null),
    ];
    let key = prop_oneof![4 => "[a-z][a-z0-9_]{0,3}", 1 => "[a-zé][a-zö. -]{0,3}[a-z]"];
    leaf.prop_recursive(4, 30, 5, move |inner| {
        let entries = proptest::collection::vec((key.clone(), inner.clone()), 0..5);
        prop_oneof![2 => entries.prop_map(table), 1 => proptest::collection::vec(inner, 0..4).prop_map(Document::List)]
    })
}

/// Each key once, in whatever case.
fn table(entries: Vec<(String, Document)>) -> Document {
    let mut known = std::collections::BTreeSet::new();
    Document::Table(entries.into_iter().filter(|(key, _)| known.insert(key.to_lowercase())).collect())
}

/// A file, and where in it what can be set.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) places: Vec<Place>,
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) steps: Vec<String>,
    pub(crate) path: String,
    /// Outside of these bytes nothing may change.
    pub(crate) region: Range<usize>,
    pub(crate) list: bool,
}

/// Where a writer stands, and the choices that are left to it.
pub(crate) struct Writer<'c> {
    pub(crate) out: Written,
    choices: std::iter::Cycle<std::slice::Iter<'c, u8>>,
    steps: Vec<(String, bool)>,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(choices: &'c [u8]) -> Writer<'c> {
        Writer { out: Written::default(), choices: choices.iter().cycle(), steps: Vec::new() }
    }

    /// One of `count` ways to write something.
    pub(crate) fn choose(&mut self, count: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % count)
    }

    pub(crate) fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::from(self.choose(texts.len() as u8))]
    }

    pub(crate) fn put(&mut self, text: &str) {
        self.out.text.push_str(text);
    }

    pub(crate) fn put_one_of(&mut self, texts: &[&str]) {
        let text = self.one_of(texts);
        self.put(text);
    }

    pub(crate) fn here(&self) -> usize {
        self.out.text.len()
    }

    pub(crate) fn key(&mut self, key: &str, inside: impl FnOnce(&mut Self)) {
        self.steps.push((key.to_string(), true));
        inside(self);
        self.steps.pop();
    }

    pub(crate) fn index(&mut self, index: usize, inside: impl FnOnce(&mut Self)) {
        self.steps.push((index.to_string(), false));
        inside(self);
        self.steps.pop();
    }

    /// What was written since `start` can be set.
    pub(crate) fn place(&mut self, start: usize, list: bool) {
        if self.steps.is_empty() {
            return;
        }
        let steps: Vec<String> = self.steps.iter().map(|(step, _)| step.clone()).collect();
        let path =
            self.steps.iter().map(|(step, quoted)| if *quoted { json_string(step) } else { step.clone() }).collect::<Vec<_>>().join(".");
        self.out.places.push(Place { steps, path, region: start..self.out.text.len(), list });
    }
}

/// As JSON, YAML and TOML all read it.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}

/// With the words of JSON, which YAML and TOML share but for the last.
pub(crate) fn word(document: &Document) -> String {
    match document {
        Document::Bool(bool) => bool.to_string(),
        Document::Int(int) => int.to_string(),
        Document::Float(float) => format!("{float:?}"),
        Document::Text(text) => json_string(text),
        _ => "null".to_string(),
    }
}
