//! Runs as columns for the language that they are asked for in: `neronet_query`. A name is a parameter, a field of listings, or a
//! metric: its last value, or with `.min`, `.max`, `.best` another. Only columns that are asked for are made.

use crate::error::HomeError;
use crate::listing::{self, duration};
use crate::objective::goal_of;
use crate::view::{View, of_extents};
use jiff::tz::TimeZone;
use neronet_model::event::Extent;
use neronet_model::runs::Known;
use neronet_model::settings::Goal;
use neronet_model::{Millis, SweepId, UnixMs, Value};
use neronet_query::{Cells, Clock, Column, Filter, MISSING, Mistake, NEVER, Rows, TAGS, Table, Unit, Unknown};
use std::collections::{BTreeMap, HashMap};

const STATES: [&str; 8] = ["queued", "starting", "running", "ended", "finished", "failed", "stopped", "lost"];
/// Of runs: that of an attempt may be unknown too.
const OUTCOMES: [&str; 4] = ["finished", "failed", "stopped", "lost"];

/// What can be asked of every run, beside its parameters and metrics.
pub const FIELDS: [&str; 17] = [
    "id",
    "uid",
    "project",
    "experiment",
    "sweep",
    "after",
    "target",
    "state",
    "outcome",
    "reason",
    "tags",
    "tag",
    "created",
    "started",
    "ended",
    "attempts",
    "duration",
];

/// The runs that a filter holds for. A name that none of them has is a slip of the pen, not an answer.
pub fn matching<'v, 'a>(filter: &Filter, views: &'v [View<'a>], now: UnixMs) -> Result<Vec<&'v View<'a>>, HomeError> {
    let all: Vec<&View<'_>> = views.iter().collect();
    let columns = Columns::of(&all, filter.names().into_iter(), now, "nothing to filter by");
    let rows = filter.rows(&columns, &clock(now))?;
    Ok(rows.iter().filter_map(|row| views.get(row)).collect())
}

pub fn clock(now: UnixMs) -> Clock {
    Clock { now, zone: TimeZone::system() }
}

impl From<Mistake> for HomeError {
    fn from(mistake: Mistake) -> HomeError {
        HomeError::Words(mistake.to_string())
    }
}

/// The columns of some names.
pub(crate) struct Columns<'v, 'a> {
    views: &'v [&'v View<'a>],
    by_name: BTreeMap<String, Kept>,
    /// What a name is not that is not known: `nothing to filter by`.
    what: &'static str,
}

struct Kept {
    cells: OwnCells,
    only: &'static [&'static str],
}

enum OwnCells {
    Values(Vec<u32>, Vec<Value>),
    Sets(Vec<u32>, Vec<Vec<Value>>),
    Numbers(Vec<f64>, Rows, Unit),
    Times(Vec<i64>),
}

impl<'v, 'a> Columns<'v, 'a> {
    pub(crate) fn of<'n>(views: &'v [&'v View<'a>], names: impl Iterator<Item = &'n str>, now: UnixMs, what: &'static str) -> Self {
        let mut columns = Columns { views, by_name: BTreeMap::new(), what };
        for name in names {
            if !columns.by_name.contains_key(name)
                && let Some(kept) = kept(views, name, now)
            {
                columns.by_name.insert(name.to_string(), kept);
            }
        }
        columns
    }
}

impl Table for Columns<'_, '_> {
    fn rows(&self) -> usize {
        self.views.len()
    }

    fn column(&self, name: &str) -> Result<Column<'_>, Unknown> {
        let Some(kept) = self.by_name.get(name) else {
            return match self.views {
                // Of no runs nobody can say which names they have.
                [] => Ok(Cells::Values { codes: &[], entries: &[] }.into()),
                views => Err(listing::unknown_name(views, self.what, name, &FIELDS)),
            };
        };
        let cells = match &kept.cells {
            OwnCells::Values(codes, entries) => Cells::Values { codes, entries },
            OwnCells::Sets(codes, sets) => Cells::Sets { codes, sets },
            OwnCells::Numbers(values, there, unit) => Cells::Numbers { values, there, unit: *unit },
            OwnCells::Times(at) => Cells::Times(at),
        };
        Ok(Column { cells, only: kept.only })
    }
}

