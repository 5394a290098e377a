//! Charts in a terminal: braille characters, each a grid of 2 × 4 dots, within axes of box-drawing characters.

use crate::axis::Axis;
use crate::palette;
use crate::plot::{Curve, Line, Plot, axis_name};
use crate::{Chart, text};

const WIDTHS: std::ops::RangeInclusive<usize> = 24..=400;
const HEIGHTS: std::ops::RangeInclusive<usize> = 6..=200;
/// Fewer rows than this for the curves themselves, and the legend has to give way.
const LEAST_ROWS: usize = 4;
/// The bit of each dot of a braille character, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

pub(crate) fn draw(chart: &Chart, width: usize, height: usize, color: bool) -> String {
    let (width, height) = (width.clamp(*WIDTHS.start(), *WIDTHS.end()), height.clamp(*HEIGHTS.start(), *HEIGHTS.end()));
    let plot = Plot::new(chart, width * 2);
    let pen = Pen { color, letters: plot.curves.len() > if color { palette::COLOUR_COUNT } else { 1 } };
    let title = text::one_line(&chart.title, width);
    let mut out = Screen::default();

    let mut heading = pen.strong(&title);
    let y_label = axis_name(&chart.y_label, chart.log_y, &title);
    if !y_label.is_empty() {
        let room = width.saturating_sub(text::columns(&title) + 2);
        let gap = if title.is_empty() { "" } else { "  " };
        heading += &format!("{gap}{}", pen.faint(&text::cut_end(&y_label, room)));
    }
    if !heading.is_empty() {
        out.line(&heading);
    }
    let Some((x, y)) = plot.axes else {
        out.line("no points");
        return out.finish(&plot, &pen, width);
    };
    let x_label = text::cut_end(&axis_name(&chart.x_label, chart.log_x, ""), width);
    let mut legend = legend(&plot, chart, &pen, width);
    let frame_rows = out.lines.len() + 2 + usize::from(!x_label.is_empty()) + plot.notes.len();
    let legend_rows = height.saturating_sub(frame_rows + LEAST_ROWS).max(1);
    if legend.rows.len() > legend_rows {
        legend.cut(legend_rows);
    }
    let rows = height.saturating_sub(frame_rows + legend.rows.len()).max(LEAST_ROWS);

    let y_ticks: Vec<(usize, String)> = y
        .ticks((rows / 3).max(2))
        .into_iter()
        .map(|tick| (((1.0 - y.place(tick.value)) * (rows * 4 - 1) as f64).round() as usize / 4, tick.label))
        .collect();
    let margin = y_ticks.iter().map(|(_, label)| text::columns(label)).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 2).max(8);
    let canvas = Canvas::of(&plot, (&x, &y), (columns, rows), &pen);
    for row in 0..rows {
        let tick = y_ticks.iter().find(|(at, _)| *at == row);
        let edge = format!("{:>margin$} {}", tick.map_or("", |(_, label)| label), if tick.is_some() { '┤' } else { '│' });
        out.line(&format!("{}{}", pen.faint(&edge), canvas.row(row, &pen)));
    }
    let (ruler, numbers) = x_ruler(&x, margin + 1, columns);
    out.line(&pen.faint(&ruler));
    out.line(&pen.faint(&numbers));
    if !x_label.is_empty() {
        let indent = (margin + 2 + columns / 2).saturating_sub(text::columns(&x_label) / 2).min(width - text::columns(&x_label));
        out.line(&format!("{}{}", " ".repeat(indent), pen.faint(&x_label)));
    }
    for row in &legend.rows {
        out.line(row);
    }
    out.finish(&plot, &pen, width)
}

#[derive(Default)]
struct Screen {
    lines: Vec<String>,
}

impl Screen {
    fn line(&mut self, line: &str) {
        self.lines.push(line.trim_end().to_owned());
    }

    fn finish(mut self, plot: &Plot, pen: &Pen, width: usize) -> String {
        for note in &plot.notes {
            self.line(&pen.faint(&text::cut_end(note, width)));
        }
        self.lines.join("\n") + "\n"
    }
}

