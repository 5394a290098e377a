//! Moments as people write them: `22:00`, `2026-11-23 22:00`, `in 2h`. Which one is meant depends on the clock and the time zone
//! of whoever submits, so it is only read here.

use neronet_model::Millis;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    text: String,
    pub when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after the submission.
    In(Millis),
    /// The next time that a clock shows this.
    Next(Clock),
    On {
        year: i16,
        month: i8,
        day: i8,
        clock: Clock,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    pub hour: i8,
    pub minute: i8,
    pub second: i8,
}

/// What to write instead of what is none.
pub const MOMENTS: &str = "write \"22:00\" for the next such time, \"2026-11-23 22:00\" (local time), or \"in 2h\"";

impl Moment {
    pub fn parse(text: &str) -> Option<Moment> {
        let text = text.trim();
        let when = match text.strip_prefix("in ") {
            Some(duration) => When::In(Millis::parse(duration)?),
            None => at(text)?,
        };
        Some(Moment { text: text.to_string(), when })
    }
}

/// As it was written.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn at(text: &str) -> Option<When> {
    let (date, time) = match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => (date, Some(time.trim_start())),
        None if text.contains(':') => return Some(When::Next(clock(text)?)),
        None => (text, None),
    };
    let clock = time.map_or(Some(Clock::default()), clock)?;
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i16::from(leaps),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let in_month = (1..=days).contains(&day) && (2000..=9000).contains(&year);
    in_month.then_some(When::On { year, month: month as i8, day: day as i8, clock })
}

fn clock(text: &str) -> Option<Clock> {
    let (hour, minute, second) = match numbers(text, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let clock = Clock { hour: hour as i8, minute: minute as i8, second: second as i8 };
    (hour < 24 && minute < 60 && second < 60).then_some(clock)
}

fn numbers(text: &str, between: char) -> Option<Vec<i16>> {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    text.split(between).map(number).collect()
}
