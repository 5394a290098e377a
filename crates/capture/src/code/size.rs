//! The sentence that says why a folder is too big for a snapshot, and what in it is.

use super::Caps;
use std::collections::BTreeMap;
use std::path::Path;

const REMEDY: &str = "ignore what is not code in .gitignore and name it under [code] link, or set [code] in_place = true";

pub(super) fn too_many<'a>(top: &Path, paths: impl Iterator<Item = &'a String>, caps: &Caps) -> String {
    let most = largest(paths.map(|path| (folder(path), 1)));
    let named: Vec<String> = most.iter().map(|(folder, files)| format!("{folder} ({files} seen)")).collect();
    format!("{} has more than {} files; most are in {}; {REMEDY}", top.display(), caps.files, named.join(", "))
}

pub(super) fn too_big<'a>(top: &Path, files: impl Iterator<Item = (&'a str, u64)> + Clone, total: u64, caps: &Caps) -> String {
    let name = |found: Vec<(String, u64)>| -> String {
        let named: Vec<String> = found.iter().map(|(path, bytes)| format!("{path} ({})", megabytes(*bytes))).collect();
        named.join(", ")
    };
    format!(
        "{} has {} to copy, over {}; the largest folders are {}; the largest files are {}; {REMEDY}",
        top.display(),
        megabytes(total),
        megabytes(caps.bytes),
        name(largest(files.clone().map(|(path, bytes)| (folder(path), bytes)))),
        name(largest(files))
    )
}

/// The first folder of a path; `.` for a file at the top.
fn folder(path: &str) -> &str {
    path.split_once('/').map_or(".", |(first, _)| first)
}

fn largest<'a>(weighed: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, weight) in weighed {
        *sums.entry(name).or_default() += weight;
    }
    let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    sums.into_iter().take(3).map(|(name, weight)| (name.to_string(), weight)).collect()
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
