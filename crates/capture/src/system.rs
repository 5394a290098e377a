//! The machine and its operating system, from /proc, /sys and /etc.

use serde::{Deserialize, Serialize};
use std::io::Read;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct System {
    pub os: String,
    pub kernel: String,
    pub glibc: Option<String>,
    pub hostname: String,
    pub cpu: Option<String>,
    /// Logical cores that are online.
    pub cores: u32,
    pub memory_bytes: Option<u64>,
}

pub(crate) fn describe() -> System {
    let release = text("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let memory = text("/proc/meminfo");
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    System {
        os: pretty.map_or_else(|| std::env::consts::OS.to_string(), |name| name.trim_matches('"').to_string()),
        kernel: text("/proc/sys/kernel/osrelease"),
        glibc: glibc(),
        hostname: text("/proc/sys/kernel/hostname"),
        cpu: cpu(),
        cores: cores(&text("/sys/devices/system/cpu/online")),
        memory_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
    }
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_string()
}

/// Only the beginning is read: the kernel asks each core in turn for the rest.
fn cpu() -> Option<String> {
    let mut buffer = [0; 2048];
    let read = std::fs::File::open("/proc/cpuinfo").ok()?.read(&mut buffer).ok()?;
    let text = String::from_utf8_lossy(&buffer[..read]);
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Counts `0-3,8`.
fn cores(online: &str) -> u32 {
    let counted = online.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    match counted.sum() {
        0 => std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        cores => cores,
    }
}

#[cfg(target_env = "gnu")]
fn glibc() -> Option<String> {
    #[expect(unsafe_code, reason = "gnu_get_libc_version takes nothing and returns a constant text that ends in a zero byte")]
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_str().ok().map(str::to_string)
}

#[cfg(not(target_env = "gnu"))]
fn glibc() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn cores_are_counted_from_ranges() {
        assert_eq!(super::cores("0-3,8"), 5);
        assert_eq!(super::cores("0"), 1);
        assert!(super::cores("") >= 1);
    }
}
