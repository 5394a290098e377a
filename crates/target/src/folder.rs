//! Where everything of ours is to be on a machine, from what it says of its folders. Pure.

use crate::probe::{Folder, Found};

/// File systems that do not outlive the machine, or that hold almost nothing.
const PASSING: [&str; 4] = ["tmpfs", "ramfs", "proc", "sysfs"];
/// Less room than this is hardly enough for checkpoints.
pub const LITTLE: u64 = 5_000_000_000;
/// Fewer files can be made than some environments have.
const FEW: u64 = 20_000;

/// The best of its folders with a name of ours in it: the one with most room, the user's home only where there is no other.
pub fn proposed(found: &Found) -> Option<(String, &Folder)> {
    let lasting = || found.folders.iter().filter(|folder| !PASSING.contains(&folder.kind.as_str()));
    let elsewhere = lasting().filter(|folder| folder.path != found.home && folder.free >= LITTLE).max_by_key(|folder| folder.free);
    let folder = elsewhere.or_else(|| lasting().max_by_key(|folder| folder.free))?;
    // Beside a home of neronet, not in it.
    let name = if folder.has_home { "neronet-target" } else { "neronet" };
    Some((format!("{}/{name}", folder.path.trim_end_matches('/')), folder))
}

/// What is to be said of a folder before it is used.
pub fn warnings(found: &Found, folder: &Folder) -> Vec<String> {
    let mut warnings = Vec::new();
    let gb = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    if folder.free < LITTLE {
        let quota = if folder.by_quota { ", by your quota" } else { "" };
        warnings.push(format!("{} has {} free{quota}: checkpoints and copies of code may fill it", folder.path, gb(folder.free)));
    }
    if let Some(files) = folder.files.filter(|files| *files < FEW) {
        warnings.push(format!("{} has room for {files} more files", folder.path));
    }
    if folder.path == found.home && !found.quota.is_empty() {
        warnings.push(format!("{} has a quota: {}", folder.path, found.quota.join("; ")));
    }
    if PASSING.contains(&folder.kind.as_str()) {
        warnings.push(format!("{} is {}: what is there does not outlive a reboot", folder.path, folder.kind));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, gb: u64, kind: &str) -> Folder {
        Folder {
            path: path.into(),
            all: 1 << 50,
            free: gb * 1_000_000_000,
            files: Some(1 << 30),
            kind: kind.into(),
            device: String::new(),
            mark: None,
            by_quota: false,
            has_home: false,
        }
    }

    fn found(folders: Vec<Folder>) -> Found {
        Found { home: "/home/me".into(), folders, ..Found::default() }
    }

    #[test]
    fn the_largest_place_that_is_not_home_is_proposed() {
        let of = |folders| proposed(&found(folders)).map(|(path, _)| path);
        let home = || folder("/home/me", 900, "nfs");
        assert_eq!(
            of(vec![folder("/scratch/me", 400, "lustre"), folder("/data/me/", 800, "xfs"), home()]).as_deref(),
            Some("/data/me/neronet")
        );
        assert_eq!(of(vec![folder("/scratch/me", 1, "lustre"), home()]).as_deref(), Some("/home/me/neronet"));
        assert_eq!(of(vec![folder("/l/me", 400, "tmpfs"), home()]).as_deref(), Some("/home/me/neronet"));
        assert_eq!(of(vec![]), None);
        let taken = Folder { has_home: true, ..folder("/data/me", 800, "xfs") };
        assert_eq!(of(vec![taken, home()]).as_deref(), Some("/data/me/neronet-target"));
    }

    #[test]
    fn little_room_is_said() {
        let small = Folder { files: Some(100), ..folder("/home/me", 1, "nfs") };
        let known = Found { quota: vec!["/dev/sda1 900 1000 1100".into()], ..found(vec![small.clone()]) };
        let said = warnings(&known, &small);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(warnings(&known, &folder("/data/me", 500, "xfs")).is_empty());
    }
}
