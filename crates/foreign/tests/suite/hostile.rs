//! Bytes that nobody should have written: no panic, no end of memory, nothing from outside of the folder.

use crate::recorder::{Recorder, record, samples};
use neronet_foreign::tensorboard::{EventFile, EventReader, EventWriter};
use neronet_foreign::{bytes, look, read};
use neronet_model::{Params, UnixMs, Value};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn events(bytes: &[u8]) -> Recorder {
    let (mut sink, mut reader) = (Recorder::default(), EventReader::new(Path::new("hostile"), 0));
    let done = reader.feed(bytes, &mut sink).expect("taken");
    reader.finish((bytes.len() - done) as u64);
    sink
}

/// A frame whose checksums are right, whatever is in it.
fn framed(payload: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let length = (payload.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), payload, &masked(payload)].concat()
}

/// Bit by bit, from the definition.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
        sum
    })
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        bytes::events(&bytes);
        bytes::wandb(&bytes);
        bytes::wandb(&[b":W&B\xe1\xbe\0", &bytes[..]].concat());
        bytes::json(&bytes);
        bytes::meta(&bytes);
    }

    #[test]
    fn any_bytes_in_frames_that_are_right(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20)) {
        events(&payloads.iter().flat_map(|payload| framed(payload)).collect::<Vec<_>>());
    }

    /// The messages themselves, mutated within frames whose checksums are made right again.
    #[test]
    fn mutated_events(
        which in 0..2_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        record in any::<prop::sample::Index>(),
    ) {
        let path = ["tensorboard/simple/events.out.tfevents.1700000000.lab1.4242.0", "tensorboard/nested/tensors/events.out.tfevents.1700001000.lab1.4242.0"];
        let bytes = fs::read(samples(path[which])).expect("readable");
        let mut payloads = Vec::new();
        let mut rest = &bytes[..];
        while let Some(header) = rest.first_chunk::<8>() {
            let length = u64::from_le_bytes(*header) as usize;
            payloads.push(rest[12..12 + length].to_vec());
            rest = &rest[16 + length..];
        }
        let record = record.index(payloads.len());
        for (at, value) in flips {
            if let Some(length) = Some(payloads[record].len()).filter(|length| *length > 0) {
                payloads[record][at.index(length)] = value;
            }
        }
        events(&payloads.iter().flat_map(|payload| framed(payload)).collect::<Vec<_>>());
    }
}

#[test]
fn truncated_and_flipped_samples_are_read_without_a_panic() {
    let bytes = fs::read(samples("tensorboard/simple/events.out.tfevents.1700000000.lab1.4242.0")).expect("readable");
    for at in (0..bytes.len()).step_by(512) {
        events(&bytes[..at]);
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        events(&flipped);
    }
}

#[test]
fn a_length_beyond_all_memory_is_damage_or_passed_over() {
    let bytes = fs::read(samples("tensorboard/restarted/events.out.tfevents.1700002000.lab1.4242.0")).expect("readable");
    let whole = events(&bytes).points.len();
    for length in [u64::MAX, 1 << 40, (1 << 31) + 1] {
        // The checksum of the length is right.
        let header = &framed(&[])[..0];
        let masked = crc32c(&length.to_le_bytes()).rotate_right(15).wrapping_add(0xa282_ead8);
        let hostile = [header, &length.to_le_bytes(), &masked.to_le_bytes(), &bytes].concat();
        assert_eq!(events(&hostile).points.len(), whole);
    }
}

