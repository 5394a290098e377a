//! The state of home and its queue as bytes: what takes a second to fold from a long journal is read back in some milliseconds. Texts
//! that many sweeps have in common stand in it once; the runs are read in place (`shelf`), and the queue when somebody asks for it.

use super::{shelf, unstorable};
use crate::error::StoreError;
use crate::queued::Queued;
use neronet_model::journal::{Code, HomeState, SpecSource, Sweep};
use neronet_model::keyed::Keys;
use neronet_model::queue::Wishes;
use neronet_model::run::Decision;
use neronet_model::runs::{Known, Runs};
use neronet_model::{RunId, Settings, SweepId, Uid, UnixMs, Value};
use neronet_schedule::Queue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// By its place in `texts`.
type Text = u32;

/// Behind the texts, before the parts of the runs and the queue.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    sweeps: Vec<PackedSweep>,
    /// As JSON: there are few of them.
    decisions: Vec<Text>,
    last_run: u64,
    last_sweep: u64,
    keys: Cow<'a, Keys>,
    purged: Cow<'a, BTreeMap<RunId, Uid>>,
    damage: Cow<'a, [String]>,
    runs: shelf::Head,
    /// Nothing waits, and nothing executes.
    is_idle: bool,
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
    targets: Vec<Text>,
    wishes: Option<Text>,
    imported: Option<Text>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum PackedValue<'a> {
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
    pub(super) queue: Queued,
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
    let is_idle = runs.all().all(Known::has_ended);
    let (head, mut parts) = shelf::pack(runs.all().map(Known::whole), sweeps)?;
    let decisions = decisions.values().map(|decision| texts.json(decision)).collect::<Result<_, _>>()?;
    let packed = Packed {
        sweeps: packed_sweeps,
        decisions,
        last_run: *last_run,
        last_sweep: *last_sweep,
        keys: Cow::Borrowed(keys),
        purged: Cow::Borrowed(purged),
        damage: Cow::Borrowed(damage),
        runs: head,
        is_idle,
    };
    let bytes = postcard::to_extend(&texts.all, Vec::new()).map_err(unstorable)?;
    let mut bytes = postcard::to_extend(&packed, bytes).map_err(unstorable)?;
    bytes.append(&mut parts);
    postcard::to_extend(queue, bytes).map_err(unstorable)
}

/// What is packed from `begins` on. Nothing where it is no packed state.
pub(super) fn unpack(bytes: &Arc<Vec<u8>>, begins: usize) -> Option<Unpacked> {
    let (texts, rest) = postcard::take_from_bytes::<Vec<&str>>(bytes.get(begins..)?).ok()?;
    let (packed, rest) = postcard::take_from_bytes::<Packed<'_>>(rest).ok()?;
    let texts = Read { texts };
    let mut kept = Kept::default();
    let sweep = |sweep: PackedSweep| Some((sweep.id, Arc::new(unpack_sweep(sweep, &texts, &mut kept)?)));
    let sweeps = packed.sweeps.into_iter().map(sweep).collect::<Option<BTreeMap<_, _>>>()?;
    let (runs, behind) = shelf::Packed::open(packed.runs, bytes, bytes.len() - rest.len(), &sweeps)?;
    // What somebody will act by is looked at now.
    if !runs.is_sound() {
        return None;
    }
    let queue = Queued::packed(Arc::clone(bytes), behind);
    if !packed.is_idle && !queue.is_sound() {
        return None;
    }
    let decision = |text: Text| -> Option<(RunId, Decision)> {
        let decision: Decision = texts.json(text)?;
        Some((decision.run, decision))
    };
    let state = HomeState {
        runs: Runs::of_shelf(Arc::new(runs)),
        sweeps,
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
        targets,
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
        targets: targets.iter().map(|target| texts.text(target)).collect(),
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
        targets: packed.targets.into_iter().map(owned).collect::<Option<_>>()?,
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

pub(super) fn pack_value(value: &Value) -> PackedValue<'_> {
    match value {
        Value::Bool(truth) => PackedValue::Bool(*truth),
        Value::Int(int) => PackedValue::Int(*int),
        Value::Float(float) => PackedValue::Float(float.text()),
        Value::Str(text) => PackedValue::Str(text),
        Value::Word(word) => PackedValue::Word(word.text()),
        Value::List(items) => PackedValue::List(items.iter().map(pack_value).collect()),
    }
}

pub(super) fn unpack_value(packed: PackedValue<'_>) -> Option<Value> {
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
