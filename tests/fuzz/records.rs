//! What home has on its disk, and what comes to it as such: damaged it says less, never something else.

use crate::sections;
use neronet_capture::code;
use neronet_home::import::{self, Words};
use neronet_home::projections::Projections;
use neronet_home::view::Snapshot;
use neronet_home::{Context, listing, parcel};
use neronet_model::journal::Entry;
use neronet_model::{AttemptNo, Row, RunId, UnixMs};
use neronet_series::{Head, Recorded, Window};
use neronet_store::bundle::{Reader, Writer};
use neronet_store::earlier::Earlier;
use neronet_store::journal::{Journal, Replayed};
use neronet_store::lines::{self, Damage};
use neronet_store::recording::Recording;
use neronet_store::{Home, frame, sealed, series as curves, spool};
use neronet_target::parcel::Hash;
use std::fs;
use std::path::{Path, PathBuf};

/// A home in a folder, as commands have it.
pub(crate) fn context(folder: &Path) -> Context {
    Context {
        home: Home::at(&folder.join("home")).unwrap(),
        neronet: PathBuf::from("neronet"),
        folder: folder.to_path_buf(),
        environment: Vec::new(),
        user_home: None,
        cache: folder.join("cache"),
        projections: Projections::new(PathBuf::from("/dev/null"), folder.join("local")),
        user: "somebody".into(),
        passing: false,
        key: None,
        given: None,
        project: None,
        say: |_| {},
    }
}

fn replayed(folder: &Path) -> Option<Replayed> {
    let mut replayed = Replayed::default();
    replayed.catch_up(folder, None).ok().map(|()| replayed)
}

/// Bytes as the file of a journal.
pub(crate) fn journal(bytes: &[u8], folder: &Path) {
    // What is found are frames, wherever they lie: written again they are found again, and nothing beside them.
    let scan = frame::scan(bytes);
    let mut again = Vec::new();
    scan.payloads.iter().for_each(|payload| frame::write(payload, &mut again));
    let rescanned = frame::scan(&again);
    assert!(rescanned.payloads == scan.payloads && rescanned.damaged.is_empty() && rescanned.end == again.len());
    read_journal(bytes, folder);
}

/// Lines as the entries of a journal, each in a frame that is right.
pub(crate) fn entries(bytes: &[u8], folder: &Path) {
    let mut framed = Vec::new();
    frame::write(br#"{"format":1}"#, &mut framed);
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| frame::write(line, &mut framed));
    read_journal(&framed, folder);
}

fn read_journal(bytes: &[u8], folder: &Path) {
    let context = context(folder);
    let journal = context.home.journal();
    fs::create_dir_all(&journal).unwrap();
    // Read while it grows it says the same as read at once.
    let file = journal.join("1.log");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let mut growing = Replayed::default();
    let first = growing.catch_up(&journal, None);
    fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes[bytes.len() / 2..]))
        .unwrap();
    let Some(known) = replayed(&journal) else { return };
    if first.is_ok() && growing.damage.is_empty() && growing.catch_up(&journal, None).is_ok() && known.damage.is_empty() {
        assert_eq!(growing.state, known.state);
    }
    // What is shown of it.
    let snapshot = Snapshot::read(&context).unwrap();
    for view in snapshot.views(&context) {
        view.status();
        listing::duration(&view, UnixMs(1_795_000_000_000));
        view.metrics();
    }
    // What is written behind it is read behind it, and nothing else is lost.
    let noted = Entry::Noted { run: RunId(u64::MAX - 7), note: None };
    let appended = Journal::open(&journal, &known).and_then(|mut journal| journal.append(&noted));
    if appended.is_ok() {
        let after = replayed(&journal).unwrap();
        assert_eq!(after.state, known.state);
        assert!(after.damage.len() <= known.damage.len(), "{:?}", after.damage);
    }
}

