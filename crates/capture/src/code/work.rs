//! A run's own copy of a snapshot: writable, and sharing nothing that a write could reach.

use super::links::normal;
use super::manifest::{FILES, Manifest, is_safe};
use super::read::{self, Cloner};
use super::store::make_folders;
use crate::CaptureError;
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Makes `work`, a run's own writable copy. `link` names what is symlinked into it: paths relative to `top`, or absolute; what is
/// absolute and not below `top` goes by its last name. `work` must not exist, or be empty.
pub fn materialise(snapshots: &Path, hash: &str, work: &Path, link: &[String], top: &Path) -> Result<(), CaptureError> {
    let manifest = Manifest::load(snapshots, hash)?;
    let plan = Plan::of(&manifest, link, top)?;
    // Built beside its place and renamed: a folder that is there is whole.
    let name = work.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let draft = work.with_file_name(format!(".{name}.part"));
    let failed = |error: io::Error| CaptureError::io("make the run's copy of the code", work, &error);
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(failed)?;
    }
    std::fs::create_dir_all(&draft).map_err(failed)?;
    let built = plan.build(&snapshots.join(hash).join(FILES), &draft).and_then(|()| std::fs::rename(&draft, work).map_err(failed));
    if built.is_err() {
        let _ = std::fs::remove_dir_all(&draft);
    }
    built
}

/// Where the files of a snapshot lie, that none may change.
pub fn stored(snapshots: &Path, hash: &str) -> PathBuf {
    snapshots.join(hash).join(FILES)
}

/// Makes `work` of what a build made of a snapshot, as it is but for its owner: times too, since tools such as make go by them. The
/// build may have been another work tree's: what leads to that leads to `top` here. `work` must not exist.
pub fn copy_built(snapshots: &Path, hash: &str, built: &Path, work: &Path, link: &[String], top: &Path) -> Result<(), CaptureError> {
    let manifest = Manifest::load(snapshots, hash)?;
    let mut links = Plan::of(&manifest, link, top)?.links;
    let own: HashSet<(&str, &Path)> = manifest.links.iter().map(|own| (own.path.as_str(), Path::new(&own.target))).collect();
    links.retain(|path, target| !own.contains(&(path.as_str(), target.as_path())));
    let cloner = Cloner::default();
    std::fs::create_dir(work).map_err(|error| CaptureError::io("make the run's copy of the code", work, &error))?;
    for (path, meta) in tree(built)? {
        let (from, place) = (built.join(&path), work.join(&path));
        let copied = if meta.is_dir() {
            std::fs::create_dir(&place)
        } else if meta.is_symlink() {
            let target = path.to_str().and_then(|path| links.get(path).cloned());
            target.map_or_else(|| std::fs::read_link(&from), Ok).and_then(|target| symlink(target, &place))
        } else if meta.is_file() {
            copy_built_file(&cloner, &from, &place, &meta)
        } else {
            Ok(())
        };
        copied.map_err(|error| CaptureError::io(&format!("copy {} there", from.display()), &place, &error))?;
    }
    Ok(())
}

fn copy_built_file(cloner: &Cloner, from: &Path, place: &Path, meta: &Metadata) -> io::Result<()> {
    let executable = meta.permissions().mode() & 0o111 != 0;
    cloner.copy(from, place, meta.len(), executable)?;
    File::options().write(true).open(place)?.set_modified(meta.modified()?)
}

/// All that is below a folder, by its path below it; a folder comes before what is in it.
fn tree(top: &Path) -> Result<Vec<(PathBuf, Metadata)>, CaptureError> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let failed = |error: io::Error| CaptureError::io("read the built code", &top.join(&folder), &error);
        for entry in std::fs::read_dir(top.join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, meta) = (folder.join(entry.file_name()), entry.metadata().map_err(failed)?);
            if meta.is_dir() {
                folders.push(path.clone());
            }
            all.push((path, meta));
        }
    }
    Ok(all)
}

/// After a power cut, which may leave files empty whose bytes were not yet on the disk: puts those of the code right that are
/// empty or missing and should not be. Gives their number.
pub fn mend(snapshots: &Path, hash: &str, work: &Path, link: &[String], top: &Path) -> Result<usize, CaptureError> {
    let manifest = Manifest::load(snapshots, hash)?;
    let plan = Plan::of(&manifest, link, top)?;
    let (stored, cloner) = (stored(snapshots, hash), Cloner::default());
    let copy = |path: &Path, place: &Path, file: &super::Entry| cloner.copy(&stored.join(path), place, file.size, file.executable);
    mend_files(plan.files.iter().map(|file| (Path::new(&file.path), file.size, *file)), work, copy)
}

/// The same of what was copied from a build.
pub fn mend_built(built: &Path, work: &Path) -> Result<usize, CaptureError> {
    let (tree, cloner) = (tree(built)?, Cloner::default());
    let copy = |path: &Path, place: &Path, meta: &Metadata| copy_built_file(&cloner, &built.join(path), place, meta);
    mend_files(tree.iter().filter(|(_, meta)| meta.is_file()).map(|(path, meta)| (path.as_path(), meta.len(), meta)), work, copy)
}

