//! Whether a folder lies on a file system that other machines share, and whether locks hold across it. Told by what is mounted: the text
//! of `/proc/self/mountinfo` comes in as a value; where that says nothing, by the kernel's number of the file system.

use crate::space::mount_of;
use nix::sys::statfs::statfs;
use std::path::{Path, PathBuf};

/// As mountinfo calls them.
const KINDS: [&str; 20] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "ceph",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.sshfs",
    "glusterfs",
    "fuse.glusterfs",
    "fuse.juicefs",
    "9p",
    "beegfs",
    "afs",
    "panfs",
    "pvfs2",
    "wekafs",
];
/// As the kernel numbers them.
#[rustfmt::skip]
const NUMBERS: [(i64, &str); 11] = [
    (0x6969, "nfs"), (0x517B, "smbfs"), (0xFF53_4D42, "cifs"), (0xFE53_4D42, "smb3"), (0x0BD0_0BD0, "lustre"), (0x4750_4653, "gpfs"),
    (0x00C3_6400, "ceph"), (0x0102_1997, "9p"), (0x1983_0326, "beegfs"), (0x5346_414F, "afs"), (0xAAD7_AAEA, "panfs"),
];

/// A file system that other machines may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub kind: String,
    /// Where it is mounted.
    pub place: PathBuf,
    /// What makes that locks hold on this machine alone.
    pub local_locks: Option<String>,
}

/// The network file system that a folder lies on, or the next one around it that is there; nothing where it lies on a disk of this machine.
pub fn of(folder: &Path, mounts: &str) -> Option<Network> {
    let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    match mount_of(&there, mounts) {
        Some(mount) if KINDS.contains(&mount.kind.as_str()) => {
            Some(Network { local_locks: local_locks(&mount.kind, &mount.options), kind: mount.kind, place: mount.place })
        }
        Some(_) => None,
        None => {
            let number = statfs(&there).ok()?.filesystem_type().0 as i64 & 0xFFFF_FFFF;
            let (_, kind) = NUMBERS.iter().find(|(known, _)| *known == number)?;
            Some(Network { kind: (*kind).to_string(), place: there, local_locks: None })
        }
    }
}

/// Which option keeps whole-file locks from reaching other machines.
fn local_locks(kind: &str, options: &str) -> Option<String> {
    let all: &[&str] = match kind {
        "nfs" | "nfs4" => &["nolock", "local_lock=all", "local_lock=flock"],
        "cifs" | "smb3" => &["nobrl", "nolock"],
        "lustre" => &["localflock", "noflock"],
        // It has no locks of its own.
        "fuse.sshfs" => return Some("sshfs".to_string()),
        _ => &[],
    };
    options.split(',').find(|option| all.contains(option)).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line of mountinfo.
    fn mounted(place: &Path, kind: &str, options: &str) -> String {
        format!("36 25 0:32 / {} rw,relatime shared:1 - {kind} server:/export {options}\n", place.display())
    }

    #[test]
    fn the_innermost_mount_says_whether_others_share_a_folder_and_its_options_whether_locks_hold() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().canonicalize().expect("there");
        std::fs::create_dir(home.join("local")).expect("made");
        let root = mounted(Path::new("/"), "ext4", "rw");
        let on = |kind: &str, options: &str| of(&home.join("not/yet/there"), &format!("{root}{}", mounted(&home, kind, options)));
        assert_eq!(of(&home, &root), None);
        let nfs = on("nfs4", "rw,vers=4.2,local_lock=none,addr=10.0.0.1");
        assert_eq!(nfs, Some(Network { kind: "nfs4".into(), place: home.clone(), local_locks: None }));
        let local = |kind: &str, options: &str| on(kind, options).and_then(|network| network.local_locks);
        assert_eq!(local("nfs", "rw,vers=3,nolock").as_deref(), Some("nolock"));
        assert_eq!(local("nfs", "rw,local_lock=all").as_deref(), Some("local_lock=all"));
        assert_eq!(local("nfs", "rw,local_lock=posix"), None, "those are other locks than ours");
        assert_eq!(local("lustre", "rw,localflock").as_deref(), Some("localflock"));
        assert_eq!(local("fuse.sshfs", "rw").as_deref(), Some("sshfs"));
        for kind in ["cifs", "lustre", "gpfs", "ceph", "9p", "beegfs", "afs"] {
            assert!(on(kind, "rw").is_some(), "{kind}");
        }
        for kind in ["ext4", "xfs", "tmpfs", "overlay", "fuse.ntfs"] {
            assert_eq!(on(kind, "rw"), None, "{kind}");
        }
        let within = format!("{}{}", mounted(&home, "nfs4", "rw"), mounted(&home.join("local"), "xfs", "rw"));
        assert_eq!(of(&home.join("local"), &within), None, "a disk of this machine below it");
        assert!(of(&home, &within).is_some());
    }
}
