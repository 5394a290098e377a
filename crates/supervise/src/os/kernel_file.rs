//! Files that the kernel makes up when they are read.

use std::fs::File;
use std::io::{self, Read};

/// Enough for those that we read.
const USUAL: usize = 8 << 10;

/// The text of such a file. Its size says nothing and some are made up anew at each read, so it is read in one go.
pub(super) fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(USUAL);
    File::open(path)?.take(1 << 20).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
