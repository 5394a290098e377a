//! Groups over seeds, and the numbers that stand for them.

use crate::runs::{Cell, Run, Runs, run, word};
use neronet_query::{Group, Part, RESAMPLES, Rows, Spread, Statistic, groups, interval, sort_groups, sort_keys};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn grouped(runs: &[Run], by: &str, metrics: &str) -> Vec<Group> {
    let keys = |text| sort_keys(text).unwrap();
    groups(&Runs::new(runs), &Rows::all(runs.len()), &keys(by), &keys(metrics), by).unwrap()
}

/// Two rates with three seeds each, one of them diverged, and a run without a rate.
fn seeds() -> Vec<Run> {
    let one = |lr: &str, act: &str, acc: f64| run([("lr", word(lr)), ("act", word(act)), ("acc", Cell::Number(acc))]);
    let mut runs = vec![
        one("0.1", "relu", 0.9),
        one("1e-1", "relu", 0.94),
        one("0.10", "relu", 0.92),
        one("0.01", "relu", 0.5),
        one("1e-2", "none", 0.7),
        one("0.01", "relu", f64::NAN),
    ];
    runs.push(run([("act", word("relu"))]));
    runs
}

fn shown(group: &Group) -> Vec<String> {
    group.key.iter().map(|value| value.as_ref().map_or("-".to_string(), ToString::to_string)).collect()
}

#[test]
fn runs_with_the_same_values_are_one_group_however_these_were_written() {
    let found = grouped(&seeds(), "lr", "acc");
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), [["0.01"], ["0.1"], ["-"]]);
    assert_eq!(found.iter().map(|group| group.rows.clone()).collect::<Vec<_>>(), [vec![3, 4, 5], vec![0, 1, 2], vec![6]]);
    let of_best = found[1].spreads[0].unwrap();
    assert_eq!((of_best.count, of_best.median, of_best.min, of_best.max), (3, 0.92, 0.9, 0.94));
    assert!((of_best.mean - 0.92).abs() < 1e-12 && (of_best.deviation.unwrap() - 0.02).abs() < 1e-12, "{of_best:?}");
    assert_eq!(found[0].spreads[0].map(|spread| spread.count), Some(2), "what diverged is left out, and counted");
    assert_eq!((found[2].spreads[0], found[2].interval(0)), (None, None));
    let both = grouped(&seeds(), "act,lr", "acc");
    assert_eq!(both.iter().map(shown).collect::<Vec<_>>(), [["none", "1e-2"], ["relu", "0.01"], ["relu", "0.1"], ["relu", "-"]]);
    assert_eq!(both[0].spreads[0].unwrap().deviation, None, "one value has no spread");
    assert_eq!(both[0].interval(0), None);
}

#[test]
fn groups_are_sorted_by_any_of_their_numbers() {
    let mut found = grouped(&seeds(), "lr", "acc");
    for (part, descending, expected) in [
        (Part::Metric(0, Statistic::Mean), true, ["0.1", "0.01", "-"]),
        (Part::Metric(0, Statistic::Mean), false, ["0.01", "0.1", "-"]),
        (Part::Metric(0, Statistic::Deviation), true, ["0.01", "0.1", "-"]),
        (Part::Metric(0, Statistic::Low), true, ["0.1", "0.01", "-"]),
        (Part::Key(0), true, ["0.1", "0.01", "-"]),
        (Part::Key(0), false, ["0.01", "0.1", "-"]),
        (Part::Count, false, ["-", "0.01", "0.1"]),
    ] {
        sort_groups(&mut found, part, descending);
        assert_eq!(found.iter().map(|group| shown(group)[0].clone()).collect::<Vec<_>>(), expected, "{part:?}");
    }
}

