//! New values into the text, and the proof that nothing else became of it.

use crate::Format;
use crate::mistake::{Mistake, quoted};
use crate::tree::{Kind, Node};
use neronet_model::Value;
use std::collections::BTreeMap;

/// One change, ready to be made.
pub(crate) struct Splice<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: &'a str,
    pub(crate) value: &'a Value,
    pub(crate) written: String,
}

/// The text with all changes made, which are in its order and apart from each other.
pub(crate) fn apply(text: &str, splices: &[Splice<'_>]) -> String {
    let mut edited = String::with_capacity(text.len() + splices.iter().map(|splice| splice.written.len()).sum::<usize>());
    let mut done = 0;
    for Splice { node, written, .. } in splices {
        edited.push_str(&text[done..node.slot.start]);
        edited.push_str(written);
        edited.push_str(&text[node.slot.end..node.rest.start]);
        done = node.end();
    }
    edited.push_str(&text[done..]);
    edited
}

/// Reads the result: the values that were set must be there, and all others as they were.
pub(crate) fn verify(format: Format, before: (&Node, &str), edited: &str, splices: &[Splice<'_>]) -> Result<(), Mistake> {
    let of_file = |why: &str| Mistake {
        path: splices.first().map_or(String::new(), |splice| splice.path.to_string()),
        ..Mistake::of_file(format!("the file cannot be changed so that all else in it stays: {why}"))
    };
    let after = format.read(edited).map_err(|mistake| of_file(&format!("it would read {mistake}")))?;
    let changed = splices.iter().map(|splice| (splice.node.slot.start, splice)).collect();
    let comparison = Comparison { format, before: before.1, after: edited, changed };
    comparison.same(before.0, &after).map_err(|what| of_file(&what))
}

struct Comparison<'a> {
    format: Format,
    before: &'a str,
    after: &'a str,
    /// By the place of the old value.
    changed: BTreeMap<usize, &'a Splice<'a>>,
}

impl Comparison<'_> {
    /// The error is what differs.
    fn same(&self, old: &Node, new: &Node) -> Result<(), String> {
        let differs = || Err(format!("{} would become something else", quoted(self.before[old.slot.clone()].lines().next().unwrap_or(""))));
        if let Some(splice) = self.changed.get(&old.slot.start).filter(|splice| std::ptr::eq(splice.node, old)) {
            return match self.is(new, splice.value, &splice.written) {
                true => Ok(()),
                false => Err(format!("'{}' would not have the new value", splice.path)),
            };
        }
        match (&old.kind, &new.kind) {
            (Kind::Table(old), Kind::Table(new)) if old.entries.len() == new.entries.len() => {
                old.entries.iter().zip(&new.entries).try_for_each(|((old_key, old), (new_key, new))| match old_key == new_key {
                    true => self.same(old, new),
                    false => Err(format!("the key {} would get lost", quoted(old_key))),
                })
            }
            (Kind::List(old), Kind::List(new)) if old.len() == new.len() => {
                old.iter().zip(new).try_for_each(|(old, new)| self.same(old, new))
            }
            (Kind::Scalar(was), Kind::Scalar(is)) if was == is && self.bytes(old, new) => Ok(()),
            (Kind::Alias, Kind::Alias) if self.bytes(old, new) => Ok(()),
            _ => differs(),
        }
    }

    fn bytes(&self, old: &Node, new: &Node) -> bool {
        self.before[old.slot.start..old.end()] == self.after[new.slot.start..new.end()]
    }

    /// Whether a program sees `value`.
    fn is(&self, node: &Node, value: &Value, written: &str) -> bool {
        match (&node.kind, value) {
            (Kind::List(items), Value::List(values)) => {
                items.len() == values.len() && items.iter().zip(values).all(|(item, value)| self.is(item, value, ""))
            }
            (Kind::Scalar(scalar), value) => self.format.reads_as(scalar, value, written),
            _ => false,
        }
    }
}
