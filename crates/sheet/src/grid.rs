//! The filled cells of a sheet as they lie in it, before anything is known of headers. All formats are read into this.

use crate::limits;
use crate::place::Place;
use crate::sheet::Mistake;
use std::collections::{BTreeMap, BTreeSet};

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    /// Text in a cell that is known to hold text.
    Text(String),
    /// A cell of a text file, which may mean a number.
    Typed(String),
    Number(f64),
    /// A formula's number: people see at most 15 digits of it.
    Computed(f64),
    Percent(f64),
    Bool(bool),
    /// A date, time or duration, as ISO text.
    Moment(String),
    Faulty(Fault),
}

/// Why a cell has no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// `#DIV/0!`, as the sheet says it.
    Error(String),
    /// A formula that no spreadsheet program has computed yet.
    NotComputed,
    /// The file contradicts itself.
    Broken(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct Grid {
    /// In the order of the sheet, each with at least one cell.
    pub(crate) rows: Vec<GridRow>,
    pub(crate) merges: Vec<Area>,
    /// The numbers of rows that are hidden, or filtered away.
    pub(crate) hidden: BTreeSet<u32>,
    /// What separates the cells of a text file.
    pub(crate) separator: Option<char>,
    cells: usize,
    text: usize,
    unsorted: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GridRow {
    /// Counted from 1.
    pub(crate) number: u32,
    /// By column, counted from 0, from left to right.
    pub(crate) cells: Vec<(u16, Raw)>,
}

/// Cells that are merged into one; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) top: u32,
    pub(crate) left: u16,
    pub(crate) bottom: u32,
    pub(crate) right: u16,
}

impl Raw {
    /// The text, where it is nothing else than text.
    pub(crate) fn words(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => Some(text),
            Raw::Typed(text) if crate::value::is_words(text) => Some(text),
            _ => None,
        }
    }

    fn written(&self) -> Option<&str> {
        match self {
            Raw::Text(text) | Raw::Typed(text) | Raw::Moment(text) | Raw::Faulty(Fault::Error(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.written().is_some_and(|text| text.trim().is_empty())
    }
}

impl GridRow {
    pub(crate) fn get(&self, column: u16) -> Option<&Raw> {
        self.cells.binary_search_by_key(&column, |(column, _)| *column).ok().and_then(|at| Some(&self.cells.get(at)?.1))
    }
}

impl Grid {
    /// A grid for another sheet of the same file, with what this one leaves of their common bounds.
    pub(crate) fn next(&self) -> Grid {
        Grid { cells: self.cells, text: self.text, ..Grid::default() }
    }

    /// Adds a cell; blank ones are nothing. The row counts from 1, the column from 0.
    pub(crate) fn push(&mut self, place: Place, row: u32, column: u16, raw: Raw) -> Result<(), Mistake> {
        if raw.is_blank() {
            return Ok(());
        }
        self.weigh(place, row, column, &raw)?;
        match self.rows.last_mut() {
            Some(last) if last.number == row => {
                self.unsorted |= last.cells.last().is_some_and(|(before, _)| *before >= column);
                last.cells.push((column, raw));
            }
            last => {
                self.unsorted |= last.is_some_and(|last| last.number > row);
                self.rows.push(GridRow { number: row, cells: vec![(column, raw)] });
            }
        }
        Ok(())
    }

    fn weigh(&mut self, place: Place, row: u32, column: u16, raw: &Raw) -> Result<(), Mistake> {
        let text = raw.written().unwrap_or_default();
        if text.len() > limits::CELL && text.chars().count() > limits::CELL {
            return Err(place.cell(
                row,
                column,
                format!("the cell has more than {} characters", limits::CELL),
                "keep long texts in a file and name the file here",
            ));
        }
        self.cells += 1;
        self.text += text.len();
        // A few more rows than are allowed below the header: there is a header, and perhaps a title.
        if self.rows.len() > limits::ROWS + 100 {
            return Err(too_many_rows(place));
        }
        if self.cells > limits::CELLS || self.text > limits::TEXT {
            return Err(too_much(place));
        }
        Ok(())
    }

    /// All cells are there: puts them in order, where the file did not, and gives a merged cell's value to each row that it covers.
    pub(crate) fn finish(mut self, place: Place) -> Result<Grid, Mistake> {
        if self.unsorted {
            self.rows.sort_by_key(|row| row.number);
            self.rows.dedup_by(|next, row| {
                let same = next.number == row.number;
                if same {
                    row.cells.append(&mut next.cells);
                }
                same
            });
            for row in &mut self.rows {
                row.cells.sort_by_key(|(column, _)| *column);
                row.cells.dedup_by_key(|(column, _)| *column);
            }
        }
        self.fill_down(place)?;
        Ok(self)
    }

    /// Only rows that have cells of their own get one: a merge over blank rows makes no runs.
    fn fill_down(&mut self, place: Place) -> Result<(), Mistake> {
        let mut tall: Vec<Area> = self.merges.iter().filter(|area| area.bottom > area.top).copied().collect();
        tall.sort_by_key(|area| (area.top, area.left));
        let mut coming = tall.into_iter().peekable();
        // What reaches down into the row at hand: by column, its last row and its value.
        let mut open: BTreeMap<u16, (u32, Raw)> = BTreeMap::new();
        for at in 0..self.rows.len() {
            let number = self.rows[at].number;
            open.retain(|_, (bottom, _)| *bottom >= number);
            for (column, (_, raw)) in &open {
                if let Err(here) = self.rows[at].cells.binary_search_by_key(column, |(column, _)| *column) {
                    self.rows[at].cells.insert(here, (*column, raw.clone()));
                    self.cells += 1;
                    self.text += raw.written().map_or(0, str::len);
                }
            }
            if self.cells > limits::CELLS || self.text > limits::TEXT {
                return Err(too_much(place));
            }
            while let Some(area) = coming.next_if(|area| area.top <= number) {
                if let Some(raw) = self.rows[at].get(area.left).filter(|_| area.top == number) {
                    open.insert(area.left, (area.bottom, raw.clone()));
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn too_many_rows(place: Place) -> Mistake {
    place.mistake(format!("more than {} rows", limits::ROWS), "split the table into several files")
}

pub(crate) fn too_much(place: Place) -> Mistake {
    let message = format!("the table is too large: more than {} cells, or {} MB of text", limits::CELLS, limits::TEXT >> 20);
    place.mistake(message, "split the table into several files")
}
