//! A segment being written: append-only lines with a running hash. A disk that is full for a while costs no line and
//! doubles none.

use neronet_capture::hex;
use neronet_model::event::Segment;
use neronet_store::sealed::{self, Original};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) struct Writer {
    path: PathBuf,
    name: String,
    file: Option<File>,
    hash: Sha256,
    bytes: u64,
    /// Whole lines that wait to be written.
    queue: Vec<u8>,
    /// The file ends within a line: the disk was full. The next write ends that line first.
    torn: bool,
    unsynced: bool,
}

impl Writer {
    /// A segment of this name; the file appears with its first line.
    pub(crate) fn new(folder: &Path, name: String) -> Writer {
        Writer {
            path: folder.join(&name),
            name,
            file: None,
            hash: Sha256::new(),
            bytes: 0,
            queue: Vec::new(),
            torn: false,
            unsynced: false,
        }
    }

    /// Goes on in a file of whole lines that is there, and that is perhaps not durable yet.
    pub(crate) fn behind(folder: &Path, name: &str) -> io::Result<Writer> {
        let file = OpenOptions::new().append(true).open(folder.join(name))?;
        Ok(Writer { file: Some(file), unsynced: true, ..Writer::new(folder, name.to_string()) })
    }

    pub(crate) fn push<T: serde::Serialize>(&mut self, line: &T) {
        // Our own types, with string keys only: they always have a JSON form.
        if serde_json::to_writer(&mut self.queue, line).is_ok() {
            self.queue.push(b'\n');
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Bytes in the file and waiting for it.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + self.queue.len() as u64
    }

    /// Writes what waits. After an error the rest still waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.write(b"\n").1?;
            self.torn = false;
        }
        let queue = std::mem::take(&mut self.queue);
        let (written, result) = self.write(&queue);
        if result.is_err() {
            // Lines written whole stay; one that was torn is written again, whole, behind a newline.
            let whole = queue[..written].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.torn = written > whole;
            self.queue = queue[whole..].to_vec();
        } else {
            self.queue = queue;
            self.queue.clear();
        }
        result
    }

    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        let result = (|| {
            if self.file.is_none() {
                self.file = Some(OpenOptions::new().append(true).create_new(true).mode(0o600).open(&self.path)?);
            }
            let Some(file) = self.file.as_mut() else { return Ok(()) };
            while written < bytes.len() {
                match file.write(&bytes[written..]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => written += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        })();
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        self.unsynced |= written > 0;
        (written, result)
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let (Some(file), true) = (&self.file, self.unsynced) {
            file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// What the segment holds, if it came to hold anything.
    pub(crate) fn sealed(&self) -> Option<Segment> {
        self.file.as_ref().map(|_| Segment { name: self.name.clone(), bytes: self.bytes, sha256: hex(&self.hash.clone().finalize()) })
    }
}

/// The same of a segment that an earlier generation wrote.
pub(crate) fn sealed_file(path: &Path) -> io::Result<Segment> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut file = match File::open(path) {
        Ok(file) => file,
        // The record of its end was lost after it had been sealed.
        Err(e) => match sealed::Reader::open(path).ok().flatten().as_ref().and_then(sealed::Reader::original) {
            Some(Original { bytes, sha256 }) => return Ok(Segment { name, bytes: *bytes, sha256: sha256.clone() }),
            None => return Err(e),
        },
    };
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut file, &mut HashWriter(&mut hash))?;
    Ok(Segment { name, bytes, sha256: hex(&hash.finalize()) })
}

/// All of one kind; `current`, which is still being written, as its writer knows it.
pub(crate) fn sealed_files<'a>(paths: impl Iterator<Item = &'a Path>, current: Option<Segment>) -> io::Result<Vec<Segment>> {
    let is_current = |path: &Path| current.as_ref().filter(|current| path.file_name().is_some_and(|name| name == current.name.as_str()));
    paths.map(|path| is_current(path).cloned().map_or_else(|| sealed_file(path), Ok)).collect()
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
