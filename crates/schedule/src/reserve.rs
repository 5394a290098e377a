//! A place for the first run that waits, so that what comes behind it takes nothing away from it.

use crate::needs::{Demand, Needs};
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
    pub(crate) fn find(
        queue: &Queue,
        rooms: &[(usize, &Room<'w>)],
        starting: &[Ending],
        run: RunId,
        demand: &Demand,
    ) -> Option<Reserved<'w>> {
        let mut best: Option<Reserved<'w>> = None;
        // Nobody takes anything away where nothing starts.
        for (place, room) in rooms.iter().copied().filter(|(_, room)| room.place.is_shut(room.at, None).is_none()) {
            let name = &room.place.machine.name;
            let needs = demand.at(name);
            let of_it = queue.granted.iter().filter(|(_, granted)| granted.grant.machine == *name);
            let mut ends: Vec<(Option<UnixMs>, &Grant)> = of_it.map(|(run, granted)| (queue.end_of(*run), &granted.grant)).collect();
            ends.extend(starting.iter().filter(|ending| ending.place == place).map(|ending| (ending.at, &ending.grant)));
            ends.sort_by_key(|(end, _)| (end.is_none(), *end));
            let mut then = room.clone();
            // Where it is a matter of time alone nothing has to be given back.
            let ends = std::iter::once((Some(room.at), None)).chain(ends.into_iter().map(|(end, grant)| (end, Some(grant))));
            let found = ends.into_iter().find_map(|(end, grant)| {
                grant.into_iter().for_each(|grant| then.used.give_back(grant));
                then.at = room.place.opens(end.unwrap_or(room.at).max(room.at), needs.time)?;
                then.fit(needs, false).is_ok().then_some(end.map(|_| then.at))
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