#[test]
fn an_interval_is_that_of_the_bootstrap() {
    // Of two values the means drawn are the lower, the middle and the higher, a quarter, a half and a quarter of them.
    assert_eq!(interval(&[1.0, 2.0]), Some((1.0, 2.0)));
    // Of three the lowest alone comes once in 27.
    assert_eq!(interval(&[1.0, 2.0, 3.0]), Some((1.0, 3.0)));
    assert_eq!(interval(&[5.0; 4]), Some((5.0, 5.0)));
    assert_eq!(interval(&[f64::MAX; 3]), Some((f64::MAX, f64::MAX)));
    assert_eq!((interval(&[1.0]), interval(&[]), interval(&[1.0, f64::NAN])), (None, None, None));
    // Of many values it is that of a normal mean: a deviation of 28.866 over the root of 100, 1.96 times.
    let hundred: Vec<f64> = (0..100).map(f64::from).collect();
    let (low, high) = interval(&hundred).unwrap();
    assert!((low - (49.5 - 5.686)).abs() < 0.7 && (high - (49.5 + 5.686)).abs() < 0.7, "{low} {high}");
    let turned: Vec<f64> = hundred.iter().rev().copied().collect();
    assert_eq!(interval(&turned), Some((low, high)), "it depends on the values alone");
    assert_eq!(RESAMPLES, 2_000);
    let thousands: Vec<f64> = (0..9_000).map(|n| f64::from(n % 100)).collect();
    let (low, high) = interval(&thousands).unwrap();
    assert!((high - low - 2.0 * 1.96 * 28.866 / 9_000_f64.sqrt()).abs() < 1e-3, "{low} {high}");
}

proptest! {
    #[test]
    fn a_spread_is_what_its_definition_says(values in prop::collection::vec(prop_oneof![9 => -1e3_f64..1e3, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 0..40)) {
        let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        finite.sort_by(f64::total_cmp);
        let count = finite.len() as f64;
        let Some(spread) = Spread::of(&values) else { prop_assert!(finite.is_empty()); return Ok(()) };
        let mean = finite.iter().sum::<f64>() / count;
        let variance = finite.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = finite.len() / 2;
        let median = if finite.len() % 2 == 1 { finite[half] } else { (finite[half - 1] + finite[half]) / 2.0 };
        prop_assert!((spread.mean - mean).abs() < 1e-9);
        prop_assert_eq!(spread.deviation.is_some(), finite.len() > 1);
        prop_assert!(spread.deviation.is_none_or(|deviation| (deviation - variance.sqrt()).abs() < 1e-9));
        prop_assert!((spread.median - median).abs() < 1e-9);
        prop_assert_eq!((spread.count, spread.min, spread.max), (finite.len(), finite[0], finite[finite.len() - 1]));
        if let Some((low, high)) = interval(&values) {
            prop_assert!(spread.min <= low && low <= high && high <= spread.max);
        }
    }

    /// Groups are a partition of the runs by what they have, found with a map of texts instead.
    #[test]
    fn groups_are_a_partition(cells in prop::collection::vec((prop::option::of(0u8..3), prop::option::of(0u8..2), -1e3_f64..1e3), 1..60)) {
        let run = |(a, m, acc): &(Option<u8>, Option<u8>, f64)| {
            let mut run = run([("acc", Cell::Number(*acc))]);
            run.extend(a.map(|a| ("a", word(["0.1", "1e-1", "x"][usize::from(a)]))));
            run.extend(m.map(|m| ("m", Cell::Number(f64::from(m)))));
            run
        };
        let mut runs: Vec<Run> = cells.iter().map(run).collect();
        runs.push(Run::from([("a", word("x")), ("m", Cell::Number(0.0)), ("acc", Cell::Number(0.0))]));
        let key = |run: &Run| {
            let text = |name: &str| match run.get(name) {
                Some(Cell::Value(value)) => value.identity(),
                Some(Cell::Number(number)) => number.to_string(),
                _ => "-".to_string(),
            };
            (text("a"), text("m"))
        };
        let mut naive: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (row, run) in runs.iter().enumerate() {
            naive.entry(key(run)).or_default().push(row);
        }
        let mut expected: Vec<Vec<usize>> = naive.into_values().collect();
        let mut found: Vec<Vec<usize>> = grouped(&runs, "a,m", "acc").into_iter().map(|group| group.rows).collect();
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}
