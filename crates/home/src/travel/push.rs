//! Files that are brought to a target: only those that are not there as they are here, each gone on with where it was cut, and with its
//! place there once it is to the byte what its hash here says.

use super::{AT_ONCE, Going, Lost, Moved, PATIENCE, ROUNDS, Traveller, Way, answered, page, while_hashed};
use crate::error::HomeError;
use crate::parcel::{Folder, Reading};
use neronet_target::Trouble;
use neronet_target::channel::Asked;
use neronet_target::frame::MOST_BODY;
use neronet_target::parcel::Entry;
use neronet_target::wire::{Ask, Ground, Reply};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Of the head of a question.
const PAGE: usize = 256 << 10;

/// Brings what is not there. Which of them cannot be brought is told in the end.
///
/// # Errors
/// The target is lost.
pub fn push(way: &Way, from: &Folder, ground: &Ground, all: Vec<Traveller>, tick: &mut dyn FnMut(&Going)) -> Result<Moved, Lost> {
    let number = all.len();
    let mut left = missing(way, from, ground, all)?;
    let mut moved = Moved { there: number - left.len(), ..Moved::default() };
    let mut going = Going { of: left.len(), ..Going::default() };
    for round in 1..=ROUNDS {
        going.all = left.iter().fold(going.done, |all, one| all.saturating_add(one.to.bytes));
        let mut pushing = Pushing { way, from, ground, waiting: VecDeque::new(), going: &mut going, tick: &mut *tick, failed: Vec::new() };
        for one in &left {
            pushing.bring(one, round > 1)?;
        }
        while pushing.settle()? {}
        let failed = pushing.failed;
        moved.failed = failed.iter().map(|(_, why)| why.clone()).collect();
        left = failed.into_iter().map(|(one, _)| one).collect();
        if left.is_empty() || round == ROUNDS {
            break;
        }
        // As they are by now.
        left.retain_mut(|one| {
            from.entry(&one.from).is_ok_and(|now| {
                one.to = Entry { path: one.to.path.clone(), ..now };
                true
            })
        });
    }
    (moved.files, moved.bytes) = (going.files, going.done);
    Ok(moved)
}

/// Those that are not there as they are here.
fn missing(way: &Way, from: &Folder, ground: &Ground, all: Vec<Traveller>) -> Result<Vec<Traveller>, Lost> {
    let told: Vec<Entry> = all.iter().map(|one| one.to.clone()).collect();
    let (mut missing, unsure) = compare(way, ground, &told)?;
    // Of another time; they have to be read to know more.
    let mut hashed: Vec<(usize, Entry)> = Vec::new();
    for n in unsure {
        let known = all.get(n).and_then(|one| Some(Entry { path: one.to.path.clone(), ..from.hashed(&one.from).ok()? }));
        match known {
            Some(told) => hashed.push((n, told)),
            None => drop(missing.insert(n)),
        }
    }
    let told: Vec<Entry> = hashed.iter().map(|(_, told)| told.clone()).collect();
    let (others, unsure) = compare(way, ground, &told)?;
    missing.extend(others.union(&unsure).filter_map(|n| hashed.get(*n)).map(|(n, _)| *n));
    Ok(all.into_iter().enumerate().filter(|(n, _)| missing.contains(n)).map(|(_, one)| one).collect())
}

/// Which of them are not there, and for which only a hash can tell.
fn compare(way: &Way, ground: &Ground, told: &[Entry]) -> Result<(BTreeSet<usize>, BTreeSet<usize>), Lost> {
    let (mut missing, mut unsure, mut from) = (BTreeSet::new(), BTreeSet::new(), 0);
    while let Some(left) = told.get(from..).filter(|left| !left.is_empty()) {
        let some = page(left, PAGE);
        let patience = while_hashed(some.iter().filter(|told| told.sha256.is_some()).map(|told| told.bytes).sum());
        let ask = Ask::Compare { ground: ground.clone(), files: some.to_vec() };
        let (Reply::Compared { missing: these, unsure: those }, _) = way.channel.ask(ask, patience)? else {
            return Err(Trouble::odd().into());
        };
        missing.extend(these.into_iter().map(|n| n.saturating_add(from)));
        unsure.extend(those.into_iter().map(|n| n.saturating_add(from)));
        from += some.len();
    }
    Ok((missing, unsure))
}

enum What {
    Begin,
    /// From there to there.
    Append(u64, u64),
    Put,
}

