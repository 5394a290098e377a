//! An offline run that wandb wrote.

use crate::recorder::{record, samples, source};
use neronet_foreign::{Kind, Place, look};
use neronet_model::{Outcome, Value};
use std::fs;

#[test]
fn what_was_logged_is_read() {
    let (found, report) = record(&source(Kind::Wandb, &samples("wandb"), "abcd1234"));
    let run = found.run();
    assert_eq!(found.series("train/loss"), (0..40).map(|step| (step, (-step as f64 / 10.0).exp())).collect::<Vec<_>>());
    assert_eq!(found.series("nested.deep"), (0..40).map(|step| (step, step as f64)).collect::<Vec<_>>());
    assert!(found.series("odd")[0].1.is_nan());
    // In a record of several blocks.
    for i in 0..1500 {
        assert_eq!(found.series(&format!("wide/{i:04}")), [(41, f64::from(i))]);
    }
    assert_eq!(report.points, 40 * 3 + 1 + 1500);
    assert_eq!((report.passed.get("histogram"), report.passed.get("values that are no numbers")), (Some(&1), Some(&1)));
    assert!(found.points.iter().all(|(_, at, ..)| at.is_some_and(|at| at > 1_600_000_000_000)));
    let params: Vec<(&str, String)> = run.params.iter().map(|(name, value)| (name, value.to_string())).collect();
    let expected =
        [("lr", "0.001"), ("layers", "[64, 32]"), ("model.name", "mlp"), ("model.dropout", "null"), ("augment", "true"), ("late", "5")];
    assert_eq!(params, expected.map(|(name, value)| (name, value.to_string())));
    assert_eq!((run.key.as_str(), run.name.as_str()), ("wandb:digits:abcd1234", "good one"));
    assert_eq!((run.project.as_deref(), run.note.as_deref(), run.host.as_deref()), (Some("digits"), Some("a note"), Some("lab1")));
    let tags = [("group", "sweep1"), ("vision", ""), ("new", "")];
    assert_eq!(run.tags, tags.map(|(name, value)| (name.to_string(), value.to_string())));
    let results: Vec<_> = run.results.iter().collect();
    assert_eq!(results, [("best", &Value::from_f64(0.875)), ("word", &Value::Str("text".into()))]);
    assert_eq!((run.outcome, run.exit_code), (Some(Outcome::Finished), Some(0)));
    assert!(run.started < run.ended && run.started.is_some());
    assert_eq!(found.output, "hello from the run\n");
    assert_eq!(found.artifacts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["media/picture.txt"]);
    assert!(report.notices.is_empty(), "{:?}", report.notices);
}

#[test]
fn the_folders_of_a_resumed_run_are_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = samples("wandb/offline-run-20231114_221320-abcd1234/run-abcd1234.wandb");
    for name in ["offline-run-20231114_221320-abcd1234", "offline-run-20231115_221320-abcd1234"] {
        fs::create_dir_all(folder.path().join("wandb").join(name)).expect("made");
        fs::copy(&inner, folder.path().join("wandb").join(name).join("run-abcd1234.wandb")).expect("copied");
    }
    std::os::unix::fs::symlink("offline-run-20231115_221320-abcd1234", folder.path().join("wandb/latest-run")).expect("linked");
    let look = look(folder.path()).expect("readable");
    assert_eq!((look.sources.len(), look.sources[0].files.len(), look.notices.len()), (1, 2, 0));
    let (found, _) = record(&look.sources[0]);
    assert_eq!(found.series("acc").len(), 80);
}

#[test]
fn a_file_that_is_cut_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = fs::read(samples("wandb/offline-run-20231114_221320-abcd1234/run-abcd1234.wandb")).expect("readable");
    fs::write(folder.path().join("run-abcd1234.wandb"), &bytes[..6000]).expect("written");
    let (found, report) = record(&source(Kind::Wandb, folder.path(), ""));
    assert!(found.series("acc").len() > 5);
    assert_eq!((found.run().outcome, found.run().key.as_str()), (None, "wandb:digits:abcd1234"));
    assert_eq!(report.notices.len(), 1);
    assert!(matches!(report.notices[0].place, Place::Byte(5000..6000)), "{}", report.notices[0]);
    // And what is no such file at all.
    fs::write(folder.path().join("run-abcd1234.wandb"), b"something else").expect("written");
    let (found, report) = record(&source(Kind::Wandb, folder.path(), ""));
    assert!(found.points.is_empty() && report.notices.len() == 1);
}

