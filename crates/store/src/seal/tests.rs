//! An attempt before it is sealed, at every point of being sealed, and afterwards: what is read of it is the same.

use super::*;
use crate::spool::Chunk;
use neronet_model::event::Summary;
use neronet_model::{Attempt, AttemptNo, Millis, Outcome, Row, UnixMs};
use std::cell::Cell;

const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/formats/1/runs/1/attempts/1");

fn line<T: serde::Serialize>(value: &T) -> String {
    format!("{}\n", serde_json::to_string(value).expect("serialises"))
}

fn tag(t: u64) -> Stamped {
    Stamped { t: Millis(t), event: Event::Tag { name: format!("tag{}", t % 7), value: format!("value {t}") } }
}

/// An attempt that two supervisors recorded, and that has ended: its end is in `events.2.jsonl`.
fn attempt_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in [spool::LAUNCH, spool::KEEPER] {
        fs::copy(Path::new(FORMATS).join(name), folder.path().join(name)).expect("copied");
    }
    let row = |i: u64| Row { t: Millis(i), src: "o".into(), at: i, step: Some(i as i64), ..Row::default() };
    let chunk = |i: u64| Chunk { t: i, src: "o".into(), at: i, text: format!("step {i} of many\n") };
    let segments = [
        ("metrics.1.jsonl", (0..300).map(|i| line(&row(i))).collect::<String>()),
        ("metrics.2.jsonl", (300..310).map(|i| line(&row(i))).collect()),
        ("output.1.0.jsonl", (0..300).map(|i| line(&chunk(i))).collect()),
        ("output.1.1.jsonl", (300..600).map(|i| line(&chunk(i))).collect()),
        ("events.1.jsonl", (0..300).map(|i| line(&tag(i))).collect()),
    ];
    let mut recorded = Vec::new();
    for (name, text) in segments {
        fs::write(folder.path().join(name), &text).expect("written");
        let Original { bytes, sha256 } = sealed::measure(&mut text.as_bytes()).expect("measured");
        recorded.push(Segment { name: name.into(), bytes, sha256 });
    }
    let ended = Event::Ended {
        outcome: Outcome::Finished,
        cause: None,
        at: UnixMs(0),
        last_lines: Vec::new(),
        segments: recorded,
        summary: Summary::default(),
    };
    let events = (300..600).map(|i| line(&tag(i))).collect::<String>() + &line(&Stamped { t: Millis(700), event: ended });
    fs::write(folder.path().join("events.2.jsonl"), events).expect("written");
    fs::write(folder.path().join(WRITTEN_BY_SCRIPTS), "{\"step\": 1, \"loss\": 0.5}\n".repeat(300)).expect("written");
    folder
}

fn read(folder: &Path) -> (Attempt, Vec<Row>, Vec<Chunk>, Damage) {
    let (mut rows, mut chunks) = (Vec::new(), Vec::new());
    let mut damage = spool::rows(folder, |row| rows.push(row)).expect("reads");
    damage += spool::output(folder, |chunk| chunks.push(chunk)).expect("reads");
    (spool::attempt(folder, AttemptNo(1)).expect("reads"), rows, chunks, damage)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).expect("there").map(|entry| entry.expect("there").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

const SEALED: [&str; 9] = [
    "events.1.jsonl.zst",
    "events.2.jsonl",
    "keeper.jsonl",
    "launch.json",
    "metrics-in.jsonl.zst",
    "metrics.1.jsonl.zst",
    "metrics.2.jsonl",
    "output.1.0.jsonl.zst",
    "output.1.1.jsonl.zst",
];

fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for name in names(folder) {
        fs::copy(folder.join(&name), copy.path().join(&name)).expect("copied");
    }
    copy
}

