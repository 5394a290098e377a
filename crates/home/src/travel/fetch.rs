//! Files that come from a target: only those that are not here as they are there, each gone on with where it was cut, and with its
//! place here once it is to the byte what its hash there says.

use super::{Going, Lost, Moved, PATIENCE, ROUNDS, Traveller, Way, while_hashed};
use crate::error::HomeError;
use crate::parcel::{Arriving, Begun, Compared, Folder, Globs, Listing, MOST_FILES};
use neronet_target::Trouble;
use neronet_target::frame::MOST_BODY;
use neronet_target::parcel::{Entry, Hash, Inner};
use neronet_target::wire::{Ask, Ground, Reply};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// A folder of a million files is walked through.
const LISTED: Duration = Duration::from_secs(300);

/// What patterns name there. What was not asked for is not believed.
///
/// # Errors
/// The target is lost, a pattern is none, or there is no such folder.
pub fn list(way: &Way, ground: &Ground, globs: &[String]) -> Result<Listing, Lost> {
    let asked = Globs::of(globs)?;
    let mut all = Listing::default();
    loop {
        let ask = Ask::List { ground: ground.clone(), globs: globs.to_vec(), from: all.entries.len() };
        let (Reply::Listed { entries, left_out, unfit, cut_short, more }, _) = way.channel.ask(ask, LISTED)? else {
            return Err(Trouble::odd().into());
        };
        if let Some(other) = entries.iter().find(|entry| !asked.name(&entry.path)) {
            return Err(Trouble::Failed(format!("its agent told of '{}', which nobody asked for", other.path)).into());
        }
        let none = entries.is_empty();
        all.entries.extend(entries);
        if all.entries.len() > MOST_FILES {
            return Err(Trouble::Failed(format!("its agent told of more than {MOST_FILES} files")).into());
        }
        (all.left_out, all.unfit, all.cut_short) = (left_out, unfit, cut_short);
        if !more || none {
            return Ok(all);
        }
    }
}

/// Fetches what is not there. Which of them cannot be is told in the end.
///
/// # Errors
/// The target is lost, or nothing can be written here.
pub fn fetch(way: &Way, ground: &Ground, into: &Folder, wanted: Vec<Traveller>, tick: &mut dyn FnMut(&Going)) -> Result<Moved, Lost> {
    let all = wanted.len();
    let mut left = missing(way, ground, into, wanted)?;
    let mut moved = Moved { there: all - left.len(), ..Moved::default() };
    let mut going = Going { of: left.len(), ..Going::default() };
    for round in 1..=ROUNDS {
        going.all = left.iter().fold(going.done, |all, one| all.saturating_add(one.to.bytes));
        let failed = Fetching::new(way, ground, into).all(left, &mut going, tick)?;
        moved.failed = failed.iter().map(|(_, why)| why.clone()).collect();
        left = failed.into_iter().map(|(one, _)| one).collect();
        if left.is_empty() || round == ROUNDS {
            break;
        }
        // As they are by now.
        let now = entries(way, ground, &left)?;
        left.retain_mut(|one| {
            now.get(&one.from).is_some_and(|now| {
                one.to = Entry { path: one.to.path.clone(), ..now.clone() };
                true
            })
        });
    }
    (moved.files, moved.bytes) = (going.files, going.done);
    Ok(moved)
}

/// Those that are not here as they are there.
fn missing(way: &Way, ground: &Ground, into: &Folder, wanted: Vec<Traveller>) -> Result<Vec<Traveller>, Lost> {
    let told: Vec<Entry> = wanted.iter().map(|one| one.to.clone()).collect();
    let Compared { mut missing, unsure } = into.compare(&told);
    let ask = |n: usize| {
        let one = wanted.get(n)?;
        Some((n, Ask::Hashed { ground: ground.clone(), path: one.from.clone() }, while_hashed(one.to.bytes)))
    };
    let mut hashes: BTreeMap<usize, Hash> = BTreeMap::new();
    way.each(unsure.iter().filter_map(|n| ask(*n)), |n, answer| {
        if let Ok((Reply::File(Entry { sha256: Some(hash), .. }), _)) = answer {
            hashes.insert(n, hash);
        }
        Ok(())
    })?;
    for n in unsure {
        let known = told.get(n).zip(hashes.get(&n)).map(|(told, hash)| Entry { sha256: Some(hash.clone()), ..told.clone() });
        if known.is_none_or(|told| !into.compare(&[told]).missing.is_empty()) {
            missing.push(n);
        }
    }
    missing.sort_unstable();
    Ok(wanted.into_iter().enumerate().filter(|(n, _)| missing.binary_search(n).is_ok()).map(|(_, one)| one).collect())
}

