//! Tables, for the terminal and for HTML.

use crate::text::{self, escape};

const GAP: &str = "  ";
/// No cell is wider, even where the width is not limited.
const LONGEST: usize = 1000;
/// A column is not cut below this: a table that is still too wide stays so.
const NARROWEST: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    #[default]
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    pub title: String,
    pub align: Align,
}

impl Column {
    pub fn left(title: impl Into<String>) -> Column {
        Column { title: title.into(), align: Align::Left }
    }
    /// For numbers.
    pub fn right(title: impl Into<String>) -> Column {
        Column { title: title.into(), align: Align::Right }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    #[default]
    Plain,
    Good,
    Bad,
    Faint,
    Strong,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::styled(text, Style::Plain)
    }
    pub fn styled(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: text.into(), style }
    }
}

/// A row shorter than the columns is filled with empty cells; what is beyond them is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A line for the titles and one for each row, each ended by `\n`. With a width, the widest cells are cut to fit it.
    pub fn terminal(&self, width: Option<usize>, color: bool) -> String {
        let titles: Vec<Cell> = self.columns.iter().map(|c| Cell::styled(c.title.as_str(), Style::Strong)).collect();
        let lines: Vec<Vec<Cell>> = std::iter::once(&titles).chain(&self.rows).map(|row| self.shown(row)).collect();
        let widest = |at: usize| lines.iter().map(|line| text::columns(&line[at].text)).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        if let Some(width) = width {
            shrink(&mut widths, width.saturating_sub(GAP.len() * self.columns.len().saturating_sub(1)));
        }
        lines.iter().map(|line| self.line(line, &widths, color) + "\n").collect()
    }

    /// As many cells as there are columns, each on one line.
    fn shown(&self, row: &[Cell]) -> Vec<Cell> {
        let cell = |at: usize| row.get(at).map_or_else(Cell::default, |cell| Cell::styled(text::one_line(&cell.text, LONGEST), cell.style));
        (0..self.columns.len()).map(cell).collect()
    }

    fn line(&self, cells: &[Cell], widths: &[usize], color: bool) -> String {
        let mut out = String::new();
        // Blanks are written only when something follows them.
        let mut blanks = 0;
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(widths) {
            // Names and paths differ at their ends; sentences and numbers are read from the front.
            let is_name = column.align == Align::Left && !cell.text.contains(' ');
            let shown = if is_name { text::cut_middle(&cell.text, *width) } else { text::cut_end(&cell.text, *width) };
            let padding = width - text::columns(&shown);
            let (before, after) = if column.align == Align::Right { (padding, 0) } else { (0, padding) };
            blanks += before;
            if !shown.is_empty() {
                out.push_str(&" ".repeat(blanks));
                out.push_str(&cell.style.paint(&shown, color));
                blanks = 0;
            }
            blanks += after + GAP.len();
        }
        out
    }

    /// A `<table>`, to be placed in a page.
    pub fn html(&self) -> String {
        let class = |column: &Column| if column.align == Align::Right { " class=\"right\"" } else { "" };
        let titles: String = self.columns.iter().map(|c| format!("<th scope=\"col\"{}>{}</th>", class(c), escape(&c.title))).collect();
        let row = |row: &Vec<Cell>| {
            let cells: String = self
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| {
                    let text = row.get(at).map_or_else(String::new, |cell| cell.style.mark(&escape(&cell.text)));
                    format!("<td{}>{text}</td>", class(column))
                })
                .collect();
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!("<div class=\"table\"><table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n")
    }
}

impl Style {
    fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            _ if !color => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Good => 32,
            Style::Bad => 31,
            Style::Faint => 2,
            Style::Strong => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn mark(self, html: &str) -> String {
        let class = match self {
            Style::Plain => return html.to_owned(),
            Style::Good => "good",
            Style::Bad => "bad",
            Style::Faint => "faint",
            Style::Strong => "strong",
        };
        format!("<span class=\"{class}\">{html}</span>")
    }
}

/// Takes from the widest columns until all fit, or none is wider than [`NARROWEST`].
fn shrink(widths: &mut [usize], room: usize) {
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let Some(widest) = widths.iter_mut().rev().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
            return;
        };
        *widest -= 1;
        over -= 1;
    }
}
