//! The keeper's record: events appended to `keeper.jsonl`, the important ones durable before anybody outside is told of them.

use crate::os::clock;
use neronet_model::Millis;
use neronet_model::event::{Event, Stamped};
use neronet_store::spool;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Room for every event that a keeper may have to write, so that a full disk cannot hide the end. Most records need no more than the
/// block that their first sync takes: more is taken when half of that is used.
const BLOCK: u64 = 4 << 10;
const RESERVED: i64 = 64 << 10;

pub(crate) struct Record {
    file: File,
    begun: Millis,
    written: u64,
    reserved: bool,
    /// The file may end within a line: the disk was full. The next line begins behind a newline.
    torn: bool,
}

impl Record {
    /// The record of a new attempt. Fails when there is one already: no attempt is begun twice.
    pub(crate) fn create(folder: &Path, begun: Millis) -> io::Result<Record> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(folder.join(spool::KEEPER))?;
        // Held for life: by it those see that we live who cannot see our process.
        file.try_lock().ok();
        Ok(Record { file, begun, written: 0, reserved: false, torn: false })
    }

    pub(crate) fn write(&mut self, event: Event) -> io::Result<()> {
        let t = Millis(clock::boot_now().0.saturating_sub(self.begun.0));
        let mut line = if self.torn { b"\n".to_vec() } else { Vec::new() };
        serde_json::to_writer(&mut line, &Stamped { t, event })?;
        line.push(b'\n');
        self.written += line.len() as u64;
        if self.written > BLOCK / 2 && !self.reserved {
            // Not every file system can; without it the end of a run on a full disk waits for room.
            self.reserved = fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, RESERVED).is_ok();
        }
        let written = self.file.write_all(&line);
        self.torn = written.is_err();
        written
    }

    pub(crate) fn write_durably(&mut self, event: Event) -> io::Result<()> {
        self.write(event)?;
        self.sync()
    }

    /// What others wrote into the file may end within a line.
    pub(crate) fn others_wrote(&mut self) {
        self.torn = true;
    }

    /// Others write behind us now.
    pub(crate) fn end_line(&mut self) {
        self.torn = self.torn && self.file.write_all(b"\n").is_err();
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Nothing follows: gives back what was taken and not needed.
    pub(crate) fn close(&mut self) {
        if self.reserved {
            self.file.metadata().and_then(|meta| self.file.set_len(meta.len())).ok();
        }
    }
}

/// The time since the machine's boot at which the attempt began: the wall clock may have been set since.
pub(crate) fn clock_at_beginning(folder: &Path) -> Option<Millis> {
    let mut began = None;
    let each = |line: &[u8]| {
        if let Ok(Stamped { event: Event::Begun { clock, .. }, .. }) = serde_json::from_slice(line) {
            began.get_or_insert(clock);
        }
    };
    spool::lines(&folder.join(spool::KEEPER), 0, each).ok()?;
    began
}
