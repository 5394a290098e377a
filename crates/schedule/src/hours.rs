//! When machines take no runs: outside of their hours, and while they are worked on. As moments: who has clocks and time zones reckons
//! them.

use crate::reason::Lack;
use crate::room::Place;
use neronet_model::UnixMs;
use neronet_model::target::LOCAL;
use neronet_model::time::Millis;
use serde::{Deserialize, Serialize};

/// A time in which nothing starts on a machine. What runs goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shut {
    pub from: UnixMs,
    /// None: until further notice.
    pub until: Option<UnixMs>,
    pub why: Closing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    Hours,
    /// What still runs then is at risk: nothing starts that could not be over. In whose words it is.
    Maintenance(Option<String>),
}

impl Shut {
    /// By a clock that shows so much more.
    fn shift(&mut self, by: i64) {
        self.from.0 = self.from.0.saturating_add(by);
        self.until = self.until.map(|until| UnixMs(until.0.saturating_add(by)));
    }

    /// Whether a run cannot start then that takes so long at most, as far as that is known.
    fn keeps(&self, at: UnixMs, time: Option<Millis>) -> bool {
        let over = match self.why {
            Closing::Hours => at,
            Closing::Maintenance(_) => at.plus(time.unwrap_or_default()),
        };
        (at >= self.from || over > self.from) && self.until.is_none_or(|until| at < until)
    }
}

impl Place {
    /// With its hours by a clock that shows so many milliseconds more. Less than a second is nothing but how long it took to ask.
    pub fn shift_hours(&mut self, by: i64) {
        self.shut.iter_mut().for_each(|shut| shut.shift(by / 1_000 * 1_000));
    }

    /// Why a run that takes so long at most cannot start at that moment, as far as the hours say.
    pub(crate) fn is_shut(&self, at: UnixMs, time: Option<Millis>) -> Option<Lack> {
        let shut = self.shut.iter().find(|shut| shut.keeps(at, time))?;
        let (machine, opens) = (self.machine.name.clone(), self.opens(at, time));
        Some(Lack::Shut { machine, shut: Box::new(shut.clone()), opens, ahead: at < shut.from })
    }

    /// The first moment from that one on at which it can start; nothing where nobody knows that.
    pub(crate) fn opens(&self, mut at: UnixMs, time: Option<Millis>) -> Option<UnixMs> {
        while let Some(shut) = self.shut.iter().find(|shut| shut.keeps(at, time)) {
            at = shut.until?;
        }
        Some(at)
    }
}

/// A sentence without a full stop on a machine that is closed, or will be before a run is over (`ahead`).
pub(crate) fn words(machine: &str, shut: &Shut, opens: Option<UnixMs>, ahead: bool, time: &dyn Fn(UnixMs) -> String) -> String {
    let machine = if machine == LOCAL { "this machine" } else { machine };
    let Closing::Maintenance(why) = &shut.why else {
        return match opens {
            Some(opens) => format!("{machine} takes runs from {}", time(opens)),
            None => format!("{machine} takes no runs at this hour"),
        };
    };
    let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    match shut.until {
        _ if ahead => format!("{machine} is in maintenance from {}{why}, when the run might not be over", time(shut.from)),
        Some(until) => format!("{machine} is in maintenance until {}{why}", time(until)),
        None => format!("{machine} is in maintenance until further notice{why}"),
    }
}
