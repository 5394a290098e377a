//! Dates, times and durations as ISO text: from the days that .xlsx counts, and from what .ods writes.

use jiff::civil::{Date, date};

const DAY: i64 = 86_400_000;

/// What a number is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Date,
    /// Hours and minutes, without a date.
    Time,
    /// Hours that may be more than a day's.
    Elapsed,
}

/// `2026-11-21`, `2026-11-21T10:30:00`, `10:30:00`; nothing where no calendar has such a day.
pub(crate) fn of_serial(serial: f64, moment: Moment, since_1904: bool) -> Option<String> {
    const LAST: f64 = 2_958_466.0;
    if !(0.0..LAST).contains(&serial) {
        return None;
    }
    let milliseconds = (serial * DAY as f64).round() as i64;
    let (days, rest) = (milliseconds / DAY, milliseconds % DAY);
    if moment == Moment::Elapsed || (moment == Moment::Time && days == 0) {
        return Some(clock(milliseconds));
    }
    let start: Date = match (since_1904, days) {
        (true, _) => date(1904, 1, 1),
        // The first spreadsheet programs took 1900 for a leap year; later ones count as they did.
        (false, ..60) => date(1899, 12, 31),
        (false, _) => date(1899, 12, 30),
    };
    let day = start.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(if rest == 0 { day.to_string() } else { format!("{day}T{}", clock(rest)) })
}

/// What .ods writes: `2026-11-21`, `2026-11-21T10:30:00.000000000`.
pub(crate) fn of_iso(text: &str) -> String {
    let (day, time) = text.trim().split_once('T').unwrap_or((text.trim(), ""));
    let time = if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time };
    if time.is_empty() || time == "00:00:00" { day.to_string() } else { format!("{day}T{time}") }
}

/// A duration as .ods writes it: `PT01H30M00S`.
pub(crate) fn of_duration(text: &str) -> Option<String> {
    let mut milliseconds = 0.0;
    let mut number = String::new();
    for c in text.trim().strip_prefix("PT")?.chars() {
        let unit = match c {
            'H' => 3_600_000.0,
            'M' => 60_000.0,
            'S' => 1000.0,
            c => {
                number.push(c);
                continue;
            }
        };
        milliseconds += number.parse::<f64>().ok().filter(|n| (0.0..1e9).contains(n))? * unit;
        number.clear();
    }
    number.is_empty().then(|| clock(f64::round(milliseconds) as i64))
}

fn clock(milliseconds: i64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { whole } else { format!("{whole}.{rest:03}") }
}