struct Pushing<'a> {
    way: &'a Way,
    from: &'a Folder,
    ground: &'a Ground,
    waiting: VecDeque<(Traveller, What, Duration, Asked<'a>)>,
    going: &'a mut Going,
    tick: &'a mut dyn FnMut(&Going),
    failed: Vec<(Traveller, String)>,
}

impl<'a> Pushing<'a> {
    /// `again`: something of it may have arrived.
    fn bring(&mut self, one: &Traveller, again: bool) -> Result<(), Lost> {
        let mut reading = match self.from.reading(&one.from) {
            Ok(reading) => reading,
            Err(e) => return self.fails(one.clone(), e),
        };
        // As it is now, which may be other than when it was listed.
        let one = &Traveller { to: Entry { path: one.to.path.clone(), ..reading.begun().clone() }, ..one.clone() };
        self.ask(one, What::Begin, Ask::BeginFile { ground: self.ground.clone(), file: one.to.clone() }, &[])?;
        // To wait for how much is there of a small one takes longer than to send it.
        let mut at = 0;
        if again || one.to.bytes > MOST_BODY as u64 {
            while self.waiting.len() > 1 {
                self.settle()?;
            }
            match self.begun(one)? {
                Some(begun) => at = begun,
                None => return Ok(()),
            }
        }
        self.send(one, &mut reading, at)
    }

    fn send(&mut self, one: &Traveller, reading: &mut Reading, mut at: u64) -> Result<(), Lost> {
        while at < one.to.bytes {
            let (now, bytes) = match reading.read(at, MOST_BODY) {
                Ok(read) => read,
                Err(e) => return self.fails(one.clone(), e),
            };
            if bytes.is_empty() || !now.is_as(&one.to) {
                return self.fails(one.clone(), HomeError::Failed(format!("'{}' changed while it was sent", one.from)));
            }
            let end = at + bytes.len() as u64;
            self.ask(one, What::Append(at, end), Ask::AppendFile { at }, &bytes)?;
            at = end;
        }
        match reading.hashed() {
            Ok(now) => self.ask(one, What::Put, Ask::PutFile { file: Entry { path: one.to.path.clone(), ..now } }, &[]),
            Err(e) => self.fails(one.clone(), e),
        }
    }

    fn ask(&mut self, one: &Traveller, what: What, ask: Ask, body: &[u8]) -> Result<(), Lost> {
        while self.waiting.len() >= AT_ONCE {
            self.settle()?;
        }
        let patience = if let What::Put = what { while_hashed(one.to.bytes) } else { PATIENCE };
        self.waiting.push_back((one.clone(), what, patience, self.way.channel.send(ask, body)?));
        Ok(())
    }

    /// How much of it has arrived; nothing where it cannot be begun.
    fn begun(&mut self, one: &Traveller) -> Result<Option<u64>, Lost> {
        let Some((.., patience, asked)) = self.waiting.pop_front() else { return Ok(None) };
        match answered(asked, patience)? {
            Ok((Reply::At(at), _)) => {
                self.going.all = self.going.all.saturating_sub(at);
                Ok(Some(at))
            }
            Ok(_) => Err(Trouble::odd().into()),
            Err(why) => {
                self.failed.push((one.clone(), why));
                Ok(None)
            }
        }
    }

    /// Takes the next answer. False where none is awaited.
    fn settle(&mut self) -> Result<bool, Lost> {
        let Some((one, what, patience, asked)) = self.waiting.pop_front() else { return Ok(false) };
        match (what, answered(asked, patience)?) {
            (What::Begin, Ok((Reply::At(_), _))) => {}
            (What::Append(at, end), Ok((Reply::At(there), _))) => {
                if there == end {
                    self.going.done += end - at;
                }
            }
            (What::Put, Ok((Reply::Done, _))) => self.going.files += 1,
            (_, Ok(_)) => return Err(Trouble::odd().into()),
            // What was asked of it before was refused as well.
            (_, Err(why)) => match self.failed.last_mut() {
                Some((last, _)) if last.from == one.from => {}
                _ => self.failed.push((one, why)),
            },
        }
        (self.tick)(self.going);
        Ok(true)
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is at its end")]
    fn fails(&mut self, one: Traveller, why: HomeError) -> Result<(), Lost> {
        self.failed.push((one, why.to_string()));
        Ok(())
    }
}
