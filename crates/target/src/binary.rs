//! The binary that is to run on a target: its own name for each build, what it needs there, and the sum that shows that it arrived.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    pub path: PathBuf,
    /// What it is called on targets: no two builds have one name.
    pub name: String,
    pub size: u64,
    /// As `cksum` has it.
    pub sum: u32,
    /// The oldest glibc that it starts with.
    pub needs: (u32, u32),
}

impl Binary {
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path, version: &str) -> io::Result<Binary> {
        let bytes = std::fs::read(path)?;
        let (sum, size) = (checksum(&bytes), bytes.len() as u64);
        Ok(Binary { path: path.to_path_buf(), name: format!("neronet-{version}-{sum:08x}-{size}"), size, sum, needs: needs(&bytes) })
    }
}

/// The highest version of glibc that stands among the names of a binary.
fn needs(bytes: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"\0GLIBC_";
    let versions = memchr::memmem::find_iter(bytes, MARK).filter_map(|at| {
        let rest = &bytes[at + MARK.len()..];
        let end = rest.iter().take(12).position(|byte| *byte == 0)?;
        let (major, minor) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    });
    versions.max().unwrap_or((2, 17))
}

/// As POSIX's `cksum` has it, which every system has.
fn checksum(bytes: &[u8]) -> u32 {
    let mut length = bytes.len();
    let mut lengths = Vec::new();
    while length > 0 {
        lengths.push(length as u8);
        length >>= 8;
    }
    !bytes.iter().chain(&lengths).fold(0, |sum, byte| (sum << 8) ^ TABLE[((sum >> 24) as u8 ^ byte) as usize])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut sum = (at as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_cksum() {
        // From `cksum` itself.
        assert_eq!(checksum(b""), 4_294_967_295);
        assert_eq!(checksum(b"123456789"), 930_766_865);
    }

    #[test]
    fn the_newest_glibc_that_is_named_is_needed() {
        assert_eq!(needs(b"\0GLIBC_2.17\0x\0GLIBC_2.4\0GLIBC_2.34\0\0GLIBC_PRIVATE\0\0GLIBC_2.3.4\0"), (2, 34));
        assert_eq!(needs(b"nothing"), (2, 17));
    }
}
