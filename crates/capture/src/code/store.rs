//! Freezing what was surveyed: `snapshots/<hash>/` with `manifest.json`, `files/` and, where there are uncommitted changes, `diff.patch`.
//!
//! A snapshot is built beside its place, made durable and renamed, so it is there in whole or not at all, and two who store the
//! same do not disturb each other. Files that a recent snapshot has are hard-linked from there; nothing ever writes to them.

use super::manifest::{DIFF, FILES, MANIFEST, Manifest};
use super::{Survey, manifest, read};
use crate::CaptureError;
use crate::sign::unique;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What is being built begins so. Snapshots' names never do.
const UNFINISHED: &str = ".new-";
/// A file system that is asked to write out everything does so in the time of a few single files; asked for few files, it should not
/// wait for what others write.
const SYNCED_SINGLY: usize = 32;
/// In how many of the latest snapshots unchanged files are looked for.
const LOOK_BACK: usize = 3;

/// Freezes what was surveyed under its hash, which is returned. What is already there is only looked up.
pub fn store(survey: &Survey, snapshots: &Path) -> Result<String, CaptureError> {
    if let Some(why) = &survey.in_place_because {
        return Err(CaptureError::new(format!("no snapshot can be made: {why}"), &survey.top, "run in place"));
    }
    let mut manifest = Manifest::of(survey);
    // What could not be copied out again is not stored in the first place.
    manifest.check().map_err(|why| CaptureError::new(why, &survey.top, "take it out of the folder, or set [code] in_place = true"))?;
    let (_, name) = manifest.seal()?;
    if is_wanted_again(&snapshots.join(&name)) {
        return Ok(name);
    }
    let draft = Draft::beside(snapshots);
    let copied = draft.fill(survey, snapshots, &mut manifest)?;
    draft.finish(snapshots, &manifest, &copied)
}

/// Whether a snapshot is there; that somebody wants it shows in its time, and whoever takes away what nobody has looks at that.
pub fn is_wanted_again(place: &Path) -> bool {
    if let Ok(folder) = File::open(place) {
        folder.set_modified(std::time::SystemTime::now()).ok();
    }
    place.join(MANIFEST).is_file()
}

/// Removes what was left half-built by a crash before `before`. Gives the number of folders removed.
pub fn remove_unfinished(snapshots: &Path, before: std::time::SystemTime) -> usize {
    let Ok(entries) = std::fs::read_dir(snapshots) else { return 0 };
    let old = |place: &Path| std::fs::metadata(place).and_then(|meta| meta.modified()).is_ok_and(|at| at < before);
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED) && old(&entry.path()))
        .filter(|entry| std::fs::remove_dir_all(entry.path()).is_ok())
        .count()
}

