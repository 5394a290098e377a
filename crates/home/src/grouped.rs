//! Runs put together by their parameters: over what else they differ in, such as the seed, a metric has a mean and a spread.

use crate::columns::Columns;
use crate::error::HomeError;
use crate::listing::{Part, bare_metric};
use crate::objective::{Telling, telling};
use crate::varying::varying;
use crate::view::View;
use neronet_model::settings::Goal;
use neronet_model::{RunId, UnixMs, number};
use neronet_query::{Group, Key, Mistake, Part as By, Rows, Statistic, groups, sort_groups, sort_keys};
use serde_json::{Map, Value, json};

/// The words for what groups may be sorted by, beside names.
const STATISTICS: [(&str, Statistic); 7] = [
    ("mean", Statistic::Mean),
    ("sd", Statistic::Deviation),
    ("min", Statistic::Min),
    ("max", Statistic::Max),
    ("median", Statistic::Median),
    ("low", Statistic::Low),
    ("high", Statistic::High),
];

pub struct Grouped {
    /// The names grouped by.
    pub by: Vec<String>,
    pub metrics: Vec<Metric>,
    /// Those that were asked for, in order.
    pub groups: Vec<OneGroup>,
    /// How many there are.
    pub total: usize,
    /// The parameters that differ within groups.
    pub over: Vec<String>,
}

pub struct Metric {
    /// As it was asked for, or as listings call it.
    pub title: String,
    column: String,
    /// A larger one is better.
    larger: bool,
}

pub struct OneGroup {
    pub runs: Vec<RunId>,
    pub found: Group,
}

