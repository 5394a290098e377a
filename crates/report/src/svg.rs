//! Charts as SVG: curves, axes and names, with colours as attributes. In a page, style sheets override those by class.
//!
//! A picture of its own has its legend inside: at the curves' ends when they are few, below when they are many.
//! A page puts legend and notes beside the picture, as HTML.

use crate::Chart;
use crate::axis::Axis;
use crate::palette;
use crate::plot::{Curve, Line, Plot, axis_name};
use crate::text::{cut_to_pixels, escape, one_line, pixels};
use std::fmt::Write;

const FONT: &str = "\"DejaVu Sans\", Verdana, sans-serif";
const TITLE: f64 = 15.0;
const NAME: f64 = 12.0;
const SMALL: f64 = 11.0;
/// As many curves are named at their ends.
const NAMED_AT_END: usize = 6;
/// A curve of so few points shows each of them.
const DOTTED: usize = 24;
const SWATCH: f64 = 22.0;
const ROW: f64 = 17.0;

const INK: &str = "#1c1e21";
const MUTED: &str = "#5f6670";
const GRID: &str = "#e4e6ea";
const EDGE: &str = "#9aa1ab";

/// Where the curves are drawn, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

pub(crate) fn picture(chart: &Chart, width: u32, height: u32) -> String {
    let (width, height) = (f64::from(width.clamp(200, 10_000)), f64::from(height.clamp(120, 10_000)));
    let plot = Plot::new(chart, width as usize);
    Drawing::new(chart, &plot, width, height).with_names().0
}

/// For a page: without legend and notes. With the place of the curves, if there are any.
pub(crate) fn within_page(chart: &Chart, plot: &Plot, width: u32, height: u32) -> (String, Option<Frame>) {
    Drawing::new(chart, plot, f64::from(width), f64::from(height)).without_names()
}

struct Drawing<'a> {
    chart: &'a Chart,
    plot: &'a Plot,
    width: f64,
    height: f64,
    out: String,
}

