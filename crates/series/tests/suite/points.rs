//! Points come back as they were told: over attempts, blocks, files.

use crate::naive::{Folded, NAMES, attempts, joined};
use neronet_model::row::{Row, Values};
use neronet_model::{AttemptNo, Millis, UnixMs};
use neronet_series::{Fold, Head, Point, Recorded};
use proptest::prelude::*;

/// As text, so that NaN equals NaN.
pub(crate) fn shown(points: &[Point]) -> String {
    points.iter().map(|point| format!("{point:?}\n")).collect()
}

proptest! {
    #[test]
    fn points_are_those_of_the_simplest_fold(attempts in attempts()) {
        let folded = Folded::of(&attempts);
        for name in NAMES {
            let series = folded.recorded().series(name);
            let (mut kept, mut superseded) = (Vec::new(), Vec::new());
            series.points(|point| kept.push(point)).expect("whole");
            series.superseded(|point| superseded.push(point)).expect("whole");
            let expected = joined(&attempts, name);
            prop_assert_eq!(shown(&kept), shown(&expected.0), "{}", name);
            prop_assert_eq!(shown(&superseded), shown(&expected.1), "{} superseded", name);
        }
    }
}

/// A training of so many rows with four metrics, losses of six digits.
pub(crate) fn training(rows: u64) -> impl Iterator<Item = Row> {
    // As scripts round: six digits behind the point. The noise is a walk of a generator with a fixed seed.
    let mut state = 42u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1u32 << 24) - 0.5
    };
    let mut t = 0;
    (1..=rows).map(move |step| {
        t += 37 + (noise() * 10.0) as u64;
        let decay = (-(step as f64) / 200_000.0).exp();
        let six = |value: f64| (value * 1e6).round() / 1e6;
        let m = vec![
            ("train/loss".to_string(), six(2.3 * decay + 0.2 * noise())),
            ("train/acc".to_string(), six(1.0 - decay + 0.05 * noise())),
            ("lr".to_string(), six(0.001 * decay)),
            ("grad_norm".to_string(), six(1.0 + noise().abs())),
        ];
        Row { t: Millis(t), src: "o".into(), at: 100 * step, step: Some(step as i64), m: Values(m), ..Row::default() }
    })
}

#[test]
fn a_long_training_takes_less_than_three_bytes_a_point() {
    let mut fold = Fold::default();
    let (mut file, mut count) = (Vec::new(), 0);
    fold.begin(AttemptNo(1), false, UnixMs(1_795_000_000_000));
    for row in training(100_000) {
        count += row.m.0.len();
        fold.add(&row);
        if fold.is_full() {
            file.extend(fold.cut().encode(Vec::new(), (0, 0), 0).expect("it has rows").0);
        }
    }
    file.extend(fold.cut().encode(Vec::new(), (0, 0), 0).expect("it has rows").0);
    assert!(file.len() < 3 * count, "{:.2} bytes a point", file.len() as f64 / count as f64);
    let (heads, _) = Head::all(&file[..], file.len() as u64);
    let recorded = Recorded { attempts: &[(AttemptNo(1), false)], file: &file[..], heads: &heads, rest: &[] };
    let mut expected = training(100_000);
    let mut found = 0;
    recorded
        .series("train/loss")
        .points(|point| {
            found += 1;
            let row = expected.next().expect("not more than there were");
            assert_eq!((Some(point.step), point.value), (row.step.map(|step| step as f64), row.m.0[0].1));
            assert_eq!(point.at, UnixMs(1_795_000_000_000).plus(row.t));
        })
        .expect("whole");
    assert_eq!(found, 100_000);
}
