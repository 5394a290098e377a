//! An event file on the disk, read as far as it is written, and further whenever it has grown.

use super::reader::EventReader;
use super::records::WHOLE;
use crate::disk;
use crate::error::{ForeignError, Result};
use crate::report::Place;
use crate::sink::Sink;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Read at once; a longer record makes it grow, up to `WHOLE`.
const PIECE: usize = 128 << 10;

#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
    reader: EventReader,
    waiting: u64,
}

/// How far a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Behind the last record that was whole: give it to `EventFile::open` to go on in another process.
    pub position: u64,
    /// Bytes behind it that are no whole record yet.
    pub waiting: u64,
}

impl EventFile {
    /// A file that is read from `offset` on: 0, or the `position` of an earlier reading. Links are not followed.
    pub fn open(path: &Path, offset: u64) -> Result<EventFile> {
        EventFile::with(path, EventReader::new(path, offset)).map_err(|(error, _)| error)
    }

    /// The same with a reader that has read the files before this one; it is given back with an error.
    pub(crate) fn with(path: &Path, reader: EventReader) -> std::result::Result<EventFile, (ForeignError, Box<EventReader>)> {
        match disk::open(path) {
            Ok(file) => Ok(EventFile { file, path: path.to_path_buf(), reader, waiting: 0 }),
            Err(error) => Err((error, Box::new(reader))),
        }
    }

    /// Reads all that is whole by now.
    pub fn poll(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        let length = self.file.metadata().map_err(ForeignError::io("read", &self.path))?.len();
        if length < self.reader.wants() {
            let what = format!("has only {length} bytes left of {} that were read: it was written anew", self.reader.wants());
            return Err(ForeignError::unreadable(&self.path, Place::Whole, what));
        }
        self.read(sink, u64::MAX)
    }

    /// The same, up to about `most` bytes.
    pub(crate) fn read(&mut self, sink: &mut dyn Sink, most: u64) -> Result<Progress> {
        let mut buffer = vec![0; PIECE];
        let mut filled = 0;
        let begin = self.reader.wants();
        while self.reader.wants() - begin < most {
            let read = match self.file.read_at(&mut buffer[filled..], self.reader.wants() + filled as u64) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ForeignError::io("read", &self.path)(error)),
            };
            filled += read;
            let done = self.reader.feed(&buffer[..filled], sink)?;
            buffer.copy_within(done..filled, 0);
            filled -= done;
            if filled == buffer.len() {
                // A record of `WHOLE` bytes with its frame is the longest that is waited for.
                buffer.resize((buffer.len() * 2).min(WHOLE + PIECE), 0);
            }
        }
        self.waiting = self.reader.wants() + filled as u64 - self.reader.position();
        Ok(Progress { position: self.reader.position(), waiting: self.waiting })
    }

    pub fn reader(&self) -> &EventReader {
        &self.reader
    }

    pub(crate) fn into_reader(self) -> EventReader {
        self.reader
    }

    /// Says that nothing more comes, and gives the reader back.
    pub(crate) fn finish(mut self) -> EventReader {
        let unread = self.reader.position() + self.waiting - self.reader.wants();
        self.reader.finish(unread);
        self.reader
    }
}
