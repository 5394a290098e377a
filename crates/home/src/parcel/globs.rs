//! Patterns over paths within a folder, followed name by name: what they cannot reach is not looked into.

use crate::error::HomeError;
use globset::{GlobBuilder, GlobMatcher};
use neronet_target::parcel::Inner;
use std::collections::BTreeSet;

/// A walk looks each name up in all of them.
const MOST: usize = 1000;

pub struct Globs(Vec<Vec<Part>>);

/// What stands between two slashes.
enum Part {
    /// `**`: any folders, or none.
    AnyDepth,
    /// As in a shell, a leading dot is matched only by a dot.
    Like { matcher: GlobMatcher, hidden: bool },
}

/// What is still to be matched, each a pattern and a part of it.
pub(super) type Left = BTreeSet<(usize, usize)>;

impl Globs {
    /// # Errors
    /// One is no pattern, or leads out of the folder.
    pub fn of(globs: &[String]) -> Result<Globs, HomeError> {
        if globs.len() > MOST {
            return Err(HomeError::Words(format!("{} patterns are too many: {MOST} are looked for at once", globs.len())));
        }
        globs.iter().map(|glob| parts(glob)).collect::<Result<_, _>>().map(Globs)
    }

    /// Whether one of them names this file, or a folder that it lies in.
    pub fn name(&self, path: &Inner) -> bool {
        let mut left = self.all();
        path.as_str().split('/').any(|name| {
            left = self.behind(&left, name);
            self.matched(&left)
        }) || self.matched(&self.all())
    }

    /// At the top.
    pub(super) fn all(&self) -> Left {
        (0..self.0.len()).map(|glob| (glob, 0)).collect()
    }

    /// What is left behind a name; where that is nothing, no pattern leads on.
    pub(super) fn behind(&self, left: &Left, name: &str) -> Left {
        let mut behind = Left::new();
        left.iter().for_each(|(glob, part)| self.step(*glob, *part, name, &mut behind));
        behind
    }

    /// Whether one of them is matched: so is all that lies below then.
    pub(super) fn matched(&self, left: &Left) -> bool {
        left.iter().any(|(glob, part)| self.0.get(*glob).is_some_and(|parts| *part == parts.len()))
    }

    fn step(&self, glob: usize, part: usize, name: &str, behind: &mut Left) {
        let shown = !name.starts_with('.');
        match self.0.get(glob).and_then(|parts| parts.get(part)) {
            Some(Part::AnyDepth) => {
                if shown {
                    behind.insert((glob, part));
                }
                self.step(glob, part + 1, name, behind);
            }
            Some(Part::Like { matcher, hidden }) if (shown || *hidden) && matcher.is_match(name) => drop(behind.insert((glob, part + 1))),
            _ => {}
        }
    }
}

/// The pattern that is this name or path and nothing else.
pub fn literally(name: &str) -> String {
    // `globset::escape` leaves the sign alone that it takes for one that escapes.
    globset::escape(&name.replace('\\', r"\\"))
}

fn parts(glob: &str) -> Result<Vec<Part>, HomeError> {
    let refused = |why: &str| HomeError::Words(format!("'{}' is no pattern within a folder: {why}", glob.escape_debug()));
    if glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
        return Err(refused("it leads out of it"));
    }
    let mut parts = Vec::new();
    for part in glob.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == "**" {
            parts.push(Part::AnyDepth);
            continue;
        }
        let built = GlobBuilder::new(part).literal_separator(true).build().map_err(|e| refused(&e.to_string()))?;
        parts.push(Part::Like { matcher: built.compile_matcher(), hidden: part.starts_with('.') });
    }
    // `a/**` is all that is below `a`.
    if matches!(parts.last(), Some(Part::AnyDepth)) {
        let any = GlobBuilder::new("*").build().map_err(|e| refused(&e.to_string()))?;
        parts.push(Part::Like { matcher: any.compile_matcher(), hidden: false });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_taken_literally_is_named_whatever_is_in_it() {
        for name in [r"a\b.pt", r"\", r"a\*", r"\[x]", "**", "{a,b}?", "!x", "ü", ".hidden"] {
            let globs = Globs::of(&[literally(name)]).expect("a pattern");
            let named = |name: &str| globs.name(&Inner::try_from(name.to_string()).expect("a path"));
            assert!(named(name) && !named("ab.pt") && !named("x"), "{name}");
        }
    }
}
