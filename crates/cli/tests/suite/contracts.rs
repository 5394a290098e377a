//! The JSON that programs read: its keys and the kinds of its values.

use crate::world::World;
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_listing_has_these_keys() {
    let world = World::with_sweep();
    let listed = world.json(&["ls", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let run = &listed[0];
    let expected = [
        "after",
        "attempts",
        "created",
        "ended",
        "experiment",
        "id",
        "metrics",
        "outcome",
        "params",
        "project",
        "reason",
        "started",
        "state",
        "sweep",
        "tags",
        "target",
        "uid",
    ];
    assert_eq!(keys(run), expected);
    assert_eq!([&run["id"], &run["sweep"], &run["attempts"]], [1, 1, 1]);
    assert_eq!([&run["project"], &run["experiment"], &run["target"]], ["digits", "toy", "local"]);
    assert_eq!([&run["state"], &run["outcome"]], ["ended", "finished"]);
    assert_eq!(run["reason"], Value::Null);
    assert_eq!(run["params"], json!({"lr": 0.1, "act": "relu"}));
    assert_eq!(run["tags"], json!([]));
    assert_eq!(run["metrics"]["test_acc"], json!({"last": 92.0, "min": 90.5, "max": 92.0, "step": 4.0, "points": 4}));
    for time in ["created", "started", "ended"] {
        assert!(run[time].as_str().unwrap().ends_with('Z'), "{}", run[time]);
    }
    let limited = world.json(&["ls", "--json", "--limit", "1", "--fields", "id,lr,loss"]);
    assert_eq!(keys(&limited[0]), ["id", "metrics", "params"]);
    assert_eq!(limited[0]["params"], json!({"lr": 0.2}));
    assert_eq!(keys(&limited[0]["metrics"]), ["loss"]);
}

#[test]
fn a_run_shown_has_all_else() {
    let world = World::with_sweep();
    let shown = world.json(&["show", "2", "--json"]);
    for key in
        ["command", "directory", "host", "git", "environment", "inputs", "config", "attempts", "checkpoints", "artifacts", "findings"]
    {
        assert!(shown.get(key).is_some(), "{key} is not there");
    }
    assert_eq!(shown["command"], "sh train.sh 0.1 none");
    assert_eq!(keys(&shown["git"]), ["branch", "commit", "dirty"]);
    assert_eq!([&shown["git"]["branch"], &shown["git"]["dirty"]], [&json!("main"), &json!(false)]);
    let attempt = &shown["attempts"][0];
    for key in ["n", "started", "ended", "outcome", "exit_code", "signal", "cause", "resumed_from"] {
        assert!(attempt.get(key).is_some(), "attempt: {key} is not there");
    }
    assert_eq!([&attempt["n"], &attempt["exit_code"]], [&json!(1), &json!(0)]);
    assert_eq!(attempt["outcome"], "finished");
    assert_eq!([&shown["findings"], &shown["artifacts"], &shown["inputs"]], [&json!([]), &json!([]), &json!([])]);
}

#[test]
fn points_are_step_time_and_value_and_no_number_is_a_word() {
    let world = World::new();
    world.neronet(&["run", "-q", "--", "sh", "-c", "echo step 1 loss 0.5; echo step 2 loss nan; echo step 3 loss -inf"]).succeeded();
    let points = world.json(&["metrics", "1", "loss", "--json"]);
    let points = points.as_array().unwrap();
    let pairs: Vec<(&Value, &Value)> = points.iter().map(|point| (&point[0], &point[2])).collect();
    assert_eq!(pairs, [(&json!(1.0), &json!(0.5)), (&json!(2.0), &json!("NaN")), (&json!(3.0), &json!("-Infinity"))]);
    assert!(points.iter().all(|point| point[1].as_f64().unwrap() > 1.7e9), "a time is in Unix seconds");
    assert_eq!(world.json(&["metrics", "1", "--json"])["loss"]["last"], "-Infinity");
}

#[test]
fn a_check_lists_runs_and_findings() {
    let world = World::new();
    let spec = std::fs::read_to_string(world.project().join("neronet.toml")).unwrap();
    world.write("neronet.toml", &format!("{spec}unused = 1\n"));
    let checked = world.json(&["check", "--json"]);
    assert_eq!(checked["count"], 4);
    assert_eq!(
        checked["runs"][0],
        json!({"experiment": "toy", "params": {"lr": 0.1, "act": "relu", "unused": 1}, "command": "sh train.sh 0.1 relu", "after": null})
    );
    let experiment = &checked["experiments"][0];
    assert_eq!((&experiment["varying"], &experiment["fixed"]["unused"]), (&json!(["lr", "act"]), &json!(1)));
    assert!(checked["submit"]["new"].is_u64() && checked["preflight"]["memory"].is_object(), "{checked:#}");
    let finding = &checked["findings"][0];
    assert_eq!(finding["severity"], "warning");
    assert!(finding["message"].as_str().unwrap().contains("unused"), "{finding}");
}
