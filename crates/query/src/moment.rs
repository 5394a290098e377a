//! Times as people write them: `2026-11-20`, `2026-11-20 15:04`, `15:04`, `2 days ago`, `1h ago`, `yesterday`.

use crate::tree::Operator;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use neronet_model::{Millis, UnixMs};

/// What time it is, and where.
#[derive(Debug, Clone)]
pub struct Clock {
    pub now: UnixMs,
    pub zone: TimeZone,
}

/// What a word for a time means, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(i64),
    /// A second that was written out, without its milliseconds.
    Second(i64),
    /// A minute, day, month or year. Compared by size it is its beginning, as where dates are compared by their letters.
    From(i64, i64),
}

impl Moment {
    pub(crate) fn holds(self, operator: Operator, at: i64) -> bool {
        let (from, until) = match self {
            Moment::At(moment) => (moment, moment.saturating_add(1)),
            Moment::Second(from) => (from, from.saturating_add(1000)),
            Moment::From(from, until) => (from, until),
        };
        let part = matches!(self, Moment::From(..));
        match operator {
            Operator::Equal => from <= at && at < until,
            Operator::NotEqual => !(from <= at && at < until),
            Operator::Less => at < from,
            Operator::AtLeast => at >= from,
            Operator::AtMost => at < if part { from } else { until },
            Operator::Greater => at >= if part { from } else { until },
            Operator::Contains => false,
        }
    }

    pub(crate) fn parse(text: &str, clock: &Clock) -> Option<Moment> {
        let text = text.trim();
        let now = Timestamp::from_millisecond(clock.now.0).ok()?.to_zoned(clock.zone.clone());
        let day = |date: Date| {
            Some(Moment::From(
                clock.of(date.to_datetime(Time::midnight()))?,
                clock.of(date.tomorrow().ok()?.to_datetime(Time::midnight()))?,
            ))
        };
        match text.to_ascii_lowercase().as_str() {
            "now" => return Some(Moment::At(clock.now.0)),
            "today" => return day(now.date()),
            "yesterday" => return day(now.date().yesterday().ok()?),
            "tomorrow" => return day(now.date().tomorrow().ok()?),
            lower => {
                if let Some(span) = lower.strip_suffix("ago") {
                    return ago(span.trim(), clock).map(Moment::At);
                }
            }
        }
        if let Some(stamp) = text.contains(['T', ' ']).then(|| text.parse::<Timestamp>().ok()).flatten() {
            let at = stamp.as_millisecond();
            return Some(if text.contains('.') { Moment::At(at) } else { Moment::Second(at) });
        }
        let (date, time) = text.split_once([' ', 'T']).map_or((text, None), |(date, time)| (date, Some(time.trim())));
        if time.is_none() && date.contains(':') {
            return clock.on(now.date(), date);
        }
        let numbers: Vec<i16> = digits(date, '-', &[4, 2, 2])?;
        match (&numbers[..], time) {
            ([year, month, of_month], Some(time)) => clock.on(date_of(*year, *month, *of_month)?, time),
            ([year, month, of_month], None) => day(date_of(*year, *month, *of_month)?),
            ([year, rest @ ..], None) => {
                let first = date_of(*year, rest.first().copied().unwrap_or(1), 1)?;
                let span = if rest.is_empty() { Span::new().years(1) } else { Span::new().months(1) };
                let after = first.checked_add(span).ok()?;
                Some(Moment::From(clock.of(first.to_datetime(Time::midnight()))?, clock.of(after.to_datetime(Time::midnight()))?))
            }
            _ => None,
        }
    }
}

impl Clock {
    fn of(&self, local: DateTime) -> Option<i64> {
        Some(local.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    /// `15:04`, `15:04:05`, `15:04:05.123` of a day.
    fn on(&self, date: Date, time: &str) -> Option<Moment> {
        let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, fraction)| (whole, Some(fraction)));
        let numbers = digits(whole, ':', &[2, 2, 2])?;
        let small = |at: usize| numbers.get(at).map_or(Some(0), |number| i8::try_from(*number).ok());
        let time = Time::new(small(0)?, small(1)?, small(2)?, 0).ok()?;
        let at = self.of(date.to_datetime(time))?;
        match (numbers.len(), fraction) {
            (2, None) => Some(Moment::From(at, at.saturating_add(60_000))),
            (3, None) => Some(Moment::Second(at)),
            (3, Some(fraction)) if fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit()) => {
                format!("{fraction:0<3}").parse::<i64>().ok().map(|millis| Moment::At(at.saturating_add(millis)))
            }
            _ => None,
        }
    }

    /// `2026-11-20 15:04:05`, as listings show it.
    pub fn shown(&self, at: i64) -> String {
        let stamp = Timestamp::from_millisecond(at).map(|stamp| stamp.to_zoned(self.zone.clone()));
        stamp.map(|stamp| stamp.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
    }
}

fn date_of(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Numbers with just so many digits, the first of them at least.
fn digits(text: &str, between: char, widths: &[usize]) -> Option<Vec<i16>> {
    let parts: Vec<&str> = text.split(between).collect();
    let good = |(part, width): (&&str, &usize)| part.len() == *width && part.bytes().all(|b| b.is_ascii_digit());
    let whole = parts.len() <= widths.len() && parts.iter().zip(widths).all(good) && (between == '-' || parts.len() > 1);
    whole.then(|| parts.iter().map(|part| part.parse().ok()).collect()).flatten()
}

/// The moment before now by `2 days`, `1h 30min`, `a week`, `3 months`.
fn ago(span: &str, clock: &Clock) -> Option<i64> {
    let span = span.strip_prefix("a ").or_else(|| span.strip_prefix("an ")).map_or(span.to_string(), |unit| format!("1 {unit}"));
    if let Some(span) = Millis::parse(&span).filter(|_| span.contains(|c: char| c.is_ascii_alphabetic() || c == ':')) {
        return clock.now.0.checked_sub(i64::try_from(span.0).ok()?);
    }
    let unit = span.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: i64 = span[..span.len() - unit.len()].parse().ok().filter(|number| *number < 10_000)?;
    let span = match unit.trim() {
        "month" | "months" => Span::new().months(number),
        "y" | "year" | "years" => Span::new().years(number),
        _ => return None,
    };
    let now = Timestamp::from_millisecond(clock.now.0).ok()?.to_zoned(clock.zone.clone());
    Some(now.checked_sub(span).ok()?.timestamp().as_millisecond())
}
