//! A snapshot as one stream: the container of bundles, whose head names the snapshot and its files. It is unpacked beside the others and
//! is one of them when it is to the byte what its name says.

use super::reading::Hashing;
use super::{Parts, room};
use crate::bundle::File as Packed;
use crate::error::HomeError;
use neronet_capture::{CaptureError, code};
use neronet_store::bundle::{Reader, Writer};
use neronet_store::{Home, StoreError, files};
use neronet_target::parcel::{Hash, Inner, Parcel};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FORMAT: u32 = 1;
/// No snapshot has that many; a stream of a few bytes may say that it does.
const MOST_FILES: usize = 200_000;
const MOST_BYTES: u64 = 4 << 30;
/// It is read into memory.
const LONGEST_MANIFEST: u64 = 64 << 20;
const MANIFEST: &str = "manifest.json";

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    snapshot: Hash,
    /// In the order in which they follow, by their paths in the snapshot's folder.
    files: Vec<Packed>,
}

/// Writes a snapshot, always as the same bytes.
pub(super) fn pack<W: Write>(snapshots: &Path, snapshot: &Hash, out: W) -> Result<W, HomeError> {
    let contents = code::contents(snapshots, snapshot.as_str()).map_err(HomeError::Snapshots)?;
    let files: Vec<_> = contents.into_iter().map(|(path, bytes)| Packed { path, bytes }).collect();
    let head = Head { format: FORMAT, snapshot: snapshot.clone(), files };
    let place = snapshots.join(snapshot.as_str());
    let failed = |e: io::Error| HomeError::from(StoreError::io("pack", &place)(e));
    let bytes = serde_json::to_vec(&head).map_err(|e| HomeError::Failed(format!("the snapshot cannot be written as JSON: {e}")))?;
    let mut writer = Writer::new(out, &bytes).map_err(failed)?;
    for file in &head.files {
        let path = place.join(&file.path);
        let from = File::open(&path).map_err(StoreError::io("read", &path))?;
        writer.member(file.bytes, from).map_err(failed)?;
    }
    writer.finish().map_err(failed)
}

/// Makes what has arrived the snapshot of this name. Durable once it returns; what is there already is left as it is.
///
/// # Errors
/// It has not arrived, is not that snapshot, or finds no room. What can be no snapshot is given up.
pub fn take_snapshot(home: &Home, parcel: &Parcel, snapshot: &Hash) -> Result<(), HomeError> {
    let (parts, snapshots) = (Parts::incoming(home)?, home.snapshots());
    let is_there = || code::is_wanted_again(&snapshots.join(snapshot.as_str()));
    if is_there() {
        return parts.remove(&parcel.sha256);
    }
    let Some(part) = parts.whole(&parcel.sha256, parcel.bytes, &parcel.sha256, &mut Hashing::default())? else {
        let missing = format!("the snapshot {snapshot} has not arrived");
        return if is_there() { Ok(()) } else { Err(HomeError::Failed(missing)) };
    };
    files::make_folder(&snapshots)?;
    match unpack(BufReader::new(&*part.file), snapshot, &snapshots) {
        Err(e @ (HomeError::Home(_) | HomeError::Snapshots(_))) => Err(e),
        done => parts.remove(&parcel.sha256).and(done),
    }
}

/// Fails with `Failed` where the stream is to blame.
fn unpack(stream: impl Read, snapshot: &Hash, snapshots: &Path) -> Result<(), HomeError> {
    let refused = |why: String| HomeError::Failed(format!("the snapshot {snapshot} cannot be taken: {why}"));
    let failed = |e: io::Error| match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => HomeError::from(StoreError::io("write", snapshots)(e)),
        _ => refused(e.to_string()),
    };
    let (mut reader, head) = Reader::open(stream).map_err(failed)?;
    let head = read_head(&head, snapshot).map_err(refused)?;
    let total = head.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    if total > MOST_BYTES {
        return Err(refused(format!("it says that it has {total} bytes")));
    }
    room(snapshots, total).map_err(failed)?;
    let draft = code::Draft::beside(snapshots);
    let place = draft.place().join(snapshot.as_str());
    for file in &head.files {
        let path = place.join(&file.path);
        fs::create_dir_all(path.parent().unwrap_or(&place)).map_err(failed)?;
        let made = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        reader.member(file.bytes, made).map_err(failed)?;
    }
    reader.end().map_err(failed)?;
    let full = |e: CaptureError| if e.full { HomeError::Snapshots(e) } else { refused(e.to_string()) };
    code::adopt_ours(draft.place(), snapshot.as_str(), snapshots).map_err(full)
}