/// Nothing where no run has such a parameter or metric, and no field is called so.
fn kept(views: &[&View<'_>], name: &str, now: UnixMs) -> Option<Kept> {
    let of_params = if name == TAGS { None } else { params(views, name) };
    let other = field(views, name, now).or_else(|| metric(views, name));
    match (of_params, other) {
        (Some((codes, entries)), None) => Some(OwnCells::Values(codes, entries).into()),
        // What lacks the parameter may have a field or a metric by its name.
        (Some((codes, entries)), Some(other)) => Some(merged(views.len(), &codes, &entries, &other.cells, now)),
        (None, other) => other,
    }
}

fn params(views: &[&View<'_>], name: &str) -> Option<(Vec<u32>, Vec<Value>)> {
    let bare = name.strip_prefix("params.").unwrap_or(name);
    let (codes, entries) = param(views, bare);
    if bare == name || codes.iter().all(|code| *code != MISSING) {
        return (!entries.is_empty()).then_some((codes, entries));
    }
    // A parameter may be called `params.x` itself.
    let (others, of_others) = param(views, name);
    let behind = u32::try_from(entries.len()).unwrap_or(MISSING);
    let either = |(code, other): (u32, u32)| if code == MISSING && other != MISSING { other.saturating_add(behind) } else { code };
    let codes = codes.into_iter().zip(others).map(either).collect();
    let entries = [entries, of_others].concat();
    (!entries.is_empty()).then_some((codes, entries))
}

/// What stands for the value that each run has of a parameter, and these values as they may be shown. Runs that are not unpacked stay so.
fn param(views: &[&View<'_>], name: &str) -> (Vec<u32>, Vec<Value>) {
    let mut entries = Vec::new();
    // Each as it was written; the text "1" and the number 1 are two.
    let mut known: HashMap<(bool, String), u32> = HashMap::new();
    let mut code_of = |value: Value| {
        *known.entry((matches!(value, Value::Str(_)), value.to_string())).or_insert_with(|| {
            entries.push(value);
            u32::try_from(entries.len() - 1).unwrap_or(MISSING)
        })
    };
    // By code, for which sweep: each has its own secrets, and what varies in it.
    let mut known_of: Vec<(Option<SweepId>, u32)> = Vec::new();
    let mut code = |view: &&View<'_>| match view.known {
        Known::Whole(_) => view.params().get(name).map_or(MISSING, |value| code_of(value.clone())),
        Known::Shelved(shelf, at) => {
            let Some(packed) = shelf.code(at, name) else { return MISSING };
            if let Some((Some(sweep), code)) = known_of.get(packed as usize)
                && *sweep == view.sweep.id
            {
                return *code;
            }
            let Some(value) = shelf.value(name, packed) else { return MISSING };
            let code = code_of(view.snapshot().shown(view.sweep, name, value));
            // There are as many codes as values.
            if known_of.len() <= packed as usize {
                known_of.resize(packed as usize + 1, (None, MISSING));
            }
            if let Some(known) = known_of.get_mut(packed as usize) {
                *known = (Some(view.sweep.id), code);
            }
            code
        }
    };
    let codes = views.iter().map(&mut code).collect();
    (codes, entries)
}

fn tags<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v String> {
    let run = view.brief().is_tagged.then(|| view.run());
    run.into_iter().flat_map(|run| &run.tags)
}

/// What every run may have.
fn field(views: &[&View<'_>], name: &str, now: UnixMs) -> Option<Kept> {
    let whole = |of: &dyn Fn(&View<'_>) -> Option<u64>| numbers(views.iter().map(|view| of(view).map(|n| n as f64)), Unit::Whole);
    let times = |of: &dyn Fn(&View<'_>) -> Option<UnixMs>| {
        OwnCells::Times(views.iter().map(|view| of(view).map_or(NEVER, |at| at.0)).collect()).into()
    };
    Some(match name {
        "id" => whole(&|view| Some(view.id.0)),
        "sweep" => whole(&|view| Some(view.sweep.id.0)),
        "after" => whole(&|view| view.after().map(|run| run.0)),
        "attempts" => whole(&|view| Some(view.brief().attempts)),
        "uid" => texts(coded(views, |view| Some(view.run().uid.as_str().to_string()), |view| view.run().uid.to_string())),
        "experiment" => texts(coded(views, |view| Some(&view.sweep.experiment), |view| view.sweep.experiment.clone())),
        "project" => texts(coded(views, |view| Some(&view.sweep.project), |view| view.sweep.project.clone())),
        "target" => texts(coded(views, |view| Some(view.target()), |view| view.target().to_string())),
        "reason" => texts(coded(views, |view| view.reason().map(str::to_string), |view| view.reason().unwrap_or_default().to_string())),
        "outcome" => {
            let word = |view: &View<'_>| view.outcome().map(|outcome| outcome.to_string()).unwrap_or_default();
            Kept { only: &OUTCOMES, ..texts(coded(views, |view| view.outcome().map(|outcome| outcome as u8), word)) }
        }
        // `state == failed` is what people type, `ended` what --json says.
        "state" => {
            let key = |view: &View<'_>| Some((view.outcome().map(|outcome| outcome as u8), view.state() as u8));
            let words = |view: &View<'_>| vec![Value::Str(view.status()), Value::Str(view.state().to_string())];
            let (codes, sets) = coded(views, key, words);
            Kept { cells: OwnCells::Sets(codes, sets), only: &STATES }
        }
        "tags" | "tag" | TAGS => {
            let key = |view: &View<'_>| Some(tags(view).cloned().collect::<Vec<_>>());
            let (codes, sets) = coded(views, key, |view| tags(view).cloned().map(Value::Str).collect());
            OwnCells::Sets(codes, sets).into()
        }
        "created" => times(&|view| Some(view.brief().created)),
        "started" => times(&|view| view.started()),
        "ended" => times(&|view| view.ended()),
        "duration" => numbers(views.iter().map(|view| duration(view, now).map(Millis::seconds)), Unit::Seconds),
        _ => return None,
    })
}

fn metric(views: &[&View<'_>], name: &str) -> Option<Kept> {
    let bare = name.strip_prefix("metrics.").unwrap_or(name);
    // Of `loss` the last value, of `loss.max` and its like what that says.
    let mut values = of_extents(views, bare, |_, extent| Some(extent.last));
    if let Some((metric, which)) = bare.rsplit_once('.')
        && values.iter().any(Option::is_none)
    {
        let parts = of_extents(views, metric, |view, extent| value_of(view, extent, metric, which));
        values.iter_mut().zip(parts).for_each(|(value, part)| *value = value.or(part));
    }
    values.iter().any(Option::is_some).then(|| numbers(values.into_iter(), Unit::Float))
}

fn value_of(view: &View<'_>, extent: &Extent, metric: &str, which: &str) -> Option<f64> {
    let stated = view.sweep.settings.objectives.iter().find(|objective| objective.metric == metric).map(|objective| objective.goal);
    match which {
        "last" => Some(extent.last),
        "min" => Some(extent.min),
        "max" => Some(extent.max),
        "step" => Some(extent.step),
        "points" => Some(extent.points as f64),
        "best" => match stated.or_else(|| goal_of(metric))? {
            Goal::Min => Some(extent.min),
            Goal::Max => Some(extent.max),
        },
        _ => None,
    }
}

/// A code for each run by its key, and for each key what it stands for.
fn coded<'v, K: Ord, E>(
    views: &[&'v View<'_>],
    key: impl Fn(&'v View<'_>) -> Option<K>,
    entry: impl Fn(&'v View<'_>) -> E,
) -> (Vec<u32>, Vec<E>) {
    let (mut known, mut entries) = (BTreeMap::new(), Vec::new());
    let mut code = |view: &&'v View<'_>| {
        let Some(key) = key(view) else { return MISSING };
        *known.entry(key).or_insert_with(|| {
            entries.push(entry(view));
            u32::try_from(entries.len() - 1).unwrap_or(MISSING)
        })
    };
    let codes = views.iter().map(&mut code).collect();
    (codes, entries)
}

fn texts((codes, texts): (Vec<u32>, Vec<String>)) -> Kept {
    OwnCells::Values(codes, texts.into_iter().map(Value::Str).collect()).into()
}

fn numbers(values: impl Iterator<Item = Option<f64>>, unit: Unit) -> Kept {
    let values: Vec<Option<f64>> = values.collect();
    let there = Rows::of(values.len(), &values, Option::is_some);
    OwnCells::Numbers(values.into_iter().map(Option::unwrap_or_default).collect(), there, unit).into()
}

impl From<OwnCells> for Kept {
    fn from(cells: OwnCells) -> Kept {
        Kept { cells, only: &[] }
    }
}

/// The parameter of each run that has it, of the others what another column has.
fn merged(count: usize, codes: &[u32], entries: &[Value], other: &OwnCells, now: UnixMs) -> Kept {
    let mut sets: Vec<Vec<Value>> = entries.iter().map(|entry| vec![entry.clone()]).collect();
    let mut code = |row: usize| match codes.get(row) {
        Some(code) if *code != MISSING => *code,
        _ => {
            sets.push(values_at(other, row, now));
            u32::try_from(sets.len() - 1).unwrap_or(MISSING)
        }
    };
    let codes = (0..count).map(&mut code).collect();
    OwnCells::Sets(codes, sets).into()
}

fn values_at(cells: &OwnCells, row: usize, now: UnixMs) -> Vec<Value> {
    let one = match cells {
        OwnCells::Values(codes, entries) => codes.get(row).and_then(|code| entries.get(*code as usize)).cloned(),
        OwnCells::Sets(codes, sets) => {
            return codes.get(row).and_then(|code| sets.get(*code as usize)).cloned().unwrap_or_default();
        }
        OwnCells::Numbers(values, there, unit) => values.get(row).filter(|_| there.has(row)).map(|number| unit.value(*number)),
        OwnCells::Times(at) => at.get(row).filter(|at| **at != NEVER).map(|at| Value::Str(clock(now).shown(*at))),
    };
    one.into_iter().collect()
}
