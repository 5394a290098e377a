//! What targets have to say, where home's own disk has little room.

use crate::hosts::{folder, hosts};
use crate::lab::Lab;
use crate::mounts::{mount, small_disk};
use crate::world::{text, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;

const MB: u64 = 1 << 20;

/// A disk at `folder`, which goes with this.
struct Disk(PathBuf);

impl Disk {
    fn at(folder: &Path, bytes: u64) -> Disk {
        small_disk(folder, bytes);
        Disk(folder.to_path_buf())
    }

    fn has(&self, bytes: u64) {
        mount(&["-o", &format!("remount,size={bytes}"), &self.0.display().to_string()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn whatever_a_target_has_to_say_home_keeps_room_for_its_own() {
    let Some(hosts) = hosts() else { return };
    // It goes when nobody is on it any more.
    let disk;
    let mut lab = Lab::new(hosts, &[]);
    disk = Disk::at(&lab.home(), 330 * MB);
    lab.add("gpu1", "alpha", &folder());
    lab.say(&[
        "submit",
        "--target",
        "gpu1",
        "--",
        "sh",
        "-c",
        "tr '\\0' x </dev/zero | fold -w 99 | head -c 150000000; echo; echo the end",
    ])
    .with_code(0);
    let shown = || lab.say(&["target", "show", "gpu1", "--json"]).with_code(0).json();
    wait_until("no more is taken", || text(&shown()["why"]).contains("nothing is taken from targets below"));
    let left = nix::sys::statvfs::statvfs(&lab.home()).map(|disk| disk.blocks_available() * disk.fragment_size()).expect("there");
    assert!(left > 200 * MB, "{left}");
    // What is decided here still has room.
    let other = lab.say(&["run", "--quiet", "--", "true"]);
    assert_eq!(other.code, Some(0), "{other:#?}");
    disk.has(2_000 * MB);
    let run = lab.ended(1);
    assert_eq!(text(&run["outcome"]), "finished", "{run:#}");
    assert!(lab.say(&["logs", "1", "--tail", "1"]).with_code(0).out.ends_with("the end\n"));
}
