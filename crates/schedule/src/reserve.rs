//! A place for the first run that waits, so that what comes behind it takes nothing away from it.

use crate::needs::Needs;
use crate::queue::Queue;
use crate::room::Room;
use neronet_model::queue::Grant;
use neronet_model::time::Millis;
use neronet_model::{RunId, UnixMs};

/// What is given back, and probably when.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) run: RunId,
    pub(crate) at: Option<UnixMs>,
    pub(crate) place: usize,
    pub(crate) grant: Grant,
}

/// The first run that waits for room, and when it will have it.
pub(crate) struct Reserved<'w> {
    pub(crate) run: RunId,
    needs: Needs,
    /// Unknown where it waits for something that nobody knows the length of.
    pub(crate) at: Option<UnixMs>,
    /// The machine that it will have, as it will be then.
    place: usize,
    room: Room<'w>,
}

impl<'w> Reserved<'w> {
    /// Where and when a run that finds no room now will find some, once what our runs have was given back. Nothing where that is not
    /// enough: what others use of the machines may be theirs for ever, and so long those behind may have what it cannot use.
    pub(crate) fn find(queue: &Queue, rooms: &[Room<'w>], starting: &[Ending], run: RunId, needs: &Needs) -> Option<Reserved<'w>> {
        let mut best: Option<Reserved<'w>> = None;
        for (place, room) in rooms.iter().enumerate() {
            let name = &room.place.machine.name;
            let of_it = queue.granted.iter().filter(|(_, granted)| granted.grant.machine == *name);
            let mut ends: Vec<(Option<UnixMs>, &Grant)> = of_it.map(|(run, granted)| (queue.end_of(*run), &granted.grant)).collect();
            ends.extend(starting.iter().filter(|ending| ending.place == place).map(|ending| (ending.at, &ending.grant)));
            ends.sort_by_key(|(end, _)| (end.is_none(), *end));
            let mut then = room.clone();
            let found = ends.into_iter().find_map(|(end, grant)| {
                then.used.give_back(grant);
                then.fit(needs, false).is_ok().then_some(end)
            });
            let Some(at) = found else { continue };
            let sooner = |best: &Reserved<'_>| at.is_some_and(|at| best.at.is_none_or(|known| at < known));
            if best.as_ref().is_none_or(sooner) {
                best = Some(Reserved { run, needs: needs.clone(), at, place, room: then });
            }
        }
        best
    }

    /// Whether it starts no later when this is given away.
    pub(crate) fn allows(&self, place: usize, grant: &Grant, longest: Option<Millis>, now: UnixMs) -> bool {
        if place != self.place || self.ends_in_time(longest, now) {
            return true;
        }
        let mut then = self.room.clone();
        then.used.take(grant);
        then.fit(&self.needs, false).is_ok()
    }

    pub(crate) fn given_away(&mut self, place: usize, grant: &Grant, longest: Option<Millis>, now: UnixMs) {
        if place == self.place && !self.ends_in_time(longest, now) {
            self.room.used.take(grant);
        }
    }

    fn ends_in_time(&self, longest: Option<Millis>, now: UnixMs) -> bool {
        longest.zip(self.at).is_some_and(|(longest, at)| now.plus(longest) <= at)
    }
}
