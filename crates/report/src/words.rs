//! Times, sizes and numbers in words for people.

use crate::text;
use jiff::{Timestamp, tz::TimeZone};
use neronet_model::{Millis, UnixMs};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long ago: `just now`, `42 s ago`, `3 min ago`, `5 h ago`, `3 days ago`, `4 months ago`; `in 3 min` for what lies ahead.
pub fn age(from: UnixMs, now: UnixMs) -> String {
    let apart = now.0.abs_diff(from.0);
    let many = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let length = match apart {
        _ if apart < 5 * SECOND => return "just now".to_owned(),
        _ if apart < MINUTE => format!("{} s", apart / SECOND),
        _ if apart < HOUR => format!("{} min", apart / MINUTE),
        _ if apart < 2 * DAY => format!("{} h", apart / HOUR),
        _ if apart < 14 * DAY => many(apart / DAY, "day"),
        _ if apart < 60 * DAY => many(apart / (7 * DAY), "week"),
        _ if apart < 730 * DAY => many(apart / (30 * DAY), "month"),
        _ => many(apart / (365 * DAY), "year"),
    };
    if from > now { format!("in {length}") } else { format!("{length} ago") }
}

/// A length of time by its two largest units: `45 ms`, `0.3 s`, `12 s`, `3 min 05 s`, `1 h 03 min`, `2 d 04 h`.
pub fn duration(time: Millis) -> String {
    let ms = time.0;
    match ms {
        0 => "0 s".to_owned(),
        1..100 => format!("{ms} ms"),
        // Rounded to tenths here, and to whole units below; nothing rounds up to a unit that another arm would name.
        100..9950 => format!("{} s", trim_zeros(&format!("{:.1}", time.seconds()))),
        9950..59_500 => format!("{:.0} s", time.seconds()),
        _ => {
            let s = (ms + 500) / SECOND;
            match s {
                ..3600 => format!("{} min {:02} s", s / 60, s % 60),
                3600..86_400 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
                _ => format!("{} d {:02} h", s / 86_400, s / 3600 % 24),
            }
        }
    }
}

pub use neronet_model::size::shown as bytes;

/// A number with at most five significant digits and no noise: `0.31`, `97.3`, `0.97312`, `1.2e-05`, `3.1e+12`.
///
/// The part before the point is never rounded below a thousand millions: `12345`, `1234567`. There is no sign between
/// thousands, so that a number can be copied into any program. Small numbers (below 0.0001) and large ones have an exponent of two digits.
pub fn number(value: f64) -> String {
    if let Some(word) = neronet_model::number::word(value) {
        return word.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&size) {
        let text = format!("{value:.4e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{}e{sign}{digits:0>2}", trim_zeros(mantissa));
    }
    let before_point = size.log10().floor() as i32;
    let decimals = (4 - before_point).clamp(0, 8) as usize;
    trim_zeros(&format!("{value:.decimals$}")).to_owned()
}

pub(crate) fn trim_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// Date and time where the reader is: `2026-11-21 10:38`. The zone is `$TZ`, else the system's.
pub fn local_time(time: UnixMs) -> String {
    match Timestamp::from_millisecond(time.0) {
        Ok(stamp) => stamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "(no time)".to_owned(),
    }
}

/// Any text as one line of at most `max` terminal columns: escape sequences, control characters and direction overrides go,
/// white space becomes single spaces, what is too long ends with `…`.
pub fn one_line(text: &str, max: usize) -> String {
    text::one_line(text, max)
}

/// Terminal columns that a text takes.
pub fn columns(text: &str) -> usize {
    text::columns(text)
}

/// What is too long ends with `…`.
pub fn cut(text: &str, max: usize) -> String {
    text::cut_end(text, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_name_one_unit() {
        let now = UnixMs(1_800_000_000_000);
        for (ago, words) in [
            (0, "just now"),
            (42_000, "42 s ago"),
            (3 * 60_000 + 59_999, "3 min ago"),
            (47 * 3_600_000, "47 h ago"),
            (3 * 86_400_000, "3 days ago"),
            (15 * 86_400_000, "2 weeks ago"),
            (100 * 86_400_000, "3 months ago"),
            (800 * 86_400_000, "2 years ago"),
            (-180_000, "in 3 min"),
        ] {
            assert_eq!(age(UnixMs(now.0 - ago), now), words);
        }
        assert_eq!(age(UnixMs(i64::MIN), UnixMs(i64::MAX)), "584942417 years ago");
    }

    #[test]
    fn durations_name_two_units_and_never_round_past_one() {
        for (ms, words) in [
            (0, "0 s"),
            (45, "45 ms"),
            (300, "0.3 s"),
            (5000, "5 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (12_000, "12 s"),
            (59_499, "59 s"),
            (59_999, "1 min 00 s"),
            (185_000, "3 min 05 s"),
            (3_599_999, "1 h 00 min"),
            (63 * 60_000, "1 h 03 min"),
            (52 * 3_600_000, "2 d 04 h"),
        ] {
            assert_eq!(duration(Millis(ms)), words, "{ms} ms");
        }
    }

    #[test]
    fn sizes_count_in_thousands() {
        for (count, words) in [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (999_999, "1 MB"), (34_000_000, "34 MB"), (u64::MAX, "18 EB")]
        {
            assert_eq!(bytes(count), words);
        }
    }

    #[test]
    fn numbers_have_five_digits_and_no_noise() {
        for (value, words) in [
            (0.1 + 0.2, "0.3"),
            (0.31, "0.31"),
            (97.3, "97.3"),
            (0.973_124, "0.97312"),
            (1.2e-5, "1.2e-05"),
            (0.000_123_456, "0.00012346"),
            (12345.0, "12345"),
            (12_345.678, "12346"),
            (1_234_567.0, "1234567"),
            (3.14e12, "3.14e+12"),
            (-0.0, "0"),
            (-2.5, "-2.5"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::MIN_POSITIVE, "2.2251e-308"),
            (99_999.99, "100000"),
        ] {
            assert_eq!(number(value), words);
        }
    }

    #[test]
    fn a_line_holds_nothing_that_moves_the_cursor() {
        assert_eq!(one_line("a\x1b[31mred\x1b[0m\r\nb\tc", 40), "ared b c");
        assert_eq!(one_line("\x1b]0;title\x07ok \x1b]8;;http://x\x1b\\link\u{9b}2J", 40), "ok link");
        assert_eq!(one_line("abc\u{202e}cba\u{200b}", 40), "abccba");
        assert_eq!(one_line("a long line", 7), "a long…");
    }
}