/// A field of a message: its number, and the bytes of a text or an inner message.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let varint = |mut number: u64| {
        let mut out = Vec::new();
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
        out
    };
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// An item as versions before 0.16 wrote it: one key, and whatever JSON.
fn item(number: u64, key: &str, json: &str) -> Vec<u8> {
    field(number, &[field(1, key.as_bytes()), field(16, json.as_bytes())].concat())
}

/// A file of these records, which must fit into one block.
fn written(records: &[Vec<u8>]) -> Vec<u8> {
    let crc32 = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |mut sum, byte| {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            }
            sum
        })
    };
    let mut out = b":W&B\xe1\xbe\0".to_vec();
    for record in records {
        let typed = [&[1], &record[..]].concat();
        out.extend_from_slice(&crc32(&typed).to_le_bytes());
        out.extend_from_slice(&(record.len() as u16).to_le_bytes());
        out.extend_from_slice(&typed);
    }
    out
}

#[test]
fn records_of_older_versions_and_readings_of_the_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let when = [&[8_u8][..], &[0x80, 0xe2, 0xcf, 0xaa, 6]].concat(); // 1,700,000,000 seconds
    let run = [field(1, b"old"), field(3, b"digits"), field(4, &item(1, "model", r#"{"depth": 3, "wide": false}"#))].concat();
    let history = [
        item(1, "_step", "7"),
        item(1, "_timestamp", "1700000000.5"),
        item(1, "loss", "\"NaN\""),
        item(1, "eval", r#"{"acc": 0.5, "deep": {"er": 2}, "word": "x"}"#),
        item(1, "done", "true"),
        item(1, "picture", r#"{"_type": "image-file", "path": "media/a.png", "size": 5}"#),
    ];
    let stats = [field(2, &when), item(3, "gpu.0.temp", "61.5"), item(3, "_wandb", "1")].concat();
    let environment =
        [field(5, b"--lr"), field(6, b"train.py"), field(9, &field(2, b"0123abcd")), field(12, b"lab2"), field(13, b"ada")].concat();
    let output = [vec![8, 0], field(2, &when), field(3, "\u{1b}[31merror\n".as_bytes())].concat();
    let exit = vec![8, 1];
    let records = [(17, run), (26, environment), (2, history.concat()), (7, stats), (13, output), (18, exit)];
    let records: Vec<Vec<u8>> = records.iter().map(|(number, inner)| field(*number, inner)).collect();
    fs::write(folder.path().join("run-old.wandb"), written(&records)).expect("written");
    let (found, report) = record(&source(Kind::Wandb, folder.path(), ""));
    assert!(report.notices.is_empty(), "{:?}", report.notices);
    assert_eq!(found.names, ["loss", "eval.acc", "eval.deep.er", "done", "sys/gpu.0.temp"]);
    assert!(found.series("loss")[0].1.is_nan());
    assert_eq!((found.series("eval.deep.er"), found.series("done")), (vec![(7, 2.0)], vec![(7, 1.0)]));
    assert_eq!(found.points[4], ("sys/gpu.0.temp".into(), Some(1_700_000_000_000), None, 61.5_f64.to_bits()));
    assert_eq!(found.points[0].1, Some(1_700_000_000_500));
    assert_eq!(report.passed.get("image-file"), Some(&1));
    let run = found.run();
    let params: Vec<(&str, String)> = run.params.iter().map(|(name, value)| (name, value.to_string())).collect();
    assert_eq!(params, [("model.depth", "3".to_string()), ("model.wide", "false".to_string())]);
    assert_eq!((run.outcome, run.exit_code), (Some(Outcome::Failed), Some(1)));
    assert_eq!((run.host.as_deref(), run.user.as_deref(), run.commit.as_deref()), (Some("lab2"), Some("ada"), Some("0123abcd")));
    assert_eq!((run.command.join(" ").as_str(), found.output.as_str()), ("train.py --lr", "\u{1b}[31merror\n"));
}
