//! Runs as bytes, each found by its place: what has one length in records, parameters in columns of codes by the names that runs have
//! in common, the rest where there is any. Read in place: a run is unpacked when somebody looks at all of it.

use super::packed::{PackedValue, pack_value, unpack_value};
use super::unstorable;
use crate::error::StoreError;
use neronet_model::journal::Sweep;
use neronet_model::run::Ending;
use neronet_model::runs::{Brief, BriefEnding, Shelf};
use neronet_model::{Millis, Outcome, Params, Run, RunId, SweepId, Uid, UnixMs, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Behind it, one after the other: ids, records, codes, where values begin, values, rests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Head {
    runs: u64,
    /// Of each, how many runs have exactly these names, by their places in `names`.
    shapes: Vec<(Vec<u32>, u32)>,
    /// Each with its count of values.
    names: Vec<(String, u32)>,
    /// Lengths.
    values: u64,
    rests: u64,
}

/// What few runs have.
#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    /// Where it is not its sweep's.
    #[serde(borrow)]
    experiment: Option<&'a str>,
    #[serde(borrow)]
    changes: Vec<(&'a str, PackedValue<'a>)>,
    #[serde(borrow)]
    tags: Vec<&'a str>,
    note: Option<&'a str>,
    reason: Option<&'a str>,
}

const WORDS: usize = 18;
const RECORD: usize = WORDS * 8;
const NO_TIME: i64 = i64::MIN;
const OUTCOMES: [Outcome; 5] = [Outcome::Finished, Outcome::Failed, Outcome::Stopped, Outcome::Lost, Outcome::Unknown];
const FLAGS: usize = 11;
const TAGGED: u64 = 1 << 8;
const HAS_REASON: u64 = 1 << 9;

pub(super) fn pack<'a>(
    runs: impl ExactSizeIterator<Item = &'a Run>,
    sweeps: &BTreeMap<SweepId, Arc<Sweep>>,
) -> Result<(Head, Vec<u8>), StoreError> {
    let count = runs.len();
    let mut names = Names::default();
    let mut shapes = Shapes::default();
    let (mut ids, mut records, mut rests) = (Vec::with_capacity(count * 8), Vec::with_capacity(count * RECORD), Vec::new());
    for run in runs {
        // In whole, so that no field is forgotten.
        let Run { id, uid, sweep, experiment, params, changes, after, created, tags, note, trashed, attempts, earlier, ending } = run;
        ids.extend_from_slice(&id.0.to_le_bytes());
        let of: Vec<(u32, u32)> = params.iter().map(|(name, value)| names.code(name, value)).collect::<Result<_, _>>()?;
        let place = shapes.add(of);
        let of_sweep = sweeps.get(sweep).is_some_and(|sweep| sweep.experiment == **experiment);
        let rest = Rest {
            experiment: (!of_sweep).then_some(&**experiment),
            changes: changes.iter().map(|(name, value)| (name, pack_value(value))).collect(),
            tags: tags.iter().map(String::as_str).collect(),
            note: note.as_deref(),
            reason: ending.as_ref().and_then(|ending| ending.reason.as_deref()),
        };
        let has_rest = !of_sweep || !changes.is_empty() || !tags.is_empty() || note.is_some() || rest.reason.is_some();
        let rest_at = if has_rest { rests.len() as u64 + 1 } else { 0 };
        if has_rest {
            rests = postcard::to_extend(&rest, rests).map_err(unstorable)?;
        }
        let time = |at: Option<UnixMs>| at.map_or(NO_TIME, |at| at.0) as u64;
        let outcome = ending.as_ref().and_then(|ending| OUTCOMES.iter().position(|known| *known == ending.outcome));
        let flags = outcome.map_or(0, |at| at as u64 + 1)
            | if tags.is_empty() { 0 } else { TAGGED }
            | if rest.reason.is_some() { HAS_REASON } else { 0 };
        let ending = ending.as_deref();
        let words = [
            sweep.0,
            after.map_or(0, |run| run.0),
            created.0 as u64,
            time(*trashed),
            *attempts,
            earlier.0,
            ending.map_or(0, |ending| ending.at),
            time(ending.and_then(|ending| ending.started)),
            time(ending.and_then(|ending| ending.begun)),
            time(ending.and_then(|ending| ending.ended)),
            ending.and_then(|ending| ending.lasted).map_or(u64::MAX, |lasted| lasted.0),
            flags,
            place,
            rest_at,
        ];
        words.iter().for_each(|word| records.extend_from_slice(&word.to_le_bytes()));
        records.extend_from_slice(uid.as_str().as_bytes());
        records.resize(records.len().next_multiple_of(RECORD), 0);
    }
    let (names, starts, values) = names.packed();
    let head = Head { runs: count as u64, shapes: shapes.sizes(), names, values: values.len() as u64, rests: rests.len() as u64 };
    Ok((head, [ids, records, shapes.codes(), starts, values, rests].concat()))
}

