//! The second half of a survey: what becomes of each path that was listed.

use super::folders::MOST_FOLDERS;
use super::links::Held;
use super::survey::Surveyor;
use super::{Entry, Large, read, size};
use crate::secrets;
use crate::sign::Sign;
use neronet_model::UnixMs;
use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Why a file that looks like a secret is left out.
pub(super) const SECRET: &str = "it looks like a secret";

impl Surveyor<'_> {
    /// Decides for each path what becomes of it, and reads the files that must be read.
    pub(super) fn settle(&mut self, cache: &Path) {
        self.drop_own_folders(cache);
        if self.tracked.len() as u64 > self.caps.files {
            self.survey.in_place_because = Some(size::too_many(&self.survey.top, self.tracked.keys(), self.caps));
            return;
        }
        let behind_links = self.folders_that_are_links();
        let paths = std::mem::take(&mut self.tracked);
        let mut copied: Vec<(String, Metadata, bool)> = Vec::with_capacity(paths.len());
        let mut links: Vec<(String, String)> = Vec::new();
        for (path, tracked) in paths {
            if !behind_links.is_empty() && path.match_indices('/').any(|(end, _)| behind_links.contains(&path[..end])) {
                continue;
            }
            let place = self.survey.top.join(&path);
            let meta = match self.looked_at.remove(&path) {
                Some(meta) => meta,
                None => match std::fs::symlink_metadata(&place) {
                    Ok(meta) => meta,
                    // Tracked and deleted, or gone since it was listed: either way it is not there.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => {
                        self.leave_out(path, &format!("it cannot be looked at: {error}"));
                        continue;
                    }
                },
            };
            // Put back since the last survey, without git's knowledge.
            if tracked && !self.known.files.contains_key(&path) {
                self.diff_known = None;
            }
            if !tracked && (meta.is_symlink() || meta.is_file()) && !secrets::looks_like_secret_file(&path) {
                self.survey.untracked.push(path.clone());
            }
            if meta.is_symlink() {
                match std::fs::read_link(&place).map(|target| target.into_os_string().into_string()) {
                    Ok(Ok(target)) => links.push((path.clone(), target)),
                    Ok(Err(_)) => self.leave_out(path.clone(), "it is a symlink to a name that is not UTF-8"),
                    Err(error) => self.leave_out(path.clone(), &format!("the symlink cannot be read: {error}")),
                }
                self.found.insert(path, (Some(Sign::of(&meta)), String::new()));
            } else if meta.is_dir() {
                // A folder where git's index has a file: what is in it is listed by itself.
            } else if !meta.is_file() {
                self.leave_out(path, "it is a socket, a pipe or a device, not a file");
            } else if secrets::looks_like_secret_file(&path) && secrets::file_holds_secret(&place) {
                self.found.insert(path.clone(), (Some(Sign::of(&meta)), String::new()));
                self.leave_out(path, SECRET);
            } else {
                let large = meta.len() > self.caps.large;
                copied.push((path, meta, large));
            }
        }
        self.room_for_large(&mut copied);
        let bytes: u64 = copied.iter().filter(|(_, _, large)| !large).map(|(_, meta, _)| meta.len()).sum();
        if bytes > self.caps.bytes {
            let sizes = copied.iter().filter(|(_, _, large)| !large).map(|(path, meta, _)| (path.as_str(), meta.len()));
            self.survey.in_place_because = Some(size::too_big(&self.survey.top, sizes, bytes, self.caps));
            return;
        }
        let held = Held::of(copied.iter().map(|(path, _, _)| path.as_str()).chain(links.iter().map(|(path, _)| path.as_str())));
        let from = self.links_from.as_ref().unwrap_or(&self.survey.top);
        self.survey.links = links.iter().map(|(path, target)| held.link(from, path, target)).collect();
        self.read(copied);
        self.survey.left_out.sort();
        self.survey.folders.sort();
        self.survey.folders.truncate(MOST_FOLDERS);
    }

    /// neronet's own home and cache may lie in the tree; they must not grow a copy of themselves with every run.
    fn drop_own_folders(&mut self, cache: &Path) {
        let top = &self.survey.top;
        let locks = self.tracked.keys().filter(|path| *path == "home.lock" || path.ends_with("/home.lock"));
        let mut own: Vec<String> = locks
            .map(|path| path.trim_end_matches("home.lock").to_string())
            .filter(|folder| top.join(folder).join("journal").is_dir())
            .collect();
        let cache = cache.canonicalize().ok();
        let cache = cache.as_ref().and_then(|cache| cache.strip_prefix(top).ok()?.to_str());
        own.extend(cache.filter(|cache| !cache.is_empty()).map(|cache| format!("{cache}/")));
        if own.iter().any(String::is_empty) {
            let why = "the folder is neronet's own home, which is never copied; start from the folder of the code";
            self.survey.in_place_because = Some(why.to_string());
        }
        if !own.is_empty() {
            self.tracked.retain(|path, _| !own.iter().any(|folder| path.starts_with(folder.as_str())));
            self.survey.folders.retain(|path| !own.iter().any(|folder| format!("{path}/").starts_with(folder.as_str())));
        }
        self.own = own;
    }

    /// What is linked a run could write to, so large files are frozen like all others while there is room, the smallest first.
    fn room_for_large(&self, copied: &mut [(String, Metadata, bool)]) {
        let taken: u64 = copied.iter().filter(|(_, _, large)| !large).map(|(_, meta, _)| meta.len()).sum();
        let mut room = self.caps.bytes.saturating_sub(taken);
        let mut large: Vec<&mut (String, Metadata, bool)> = copied.iter_mut().filter(|(_, _, large)| *large).collect();
        large.sort_by_key(|(_, meta, _)| meta.len());
        for (_, meta, large) in large {
            let Some(left) = room.checked_sub(meta.len()) else { return };
            (room, *large) = (left, false);
        }
    }

    /// Git lists what its index has, even where a folder on the way has been replaced by a symlink.
    fn folders_that_are_links(&self) -> BTreeSet<String> {
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        for path in self.tracked.keys() {
            for (end, _) in path.rmatch_indices('/') {
                if !folders.insert(&path[..end]) {
                    break;
                }
            }
        }
        let is_link = |folder: &&str| std::fs::symlink_metadata(self.survey.top.join(folder)).is_ok_and(|meta| meta.is_symlink());
        folders.into_iter().filter(is_link).map(str::to_string).collect()
    }

    /// Hashes what the cache does not vouch for.
    fn read(&mut self, copied: Vec<(String, Metadata, bool)>) {
        let known_hash = |path: &str, meta: &Metadata| match self.known.files.get(path) {
            Some((Some(sign), hash)) if !hash.is_empty() && *sign == Sign::of(meta) => Some(hash.clone()),
            _ => None,
        };
        let mut hashes: Vec<Option<String>> =
            copied.iter().map(|(path, meta, large)| if *large { Some(String::new()) } else { known_hash(path, meta) }).collect();
        let unknown: Vec<usize> = (0..copied.len()).filter(|i| hashes[*i].is_none()).collect();
        if !unknown.is_empty() && self.draft.is_none() {
            self.draft = self.shelf.draft();
        }
        let top = &self.survey.top;
        let results = read::in_parallel(&unknown, |i| read::hash_file(&top.join(&copied[*i].0)));
        let mut fresh: HashMap<usize, read::Hashed> = HashMap::new();
        for (i, result) in unknown.into_iter().zip(results) {
            match result {
                Ok(hashed) => {
                    hashes[i] = Some(hashed.sha256.clone());
                    fresh.insert(i, hashed);
                }
                Err(error) => self.survey.left_out.push((copied[i].0.clone(), format!("it cannot be read: {error}"))),
            }
        }
        for (i, (path, meta, large)) in copied.into_iter().enumerate() {
            let Some(sha256) = hashes[i].take() else {
                self.survey.untracked.retain(|other| *other != path);
                continue;
            };
            // What changed while it was read is not remembered: its hash is of a moment.
            let (sign, size) = match fresh.remove(&i) {
                Some(hashed) => (hashed.sign, hashed.size),
                None => (Some(Sign::of(&meta)), meta.len()),
            };
            self.found.insert(path.clone(), (sign, sha256.clone()));
            if large {
                let mtime = UnixMs(meta.mtime().saturating_mul(1000).saturating_add(meta.mtime_nsec() / 1_000_000));
                self.survey.large.push(Large { path, size, mtime });
            } else {
                let executable = meta.mode() & 0o100 != 0;
                self.survey.files.push(Entry { path, size, executable, sha256 });
            }
        }
    }
}