fn lines_of(path: &Path, from: u64) -> (Vec<(Vec<u8>, u64)>, u64, Damage) {
    let mut all = Vec::new();
    let each = |line: &[u8], at: u64| {
        all.push((line.to_vec(), at));
        serde_json::from_slice::<serde_json::Value>(line).is_ok()
    };
    let (to, damage) = lines::placed(path, from, each).unwrap();
    (all, to, damage)
}

/// Bytes as a segment: read from the middle it is as read from the beginning, and sealed as it was.
pub(crate) fn lines(bytes: &[u8], folder: &Path) {
    let (plain, packed) = (folder.join("plain.jsonl"), folder.join("packed.jsonl"));
    fs::write(&plain, bytes).unwrap();
    let (all, to, damage) = lines_of(&plain, 0);
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    assert_eq!((to, damage.tail), (whole as u64, (bytes.len() - whole) as u64));
    assert!(damage.bytes <= whole as u64, "{damage:?}");
    assert!(all.iter().all(|(line, _)| !line.is_empty() && !line.contains(&b'\n') && !line.contains(&0)));
    if let Some((_, at)) = all.get(all.len() / 2) {
        let rest: Vec<_> = all.iter().filter(|(_, behind)| behind > at).cloned().collect();
        assert_eq!(lines_of(&plain, *at).0, rest);
    }
    let (original, mut file) = (sealed::measure(&mut &bytes[..]).unwrap(), Vec::new());
    assert!(sealed::write(&original, &mut &bytes[..], &mut file, &|| true).unwrap());
    fs::write(sealed::path_of(&packed), file).unwrap();
    assert_eq!(lines_of(&packed, 0), (all, to, damage));
}

/// Bytes as a sealed segment.
pub(crate) fn sealed(bytes: &[u8], folder: &Path) {
    let path = folder.join("metrics.1.jsonl");
    fs::write(sealed::path_of(&path), bytes).unwrap();
    // A newer version's, or none at all, is refused.
    let mut count = 0;
    if lines::read(&path, 0, |_| {
        count += 1;
        true
    })
    .is_ok()
    {
        let mut again = 0;
        lines::read(&path, 0, |_| {
            again += 1;
            true
        })
        .unwrap();
        assert_eq!(count, again);
        sealed::length(&path).ok();
        sealed::Reader::open(&path).ok().flatten().map(|reader| reader.verify(&|| true));
    }
}

/// Files as those of an attempt: its events, rows, output and all that is made of them.
pub(crate) fn attempts(bytes: &[u8], folder: &Path) {
    let attempt = folder.join("attempts/1");
    fs::create_dir_all(&attempt).unwrap();
    sections::unfold(bytes, &attempt);
    if let Ok(folded) = spool::attempt(&attempt, AttemptNo(1)) {
        let again = spool::attempt(&attempt, AttemptNo(1)).unwrap();
        assert_eq!(format!("{folded:?}"), format!("{again:?}"));
    }
    let mut rows: Vec<Row> = Vec::new();
    if spool::rows(&attempt, |row| rows.push(row)).is_ok() {
        for row in &rows {
            // What is read of a row is written as what reads the same.
            let written = serde_json::to_vec(row).unwrap();
            let read: Row = serde_json::from_slice(&written).unwrap();
            assert_eq!(serde_json::to_vec(&read).unwrap(), written);
            let mut quickly = Row::default();
            assert!(quickly.read(&written));
            assert_eq!(serde_json::to_vec(&quickly).unwrap(), written);
        }
    }
    spool::output(&attempt, |_| {}).ok();
    spool::left(&attempt).ok();
    spool::damage(&attempt, u64::MAX).ok();
    if let Ok(earlier) = Earlier::read(folder, AttemptNo(2), true) {
        earlier.summary(&Default::default()).ok();
        earlier.history.write(folder, RunId(1)).ok();
    }
    if let Ok(recording) = Recording::of(folder, None) {
        let recorded = recording.recorded();
        for name in recorded.names() {
            let (series, mut points) = (recorded.series(name), 0_u64);
            series.points(|_| points += 1).unwrap();
            let drawn = series.draw(Window::ALL, 7).unwrap();
            assert_eq!(drawn.iter().map(neronet_series::Bucket::points).sum::<u64>(), points, "{name}");
        }
        curves::extents(folder, None).unwrap();
    }
}

