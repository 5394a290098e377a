//! The state of home and its queue as bytes: what takes a second to fold from a long journal is read back in some milliseconds. Texts
//! that many runs and sweeps have in common stand in it once.

use super::unstorable;
use crate::error::StoreError;
use neronet_model::journal::{Code, HomeState, SpecSource, Sweep};
use neronet_model::keyed::Keys;
use neronet_model::queue::Wishes;
use neronet_model::run::{Decision, Ending};
use neronet_model::{Millis, Params, Run, RunId, Settings, SweepId, Uid, UnixMs, Value};
use neronet_schedule::Queue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// By its place in `texts`.
type Text = u32;

/// Behind the texts, before the queue.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    sweeps: Vec<PackedSweep>,
    /// How many follow.
    runs: u64,
    /// As JSON: there are few of them.
    decisions: Vec<Text>,
    last_run: u64,
    last_sweep: u64,
    keys: Cow<'a, Keys>,
    purged: Cow<'a, BTreeMap<RunId, Uid>>,
    damage: Cow<'a, [String]>,
}

#[derive(Serialize, Deserialize)]
struct PackedSweep {
    id: SweepId,
    at: UnixMs,
    project: Text,
    experiment: Text,
    /// As JSON, as are `driver`, `code`, `spec` and `wishes`.
    settings: Text,
    varying: Vec<Text>,
    parallel: Option<u64>,
    driver: Text,
    detached: bool,
    code: Text,
    host: Text,
    user: Text,
    spec: Option<Text>,
    best_of: Vec<RunId>,
    wishes: Option<Text>,
    imported: Option<Text>,
}

