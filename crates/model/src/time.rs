//! Times and durations. Nothing here reads a clock: time is always handed in.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. For people and for JSON, never for order or durations within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
    pub fn plus(self, later: Millis) -> UnixMs {
        UnixMs(self.0.saturating_add(i64::try_from(later.0).unwrap_or(i64::MAX)))
    }
}

/// A duration, or a time since the start of an attempt, in milliseconds of a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Reads `90`, `90s`, `10 min`, `70h`, `2d`, `1-23:59:59`, `1:30:00`. A bare number is seconds.
    /// A value beyond ten thousand years is refused, so that sums of durations cannot overflow.
    pub fn parse(text: &str) -> Option<Millis> {
        let text = text.trim();
        let seconds = if text.contains(':') { clock_seconds(text)? } else { worded_seconds(text)? };
        (seconds.is_finite() && (0.0..3.2e11).contains(&seconds)).then(|| Millis((seconds * 1000.0).round() as u64))
    }
}

/// `D-H:M:S` as clusters write it, or `H:M:S`, or `M:S`.
fn clock_seconds(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.trim().parse::<u32>().ok()?, clock),
        None => (0, text),
    };
    let parts: Vec<f64> = clock.split(':').map(|part| part.trim().parse::<u32>().ok().map(f64::from)).collect::<Option<_>>()?;
    let within_day = match parts[..] {
        [minutes, seconds] => minutes * 60.0 + seconds,
        [hours, minutes, seconds] => hours * 3600.0 + minutes * 60.0 + seconds,
        _ => return None,
    };
    Some(f64::from(days) * 86_400.0 + within_day)
}

/// Any number of `NUMBER UNIT` pairs, e.g. `1h 30min`.
fn worded_seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" if !any && letters == rest.len() => 1.0,
            "ms" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return None,
        };
        total += number * unit;
        any = true;
        rest = rest[letters..].trim_start();
    }
    any.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_researchers_write_them() {
        for (text, seconds) in [
            ("90", 90.0),
            ("90s", 90.0),
            ("10 min", 600.0),
            ("1.5h", 5400.0),
            ("70h", 252_000.0),
            ("1h 30min", 5400.0),
            ("2 days", 172_800.0),
            ("1-23:59:59", 172_799.0),
            ("1:30:00", 5400.0),
            ("5:30", 330.0),
            ("250ms", 0.25),
        ] {
            assert_eq!(Millis::parse(text), Some(Millis((seconds * 1000.0) as u64)), "{text}");
        }
        for text in ["", "h", "5 parsecs", "-3s", "1:2:3:4", "1e400", "99999999999999999999h", "3 4"] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }
}