#[test]
fn a_sealed_attempt_reads_as_before_in_less_room() {
    let folder = attempt_folder();
    let (before, raw) = (read(folder.path()), fs::read(folder.path().join("metrics.1.jsonl")).expect("there"));
    let sealing = attempt(folder.path(), &|| true).expect("seals");
    assert_eq!((sealing.segments, sealing.differs.len(), sealing.stopped), (5, 0, false));
    assert!(sealing.after * 4 < sealing.before, "{sealing:?}");
    assert_eq!(names(folder.path()), SEALED);
    assert_eq!(read(folder.path()), before);
    assert_eq!((before.1.len(), before.2.len(), before.0.end.is_some(), before.3), (310, 600, true, Damage::default()));
    let path = folder.path().join("metrics.1.jsonl");
    assert_eq!(zstd::stream::decode_all(&fs::read(sealed::path_of(&path)).expect("there")[..]).expect("zstd"), raw);
    assert_eq!(spool::length(&path).expect("told"), raw.len() as u64);
    assert_eq!(attempt(folder.path(), &|| true).expect("nothing to do"), Sealing::default());
    // The program that people have, where they have it.
    if let Ok(said) = std::process::Command::new("zstdcat").arg(sealed::path_of(&path)).output() {
        assert!(said.status.success() && said.stdout == raw, "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn cut_short_at_any_point_an_attempt_reads_as_before_and_is_sealed_the_next_time() {
    let whole = attempt_folder();
    let before = read(whole.path());
    for most in 0.. {
        let folder = copy(whole.path());
        let asked = Cell::new(0);
        let go_on = || asked.replace(asked.get() + 1) < most;
        let stopped = attempt(folder.path(), &go_on).expect("seals").stopped;
        assert_eq!(read(folder.path()), before, "stopped at {most}");
        assert!(names(folder.path()).iter().all(|name| !name.ends_with(".new")), "stopped at {most}");
        attempt(folder.path(), &|| true).expect("seals");
        assert_eq!(names(folder.path()), SEALED, "stopped at {most}");
        assert_eq!(read(folder.path()), before, "stopped at {most}");
        if !stopped {
            assert!(most > 15, "{most} points only");
            return;
        }
    }
}

/// What a power cut or a kill leaves, where there was no time to put anything away.
#[test]
fn what_was_being_written_when_the_power_went_is_written_again() {
    let whole = attempt_folder();
    let before = read(whole.path());
    let sealed_one = copy(whole.path());
    attempt(sealed_one.path(), &|| true).expect("seals");
    let path = |folder: &tempfile::TempDir| folder.path().join("metrics.1.jsonl");
    let good = fs::read(sealed::path_of(&path(&sealed_one))).expect("there");
    let lengths = (0..=good.len()).step_by(64).chain([good.len()]);
    for (length, renamed) in lengths.flat_map(|length| [(length, false), (length, true)]) {
        let folder = copy(whole.path());
        let name: PathBuf = if renamed { sealed::path_of(&path(&folder)) } else { unfinished(&path(&folder)) };
        fs::write(name, &good[..length]).expect("written");
        assert_eq!(read(folder.path()), before, "{length} bytes");
        attempt(folder.path(), &|| true).expect("seals");
        assert_eq!(names(folder.path()), SEALED, "{length} bytes");
        assert_eq!(read(folder.path()), before, "{length} bytes");
    }
}

#[test]
fn what_is_not_as_it_was_recorded_stays_and_is_told() {
    let folder = attempt_folder();
    let segment = |name: &str| folder.path().join(name);
    let mut rows = fs::read(segment("metrics.1.jsonl")).expect("there");
    rows[1000..1600].fill(0);
    fs::write(segment("metrics.1.jsonl"), &rows).expect("written");
    fs::remove_file(segment("metrics.2.jsonl")).expect("there");
    let torn = File::options().write(true).open(segment("output.1.1.jsonl")).expect("there");
    torn.set_len(torn.metadata().expect("there").len() - 5).expect("cut");
    let sealing = attempt(folder.path(), &|| true).expect("seals");
    let told: Vec<&str> = sealing.differs.iter().map(|Differs { name, .. }| name.as_str()).collect();
    assert_eq!((sealing.segments, told), (3, vec!["metrics.1.jsonl", "metrics.2.jsonl", "output.1.1.jsonl"]));
    assert_eq!(fs::read(segment("metrics.1.jsonl")).expect("there"), rows);
    assert!(segment("output.1.1.jsonl").exists() && !segment("output.1.1.jsonl.zst").exists());
    let (attempt_read, rows, chunks, damage) = read(folder.path());
    assert_eq!(chunks.len(), 599);
    assert!((280..300).contains(&rows.len()), "{}", rows.len());
    assert!(damage.lines == 1 && damage.bytes >= 600 && damage.of_ended().lines == 2, "{damage:?}");
    let notices = attempt_read.notices.join("\n");
    for said in ["metrics.1.jsonl is not what was recorded when the attempt ended: 1 of its lines", "metrics.2.jsonl", "it is gone"] {
        assert!(notices.contains(said), "{notices}");
    }
    // Nobody tries for ever.
    assert_eq!(attempt(folder.path(), &|| true).expect("nothing to do"), Sealing::default());
}

#[test]
fn what_has_not_ended_or_is_being_worked_on_is_not_touched() {
    let folder = attempt_folder();
    let there = names(folder.path());
    let held = lock(folder.path()).expect("opens").expect("free");
    assert_eq!(attempt(folder.path(), &|| true).expect("nothing to do"), Sealing::default());
    drop(held);
    fs::write(folder.path().join("events.2.jsonl"), line(&tag(1))).expect("written");
    assert_eq!(attempt(folder.path(), &|| true).expect("nothing to do"), Sealing::default());
    assert_eq!(names(folder.path()), there);
    assert!(rests(folder.path()).is_some_and(|rest| rest < Duration::from_secs(600)));
    assert_eq!(rests(&folder.path().join("nowhere")), None);
}
