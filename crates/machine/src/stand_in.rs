//! A machine for tests: drivers that answer what the test writes down.

use crate::drivers::Places;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) struct StandIn {
    folder: tempfile::TempDir,
}

impl StandIn {
    /// No driver is there.
    pub(crate) fn new() -> StandIn {
        StandIn { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With NVIDIA's library, which tells of these.
    pub(crate) fn with_nvml(gpus: &str) -> StandIn {
        static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
        let stand_in = StandIn::new();
        let library = BUILT.get_or_init(|| {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/nvml/stand_in.c");
            let built = stand_in.path("built.so");
            let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(source).status();
            assert!(status.expect("a C compiler, `cc`, which Rust needs too").success(), "{source} does not compile");
            fs::read(built).expect("built")
        });
        // Each has its own: they would share what is loaded.
        fs::write(stand_in.path("libnvidia-ml.so.1"), library).expect("written");
        stand_in.gpus(gpus);
        stand_in
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn library(&self) -> CString {
        CString::new(self.path("libnvidia-ml.so.1").into_os_string().into_encoded_bytes()).expect("no NUL")
    }

    pub(crate) fn places(&self) -> Places {
        Places { root: self.folder.path().into(), nvml: vec![self.library()], smi: Some(self.path("nvidia-smi").into()), words: true }
    }

    pub(crate) fn gpus(&self, lines: &str) {
        fs::write(self.path("new"), lines).expect("written");
        fs::rename(self.path("new"), self.path("libnvidia-ml.so.1.conf")).expect("renamed");
    }

    pub(crate) fn unload(&self) {
        fs::remove_file(self.path("libnvidia-ml.so.1.conf")).expect("there");
    }

    /// What `nvidia-smi` does.
    pub(crate) fn smi(&self, script: &str) {
        let program = self.path("nvidia-smi");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// A file of /proc or /sys.
    pub(crate) fn put(&self, path: &str, content: &str) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
        fs::write(place, content).expect("a file");
    }
}

pub(crate) fn wait_for(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