impl<'a> Drawing<'a> {
    fn new(chart: &'a Chart, plot: &'a Plot, width: f64, height: f64) -> Drawing<'a> {
        Drawing { chart, plot, width, height, out: String::new() }
    }

    fn with_names(mut self) -> (String, Option<Frame>) {
        self.open();
        let _ = write!(self.out, r##"<rect width="{}" height="{}" fill="#ffffff"/>"##, n(self.width), n(self.height));
        let title = one_line(&self.chart.title, 300);
        let mut top = 10.0;
        if !title.is_empty() {
            let title = cut_to_pixels(&title, TITLE, self.width - 24.0);
            self.text(12.0, 24.0, TITLE, INK, "start", &title);
            top = 34.0;
        }
        let mut bottom = self.height - 6.0;
        for note in self.plot.notes.iter().rev() {
            let note = cut_to_pixels(note, SMALL, self.width - 24.0);
            self.text(12.0, bottom - 4.0, SMALL, MUTED, "start", &note);
            bottom -= 16.0;
        }
        let named: Vec<usize> = (0..self.plot.curves.len()).filter(|at| self.worth_naming(*at, &title)).collect();
        let at_end = named.len() <= NAMED_AT_END && named.len() as f64 * ROW < bottom - top - 60.0;
        let mut right = self.width - 16.0;
        if at_end && !named.is_empty() {
            let longest = named.iter().map(|at| pixels(&self.plot.curves[*at].label, NAME)).fold(0.0, f64::max);
            right = self.width - (longest + SWATCH + 20.0).min(self.width * 0.34);
        } else if !named.is_empty() {
            bottom = self.legend_below(&named, bottom, top);
        }
        let frame = self.axes(top, right, bottom);
        if let (Some(frame), Some((_, y))) = (frame, &self.plot.axes)
            && at_end
        {
            self.names_at_ends(&named, &frame, y);
        }
        self.close(frame)
    }

    fn without_names(mut self) -> (String, Option<Frame>) {
        self.open();
        let frame = self.axes(4.0, self.width - 12.0, self.height - 2.0);
        self.close(frame)
    }

    /// A single curve needs no name when it has none, or the title's.
    fn worth_naming(&self, at: usize, title: &str) -> bool {
        let label = &self.plot.curves[at].label;
        self.plot.curves.len() > 1 || !(label.is_empty() || label == title || *label == one_line(&self.chart.y_label, 200))
    }

    fn open(&mut self) {
        let (width, height) = (n(self.width), n(self.height));
        let label = escape(&one_line(&self.chart.title, 300));
        let _ = write!(
            self.out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{}" role="img" aria-label="{label}">"#,
            escape(FONT)
        );
    }

    fn close(mut self, frame: Option<Frame>) -> (String, Option<Frame>) {
        self.out.push_str("</svg>\n");
        (self.out, frame)
    }

    fn text(&mut self, x: f64, y: f64, size: f64, fill: &str, anchor: &str, text: &str) {
        let class = if fill == INK { "ink" } else { "muted" };
        let _ = write!(
            self.out,
            r#"<text class="{class}" x="{}" y="{}" font-size="{}" fill="{fill}" text-anchor="{anchor}">{}</text>"#,
            n(x),
            n(y),
            n(size),
            escape(text)
        );
        self.out.push('\n');
    }

    /// Axes, grid and curves between `top`, `right` and `bottom`.
    fn axes(&mut self, top: f64, right: f64, bottom: f64) -> Option<Frame> {
        let Some((x, y)) = self.plot.axes else {
            self.text(self.width / 2.0, (top + bottom) / 2.0, NAME, MUTED, "middle", "no points");
            return None;
        };
        let y_label = axis_name(&self.chart.y_label, self.chart.log_y, &self.chart.title);
        let x_label = axis_name(&self.chart.x_label, self.chart.log_x, "");
        let frame_top = top + if y_label.is_empty() { 10.0 } else { 24.0 };
        let frame_bottom = (bottom - if x_label.is_empty() { 24.0 } else { 42.0 }).max(frame_top + 20.0);
        let height = frame_bottom - frame_top;
        let y_ticks = y.ticks((height / 48.0) as usize);
        let left = y_ticks.iter().map(|tick| pixels(&tick.label, SMALL)).fold(12.0, f64::max) + 24.0;
        let frame = Frame { left, top: frame_top, width: (right - left).max(40.0), height };

        if !y_label.is_empty() {
            let label = cut_to_pixels(&y_label, NAME, self.width - 24.0);
            self.text(12.0, top + 13.0, NAME, MUTED, "start", &label);
        }
        for tick in y_ticks {
            let at = frame.top + (1.0 - y.place(tick.value)) * frame.height;
            self.grid(frame.left, at, frame.left + frame.width, at);
            self.text(frame.left - 7.0, at + 4.0, SMALL, MUTED, "end", &tick.label);
        }
        let mut used = f64::NEG_INFINITY;
        for tick in x.ticks((frame.width / 90.0) as usize) {
            let at = frame.left + x.place(tick.value) * frame.width;
            let half = pixels(&tick.label, SMALL) / 2.0;
            self.grid(at, frame.top, at, frame_bottom);
            let middle = at.min(self.width - half - 4.0);
            if middle - half > used + 8.0 {
                self.text(middle, frame_bottom + 17.0, SMALL, MUTED, "middle", &tick.label);
                used = middle + half;
            }
        }
        let _ = writeln!(
            self.out,
            r#"<path class="edge" d="M{} {}H{}" stroke="{EDGE}" fill="none"/>"#,
            n(frame.left),
            n(frame_bottom),
            n(frame.left + frame.width)
        );
        if !x_label.is_empty() {
            let label = cut_to_pixels(&x_label, NAME, frame.width);
            self.text(frame.left + frame.width / 2.0, frame_bottom + 35.0, NAME, MUTED, "middle", &label);
        }
        let plot = self.plot;
        for (at, curve) in plot.curves.iter().enumerate() {
            self.curve(at, curve, &frame, (&x, &y));
        }
        Some(frame)
    }

    fn grid(&mut self, x1: f64, y1: f64, x2: f64, y2: f64) {
        let _ = writeln!(self.out, r#"<path class="grid" d="M{} {}L{} {}" stroke="{GRID}" fill="none"/>"#, n(x1), n(y1), n(x2), n(y2));
    }

    fn curve(&mut self, at: usize, curve: &Curve, frame: &Frame, axes: (&Axis, &Axis)) {
        let _ = writeln!(
            self.out,
            r#"<g class="curve c{}" data-curve="{at}" color="{}" fill="none" stroke="currentColor" stroke-linejoin="round" stroke-linecap="round"><title>{}</title>"#,
            at % palette::COLOUR_COUNT,
            palette::colour(at),
            escape(&curve.label)
        );
        self.path(&curve.superseded, frame, axes, r#" stroke-width="1.4" stroke-opacity="0.6" stroke-dasharray="1.5 3""#);
        self.path(&curve.raw, frame, axes, r#" stroke-width="1" stroke-opacity="0.25""#);
        let dash = match palette::dash(at) {
            "" => String::new(),
            dash => format!(r#" stroke-dasharray="{dash}""#),
        };
        self.path(&curve.main, frame, axes, &format!(r#" stroke-width="1.8"{dash}"#));
        for (x, y) in dotted(&curve.main) {
            let (x, y) = frame.place(axes, x, y);
            let _ = write!(self.out, r#"<circle cx="{}" cy="{}" r="2.6" fill="currentColor" stroke="none"/>"#, n(x), n(y));
        }
        // Marks that would run into each other are drawn once.
        let mut last = [f64::NEG_INFINITY; 2];
        for broken in &curve.broken {
            let (x, _) = frame.place(axes, broken.x, axes.1.low);
            let last = &mut last[usize::from(broken.upwards)];
            if x - *last < 9.0 {
                continue;
            }
            *last = x;
            let y = if broken.upwards { frame.top + 4.0 } else { frame.top + frame.height - 4.0 };
            let (x1, x2, y1, y2) = (n(x - 3.5), n(x + 3.5), n(y - 3.5), n(y + 3.5));
            let _ = write!(self.out, r#"<path d="M{x1} {y1}L{x2} {y2}M{x1} {y2}L{x2} {y1}" stroke-width="1.6"/>"#);
        }
        self.out.push_str("</g>\n");
    }

    fn path(&mut self, line: &Line, frame: &Frame, axes: (&Axis, &Axis), style: &str) {
        let mut path = String::new();
        for part in line.iter().filter(|part| part.len() > 1) {
            for (at, &(x, y)) in part.iter().enumerate() {
                let (x, y) = frame.place(axes, x, y);
                let _ = write!(path, "{}{} {}", if at == 0 { 'M' } else { 'L' }, n(x), n(y));
            }
        }
        if !path.is_empty() {
            let _ = write!(self.out, r#"<path d="{path}"{style}/>"#);
        }
    }

    /// A short piece of the curve's line, then its name.
    fn name(&mut self, at: usize, x: f64, y: f64, room: f64) {
        let curve = &self.plot.curves[at];
        let label = cut_to_pixels(&curve.label, NAME, room - SWATCH);
        let dash = palette::dash(at);
        let _ = write!(
            self.out,
            r#"<path d="M{} {}h16" stroke="{}" stroke-width="2.4" stroke-dasharray="{}" fill="none"/>"#,
            n(x),
            n(y - 4.0),
            palette::colour(at),
            if dash.is_empty() { "none" } else { dash }
        );
        self.text(x + SWATCH, y, NAME, INK, "start", &label);
    }

    /// Names to the right, each as near to the height at which its curve ends as the others allow.
    fn names_at_ends(&mut self, named: &[usize], frame: &Frame, y: &Axis) {
        let end = |at: &usize| {
            let last = self.plot.curves[*at].main.last().and_then(|part| part.last());
            last.map_or(frame.top + frame.height, |p| frame.top + (1.0 - y.place(p.1)) * frame.height)
        };
        let mut places: Vec<(usize, f64)> = named.iter().map(|at| (*at, end(at))).collect();
        places.sort_by(|a, b| a.1.total_cmp(&b.1));
        let heights = spread(&places.iter().map(|p| p.1).collect::<Vec<_>>(), ROW, frame.top, frame.top + frame.height);
        let x = frame.left + frame.width + 8.0;
        for ((at, _), y) in places.into_iter().zip(heights) {
            self.name(at, x, y + 4.0, self.width - x - 6.0);
        }
    }

    /// Names in columns above `bottom`, on at most two fifths of the height; gives the new bottom.
    fn legend_below(&mut self, named: &[usize], bottom: f64, top: f64) -> f64 {
        let longest = named.iter().map(|at| pixels(&self.plot.curves[*at].label, NAME)).fold(0.0, f64::max);
        let room = self.width - 24.0;
        let column = (longest + SWATCH + 18.0).min(room);
        let columns = ((room / column) as usize).max(1);
        let most_rows = (((bottom - top) * 0.4 / ROW) as usize).max(1);
        let rows = named.len().div_ceil(columns).min(most_rows);
        let shown = if rows * columns < named.len() { (rows * columns).saturating_sub(1) } else { named.len() };
        let start = bottom - rows as f64 * ROW;
        let place = |cell: usize| (12.0 + (cell % columns) as f64 * column, start + (cell / columns) as f64 * ROW + 12.0);
        for (cell, at) in named[..shown].iter().enumerate() {
            let (x, y) = place(cell);
            self.name(*at, x, y, column - 12.0);
        }
        if shown < named.len() {
            let (x, y) = place(shown);
            self.text(x, y, NAME, MUTED, "start", &format!("… and {} more", named.len() - shown));
        }
        start - 6.0
    }
}

impl Frame {
    fn place(&self, (x_axis, y_axis): (&Axis, &Axis), x: f64, y: f64) -> (f64, f64) {
        (self.left + x_axis.place(x) * self.width, self.top + (1.0 - y_axis.place(y)) * self.height)
    }
}

/// The points that need a dot: all of a short curve, else those that stand alone between gaps.
fn dotted(line: &Line) -> Vec<(f64, f64)> {
    let all: usize = line.iter().map(Vec::len).sum();
    line.iter().filter(|part| all <= DOTTED || part.len() == 1).flatten().copied().collect()
}

/// Moves heights (ascending) apart, to `gap` at least, within `low` and `high` as far as that is possible.
fn spread(heights: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut placed: Vec<f64> = heights.to_vec();
    let mut floor = low;
    for place in &mut placed {
        *place = place.max(floor);
        floor = *place + gap;
    }
    let mut ceiling = high;
    for place in placed.iter_mut().rev() {
        *place = place.min(ceiling);
        ceiling = *place - gap;
    }
    placed
}

/// A coordinate to a tenth of a pixel, as short as it goes.
fn n(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0 + 0.0;
    tenths.to_string()
}
