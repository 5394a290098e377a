//! Telling by a file's metadata whether it has changed, and files that replace others in one step.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const SECOND_NS: i64 = 1_000_000_000;
/// Ten times the coarsest tick of a kernel.
const GRAIN_NS: i64 = 100_000_000;
/// Of file systems that keep whole seconds, and only even ones.
const COARSE_GRAIN_NS: i64 = 2 * SECOND_NS;

/// What changes when a file does: size, mtime, ctime (ns), inode, mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sign(u64, i64, i64, u64, u32);

impl Sign {
    pub(crate) fn of(meta: &Metadata) -> Sign {
        let ns = |seconds: i64, rest: i64| seconds.wrapping_mul(SECOND_NS).wrapping_add(rest);
        Sign(meta.size(), ns(meta.mtime(), meta.mtime_nsec()), ns(meta.ctime(), meta.ctime_nsec()), meta.ino(), meta.mode())
    }

    pub(crate) fn at(path: &Path) -> Option<Sign> {
        std::fs::symlink_metadata(path).ok().map(|meta| Sign::of(&meta))
    }

    /// Nothing that happens from `now_ns` on can leave the times as they are.
    fn settled(&self, now_ns: i64) -> bool {
        let changed = self.1.max(self.2);
        let grain = if changed % SECOND_NS == 0 { COARSE_GRAIN_NS } else { GRAIN_NS };
        changed.saturating_add(grain) < now_ns
    }
}

/// A file that is being written and will replace another. Its first timestamp is "now" by the file system's own clock.
pub(crate) struct Draft {
    path: PathBuf,
    target: PathBuf,
    began_ns: i64,
}

impl Drop for Draft {
    /// What was not saved leaves nothing behind.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Draft {
    /// `None` where nothing can be written.
    pub(crate) fn of(target: &Path) -> Option<Draft> {
        let path = target.with_extension(format!("{}.new", unique()));
        std::fs::create_dir_all(path.parent()?).ok()?;
        std::fs::write(&path, b"").ok()?;
        let began_ns = Sign::at(&path)?.1;
        let target = target.to_path_buf();
        Some(Draft { path, target, began_ns })
    }

    /// Whether what has this sign rested when the draft was begun, so that any later change shows in its sign.
    pub(crate) fn is_after(&self, sign: &Sign) -> bool {
        sign.settled(self.began_ns)
    }

    /// Puts the content in the target's place. A cache that cannot be written costs time, not truth.
    pub(crate) fn save(&self, content: &[u8]) -> bool {
        std::fs::write(&self.path, content).is_ok() && std::fs::rename(&self.path, &self.target).is_ok()
    }
}

/// What no other process and no other thread calls its own temporary files.
pub fn unique() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{}-{random:016x}", std::process::id())
}

/// SHA-256 in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).map(char::from).collect()
}
