//! `manifest.json`: what a snapshot holds. Its SHA-256 is the snapshot's name, so nothing in it can change unseen.

use super::{Entry, Large, Link, Submodule, Survey};
use crate::CaptureError;
use crate::sign::hash;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

const FORMAT: u32 = 1;
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const FILES: &str = "files";
pub(super) const DIFF: &str = "diff.patch";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The commit that `diff.patch` starts from; empty without one.
    pub(super) commit: String,
    /// SHA-256 of `diff.patch`; empty where there is none.
    pub(super) diff: String,
    pub(super) files: Vec<Entry>,
    pub(super) links: Vec<Link>,
    pub(super) large: Vec<Large>,
    /// Folders that must be there although nothing is in them.
    pub(super) folders: Vec<String>,
    pub(super) submodules: Vec<Submodule>,
    pub(super) untracked: Vec<String>,
    pub(super) left_out: Vec<(String, String)>,
}

impl Manifest {
    pub(super) fn of(survey: &Survey) -> Manifest {
        let below = &survey.below;
        let paths = survey.files.iter().map(|file| &file.path).chain(survey.large.iter().map(|file| &file.path));
        let needed = !below.is_empty()
            && !paths
                .chain(&survey.folders)
                .chain(survey.links.iter().map(|link| &link.path))
                .any(|path| path.strip_prefix(below.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        Manifest {
            format: FORMAT,
            commit: survey.git.as_ref().map(|git| git.commit.clone()).unwrap_or_default(),
            diff: if survey.diff.is_empty() { String::new() } else { hash(&survey.diff) },
            files: survey.files.clone(),
            links: survey.links.clone(),
            large: survey.large.clone(),
            folders: survey.folders.iter().chain(Some(below).filter(|_| needed)).cloned().collect(),
            submodules: survey.submodules.clone(),
            untracked: survey.untracked.clone(),
            left_out: survey.left_out.clone(),
        }
    }

    /// The bytes that are stored, and their hash.
    pub(super) fn seal(&self) -> Result<(Vec<u8>, String), CaptureError> {
        let bytes = serde_json::to_vec(self).map_err(|error| {
            CaptureError::new(format!("cannot write the manifest: {error}"), Path::new(MANIFEST), "report this as a bug")
        })?;
        let name = hash(&bytes);
        Ok((bytes, name))
    }

    /// Reads and checks the manifest of the snapshot `name`: nothing in it leads out of the folder that is made from it.
    pub(super) fn load(snapshots: &Path, name: &str) -> Result<Manifest, CaptureError> {
        let place = folder(snapshots, name)?.join(MANIFEST);
        let bytes = std::fs::read(&place).map_err(|error| CaptureError::io("read the snapshot", &place, &error))?;
        let damaged = |what: String| CaptureError::new(what, &place, "submit the run again from its code; this snapshot cannot be used");
        if hash(&bytes) != name {
            return Err(damaged("the snapshot's manifest is damaged: it does not match its name".to_string()));
        }
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged(format!("the snapshot's manifest cannot be read: {error}")))?;
        if manifest.format > FORMAT {
            return Err(CaptureError::new(
                format!("the snapshot has format {} and this neronet reads up to {FORMAT}", manifest.format),
                &place,
                "use the newer neronet that wrote it",
            ));
        }
        manifest.check().map_err(damaged)?;
        Ok(manifest)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let links: HashSet<&str> = self.links.iter().map(|link| link.path.as_str()).collect();
        for path in self.paths() {
            if !is_safe(path) {
                return Err(format!("the snapshot names the path '{path}', which would leave the run's folder"));
            }
            if path.match_indices('/').any(|(end, _)| links.contains(&path[..end])) {
                return Err(format!("the snapshot names the path '{path}', which leads through a symlink"));
            }
        }
        for link in &self.links {
            let absolute = link.target.starts_with('/');
            if absolute != link.outside || (!absolute && leaves(&link.path, &link.target)) {
                return Err(format!("the snapshot's symlink '{}' to '{}' would leave the run's folder", link.path, link.target));
            }
        }
        Ok(())
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|file| file.path.as_str());
        files
            .chain(self.links.iter().map(|link| link.path.as_str()))
            .chain(self.large.iter().map(|file| file.path.as_str()))
            .chain(self.folders.iter().map(String::as_str))
    }
}

/// The folder of the snapshot `name`, which must be a hash and so cannot lead elsewhere.
pub(super) fn folder(snapshots: &Path, name: &str) -> Result<PathBuf, CaptureError> {
    if name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(snapshots.join(name))
    } else {
        Err(CaptureError::new(format!("'{name}' is no snapshot's name"), snapshots, "a snapshot's name is 64 hexadecimal digits"))
    }
}

/// Plain names joined by single slashes.
pub(super) fn is_safe(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether a relative link's target climbs above the top.
pub(super) fn leaves(path: &str, target: &str) -> bool {
    let mut depth = Path::new(path).components().count().saturating_sub(1);
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            _ => depth += 1,
        }
    }
    false
}
