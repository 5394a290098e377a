//! Files by pattern, looked up without walking more than the pattern can name.

use globset::GlobBuilder;
use std::path::{Path, PathBuf};

/// Files and folders that match `pattern`, which is relative to `base` unless absolute. Looks at no more than `most` names:
/// a pattern over a huge tree must not cost the training its disk.
pub(crate) fn expand(base: &Path, pattern: &str, most: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = most;
    let start = if pattern.starts_with('/') { Path::new("/") } else { base };
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    descend(start, &parts, &mut left, &mut found);
    found.sort();
    found.dedup();
    found
}

fn descend(folder: &Path, parts: &[&str], left: &mut usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else { return };
    let visit = |path: PathBuf, left: &mut usize, found: &mut Vec<PathBuf>| {
        if rest.is_empty() {
            found.push(path);
        } else if path.is_dir() {
            descend(&path, rest, left, found);
        }
    };
    if *part == "**" {
        if rest.is_empty() {
            return descend(folder, &["**", "*"], left, found);
        }
        descend(folder, rest, left, found);
        for path in names(folder, left) {
            // Not through links: they may lead round in circles.
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                descend(&path, parts, left, found);
            }
        }
    } else if part.contains(['*', '?', '[', '{']) {
        let Ok(glob) = GlobBuilder::new(part).literal_separator(true).build() else { return };
        let matcher = glob.compile_matcher();
        for path in names(folder, left) {
            let name = path.file_name().unwrap_or_default();
            // As in a shell, a leading dot is matched only by a dot.
            let hidden = name.to_string_lossy().starts_with('.') && !part.starts_with('.');
            if !hidden && matcher.is_match(name) {
                visit(path, left, found);
            }
        }
    } else {
        let path = folder.join(part);
        if path.symlink_metadata().is_ok() {
            visit(path, left, found);
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