/// The values of each name, each once.
#[derive(Default)]
struct Names {
    places: HashMap<String, u32>,
    all: Vec<OneName>,
}

#[derive(Default)]
struct OneName {
    name: String,
    codes: HashMap<Vec<u8>, u32>,
    values: Vec<Vec<u8>>,
}

impl Names {
    fn code(&mut self, name: &str, value: &Value) -> Result<(u32, u32), StoreError> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = self.all.len() as u32;
                self.places.insert(name.to_string(), place);
                self.all.push(OneName { name: name.to_string(), ..OneName::default() });
                place
            }
        };
        let bytes = postcard::to_allocvec(&pack_value(value)).map_err(unstorable)?;
        let Some(OneName { codes, values, .. }) = self.all.get_mut(place as usize) else { return Ok((place, 0)) };
        let code = *codes.entry(bytes).or_insert_with_key(|bytes| {
            values.push(bytes.clone());
            values.len() as u32 - 1
        });
        Ok((place, code))
    }

    /// Names with their counts, where each value begins and the last one ends, the values.
    fn packed(self) -> (Vec<(String, u32)>, Vec<u8>, Vec<u8>) {
        let (mut starts, mut values) = (Vec::new(), Vec::new());
        for value in self.all.iter().flat_map(|one| &one.values) {
            starts.extend_from_slice(&(values.len() as u64).to_le_bytes());
            values.extend_from_slice(value);
        }
        starts.extend_from_slice(&(values.len() as u64).to_le_bytes());
        (self.all.into_iter().map(|one| (one.name, one.values.len() as u32)).collect(), starts, values)
    }
}

/// The codes of runs that have the same names.
#[derive(Default)]
struct Shapes {
    places: HashMap<Vec<u32>, usize>,
    all: Vec<(Vec<u32>, Vec<Vec<u32>>)>,
}

impl Shapes {
    /// Which shape, and which row of it.
    fn add(&mut self, of: Vec<(u32, u32)>) -> u64 {
        let names: Vec<u32> = of.iter().map(|(name, _)| *name).collect();
        let shape = *self.places.entry(names).or_insert_with_key(|names| {
            self.all.push((names.clone(), Vec::new()));
            self.all.len() - 1
        });
        let Some((_, rows)) = self.all.get_mut(shape) else { return 0 };
        rows.push(of.into_iter().map(|(_, code)| code).collect());
        (shape as u64) << 32 | (rows.len() as u64 - 1)
    }

    fn sizes(&self) -> Vec<(Vec<u32>, u32)> {
        self.all.iter().map(|(names, rows)| (names.clone(), rows.len() as u32)).collect()
    }

    /// By shape, by name, by row.
    fn codes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (names, rows) in &self.all {
            for name in 0..names.len() {
                rows.iter().filter_map(|row| row.get(name)).for_each(|code| bytes.extend_from_slice(&code.to_le_bytes()));
            }
        }
        bytes
    }
}

#[derive(Debug)]
struct Shape {
    names: Vec<Arc<str>>,
    /// Where its codes begin, and how many runs have it.
    codes: usize,
    rows: usize,
}

/// Which of the values are those of a name.
#[derive(Debug)]
struct Values {
    first: usize,
    count: usize,
}

#[derive(Debug)]
pub(super) struct Packed {
    bytes: Arc<Vec<u8>>,
    ids: Vec<RunId>,
    shapes: Vec<Shape>,
    names: HashMap<Arc<str>, Values>,
    records: usize,
    starts: usize,
    values: usize,
    rests: Range<usize>,
    experiments: HashMap<SweepId, Arc<str>>,
    unpacked: Vec<OnceLock<Box<Run>>>,
}

/// Cuts parts off the front of a range.
struct Parts {
    next: usize,
    end: usize,
}

