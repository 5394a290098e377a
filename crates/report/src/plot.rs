//! A chart made ready to draw, for any output: sorted, smoothed, thinned, cut into lines at gaps, with axes and with notes on what is not on them.

use crate::axis::{Axis, warp};
use crate::series::{smooth, thin_along};
use crate::text;
use crate::words;
use crate::{Chart, Series};

/// The parts of a curve between gaps; no part is empty, all numbers can be placed on the axes.
pub(crate) type Line = Vec<Vec<(f64, f64)>>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// Nothing when there is no point to draw.
    pub(crate) axes: Option<(Axis, Axis)>,
    pub(crate) curves: Vec<Curve>,
    /// What a reader must know that the curves do not show.
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) label: String,
    pub(crate) main: Line,
    /// The points as they were, where `main` is smoothed.
    pub(crate) raw: Line,
    pub(crate) superseded: Line,
    /// Where a value was no number or infinite.
    pub(crate) broken: Vec<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Broken {
    pub(crate) x: f64,
    /// Infinite upwards: marked at the top, all else at the bottom.
    pub(crate) upwards: bool,
}

/// Counts of what could not be drawn, for the notes.
#[derive(Default)]
struct LeftOut {
    nan: usize,
    infinite: usize,
    no_x: usize,
    not_above_zero: usize,
}

const MARGIN: f64 = 0.04;

impl Plot {
    /// `columns`: as many as the output has across.
    pub(crate) fn new(chart: &Chart, columns: usize) -> Plot {
        let mut curves = Vec::with_capacity(chart.series.len());
        let mut notes = Notes::default();
        for series in &chart.series {
            let mut left_out = LeftOut::default();
            let curve = curve(chart, series, columns, &mut left_out);
            notes.take(&curve.label, &left_out);
            curves.push(curve);
        }
        let points = || curves.iter().flat_map(|c| [&c.main, &c.raw, &c.superseded]).flatten().flatten().copied();
        // A mark needs its place across even where no point is near.
        let broken_x = curves.iter().flat_map(|c| &c.broken).map(|b| b.x);
        let x = Axis::around(points().map(|p| p.0).chain(broken_x), chart.log_x, 0.0);
        let y = Axis::around(points().map(|p| p.1), chart.log_y, MARGIN);
        let mut notes = notes.written(curves.len() == 1);
        notes.extend(what_is_faint(chart, &curves));
        Plot { axes: x.zip(y), curves, notes }
    }
}

fn curve(chart: &Chart, series: &Series, columns: usize, left_out: &mut LeftOut) -> Curve {
    let points = placeable(&series.points, chart, left_out);
    let place = |x: f64| warp(x, chart.log_x);
    let line = |points: &[(f64, f64)]| lines(&thin_along(points, columns, place));
    let smoothed = chart.smooth.filter(|weight| *weight > 0.0).map(|weight| {
        let mut points = smooth(&points, weight);
        hide_what_has_no_logarithm(&mut points, chart.log_y);
        points
    });

    let mut broken: Vec<(f64, f64)> = Vec::new();
    for &(x, y) in &points {
        match y {
            _ if y.is_nan() => left_out.nan += 1,
            _ if y.is_infinite() => left_out.infinite += 1,
            _ => continue,
        }
        broken.push((x, if y == f64::INFINITY { 1.0 } else { 0.0 }));
    }
    let broken = thin_along(&broken, columns, place);

    let mut drawn = points;
    left_out.not_above_zero += hide_what_has_no_logarithm(&mut drawn, chart.log_y);
    let mut superseded = placeable(&series.superseded, chart, &mut LeftOut::default());
    hide_what_has_no_logarithm(&mut superseded, chart.log_y);
    Curve {
        label: text::one_line(&series.label, 200),
        main: line(smoothed.as_deref().unwrap_or(&drawn)),
        raw: if smoothed.is_some() { line(&drawn) } else { Vec::new() },
        superseded: line(&superseded),
        broken: broken.into_iter().map(|(x, up)| Broken { x, upwards: up > 0.5 }).collect(),
    }
}

