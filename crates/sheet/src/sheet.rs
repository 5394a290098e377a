//! What reading gives: a sheet of named columns and numbered rows, and what was wrong or worth a word.

use neronet_model::Value;
use std::fmt;

/// The table of one sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The sheet's name; of a text file, the file's name without its ending.
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// What was read otherwise than somebody may expect.
    pub notes: Vec<Mistake>,
    /// Other visible sheets of the file with something in them.
    pub others: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The header's text, or `group.text` where two groups have the same one.
    pub name: String,
    /// As the spreadsheet shows it: `C`.
    pub letter: String,
    /// From which row on it has another letter: in a table further below.
    pub moved: Vec<(u32, String)>,
    /// What stands above the header, over this column and perhaps some more.
    pub group: Option<String>,
    pub role: Role,
}

impl Column {
    pub fn letters(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.letter).chain(self.moved.iter().map(|(_, letter)| letter)).map(String::as_str)
    }

    /// Where its cell is in a row.
    pub fn letter_in(&self, row: u32) -> &str {
        self.moved.iter().rev().find(|(from, _)| *from <= row).map_or(&self.letter, |(_, letter)| letter)
    }
}

/// What a column is for, by its header. All but `Value` and `Comments` are there at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Date,
    Status,
    Name,
    Command,
    Git,
    Comments,
    /// A parameter, or a result.
    Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// As the spreadsheet shows it, counted from 1.
    pub number: u32,
    /// The sheet does not show it.
    pub hidden: bool,
    /// One for each column; nothing where the cell is blank or wrong.
    pub cells: Vec<Option<Cell>>,
    /// Cells of this row that have no value, such as `#DIV/0!`. Other rows are good all the same.
    pub mistakes: Vec<Mistake>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// As it is written or shown, blanks around it included: `10%`.
    pub text: String,
    /// What it means: `0.1`. Text is text exactly as written, without blanks around it.
    pub value: Value,
}

/// Something wrong, or worth a word: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named, the sheet and the cell: `runs.xlsx, sheet 'runs', C7`.
    pub place: String,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n = {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mistake {}