fn mend_files<'a, F>(
    files: impl Iterator<Item = (&'a Path, u64, F)>,
    work: &Path,
    copy: impl Fn(&Path, &Path, F) -> io::Result<()>,
) -> Result<usize, CaptureError> {
    let lost = |place: &Path| std::fs::symlink_metadata(place).map_or(true, |meta| meta.is_file() && meta.len() == 0);
    let mut mended = 0;
    for (path, _, file) in files.filter(|(path, size, _)| *size > 0 && lost(&work.join(path))) {
        let place = work.join(path);
        std::fs::remove_file(&place).ok();
        let made = std::fs::create_dir_all(place.parent().unwrap_or(work)).and_then(|()| copy(path, &place, file));
        made.map_err(|error| CaptureError::io("mend the run's copy of the code", &place, &error))?;
        mended += 1;
    }
    Ok(mended)
}

/// What is put where. No path leads through a symlink of the plan.
struct Plan<'a> {
    files: Vec<&'a super::Entry>,
    folders: Vec<&'a str>,
    /// Path and target.
    links: BTreeMap<String, PathBuf>,
}

impl<'a> Plan<'a> {
    fn of(manifest: &'a Manifest, link: &[String], top: &Path) -> Result<Plan<'a>, CaptureError> {
        let mut links: BTreeMap<String, PathBuf> = BTreeMap::new();
        for entry in link {
            let (path, target) = linked(entry, top)?;
            links.insert(path, target);
        }
        // What is linked whole comes from there alone, whatever the snapshot has of it.
        let asked: HashSet<String> = links.keys().cloned().collect();
        let covered = |path: &str| asked.contains(path) || path.match_indices('/').any(|(end, _)| asked.contains(&path[..end]));
        links.retain(|path, _| !path.match_indices('/').any(|(end, _)| asked.contains(&path[..end])));
        for file in manifest.large.iter().filter(|file| !covered(&file.path)) {
            links.insert(file.path.clone(), top.join(&file.path));
        }
        for own in manifest.links.iter().filter(|own| !covered(&own.path)) {
            links.insert(own.path.clone(), PathBuf::from(&own.target));
        }
        let plan = Plan {
            files: manifest.files.iter().filter(|file| !covered(&file.path)).collect(),
            folders: manifest.folders.iter().map(String::as_str).filter(|folder| !covered(folder)).collect(),
            links,
        };
        for path in plan.paths() {
            if path.match_indices('/').any(|(end, _)| plan.links.contains_key(&path[..end])) {
                return Err(CaptureError::new(
                    format!("'{path}' would be put through a symlink and so leave the run's folder"),
                    top,
                    "name the folder itself under [code] link, not something behind a symlink",
                ));
            }
        }
        Ok(plan)
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|file| file.path.as_str());
        files.chain(self.folders.iter().copied()).chain(self.links.keys().map(String::as_str))
    }

    fn build(&self, stored: &Path, draft: &Path) -> Result<(), CaptureError> {
        let failed = |path: &str| {
            let place = draft.join(path);
            move |error: io::Error| CaptureError::io("make the run's copy of the code", &place, &error)
        };
        make_folders(draft, self.links.keys().map(String::as_str)).map_err(failed(""))?;
        for folder in &self.folders {
            std::fs::create_dir_all(draft.join(folder)).map_err(failed(folder))?;
        }
        let cloner = Cloner::default();
        // Two cores that make files in one folder only wait for each other.
        let folder = |file: &super::Entry| file.path.rfind('/').map_or(0, |end| end);
        let together = |a: &&super::Entry, b: &&super::Entry| a.path[..folder(a)] == b.path[..folder(b)];
        let shares: Vec<&[&super::Entry]> = self.files.chunk_by(together).collect();
        let copied = read::in_shares(&shares, |file| {
            let (from, to) = (stored.join(&file.path), draft.join(&file.path));
            cloner.copy(&from, &to, file.size, file.executable).or_else(|error| match (error.kind(), to.parent()) {
                // Folders are made by whoever needs them first, while others copy.
                (io::ErrorKind::NotFound, Some(folder)) => {
                    std::fs::create_dir_all(folder)?;
                    cloner.copy(&from, &to, file.size, file.executable)
                }
                _ => Err(error),
            })
        });
        for (file, copied) in self.files.iter().zip(copied) {
            copied.map_err(failed(&file.path))?;
        }
        for (path, target) in &self.links {
            symlink(target, draft.join(path)).map_err(failed(path))?;
        }
        Ok(())
    }
}

/// Where an entry of `[code] link` goes in the work copy, and what it points to. A place outside `top` goes by its last name.
pub fn linked(entry: &str, top: &Path) -> Result<(String, PathBuf), CaptureError> {
    let refused = |what: &str, remedy: &str| CaptureError::new(format!("cannot link '{entry}': {what}"), top, remedy);
    let target = normal(&top.join(entry));
    let path = match target.strip_prefix(top) {
        Ok(below) => below.to_path_buf(),
        Err(_) if entry.starts_with('/') => target.file_name().map(PathBuf::from).unwrap_or_default(),
        Err(_) => PathBuf::new(),
    };
    let path = path.to_string_lossy().into_owned();
    if !is_safe(&path) {
        return Err(refused("it would lie outside the run's folder", "name something below the top of the code, or an absolute path"));
    }
    if std::fs::symlink_metadata(&target).is_err() {
        return Err(refused("it does not exist", "create it, or take it out of [code] link"));
    }
    Ok((path, target))
}
