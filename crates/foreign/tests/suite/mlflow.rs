//! A file store that MLflow wrote.

use crate::recorder::{record, samples, source};
use neronet_foreign::{Kind, Place, Source, look};
use neronet_model::{Outcome, Value};
use std::fs;
use std::path::Path;

/// The sample's run of this name.
fn run(name: &str) -> Source {
    let look = look(&samples("mlruns")).expect("readable");
    let found = look.sources.into_iter().find(|source| record(source).0.run().name == name);
    found.unwrap_or_else(|| panic!("no run {name}"))
}

#[test]
fn experiments_are_no_runs() {
    let look = look(&samples("mlruns")).expect("readable");
    assert_eq!(look.sources.len(), 3);
    assert!(look.sources.iter().all(|source| source.kind == Kind::MlFlow) && look.notices.is_empty());
}

#[test]
fn what_was_logged_is_read() {
    let source = run("good one");
    let (found, report) = record(&source);
    let run = found.run();
    assert_eq!(found.series("train/loss"), (0..40).map(|step| (step, (-step as f64 / 10.0).exp())).collect::<Vec<_>>());
    assert_eq!(found.series("acc"), (0..40).map(|step| (step, step as f64 / 40.0)).collect::<Vec<_>>());
    assert!(found.points.contains(&("acc".into(), Some(1_700_000_000_250), Some(1), 0.025_f64.to_bits())));
    let odd = found.series("odd");
    assert!(odd[0].1.is_nan() && odd[1].1 == f64::INFINITY && odd[2].1 == f64::NEG_INFINITY);
    assert_eq!((report.points, report.artifacts, report.notices.len()), (83, 1, 0));
    let params: Vec<(String, Value)> = run.params.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let expected = [
        ("augment", Value::as_word("True")),
        ("lr", Value::from_f64(0.001)),
        ("note", Value::Str("two\nlines".into())),
        ("optimizer", Value::Str("adam".into())),
        ("model/layers", Value::Int(3)),
    ];
    assert_eq!(params, expected.map(|(name, value)| (name.to_string(), value)));
    assert_eq!(run.key, format!("mlflow:{}", source.path.file_name().expect("a name").to_string_lossy()));
    assert_eq!((run.project.as_deref(), run.user.as_deref()), (Some("digits"), Some("ada")));
    assert_eq!(run.note.as_deref(), Some("a note\nof two lines"));
    assert_eq!(run.commit.as_deref(), Some("0123abcd0123abcd0123abcd0123abcd0123abcd"));
    assert_eq!(run.tags, [("team".to_string(), "vision".to_string())]);
    assert_eq!((run.outcome, run.deleted), (Some(Outcome::Finished), false));
    assert!(run.started < run.ended && run.started.is_some());
    assert_eq!(found.artifacts[0].0, "model/weights.txt");
    assert_eq!(fs::read_to_string(&found.artifacts[0].1).expect("readable"), "0 1 2\n");
}

#[test]
fn children_failures_and_deleted_runs() {
    let (child, _) = record(&run("child"));
    let (parent, _) = record(&run("good one"));
    assert_eq!(child.run().parent.as_ref().map(|id| format!("mlflow:{id}")), Some(parent.run().key.clone()));
    let (failed, _) = record(&run("failed"));
    assert_eq!((failed.run().outcome, failed.run().deleted), (Some(Outcome::Failed), true));
}

#[test]
fn lines_that_are_no_points_are_passed_over_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("0").join("abc");
    fs::create_dir_all(run.join("metrics/deep")).expect("made");
    fs::create_dir_all(run.join("params")).expect("made");
    fs::write(run.join("meta.yaml"), "run_id: abc\nstatus: RUNNING\nartifact_uri: s3://bucket/0/abc\n").expect("written");
    fs::write(folder.path().join("0/meta.yaml"), "experiment_id: '0'\nname: old\nlifecycle_stage: deleted\n").expect("written");
    fs::write(run.join("metrics/deep/loss"), "1700000000000 0.5 1\nnothing\n1700000000000 0.25\n1700000000000 0.125 3 data digest\n17000")
        .expect("written");
    let (found, report) = record(&source(Kind::MlFlow, folder.path(), "abc"));
    assert_eq!(found.names, ["deep/loss"]);
    let points: Vec<_> = found.points.iter().map(|(_, _, step, bits)| (*step, f64::from_bits(*bits))).collect();
    assert_eq!(points, [(Some(1), 0.5), (None, 0.25), (Some(3), 0.125)]);
    let places: Vec<Place> = report.notices.iter().map(|notice| notice.place).collect();
    assert_eq!(places, [Place::Whole, Place::Line(2), Place::Line(5)]);
    assert!(report.notices[0].to_string().contains("s3://bucket"), "{}", report.notices[0]);
    assert_eq!((found.run().outcome, found.run().project.as_deref(), found.run().deleted), (None, Some("old"), true));
}

#[test]
fn a_run_that_cannot_be_named_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("meta.yaml"), "run_id: abc\nstatus: @x").expect("written");
    let source = source(Kind::MlFlow, folder.path(), "");
    let error = neronet_foreign::read(&source, &mut crate::recorder::Recorder::default()).expect_err("no YAML");
    assert!(error.to_string().contains("meta.yaml:2: this is no YAML"), "{error}");
    fs::write(folder.path().join("meta.yaml"), format!("run_id: abc\n#{}", "x".repeat(300_000))).expect("written");
    assert!(look(Path::new(folder.path())).expect("readable").sources.is_empty());
}
