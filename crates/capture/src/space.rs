//! How much room there is: disk, quota, memory; and whether a folder can be written to. From the system alone, nothing is changed.

pub use neronet_model::size::shown;
use nix::sys::quota::{QuotaType, quotactl_get};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access, getgid, getuid};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The file system that holds a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// For us, in bytes, quotas counted in where they are known.
    pub free: u64,
    pub total: u64,
    /// Files that can still be made; nothing where there is no limit.
    pub inodes: Option<u64>,
    /// A quota leaves less than the disk itself.
    pub by_quota: bool,
    /// Copies take no room until they are changed.
    pub shares_copies: bool,
}

/// File systems on which a copy shares its content. Not all of xfs does, but nearly.
const SHARING: [&str; 3] = ["bcachefs", "btrfs", "xfs"];

/// Looks at the file system of `folder`, or of the next one around it that is there.
pub fn disk(folder: &Path) -> Option<Disk> {
    let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    let known = statvfs(&there).ok()?;
    let unit = known.fragment_size();
    let mount = mount_around(&there);
    let mut disk = Disk {
        mount: mount.as_ref().map_or_else(|| there.clone(), |mount| mount.place.clone()),
        free: known.blocks_available().saturating_mul(unit),
        total: known.blocks().saturating_mul(unit),
        // Some make files as long as there is room, and say 0.
        inodes: (known.files() > 0).then(|| known.files_available()),
        by_quota: false,
        shares_copies: mount.as_ref().is_some_and(|mount| SHARING.contains(&mount.kind.as_str())),
    };
    mount.filter(|mount| mount.has_quota).into_iter().for_each(|mount| disk.limit(&mount.device));
    Some(disk)
}

impl Disk {
    /// What the user's and the group's quota leave, where the kernel tells.
    fn limit(&mut self, device: &Path) {
        let (user, group) = (getuid().as_raw(), getgid().as_raw());
        for (kind, id) in [(QuotaType::USRQUOTA, user), (QuotaType::GRPQUOTA, group)] {
            let Some(quota) = i32::try_from(id).ok().and_then(|id| quotactl_get(kind, device, id).ok()) else { continue };
            // Zero is no limit. The kernel counts in units of 1 kB.
            let of = |hard: Option<u64>, soft: Option<u64>| hard.filter(|n| *n > 0).or(soft.filter(|n| *n > 0));
            if let Some(limit) = of(quota.blocks_hard_limit(), quota.blocks_soft_limit()) {
                let left = limit.saturating_mul(1024).saturating_sub(quota.occupied_space().unwrap_or(0));
                self.by_quota |= left < self.free;
                self.free = self.free.min(left);
            }
            if let Some(limit) = of(quota.inodes_hard_limit(), quota.inodes_soft_limit()) {
                let left = limit.saturating_sub(quota.allocated_inodes().unwrap_or(0));
                self.inodes = Some(self.inodes.map_or(left, |known| known.min(left)));
            }
        }
    }
}

/// Quotas may be switched on.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Asked for before each start of a run, and of some machines the kernel has a thousand mounts to tell.
fn mount_around(there: &Path) -> Option<Mount> {
    type Known = (PathBuf, u64, Instant, Mount);
    static LAST: Mutex<Option<Known>> = Mutex::new(None);
    let device = there.metadata().ok()?.dev();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |(place, known, at, _): &&Known| place == there && *known == device && at.elapsed() < REMEMBERED;
    if let Some((.., mount)) = last.as_ref().filter(is_it) {
        return Some(mount.clone());
    }
    let mount = std::fs::read_to_string("/proc/self/mountinfo").ok().and_then(|mounts| mount_of(there, &mounts))?;
    *last = Some((there.to_path_buf(), device, Instant::now(), mount.clone()));
    Some(mount)
}

#[derive(Clone)]
pub(crate) struct Mount {
    pub(crate) place: PathBuf,
    pub(crate) kind: String,
    device: PathBuf,
    /// Of the file system.
    pub(crate) options: String,
    has_quota: bool,
}

/// The mount that `path` lies in, the last of those at the same place.
pub(crate) fn mount_of(path: &Path, mounts: &str) -> Option<Mount> {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, system) = line.split_once(" - ")?;
        let place = PathBuf::from(unescaped(place.split(' ').nth(4)?));
        let mut system = system.split(' ');
        let (kind, device, options) = (system.next()?, system.next()?, system.next()?);
        let has_quota = options.split(',').any(|option| option.ends_with("quota") && option != "noquota");
        Some(Mount { place, kind: kind.to_string(), device: PathBuf::from(unescaped(device)), options: options.to_string(), has_quota })
    });
    mounts.filter(|mount| path.starts_with(&mount.place)).max_by_key(|mount| mount.place.as_os_str().len())
}

/// Blanks and the like are written as `\040`.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// Memory that a process of ours can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Of the machine, or of the control group that we are in.
    pub total: Option<u64>,
    /// That is not in use at this moment.
    pub available: Option<u64>,
    /// A control group gives less than the machine has.
    pub by_group: bool,
}

pub fn memory() -> Memory {
    memory_under(Path::new("/"))
}

