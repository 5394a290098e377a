//! Tables in the output: a header with rows under it (fastai, YOLO, scikit-learn, Markdown).
//!
//! Other tables follow in the same output, with headers of their own or none. A row must stand under its columns, and its
//! epoch or step must not go back.

use crate::Found;
use crate::grid::{MOST, cells};
use crate::names::{Meaning, judge};
use crate::structured::whole;
use crate::table::number;
use serde::{Deserialize, Serialize};

/// First columns of tables.
const AXES: [&str; 8] = ["epoch", "epochs", "ep", "step", "iter", "iteration", "round", "global_step"];

/// A header, and how far its rows have come.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    /// Between bars, as in Markdown.
    bars: bool,
    /// Blanks hold the columns in their places.
    aligned: bool,
    /// Epoch or step of the last row.
    last: Option<f64>,
    /// Other words came since: the next row must go on behind the last.
    interrupted: bool,
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    /// Characters before its first, and up to its last.
    from: usize,
    to: usize,
    /// One blank stands before it: perhaps it is the second word of a name.
    glued: bool,
}

/// What a line is to a table.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Line {
    Row,
    Other,
    /// No row can follow.
    End,
}

/// The words of a line with the characters before the first and up to the last of each.
fn words(line: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut column = 0;
    line.split([' ', '\t']).filter_map(move |word| {
        let from = column;
        let to = from + word.chars().count();
        column = to + 1;
        (!word.is_empty()).then_some((from, to, word))
    })
}

