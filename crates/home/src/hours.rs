//! When this machine takes no runs, as moments: the hours and the maintenance of its target by its clock and its time zone. A target's
//! own runner reckons so, and home is told what came of it: whoever wrote the hours had that machine's nights in mind, and it starts
//! runs by them while home is far away.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use neronet_model::UnixMs;
use neronet_model::hours::{Civil, Hours, Maintenance};
use neronet_model::target::Target;
use neronet_schedule::{Closing, Shut};

/// It is looked ahead for so many days, and as far back: longer than a week, in which every hour comes once.
const DAYS: i64 = 15;

/// What is over by now left out.
pub(crate) fn shut(target: &Target, zone: &TimeZone, now: UnixMs) -> Vec<Shut> {
    let mut all = outside(&target.hours, zone, now).unwrap_or_default();
    all.extend(target.maintenance.iter().filter_map(|one| closed(one, zone)));
    all.retain(|shut| shut.until.is_none_or(|until| until > now));
    all.sort_by_key(|shut| shut.from);
    all
}

fn closed(Maintenance { from, until, why }: &Maintenance, zone: &TimeZone) -> Option<Shut> {
    let until = until.as_ref().map(|until| moment(until, zone)).map_or(Some(None), |until| until.map(Some))?;
    Some(Shut { from: moment(from, zone)?, until, why: Closing::Maintenance(why.clone()) })
}

/// The times between its hours. Nothing where it has none.
fn outside(hours: &[Hours], zone: &TimeZone, now: UnixMs) -> Option<Vec<Shut>> {
    let today = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
    let mut open: Vec<(UnixMs, UnixMs)> = Vec::new();
    for day in (-DAYS..=DAYS).filter_map(|day| today.checked_add(day.days()).ok()) {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        let of_day = hours.iter().filter(|hours| hours.begin_on(weekday));
        open.extend(of_day.filter_map(|hours| at(day, hours.from, zone).zip(at(day, hours.until, zone))));
    }
    open.sort_unstable();
    let mut shut = Vec::new();
    let mut over: Option<UnixMs> = None;
    for (from, until) in open {
        if let Some(over) = over.filter(|over| *over < from) {
            shut.push(Shut { from: over, until: Some(from), why: Closing::Hours });
        }
        over = over.max(Some(until));
    }
    Some(shut)
}

/// So many minutes after midnight, as clocks there show it.
fn at(day: Date, minutes: u16, zone: &TimeZone) -> Option<UnixMs> {
    let day = day.checked_add(i64::from(minutes / (24 * 60)).days()).ok()?;
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    let civil = Civil { year: day.year(), month: day.month(), day: day.day(), hour: hour as i8, minute: minute as i8, second: 0 };
    moment(&civil, zone)
}

/// Where clocks are put forward, a time that they skip is as much later; what they show twice is the first.
fn moment(Civil { year, month, day, hour, minute, second }: &Civil, zone: &TimeZone) -> Option<UnixMs> {
    let time = Time::new(*hour, *minute, *second, 0).ok()?;
    let there = Date::new(*year, *month, *day).ok()?.to_datetime(time).to_zoned(zone.clone()).ok()?;
    Some(UnixMs(there.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where clocks are put forward on 29 March 2026 and back on 25 October.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone")
    }

    fn moment_of(text: &str) -> UnixMs {
        UnixMs(text.parse::<Timestamp>().expect("a time").as_millisecond())
    }

    /// `from/until`, in UTC; maintenance with its reason.
    fn closed_at(lines: &str, now: &str) -> Vec<String> {
        let known = neronet_spec::targets(&format!("[targets.local]\n{lines}\n"), "targets.toml").expect("right");
        let time = |at: UnixMs| Timestamp::from_millisecond(at.0).expect("a time").to_string();
        let told = |Shut { from, until, why }: Shut| match (until.map_or_else(String::new, time), why) {
            (until, Closing::Hours) => format!("{}/{until}", time(from)),
            (until, Closing::Maintenance(why)) => format!("{}/{until} {}", time(from), why.unwrap_or_default()),
        };
        shut(known.get("local").expect("there"), &berlin(), moment_of(now)).into_iter().map(told).collect()
    }

    #[test]
    fn between_its_hours_a_machine_is_closed() {
        // A Monday, at nine in the morning.
        let now = "2026-11-23T08:00:00Z";
        let nights = closed_at("hours = ['mon-fri 18:00-08:00', 'sat-sun']", now);
        // Sunday's night is nobody's.
        assert_eq!(nights[..2], ["2026-11-22T23:00:00Z/2026-11-23T17:00:00Z", "2026-11-24T07:00:00Z/2026-11-24T17:00:00Z"]);
        // From Saturday, when Friday's night is over at eight, until Sunday's midnight; then Monday's evening.
        assert_eq!(nights[4..6], ["2026-11-27T07:00:00Z/2026-11-27T17:00:00Z", "2026-11-29T23:00:00Z/2026-11-30T17:00:00Z"]);
        assert_eq!(closed_at("hours = ['mon-fri', 'sat-sun 00:00-24:00']", now), Vec::<String>::new());
        assert_eq!(closed_at("hours = 'sun'", now)[0], "2026-11-22T23:00:00Z/2026-11-28T23:00:00Z");
        assert_eq!(closed_at("", now), Vec::<String>::new());
    }

    #[test]
    fn hours_are_those_that_clocks_show_when_they_are_put_forward_or_back() {
        let nights = "hours = '22:00-06:00'";
        let spring = closed_at(nights, "2026-03-28T12:00:00Z");
        assert_eq!(spring[..2], ["2026-03-28T05:00:00Z/2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z/2026-03-29T20:00:00Z"]);
        let autumn = closed_at(nights, "2026-10-24T12:00:00Z");
        assert_eq!(autumn[..2], ["2026-10-24T04:00:00Z/2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z/2026-10-25T21:00:00Z"]);
        // Half past two is not there that day, and twice on the other.
        assert_eq!(closed_at("hours = '02:30-12:00'", "2026-03-28T12:00:00Z")[0], "2026-03-28T11:00:00Z/2026-03-29T01:30:00Z");
        assert_eq!(closed_at("hours = '02:30-12:00'", "2026-10-24T12:00:00Z")[0], "2026-10-24T10:00:00Z/2026-10-25T00:30:00Z");
    }

    #[test]
    fn maintenance_is_known_until_it_is_over() {
        let lines = "maintenance = [{ from = '2026-12-01 08:00', until = '2026-12-01 12:00', why = 'disks' }, { from = '2026-12-24' }]";
        let last = "2026-12-23T23:00:00Z/ ".to_string();
        assert_eq!(closed_at(lines, "2026-11-23T08:00:00Z"), ["2026-12-01T07:00:00Z/2026-12-01T11:00:00Z disks".into(), last.clone()]);
        assert_eq!(closed_at(lines, "2026-12-01T11:00:00Z"), [last]);
    }
}
