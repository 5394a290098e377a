//! What differs between two snapshots, or between one and the code as it is now.

use super::manifest::{self, FILES, Manifest};
use super::{Change, ChangeKind, Survey};
use crate::CaptureError;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longer files are named, not compared line by line.
const LONGEST: u64 = 1_000_000;
/// After this a line diff is finished coarsely.
const PATIENCE: Duration = Duration::from_millis(500);

/// What differs from snapshot `a` to snapshot `b`, by path.
pub fn changed_files(snapshots: &Path, a: &str, b: &str) -> Result<Vec<Change>, CaptureError> {
    let (before, after) = (Manifest::load(snapshots, a)?, Manifest::load(snapshots, b)?);
    let (from, to) = (manifest::folder(snapshots, a)?.join(FILES), manifest::folder(snapshots, b)?.join(FILES));
    Ok(between((&before, &from), (&after, &to)))
}

/// What differs from a snapshot to code as it lies there now.
pub fn changed_since(snapshots: &Path, snapshot: &str, now: &Survey) -> Result<Vec<Change>, CaptureError> {
    let before = Manifest::load(snapshots, snapshot)?;
    let from = manifest::folder(snapshots, snapshot)?.join(FILES);
    Ok(between((&before, &from), (&Manifest::of(now), now.place())))
}

/// Each side with the folder that its files lie in.
fn between((before, from): (&Manifest, &Path), (after, to): (&Manifest, &Path)) -> Vec<Change> {
    let (before, after) = (things(before), things(after));
    let mut paths: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
    paths.sort_unstable();
    paths.dedup();
    let changes = paths.into_iter().filter_map(|path| {
        let (old, new) = (before.get(path), after.get(path));
        let kind = match (old, new) {
            (Some(old), Some(new)) if old == new => return None,
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        };
        let old = old.map(|thing| thing.text(&from.join(path)));
        let new = new.map(|thing| thing.text(&to.join(path)));
        Some(Change { path: path.to_string(), kind, diff: unified(path, old, new) })
    });
    changes.collect()
}

/// What can be at a path, as far as it can be compared.
#[derive(PartialEq)]
enum Thing<'a> {
    File { sha256: &'a str, executable: bool, size: u64 },
    Other(String),
}

impl Thing<'_> {
    /// The text to compare; nothing where it is none or too long.
    fn text(&self, place: &Path) -> Option<String> {
        match self {
            Thing::Other(text) => Some(format!("{text}\n")),
            Thing::File { size, .. } if *size > LONGEST => None,
            Thing::File { .. } => String::from_utf8(std::fs::read(place).ok()?).ok().filter(|text| !text.contains('\0')),
        }
    }
}

fn things(manifest: &Manifest) -> BTreeMap<&str, Thing<'_>> {
    let files = manifest.files.iter().map(|file| {
        let thing = Thing::File { sha256: &file.sha256, executable: file.executable, size: file.size };
        (file.path.as_str(), thing)
    });
    let links = manifest.links.iter().map(|link| (link.path.as_str(), Thing::Other(format!("symlink to {}", link.target))));
    let large = manifest.large.iter().map(|file| {
        let text = format!("large file of {} bytes, modified at {} ms", file.size, file.mtime.0);
        (file.path.as_str(), Thing::Other(text))
    });
    let commits = manifest.submodules.iter().map(|module| (module.path.as_str(), Thing::Other(format!("submodule at {}", module.commit))));
    files.chain(links).chain(large).chain(commits).collect()
}

/// A unified diff of two texts. `None` inside means that the file is not text.
fn unified(path: &str, old: Option<Option<String>>, new: Option<Option<String>>) -> Option<String> {
    let name = |side: &str, there: bool| if there { format!("{side}/{path}") } else { "/dev/null".to_string() };
    let (from, to) = (name("a", old.is_some()), name("b", new.is_some()));
    let (old, new) = (old.unwrap_or(Some(String::new()))?, new.unwrap_or(Some(String::new()))?);
    let diff = similar::TextDiff::configure().timeout(PATIENCE).diff_lines(&old, &new);
    let text = diff.unified_diff().context_radius(3).header(&from, &to).to_string();
    Some(if old == new { "only the permission to execute has changed\n".to_string() } else { text })
}
