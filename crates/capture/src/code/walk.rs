//! The files of a folder that no git work tree lists: a walk that stops as soon as there is too much.

use super::folders::ENVIRONMENT_MARKS;
use std::path::Path;

pub(super) const SKIPPED: [&str; 10] =
    [".git", ".hg", ".svn", "__pycache__", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", ".tox"];
/// Skipped entries are cheap, not free: a folder of ten times as many entries as may be listed is too much as well.
const SKIPPED_FACTOR: u64 = 10;

#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Files, links and others, relative to the folder.
    pub(super) paths: Vec<String>,
    /// Folders of which nothing is listed.
    pub(super) empty: Vec<String>,
    pub(super) not_utf8: Vec<String>,
    pub(super) unreadable: Vec<(String, String)>,
    /// There are more than asked for; the walk ended early.
    pub(super) too_many: bool,
}

/// Lists at most `most` paths below `folder`.
pub(super) fn walk(folder: &Path, most: u64) -> Walked {
    let mut walked = Walked::default();
    let mut waiting = vec![String::new()];
    let mut seen: u64 = 0;
    while let Some(below) = waiting.pop() {
        let entries = match std::fs::read_dir(folder.join(&below)) {
            Ok(entries) => entries,
            Err(error) => {
                walked.unreadable.push((below, format!("the folder cannot be read: {error}")));
                continue;
            }
        };
        let mut is_environment = false;
        let (first_path, first_waiting) = (walked.paths.len(), waiting.len());
        for entry in entries.flatten() {
            seen += 1;
            if walked.paths.len() as u64 > most || seen > most.saturating_mul(SKIPPED_FACTOR) {
                walked.too_many = true;
                return walked;
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                walked.not_utf8.push(format!("{below}{}", name.to_string_lossy()));
                continue;
            };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !below.is_empty() && ENVIRONMENT_MARKS.contains(&name) {
                // A Python environment, whatever it is called: nothing in it is code of the user's.
                walked.paths.truncate(first_path);
                waiting.truncate(first_waiting);
                is_environment = true;
                break;
            }
            if is_folder && !SKIPPED.contains(&name) {
                waiting.push(format!("{below}{name}/"));
            } else if !is_folder && !name.ends_with(".pyc") {
                walked.paths.push(format!("{below}{name}"));
            }
        }
        let is_empty = walked.paths.len() == first_path && waiting.len() == first_waiting && !is_environment;
        walked.empty.extend(below.strip_suffix('/').filter(|_| is_empty).map(str::to_string));
    }
    walked
}
