//! Curves and tables for people: terminal, SVG, PNG, HTML.
//!
//! Data in, text or bytes out: nothing here reads a file, a clock or the environment (but for the time zone, in
//! `words::local_time`). The same input gives the same bytes. Whatever a label or cell holds is data: it is escaped
//! for the place where it is shown.
//!
//! A [`Chart`] becomes a `plot` (sorted, smoothed, thinned, with axes), which `terminal` and `svg` draw; `png` renders the SVG,
//! `figure` puts it into a page with a legend and a read-out. A [`Report`] is a `page` of such parts.

mod axis;
mod chart;
mod figure;
mod page;
mod palette;
mod plot;
mod png;
mod report;
mod series;
mod svg;
mod table;
mod terminal;
mod text;
pub mod words;

pub use chart::{Chart, Series};
pub use report::{Part, Report, Section};
pub use series::{smooth, thin};
pub use table::{Align, Cell, Column, Style, Table};
