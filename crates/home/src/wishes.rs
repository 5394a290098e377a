//! What a submission says of its place in the queue: the specification's words, and over them those of the command line.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use neronet_model::UnixMs;
use neronet_model::queue::{Dependency, Wishes};
use neronet_spec::{Clock, Experiment, Moment, Plan, When};

/// Of the command line, for all experiments.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub priority: Option<i64>,
    pub not_before: Option<Moment>,
    pub after: Vec<Dependency>,
}

impl Asked {
    /// What holds for the runs of an experiment that are submitted now.
    pub(crate) fn over(&self, experiment: &Experiment, now: UnixMs) -> Wishes {
        let said = &experiment.wishes;
        let not_before = self.not_before.as_ref().or(experiment.not_before.as_ref());
        Wishes {
            priority: self.priority.unwrap_or(said.priority),
            not_before: not_before.and_then(|moment| resolved(moment, now, &TimeZone::system())),
            after: said.after.iter().chain(&self.after).copied().collect(),
            ..said.clone()
        }
    }
}

impl Asked {
    /// The moments that were to come first and are over.
    pub(crate) fn over_already(&self, plan: &Plan, now: UnixMs) -> Vec<String> {
        let said = plan.experiments.iter().filter_map(|experiment| self.not_before.as_ref().or(experiment.not_before.as_ref()));
        let over = said.filter(|moment| resolved(moment, now, &TimeZone::system()).is_some_and(|at| at < now));
        let mut told: Vec<String> =
            over.map(|moment| format!("warning: not before {moment}: that is over, and keeps no run from starting")).collect();
        told.dedup();
        told
    }
}

/// When that is, for whoever says it now, there. Nothing beyond the times that are known.
pub fn resolved(moment: &Moment, now: UnixMs, zone: &TimeZone) -> Option<UnixMs> {
    let time = |clock: Clock| Time::new(clock.hour, clock.minute, clock.second, 0).ok();
    // Where clocks are put forward, a time that they skip is as much later.
    let there = |at: DateTime| Some(UnixMs(at.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()));
    match moment.when {
        When::In(duration) => Some(now.plus(duration)),
        When::On { year, month, day, clock } => there(Date::new(year, month, day).ok()?.to_datetime(time(clock)?)),
        When::Next(clock) => {
            let today = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
            let on = |day: Date| there(day.to_datetime(time(clock)?));
            on(today).filter(|at| *at > now).or_else(|| on(today.checked_add(1.day()).ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_place_where_they_are_said() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let at = |text: &str| UnixMs(text.parse::<Timestamp>().expect("a time").as_millisecond());
        for (written, now, meant) in [
            ("22:00", "2026-11-23T20:59:59Z", "2026-11-23T21:00:00Z"),
            ("22:00", "2026-11-23T21:00:00Z", "2026-11-24T21:00:00Z"),
            ("0:30", "2026-11-23T23:00:00Z", "2026-11-23T23:30:00Z"),
            ("2026-11-23 22:00", "2026-11-25T00:00:00Z", "2026-11-23T21:00:00Z"),
            ("2026-07-01", "2026-11-25T00:00:00Z", "2026-06-30T22:00:00Z"),
            ("2027-03-28 02:30", "2026-11-25T00:00:00Z", "2027-03-28T01:30:00Z"),
            ("in 2h", "2026-11-23T21:00:00Z", "2026-11-23T23:00:00Z"),
        ] {
            let moment = Moment::parse(written).expect("a moment");
            assert_eq!(resolved(&moment, at(now), &zone), Some(at(meant)), "{written} at {now}");
        }
    }
}
