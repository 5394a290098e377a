//! Programs as the system would start them, and what keeps it from that.

use neronet_capture::interpreter::{Kind, Resolved, Search, Trouble, names, resolve};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }
    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
    fn put(&self, below: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("ours");
        path
    }
    /// With `a` and `b` of the place in PATH, and the system's behind them.
    fn find(&self, program: &str) -> Result<Resolved, Trouble> {
        let path = format!("{}:{}:/usr/bin:/bin", self.path("a").display(), self.path("b").display());
        resolve(program, &Search { path: &path, folder: self.folder.path(), env: &[] })
    }
}

#[test]
fn the_first_in_path_that_may_be_executed_is_what_starts() {
    let place = Place::new();
    let refused = place.put("a/tool", b"#!/bin/sh\n", 0o644);
    assert_eq!(place.find("tool"), Err(Trouble::NotExecutable(refused)));
    let tool = place.put("b/tool", b"#!/bin/sh\n", 0o755);
    assert_eq!(place.find("tool").map(|found| (found.path, found.kind)), Ok((tool, Kind::Other)));
    assert_eq!(place.find("no-such-tool"), Err(Trouble::NotFound));
    let search = Search { path: "a:b", folder: place.folder.path(), env: &[] };
    assert_eq!(names(&search), ["tool", "tool"]);
    assert!(resolve("tool", &search).is_ok(), "relative entries begin at the folder");
}

#[test]
fn a_path_begins_where_the_command_is() {
    let place = Place::new();
    place.put("run.sh", b"#!/bin/sh\n", 0o755);
    place.put("plain.sh", b"#!/bin/sh\n", 0o644);
    assert!(place.find("./run.sh").is_ok());
    assert!(matches!(place.find("./plain.sh"), Err(Trouble::NotExecutable(_))));
    assert_eq!(place.find("./none.sh"), Err(Trouble::NotFound));
    std::fs::create_dir(place.path("folder")).expect("made");
    assert!(matches!(place.find("./folder"), Err(Trouble::Folder(_))));
}

#[test]
fn first_lines_are_read_as_the_system_reads_them() {
    let place = Place::new();
    for (content, trouble) in [
        (&b"#!/no/such/interpreter\n"[..], Some("NoInterpreter")),
        (b"#!/usr/bin/env no-such-interpreter\n", Some("NoInterpreter")),
        (b"#!/bin/sh\r\necho\r\n", Some("CarriageReturn")),
        (b"echo hello\n", Some("NoFirstLine")),
        (b"#!/usr/bin/env -S sh -e\n", None),
        (b"#! /bin/sh\n", None),
        (b"", None),
        (b"\x00\x01\x02", None),
    ] {
        place.put("script", content, 0o755);
        let said = place.find("./script").err().map(|trouble| format!("{trouble:?}"));
        let said = said.as_deref().and_then(|said| said.split('(').next());
        assert_eq!(said, trouble, "{:?}", String::from_utf8_lossy(content));
    }
}

#[test]
fn a_python_is_known_by_its_name_and_by_the_scripts_that_are_for_it() {
    let place = Place::new();
    let venv = place.put("venv/bin/python", b"", 0o755);
    place.put("venv/pyvenv.cfg", b"home = /usr/bin\nversion = 3.10.4\n", 0o644);
    let of = |found: Resolved| match found.kind {
        Kind::Python(python) => (python.interpreter, python.prefix, python.of_script),
        Kind::Other => panic!("{:?} is a Python", found.path),
    };
    let found = place.find("venv/bin/python").expect("found");
    assert_eq!(of(found), (venv.clone(), venv.ancestors().nth(2).map(Path::to_path_buf), false));
    place.put("a/torchrun", format!("#!{}\n", venv.display()).as_bytes(), 0o755);
    assert_eq!(of(place.find("torchrun").expect("found")), (venv.clone(), venv.ancestors().nth(2).map(Path::to_path_buf), true));
    assert!(matches!(place.find("sh").expect("there").kind, Kind::Other));
}

#[test]
fn a_program_of_another_machine_is_told() {
    let place = Place::new();
    let own = std::fs::read("/bin/sh").expect("a shell");
    let other: u16 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let mut changed = own.clone();
    changed[18..20].copy_from_slice(&other.to_le_bytes());
    place.put("a/own", &own, 0o755);
    place.put("a/other", &changed, 0o755);
    assert!(place.find("own").is_ok());
    let emulated = std::fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| entries.count() > 2);
    assert!(emulated || matches!(place.find("other"), Err(Trouble::OtherMachine(_, _))), "{:?}", place.find("other"));
    // Its loader under a name that is not there.
    let text = b"/lib";
    if let Some(at) = own.windows(text.len()).position(|window| window == text).filter(|at| *at < 4096) {
        let mut changed = own;
        changed[at..at + 4].copy_from_slice(b"/lob");
        place.put("a/foreign", &changed, 0o755);
        assert!(matches!(place.find("foreign"), Err(Trouble::NoLoader(_, loader)) if loader.starts_with("/lob")));
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_file_holds_it_is_looked_at_in_peace(mut content in proptest::collection::vec(proptest::num::u8::ANY, 0..300), elf in proptest::bool::ANY) {
        let place = Place::new();
        if elf {
            content.splice(0..0, std::fs::read("/bin/sh").expect("a shell").into_iter().take(24));
        }
        place.put("a/x", &content, 0o755);
        let _ = place.find("x");
        let _ = place.find(Path::new("./a/x").to_str().expect("text"));
    }
}