#[derive(Serialize, Deserialize)]
struct PackedRun<'a> {
    id: RunId,
    uid: Uid,
    sweep: SweepId,
    experiment: Text,
    #[serde(borrow)]
    params: Vec<(Text, PackedValue<'a>)>,
    #[serde(borrow)]
    changes: Vec<(Text, PackedValue<'a>)>,
    after: Option<RunId>,
    created: UnixMs,
    tags: Vec<Text>,
    note: Option<&'a str>,
    trashed: Option<UnixMs>,
    attempts: u64,
    earlier: Millis,
    ending: Option<Cow<'a, Ending>>,
}

#[derive(Serialize, Deserialize)]
enum PackedValue<'a> {
    Bool(bool),
    Int(i64),
    Float(&'a str),
    Str(&'a str),
    Word(&'a str),
    #[serde(borrow)]
    List(Vec<PackedValue<'a>>),
}

pub(super) struct Unpacked {
    pub(super) state: HomeState,
    pub(super) queue: Queue,
    pub(super) damage: Vec<String>,
}

pub(super) fn pack(state: &HomeState, queue: &Queue, damage: &[String]) -> Result<Vec<u8>, StoreError> {
    let HomeState { runs, sweeps, decisions, last_run, last_sweep, keys, purged } = state;
    let mut texts = Texts::default();
    let mut settings: HashMap<*const Settings, Text> = HashMap::new();
    let mut packed_sweeps = Vec::with_capacity(sweeps.len());
    for sweep in sweeps.values() {
        let known = Arc::as_ptr(&sweep.settings);
        let settings = match settings.get(&known) {
            Some(text) => *text,
            None => *settings.entry(known).or_insert(texts.json(&*sweep.settings)?),
        };
        packed_sweeps.push(pack_sweep(sweep, settings, &mut texts)?);
    }
    let packed_runs: Vec<PackedRun<'_>> = runs.values().map(|run| pack_run(run, &mut texts)).collect();
    let decisions = decisions.values().map(|decision| texts.json(decision)).collect::<Result<_, _>>()?;
    let packed = Packed {
        sweeps: packed_sweeps,
        runs: packed_runs.len() as u64,
        decisions,
        last_run: *last_run,
        last_sweep: *last_sweep,
        keys: Cow::Borrowed(keys),
        purged: Cow::Borrowed(purged),
        damage: Cow::Borrowed(damage),
    };
    let bytes = postcard::to_extend(&texts.all, Vec::new()).map_err(unstorable)?;
    let mut bytes = postcard::to_extend(&packed, bytes).map_err(unstorable)?;
    for run in &packed_runs {
        bytes = postcard::to_extend(run, bytes).map_err(unstorable)?;
    }
    postcard::to_extend(queue, bytes).map_err(unstorable)
}

/// Nothing where it is no packed state.
pub(super) fn unpack(bytes: &[u8]) -> Option<Unpacked> {
    let (texts, rest) = postcard::take_from_bytes::<Vec<&str>>(bytes).ok()?;
    let (packed, mut rest) = postcard::take_from_bytes::<Packed<'_>>(rest).ok()?;
    let texts = Read { texts };
    let mut kept = Kept::default();
    let sweeps = packed.sweeps.into_iter().map(|sweep| Some((sweep.id, Arc::new(unpack_sweep(sweep, &texts, &mut kept)?)))).collect();
    let mut names = Names::default();
    let mut runs = BTreeMap::new();
    // One by one: all of them packed would take as much memory again.
    for _ in 0..packed.runs {
        let (run, behind) = postcard::take_from_bytes::<PackedRun<'_>>(rest).ok()?;
        rest = behind;
        runs.insert(run.id, unpack_run(run, &mut names, &texts)?);
    }
    let queue: Queue = postcard::from_bytes(rest).ok()?;
    let decision = |text: Text| -> Option<(RunId, Decision)> {
        let decision: Decision = texts.json(text)?;
        Some((decision.run, decision))
    };
    let state = HomeState {
        runs,
        sweeps: Option::<BTreeMap<_, _>>::from_iter::<Vec<Option<_>>>(sweeps)?,
        decisions: packed.decisions.into_iter().map(decision).collect::<Option<_>>()?,
        last_run: packed.last_run,
        last_sweep: packed.last_sweep,
        keys: packed.keys.into_owned(),
        purged: packed.purged.into_owned(),
    };
    Some(Unpacked { state, queue, damage: packed.damage.into_owned() })
}

fn pack_sweep<'a>(sweep: &'a Sweep, settings: Text, texts: &mut Texts<'a>) -> Result<PackedSweep, StoreError> {
    // In whole, so that no field is forgotten.
    let Sweep {
        id,
        at,
        project,
        experiment,
        settings: _,
        varying,
        parallel,
        driver,
        detached,
        code,
        host,
        user,
        spec,
        best_of,
        wishes,
        imported,
    } = sweep;
    Ok(PackedSweep {
        id: *id,
        at: *at,
        project: texts.text(project),
        experiment: texts.text(experiment),
        settings,
        varying: varying.iter().map(|name| texts.text(name)).collect(),
        parallel: *parallel,
        driver: texts.json(driver)?,
        detached: *detached,
        code: texts.json(code)?,
        host: texts.text(host),
        user: texts.text(user),
        spec: spec.as_ref().map(|spec| texts.json(spec)).transpose()?,
        best_of: best_of.clone(),
        wishes: (!wishes.is_default()).then(|| texts.json(wishes)).transpose()?,
        imported: imported.as_ref().map(|imported| texts.json(imported)).transpose()?,
    })
}

/// What was read of texts that several sweeps have.
#[derive(Default)]
struct Kept {
    settings: HashMap<Text, Arc<Settings>>,
    codes: HashMap<Text, Code>,
    specs: HashMap<Text, SpecSource>,
}

fn unpack_sweep(packed: PackedSweep, texts: &Read<'_>, kept: &mut Kept) -> Option<Sweep> {
    let owned = |text: Text| texts.text(text).map(str::to_string);
    let settings = match kept.settings.get(&packed.settings) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(kept.settings.entry(packed.settings).or_insert(Arc::new(texts.json(packed.settings)?))),
    };
    Some(Sweep {
        id: packed.id,
        at: packed.at,
        project: owned(packed.project)?,
        experiment: owned(packed.experiment)?,
        settings,
        varying: packed.varying.into_iter().map(owned).collect::<Option<_>>()?,
        parallel: packed.parallel,
        driver: texts.json(packed.driver)?,
        detached: packed.detached,
        code: texts.json_once(packed.code, &mut kept.codes)?,
        host: owned(packed.host)?,
        user: owned(packed.user)?,
        spec: match packed.spec {
            Some(spec) => Some(texts.json_once(spec, &mut kept.specs)?),
            None => None,
        },
        best_of: packed.best_of,
        wishes: match packed.wishes {
            Some(wishes) => texts.json(wishes)?,
            None => Wishes::default(),
        },
        imported: match packed.imported {
            Some(imported) => Some(texts.json(imported)?),
            None => None,
        },
    })
}

fn pack_run<'a>(run: &'a Run, texts: &mut Texts<'a>) -> PackedRun<'a> {
    let Run { id, uid, sweep, experiment, params, changes, after, created, tags, note, trashed, attempts, earlier, ending } = run;
    let mut packed = |params: &'a Params| params.iter().map(|(name, value)| (texts.text(name), pack_value(value))).collect();
    let (params, changes) = (packed(params), packed(changes));
    PackedRun {
        id: *id,
        uid: *uid,
        sweep: *sweep,
        experiment: texts.text(experiment),
        params,
        changes,
        after: *after,
        created: *created,
        tags: tags.iter().map(|tag| texts.text(tag)).collect(),
        note: note.as_deref(),
        trashed: *trashed,
        attempts: *attempts,
        earlier: *earlier,
        ending: ending.as_deref().map(Cow::Borrowed),
    }
}

/// Names that runs share.
type Names = HashMap<Text, Arc<str>>;

fn shared(names: &mut Names, text: Text, texts: &Read<'_>) -> Option<Arc<str>> {
    Some(match names.get(&text) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(names.entry(text).or_insert(texts.text(text)?.into())),
    })
}

fn unpack_run(packed: PackedRun<'_>, names: &mut Names, texts: &Read<'_>) -> Option<Run> {
    let owned = |text: Text| texts.text(text).map(str::to_string);
    let experiment = shared(names, packed.experiment, texts)?;
    let mut params = |packed: Vec<(Text, PackedValue<'_>)>| -> Option<Params> {
        packed.into_iter().map(|(name, value)| Some((shared(names, name, texts)?, unpack_value(value)?))).collect()
    };
    Some(Run {
        id: packed.id,
        uid: packed.uid,
        sweep: packed.sweep,
        experiment,
        params: params(packed.params)?,
        changes: params(packed.changes)?,
        after: packed.after,
        created: packed.created,
        tags: packed.tags.into_iter().map(owned).collect::<Option<_>>()?,
        note: packed.note.map(str::to_string),
        trashed: packed.trashed,
        attempts: packed.attempts,
        earlier: packed.earlier,
        ending: packed.ending.map(|ending| Box::new(ending.into_owned())),
    })
}

fn pack_value(value: &Value) -> PackedValue<'_> {
    match value {
        Value::Bool(truth) => PackedValue::Bool(*truth),
        Value::Int(int) => PackedValue::Int(*int),
        Value::Float(float) => PackedValue::Float(float.text()),
        Value::Str(text) => PackedValue::Str(text),
        Value::Word(word) => PackedValue::Word(word.text()),
        Value::List(items) => PackedValue::List(items.iter().map(pack_value).collect()),
    }
}

