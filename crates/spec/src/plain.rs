//! YAML that is no specification, as texts, lists and mappings: for whoever makes a specification of other programs' files.

use crate::source::{Found, Sources};
use crate::tree::{Node, Tree};
use crate::{Problems, syntax, yaml};

/// A value of a YAML file. What a plain word means (`no`, `1e-3`, `null`) is for its reader to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    Text {
        text: String,
        quoted: bool,
    },
    List(Vec<Plain>),
    /// In the order of the file; no key is there twice.
    Map(Vec<(String, Plain)>),
}

impl Plain {
    /// The value of a key, where this is a mapping that has it.
    pub fn get(&self, name: &str) -> Option<&Plain> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn entries(&self) -> &[(String, Plain)] {
        match self {
            Plain::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Plain::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Reads a YAML file. Anchors, aliases and `<<` are carried out; `path` is what messages call the file.
pub fn yaml(text: &str, path: &str) -> Result<Plain, Problems> {
    let text = syntax::normal(text);
    let mut found = Found::new(Sources::of_file(path, &text, &[]));
    let tree = yaml::tree(0, &text, &mut found);
    let (errors, _) = found.finish();
    match tree {
        Some(tree) if errors.is_empty() => Ok(plain(tree)),
        _ => Err(Problems(errors)),
    }
}

fn plain(node: Node) -> Plain {
    match node.tree {
        Tree::Scalar(value) => Plain::Text { text: value.to_string(), quoted: true },
        Tree::Date(text) | Tree::Word(text) => Plain::Text { text, quoted: false },
        Tree::List(items) => Plain::List(items.into_iter().map(plain).collect()),
        Tree::Table(table) => Plain::Map(table.entries.into_iter().map(|(key, node)| (key.name, plain(node))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_carried_out_and_mistakes_have_their_place() {
        let read = yaml("base: &b {lr: 1e-3, on: 'no'}\nrun: {<<: *b, lr: 2}\nlist: [a, [b]]\r\n", "x.yaml").expect("it is YAML");
        let run = read.get("run").expect("a key");
        assert_eq!((run.get("lr").and_then(Plain::text), run.entries().len()), (Some("2"), 2));
        assert_eq!(run.get("on"), Some(&Plain::Text { text: "no".into(), quoted: true }));
        assert!(matches!(read.get("list"), Some(Plain::List(items)) if items.len() == 2));
        let problems = yaml("a: 1\na: 2\n", "x.yaml").expect_err("the key is there twice");
        assert!(problems.to_string().contains("x.yaml:2:1: duplicate key 'a'"), "{problems}");
        assert!(yaml(&"[".repeat(10_000), "x.yaml").is_err());
    }
}