/// How these files are now, those that are there.
fn entries(way: &Way, ground: &Ground, all: &[Traveller]) -> Result<BTreeMap<Inner, Entry>, Lost> {
    let mut now = BTreeMap::new();
    let ask = |one: &Traveller| ((), Ask::Read { ground: ground.clone(), path: one.from.clone(), at: 0, most: 0 }, PATIENCE);
    way.each(all.iter().map(ask), |(), answer| {
        if let Ok((Reply::File(entry), _)) = answer {
            now.insert(entry.path.clone(), entry);
        }
        Ok(())
    })?;
    Ok(now)
}

/// What is asked of one file.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Bytes from here on.
    Piece(u64),
    /// Its hash, as all of it has come.
    Whole,
}

/// A file on its way.
struct Coming<'f> {
    one: Traveller,
    /// None once it has failed.
    arriving: Option<Arriving<&'f Folder>>,
    failed: Option<String>,
}

struct Fetching<'f> {
    way: &'f Way,
    ground: &'f Ground,
    into: &'f Folder,
    /// By their numbers.
    coming: RefCell<BTreeMap<usize, Coming<'f>>>,
}

impl<'f> Fetching<'f> {
    fn new(way: &'f Way, ground: &'f Ground, into: &'f Folder) -> Fetching<'f> {
        Fetching { way, ground, into, coming: RefCell::default() }
    }

    /// Gives those that could not be fetched, and why.
    fn all(self, wanted: Vec<Traveller>, going: &mut Going, tick: &mut dyn FnMut(&Going)) -> Result<Vec<(Traveller, String)>, Lost> {
        let mut failed = Vec::new();
        let stopped: RefCell<Option<HomeError>> = RefCell::default();
        // What had come before.
        let before = Cell::new(0);
        // Each is begun when its first bytes are asked for.
        let questions = wanted.into_iter().enumerate().flat_map(|(n, one)| {
            let at = match self.begin(n, &one) {
                Ok(at) => {
                    before.set(before.get() + at);
                    Some(at)
                }
                Err(e) => {
                    stopped.replace(Some(e));
                    None
                }
            };
            let bytes = one.to.bytes;
            let pieces = at.into_iter().flat_map(move |at| (at..bytes).step_by(MOST_BODY).map(What::Piece).chain([What::Whole]));
            pieces.map(move |what| (n, what, one.clone()))
        });
        let questions = questions.map(|(n, what, one)| match what {
            What::Piece(at) => ((n, what), Ask::Read { ground: self.ground.clone(), path: one.from, at, most: MOST_BODY }, PATIENCE),
            What::Whole => ((n, what), Ask::Hashed { ground: self.ground.clone(), path: one.from }, while_hashed(one.to.bytes)),
        });
        self.way.each(questions, |(n, what), answer| {
            if let Some(e) = stopped.take() {
                return Err(e.into());
            }
            let mut coming = self.coming.borrow_mut();
            let Some(one) = coming.get_mut(&n) else { return Ok(()) };
            one.take(what, answer, going)?;
            if let What::Whole = what
                && let Some(Coming { one, failed: Some(why), .. }) = coming.remove(&n)
            {
                failed.push((one, why));
            }
            tick(&Going { all: going.all.saturating_sub(before.get()), ..going.clone() });
            Ok(())
        })?;
        match stopped.take() {
            Some(e) => Err(e.into()),
            None => Ok(failed),
        }
    }

    fn begin(&self, n: usize, one: &Traveller) -> Result<u64, HomeError> {
        let (arriving, failed, at) = match Arriving::begin(self.into, one.to.clone()) {
            Ok((arriving, Begun { at, .. })) => (Some(arriving), None, at),
            Err(HomeError::Failed(why)) => (None, Some(why), one.to.bytes),
            Err(e) => return Err(e),
        };
        self.coming.borrow_mut().insert(n, Coming { one: one.clone(), arriving, failed });
        Ok(at)
    }
}

impl Coming<'_> {
    fn take(&mut self, what: What, answer: Result<(Reply, Vec<u8>), String>, going: &mut Going) -> Result<(), Lost> {
        let Some(arriving) = self.arriving.as_mut() else { return Ok(()) };
        let done = match (what, answer) {
            (_, Err(why)) => Err(HomeError::Failed(why)),
            (What::Piece(at), Ok((Reply::File(now), bytes))) => arriving.append(&now, at, &bytes).and_then(|next| {
                going.done += bytes.len() as u64;
                let goes_on = next == at + bytes.len() as u64;
                if goes_on { Ok(()) } else { Err(HomeError::Failed(format!("'{}' is fetched by somebody else as well", self.one.from))) }
            }),
            (What::Whole, Ok((Reply::File(now), _))) => match self.arriving.take() {
                Some(arriving) => arriving.finish(&now).map(|()| going.files += 1),
                None => Ok(()),
            },
            _ => return Err(Trouble::odd().into()),
        };
        match done {
            Err(HomeError::Failed(why)) => {
                self.arriving = None;
                let path = self.one.from.to_string();
                self.failed = Some(if why.contains(&path) { why } else { format!("'{path}': {why}") });
                Ok(())
            }
            done => Ok(done?),
        }
    }
}