/// Bytes as what is stored of curves, the checksum of its first head made right.
pub(crate) fn series(bytes: &[u8], _: &Path) {
    let mut file = bytes.to_vec();
    if let Some(length) = file.get(8..12).and_then(<[u8]>::first_chunk).map(|length| u32::from_le_bytes(*length) as usize)
        && let Some(head) = file.get(24..).and_then(|rest| rest.get(..length))
    {
        let sum = crc32c::crc32c(head);
        file[12..16].copy_from_slice(&sum.to_le_bytes());
    }
    let (heads, end) = Head::all(&file[..], file.len() as u64);
    assert!(end <= file.len() as u64);
    let attempts = [(AttemptNo(1), false), (AttemptNo(2), true)];
    let recorded = Recorded { attempts: &attempts, file: &file[..], heads: &heads, rest: &[] };
    for name in recorded.names() {
        let series = recorded.series(name);
        series.points(|_| {}).ok();
        series.superseded(|_| {}).ok();
        series.draw(Window::ALL, 7).ok();
        series.draw(Window::Position(0.5, 3.0), 2).ok();
    }
}

/// Bytes as what is stored of the journal, behind its checksum.
pub(crate) fn projection(bytes: &[u8], _: &Path) {
    neronet_store::projection::fuzz(bytes);
}

/// Bytes as the container of a bundle; and what it holds, packed anew, comes out.
pub(crate) fn containers(bytes: &[u8], _: &Path) {
    if let Ok((mut reader, _)) = Reader::open(bytes) {
        let mut taken = Vec::new();
        while reader.member(16, &mut taken).is_ok() && taken.len() < 1 << 20 {}
        reader.end().ok();
    }
    let mut writer = Writer::new(Vec::new(), b"head").unwrap();
    writer.member(bytes.len() as u64, bytes).unwrap();
    let file = writer.finish().unwrap();
    let (mut reader, _) = Reader::open(&file[..]).unwrap();
    let mut out = Vec::new();
    reader.member(bytes.len() as u64, &mut out).unwrap();
    reader.end().unwrap();
    assert_eq!(out, bytes);
}

/// Files as a bundle: the head, whose list of files is made from those that follow, and they. Nothing lands beside home.
pub(crate) fn bundles(bytes: &[u8], folder: &Path) {
    let mut files = sections::sections(bytes);
    let place = folder.join("given.neronet");
    if files.is_empty() {
        return;
    }
    let (_, head) = files.remove(0);
    let head = match serde_json::from_slice::<serde_json::Value>(&head) {
        Ok(serde_json::Value::Object(mut head)) => {
            let told = files.iter().map(|(path, content)| serde_json::json!({"path": path, "bytes": content.len()}));
            head.insert("files".into(), told.collect());
            serde_json::to_vec(&head).unwrap()
        }
        _ => head,
    };
    let mut writer = Writer::new(Vec::new(), &head).unwrap();
    files.iter().for_each(|(_, content)| writer.member(content.len() as u64, &content[..]).unwrap());
    fs::write(&place, writer.finish().unwrap()).unwrap();
    let context = context(folder);
    let imported = import::import(&context, &[place], &Words::default(), &mut |_| {});
    let mut beside: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.retain(|name| !["home", "cache", "given.neronet"].iter().any(|known| name == known));
    assert!(beside.is_empty(), "{beside:?}");
    // What came can be listed, and did not come by halves.
    let snapshot = Snapshot::read(&context).unwrap();
    let there = snapshot.views(&context).len();
    assert!(there == 0 || imported.is_ok(), "{imported:?}");
    for view in snapshot.views(&context) {
        view.status();
        listing::duration(&view, UnixMs(1_795_000_000_000));
        let run = context.home.run(view.id);
        curves::of_run(&run, None, None).ok();
    }
}

