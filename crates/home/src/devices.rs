//! Which device a run computed on, as its script told, and how devices compare.

use crate::context::Context;
use crate::json;
use crate::listing::duration;
use crate::objective::Telling;
use crate::view::View;
use neronet_model::{Millis, Outcome, RunId, UnixMs};
use neronet_store::spool;

/// How far into its output a script says what it computes on.
const CHUNKS: usize = 50;

/// What the script told: a tag or a configuration value `device`, or `device: cuda` in its first lines; else the parameter,
/// unless that leaves the choice to the script.
pub fn of(context: &Context, view: &View<'_>) -> Option<String> {
    let attempts = json::attempts(context, view);
    let named = |name: &String| name.rsplit(['.', '/']).next() == Some("device");
    let told = attempts.iter().rev().find_map(|attempt| {
        let tag = attempt.tags.iter().find(|(name, _)| named(name));
        tag.or_else(|| attempt.config.iter().find(|(name, value)| named(name) && *value != "auto")).map(|(_, value)| value.clone())
    });
    told.or_else(|| printed(context, view)).or_else(|| {
        let param = view.params().get("device").map(ToString::to_string);
        param.filter(|device| device != "auto")
    })
}

fn printed(context: &Context, view: &View<'_>) -> Option<String> {
    let mut chunks = 0;
    let mut found = None;
    let last = context.home.attempt(view.id, neronet_model::AttemptNo(view.run().attempts));
    // The first segment holds the beginning; what follows may be long.
    let first = spool::segments(&last, "output").ok()?.into_iter().next()?;
    spool::lines(&first, 0, |line| {
        chunks += 1;
        if chunks <= CHUNKS
            && found.is_none()
            && let Ok(chunk) = serde_json::from_slice::<spool::Chunk>(line)
        {
            found = chunk.text.lines().find_map(device_in);
        }
    })
    .ok()?;
    found
}

/// `cuda` of `Using device: cuda`.
fn device_in(line: &str) -> Option<String> {
    let low = line.to_ascii_lowercase();
    let at = low.match_indices("device").find_map(|(at, word)| {
        let rest = low[at + word.len()..].trim_start();
        let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('='))?.trim_start();
        let apart = low[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        (apart && !value.is_empty()).then(|| line.len() - value.len())
    })?;
    let value = line[at..].split([',', ';', ')', '(', '\t']).next()?.trim().trim_matches(['\'', '"', '.']);
    (!value.is_empty() && value.len() <= 60 && value != "auto").then(|| value.to_string())
}

/// The runs of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    pub name: String,
    pub runs: Vec<RunId>,
    /// Means over its finished runs.
    pub duration: Option<Millis>,
    pub seconds_per_step: Option<f64>,
    pub best: Option<f64>,
}

/// How the devices of these runs compare. Runs that did not tell theirs are left out.
pub fn compare(context: &Context, views: &[&View<'_>], first: Option<&Telling>, now: UnixMs) -> Vec<Device> {
    let mut groups: Vec<(String, Vec<&View<'_>>)> = Vec::new();
    for view in views {
        let Some(name) = of(context, view) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(view),
            None => groups.push((name, vec![view])),
        }
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    groups
        .into_iter()
        .map(|(name, group)| {
            let finished = || group.iter().filter(|view| view.outcome() == Some(Outcome::Finished));
            let durations: Vec<f64> = finished().filter_map(|view| Some(duration(view, now)?.seconds())).collect();
            let steps = finished().filter_map(|view| {
                let steps = view.metrics().values().map(|extent| extent.step).fold(0.0, f64::max);
                (steps > 0.0).then_some(duration(view, now)?.seconds() / steps)
            });
            let steps: Vec<f64> = steps.collect();
            let mut values: Vec<f64> = first.iter().flat_map(|first| group.iter().filter_map(|view| first.value(view))).collect();
            if let Some(first) = first {
                values.sort_by(|a, b| first.order(Some(*a), Some(*b)));
            }
            Device {
                name,
                runs: group.iter().map(|view| view.id).collect(),
                duration: mean(&durations).map(|seconds| Millis((seconds * 1000.0) as u64)),
                seconds_per_step: mean(&steps),
                best: values.first().copied(),
            }
        })
        .collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_their_device_in_many_ways() {
        for (line, device) in [
            ("Using device: cuda", Some("cuda")),
            ("jax 0.4.35, device: NVIDIA H100 80GB HBM3", Some("NVIDIA H100 80GB HBM3")),
            ("Device = 'cuda:0', workers = 4", Some("cuda:0")),
            ("device=cpu", Some("cpu")),
            ("device: auto", None),
            ("devices: 4", None),
            ("this device is slow", None),
            ("no_device: x", None),
        ] {
            assert_eq!(device_in(line).as_deref(), device, "{line}");
        }
    }
}