fn read_head(bytes: &[u8], snapshot: &Hash) -> Result<Head, String> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let unreadable = |e: serde_json::Error| format!("its head cannot be read: {e}");
    let Versioned { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format > FORMAT {
        return Err(format!("a newer neronet packed it (format {format}, this one reads up to {FORMAT})"));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
    if head.snapshot != *snapshot || head.files.len() > MOST_FILES {
        return Err(format!("it is {} with {} files", head.snapshot, head.files.len()));
    }
    match head.files.iter().find(|file| !may_be(file)) {
        Some(file) => Err(format!("it names '{}' of {} bytes, which no snapshot has", file.path.escape_debug(), file.bytes)),
        None => Ok(head),
    }
}

fn may_be(file: &Packed) -> bool {
    let inner = Inner::try_from(file.path.clone()).is_ok();
    inner && ((file.path == MANIFEST && file.bytes <= LONGEST_MANIFEST) || file.path == "diff.patch" || file.path.starts_with("files/"))
}

/// Whatever these bytes are, the snapshot is there afterwards or nothing is.
pub fn fuzz(bytes: &[u8], snapshot: &Hash, snapshots: &Path) -> Result<(), HomeError> {
    unpack(bytes, snapshot, snapshots)
}

#[cfg(test)]
mod tests {
    use super::super::Outgoing;
    use super::super::parts::tests::{bring, name_of};
    use super::*;
    use neronet_capture::hash;
    use proptest::prelude::*;

    fn home(folder: &Path) -> Home {
        Home::at(folder).expect("a home")
    }

    /// A snapshot of these files and links, in a home.
    fn stored(home: &Home, files: &[(&str, &[u8])], links: &serde_json::Value) -> Hash {
        let entry = |(path, content): &(&str, &[u8])| serde_json::json!({"path": path, "size": content.len(), "executable": path.ends_with(".sh"), "sha256": hash(content)});
        let manifest = serde_json::json!({
            "format": 1, "commit": "c", "diff": hash(b"+1\n"), "files": files.iter().map(entry).collect::<Vec<_>>(), "links": links,
            "large": [], "folders": ["empty"], "submodules": [], "untracked": [], "left_out": []});
        let manifest = serde_json::to_vec(&manifest).expect("JSON");
        let place = home.snapshots().join(hash(&manifest));
        let put = |path: &str, content: &[u8]| {
            fs::create_dir_all(place.join(path).parent().expect("a parent")).expect("made");
            fs::write(place.join(path), content).expect("written");
        };
        put(MANIFEST, &manifest);
        put("diff.patch", b"+1\n");
        files.iter().for_each(|(path, content)| put(&format!("files/{path}"), content));
        name_of(&manifest)
    }

    fn bytes_of(outgoing: &Outgoing) -> Vec<u8> {
        outgoing.read(0, usize::MAX).expect("read")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// A stream that says this of itself.
    fn stream(snapshot: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
        let told: Vec<_> = files.iter().map(|(path, content)| serde_json::json!({"path": path, "bytes": content.len()})).collect();
        let head = serde_json::to_vec(&serde_json::json!({"format": 1, "snapshot": snapshot, "files": told})).expect("JSON");
        let mut writer = Writer::new(Vec::new(), &head).expect("in memory");
        files.iter().for_each(|(_, content)| writer.member(content.len() as u64, *content).expect("in memory"));
        writer.finish().expect("in memory")
    }

    #[test]
    fn a_snapshot_arrives_once_and_to_the_byte() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (home(&folder.path().join("here")), home(&folder.path().join("there")));
        let links = serde_json::json!([{"path": "data", "target": "/data/cifar", "outside": true}]);
        let snapshot = stored(&here, &[("src/train.py", b"print(1)\n"), ("run.sh", b"python3 src/train.py\n")], &links);
        let outgoing = Outgoing::of_snapshot(&here, &snapshot).expect("packed");
        let (parcel, bytes) = (outgoing.parcel().clone(), bytes_of(&outgoing));
        assert_eq!((parcel.bytes, &parcel.sha256), (bytes.len() as u64, &name_of(&bytes)));
        assert_eq!(outgoing.read(parcel.bytes, 10).expect("read"), b"");
        // Packed again it is the same, so what has arrived of it fits.
        Outgoing::discard(&here, &snapshot).expect("gone");
        assert_eq!(Outgoing::of_snapshot(&here, &snapshot).expect("packed").parcel(), &parcel);
        assert_eq!(names(&here.outgoing()), [snapshot.as_str()]);
        assert!(take_snapshot(&there, &parcel, &snapshot).expect_err("not yet").to_string().contains("has not arrived"));
        for _ in 0..2 {
            bring(&Parts::incoming(&there).expect("made"), &parcel.sha256, &bytes, 50).expect("brought");
            take_snapshot(&there, &parcel, &snapshot).expect("taken");
            assert!(names(&there.incoming()).is_empty() && names(&there.snapshots()) == [snapshot.as_str()]);
        }
        // A copy for a run can be made of it.
        fs::create_dir_all(there.runs()).expect("made");
        code::materialise(&there.snapshots(), snapshot.as_str(), &there.runs().join("work"), &[], Path::new("/nowhere")).expect("a copy");
        assert_eq!(fs::read(there.runs().join("work/src/train.py")).expect("there"), b"print(1)\n");
        assert_eq!(code::diff_text(&there.snapshots(), snapshot.as_str()).as_deref(), Some(&b"+1\n"[..]));
    }

    #[test]
    fn what_is_damaged_at_home_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (home(&folder.path().join("here")), home(&folder.path().join("there")));
        let snapshot = stored(&here, &[("a", b"right")], &serde_json::json!([]));
        fs::write(here.snapshots().join(snapshot.as_str()).join("files/a"), "wrong").expect("written");
        let outgoing = Outgoing::of_snapshot(&here, &snapshot).expect("packed");
        bring(&Parts::incoming(&there).expect("made"), &outgoing.parcel().sha256, &bytes_of(&outgoing), 1000).expect("brought");
        let told = take_snapshot(&there, outgoing.parcel(), &snapshot).expect_err("refused").to_string();
        assert!(told.contains("'a' is not what the snapshot's manifest says") && names(&there.incoming()).is_empty(), "{told}");
        Outgoing::discard(&here, &snapshot).expect("gone");
        fs::write(here.snapshots().join(snapshot.as_str()).join("files/a"), "cut").expect("written");
        assert!(Outgoing::of_snapshot(&here, &snapshot).is_err() && names(&here.outgoing()).is_empty());
        assert!(Outgoing::of_snapshot(&here, &name_of(b"no such")).is_err());
    }

    #[test]
    fn a_hostile_stream_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = home(&folder.path().join("there"));
        let manifest = br#"{"format":1,"commit":"","diff":"","files":[],"links":[],"large":[],"folders":[],"submodules":[],"untracked":[],"left_out":[]}"#;
        let name = name_of(manifest);
        let good: (&str, &[u8]) = (MANIFEST, manifest);
        let leads_out = br#"{"format":1,"commit":"","diff":"","files":[],"links":[{"path":"a","target":"../../b","outside":false}],"large":[],"folders":[],"submodules":[],"untracked":[],"left_out":[]}"#;
        let hostile = [
            (&name, vec![good, ("../evil", b"x")]),
            (&name, vec![good, ("/tmp/evil", b"x")]),
            (&name, vec![good, ("files/../../evil", b"x")]),
            (&name, vec![good, ("files/a", b"more than its manifest says")]),
            (&name, vec![good, ("other", b"x")]),
            (&name, vec![good, good]),
            (&name, vec![("files/a", b"x"), ("files/a/b", b"x"), good]),
            (&name, vec![("files/a", b"no manifest")]),
            (&name, vec![(MANIFEST, b"{}")]),
            (&name_of(leads_out), vec![(MANIFEST, leads_out)]),
        ];
        for (name, files) in hostile {
            let bytes = stream(name.as_str(), &files);
            let parcel = Parcel { sha256: name_of(&bytes), bytes: bytes.len() as u64 };
            bring(&Parts::incoming(&there).expect("made"), &parcel.sha256, &bytes, 1000).expect("brought");
            assert!(matches!(take_snapshot(&there, &parcel, name), Err(HomeError::Failed(_))), "{files:?}");
            assert!(names(&there.incoming()).is_empty() && names(&there.snapshots()).is_empty(), "{files:?}");
        }
        assert!(unpack(&stream(&hash(b"other"), &[good])[..], &name, &there.snapshots()).is_err());
        let huge = serde_json::json!({"format": 1, "snapshot": name, "files": [{"path": "files/a", "bytes": u64::MAX}]}).to_string();
        let huge = Writer::new(Vec::new(), huge.as_bytes()).and_then(Writer::finish).expect("in memory");
        assert!(unpack(&huge[..], &name, &there.snapshots()).expect_err("refused").to_string().contains("bytes"));
        assert_eq!(names(folder.path()), ["there"]);
        unpack(&stream(name.as_str(), &[good])[..], &name, &there.snapshots()).expect("nothing is wrong with it");
    }

    #[test]
    fn two_who_bring_the_same_at_once_both_have_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (home(&folder.path().join("here")), home(&folder.path().join("there")));
        let noise: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let snapshot = stored(&here, &[("a", &noise)], &serde_json::json!([]));
        let one = |piece: usize| {
            let outgoing = Outgoing::of_snapshot(&here, &snapshot).expect("packed");
            let parts = Parts::incoming(&there).expect("made");
            // The other one may take it from under our hands; then it has to be begun anew.
            while bring(&parts, &outgoing.parcel().sha256, &bytes_of(&outgoing), piece).is_err() {}
            take_snapshot(&there, outgoing.parcel(), &snapshot)
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| one(900));
            one(1300).expect("taken");
            other.join().expect("no panic").expect("taken");
        });
        assert!(names(&there.incoming()).is_empty() && names(&there.snapshots()) == [snapshot.as_str()]);
        assert_eq!(fs::read(there.snapshots().join(snapshot.as_str()).join("files/a")).expect("there"), noise);
    }

    #[test]
    fn an_unfinished_draft_is_no_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = home(folder.path());
        let bytes = br#"{"format":1,"commit":"","diff":"","files":[],"links":[],"large":[],"folders":[],"submodules":[],"untracked":[],"left_out":[]}"#;
        let name = name_of(bytes);
        // As it is left by whoever is killed.
        let left = there.snapshots().join(".new-4711-0f").join(name.as_str());
        fs::create_dir_all(&left).expect("made");
        fs::write(left.join(MANIFEST), bytes).expect("written");
        fs::create_dir_all(there.snapshots().join(name.as_str())).expect("made");
        let (stream, parcel) =
            (stream(name.as_str(), &[(MANIFEST, bytes)]), |stream: &[u8]| Parcel { sha256: name_of(stream), bytes: stream.len() as u64 });
        assert!(take_snapshot(&there, &parcel(&stream), &name).is_err());
        bring(&Parts::incoming(&there).expect("made"), &parcel(&stream).sha256, &stream, 1000).expect("brought");
        take_snapshot(&there, &parcel(&stream), &name).expect("taken");
        assert!(there.snapshots().join(name.as_str()).join(MANIFEST).is_file());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_stream_that_is_changed_anywhere_is_refused_or_the_same(at in any::<prop::sample::Index>(), cut in any::<bool>()) {
            let folder = tempfile::tempdir().expect("a folder");
            let here = home(&folder.path().join("here"));
            let snapshot = stored(&here, &[("a", b"content"), ("b/c", b"more of it")], &serde_json::json!([]));
            let mut bytes = bytes_of(&Outgoing::of_snapshot(&here, &snapshot).expect("packed"));
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 0x55 }
            let snapshots = folder.path().join("there");
            fs::create_dir(&snapshots).expect("made");
            match unpack(&bytes[..], &snapshot, &snapshots) {
                Ok(()) => prop_assert_eq!(fs::read(snapshots.join(snapshot.as_str()).join("files/b/c")).expect("there"), b"more of it"),
                Err(_) => prop_assert!(names(&snapshots).is_empty()),
            }
        }
    }
}
