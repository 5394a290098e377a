//! A file that is there whole or not at all: written beside its place, synced, renamed.

use neronet_home::HomeError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(crate) struct Draft {
    /// As it was typed, for messages.
    name: String,
    place: PathBuf,
    unfinished: PathBuf,
    file: Option<BufWriter<File>>,
    force: bool,
}

impl Draft {
    /// What is there already goes only with `force`.
    pub(crate) fn new(name: &str, place: &Path, force: bool) -> Result<Draft, HomeError> {
        refuse_what_is_there(name, place, force)?;
        let file_name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let unfinished = place.with_file_name(format!(".{file_name}.{}.new", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&unfinished).map_err(|e| HomeError::unwritable(name, &e))?;
        Ok(Draft {
            name: name.to_string(),
            place: place.to_path_buf(),
            unfinished,
            file: Some(BufWriter::with_capacity(256 << 10, file)),
            force,
        })
    }

    pub(crate) fn finish(mut self) -> Result<(), HomeError> {
        let written = self.file.take().map_or(Ok(()), |file| {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
            match self.force {
                true => fs::rename(&self.unfinished, &self.place),
                // Fails where somebody else has made the file since we looked.
                false => fs::hard_link(&self.unfinished, &self.place).or_else(|e| match e.kind() {
                    io::ErrorKind::AlreadyExists => Err(e),
                    _ => fs::rename(&self.unfinished, &self.place),
                }),
            }
        });
        written.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => there(&self.name),
            _ => HomeError::unwritable(&self.name, &e),
        })
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What waits in memory is not written first: on a full disk that would say nothing new.
        drop(self.file.take().map(BufWriter::into_parts));
        // A link leaves it behind, and so does a failure.
        fs::remove_file(&self.unfinished).ok();
    }
}

pub(crate) fn refuse_what_is_there(name: &str, place: &Path, force: bool) -> Result<(), HomeError> {
    if !force && place.symlink_metadata().is_ok() { Err(there(name)) } else { Ok(()) }
}

fn there(name: &str) -> HomeError {
    HomeError::Words(format!("{name} is there already; --force writes over it"))
}
