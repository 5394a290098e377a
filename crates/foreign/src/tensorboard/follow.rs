//! An event file on the disk, read as far as it is written, and further whenever it has grown.

use super::reader::EventReader;
use crate::disk;
use crate::error::{ForeignError, Result};
use crate::report::Place;
use crate::sink::Sink;
use std::fs::File;
use std::path::{Path, PathBuf};

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
        let filled = self.reader.read_on(&self.file, sink, most)?;
        self.waiting = self.reader.wants() + filled - self.reader.position();
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
