//! `neronet plot`: curves in the terminal, or as a picture or page.

use crate::args::Plot;
use crate::commands::draft::Draft;
use crate::commands::metrics::unknown;
use crate::commands::rm::listed;
use crate::commands::show::label;
use crate::commands::{read, stream};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::objective::telling;
use neronet_home::varying::varying;
use neronet_home::view::View;
use neronet_model::RunId;
use neronet_model::event::{By, Extent};
use neronet_report::{Chart, Series};
use neronet_store::series::{self, Point, Window};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

const ROWS: usize = 20;
const PIXELS: (u32, u32) = (960, 540);
/// A curve of more points is drawn from so many buckets, more than a screen has columns.
const MANY: u64 = 20_000;
const BUCKETS: usize = 4_000;

pub(crate) fn plot(session: &Session, words: &Plot) -> Result<ExitCode, HomeError> {
    if let Some(weight) = words.smooth.filter(|weight| !(0.0..1.0).contains(weight)) {
        return Err(HomeError::Words(format!("--smooth {weight}: the weight is from 0 (not at all) to below 1, such as 0.9")));
    }
    let size = words.size.as_deref().map(parse_size).transpose()?;
    let kind = words.output.as_deref().map(ending).transpose()?;
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    let metrics = metrics(&chosen, &words.metric)?;
    let chart = chart(session, &chosen, &metrics, words)?;
    match (&words.output, kind) {
        (Some(path), Some(kind)) => write(&chart, path, kind, size)?,
        _ => {
            let (width, height) = size.map_or((session.width, ROWS), |(width, height)| (width as usize, height as usize));
            output::print(&chart.terminal(width, height, session.color));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn metrics(views: &[&View<'_>], asked: &[String]) -> Result<Vec<String>, HomeError> {
    if !asked.is_empty() {
        let absent = asked.iter().find(|name| views.iter().all(|view| !view.metrics().contains_key(*name)));
        return absent.map_or_else(|| Ok(asked.to_vec()), |name| Err(unknown(views, name)));
    }
    // A curve is wanted: what was only said once, at the end, is none.
    let told = telling(views);
    let curve = |name: &str| views.iter().filter_map(|view| view.metrics().get(name)).any(|extent| extent.points > 1);
    let first = told.iter().find(|telling| curve(&telling.metric)).or(told.first());
    let Some(first) = first else { return Err(unknown(views, "")) };
    if first.guessed {
        output::notice(&format!(
            "drawing {} (guessed; -m NAME draws another, `neronet metrics {}` lists them)",
            stream::safe(&first.metric, false),
            views[0].id
        ));
    }
    Ok(vec![first.metric.clone()])
}

fn chart(session: &Session, views: &[&View<'_>], metrics: &[String], words: &Plot) -> Result<Chart, HomeError> {
    let names = varying(views);
    let mut curves = Vec::new();
    for view in views {
        for metric in metrics {
            let label = match (views.len(), metrics.len()) {
                (_, 1) => label(view, &names),
                (1, _) => metric.clone(),
                _ => format!("{} {metric}", label(view, &names)),
            };
            let every = words.superseded || words.smooth.is_some_and(|weight| weight > 0.0);
            let found = curve(session, view, metric, &words.x, every)?;
            if found.points.is_empty() {
                output::notice(&format!("run {} {}", view.id, missing(view, metric, &words.x)));
                continue;
            }
            curves.push((view.id, label, found));
        }
    }
    let Drawn { series: mut drawn, by_epoch, misplaced } = on_one_axis(curves);
    if let Some(misplaced) = misplaced {
        output::notice(&format!("{misplaced}; --x epoch or --x time compares them"));
    }
    if !words.superseded {
        drawn.iter_mut().for_each(|series| series.superseded.clear());
    }
    if drawn.is_empty() {
        return Err(HomeError::Failed("there is nothing to draw".into()));
    }
    Ok(Chart {
        title: metrics.join(", "),
        x_label: match words.x.as_str() {
            "time" => "time (s)".into(),
            _ if by_epoch => "epoch".into(),
            other => other.into(),
        },
        y_label: metrics.join(", "),
        log_x: words.log_x,
        log_y: words.log,
        smooth: words.smooth.filter(|weight| *weight > 0.0),
        series: drawn,
    })
}

fn missing(view: &View<'_>, metric: &str, x: &str) -> String {
    let shown = stream::safe(metric, false);
    match (view.metrics().contains_key(metric), x) {
        (true, "epoch") => format!("gives no epoch with {shown}; --x step or --x time can draw it"),
        _ => format!("has no points of {shown} ({})", view.status()),
    }
}

/// A run's metric on the axis that is asked for.
pub(crate) struct Curve {
    pub(crate) points: Vec<(f64, f64)>,
    superseded: Vec<(f64, f64)>,
    /// Its steps are its epochs: the script counts nothing else.
    by_epoch: bool,
    /// The same points at the steps that other metrics had reached, where there were such.
    at_steps: Option<[Vec<(f64, f64)>; 2]>,
}

/// Of a long one only what can be seen, unless every point is needed, for smoothing or as superseded ones are drawn too.
pub(crate) fn curve(session: &Session, view: &View<'_>, metric: &str, x: &str, every: bool) -> Result<Curve, HomeError> {
    if !every && let Some(seen) = seen(session, view, metric, x)? {
        return Ok(seen);
    }
    let context = &session.context;
    let (mut all, damage) = series::with_damage(&context.home.run(view.id), context.stored_series(view.run()).as_deref(), Some(metric))?;
    damage.notice(&format!("the metrics of run {}", view.id)).iter().for_each(|notice| output::notice(notice));
    let found = all.remove(metric).unwrap_or_default();
    let began = view.started().map_or(0, |at| at.0);
    let place = |point: &Point| match x {
        "epoch" => point.epoch,
        "time" => Some((point.at.0 - began) as f64 / 1000.0),
        _ => Some(point.step),
    };
    let on_axis = |points: &[Point]| points.iter().filter_map(|point| Some((place(point)?, point.value))).collect();
    let at_steps = |points: &[Point]| points.iter().filter_map(|point| Some((point.passed?, point.value))).collect();
    let passed = found.points.iter().any(|point| point.passed.is_some());
    Ok(Curve {
        points: on_axis(&found.points),
        superseded: on_axis(&found.superseded),
        at_steps: passed.then(|| [at_steps(&found.points), at_steps(&found.superseded)]),
        by_epoch: x == "step" && found.points.iter().all(|point| point.epoch == Some(point.step)),
    })
}

/// A curve of many points, by its buckets: the first, the lowest, the highest and the last point of each. None where it has few, where
/// some are no numbers, of which the chart tells, or on an axis that buckets do not know.
fn seen(session: &Session, view: &View<'_>, metric: &str, x: &str) -> Result<Option<Curve>, HomeError> {
    let by_step = |extent: &Extent| extent.by.is_some_and(|by| by != By::Epoch);
    let window = match (view.metrics().get(metric).filter(|extent| extent.points > MANY), x) {
        (Some(extent), "step") if by_step(extent) => Window::ALL,
        (Some(_), "time") => Window::Time(0, u64::MAX),
        _ => return Ok(None),
    };
    let context = &session.context;
    let drawn = series::draw(&context.home.run(view.id), context.stored_series(view.run()).as_deref(), metric, window, BUCKETS)?;
    let Some(buckets) = drawn.filter(|buckets| buckets.iter().all(|bucket| bucket.others == 0)) else { return Ok(None) };
    let began = view.started().map_or(0, |at| at.0);
    let points = buckets.iter().flat_map(|bucket| {
        let [from, to] = match x {
            "time" => bucket.t.map(|t| (t as i64 - began) as f64 / 1000.0),
            _ => bucket.x,
        };
        let middle = (from + to) / 2.0;
        [(from, bucket.first), (middle, bucket.min), (middle, bucket.max), (to, bucket.last)]
    });
    Ok(Some(Curve { points: points.collect(), superseded: Vec::new(), by_epoch: false, at_steps: None }))
}

/// Curves that share an axis.
pub(crate) struct Drawn {
    pub(crate) series: Vec<Series>,
    /// All count epochs, and nothing else.
    pub(crate) by_epoch: bool,
    /// That some count epochs beside others that count steps.
    pub(crate) misplaced: Option<String>,
}

/// Beside steps an epoch stands at the step at which it was told, if its run tells steps at all.
pub(crate) fn on_one_axis(curves: Vec<(RunId, String, Curve)>) -> Drawn {
    let by_epoch = curves.iter().all(|(.., curve)| curve.by_epoch);
    let mut misplaced = Vec::new();
    let mut series = Vec::new();
    for (run, label, curve) in curves {
        let [points, superseded] = match (curve.by_epoch && !by_epoch, curve.at_steps) {
            (true, Some(at_steps)) => at_steps,
            (beside_steps, _) => {
                misplaced.extend(beside_steps.then_some(run));
                [curve.points, curve.superseded]
            }
        };
        series.push(Series { label, points, superseded });
    }
    misplaced.dedup();
    let counts = match misplaced.len() {
        0 => None,
        1 => Some(format!("run {} counts epochs, not steps", misplaced[0])),
        _ => Some(format!("runs {} count epochs, not steps", listed(&misplaced))),
    };
    Drawn { series, by_epoch, misplaced: counts }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Svg,
    Png,
    Html,
}

pub(crate) fn ending(path: &Path) -> Result<Ending, HomeError> {
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("svg") => Ok(Ending::Svg),
        Some("png") => Ok(Ending::Png),
        Some("html" | "htm") => Ok(Ending::Html),
        _ => Err(HomeError::Words(format!("-o {}: the name must end in .svg, .png or .html", path.display()))),
    }
}

fn parse_size(text: &str) -> Result<(u32, u32), HomeError> {
    let parsed =
        text.split_once(['x', 'X', '×']).and_then(|(width, height)| Some((width.trim().parse().ok()?, height.trim().parse().ok()?)));
    parsed.filter(|(width, height)| (1..=10_000).contains(width) && (1..=10_000).contains(height)).ok_or_else(|| {
        HomeError::Words(format!("--size {text}: write it as WIDTHxHEIGHT, such as 960x540 for a picture or 100x20 for the terminal"))
    })
}

fn write(chart: &Chart, path: &Path, ending: Ending, size: Option<(u32, u32)>) -> Result<(), HomeError> {
    let (width, height) = size.unwrap_or(PIXELS);
    let bytes = match ending {
        Ending::Svg => chart.svg(width, height).into_bytes(),
        Ending::Png => chart.png(width, height).map_err(HomeError::Words)?,
        Ending::Html => chart.html().into_bytes(),
    };
    write_file(path, &bytes)
}

/// Writes a file for the user, where the user said: whole, or as it was before. What is no file, such as a pipe, gets it as it comes.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let name = path.display().to_string();
    let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let unwritable = |e: io::Error| HomeError::unwritable(&name, &e);
    if place.metadata().is_ok_and(|there| !there.is_file()) {
        std::fs::write(&place, bytes).map_err(unwritable)?;
    } else {
        let mut draft = Draft::new(&name, &place, true)?;
        draft.write_all(bytes).map_err(unwritable)?;
        draft.finish()?;
    }
    output::notice(&format!("{name} written"));
    Ok(())
}