/// A copy of a sample's folder.
fn copied(name: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("made");
        for entry in fs::read_dir(from).expect("readable") {
            let entry = entry.expect("readable");
            let to = to.join(entry.file_name());
            match entry.path().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(fs::copy(entry.path(), to).expect("copied")),
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    copy(&samples(name), folder.path());
    folder
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Reads all runs; whether each can be read does not matter.
fn read_all(folder: &Path) -> usize {
    let sources = look(folder).expect("a folder").sources;
    sources.iter().filter(|source| read(source, &mut Recorder::default()).is_ok()).count()
}

#[test]
fn files_of_every_tracker_cut_and_flipped_are_read_without_a_panic() {
    for (name, runs) in [("mlruns", 3), ("sacred", 2), ("wandb", 1)] {
        let folder = copied(name);
        assert_eq!(read_all(folder.path()), runs, "{name}");
        for path in files_below(folder.path()) {
            let bytes = fs::read(&path).expect("readable");
            let step = if bytes.len() > 20_000 { 4096 } else { 512.min(bytes.len() / 8 + 1) };
            for at in (0..bytes.len()).step_by(step) {
                fs::write(&path, &bytes[..at]).expect("written");
                read_all(folder.path());
                let mut flipped = bytes.clone();
                flipped[at] ^= 0xff;
                flipped[bytes.len() - 1 - at / 2] = b'[';
                fs::write(&path, &flipped).expect("written");
                read_all(folder.path());
            }
            fs::write(&path, &bytes).expect("written");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_in_the_files_of_sacred_and_mlflow(text in "[\\[\\]{}:,\"a-z0-9.\\-\\\\ \n\t]{0,200}", file in 0..5_usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let (sacred, mlflow) = (folder.path().join("sacred"), folder.path().join("mlflow"));
        fs::create_dir_all(&sacred).expect("made");
        fs::create_dir_all(mlflow.join("metrics")).expect("made");
        for name in ["run.json", "config.json", "metrics.json", "info.json", "cout.txt"] {
            fs::write(sacred.join(name), "{}").expect("written");
        }
        fs::write(sacred.join(["run.json", "config.json", "metrics.json", "info.json", "cout.txt"][file]), &text).expect("written");
        fs::write(mlflow.join("meta.yaml"), format!("run_id: a\n{text}")).expect("written");
        fs::write(mlflow.join("metrics/a"), &text).expect("written");
        read_all(folder.path());
    }
}

#[test]
fn links_and_pipes_lead_nowhere() {
    let secret = tempfile::tempdir().expect("a folder");
    fs::write(secret.path().join("key"), "secret").expect("written");
    let folder = copied("mlruns");
    let run = look(folder.path()).expect("readable").sources.into_iter().find(|source| source.path.join("artifacts/model").is_dir());
    let run = run.expect("the sample has artifacts");
    symlink(secret.path().join("key"), run.path.join("artifacts/model/key")).expect("linked");
    symlink(secret.path(), run.path.join("artifacts/folder")).expect("linked");
    symlink(secret.path().join("key"), run.path.join("params/key")).expect("linked");
    symlink("/dev/zero", run.path.join("metrics/zero")).expect("linked");
    symlink(secret.path(), folder.path().join("elsewhere")).expect("linked");
    let status = std::process::Command::new("mkfifo").arg(run.path.join("params/pipe")).status().expect("mkfifo is there");
    assert!(status.success());
    let (found, report) = record(&run);
    assert_eq!(found.artifacts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["model/weights.txt"]);
    assert!(found.run().params.iter().all(|(name, value)| name != "key" && name != "pipe" && value.to_string() != "secret"));
    assert_eq!(report.notices.iter().filter(|notice| notice.what.contains("is a link")).count(), 4, "{:?}", report.notices);
    // A folder of the run that is a link itself.
    let child = look(folder.path()).expect("readable").sources.into_iter().find(|source| source.path != run.path).expect("several runs");
    for name in ["metrics", "artifacts"] {
        fs::remove_dir_all(child.path.join(name)).ok();
        symlink(secret.path(), child.path.join(name)).expect("linked");
    }
    let (found, report) = record(&child);
    assert_eq!((found.points.len(), found.artifacts.len(), report.notices.len()), (0, 0, 2), "{:?}", report.notices);
    let look = look(folder.path()).expect("readable");
    assert!(look.notices.iter().any(|notice| notice.path.ends_with("elsewhere")), "{:?}", look.notices);
    // An event file that is a link, or a device.
    let folder = tempfile::tempdir().expect("a folder");
    symlink("/dev/zero", folder.path().join("a.tfevents")).expect("linked");
    assert!(neronet_foreign::look(folder.path()).expect("readable").sources.is_empty());
    assert!(EventFile::open(&folder.path().join("a.tfevents"), 0).is_err());
    assert!(EventFile::open(Path::new("/dev/zero"), 0).is_err());
}

#[test]
fn names_of_any_bytes_stay_names() {
    let folder = copied("mlruns");
    let run = look(folder.path()).expect("readable").sources.into_iter().find(|source| source.path.join("artifacts/model").is_dir());
    let run = run.expect("the sample has artifacts");
    for name in [&b"new\nline"[..], b"esc\x1b[31m", b"\xff\xfe"] {
        let name = OsStr::from_bytes(name);
        fs::write(run.path.join("metrics").join(name), "1 0.5 1\n").expect("written");
        fs::write(run.path.join("artifacts").join(name), "").expect("written");
        fs::write(run.path.join("params").join(name), b"\xff\0").expect("written");
    }
    let (found, _) = record(&run);
    for name in found.names.iter().chain(found.artifacts.iter().map(|(name, _)| name)) {
        assert!(
            !name.contains(|c: char| c.is_control()) && !name.starts_with('/') && !name.split('/').any(|part| part == ".."),
            "{name:?}"
        );
    }
    assert_eq!(found.names.len(), 6);
    assert!(found.run().params.iter().all(|(name, value)| !name.contains('\n') && !value.to_string().contains('\0')));
}

#[test]
fn many_names_and_parameters_end_somewhere() {
    // A tag a step: values in the place of names.
    let mut writer = EventWriter::new(Vec::new(), UnixMs(1)).expect("written");
    for step in 0..120_000 {
        writer.scalars(UnixMs(1), step, &[(&format!("step {step}"), 1.0)]).expect("written");
    }
    let mut params = Params::new();
    for i in 0..12_000 {
        params.set(&format!("p{i}"), Value::Int(i));
    }
    writer.params(UnixMs(1), &params).expect("written");
    let bytes = writer.into_inner();
    let (mut sink, mut reader) = (Recorder::default(), EventReader::new(Path::new("hostile"), 0));
    reader.feed(&bytes, &mut sink).expect("taken");
    assert_eq!((sink.names.len(), sink.points.len()), (100_000, 100_000));
    assert_eq!(reader.report().passed.get("values of too many metrics"), Some(&20_000));
    assert_eq!(reader.run().params.len(), 10_000);
}
