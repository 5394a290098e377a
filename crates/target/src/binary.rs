//! The binary that is to run on a target: its own name for each build, what it needs there, and the sum that shows that it arrived.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What binaries for other machines are called, before their processor.
pub const FILES: &str = "neronet-linux-";
/// No neronet starts with an older one.
pub(crate) const OLDEST_LIBC: (u32, u32) = (2, 17);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    pub path: PathBuf,
    /// What it is called on targets: no two builds have one name.
    pub name: String,
    pub size: u64,
    /// As `cksum` has it.
    pub sum: u32,
    /// The processors that execute it, as `uname -m` calls them.
    pub arch: String,
    /// The oldest glibc that it starts with.
    pub needs: (u32, u32),
}

impl Binary {
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path, version: &str) -> io::Result<Binary> {
        let bytes = std::fs::read(path)?;
        let (sum, size) = (checksum(&bytes), bytes.len() as u64);
        let name = format!("neronet-{version}-{sum:08x}-{size}");
        Ok(Binary { path: path.to_path_buf(), name, size, sum, arch: arch(&bytes), needs: needs(&bytes) })
    }
}

/// What is no program of Linux, as a script, is for this machine.
fn arch(bytes: &[u8]) -> String {
    let own = match std::env::consts::ARCH {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        own => own,
    };
    let (Some(b"\x7fELF"), Some(&class), Some(&order), Some(&machine)) =
        (bytes.get(..4), bytes.get(4), bytes.get(5), bytes.get(18..).and_then(<[u8]>::first_chunk::<2>))
    else {
        return own.to_string();
    };
    let is_little = order == 1;
    match (class, if is_little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) }) {
        (2, 62) => "x86_64".into(),
        (2, 183) => "aarch64".into(),
        (2, 243) => "riscv64".into(),
        (2, 21) if is_little => "ppc64le".into(),
        (2, 21) => "ppc64".into(),
        (2, 22) => "s390x".into(),
        (2, 258) => "loongarch64".into(),
        // No machine has that name.
        (class, machine) => format!("elf{class}-{machine}"),
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
    versions.max().unwrap_or(OLDEST_LIBC)
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
    fn what_a_binary_is_for_stands_in_it() {
        let of = |class: u8, order: u8, machine: [u8; 2]| arch(&[b"\x7fELF", &[class, order][..], &[0; 12], &machine].concat());
        assert_eq!([of(2, 1, [183, 0]), of(2, 2, [0, 21]), of(2, 1, [21, 0])], ["aarch64", "ppc64", "ppc64le"]);
        assert_eq!([of(1, 1, [40, 0]), of(2, 1, [255, 255])], ["elf1-40", "elf2-65535"]);
        let own = std::fs::read(std::env::current_exe().expect("a path")).expect("it can be read");
        assert_eq!([arch(&own), arch(b"\x7fELF\x02\x01")], [arch(b"#!/bin/sh"), arch(b"")]);
    }

    #[test]
    fn the_newest_glibc_that_is_named_is_needed() {
        assert_eq!(needs(b"\0GLIBC_2.17\0x\0GLIBC_2.4\0GLIBC_2.34\0\0GLIBC_PRIVATE\0\0GLIBC_2.3.4\0"), (2, 34));
        assert_eq!(needs(b"nothing"), (2, 17));
    }
}
