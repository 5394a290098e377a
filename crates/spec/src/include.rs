//! `include = ["base.toml"]`: other files below this one. What a file says itself wins over what it includes.

use crate::problem::quoted;
use crate::read::Reader;
use crate::source::{Found, Span};
use crate::syntax;
use crate::tree::Table;
use neronet_model::journal::Included;
use std::path::{Component, Path, PathBuf};

/// Reads the text of a file, or says why it cannot.
pub(crate) type ReadFile<'r> = dyn Fn(&Path) -> Result<String, String> + 'r;

/// More than anybody keeps apart by hand.
const MOST_FILES: usize = 100;

/// The files that make up one specification.
pub(crate) struct Files<'r> {
    read: &'r ReadFile<'r>,
    /// In the order in which they are read. Each is taken in once: lists of tables would double.
    pub(crate) included: Vec<Included>,
    rank: usize,
}

impl<'r> Files<'r> {
    pub(crate) fn new(read: &'r ReadFile<'r>) -> Files<'r> {
        Files { read, included: Vec::new(), rank: 0 }
    }

    /// The tree of a file with all that it includes.
    pub(crate) fn tree(&mut self, source: usize, chain: &mut Vec<String>, found: &mut Found<'_>) -> Option<Table> {
        let path = found.sources.path(source).to_string();
        let mut own = syntax::read(source, found)?;
        let Some((key, node)) = own.entry("include") else { return Some(own) };
        let (names, key) = (Reader { found }.texts(node, "include"), key.span);
        own = own.without(&["include"]);
        let folder = Path::new(&path).parent().unwrap_or(Path::new("")).to_path_buf();
        chain.push(path);
        let mut below = Table::default();
        for (name, span) in names {
            let span = if span.source == source { span } else { key };
            below = below.merged(&self.one(&plain(&folder.join(&name)), span, chain, found)?);
        }
        chain.pop();
        self.rank += 1;
        Some(below.merged(&own))
    }

    fn one(&mut self, path: &Path, span: Span, chain: &mut Vec<String>, found: &mut Found<'_>) -> Option<Table> {
        let shown = path.display().to_string();
        if chain.contains(&shown) {
            let circle = chain.iter().skip_while(|path| **path != shown).map(String::as_str).chain([shown.as_str()]);
            let circle = circle.collect::<Vec<_>>().join(" → ");
            found.error(span, format!("{} includes itself: {circle}", quoted(&shown)), "take one of these includes out".to_string());
            return None;
        }
        if self.included.iter().any(|file| file.path == shown) {
            return Some(Table::default());
        }
        if self.included.len() >= MOST_FILES {
            found.error(span, format!("more than {MOST_FILES} files are included"), "put what belongs together into one file".to_string());
            return None;
        }
        let text = match (self.read)(path) {
            Ok(text) => text,
            Err(why) => {
                let hint = "a path in include is relative to the file that it stands in".to_string();
                found.error(span, format!("{} cannot be included: {why}", quoted(&shown)), hint);
                return None;
            }
        };
        self.included.push(Included { path: shown.clone(), text: text.clone() });
        let source = found.sources.include(shown, syntax::normal(&text));
        let table = self.tree(source, chain, found);
        self.rank += 1;
        found.sources.rank(source, self.rank);
        table
    }
}

/// Without `.` and, where the names tell enough, `..`: one file has one name, and it reads better.
pub fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // What is above a link is not what stands before it.
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) && !out.is_symlink() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
