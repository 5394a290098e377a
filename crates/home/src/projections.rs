//! Where what was read of the records is stored, lists and curves: in the cache, and where that lies on a file system that other machines share, in a
//! folder of this machine. Over a network they would be slower than what they stand for, and two machines would write the same file.

use crate::context::Context;
use crate::runtime;
use neronet_capture::network::{self, Network};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[derive(Clone)]
pub struct Projections {
    /// What is mounted, as the kernel tells it: `/proc/self/mountinfo`.
    mounts: PathBuf,
    /// A folder of this machine that outlives a restart, for us alone.
    local: PathBuf,
    found: OnceLock<Option<PathBuf>>,
}

impl Projections {
    pub fn new(mounts: PathBuf, local: PathBuf) -> Projections {
        Projections { mounts, local, found: OnceLock::new() }
    }

    /// Where they are; found out once, by who needs them.
    pub fn folder(&self, cache: &Path) -> Option<&Path> {
        let found = || match self.network(cache) {
            None => Some(cache.to_path_buf()),
            Some(_) if self.network(&self.local).is_none() && runtime::private(&self.local).is_ok() => Some(self.local.clone()),
            Some(_) => None,
        };
        self.found.get_or_init(found).as_deref()
    }

    fn network(&self, folder: &Path) -> Option<Network> {
        network::of(folder, &std::fs::read_to_string(&self.mounts).unwrap_or_default())
    }
}

/// What should be known of a home or a cache that other machines share.
pub fn notes(context: &Context) -> Vec<String> {
    let Projections { local, .. } = &context.projections;
    let of_home = context.projections.network(context.home.root());
    let mut notes = Vec::new();
    if let Some(Network { kind, place, local_locks: Some(option) }) = &of_home {
        notes.push(format!(
            "home lies on {kind} (mounted at {}), where locks hold on this machine alone ({option}): use it from one machine at a time",
            place.display()
        ));
    }
    if let Some(Network { kind, place, .. }) = context.projections.network(&context.cache) {
        let where_to = match context.projections.folder(&context.cache) {
            Some(folder) => format!("what is read of the records is stored on this machine, in {}", folder.display()),
            None => format!("the records are read each time, as {} is not a local folder of ours alone", local.display()),
        };
        notes.push(format!("the cache lies on {kind} (mounted at {}): {where_to}", place.display()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn curves_are_kept_in_the_cache_or_in_a_local_folder_that_is_ours_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().canonicalize().expect("there").join(name);
        std::fs::create_dir(path("shared")).expect("made");
        let cache = path("shared/cache");
        let mounted = |place: &Path| format!("36 25 0:32 / {} rw shared:1 - nfs4 server:/export rw\n", place.display());
        let root = "1 0 8:1 / / rw - ext4 /dev/sda rw\n";
        let found = |mounts: String, local: &str| {
            std::fs::write(path("mounts"), format!("{root}{mounts}")).expect("written");
            Projections::new(path("mounts"), path(local)).folder(&cache).map(Path::to_path_buf)
        };
        assert_eq!(found(String::new(), "local"), Some(cache.clone()));
        assert!(!path("local").exists(), "nothing is made that is not needed");
        let shared = mounted(&path("shared"));
        assert_eq!(found(shared.clone(), "local"), Some(path("local")));
        assert_eq!(path("local").metadata().expect("made").mode() & 0o777, 0o700);
        set_permissions(path("local"), Permissions::from_mode(0o755)).expect("ours");
        assert_eq!(found(shared.clone(), "local"), None, "others could look");
        symlink(path("shared"), path("link")).expect("linked");
        assert_eq!(found(shared.clone(), "link"), None, "a link that anybody may have made");
        assert_eq!(found(shared.clone(), "shared/local"), None, "no better than the cache");
        std::fs::write(path("file"), "").expect("written");
        assert_eq!(found(shared, "file"), None);
    }
}