fn unpack_value(packed: PackedValue<'_>) -> Option<Value> {
    Some(match packed {
        PackedValue::Bool(truth) => Value::Bool(truth),
        PackedValue::Int(int) => Value::Int(int),
        PackedValue::Float(text) => Value::float(text)?,
        PackedValue::Str(text) => Value::Str(text.to_string()),
        PackedValue::Word(text) => Value::word(text)?,
        PackedValue::List(items) => Value::List(items.into_iter().map(unpack_value).collect::<Option<_>>()?),
    })
}

/// Texts, each once.
#[derive(Default)]
struct Texts<'a> {
    known: HashMap<Cow<'a, str>, Text>,
    all: Vec<Cow<'a, str>>,
}

impl<'a> Texts<'a> {
    fn text(&mut self, text: &'a str) -> Text {
        self.of(Cow::Borrowed(text))
    }

    fn of(&mut self, text: Cow<'a, str>) -> Text {
        if let Some(known) = self.known.get(&text) {
            return *known;
        }
        let at = self.all.len() as Text;
        self.known.insert(text.clone(), at);
        self.all.push(text);
        at
    }

    fn json<T: Serialize>(&mut self, value: &T) -> Result<Text, StoreError> {
        let text = serde_json::to_string(value).map_err(|e| StoreError::Damaged {
            path: std::path::PathBuf::new(),
            what: format!("the state of home cannot be written as JSON: {e}"),
        })?;
        Ok(self.of(Cow::Owned(text)))
    }
}

struct Read<'a> {
    texts: Vec<&'a str>,
}

impl Read<'_> {
    fn text(&self, text: Text) -> Option<&str> {
        self.texts.get(text as usize).copied()
    }

    fn json<T: DeserializeOwned>(&self, text: Text) -> Option<T> {
        serde_json::from_str(self.text(text)?).ok()
    }

    fn json_once<T: DeserializeOwned + Clone>(&self, text: Text, known: &mut HashMap<Text, T>) -> Option<T> {
        if let Some(known) = known.get(&text) {
            return Some(known.clone());
        }
        let read: T = self.json(text)?;
        known.insert(text, read.clone());
        Some(read)
    }
}