/// A snapshot that is being built. Dropped before it is finished, it is removed.
pub struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Draft {
    /// A place of its own among the snapshots; nothing is there yet.
    pub fn beside(snapshots: &Path) -> Draft {
        Draft(snapshots.join(format!("{UNFINISHED}{}", unique())))
    }

    pub fn place(&self) -> &Path {
        &self.0
    }

    /// Brings the files in and gives those that are new. The manifest then says what was really copied, also where a file has
    /// changed since the survey.
    fn fill(&self, survey: &Survey, snapshots: &Path, manifest: &mut Manifest) -> Result<Vec<PathBuf>, CaptureError> {
        let failed = |error: io::Error| CaptureError::io("store the snapshot", snapshots, &error);
        let files = self.0.join(FILES);
        std::fs::create_dir_all(&files).map_err(failed)?;
        make_folders(&files, manifest.files.iter().map(|file| file.path.as_str())).map_err(failed)?;
        let stored = Stored::recent(snapshots);
        let copied = read::in_parallel(&manifest.files, |file| {
            let to = files.join(&file.path);
            let linked = stored.place(&file.sha256, file.executable).is_some_and(|from| std::fs::hard_link(from, &to).is_ok());
            if linked { Ok(None) } else { read::copy_frozen(&survey.place().join(&file.path), &to).map(Some) }
        });
        let mut kept = Vec::with_capacity(manifest.files.len());
        let mut new = Vec::new();
        for (mut file, copied) in std::mem::take(&mut manifest.files).into_iter().zip(copied) {
            match copied {
                Ok(None) => kept.push(file),
                Ok(Some(hashed)) => {
                    file.sha256 = hashed.sha256;
                    file.size = hashed.size;
                    file.executable = hashed.executable;
                    new.push(files.join(&file.path));
                    kept.push(file);
                }
                Err(error) if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded => {
                    return Err(failed(error));
                }
                Err(error) => {
                    let _ = std::fs::remove_file(files.join(&file.path));
                    manifest.left_out.push((file.path, format!("it changed or vanished while it was copied: {error}")));
                }
            }
        }
        manifest.files = kept;
        manifest.left_out.sort();
        if !survey.diff.is_empty() {
            let place = self.0.join(DIFF);
            write_frozen(&place, &survey.diff).map_err(failed)?;
            new.push(place);
        }
        Ok(new)
    }

    fn finish(self, snapshots: &Path, manifest: &Manifest, copied: &[PathBuf]) -> Result<String, CaptureError> {
        let failed = |error: io::Error| CaptureError::io("store the snapshot", snapshots, &error);
        let (bytes, name) = manifest.seal()?;
        let place = snapshots.join(&name);
        write_frozen(&self.0.join(MANIFEST), &bytes).map_err(failed)?;
        if copied.len() > SYNCED_SINGLY {
            File::open(&self.0).and_then(|folder| Ok(nix::unistd::syncfs(folder)?)).map_err(failed)?;
        } else {
            sync_singly(&self.0, manifest, copied).map_err(failed)?;
        }
        match std::fs::rename(&self.0, &place) {
            Ok(()) => {}
            // Somebody else was faster, with the same content.
            Err(_) if place.join(MANIFEST).is_file() => return Ok(name),
            Err(error) => return Err(failed(error)),
        }
        File::open(snapshots).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(name)
    }
}

/// The files of the latest snapshots by their hashes.
struct Stored(HashMap<(String, bool), PathBuf>);

impl Stored {
    fn recent(snapshots: &Path) -> Stored {
        let mut found = HashMap::new();
        let entries = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
        let mut dated: Vec<_> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
                Some((entry.metadata().ok()?.modified().ok()?, name))
            })
            .collect();
        dated.sort_unstable_by(|a, b| b.cmp(a));
        for (_, name) in dated.into_iter().take(LOOK_BACK) {
            let Ok(manifest) = Manifest::load(snapshots, &name) else { continue };
            let files = snapshots.join(&name).join(FILES);
            for file in manifest.files {
                // Whether the stored bytes still are what they were is for `gc` to find; a changed length shows at once.
                found.entry((file.sha256, file.executable)).or_insert_with(|| files.join(file.path));
            }
        }
        Stored(found)
    }

    fn place(&self, sha256: &str, executable: bool) -> Option<&PathBuf> {
        self.0.get(&(sha256.to_string(), executable))
    }
}

/// Makes the folders of all `paths` below `top`.
pub(super) fn make_folders<'a>(top: &Path, paths: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let folders: BTreeSet<&str> = paths.filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    let mut made: Option<&str> = None;
    for folder in folders.iter().rev() {
        // In reverse order a folder comes after those in it, and is there already.
        if made.is_none_or(|made| !made.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))) {
            std::fs::create_dir_all(top.join(folder))?;
        }
        made = Some(folder);
    }
    Ok(())
}

fn write_frozen(place: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = File::create_new(place)?;
    file.write_all(bytes)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o444))
}

/// The names of the files are durable when their folders are.
fn sync_singly(draft: &Path, manifest: &Manifest, copied: &[PathBuf]) -> io::Result<()> {
    let files = draft.join(FILES);
    let mut places: BTreeSet<PathBuf> = copied.iter().cloned().collect();
    for file in &manifest.files {
        places.extend(file.path.match_indices('/').map(|(end, _)| files.join(&file.path[..end])));
    }
    places.extend([draft.join(MANIFEST), files, draft.to_path_buf()]);
    let places: Vec<PathBuf> = places.into_iter().collect();
    read::in_parallel(&places, |place| File::open(place)?.sync_all()).into_iter().collect()
}

/// The uncommitted changes of a snapshot, if there were any.
pub fn diff_text(snapshots: &Path, hash: &str) -> Option<Vec<u8>> {
    std::fs::read(manifest::folder(snapshots, hash).ok()?.join(DIFF)).ok()
}
