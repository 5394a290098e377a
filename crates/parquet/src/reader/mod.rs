//! Tables read from Parquet, row by row: what `Writer` writes, and tables of the same kind by other programs, uncompressed or with
//! Snappy, as pyarrow, pandas and DuckDB write them. Pages are in memory one for each column; whatever the bytes are, there is an end
//! of that.
//!
//! `footer` finds out where everything is, `page` opens one page after the other of each column, `levels` and `snappy` are how those
//! are packed.

mod footer;
mod levels;
mod page;
mod snappy;
mod thrift;

use crate::column::{Cell, Column};
use footer::{Footer, footer};
use page::Cursor;
use std::fmt;
use std::io::{self, Read, Seek};

/// Why a file is not read.
#[derive(Debug)]
pub enum Unreadable {
    Io(io::Error),
    Damaged(&'static str),
    /// What it has that is not read, and what to do.
    Unknown(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Io(error) => error.fmt(f),
            Unreadable::Damaged(what) => write!(f, "it is damaged: {what}"),
            Unreadable::Unknown(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Unreadable {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Unreadable::Damaged("it ends too soon"),
            _ => Unreadable::Io(error),
        }
    }
}

/// A file whose rows are read from the first to the last.
pub struct Reader<R> {
    input: R,
    footer: Footer,
    columns: Vec<Column>,
    /// Of each column that is read, where in it one is.
    cursors: Vec<Cursor>,
    /// The group that comes next, and rows left of the one before.
    group: usize,
    left: u64,
}

impl<R: Read + Seek> Reader<R> {
    pub fn open(mut input: R) -> Result<Reader<R>, Unreadable> {
        let footer = footer(&mut input)?;
        let columns: Vec<Column> = footer.columns.iter().map(footer::Leaf::column).collect();
        Ok(Reader { input, footer, columns, cursors: Vec::new(), group: 0, left: 0 })
    }

    /// Its columns. Those of kinds that Parquet has besides count as texts; to ask for such a one is an error.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next row's cells of these columns, by their places, the same ones each time. Nothing behind the last row.
    pub fn row(&mut self, wanted: &[usize]) -> Result<Option<Vec<Cell<'_>>>, Unreadable> {
        while self.left == 0 {
            let Some(group) = self.footer.groups.get(self.group) else { return Ok(None) };
            self.group += 1;
            self.left = group.rows;
            self.cursors.clear();
            for at in wanted {
                let (Some(leaf), Some(chunk)) = (self.footer.columns.get(*at), group.chunks.get(*at)) else {
                    return Err(Unreadable::Damaged("a group of rows lacks a column"));
                };
                self.cursors.push(Cursor::new(leaf, chunk, group.rows)?);
            }
        }
        self.left -= 1;
        for at in 0..self.cursors.len() {
            let needs_page = self.cursors.get(at).is_some_and(Cursor::needs_page);
            let others = self.cursors.iter().enumerate().filter(|(other, _)| needs_page && *other != at);
            let held = others.map(|(_, cursor)| cursor.held()).sum();
            if let Some(cursor) = self.cursors.get_mut(at) {
                cursor.advance(&mut self.input, held)?;
            }
        }
        Ok(Some(self.cursors.iter().map(Cursor::cell).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests;