/// The points that have a place across, in its order.
fn placeable(points: &[(f64, f64)], chart: &Chart, left_out: &mut LeftOut) -> Vec<(f64, f64)> {
    let mut kept = Vec::with_capacity(points.len());
    for &(x, y) in points {
        match x {
            _ if !x.is_finite() => left_out.no_x += 1,
            _ if chart.log_x && x <= 0.0 => left_out.not_above_zero += 1,
            _ => kept.push((x, y)),
        }
    }
    if !kept.is_sorted_by(|a, b| a.0 <= b.0) {
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    kept
}

/// Makes gaps of what a logarithmic axis cannot show; says how many.
fn hide_what_has_no_logarithm(points: &mut [(f64, f64)], log: bool) -> usize {
    let mut count = 0;
    for (_, y) in points.iter_mut().filter(|(_, y)| log && *y <= 0.0) {
        count += usize::from(y.is_finite());
        *y = f64::NAN;
    }
    count
}

fn lines(points: &[(f64, f64)]) -> Line {
    points.split(|(_, y)| !y.is_finite()).filter(|part| !part.is_empty()).map(<[_]>::to_vec).collect()
}

/// Explains the faint curves, where there are any.
fn what_is_faint(chart: &Chart, curves: &[Curve]) -> Option<String> {
    let smoothed = chart.smooth.filter(|_| curves.iter().any(|curve| !curve.raw.is_empty()));
    let resumed = curves.iter().any(|curve| !curve.superseded.is_empty());
    let smoothed = smoothed.map(|weight| format!("smoothed with weight {}, faint: as measured", words::number(weight)));
    let resumed = resumed.then(|| "dotted: superseded when the run was resumed".to_owned());
    match (smoothed, resumed) {
        (Some(smoothed), Some(resumed)) => Some(format!("{smoothed}; {resumed}")),
        (smoothed, resumed) => smoothed.or(resumed),
    }
}

/// The axis' label, unless the title says the same; with a word when it is logarithmic.
pub(crate) fn axis_name(label: &str, log: bool, title: &str) -> String {
    let mut label = text::one_line(label, 200);
    if label == text::one_line(title, 200) {
        label.clear();
    }
    match (log, label.is_empty()) {
        (false, _) => label,
        (true, true) => "log scale".to_owned(),
        (true, false) => format!("{label} (log)"),
    }
}

#[derive(Default)]
struct Notes {
    broken: Vec<(String, String)>,
    no_x: usize,
    not_above_zero: usize,
}

impl Notes {
    fn take(&mut self, label: &str, left_out: &LeftOut) {
        let mut parts = Vec::new();
        if left_out.nan > 0 {
            parts.push(format!("{} NaN", left_out.nan));
        }
        if left_out.infinite > 0 {
            parts.push(format!("{} infinite", left_out.infinite));
        }
        if !parts.is_empty() {
            self.broken.push((label.to_owned(), parts.join(", ")));
        }
        self.no_x += left_out.no_x;
        self.not_above_zero += left_out.not_above_zero;
    }

    fn written(&self, only_one_curve: bool) -> Vec<String> {
        const NAMED: usize = 3;
        let mut notes = Vec::new();
        if !self.broken.is_empty() {
            let mut named: Vec<String> = self
                .broken
                .iter()
                .take(NAMED)
                .map(|(label, counts)| match only_one_curve || label.is_empty() {
                    true => counts.clone(),
                    false => format!("{} in {}", counts, text::cut_middle(label, 40)),
                })
                .collect();
            if self.broken.len() > NAMED {
                named.push(format!("and in {} more curves", self.broken.len() - NAMED));
            }
            notes.push(format!("× {}", named.join("; ")));
        }
        if self.not_above_zero > 0 {
            notes.push(format!("{} left out: at or below 0, which a logarithmic axis cannot show", points(self.not_above_zero)));
        }
        if self.no_x > 0 {
            notes.push(format!("{} left out: no number on the horizontal axis", points(self.no_x)));
        }
        notes
    }
}

fn points(count: usize) -> String {
    if count == 1 { "1 point".to_owned() } else { format!("{count} points") }
}
