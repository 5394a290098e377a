//! Bytes as requests to a daemon of its own, which answers whoever comes next.

use crate::engine::repository;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For an answer; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Daemon {
    process: Child,
    socket: PathBuf,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// Over a home with some runs.
    pub(crate) fn start() -> Daemon {
        let place = tempfile::Builder::new().prefix("neronet-fuzz-").tempdir().unwrap();
        let folder = place.path();
        let copied = Command::new("cp").arg("-a").arg(repository().join("testdata/formats/1")).arg(folder.join("home")).status();
        assert!(copied.is_ok_and(|status| status.success()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_neronet"));
        command.args(["serve"]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_clear().env("HOME", folder).env("NERONET_HOME", folder.join("home")).env("PATH", "/usr/bin:/bin");
        command.env("XDG_RUNTIME_DIR", folder);
        let process = command.spawn().unwrap();
        let notice = folder.join("home/daemon.json");
        let socket = loop {
            let told = std::fs::read(&notice).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
            if let Some(socket) =
                told.as_ref().and_then(|told| told["socket"].as_str()).filter(|socket| UnixStream::connect(socket).is_ok())
            {
                break PathBuf::from(socket);
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Daemon { process, socket, folder: place }
    }

    /// `over`: nothing more will come, whatever the request announced. Then it may hang up without a word.
    fn answer(&self, request: &[u8], over: bool) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may hang up before it has read all.
        stream.write_all(request).ok();
        if over {
            stream.shutdown(Shutdown::Write).ok();
        }
        let mut answer = Vec::new();
        // Of a stream of events the first words do.
        let read = stream.take(1 << 20).read_to_end(&mut answer);
        assert!(read.is_ok() || over && !answer.is_empty(), "{read:?}");
        answer
    }

    pub(crate) fn read(&self, bytes: &[u8]) {
        // Nothing is started, and nobody is sent away.
        let dangerous = ["submit", "down", "retry", "resume", "events", "hand-over", "%"];
        let text = String::from_utf8_lossy(bytes);
        if dangerous.iter().any(|word| text.contains(word)) {
            return;
        }
        let answer = self.answer(bytes, true);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
        let about = self.answer(b"GET /v1/about HTTP/1.1\r\nhost: neronet\r\nconnection: close\r\n\r\n", false);
        let home = self.folder.path().display();
        assert!(about.starts_with(b"HTTP/1.1 200"), "{}; {home} is its home", String::from_utf8_lossy(&about));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
