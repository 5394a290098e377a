//! An attempt whose keeper is gone, taken up by a supervisor of its own; and given up when nothing can be made of it.

use crate::os::clock;
use crate::os::process::{self, Alive};
use crate::segment::Writer;
use crate::start;
use crate::supervisor::{FAILED, run};
use neronet_model::event::{Event, Stamped, Summary};
use neronet_model::outcome::{Cause, Outcome};
use neronet_model::{Attempt, AttemptNo, Millis};
use neronet_store::files::{self, Durability, replace_json};
use neronet_store::spool::{self, Segments};
use std::path::Path;

/// So often may adopters of one attempt die of it.
const MOST_ADOPTIONS: u32 = 5;

/// By itself, for an attempt whose keeper is gone. What cannot be read however often it is tried ends with that on record.
pub fn adopt(folder: &Path) -> i32 {
    let count = folder.join("adoptions.json");
    let tried: u32 = files::read_json(&count).ok().flatten().unwrap_or(0);
    replace_json(&count, &(tried + 1), Durability::Renamed).ok();
    let code = if tried < MOST_ADOPTIONS { run(folder, None) } else { give_up(folder) };
    if code == 0 {
        std::fs::remove_file(&count).ok();
    }
    code
}

/// Records an end of which nothing can be found out. Nobody else will ever know more.
fn give_up(folder: &Path) -> i32 {
    let Ok(Some(_lock)) = start::supervisor_lock(folder) else { return 1 };
    let attempt = spool::attempt(folder, AttemptNo(0)).ok();
    if attempt.as_ref().is_some_and(|attempt| attempt.end.is_some()) {
        return 0;
    }
    if attempt.as_ref().and_then(|attempt| attempt.command.as_ref()).is_some_and(|command| process::alive(command) != Alive::No) {
        return 1;
    }
    let why: Option<String> = files::read_json(&folder.join(FAILED)).ok().flatten();
    let why = why.unwrap_or_else(|| "its supervisor died of it again and again".into());
    // What the keeper saw is known all the same.
    let seen = attempt.as_ref().filter(|attempt| attempt.command_ended()).map(Attempt::verdict);
    let (outcome, cause) = seen.unwrap_or_else(|| (Outcome::Unknown, Some(Cause::RecordUnreadable(why.clone()))));
    let begun = attempt.as_ref().and_then(|attempt| attempt.begun);
    let at = begun.map_or_else(clock::unix_now, |begun| begun.plus(last_sign(folder).unwrap_or_default()));
    let (segments, summary) = (Vec::new(), Summary::default());
    let mut events = Writer::new(folder, format!("events.{}.jsonl", next_generation(folder)));
    let t = last_sign(folder).unwrap_or_default();
    events.push(&Stamped { t, event: Event::Dropped { what: format!("the record could not be read to its end: {why}") } });
    events.push(&Stamped { t, event: Event::Ended { outcome, cause, at, last_lines: Vec::new(), segments, summary } });
    i32::from(events.flush().and_then(|()| events.sync()).is_err())
}

pub(crate) fn next_generation(folder: &Path) -> u32 {
    let last = Segments::of(folder).ok().and_then(|segments| u32::try_from(segments.last_generation()?).ok());
    let died = spool::attempt(folder, AttemptNo(0)).map_or(0, |attempt| attempt.supervisors_died);
    last.unwrap_or(0).max(died + 1) + 1
}

/// The time of the last thing on record.
pub(crate) fn last_sign(folder: &Path) -> Option<Millis> {
    let mut last = None;
    let mut see = |t: Millis| last = last.max(Some(t));
    spool::rows(folder, |row| see(row.t)).ok()?;
    spool::output(folder, |chunk| see(Millis(chunk.t))).ok()?;
    for path in spool::segments(folder, "events").ok()?.into_iter().chain([folder.join(spool::KEEPER)]) {
        spool::lines(&path, 0, |line| drop(serde_json::from_slice::<Stamped>(line).map(|stamped| see(stamped.t)))).ok()?;
    }
    last
}
