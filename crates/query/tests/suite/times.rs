//! Times as people write them, against a fixed clock in a zone that is not UTC.

use crate::runs::{Cell, HOUR, NOW, Run, rows_of, run};

fn at(times: &[i64]) -> Vec<Run> {
    times.iter().map(|at| run([("started", Cell::Time(*at))])).collect()
}

/// The middle of the night in Helsinki, so many hours before which now is.
const MIDNIGHT: i64 = NOW - 14 * HOUR;

#[test]
fn a_time_is_a_moment_or_a_part_of_the_calendar() {
    // The first of each pair holds, the second, the same a moment off, does not.
    for (filter, within, without) in [
        ("started > 2026-11-22", MIDNIGHT, MIDNIGHT - 1),
        ("started >= 2026-11-22", MIDNIGHT, MIDNIGHT - 1),
        ("started < 2026-11-22", MIDNIGHT - 1, MIDNIGHT),
        ("started <= 2026-11-22", MIDNIGHT - 1, MIDNIGHT),
        ("started == 2026-11-21", MIDNIGHT - 1, MIDNIGHT),
        ("started = today", MIDNIGHT, MIDNIGHT - 1),
        ("started = yesterday", MIDNIGHT - 24 * HOUR, MIDNIGHT),
        ("started >= today", MIDNIGHT, MIDNIGHT - 1),
        ("started > 2026", MIDNIGHT - 325 * 24 * HOUR, MIDNIGHT - 325 * 24 * HOUR - 1),
        ("started == 2026-10", MIDNIGHT - 22 * 24 * HOUR, MIDNIGHT - 21 * 24 * HOUR),
        ("started > '2 days ago'", NOW - 48 * HOUR + 1, NOW - 48 * HOUR),
        ("started > 2 days ago", NOW - 48 * HOUR + 1, NOW - 48 * HOUR),
        ("started >= 1h ago", NOW - HOUR, NOW - HOUR - 1),
        ("started > 1h 30min ago", NOW - HOUR * 3 / 2 + 1, NOW - HOUR * 3 / 2),
        ("started < 'an hour ago'", NOW - HOUR - 1, NOW - HOUR),
        ("started >= '1 month ago'", NOW - 31 * 24 * HOUR, NOW - 31 * 24 * HOUR - 1),
        ("started <= now", NOW, NOW + 1),
        ("started > 12:30", NOW - HOUR * 3 / 2, NOW - HOUR * 3 / 2 - 1),
        ("started == '2026-11-22 14:00'", NOW + 59_999, NOW + 60_000),
        ("started == '2026-11-22 14:00:00'", NOW + 999, NOW + 1_000),
        ("started > '2026-11-22 14:00:00'", NOW + 1_000, NOW + 999),
        ("started <= '2026-11-22 14:00:00'", NOW + 999, NOW + 1_000),
        ("started > 2026-11-22T14:00:00.250", NOW + 251, NOW + 250),
        ("started == 2026-11-22T12:00:00Z", NOW, NOW - 1),
        ("started > '2026-11-22T12:00:00.000Z'", NOW + 1, NOW),
        ("started in [2026-11-20, yesterday]", MIDNIGHT - 1, MIDNIGHT),
        ("started ~ 11-22", MIDNIGHT, MIDNIGHT - 1),
    ] {
        assert_eq!(rows_of(&at(&[within, without]), filter).map_err(|mistake| mistake.to_string()), Ok(vec![0]), "{filter}");
    }
}

#[test]
fn what_did_not_happen_has_no_time() {
    let mut runs = at(&[NOW]);
    runs.push(Run::new());
    for (filter, expected) in [
        ("started > 2020", &[0][..]),
        ("started != 2020", &[0, 1]),
        ("not started > 2020", &[1]),
        ("started == none", &[1]),
        ("started != none", &[0]),
        ("started is missing", &[1]),
        ("started exists", &[0]),
        ("started !~ 2026", &[1]),
    ] {
        assert_eq!(rows_of(&runs, filter).unwrap(), expected, "{filter}");
    }
}
