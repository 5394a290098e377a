//! The small files beside the journal and the spool: what cannot be read is none, or is said.

use crate::records::context;
use neronet_daemon::token;
use neronet_home::config;
use neronet_supervise::position;
use neronet_target::frame;
use neronet_target::wire::{Answer, Hello, Question};
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

/// Bytes as what comes over a channel, to either end.
pub(crate) fn channels(bytes: &[u8], _: &Path) {
    let mut rest = bytes;
    if let Ok(Some((hello, _))) = frame::read::<Hello>(&mut rest) {
        hello.common();
    }
    while let Ok(Some((answer, body))) = frame::read::<Answer>(&mut rest) {
        let mut again = Vec::new();
        frame::write(&mut again, &answer, &body).unwrap();
        // Numbers that are none do not equal themselves.
        assert!(
            frame::read::<Answer>(&mut &again[..])
                .unwrap()
                .is_some_and(|(same, rest)| format!("{same:?}") == format!("{answer:?}") && rest == body)
        );
    }
    let mut rest = bytes;
    while let Ok(Some(_)) = frame::read::<Question>(&mut rest) {}
}
