//! Values that some of the rows of a block have: dense while every row so far had one, with the rows' numbers from the first gap on.

use crate::Damaged;
use crate::column::{Plain, pack, unpack};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sparse<T> {
    pub(crate) values: Vec<T>,
    /// Empty while value i is that of row i.
    rows: Vec<u32>,
}

/// What must be known to read one back: nothing else is in its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) count: u32,
    /// How many bytes the rows' numbers take; none where it is dense.
    pub(crate) rows: u32,
}

impl Shape {
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }
}

impl<T: Plain> Sparse<T> {
    pub(crate) fn push(&mut self, row: u32, value: T) {
        if self.rows.is_empty() && row as usize != self.values.len() {
            self.rows = (0..self.values.len() as u32).collect();
        }
        if !self.rows.is_empty() || row as usize != self.values.len() {
            self.rows.push(row);
        }
        self.values.push(value);
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The row that value i belongs to.
    pub(crate) fn row(&self, i: usize) -> usize {
        self.rows.get(i).map_or(i, |row| *row as usize)
    }

    pub(crate) fn pack(&self, out: &mut Vec<u8>) -> Shape {
        let start = out.len();
        if !self.rows.is_empty() {
            pack(&self.rows, out);
        }
        let rows = (out.len() - start) as u32;
        pack(&self.values, out);
        Shape { count: self.values.len() as u32, rows }
    }

    pub(crate) fn unpack(bytes: &[u8], shape: Shape) -> Result<Sparse<T>, Damaged> {
        let (rows, values) = bytes.split_at_checked(shape.rows as usize).ok_or(Damaged)?;
        let rows = if rows.is_empty() { Vec::new() } else { unpack(rows, shape.count())? };
        Ok(Sparse { values: unpack(values, shape.count())?, rows })
    }
}

/// Reads a `Sparse` by rows that never go back.
pub(crate) struct Cursor<'a, T> {
    of: &'a Sparse<T>,
    next: usize,
}

impl<'a, T: Plain> Cursor<'a, T> {
    pub(crate) fn new(of: &'a Sparse<T>) -> Cursor<'a, T> {
        Cursor { of, next: 0 }
    }

    /// The value of a row, and the last one of any row up to it.
    pub(crate) fn at(&mut self, row: usize) -> (Option<T>, Option<T>) {
        if self.of.rows.is_empty() {
            let here = self.of.values.get(row).copied();
            return (here, here.or(self.of.values.last().copied()));
        }
        while self.next < self.of.len() && self.of.row(self.next) <= row {
            self.next += 1;
        }
        let Some(last) = self.next.checked_sub(1) else { return (None, None) };
        let value = self.of.values[last];
        ((self.of.row(last) == row).then_some(value), Some(value))
    }
}
