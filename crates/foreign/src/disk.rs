//! Files and folders of others: no link is followed, nothing but regular files is opened, and every walk is bounded.

use crate::error::{ForeignError, Result};
use crate::report::{Place, Report};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) const DEEPEST: usize = 32;
pub(crate) const MOST_ENTRIES: usize = 2_000_000;

/// Opens a regular file. A link in its last place is refused, and a pipe does not make anybody wait.
pub(crate) fn open(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
    let file = opened.map_err(ForeignError::io("open", path))?;
    match file.metadata().map_err(ForeignError::io("open", path))?.is_file() {
        true => Ok(file),
        false => Err(ForeignError::unreadable(path, Place::Whole, "is no regular file")),
    }
}

/// The bytes of a small file; nothing when it is not there. A longer one than `most` is an error.
pub(crate) fn small(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(ForeignError::Io { source, .. }) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(ForeignError::io("read", path))?;
    match bytes.len() as u64 > most {
        true => Err(ForeignError::unreadable(path, Place::Byte(most), format!("is longer than {most} bytes, which no such file is"))),
        false => Ok(Some(bytes)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    Other,
}

impl Entry {
    pub(crate) fn name(&self) -> &[u8] {
        self.path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default()
    }
}

/// What lies in a folder, by name. A folder that is not there has nothing.
pub(crate) fn list(folder: &Path) -> Result<Vec<Entry>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ForeignError::io("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries.take(MOST_ENTRIES) {
        let entry = entry.map_err(ForeignError::io("list", folder))?;
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_file() => EntryKind::File,
            Ok(kind) if kind.is_dir() => EntryKind::Folder,
            Ok(kind) if kind.is_symlink() => EntryKind::Link,
            _ => EntryKind::Other,
        };
        found.push(Entry { path: entry.path(), kind });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Whether this is a folder itself, not a link to one.
pub(crate) fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Whether this is a regular file itself, not a link to one.
pub(crate) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Calls `file` for each regular file below `folder`, with its path relative to that; links are said in the report.
pub(crate) fn each_file(folder: &Path, report: &mut Report, mut file: impl FnMut(&mut Report, &Path, &[u8]) -> Result<()>) -> Result<()> {
    if !is_folder(folder) {
        if fs::symlink_metadata(folder).is_ok() {
            report.notice(folder, Place::Whole, "is no folder, but a link or a file, and is passed over");
        }
        return Ok(());
    }
    let mut open = vec![(folder.to_path_buf(), 0)];
    let mut entries = 0;
    while let Some((inner, depth)) = open.pop() {
        let mut folders = Vec::new();
        for entry in list(&inner)? {
            entries += 1;
            if entries > MOST_ENTRIES {
                report.notice(folder, Place::Whole, format!("holds more than {MOST_ENTRIES} files; the others are passed over"));
                return Ok(());
            }
            match entry.kind {
                EntryKind::File => {
                    let relative = entry.path.strip_prefix(folder).unwrap_or(&entry.path);
                    file(report, &entry.path, relative.as_os_str().as_encoded_bytes())?;
                }
                EntryKind::Folder if depth < DEEPEST => folders.push((entry.path, depth + 1)),
                EntryKind::Folder => {
                    report.notice(&entry.path, Place::Whole, format!("lies more than {DEEPEST} folders deep, and is passed over"));
                }
                EntryKind::Link => report.notice(&entry.path, Place::Whole, "is a link, and is passed over"),
                EntryKind::Other => {}
            }
        }
        open.extend(folders.into_iter().rev());
    }
    Ok(())
}
