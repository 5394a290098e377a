//! What is brought to a target by its name: a file, or a folder with all that is in it.

use super::{Going, Lost, Moved, Traveller, Way, push};
use crate::error::HomeError;
use crate::parcel::{Folder, Listing};
use neronet_target::parcel::Inner;
use neronet_target::wire::Ground;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// One that is there.
#[derive(Debug)]
pub struct Set {
    from: Folder,
    ground: Ground,
    all: Vec<Traveller>,
}

impl Set {
    /// `to`: the folder there that it gets a place in, under its own name.
    ///
    /// # Errors
    /// It is not there, has too many files, or has no name.
    pub fn of(path: &Path, to: &str) -> Result<Set, HomeError> {
        let wrong = |why: &str| HomeError::Words(format!("{}: {why}", path.display()));
        let within = || Inner::try_from(to.trim_end_matches('/').to_string()).is_ok();
        if to.starts_with('~') || to.contains(char::is_control) || !(to.starts_with('/') || within()) {
            return Err(HomeError::Words(format!("--to {}: write an absolute path, or one below the target's folder", to.escape_debug())));
        }
        let to = to.trim_end_matches('/');
        let real = path.canonicalize().map_err(|e| wrong(&e.to_string()))?;
        let name = path.file_name().or_else(|| real.file_name()).and_then(|name| name.to_str());
        let name = name.and_then(|name| Inner::try_from(name.to_string()).ok()).ok_or_else(|| wrong("it has no name that it could get"))?;
        Set::called(path, to, name)
    }

    /// Under another name: `to` is absolute, or lies below the target's folder.
    ///
    /// # Errors
    /// As `of`.
    pub(crate) fn called(path: &Path, to: &str, name: Inner) -> Result<Set, HomeError> {
        let wrong = |why: &str| HomeError::Words(format!("{}: {why}", path.display()));
        let real = path.canonicalize().map_err(|e| wrong(&e.to_string()))?;
        if real.is_dir() {
            let from = Folder::open(&real)?;
            let Listing { entries, left_out, unfit, cut_short } = from.list(&[".".to_string()])?;
            if cut_short {
                return Err(wrong("it has more than 100000 files: pack it into one, or push what is in it in several parts"));
            }
            if left_out > 0 {
                let what = "links that lead out of it, pipes, names that are no text or folders that cannot be read";
                return Err(wrong(&format!("{left_out} of what is in it cannot travel: {what}: {}", unfit.join(", "))));
            }
            let all = entries.into_iter().map(|to| Traveller { from: to.path.clone(), to });
            return Ok(Set { from, ground: Ground::Folder(format!("{to}/{}", name.as_str())), all: all.collect() });
        }
        let from = Folder::open(real.parent().unwrap_or(Path::new("/")))?;
        let own =
            real.file_name().and_then(|name| Inner::try_from(name.to_str()?.to_string()).ok()).ok_or_else(|| wrong("it has no name"))?;
        let mut entry = from.entry(&own)?;
        entry.path = name;
        Ok(Set {
            from,
            ground: Ground::Folder(if to.is_empty() { "/".into() } else { to.into() }),
            all: vec![Traveller { from: own, to: entry }],
        })
    }

    /// By what it is known again while this process lives.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut known = DefaultHasher::new();
        for Traveller { to, .. } in &self.all {
            (to.path.as_str(), to.bytes, to.modified.0, to.mode).hash(&mut known);
        }
        known.finish()
    }

    /// # Errors
    /// As `push`.
    pub fn bring(self, way: &Way, tick: &mut dyn FnMut(&Going)) -> Result<Moved, Lost> {
        push(way, &self.from, &self.ground, self.all, tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn shown(path: &Path, to: &str) -> Result<(Ground, Vec<String>), HomeError> {
        let Set { ground, all, .. } = Set::of(path, to)?;
        Ok((ground, all.into_iter().map(|one| format!("{}>{}", one.from, one.to.path)).collect()))
    }

    #[test]
    fn what_is_brought_has_its_own_name_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path();
        fs::create_dir_all(top.join("cifar/test")).expect("made");
        for path in ["cifar/train.bin", "cifar/test/1.bin", "one.bin"] {
            fs::write(top.join(path), "12").expect("written");
        }
        symlink("one.bin", top.join("two.bin")).expect("linked");
        let of = |path: &str, to: &str| shown(&top.join(path), to).expect("there");
        let at = |path: &str| Ground::Folder(path.into());
        let files = vec!["test/1.bin>test/1.bin".to_string(), "train.bin>train.bin".to_string()];
        assert_eq!(of("cifar", "data"), (at("data/cifar"), files.clone()));
        assert_eq!(of("cifar/.", "/scratch/me/"), (at("/scratch/me/cifar"), files));
        assert_eq!(of("one.bin", "data"), (at("data"), vec!["one.bin>one.bin".to_string()]));
        assert_eq!(of("two.bin", "data"), (at("data"), vec!["one.bin>two.bin".to_string()]));
        symlink("/etc", top.join("cifar/out")).expect("linked");
        assert!(shown(&top.join("cifar"), "data").expect_err("a link").to_string().contains("1 of what is in it cannot travel"));
        assert!(shown(&top.join("absent"), "data").is_err() && shown(&top.join("one.bin"), "~/x").is_err());
        assert!(["../x", "", "a/../b"].iter().all(|to| shown(&top.join("one.bin"), to).is_err()));
    }
}
