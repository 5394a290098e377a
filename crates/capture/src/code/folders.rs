//! Folders that are there and hold nothing that is taken along: the empty ones, which git does not know, and those that it ignores.
//! A script that writes into `out/` must find it in its copy, too. What is in them is not looked at: it may be very much.

use super::survey::Surveyor;
use super::walk::SKIPPED;
use std::collections::BTreeSet;
use std::path::Path;

/// More than anybody makes by hand.
pub(super) const MOST_FOLDERS: usize = 1000;

impl Surveyor<'_> {
    /// Finds those right below a folder that is taken along.
    pub(super) fn empty_folders(&mut self) {
        let survey = &self.survey;
        if survey.in_place_because.is_some() {
            return;
        }
        let files = survey.files.iter().map(|file| &file.path);
        let paths = files.chain(survey.large.iter().map(|file| &file.path)).chain(survey.links.iter().map(|link| &link.path));
        let mut held = BTreeSet::from([""]);
        for path in paths {
            for (end, _) in path.rmatch_indices('/') {
                if !held.insert(&path[..end]) {
                    break;
                }
            }
        }
        let told: BTreeSet<&str> = survey.left_out.iter().map(|(path, _)| path.as_str()).collect();
        let mut found: BTreeSet<String> = survey.folders.iter().cloned().collect();
        let mut left = self.caps.files;
        for folder in &held {
            for entry in std::fs::read_dir(survey.top.join(folder)).into_iter().flatten().flatten() {
                let Some(rest) = left.checked_sub(1) else { return };
                left = rest;
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|name| !name.starts_with('.') && !SKIPPED.contains(name)) else { continue };
                let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
                let is_own = || self.own.iter().any(|own| format!("{path}/").starts_with(own.as_str()));
                if !held.contains(path.as_str()) && !told.contains(path.as_str()) && !is_own() && !is_environment(&entry.path()) {
                    found.insert(path);
                }
            }
        }
        self.survey.folders = found.into_iter().take(MOST_FOLDERS).collect();
    }
}

/// What lies in every virtual or conda environment.
pub(super) const ENVIRONMENT_MARKS: [&str; 2] = ["pyvenv.cfg", "conda-meta"];

/// Whether a folder is such an environment, whatever it is called.
pub fn is_environment(folder: &Path) -> bool {
    ENVIRONMENT_MARKS.iter().any(|mark| folder.join(mark).exists())
}
