//! Folders that Sacred's FileStorageObserver wrote.

use crate::recorder::{record, samples, source};
use neronet_foreign::Kind;
use neronet_model::{Outcome, Value};
use std::fs;

#[test]
fn what_was_logged_is_read() {
    let (found, report) = record(&source(Kind::Sacred, &samples("sacred"), "1"));
    let run = found.run();
    assert_eq!(found.series("train/loss"), (0..40).map(|step| (step, (-step as f64 / 10.0).exp())).collect::<Vec<_>>());
    assert_eq!(found.series("acc"), (0..40).map(|step| (step, step as f64 / 40.0)).collect::<Vec<_>>());
    assert!(found.series("odd")[0].1.is_nan());
    assert!(found.points.iter().all(|(_, at, ..)| at.is_some_and(|at| at > 1_600_000_000_000)));
    let params: Vec<(&str, String)> = run.params.iter().map(|(name, value)| (name, value.to_string())).collect();
    let expected = [
        ("bound", "Infinity"),
        ("layers", "[64, 32]"),
        ("lr", "0.001"),
        ("model.dropout", "null"),
        ("model.name", "mlp"),
        ("model.span", "[1, 2]"),
        ("seed", "7"),
    ];
    assert_eq!(params, expected.map(|(name, value)| (name, value.to_string())));
    assert_eq!((run.name.as_str(), run.project.as_deref(), run.note.as_deref()), ("1", Some("digits"), Some("a comment")));
    assert_eq!((run.host.as_deref(), run.outcome), (Some("lab1"), Some(Outcome::Finished)));
    assert_eq!(run.command, ["train.py", "main"]);
    assert!(run.key.starts_with("sacred:digits:1:20"), "{}", run.key);
    assert!(run.started < run.ended && run.started.is_some());
    assert_eq!(run.results.get("result"), Some(&Value::from_f64(0.875)));
    assert_eq!(run.results.get("seen"), Some(&Value::Int(12)));
    assert_eq!(found.output, "hello from the run\n");
    assert_eq!(found.artifacts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["weights.txt"]);
    assert!(report.notices.is_empty(), "{:?}", report.notices);
}

#[test]
fn a_failed_run_says_why() {
    let (found, _) = record(&source(Kind::Sacred, &samples("sacred"), "2"));
    assert_eq!(found.run().outcome, Some(Outcome::Failed));
    assert!(found.output.ends_with("RuntimeError: on purpose\n"), "{}", found.output);
}

#[test]
fn metrics_that_are_cut_are_read_as_far_as_they_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"{"a": {"values": [0.5, {"dtype": "float64", "value": 0.25}, "NaN", null, true], "steps": [1, 2, 3, 4, 5]},
        "b": 7, "c": {"steps": [1], "values": [2"#;
    fs::write(folder.path().join("run.json"), "{}").expect("written");
    fs::write(folder.path().join("metrics.json"), text).expect("written");
    let (found, report) = record(&source(Kind::Sacred, folder.path(), ""));
    let points: Vec<_> = found.series("a").into_iter().filter(|(_, value)| !value.is_nan()).collect();
    assert_eq!(points, [(1, 0.5), (2, 0.25), (5, 1.0)]);
    assert_eq!(report.passed.get("values that are no numbers"), Some(&1));
    assert_eq!(report.notices.len(), 1);
    assert!(report.notices[0].to_string().contains("metrics.json: byte"), "{}", report.notices[0]);
}