impl Columns {
    /// The columns, if a line is a header: its first word an axis, all words names, one of them surely a result.
    pub(crate) fn header(line: &str) -> Option<Columns> {
        let first = line.trim_start().as_bytes().first().copied()?;
        if !b"eEsSiIrRcC|\xe2".contains(&first) || line.len() > 4000 {
            return None;
        }
        let between_bars = cells(line);
        let bars = between_bars.is_some();
        // Most lines end here, before anything costly.
        let head = between_bars.as_ref().map_or_else(|| line.split_whitespace().next(), |cells| cells.first().copied())?;
        if head != "Class" && !AXES.iter().any(|axis| head.eq_ignore_ascii_case(axis)) {
            return None;
        }
        let mut columns: Vec<Column> = match between_bars {
            Some(cells) => cells.into_iter().map(|name| Column { name: name.to_string(), ..Column::default() }).collect(),
            None if first == b'|' || first == 0xe2 => return None,
            None => words(line).map(|(from, to, word)| Column { name: word.to_string(), from, to, glued: false }).collect(),
        };
        if columns.len() < 2 || columns.len() > MOST {
            return None;
        }
        if columns[0].name == "Class" {
            // `Class  Images  Instances  Box(P  R  mAP50  mAP50-95): 100%|…`
            let end = columns.iter().position(|column| column.name.ends_with(':')).unwrap_or(columns.len() - 1);
            columns.truncate(end + 1);
            for column in &mut columns {
                column.name = column.name.rsplit('(').next().unwrap_or_default().trim_end_matches([':', ')']).to_string();
            }
            let scores = columns.iter().any(|column| column.name.starts_with("mAP"));
            return scores.then(|| Columns { columns, ..Columns::default() });
        }
        let is_name = |name: &str| {
            !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_alphanumeric() || "_/@.%-() ".contains(c))
        };
        if !columns.iter().all(|column| is_name(&column.name))
            || !columns.iter().skip(1).any(|column| judge(&column.name).meaning == Meaning::Result)
        {
            return None;
        }
        for column in &mut columns {
            column.name = column.name.split_whitespace().collect::<Vec<_>>().join("_");
        }
        let aligned = !bars && !line.contains('\t') && line.trim().contains("  ");
        if aligned {
            for at in 1..columns.len() {
                columns[at].glued = columns[at].from == columns[at - 1].to + 1;
            }
        }
        Some(Columns { columns, bars, aligned, last: None, interrupted: false })
    }

    /// Reads a line below the header.
    pub(crate) fn line(&mut self, line: &str, found: &mut Found) -> Line {
        match self.row(line, found) {
            Line::Row => {
                self.interrupted = false;
                return Line::Row;
            }
            Line::End => return Line::End,
            Line::Other => {}
        }
        let letters = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
        let mut words = line.split_whitespace().filter(|word| letters(word));
        if words.next().is_none() {
            return Line::Other;
        }
        // Names in columns are another table's header.
        let names = words.next().is_some() && (line.trim().contains("  ") || line.trim().contains('\t'));
        if names && !line.bytes().any(|b| b.is_ascii_digit()) {
            return Line::End;
        }
        self.interrupted = true;
        Line::Other
    }

    fn row(&mut self, line: &str, found: &mut Found) -> Line {
        let between_bars = cells(line);
        if between_bars.is_some() != self.bars {
            return Line::Other;
        }
        let mut cells: Vec<(usize, usize, &str)> = match between_bars {
            Some(cells) => cells.into_iter().map(|cell| (0, 0, cell)).collect(),
            None => words(line).take(self.columns.len() + 1).collect(),
        };
        if self.last.is_none() && cells.len() < self.columns.len() {
            self.join_names(cells.len());
        }
        let count = self.columns.len();
        // A progress bar may follow the last cell.
        let bar_follows = cells.len() > count && cells[count - 1].2.ends_with(':');
        if cells.len() < count || (cells.len() > count && !bar_follows) {
            return Line::Other;
        }
        cells.truncate(count);
        let is_fit = |cell: &str| {
            number(cell).is_some() || matches!(cell, "-" | "None" | "—" | "") || cell.starts_with(|c: char| c.is_ascii_digit())
        };
        if !cells.iter().skip(1).all(|(_, _, cell)| is_fit(cell.trim_end_matches(':'))) {
            return Line::Other;
        }
        if self.aligned && !line.contains('\t') && !self.under(&cells) {
            return Line::Other;
        }
        let first = cells[0].2;
        if self.columns[0].name == "Class" {
            if first != "all" {
                return Line::Other;
            }
        } else {
            let (part, total) = first.split_once('/').map_or((first, None), |(part, total)| (part, Some(total)));
            let Some(part) = number(part).filter(|part| part.is_finite()) else { return Line::Other };
            // Another table without a header.
            if self.last.is_some_and(|last| part < last || (self.interrupted && part == last)) {
                return Line::End;
            }
            self.last = Some(part);
            let total = total.and_then(number);
            if judge(&self.columns[0].name).meaning == Meaning::Epoch {
                found.epoch = Some(part);
                found.epochs = total;
            } else {
                found.step = whole(part);
                found.steps = total.and_then(whole);
            }
        }
        for (column, (_, _, cell)) in self.columns.iter().zip(&cells).skip(1) {
            let Some(value) = number(cell.trim_end_matches(['%', '*'])) else {
                continue;
            };
            match judge(&column.name).meaning {
                Meaning::Epoch if value.is_finite() => found.epoch = Some(value),
                Meaning::Step | Meaning::GlobalStep if whole(value).is_some() => found.step = whole(value),
                Meaning::Rejected if !matches!(column.name.as_str(), "P" | "R") => {}
                Meaning::Config | Meaning::Total | Meaning::Epoch | Meaning::Step | Meaning::GlobalStep => {}
                _ => found.set(column.name.clone(), value),
            }
        }
        found.reader = Some("table");
        Line::Row
    }

    /// Makes one column of words with one blank between them, if so many columns are left: `Train Loss   Remaining Time`.
    fn join_names(&mut self, left: usize) {
        if self.columns.iter().filter(|column| !column.glued).count() != left {
            return;
        }
        let mut joined: Vec<Column> = Vec::with_capacity(left);
        for column in self.columns.drain(..) {
            match joined.last_mut() {
                Some(before) if column.glued => {
                    before.name = format!("{}_{}", before.name, column.name);
                    before.to = column.to;
                }
                _ => joined.push(column),
            }
        }
        self.columns = joined;
    }

    /// Whether each cell stands roughly under its column: behind the column before it or before the one behind it.
    fn under(&self, cells: &[(usize, usize, &str)]) -> bool {
        cells.iter().enumerate().all(|(at, (from, to, _))| {
            let behind = at.checked_sub(1).and_then(|before| self.columns.get(before)).is_none_or(|column| *to > column.to);
            behind && self.columns.get(at + 1).is_none_or(|column| *from < column.from)
        })
    }
}
