//! A snapshot that comes from elsewhere becomes one of ours: when it is to the byte what its name says, and leads nowhere.

use super::manifest::{self, DIFF, FILES, MANIFEST, Manifest};
use super::read::hash_file;
use crate::CaptureError;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is left to whoever imports.
const WITHOUT: &str = "the run can be imported without its code";

/// Takes the snapshot `name` out of the folder `staged`, where it lies under its name and nobody else's hand is, to the others. Durable
/// once it returns.
pub fn adopt(staged: &Path, name: &str, snapshots: &Path) -> Result<(), CaptureError> {
    let manifest = Manifest::load(staged, name)?;
    if let Some(link) = manifest.links.iter().find(|link| link.outside) {
        let why = format!("the code has a link that leads out of it, '{}' to '{}'", link.path, link.target);
        return Err(CaptureError::new(why, &staged.join(name), WITHOUT));
    }
    land(staged, snapshots, (name, &manifest), WITHOUT)
}

/// The same of a snapshot that we stored on another machine: links that lead out of the code stay, as they would there.
pub fn adopt_ours(staged: &Path, name: &str, snapshots: &Path) -> Result<(), CaptureError> {
    land(staged, snapshots, (name, &Manifest::load(staged, name)?), "it has to be sent again")
}

/// The files that a snapshot is made of, with their lengths, relative to its folder.
pub fn contents(snapshots: &Path, name: &str) -> Result<Vec<(String, u64)>, CaptureError> {
    let manifest = Manifest::load(snapshots, name)?;
    let place = manifest::folder(snapshots, name)?;
    let first = [MANIFEST, DIFF].into_iter().filter(|file| *file == MANIFEST || !manifest.diff.is_empty());
    let first = first.map(|file| {
        let meta = fs::metadata(place.join(file)).map_err(|error| CaptureError::io("read the snapshot", &place.join(file), &error))?;
        Ok((file.to_string(), meta.len()))
    });
    first.chain(manifest.files.iter().map(|file| Ok((format!("{FILES}/{}", file.path), file.size)))).collect()
}

fn land(staged: &Path, snapshots: &Path, (name, manifest): (&str, &Manifest), remedy: &str) -> Result<(), CaptureError> {
    let place = staged.join(name);
    let failed = |error: io::Error| CaptureError::io("store the snapshot", snapshots, &error);
    let refused = |why: String| CaptureError::new(why, &place, remedy);
    let mut expected: BTreeSet<PathBuf> = BTreeSet::from([place.join(MANIFEST)]);
    if !manifest.diff.is_empty() {
        let diff = place.join(DIFF);
        if hash_file(&diff).map_err(failed)?.sha256 != manifest.diff {
            return Err(refused("the uncommitted changes are not what the snapshot's manifest says".into()));
        }
        expected.insert(diff);
    }
    for file in &manifest.files {
        let path = place.join(FILES).join(&file.path);
        let found = hash_file(&path).map_err(|error| CaptureError::io("read the snapshot", &path, &error))?;
        if found.size != file.size || found.sha256 != file.sha256 {
            return Err(refused(format!("'{}' is not what the snapshot's manifest says", file.path)));
        }
        fs::set_permissions(&path, Permissions::from_mode(if file.executable { 0o555 } else { 0o444 })).map_err(failed)?;
        expected.insert(path);
    }
    let mut found = Vec::new();
    files_below(&place, &mut found).map_err(failed)?;
    if let Some(other) = found.iter().find(|path| !expected.contains(*path)) {
        return Err(refused(format!("{} does not belong to it", other.strip_prefix(&place).unwrap_or(other).display())));
    }
    fs::create_dir_all(place.join(FILES)).map_err(failed)?;
    File::open(&place).and_then(|folder| Ok(nix::unistd::syncfs(folder)?)).map_err(failed)?;
    let target = snapshots.join(name);
    match fs::rename(&place, &target) {
        Err(_) if target.join(MANIFEST).is_file() => return Ok(()),
        moved => moved.map_err(failed)?,
    }
    File::open(snapshots).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files_below(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}
