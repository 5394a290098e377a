//! The binaries that targets may get: this one, and those for other machines that lie beside it or in the cache.

use crate::context::Context;
use neronet_store::files::{self, Durability};
use neronet_target::binary::{Binary, FILES};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// There are no more kinds of machines.
const MOST: usize = 16;

/// A binary that was looked at, and the file that it was then.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    file: (PathBuf, u64, u64, i64, i64),
    binary: Binary,
}

/// Our own first.
///
/// # Errors
/// That cannot be read.
pub(crate) fn all(context: &Context) -> io::Result<Vec<Binary>> {
    in_order(&context.neronet, &context.cache)
}

/// To sum one up takes longer than to reach some targets, so that is kept in the cache.
fn in_order(own: &Path, cache: &Path) -> io::Result<Vec<Binary>> {
    let path = cache.join("binary.json");
    let before: Vec<Seen> = files::read_json(&path).ok().flatten().unwrap_or_default();
    let mut all = vec![seen(own, &before)?];
    let beside = own.parent().map(Path::to_path_buf);
    // What cannot be read is none.
    all.extend(beside.into_iter().chain([cache.join("bin")]).flat_map(for_others).filter_map(|path| seen(&path, &before).ok()));
    let mut names = BTreeSet::new();
    all.retain(|seen| names.insert(seen.binary.name.clone()));
    all.truncate(MOST);
    if all != before {
        files::make_folder(cache).and_then(|()| files::replace_json(&path, &all, Durability::Renamed)).ok();
    }
    Ok(all.into_iter().map(|seen| seen.binary).collect())
}

fn for_others(folder: PathBuf) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let arch = path.file_name().and_then(|name| name.to_str()?.strip_prefix(FILES));
        arch.is_some_and(|arch| !arch.is_empty() && arch.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) && path.is_file()
    };
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    found.truncate(MOST);
    found
}

fn seen(path: &Path, before: &[Seen]) -> io::Result<Seen> {
    let meta = path.metadata()?;
    let file = (path.to_path_buf(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    match before.iter().find(|seen| seen.file == file) {
        Some(seen) => Ok(seen.clone()),
        None => Ok(Seen { file, binary: Binary::of(path, env!("CARGO_PKG_VERSION"))? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_one_comes_before_those_for_other_machines_and_each_is_read_once() {
        let world = tempfile::tempdir().expect("a folder");
        let (folder, cache) = (world.path().join("app"), world.path().join("cache"));
        std::fs::create_dir_all(cache.join("bin")).expect("made");
        std::fs::create_dir(&folder).expect("made");
        let foreign = [b"\x7fELF\x02\x01".as_slice(), &[0; 12], &[183, 0]].concat();
        let put = |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).expect("written");
        put(&folder.join("neronet"), b"own");
        put(&folder.join("neronet-linux-x86_64"), b"released");
        put(&folder.join("neronet-linux-x86_64.sha256"), b"sum");
        put(&folder.join("neronet-linux-"), b"nothing");
        put(&folder.join("another"), b"another");
        std::fs::create_dir(folder.join("neronet-linux-s390x")).expect("made");
        put(&cache.join("bin/neronet-linux-aarch64"), &foreign);
        // The same once more is no other.
        put(&cache.join("bin/neronet-linux-x86_64"), b"released");
        let own = folder.join("neronet");
        let first = in_order(&own, &cache).expect("they can be read");
        let named: Vec<_> = first.iter().map(|binary| binary.path.file_name().and_then(|name| name.to_str()).expect("a name")).collect();
        assert_eq!(named, ["neronet", "neronet-linux-x86_64", "neronet-linux-aarch64"]);
        assert_eq!(first[2].arch, "aarch64");
        // What is known of them is believed as long as they are the same files.
        let kept = cache.join("binary.json");
        let text = std::fs::read_to_string(&kept).expect("kept");
        std::fs::write(&kept, text.replace("\"aarch64\"", "\"known\"")).expect("written");
        assert_eq!(in_order(&own, &cache).expect("they can be read")[2].arch, "known");
        put(&cache.join("bin/neronet-linux-aarch64"), &[&foreign[..], b"newer"].concat());
        assert_eq!(in_order(&own, &cache).expect("they can be read")[2].arch, "aarch64");
        assert!(in_order(&folder.join("none"), &cache).is_err());
    }
}
