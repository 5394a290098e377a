//! Files by pattern, looked up without walking more than the pattern can name.

use globset::{GlobBuilder, GlobMatcher};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// What a pattern names.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    pub(crate) found: Vec<PathBuf>,
    /// There were more names than are looked at.
    pub(crate) cut_short: bool,
}

/// Files and folders that match `pattern`, which is relative to `base` unless absolute. Looks at no more than `most` names, the
/// upper folders first: a pattern over a huge tree must not cost the training its disk.
pub(crate) fn expand(base: &Path, pattern: &str, most: usize) -> Expanded {
    let mut found = Vec::new();
    let mut left = most;
    let mut cut_short = false;
    let start = if pattern.starts_with('/') { Path::new("/") } else { base };
    let parts: Option<Vec<Part<'_>>> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").map(Part::of).collect();
    let Some(mut parts) = parts else { return Expanded::default() };
    // `a/**` is all that is below `a`.
    if matches!(parts.last(), Some(Part::AnyDepth)) {
        parts.push(Part::All);
    }
    // Folders whose names are still to be looked at, each with what must match there.
    let mut waiting = VecDeque::from([(start.to_path_buf(), &parts[..])]);
    while let Some((folder, parts)) = waiting.pop_front() {
        let Some((part, rest)) = parts.split_first() else { continue };
        let mut visit = |path: PathBuf, waiting: &mut VecDeque<_>| {
            if rest.is_empty() {
                found.push(path);
            } else if path.is_dir() {
                waiting.push_back((path, rest));
            }
        };
        let mut names = |folder: &Path| {
            let mut names = names(folder, left + 1);
            cut_short |= names.len() > left;
            names.truncate(left);
            left -= names.len();
            names
        };
        match part {
            Part::AnyDepth => {
                // Not through links: they may lead round in circles.
                let folders = names(&folder).into_iter().filter(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
                waiting.extend(folders.map(|path| (path, parts)));
                waiting.push_front((folder, rest));
            }
            Part::Name(name) => {
                let path = folder.join(name);
                if path.symlink_metadata().is_ok() {
                    visit(path, &mut waiting);
                }
            }
            Part::All | Part::Like { .. } => {
                for path in names(&folder).into_iter().filter(|path| part.matches(path)) {
                    visit(path, &mut waiting);
                }
            }
        }
    }
    found.sort();
    found.dedup();
    Expanded { found, cut_short }
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

fn names(folder: &Path, most: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.take(most).map(|entry| entry.path()).collect()
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
            let all = expand(folder.path(), pattern, 1000).found;
            all.iter().map(|path| path.strip_prefix(folder.path()).expect("below").display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("a/*.pt"), ["a/1.pt", "a/2.pt"]);
        assert_eq!(found("**/*.pt"), ["a/1.pt", "a/2.pt", "a/b/3.pt"]);
        assert_eq!(found("a/{1,2}.pt"), ["a/1.pt", "a/2.pt"]);
        assert_eq!(found("./x.csv"), ["x.csv"]);
        assert_eq!(found("nothing/*.pt"), [""; 0]);
    }
    #[test]
    fn what_lies_above_a_huge_folder_is_found_and_the_rest_is_not_passed_over_in_silence() {
        let folder = tempfile::tempdir().expect("a folder");
        for inner in ["data", "zz"] {
            std::fs::create_dir(folder.path().join(inner)).expect("made");
        }
        (0..50).for_each(|i| std::fs::write(folder.path().join(format!("data/{i}")), "").expect("written"));
        std::fs::write(folder.path().join("zz/m.pt"), "").expect("written");
        std::fs::write(folder.path().join("m.pt"), "").expect("written");
        let all = expand(folder.path(), "**/*.pt", 1_000);
        assert_eq!((all.found.len(), all.cut_short), (2, false));
        let some = expand(folder.path(), "**/*.pt", 20);
        assert!(some.found.contains(&folder.path().join("m.pt")) && some.cut_short, "{some:?}");
    }
}
