//! Curves of many points: stored by columns, drawn from buckets, the same wherever they are asked for.

use crate::api::{get, served};
use crate::world::{World, all_below};
use serde_json::Value;

/// A run with 30,000 rows of two metrics, of which one has an outlier.
fn long_run(world: World) -> World {
    let script = r#"
import json, os
with open(os.environ["NERONET_METRICS"], "w") as out:
    for step in range(1, 30_001):
        loss = 1_000.0 if step == 12_345 else round(1 / step, 6)
        out.write(json.dumps({"step": step, "loss": loss, "lr": 0.001}) + "\n")
"#;
    world.write("train.py", script).run(&["python3", "train.py"]).1.with_code(0);
    world
}

/// The files that hold columns of metrics.
fn stored(world: &World) -> Vec<std::path::PathBuf> {
    all_below(&world.path("user")).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "series")).collect()
}

#[test]
fn a_long_curve_keeps_its_outlier_in_every_form() {
    let world = long_run(served());
    let of = |words: &[&str]| world.say(words).with_code(0).json().as_array().expect("an array").clone();
    let points = of(&["metrics", "1", "loss", "--json"]);
    assert_eq!((points.len(), &points[12_344][2]), (30_000, &1_000.0.into()));
    let [file] = &stored(&world)[..] else { panic!("one file of columns: {:?}", stored(&world)) };
    // Of two metrics and 30,000 rows.
    assert!(std::fs::metadata(file).expect("there").len() < 200_000);

    let buckets = of(&["metrics", "1", "loss", "--buckets", "100", "--json"]);
    assert!((50..=100).contains(&buckets.len()), "{} buckets", buckets.len());
    assert_eq!(buckets.iter().map(|bucket| bucket["points"].as_u64().expect("a count")).sum::<u64>(), 30_000);
    let highest: Vec<&Value> = buckets.iter().filter(|bucket| bucket["max"] == 1_000.0).collect();
    assert_eq!(highest.len(), 1);
    let within = |bucket: &Value| bucket["step"][0].as_f64() <= Some(12_345.0) && bucket["step"][1].as_f64() >= Some(12_345.0);
    assert!(within(highest[0]), "{}", highest[0]);
    assert_eq!(get(&world, "/v1/runs/1/curve/loss?buckets=100").with(200).json(), Value::Array(buckets));

    let zoomed = get(&world, "/v1/runs/1/curve/loss?buckets=100&from=12340&to=12350").with(200).json();
    let values: Vec<f64> = zoomed.as_array().expect("an array").iter().filter_map(|bucket| bucket["first"].as_f64()).collect();
    let expected: Vec<f64> =
        (12_340..=12_350).map(|step| if step == 12_345 { 1_000.0 } else { (1e6 / f64::from(step)).round() / 1e6 }).collect();
    assert_eq!(values, expected, "few points come one by one");
    get(&world, "/v1/runs/1/curve/los").with(404);

    world.say(&["plot", "1", "-m", "loss", "-o", "curve.svg"]).with_code(0);
    let svg = std::fs::read_to_string(world.project().join("curve.svg")).expect("written");
    assert!(svg.contains("1,000") || svg.contains("1000"), "the axis reaches the outlier");
    assert!(svg.len() < 300_000, "{} bytes", svg.len());
}

#[test]
fn curves_survive_the_loss_of_what_is_stored_of_them() {
    let world = long_run(World::new());
    let asked = ["metrics", "1", "loss", "--json"];
    let before = world.say(&asked).with_code(0).json();
    let [file] = &stored(&world)[..] else { panic!("one file of columns: {:?}", stored(&world)) };
    let whole = std::fs::read(file).expect("there");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for content in [&whole[..whole.len() / 3], &damaged, b"nothing of ours"] {
        std::fs::write(file, content).expect("written");
        assert_eq!(world.say(&asked).with_code(0).json(), before);
    }
    std::fs::remove_file(file).expect("removed");
    assert_eq!(world.say(&asked).with_code(0).json(), before);
}