impl Parts {
    fn take(&mut self, count: u64, size: u64) -> Option<usize> {
        let at = self.next;
        let length = usize::try_from(count.checked_mul(size)?).ok()?;
        self.next = at.checked_add(length).filter(|next| *next <= self.end)?;
        Some(at)
    }
}

impl Packed {
    /// Those whose parts begin at `begins`, and where what follows them does. Nothing where the bytes do not hold what the head says.
    pub(super) fn open(head: Head, bytes: &Arc<Vec<u8>>, begins: usize, sweeps: &BTreeMap<SweepId, Arc<Sweep>>) -> Option<(Packed, usize)> {
        let mut parts = Parts { next: begins, end: bytes.len() };
        let at_ids = parts.take(head.runs, 8)?;
        let records = parts.take(head.runs, RECORD as u64)?;
        let known: Vec<Arc<str>> = head.names.iter().map(|(name, _)| name.as_str().into()).collect();
        let mut shapes = Vec::with_capacity(head.shapes.len());
        for (of, rows) in head.shapes {
            let names: Vec<Arc<str>> = of.into_iter().map(|at| known.get(at as usize).cloned()).collect::<Option<_>>()?;
            let codes = parts.take((names.len() as u64).checked_mul(u64::from(rows))?, 4)?;
            shapes.push(Shape { names, codes, rows: rows as usize });
        }
        let (mut names, mut first) = (HashMap::new(), 0);
        for (name, (_, count)) in known.iter().zip(&head.names) {
            let count = *count as usize;
            names.insert(Arc::clone(name), Values { first, count });
            first = first.checked_add(count)?;
        }
        let starts = parts.take(first as u64 + 1, 8)?;
        let values = parts.take(head.values, 1)?;
        let rests = parts.take(head.rests, 1)?;
        let ids = bytes.get(at_ids..records)?.as_chunks::<8>().0.iter().map(|id| RunId(u64::from_le_bytes(*id))).collect::<Vec<_>>();
        let mut shared: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut experiment = |sweep: &Sweep| match shared.get(sweep.experiment.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let name: Arc<str> = sweep.experiment.as_str().into();
                shared.insert(Arc::clone(&name));
                name
            }
        };
        let experiments = sweeps.iter().map(|(id, sweep)| (*id, experiment(sweep))).collect();
        let unpacked = std::iter::repeat_with(OnceLock::new).take(ids.len()).collect();
        let rests = rests..parts.next;
        let bytes = Arc::clone(bytes);
        Some((Packed { bytes, ids, shapes, names, records, starts, values, rests, experiments, unpacked }, parts.next))
    }

    /// Whether all of it can be read where somebody will act by it: what has not ended.
    pub(super) fn is_sound(&self) -> bool {
        let is_of_order = self.ids.is_sorted_by(|a, b| a < b);
        is_of_order && (0..self.ids.len()).all(|at| self.has_ended(at) || self.unpack(at).is_some())
    }

    fn number(&self, at: usize) -> u64 {
        self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn word(&self, at: usize, word: usize) -> u64 {
        self.number(self.records + at * RECORD + word * 8)
    }

    fn time(&self, at: usize, word: usize) -> Option<UnixMs> {
        Some(UnixMs(self.word(at, word) as i64)).filter(|time| time.0 != NO_TIME)
    }

    fn outcome(&self, at: usize) -> Option<Outcome> {
        OUTCOMES.get((self.word(at, FLAGS) as u8 as usize).wrapping_sub(1)).copied()
    }

    fn uid(&self, at: usize) -> Option<Uid> {
        let begins = self.records + at * RECORD + 14 * 8;
        Uid::parse(str::from_utf8(self.bytes.get(begins..begins + 26)?).ok()?)
    }

    fn shape(&self, at: usize) -> Option<(usize, &Shape, usize)> {
        let place = self.word(at, 12);
        let shape = (place >> 32) as usize;
        Some((shape, self.shapes.get(shape)?, place as u32 as usize))
    }

    fn code_at(&self, shape: &Shape, name: usize, row: usize) -> Option<u32> {
        let at = shape.codes + (name * shape.rows + row) * 4;
        self.bytes.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn unpack(&self, at: usize) -> Option<Run> {
        self.uid(at)?;
        let (_, shape, row) = self.shape(at)?;
        let param = |(place, name): (usize, &Arc<str>)| Some((Arc::clone(name), self.value(name, self.code_at(shape, place, row)?)?));
        let params: Params = shape.names.iter().enumerate().map(param).collect::<Option<_>>()?;
        let rest: Option<Rest<'_>> = match self.word(at, 13) {
            0 => None,
            begins => {
                let rests = self.bytes.get(self.rests.clone())?;
                Some(postcard::take_from_bytes(rests.get(usize::try_from(begins).ok()? - 1..)?).ok()?.0)
            }
        };
        let mut run = self.in_brief(at, self.brief(at));
        run.params = params;
        if let Some(rest) = rest {
            run.experiment = rest.experiment.map_or(run.experiment, Into::into);
            run.changes = rest.changes.into_iter().map(|(name, value)| Some((name, unpack_value(value)?))).collect::<Option<_>>()?;
            run.tags = rest.tags.into_iter().map(str::to_string).collect();
            run.note = rest.note.map(str::to_string);
            if let Some(ending) = &mut run.ending {
                ending.reason = rest.reason.map(Into::into);
            }
        }
        Some(run)
    }

    /// Without what has no fixed length.
    fn in_brief(&self, at: usize, brief: Brief) -> Run {
        let ending = brief.ending.map(|ending| {
            let BriefEnding { outcome, has_reason: _, started, begun, ended, lasted } = ending;
            Box::new(Ending { outcome, reason: None, started, begun, ended, lasted, at: self.word(at, 6) })
        });
        let Brief { sweep, after, created, trashed, attempts, earlier, is_tagged: _, ending: _ } = brief;
        Run {
            id: self.ids.get(at).copied().unwrap_or(RunId(0)),
            uid: self.uid(at).unwrap_or_else(|| Uid::new(0, [0; 10])),
            sweep,
            experiment: self.experiments.get(&sweep).cloned().unwrap_or_default(),
            params: Params::new(),
            changes: Params::new(),
            after,
            created,
            tags: BTreeSet::new(),
            note: None,
            trashed,
            attempts,
            earlier,
            ending,
        }
    }
}

