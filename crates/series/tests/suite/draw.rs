//! Drawings: whatever is asked for, no outlier is lost, nothing is made up, and few buckets are read.

use crate::naive::{Folded, NAMES, Then, attempts, joined};
use neronet_model::Millis;
use neronet_model::row::{Row, Values};
use neronet_series::{Bucket, Window};
use proptest::prelude::*;

/// What buckets come to as a whole: count, finite ones, least, greatest, first, last, positions.
fn whole(buckets: &[Bucket]) -> String {
    let Some((first, rest)) = buckets.split_first() else { return "nothing".into() };
    let mut whole = *first;
    rest.iter().for_each(|next| whole.add(next));
    format!(
        "{} {} {} {} {:?} {:?} {:?} {:?}",
        whole.points(),
        whole.finite,
        whole.min,
        whole.max,
        whole.first,
        whole.last,
        whole.x,
        whole.t
    )
}

proptest! {
    #[test]
    fn all_buckets_together_are_all_points(attempts in attempts(), most in 1..60usize) {
        let folded = Folded::of(&attempts);
        for name in NAMES {
            let drawn = folded.recorded().series(name).draw(Window::ALL, most).expect("whole");
            let points: Vec<Bucket> = joined(&attempts, name).0.iter().map(Bucket::from).collect();
            prop_assert!(drawn.len() <= most);
            prop_assert_eq!(whole(&drawn), whole(&points), "{}", name);
            if points.len() <= most {
                prop_assert_eq!(format!("{drawn:?}"), format!("{points:?}"), "so few are drawn one by one");
            }
        }
    }

    /// Long enough for several levels and blocks; with a part superseded, and seen through windows.
    #[test]
    fn a_window_shows_every_outlier_within_it_and_no_point_far_from_it(
        rows in 1..6_000u64,
        stored in prop::collection::vec(0..6_000usize, 0..3),
        joins in prop::option::of(1..6_000u64),
        (from, to) in (0..6_000u64, 0..6_000u64),
        most in 1..300usize,
        by_time in any::<bool>(),
    ) {
        let value = |step: u64| ((step * 7_919) % 1_009) as f64;
        let row = |step: u64| Row { t: Millis(10 * step), step: Some(step as i64), m: Values(vec![("loss".into(), value(step))]), ..Row::default() };
        let then = |i: usize| if stored.contains(&i) { Then::Store } else { Then::GoOn };
        let mut attempts = vec![(false, (0..rows).map(|step| (row(step), then(step as usize))).collect::<Vec<_>>())];
        if let Some(joins) = joins {
            attempts.push((true, (joins..joins + 700).map(|step| (row(step), Then::Store)).take(3).collect()));
        }
        let folded = Folded::of(&attempts);
        let (from, to) = (from.min(to), from.max(to));
        let within: Vec<f64> = joined(&attempts, "loss").0.iter().filter(|point| {
            let at = if by_time { point.at.0 as u64 } else { point.step as u64 };
            (from..=to).contains(&at)
        }).map(|point| point.value).collect();
        let window = if by_time { Window::Time(from, to) } else { Window::Position(from as f64, to as f64) };
        let drawn = folded.recorded().series("loss").draw(window, most).expect("whole");
        prop_assert!(drawn.len() <= most);
        for value in within {
            prop_assert!(drawn.iter().any(|bucket| bucket.min <= value && value <= bucket.max), "{} is not drawn", value);
        }
        for bucket in &drawn {
            let overlaps = if by_time { bucket.t[0] <= to && bucket.t[1] >= from } else { bucket.x[0] <= to as f64 && bucket.x[1] >= from as f64 };
            prop_assert!(overlaps, "{:?} is not within {}..{}", bucket, from, to);
            prop_assert!(bucket.points() == 1 || bucket.min <= bucket.mean() && bucket.mean() <= bucket.max);
        }
    }
}

#[test]
fn a_window_of_one_position_shows_what_is_there() {
    // Attempts of these tests begin at 1,000.
    let row = |step: i64| Row { t: Millis(step as u64), step: Some(step), m: Values(vec![("loss".into(), step as f64)]), ..Row::default() };
    let folded =
        Folded::of(&vec![(false, (0..3_000).map(|step| (row(step), if step == 1_000 { Then::Store } else { Then::GoOn })).collect())]);
    for window in [Window::Position(700.0, 700.0), Window::Time(1_700, 1_700), Window::Position(2_000.0, 2_000.0)] {
        let drawn = folded.recorded().series("loss").draw(window, 1).expect("whole");
        let at = if window == Window::Position(2_000.0, 2_000.0) { 2_000.0 } else { 700.0 };
        assert!(drawn.iter().any(|bucket| bucket.min <= at && at <= bucket.max), "{window:?}: {drawn:?}");
    }
}
