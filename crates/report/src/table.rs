//! Tables, for the terminal and for HTML.

use crate::text::{self, escape};
use serde::{Deserialize, Serialize};

const GAP: &str = "  ";
/// No cell is wider, even where the width is not limited.
const LONGEST: usize = 1000;
/// A column is not cut below this: a table that is still too wide stays so.
const NARROWEST: usize = 4;
/// Columns are left out before any is cut below this.
const NARROW: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Align {
    #[default]
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Column {
    pub title: String,
    pub align: Align,
    /// Its cells are never cut: half a number or half a state is another one.
    pub whole: bool,
    /// What is left out first where there is no room: the highest, of the same the last. Nothing stays always.
    pub spare: Option<u8>,
}

impl Column {
    pub fn left(title: impl Into<String>) -> Column {
        Column { title: title.into(), ..Column::default() }
    }
    /// For numbers.
    pub fn right(title: impl Into<String>) -> Column {
        Column { title: title.into(), align: Align::Right, whole: true, spare: None }
    }
    pub fn aligned(title: impl Into<String>, align: Align) -> Column {
        if align == Align::Right { Column::right(title) } else { Column::left(title) }
    }
    pub fn whole(self) -> Column {
        Column { whole: true, ..self }
    }
    pub fn spare(self, rank: u8) -> Column {
        Column { spare: Some(rank), ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Style {
    #[default]
    Plain,
    Good,
    Bad,
    Faint,
    Strong,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A line for the titles and one for each row, each ended by `\n`. With a width, the widest cells that may be cut are cut to fit it.
    pub fn terminal(&self, width: Option<usize>, color: bool) -> String {
        let lines = self.lines();
        let mut widths = self.widths(&lines);
        if let Some(width) = width {
            let whole: Vec<bool> = self.columns.iter().map(|column| column.whole).collect();
            shrink(&mut widths, &whole, width.saturating_sub(gaps(self.columns.len())));
        }
        lines.iter().map(|line| self.line(line, &widths, color) + "\n").collect()
    }

    /// What it takes with nothing cut.
    pub fn width(&self) -> usize {
        self.widths(&self.lines()).iter().sum::<usize>() + gaps(self.columns.len())
    }

    /// Leaves out the spare columns for which this width has no room, and gives their titles.
    pub fn fit(&mut self, width: usize) -> Vec<String> {
        let mut needed: Vec<usize> = self.widths(&self.lines());
        for (needed, column) in needed.iter_mut().zip(&self.columns) {
            *needed = if column.whole { *needed } else { (*needed).min(NARROW) };
        }
        let mut left_out = Vec::new();
        while needed.iter().sum::<usize>() + gaps(needed.len()) > width {
            let spare = self.columns.iter().enumerate().filter_map(|(at, column)| Some((column.spare?, at)));
            let Some((_, at)) = spare.max() else { break };
            left_out.push(self.columns.remove(at).title);
            needed.remove(at);
            self.rows.iter_mut().filter(|row| at < row.len()).for_each(|row| drop(row.remove(at)));
        }
        left_out
    }

    /// The titles and the rows as they are shown.
    fn lines(&self) -> Vec<Vec<Cell>> {
        let titles: Vec<Cell> = self.columns.iter().map(|c| Cell::styled(c.title.as_str(), Style::Strong)).collect();
        std::iter::once(&titles).chain(&self.rows).map(|row| self.shown(row)).collect()
    }

    /// Of each column the widest cell.
    fn widths(&self, lines: &[Vec<Cell>]) -> Vec<usize> {
        let widest = |at: usize| lines.iter().map(|line| text::columns(&line[at].text)).max().unwrap_or(0);
        (0..self.columns.len()).map(widest).collect()
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
            let padding = width.saturating_sub(text::columns(&shown));
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

fn gaps(columns: usize) -> usize {
    GAP.len() * columns.saturating_sub(1)
}

/// Takes from the widest columns that are not whole until all fit, or none of them is wider than [`NARROWEST`].
fn shrink(widths: &mut [usize], whole: &[bool], room: usize) {
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let may_be_cut = widths.iter_mut().zip(whole).filter(|(_, whole)| !**whole).map(|(width, _)| width);
        let Some(widest) = may_be_cut.rev().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
            return;
        };
        *widest -= 1;
        over -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Table {
        let columns = vec![
            Column::right("id"),
            Column::left("experiment"),
            Column::left("state").whole(),
            Column::right("lr").spare(1),
            Column::right("wd").spare(1),
            Column::right("val_loss").spare(0),
            Column::right("train_loss").spare(2),
            Column::left("age").whole(),
        ];
        let row = ["12", "cifar10-resnet18-wide", "finished", "0.001", "0.0005", "0.77123", "0.69123", "3 weeks"];
        Table { columns, rows: vec![row.map(Cell::plain).to_vec(), vec![Cell::plain("13")]] }
    }

    #[test]
    fn numbers_and_states_are_never_cut() {
        let shown = listing().terminal(Some(40), false);
        assert!(["finished", "0.77123", "3 weeks", "val_loss"].iter().all(|whole| shown.contains(whole)), "{shown}");
        assert!(shown.contains("c…de"), "{shown}");
    }

    #[test]
    fn spare_columns_go_whole_the_highest_first_and_of_the_same_the_last() {
        for (width, expected) in [
            (200, &[][..]),
            (69, &["train_loss"]),
            (57, &["train_loss", "wd"]),
            (49, &["train_loss", "wd", "lr"]),
            (20, &["train_loss", "wd", "lr", "val_loss"]),
        ] {
            let mut table = listing();
            assert_eq!(table.fit(width), expected, "{width}");
            let shown = table.terminal(Some(width), false);
            assert!(width < 40 || shown.lines().all(|line| text::columns(line) <= width), "{width}: {shown}");
        }
    }
}