/// Files as a snapshot that travels: the head, whose list of files is made from those that follow, and they. Else bytes as the stream.
/// It is there in whole or not at all, and nothing beside it.
pub(crate) fn parcels(bytes: &[u8], folder: &Path) {
    let mut files = sections::sections(bytes);
    let manifest = files.iter().find(|(path, _)| path == "manifest.json");
    let name = Hash::try_from(neronet_capture::hash(manifest.map_or(bytes, |(_, content)| content))).unwrap();
    let stream = if files.is_empty() {
        bytes.to_vec()
    } else {
        let (_, head) = files.remove(0);
        let head = match serde_json::from_slice::<serde_json::Value>(&head) {
            Ok(serde_json::Value::Object(mut head)) => {
                let told = files.iter().map(|(path, content)| serde_json::json!({"path": path, "bytes": content.len()}));
                head.insert("files".into(), told.collect());
                head.insert("snapshot".into(), name.as_str().into());
                serde_json::to_vec(&head).unwrap()
            }
            _ => head,
        };
        let mut writer = Writer::new(Vec::new(), &head).unwrap();
        files.iter().for_each(|(_, content)| writer.member(content.len() as u64, &content[..]).unwrap());
        writer.finish().unwrap()
    };
    let (snapshots, work) = (folder.join("snapshots"), folder.join("runs/1/work"));
    fs::create_dir_all(folder.join("runs/1")).unwrap();
    fs::create_dir_all(&snapshots).unwrap();
    let taken = parcel::fuzz(&stream, &name, &snapshots);
    let there: Vec<_> = fs::read_dir(&snapshots).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    match taken {
        Ok(()) => {
            assert!(there == [name.as_str()]);
            let copied = code::materialise(&snapshots, name.as_str(), &work, &[], Path::new("/nowhere"));
            assert!(copied.is_ok() == work.exists());
        }
        Err(e) => assert!(there.is_empty(), "{e}: {there:?}"),
    }
    let mut beside: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.retain(|name| !["runs", "snapshots"].iter().any(|known| name == known));
    assert!(beside.is_empty() && fs::read_dir(folder.join("runs")).unwrap().count() == 1, "{beside:?}");
}

/// A manifest as that of a snapshot, whose copy leads nowhere else.
pub(crate) fn snapshots(bytes: &[u8], folder: &Path) {
    let (staged, work) = (folder.join("staged"), folder.join("runs/1/work"));
    let name = neronet_capture::hash(bytes);
    fs::create_dir_all(staged.join(&name).join("files/src")).unwrap();
    fs::create_dir_all(folder.join("runs/1")).unwrap();
    fs::create_dir_all(folder.join("snapshots")).unwrap();
    fs::write(staged.join(&name).join("manifest.json"), bytes).unwrap();
    fs::write(staged.join(&name).join("files/src/train.py"), "print('loss 0.5')\n").unwrap();
    fs::write(staged.join(&name).join("files/run.sh"), "python3 src/train.py\n").unwrap();
    let copied = code::materialise(&staged, &name, &work, &[], Path::new("/nowhere"));
    assert!(copied.is_ok() == work.exists());
    code::mend(&staged, &name, &work, &[], Path::new("/nowhere")).ok();
    code::adopt(&staged, &name, &folder.join("snapshots")).ok();
    let mut beside: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.retain(|name| !["staged", "runs", "snapshots"].iter().any(|known| name == known));
    assert!(beside.is_empty() && fs::read_dir(folder.join("runs")).unwrap().count() == 1, "{beside:?}");
}
