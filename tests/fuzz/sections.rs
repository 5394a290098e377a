//! Seeds that are several files: each begins with a line `==> NAME`. So a text editor shows what a seed is, and mutations move what is of
//! one file into another.

use std::path::Path;

const MARK: &[u8] = b"==> ";

/// The files and their names. What stands before the first is of none.
pub(crate) fn sections(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match (line.strip_prefix(MARK), all.last_mut()) {
            (Some(name), _) => all.push((String::from_utf8_lossy(name).trim().to_string(), Vec::new())),
            (None, Some((_, content))) => content.extend_from_slice(line),
            (None, None) => {}
        }
    }
    all
}

/// Writes them below a folder. A name that leads elsewhere is the seed's own affair, not what is tested.
pub(crate) fn unfold(bytes: &[u8], folder: &Path) {
    for (name, content) in sections(bytes) {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() < 200 && !part.contains('\0');
        if name.split('/').all(plain) && name.len() < 1000 {
            let path = folder.join(&name);
            // Where one name is the folder of another, the first is there.
            std::fs::create_dir_all(path.parent().unwrap()).ok();
            std::fs::write(path, content).ok();
        }
    }
}
