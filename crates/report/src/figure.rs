//! A chart within a page: the SVG picture, a legend to click, notes, and the numbers from which `chart.js` makes the read-out.

use crate::Chart;
use crate::palette;
use crate::plot::{Line, Plot};
use crate::svg;
use crate::text::{escape, one_line};
use serde_json::{Value, json};
use std::fmt::Write;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 400;

/// A `<figure>`. The page around it has the title, or a caption is wanted.
pub(crate) fn html(chart: &Chart) -> String {
    let plot = Plot::new(chart, WIDTH as usize);
    let (picture, frame) = svg::within_page(chart, &plot, WIDTH, HEIGHT);
    let mut out = format!("<figure class=\"chart\">\n<div class=\"canvas\">{picture}</div>\n");
    let nameless = plot.curves.len() == 1 && plot.curves[0].label.is_empty();
    if !nameless && !plot.curves.is_empty() {
        out.push_str("<div class=\"legend\">\n");
        for (at, curve) in plot.curves.iter().enumerate() {
            let dash = match palette::dash(at) {
                "" => String::new(),
                dash => format!(" stroke-dasharray=\"{dash}\""),
            };
            let _ = writeln!(
                out,
                "<button type=\"button\" data-curve=\"{at}\" aria-pressed=\"true\"><svg class=\"c{}\" width=\"22\" height=\"8\" aria-hidden=\"true\">\
                 <path d=\"M1 4h20\" stroke=\"currentColor\" stroke-width=\"2.4\"{dash}/></svg>{}</button>",
                at % palette::COLOUR_COUNT,
                escape(if curve.label.is_empty() { "(no name)" } else { &curve.label })
            );
        }
        out.push_str("</div>\n");
    }
    for note in &plot.notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
    }
    if let (Some(frame), Some((x, y))) = (frame, &plot.axes) {
        let curves: Vec<Value> = plot
            .curves
            .iter()
            .map(|curve| {
                json!({
                    "label": curve.label,
                    "points": points(&curve.main),
                    "raw": points(&curve.raw),
                })
            })
            .collect();
        // In the order of the alphabet, which is also the order in which they are written.
        let data = json!({
            "curves": curves,
            "frame": [frame.left, frame.top, frame.width, frame.height],
            "log": [x.log, y.log],
            "name": one_line(&chart.x_label, 80),
            "x": [x.low, x.high],
            "y": [y.low, y.high],
        });
        // Within a script element nothing but `<` could end or open anything.
        let data = data.to_string().replace('<', "\\u003c");
        let _ = writeln!(out, "<script type=\"application/json\">{data}</script>");
    }
    out.push_str("</figure>\n");
    out
}

fn points(line: &Line) -> Vec<[f64; 2]> {
    line.iter().flatten().map(|&(x, y)| [x, y]).collect()
}