impl Shelf for Packed {
    fn ids(&self) -> &[RunId] {
        &self.ids
    }

    fn run(&self, at: usize) -> &Run {
        static NOBODY: OnceLock<Run> = OnceLock::new();
        // What does not unpack has the right checksum nevertheless: it can still be said which run it is.
        let unpack = || Box::new(self.unpack(at).unwrap_or_else(|| self.in_brief(at, self.brief(at))));
        match self.unpacked.get(at) {
            Some(known) => known.get_or_init(unpack),
            None => NOBODY.get_or_init(|| self.in_brief(0, self.brief(0))),
        }
    }

    fn has_ended(&self, at: usize) -> bool {
        self.outcome(at).is_some()
    }

    fn brief(&self, at: usize) -> Brief {
        let flags = self.word(at, FLAGS);
        let ending = self.outcome(at).map(|outcome| BriefEnding {
            outcome,
            has_reason: flags & HAS_REASON != 0,
            started: self.time(at, 7),
            begun: self.time(at, 8),
            ended: self.time(at, 9),
            lasted: Some(self.word(at, 10)).filter(|lasted| *lasted != u64::MAX).map(Millis),
        });
        Brief {
            sweep: SweepId(self.word(at, 0)),
            after: Some(self.word(at, 1)).filter(|run| *run != 0).map(RunId),
            created: UnixMs(self.word(at, 2) as i64),
            trashed: self.time(at, 3),
            attempts: self.word(at, 4),
            earlier: Millis(self.word(at, 5)),
            is_tagged: flags & TAGGED != 0,
            ending,
        }
    }

    fn names(&self, at: usize) -> (usize, &[Arc<str>]) {
        self.shape(at).map_or((usize::MAX, &[]), |(number, shape, _)| (number, &shape.names))
    }

    fn code(&self, at: usize, name: &str) -> Option<u32> {
        let (_, shape, row) = self.shape(at)?;
        self.code_at(shape, shape.names.iter().position(|known| **known == *name)?, row)
    }

    fn value(&self, name: &str, code: u32) -> Option<Value> {
        let values = self.names.get(name)?;
        let place = values.first + Some(code as usize).filter(|code| *code < values.count)?;
        let (from, to) = (self.number(self.starts + place * 8), self.number(self.starts + (place + 1) * 8));
        let place = |at: u64| usize::try_from(at).ok()?.checked_add(self.values);
        let bytes = self.bytes.get(place(from)?..place(to)?)?;
        unpack_value(postcard::from_bytes(bytes).ok()?)
    }
}
