//! When a target takes runs: hours of its week, and times of maintenance. By the clock and the time zone of that machine, so that
//! nothing here is a moment.

use std::fmt;
use std::str::FromStr;

/// Minutes.
const DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// What to write instead of what is none.
pub const HOURS: &str = "write \"mon-fri 18:00-08:00\", \"sat-sun\", or \"22:00-06:00\" for every day";

/// Hours of some days of the week: `mon-fri 18:00-08:00`, `sat-sun`, `22:00-06:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    text: String,
    /// Monday is the first. What lasts beyond midnight belongs to the day on which it begins.
    days: [bool; 7],
    /// Minutes since midnight of that day; the end may be on the day after.
    pub from: u16,
    pub until: u16,
}

impl Hours {
    /// Whether they begin on a day of the week: 0 is Monday.
    pub fn begin_on(&self, day: usize) -> bool {
        self.days.get(day).copied().unwrap_or(false)
    }
}

/// As they were written.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is wrong with a text that names no hours.
impl FromStr for Hours {
    type Err = String;
    fn from_str(written: &str) -> Result<Hours, String> {
        // "18:00 - 08:00" is as good as without spaces.
        let tight = |text: &str, between: &str| text.split(between).map(str::trim).collect::<Vec<_>>().join(between);
        let text = tight(&tight(&written.to_lowercase(), "-"), ",");
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times) = match words[..] {
            [times] if times.contains(':') => (None, Some(times)),
            [days] => (Some(days), None),
            [days, times] => (Some(days), Some(times)),
            _ => return Err("these are no hours of a week".into()),
        };
        let days = days.map_or(Ok([true; 7]), read_days)?;
        let (from, until) = times.map_or(Ok((0, DAY)), read_times)?;
        Ok(Hours { text: written.trim().to_string(), days, from, until })
    }
}

/// `mon-fri`, `sat,sun`, `fri-mon`.
fn read_days(text: &str) -> Result<[bool; 7], String> {
    let day = |word: &str| {
        let known = DAYS.iter().position(|known| *known == word);
        known.ok_or_else(|| format!("'{}' is no day of the week", word.escape_debug()))
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let so_many = (last + 7 - first) % 7 + 1;
        (first..first + so_many).for_each(|day| days[day % 7] = true);
    }
    Ok(days)
}

fn read_times(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{}' is not from one time of the day to another", text.escape_debug());
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let (from, until) = (minutes(from).filter(|from| *from < DAY).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
    match from {
        from if from == until => Err(format!("'{}' is no time at all; whole days stand alone, as \"sat-sun\"", text.escape_debug())),
        from if from < until => Ok((from, until)),
        from => Ok((from, until + DAY)),
    }
}

/// `08:00`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, most: usize| {
        let good = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour, 2)?, number(minute, 2).filter(|minute| *minute < 60)?);
    Some(hour * 60 + minute).filter(|minutes| *minutes <= DAY)
}

/// A date and a time as a clock on the wall shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    pub year: i16,
    pub month: i8,
    pub day: i8,
    pub hour: i8,
    pub minute: i8,
    pub second: i8,
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// A time in which a target is worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    pub from: Civil,
    /// None: until further notice.
    pub until: Option<Civil>,
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, u16, u16) {
        let hours: Hours = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        let days: Vec<&str> = (0..7).filter(|day| hours.begin_on(*day)).map(|day| DAYS[day]).collect();
        assert_eq!(hours.to_string(), text.trim());
        (days.join(" "), hours.from, hours.until)
    }

    #[test]
    fn hours_as_people_write_them() {
        let all = DAYS.join(" ");
        assert_eq!(read("mon-fri 18:00-08:00"), ("mon tue wed thu fri".into(), 1080, 1920));
        assert_eq!(read(" Sat-Sun "), ("sat sun".into(), 0, 1440));
        assert_eq!(read("22:00 - 6:00"), (all.clone(), 1320, 1800));
        assert_eq!(read("fri-mon, wed 0:00-24:00"), ("mon wed fri sat sun".into(), 0, 1440));
        assert_eq!(read("sun"), ("sun".into(), 0, 1440));
        assert_eq!(read("mon-sun 12:00-0:00"), (all, 720, 1440));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "always",
            "monday",
            "mon-",
            "mon-fri 18",
            "mon-fri 18:00",
            "18-8",
            "18:00-18:00",
            "24:00-08:00",
            "18:00-24:01",
            "18:60-19:00",
            "18:00-08:00 mon",
            "mon fri 18:00-08:00",
            "mon;fri",
            "+1:00-2:00",
            "018:00-20:00",
            "18:00:00-20:00",
            "mon,,fri",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }
}