/// How things are set apart on this terminal.
struct Pen {
    color: bool,
    /// Colours alone do not tell the curves apart.
    letters: bool,
}

impl Pen {
    fn strong(&self, text: &str) -> String {
        self.style("1", text)
    }
    fn faint(&self, text: &str) -> String {
        self.style("2", text)
    }
    fn style(&self, code: &str, text: &str) -> String {
        match self.color && !text.trim().is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
    fn curve(&self, curve: usize, faint: bool, text: &str) -> String {
        let faint = if faint { ";2" } else { "" };
        self.style(&format!("38;5;{}{faint}", palette::terminal_colour(curve)), text)
    }
}

fn letter(curve: usize) -> char {
    char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[curve % 52])
}

struct Legend {
    rows: Vec<String>,
    per_row: usize,
    curves: usize,
}

impl Legend {
    fn cut(&mut self, rows: usize) {
        self.rows.truncate(rows.saturating_sub(1));
        let missing = self.curves - self.rows.len() * self.per_row;
        self.rows.push(format!("… and {missing} more"));
    }
}

/// The names in equal columns, as many as fit.
fn legend(plot: &Plot, chart: &Chart, pen: &Pen, width: usize) -> Legend {
    let curves = plot.curves.len();
    if curves == 0 || curves == 1 && (plot.curves[0].label.is_empty() || plot.curves[0].label == text::one_line(&chart.title, 200)) {
        return Legend { rows: Vec::new(), per_row: 1, curves };
    }
    let longest = plot.curves.iter().map(|curve| text::columns(&curve.label)).max().unwrap_or(0);
    let mark_width = 3;
    let per_row = ((width + 2) / (mark_width + longest + 2)).clamp(1, curves);
    let room = longest.min(width.saturating_sub(mark_width));
    let entry = |(at, curve): (usize, &Curve)| {
        let label = text::cut_middle(&curve.label, room);
        let padding = " ".repeat(room - text::columns(&label));
        let mark = if pen.letters { format!("{}  ", letter(at)) } else { "── ".to_owned() };
        format!("{}{label}{padding}", pen.curve(at, false, &mark))
    };
    let entries: Vec<String> = plot.curves.iter().enumerate().map(entry).collect();
    Legend { rows: entries.chunks(per_row).map(|row| row.join("  ")).collect(), per_row, curves }
}

/// The lower axis and the numbers below it; numbers that would touch are left out.
fn x_ruler(x: &Axis, margin: usize, columns: usize) -> (String, String) {
    let mut ruler: Vec<char> = std::iter::repeat_n('─', columns).collect();
    let mut numbers = String::new();
    for tick in x.ticks((columns / 12).max(2)) {
        let at = (x.place(tick.value) * (columns * 2 - 1) as f64).round() as usize / 2;
        let length = tick.label.len();
        let start = (margin + 1 + at).saturating_sub(length / 2).min(margin + 1 + columns - length.min(columns));
        let used = numbers.len();
        if used > 0 && start < used + 2 {
            continue;
        }
        ruler[at] = '┬';
        numbers += &" ".repeat(start - used);
        numbers += &tick.label;
    }
    (format!("{}└{}", " ".repeat(margin), ruler.into_iter().collect::<String>()), numbers)
}

#[derive(Clone, Copy, Default)]
struct Spot {
    dots: u8,
    curve: usize,
    faint: bool,
    /// Shown in place of the dots.
    sign: Option<char>,
}

struct Canvas {
    columns: usize,
    rows: usize,
    spots: Vec<Spot>,
}

impl Canvas {
    fn of(plot: &Plot, axes: (&Axis, &Axis), size: (usize, usize), pen: &Pen) -> Canvas {
        let mut canvas = Canvas { columns: size.0, rows: size.1, spots: vec![Spot::default(); size.0 * size.1] };
        for (at, curve) in plot.curves.iter().enumerate() {
            // What lies behind shows as loose dots, so that the curve stands out without colours as well.
            for &(x, y) in curve.raw.iter().chain(&curve.superseded).flatten() {
                let (x, y) = canvas.dot(axes, x, y);
                canvas.set(x, y, at, true);
            }
        }
        for (at, curve) in plot.curves.iter().enumerate() {
            canvas.line(&curve.main, axes, at);
            for broken in &curve.broken {
                let column = canvas.dot(axes, broken.x, axes.1.low).0 / 2;
                canvas.sign(column, if broken.upwards { 0 } else { canvas.rows - 1 }, '×', at);
            }
        }
        if pen.letters {
            for (at, curve) in plot.curves.iter().enumerate() {
                canvas.letters(&curve.main, axes, at, plot.curves.len());
            }
        }
        canvas
    }

