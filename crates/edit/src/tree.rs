//! A configuration file as values that know their bytes, the same for all formats.

use std::collections::BTreeMap;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Node {
    /// The bytes that a new value takes the place of; empty where there is no value yet.
    pub(crate) slot: Range<usize>,
    /// Bytes behind `slot` that go with the old value though they stand apart: the lines of a block. Else empty.
    pub(crate) rest: Range<usize>,
    pub(crate) kind: Kind,
    /// Why this cannot be replaced, if so.
    pub(crate) locked: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Table(Table),
    List(Vec<Node>),
    Scalar(Scalar),
    /// YAML's `*name`.
    Alias,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Scalar {
    /// What it says in YAML; in other formats the bytes of the file.
    pub(crate) text: Box<str>,
    /// Not a bare word: a text whatever is in it.
    pub(crate) quoted: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<String, Node>,
    /// Where case does not matter: lower case to the key, none where several keys differ in nothing else.
    pub(crate) folded: BTreeMap<String, Option<String>>,
}

impl Node {
    pub(crate) fn new(slot: Range<usize>, kind: Kind) -> Node {
        let rest = slot.end..slot.end;
        Node { slot, rest, kind, locked: None }
    }

    pub(crate) fn scalar(slot: Range<usize>, text: &str, quoted: bool) -> Node {
        Node::new(slot, Kind::Scalar(Scalar { text: text.into(), quoted }))
    }

    /// Behind the last byte that goes with the old value.
    pub(crate) fn end(&self) -> usize {
        self.slot.end.max(self.rest.end)
    }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let exact = self.entries.get(key);
        exact.or_else(|| self.entries.get(self.folded.get(&key.to_lowercase())?.as_ref()?))
    }

    /// Adds an entry; false where there is one of this name already.
    pub(crate) fn add(&mut self, key: String, node: Node) -> bool {
        match self.entries.entry(key) {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(node);
                true
            }
        }
    }
}
