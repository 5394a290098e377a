//! Mistakes say what is wrong, under which column, and how it is written.

use crate::runs::{Runs, five, ordered, rows_of};
use neronet_query::{Filter, sort_keys};

#[test]
fn each_mistake_has_its_place_and_its_words() {
    let runs = five();
    let mut all = String::new();
    for text in [
        "",
        "lr >",
        "lr",
        "lr 0.1",
        "lr > 0.1 nad act = relu",
        "lr > 0.1 act = relu",
        "(lr > 0.1",
        "lr > 0.1)",
        "lr > 0.1, act = relu",
        "act = 'relu",
        "and",
        "lr in 0.1",
        "lr in [0.1 0.01]",
        "lr in [0.1, 0.01",
        "act like '%relu%'",
        "act =~ relu",
        "act is",
        "lr < 0.1 > 0.01",
        "lr > 0.1 < 1",
        "学習率の値 > 0.1 and 学習率の値 > 1)",
        "lr > 0.1 and\tsate == failed",
        "state == finishd",
        "lr > 1 or state in [failed, brokn]",
        "loss > abc",
        "duration > soon",
        "started > 2d",
        "started > 2026-11-31",
        "started > 2026-1-1",
    ] {
        let mistake = rows_of(&runs, text).unwrap_err();
        all.push_str(&format!("{mistake}\n\n"));
    }
    let long = format!("{} nad b = 1", vec!["lr > 0.1"; 30].join(" and "));
    all.push_str(&format!("{}\n\n", rows_of(&runs, &long).unwrap_err()));
    for keys in ["", "lr,,act", "lr,nothing", "'lr"] {
        all.push_str(&format!("{}\n\n", ordered(&runs, keys).unwrap_err()));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn depth_and_length_have_limits() {
    for text in ["(".repeat(1_000), "not ".repeat(10_000), "!".repeat(1_000)] {
        assert!(Filter::parse(&text).is_err_and(|mistake| mistake.what.contains("too deeply nested")));
    }
    let nested = format!("{}a = 1{}", "(".repeat(50), ")".repeat(50));
    assert!(Filter::parse(&nested).is_ok());
    let list = (0..40_000).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert!(Filter::parse(&format!("id in [{list}]")).is_ok());
    assert!(Filter::parse(&format!("a = {}", "x".repeat(300_000))).is_err_and(|mistake| mistake.what.contains("longer than")));
    assert!(sort_keys(&"a,".repeat(10)).is_err(), "a comma at the end says that something is missing");
}

/// The first mistake is told, and one in what is not looked at for a row too.
#[test]
fn every_name_must_be_known() {
    let table = Runs::new(&five());
    let filter = Filter::parse("lr > 100 and nothing = 1").unwrap();
    assert_eq!(filter.rows(&table, &crate::runs::clock()).unwrap_err().at, 13);
}
