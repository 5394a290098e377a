//! The small files beside the journal and the spool: what cannot be read is none, or is said.

use crate::records::context;
use neronet_daemon::token;
use neronet_home::config;
use neronet_supervise::position;
use std::fs;
use std::path::Path;

/// Bytes as each of the files of a home that people or commands write.
pub(crate) fn settings(bytes: &[u8], folder: &Path) {
    let context = context(folder);
    let root = context.home.root();
    fs::create_dir_all(root).unwrap();
    for name in [config::FILE, "tokens.json", "home.json"] {
        fs::write(root.join(name), bytes).unwrap();
    }
    if let Err(e) = config::trash(&context) {
        assert!(e.to_string().contains(config::FILE), "{e}");
    }
    if let Ok(tokens) = token::all(&context.home) {
        // A name that is there is not given twice.
        tokens.iter().for_each(|known| drop(token::make(&context, &known.name, known.role).unwrap_err()));
    }
}

/// Bytes as what a supervisor leaves to its successor.
pub(crate) fn positions(bytes: &[u8], folder: &Path) {
    position::fuzz(bytes, folder);
}
