//! What a chart is: named series of points, and how their axes are to be read. Each output is a file of its own.

use crate::{figure, page, png, svg, terminal};

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    pub label: String,
    /// `(x, y)`; a non-finite number is a gap, and is marked.
    pub points: Vec<(f64, f64)>,
    /// Points that a resumed attempt went over again; drawn faintly.
    pub superseded: Vec<(f64, f64)>,
}

/// Curves that share their axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub log_x: bool,
    pub log_y: bool,
    /// The weight for [`crate::smooth`]; the curve as it was is then drawn faintly behind.
    pub smooth: Option<f64>,
    pub series: Vec<Series>,
}

impl Chart {
    /// Braille dots with axes and a legend, `width` columns wide and `height` rows high, all included
    /// (24 to 400 columns; the curves get four rows at least, so that less than about 12 rows may be overstepped).
    /// With `color`, in the 256 colours of terminals; without, letters tell the curves apart.
    pub fn terminal(&self, width: usize, height: usize, color: bool) -> String {
        terminal::draw(self, width, height, color)
    }
    /// A picture of `width` × `height` pixels (200 × 120 to 10,000 × 10,000) as SVG text.
    pub fn svg(&self, width: u32, height: u32) -> String {
        svg::picture(self, width, height)
    }
    /// The picture that [`Chart::svg`] describes, as PNG. Up to 4,000 × 4,000 pixels.
    pub fn png(&self, width: u32, height: u32) -> Result<Vec<u8>, String> {
        if width > 4000 || height > 4000 {
            return Err(format!("{width} × {height} pixels are too many for a PNG picture: 4000 × 4000 is the most"));
        }
        png::render(&self.svg(width, height))
    }
    /// A page of its own: point at a curve to read it, click the legend to hide one. It loads nothing.
    pub fn html(&self) -> String {
        let title = if self.title.trim().is_empty() { "Chart" } else { &self.title };
        page::page(title, "", &figure::html(self))
    }
}