fn memory_under(root: &Path) -> Memory {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let known = text("proc/meminfo");
    let field = |name: &str| {
        let kilobytes = known.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        Some(kilobytes?.saturating_mul(1024))
    };
    let mut memory = Memory { total: field("MemTotal:"), available: field("MemAvailable:"), by_group: false };
    let groups = text("proc/self/cgroup");
    let groups: Vec<Group> = groups.lines().flat_map(|line| groups_of(&root.join("sys/fs/cgroup"), line)).collect();
    if let Some(limit) = groups.iter().map(|group| group.limit).min().filter(|limit| memory.total.is_none_or(|total| *limit < total)) {
        let left = groups.iter().map(|group| group.limit.saturating_sub(group.used)).min();
        memory = Memory { total: Some(limit), available: memory.available.min(left), by_group: true };
    }
    memory
}

/// A control group with a limit.
struct Group {
    limit: u64,
    /// Without the copies of files that the kernel gives up when others need the room.
    used: u64,
}

/// A control group and those around it. `line` is one of `/proc/self/cgroup`.
fn groups_of(root: &Path, line: &str) -> Vec<Group> {
    let Some((_, (controllers, path))) = line.split_once(':').and_then(|(n, rest)| Some((n, rest.split_once(':')?))) else {
        return Vec::new();
    };
    let (top, limit, used, files) = match controllers {
        "" => (root.to_path_buf(), "memory.max", "memory.current", "inactive_file "),
        list if list.split(',').any(|one| one == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        }
        _ => return Vec::new(),
    };
    let group = |path: &Path| {
        let read = |file: &str| std::fs::read_to_string(top.join(path).join(file)).ok();
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let limit = number(limit)?;
        let files = read("memory.stat").and_then(|text| text.lines().find_map(|line| line.strip_prefix(files)?.trim().parse().ok()));
        Some(Group { limit, used: number(used).unwrap_or(0).saturating_sub(files.unwrap_or(0)) })
    };
    Path::new(path.trim_start_matches('/')).ancestors().filter_map(group).collect()
}

/// Why nothing can be written below `folder`, which need not be there yet.
pub fn not_writable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|folder| std::fs::symlink_metadata(folder).is_ok())?;
    match std::fs::metadata(there) {
        Err(_) => Some(format!("{} is a link to what is not there", there.display())),
        Ok(meta) if !meta.is_dir() => Some(format!("{} is no folder", there.display())),
        Ok(_) => {
            let refused = access(there, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
            let made = if there == folder { "" } else { ", where it would have to be made," };
            Some(format!("{}{made} cannot be written to ({})", there.display(), refused.desc().to_lowercase()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, content: &str) {
        let place = root.join(path);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
        std::fs::write(place, content).expect("a file");
    }

    #[test]
    fn the_nearest_mount_holds_a_folder() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,noquota\n\
                      30 22 8:2 / /data rw - ext4 /dev/sdb1 rw,usrquota\n31 22 0:5 /x /data/my\\040set rw - btrfs none rw\n";
        let of = |path: &str| mount_of(Path::new(path), mounts).map(|mount| (mount.place, mount.kind, mount.has_quota)).expect("a mount");
        assert_eq!(of("/home/me"), ("/".into(), "ext4".into(), false));
        assert_eq!(of("/data/home"), ("/data".into(), "ext4".into(), true));
        assert_eq!(of("/data/my set/a"), ("/data/my set".into(), "btrfs".into(), false));
    }

    #[test]
    fn memory_is_what_the_groups_around_us_leave() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        put(root, "proc/meminfo", "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    9000 kB\n");
        assert_eq!(memory_under(root), Memory { total: Some(16_384_000), available: Some(9_216_000), by_group: false });
        put(root, "proc/self/cgroup", "0::/user/job\n");
        put(root, "sys/fs/cgroup/user/memory.max", "5000000\n");
        put(root, "sys/fs/cgroup/user/job/memory.max", "max\n");
        assert_eq!(memory_under(root), Memory { total: Some(5_000_000), available: Some(5_000_000), by_group: true });
        put(root, "sys/fs/cgroup/user/memory.current", "4000000\n");
        put(root, "sys/fs/cgroup/user/memory.stat", "anon 1\ninactive_file 3000000\nactive_file 1\n");
        assert_eq!(memory_under(root).available, Some(4_000_000), "less what is in use and not merely kept");
        put(root, "proc/self/cgroup", "4:cpu,memory:/job\n2:pids:/job\n");
        put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        put(root, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "7000000\n");
        assert_eq!(memory_under(root).total, Some(7_000_000));
        put(root, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
        assert!(!memory_under(root).by_group);
    }

    #[test]
    fn a_disk_is_found_for_folders_that_are_not_there_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(&folder.path().join("not/yet")).expect("a disk");
        assert!(disk.total >= disk.free && folder.path().canonicalize().expect("there").starts_with(&disk.mount));
        assert_eq!(not_writable(&folder.path().join("not/yet")), None);
        put(folder.path(), "file", "");
        assert!(not_writable(&folder.path().join("file/x")).expect("refused").ends_with("file is no folder"));
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("link")).expect("linked");
        assert!(not_writable(&folder.path().join("link")).expect("refused").contains("what is not there"));
    }
}
