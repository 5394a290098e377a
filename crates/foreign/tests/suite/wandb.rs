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
