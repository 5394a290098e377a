//! A file of Parquet, group by group: what was written is never looked at again, and the footer says where it is.

use crate::column::{Cell, Chunk, Column, Gathered, Kind};
use crate::thrift::{Fields, structure};
use std::io::{self, Write};

const MARK: &[u8; 4] = b"PAR1";
/// Rows and bytes of a group; what is gathered is in memory.
const ROWS: u64 = 128 << 10;
const BYTES: usize = 32 << 20;
const OPTIONAL: i32 = 1;

pub struct Writer<W: Write> {
    out: W,
    at: u64,
    columns: Vec<(Column, Gathered)>,
    /// Rows since the last group.
    waiting: u64,
    rows: u64,
    groups: Vec<Vec<u8>>,
}

impl<W: Write> Writer<W> {
    pub fn new(mut out: W, columns: Vec<Column>) -> io::Result<Writer<W>> {
        out.write_all(MARK)?;
        let columns = columns.into_iter().map(|column| (column, Gathered::default())).collect();
        Ok(Writer { out, at: MARK.len() as u64, columns, waiting: 0, rows: 0, groups: Vec::new() })
    }

    /// Takes a row; of columns without a cell the value is missing.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> io::Result<()> {
        let mut cells = cells.into_iter();
        for (column, gathered) in &mut self.columns {
            gathered.push(column.kind, cells.next().unwrap_or(Cell::Blank));
        }
        self.waiting += 1;
        let bytes = || self.columns.iter().map(|(_, gathered)| gathered.bytes()).sum::<usize>();
        // To add up what there is takes longer than a row.
        let is_full = self.waiting >= ROWS || (self.waiting.is_multiple_of(64) && bytes() >= BYTES);
        if is_full { self.group() } else { Ok(()) }
    }

    /// Writes what waits and the footer. Nothing is there before that.
    pub fn finish(mut self) -> io::Result<W> {
        if self.waiting > 0 {
            self.group()?;
        }
        let elements: Vec<Vec<u8>> = self.columns.iter().map(|(column, _)| element(column)).collect();
        let root = structure(|fields| {
            fields.text(4, "schema").i32(5, elements.len() as i32);
        });
        let schema: Vec<Vec<u8>> = [root].into_iter().chain(elements).collect();
        let footer = structure(|fields| {
            fields.i32(1, 2).structures(2, schema.into_iter()).i64(3, self.rows as i64);
            fields.structures(4, std::mem::take(&mut self.groups).into_iter()).text(6, "neronet");
        });
        self.out.write_all(&footer)?;
        self.out.write_all(&(footer.len() as u32).to_le_bytes())?;
        self.out.write_all(MARK)?;
        Ok(self.out)
    }

    fn group(&mut self) -> io::Result<()> {
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        for (column, gathered) in &mut self.columns {
            let chunk = gathered.cut(column.kind);
            self.out.write_all(&chunk.bytes)?;
            chunks.push(described(column, &chunk, self.at));
            self.at += chunk.bytes.len() as u64;
            bytes += chunk.bytes.len();
        }
        self.groups.push(structure(|fields| {
            fields.structures(1, chunks.into_iter()).i64(2, bytes as i64).i64(3, self.waiting as i64);
        }));
        self.rows += self.waiting;
        self.waiting = 0;
        Ok(())
    }
}

/// A column in the schema.
fn element(column: &Column) -> Vec<u8> {
    const UTF8: i32 = 0;
    const TIMESTAMP_MILLIS: i32 = 9;
    structure(|fields| {
        fields.i32(1, column.kind.physical()).i32(3, OPTIONAL).text(4, &column.name);
        match column.kind {
            Kind::Text => {
                fields.i32(6, UTF8).structure(10, |logical| {
                    logical.structure(1, |_| {});
                });
            }
            Kind::Time => {
                fields.i32(6, TIMESTAMP_MILLIS).structure(10, |logical| {
                    logical.structure(8, |timestamp| {
                        timestamp.bool(1, true).structure(2, |unit| {
                            unit.structure(1, |_| {});
                        });
                    });
                });
            }
            Kind::Bool | Kind::Int | Kind::Double => {}
        }
    })
}

/// A column chunk that begins at `at`.
fn described(column: &Column, chunk: &Chunk, at: u64) -> Vec<u8> {
    const UNCOMPRESSED: i32 = 0;
    let length = chunk.bytes.len() as i64;
    let meta = |fields: &mut Fields| {
        fields.i32(1, column.kind.physical()).i32s(2, chunk.encodings).texts(3, &[&column.name]).i32(4, UNCOMPRESSED);
        fields.i64(5, chunk.values as i64).i64(6, length).i64(7, length).i64(9, at as i64 + chunk.data as i64);
        if chunk.data > 0 {
            fields.i64(11, at as i64);
        }
    };
    structure(|fields| {
        fields.i64(2, at as i64).structure(3, meta);
    })
}

#[cfg(test)]
mod tests;
