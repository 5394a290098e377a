//! The last of what ssh says on standard error: why a connection ended.

use crate::channel::lock;
use std::io::{Read, Write};
use std::process::ChildStderr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

const MOST: usize = 8 << 10;
/// It is waited for no longer: ssh may leave a master behind that keeps standard error open.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct LastWords {
    said: Mutex<Said>,
    told: Condvar,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    /// Nothing more will come.
    over: bool,
}

impl LastWords {
    /// Of what has ended.
    pub(crate) fn all(&self) -> String {
        let waited = self.told.wait_timeout_while(lock(&self.said), PATIENCE, |said| !said.over);
        let (mut said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // Whoever asks next does not wait again.
        said.over = true;
        String::from_utf8_lossy(&said.bytes).into_owned()
    }

    /// Reads to the end, and passes it on.
    pub(crate) fn keep(&self, mut from: ChildStderr, mut to: impl Write) {
        let mut buffer = [0; 4 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            to.write_all(&buffer[..n]).ok();
            let said = &mut lock(&self.said).bytes;
            said.extend_from_slice(&buffer[..n]);
            let more = said.len().saturating_sub(MOST);
            said.drain(..more);
        }
        lock(&self.said).over = true;
        self.told.notify_all();
    }
}

pub(crate) fn last_line(said: &str) -> Option<&str> {
    said.lines().rev().map(str::trim).find(|line| !line.is_empty())
}