/// Groups runs by `by`, names with commas between them. Without `metrics` those are taken that tell most. `sort`: names grouped by,
/// `runs`, a metric (its mean, the better first), or mean, sd, min, max, median, low, high of the first metric; `METRIC:sd` of another.
pub fn grouped(
    views: &[&View<'_>],
    by: &str,
    metrics: &[String],
    sort: Option<&str>,
    part: Part,
    now: UnixMs,
) -> Result<Grouped, HomeError> {
    let keys = sort_keys(by)?;
    let metrics: Vec<Metric> = match metrics {
        [] => telling(views).into_iter().map(|telling| telling.metric).map(|metric| of_name(views, &metric)).collect(),
        named => named.iter().map(|name| of_name(views, name)).collect(),
    };
    let wanted: Vec<Key> = metrics.iter().map(|metric| Key { name: metric.column.clone(), descending: false, at: 0 }).collect();
    let names = keys.iter().chain(&wanted).map(|key| key.name.as_str());
    let columns = Columns::of(views, names, now, "nothing to group by");
    let mut found = groups(&columns, &Rows::all(views.len()), &keys, &wanted, by)?;
    for (by, descending) in order(&keys, &metrics, sort)?.into_iter().rev() {
        sort_groups(&mut found, by, descending);
    }
    let total = found.len();
    let over = over(views, &found);
    let shown = found.into_iter().skip(part.offset).take(part.limit.unwrap_or(usize::MAX));
    let with_runs = |found: Group| {
        let runs = found.rows.iter().filter_map(|row| Some(views.get(*row)?.id)).collect();
        OneGroup { runs, found }
    };
    Ok(Grouped { by: keys.into_iter().map(|key| key.name).collect(), metrics, groups: shown.map(with_runs).collect(), total, over })
}

fn of_name(views: &[&View<'_>], name: &str) -> Metric {
    let larger = |telling: &Telling| telling.goal == Some(Goal::Max);
    if let Some(telling) = bare_metric(views, name) {
        return Metric { title: telling.title(), column: telling.column(), larger: larger(&telling) };
    }
    // Which is better of `loss.max` is what is better of `loss`.
    let bare = name.strip_prefix("metrics.").unwrap_or(name);
    let known =
        [Some(bare), bare.rsplit_once('.').map(|(metric, _)| metric)].into_iter().flatten().find_map(|name| bare_metric(views, name));
    Metric { title: name.to_string(), column: name.to_string(), larger: known.as_ref().is_some_and(larger) }
}

/// What the groups are sorted by, and which way round; what counts most comes first.
fn order(by: &[Key], metrics: &[Metric], sort: Option<&str>) -> Result<Vec<(By, bool)>, HomeError> {
    let Some(text) = sort else { return Ok(Vec::new()) };
    let of_key = |key: &Key| {
        let (name, statistic) = match key.name.rsplit_once(':').and_then(|(name, word)| Some((name, statistic(word)?))) {
            Some((name, statistic)) => (name, Some(statistic)),
            None => (key.name.as_str(), statistic(&key.name)),
        };
        let metric = metrics.iter().position(|metric| metric.title == name || metric.column == name || metric.is_of(name));
        let metric = metric.or_else(|| (statistic.is_some() && name == key.name && !metrics.is_empty()).then_some(0));
        match (by.iter().position(|by| by.name == name), metric) {
            (Some(at), _) => Ok((By::Key(at), key.descending)),
            (None, Some(at)) => {
                let larger = statistic.is_none() && metrics.get(at).is_some_and(|metric| metric.larger);
                Ok((By::Metric(at, statistic.unwrap_or(Statistic::Mean)), key.descending != larger))
            }
            (None, None) if name == "runs" => Ok((By::Count, key.descending)),
            (None, None) => Err(unsortable(key, by, metrics, text)),
        }
    };
    sort_keys(text)?.iter().map(of_key).collect()
}

impl Metric {
    fn is_of(&self, name: &str) -> bool {
        self.column.strip_prefix("metrics.").and_then(|column| column.rsplit_once('.')).is_some_and(|(metric, _)| metric == name)
    }
}

fn statistic(word: &str) -> Option<Statistic> {
    STATISTICS.iter().find(|(known, _)| *known == word).map(|(_, statistic)| *statistic)
}

fn unsortable(key: &Key, by: &[Key], metrics: &[Metric], text: &str) -> HomeError {
    let names = by.iter().map(|key| key.name.as_str()).chain(metrics.iter().map(|metric| metric.title.as_str()));
    let words = names.chain(["runs"]).chain(STATISTICS.iter().map(|(word, _)| *word)).collect::<Vec<_>>().join(", ");
    let what = format!("groups are not sorted by '{}'", key.name);
    Mistake { kind: "sort", text: text.to_string(), at: key.at, what, more: format!("There are: {words}") }.into()
}

/// The parameters that differ within any of the groups.
fn over(views: &[&View<'_>], groups: &[Group]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in varying(views) {
        let differs = |group: &Group| {
            let mut values = group.rows.iter().filter_map(|row| views.get(*row)).map(|view| view.params().get(&name));
            let first = values.next();
            values.any(|value| Some(value) != first)
        };
        if groups.iter().any(differs) {
            names.push(name);
        }
    }
    names
}

impl Grouped {
    /// An array of `{by, runs, metrics: {NAME: {count, mean, deviation, min, max, median, interval}}}`.
    pub fn json(&self) -> Value {
        let metric = |group: &Group, at: usize| {
            let Some(spread) = group.spreads.get(at).copied().flatten() else { return Value::Null };
            let of = number::json;
            json!({
                "count": spread.count,
                "mean": of(spread.mean),
                "deviation": spread.deviation.map(of),
                "min": of(spread.min),
                "max": of(spread.max),
                "median": of(spread.median),
                "interval": group.interval(at).map(|(low, high)| [of(low), of(high)]),
            })
        };
        let one = |group: &OneGroup| {
            let by: Map<String, Value> = self.by.iter().zip(&group.found.key).map(|(name, value)| (name.clone(), json!(value))).collect();
            let metrics: Map<String, Value> =
                self.metrics.iter().enumerate().map(|(at, known)| (known.title.clone(), metric(&group.found, at))).collect();
            json!({"by": by, "runs": group.runs, "metrics": metrics})
        };
        self.groups.iter().map(one).collect()
    }
}
