//! Files by pattern, looked up without walking more than the pattern can name.

use globset::{GlobBuilder, GlobMatcher};
use std::path::{Path, PathBuf};

/// Files and folders that match `pattern`, which is relative to `base` unless absolute. Looks at no more than `most` names:
/// a pattern over a huge tree must not cost the training its disk.
pub(crate) fn expand(base: &Path, pattern: &str, most: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = most;
    let start = if pattern.starts_with('/') { Path::new("/") } else { base };
    let parts: Option<Vec<Part<'_>>> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").map(Part::of).collect();
    let Some(mut parts) = parts else { return Vec::new() };
    // `a/**` is all that is below `a`.
    if matches!(parts.last(), Some(Part::AnyDepth)) {
        parts.push(Part::All);
    }
    descend(start, &parts, &mut left, &mut found);
    found.sort();
    found.dedup();
    found
}

/// What stands between two slashes.
enum Part<'p> {
    Name(&'p str),
    /// `*`: too usual to pay for a matcher. As in a shell, a leading dot is matched only by a dot.
    All,
    Like {
        matcher: GlobMatcher,
        hidden: bool,
    },
    /// `**`: any folders, or none.
    AnyDepth,
}

impl Part<'_> {
    /// `None` for what is no pattern: it matches nothing.
    fn of(part: &str) -> Option<Part<'_>> {
        Some(match part {
            "**" => Part::AnyDepth,
            "*" => Part::All,
            _ if part.contains(['*', '?', '[', '{']) => {
                let glob = GlobBuilder::new(part).literal_separator(true).build().ok()?;
                Part::Like { matcher: glob.compile_matcher(), hidden: part.starts_with('.') }
            }
            _ => Part::Name(part),
        })
    }

    fn matches(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        match self {
            Part::Like { matcher, hidden: may_hide } => (*may_hide || !hidden) && matcher.is_match(name),
            _ => !hidden,
        }
    }
}

fn descend(folder: &Path, parts: &[Part<'_>], left: &mut usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else { return };
    let visit = |path: PathBuf, left: &mut usize, found: &mut Vec<PathBuf>| {
        if rest.is_empty() {
            found.push(path);
        } else if path.is_dir() {
            descend(&path, rest, left, found);
        }
    };
    match part {
        Part::AnyDepth => {
            descend(folder, rest, left, found);
            for path in names(folder, left) {
                // Not through links: they may lead round in circles.
                if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                    descend(&path, parts, left, found);
                }
            }
        }
        Part::Name(name) => {
            let path = folder.join(name);
            if path.symlink_metadata().is_ok() {
                visit(path, left, found);
            }
        }
        Part::All | Part::Like { .. } => {
            for path in names(folder, left).into_iter().filter(|path| part.matches(path)) {
                visit(path, left, found);
            }
        }
    }
}

fn names(folder: &Path, left: &mut usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names: Vec<PathBuf> = entries.flatten().take(*left).map(|entry| entry.path()).collect();
    *left -= names.len();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_what_a_shell_would() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["a/1.pt", "a/2.pt", "a/b/3.pt", "a/.hidden.pt", "x.csv"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        let found = |pattern: &str| {
            let all = expand(folder.path(), pattern, 1000);
            all.iter().map(|path| path.strip_prefix(folder.path()).expect("below").display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("a/*.pt"), ["a/1.pt", "a/2.pt"]);
        assert_eq!(found("**/*.pt"), ["a/1.pt", "a/2.pt", "a/b/3.pt"]);
        assert_eq!(found("a/{1,2}.pt"), ["a/1.pt", "a/2.pt"]);
        assert_eq!(found("./x.csv"), ["x.csv"]);
        assert_eq!(found("nothing/*.pt"), [""; 0]);
    }
}