    fn dot(&self, (x_axis, y_axis): (&Axis, &Axis), x: f64, y: f64) -> (usize, usize) {
        let across = (x_axis.place(x) * (self.columns * 2 - 1) as f64).round() as usize;
        let down = ((1.0 - y_axis.place(y)) * (self.rows * 4 - 1) as f64).round() as usize;
        (across.min(self.columns * 2 - 1), down.min(self.rows * 4 - 1))
    }

    fn set(&mut self, x: usize, y: usize, curve: usize, faint: bool) {
        let spot = &mut self.spots[y / 4 * self.columns + x / 2];
        if spot.faint && !faint {
            spot.dots = 0;
        }
        spot.dots |= DOTS[y % 4][x % 2];
        spot.curve = curve;
        spot.faint = faint;
    }

    fn sign(&mut self, column: usize, row: usize, sign: char, curve: usize) {
        let spot = &mut self.spots[row * self.columns + column];
        *spot = Spot { sign: Some(sign), curve, faint: false, ..*spot };
    }

    fn line(&mut self, line: &Line, axes: (&Axis, &Axis), curve: usize) {
        for part in line {
            let dots: Vec<(usize, usize)> = part.iter().map(|&(x, y)| self.dot(axes, x, y)).collect();
            if let [(x, y)] = dots[..] {
                self.sign(x / 2, y / 4, '•', curve);
            }
            for pair in dots.windows(2) {
                self.stroke(pair[0], pair[1], curve);
            }
        }
    }

    /// Every dot between two, in steps of the longer direction.
    fn stroke(&mut self, from: (usize, usize), to: (usize, usize), curve: usize) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, step: usize| (a as f64 + (b as f64 - a as f64) * step as f64 / steps as f64).round() as usize;
        for step in 0..=steps {
            self.set(between(from.0, to.0, step), between(from.1, to.1, step), curve, false);
        }
    }

    /// The curve's letter at its end and here and there along it, each curve's at other places.
    fn letters(&mut self, line: &Line, axes: (&Axis, &Axis), curve: usize, curves: usize) {
        let points: Vec<(usize, usize)> = line.iter().flatten().map(|&(x, y)| self.dot(axes, x, y)).map(|(x, y)| (x / 2, y / 4)).collect();
        let Some(&last) = points.last() else { return };
        let every = (self.columns / 4).max(8);
        let first = every * (curve % curves.max(1)) / curves.max(1) + 1;
        let until = last.0.saturating_sub(3);
        let along = (first..until).step_by(every).filter_map(|column| points.iter().copied().find(|(x, _)| (column..until).contains(x)));
        for (column, row) in along.chain([last]).collect::<Vec<_>>() {
            // The end may be taken by another curve's letter: a little before it then.
            let free = (0..=3.min(column)).map(|back| column - back).find(|column| self.spots[row * self.columns + column].sign.is_none());
            if let Some(column) = free {
                self.sign(column, row, letter(curve), curve);
            }
        }
    }

    fn row(&self, row: usize, pen: &Pen) -> String {
        let spots = &self.spots[row * self.columns..(row + 1) * self.columns];
        spots
            .chunk_by(|a, b| (a.curve, a.faint) == (b.curve, b.faint))
            .map(|run| {
                let text: String = run.iter().map(Spot::shown).collect();
                pen.curve(run[0].curve, run[0].faint, &text)
            })
            .collect()
    }
}

impl Spot {
    fn shown(&self) -> char {
        match (self.sign, self.dots) {
            (Some(sign), _) => sign,
            (None, 0) => ' ',
            (None, dots) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        }
    }
}
