//! One column of a group of rows: values as they come, and the pages that they become.

use crate::thrift::{structure, varint};
use std::collections::HashMap;

const PLAIN: i32 = 0;
const RLE: i32 = 3;
const RLE_DICTIONARY: i32 = 8;
const DATA_PAGE: i32 = 0;
const DICTIONARY_PAGE: i32 = 2;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Double,
    Text,
    /// Milliseconds since the Unix epoch, given as integers.
    Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Blank,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
}

impl Kind {
    /// Parquet's type.
    pub(crate) fn physical(self) -> i32 {
        match self {
            Kind::Bool => 0,
            Kind::Int | Kind::Time => 2,
            Kind::Double => 5,
            Kind::Text => 6,
        }
    }
}

/// The values of a column since the last group.
#[derive(Default)]
pub(crate) struct Gathered {
    /// For each stretch of rows: how many, and whether they have a value.
    filled: Vec<(u64, bool)>,
    rows: u64,
    /// Values one after the other; of booleans a byte each.
    plain: Vec<u8>,
    /// Places in the dictionary: how often in a row, which.
    places: Vec<(u64, u32)>,
    dictionary: HashMap<String, u32>,
    entries: Vec<u8>,
}

/// The pages of a column chunk, and what the footer says of them.
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) values: u64,
    /// Where the first data page begins; before it there is a dictionary.
    pub(crate) data: usize,
    pub(crate) encodings: &'static [i32],
}

impl Gathered {
    /// Takes the next value. One that the column cannot hold is none.
    pub(crate) fn push(&mut self, kind: Kind, cell: Cell<'_>) {
        let filled = match (kind, cell) {
            (Kind::Bool, Cell::Bool(truth)) => self.fixed(&[u8::from(truth)]),
            (Kind::Int | Kind::Time, Cell::Int(int)) => self.fixed(&int.to_le_bytes()),
            (Kind::Double, Cell::Double(number)) => self.fixed(&number.to_le_bytes()),
            (Kind::Double, Cell::Int(int)) => self.fixed(&(int as f64).to_le_bytes()),
            (Kind::Text, Cell::Text(text)) => self.text(text),
            _ => false,
        };
        self.rows += 1;
        match self.filled.last_mut() {
            Some((count, known)) if *known == filled => *count += 1,
            _ => self.filled.push((1, filled)),
        }
    }

    fn fixed(&mut self, bytes: &[u8]) -> bool {
        self.plain.extend_from_slice(bytes);
        true
    }

    fn text(&mut self, text: &str) -> bool {
        let place = match self.dictionary.get(text) {
            Some(place) => *place,
            None => {
                let place = self.dictionary.len() as u32;
                self.dictionary.insert(text.to_string(), place);
                self.entries.extend_from_slice(&(text.len() as u32).to_le_bytes());
                self.entries.extend_from_slice(text.as_bytes());
                place
            }
        };
        match self.places.last_mut() {
            Some((count, known)) if *known == place => *count += 1,
            _ => self.places.push((1, place)),
        }
        true
    }

    pub(crate) fn bytes(&self) -> usize {
        self.plain.len() + self.entries.len() + self.places.len() * 4 + self.filled.len() * 4
    }

    /// Makes pages of what was gathered, and begins anew.
    pub(crate) fn cut(&mut self, kind: Kind) -> Chunk {
        let gathered = std::mem::take(self);
        let mut bytes = Vec::new();
        if kind == Kind::Text {
            let head = |fields: &mut crate::thrift::Fields| {
                fields.structure(7, |page| {
                    page.i32(1, gathered.dictionary.len() as i32).i32(2, PLAIN);
                });
            };
            page(&mut bytes, DICTIONARY_PAGE, &gathered.entries, head);
        }
        let data = bytes.len();
        let levels = stretches(gathered.filled.iter().map(|(count, filled)| (*count, u32::from(*filled))), 1);
        let mut body = (levels.len() as u32).to_le_bytes().to_vec();
        body.extend(levels);
        let encoding = if kind == Kind::Text { RLE_DICTIONARY } else { PLAIN };
        match kind {
            Kind::Text => {
                let width = (u32::BITS - (gathered.dictionary.len() as u32).saturating_sub(1).leading_zeros()).max(1);
                body.push(width as u8);
                body.extend(stretches(gathered.places.iter().copied(), width));
            }
            Kind::Bool => body.extend(gathered.plain.chunks(8).map(|eight| {
                let bit = |(at, truth): (usize, &u8)| truth << at;
                eight.iter().enumerate().map(bit).fold(0, |byte, bit| byte | bit)
            })),
            Kind::Int | Kind::Double | Kind::Time => body.extend(gathered.plain),
        }
        page(&mut bytes, DATA_PAGE, &body, |fields| {
            fields.structure(5, |page| {
                page.i32(1, gathered.rows as i32).i32(2, encoding).i32(3, RLE).i32(4, RLE);
            });
        });
        let encodings: &[i32] = if kind == Kind::Text { &[PLAIN, RLE, RLE_DICTIONARY] } else { &[PLAIN, RLE] };
        Chunk { bytes, values: gathered.rows, data, encodings }
    }
}

fn page(out: &mut Vec<u8>, kind: i32, body: &[u8], head: impl FnOnce(&mut crate::thrift::Fields)) {
    out.extend(structure(|fields| {
        fields.i32(1, kind).i32(2, body.len() as i32).i32(3, body.len() as i32);
        head(fields);
    }));
    out.extend_from_slice(body);
}

/// Equal values one behind the other, each as a count and the value.
fn stretches(all: impl Iterator<Item = (u64, u32)>, width: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = width.div_ceil(8) as usize;
    for (count, value) in all {
        varint(&mut out, count << 1);
        out.extend(value.to_le_bytes().iter().take(bytes));
    }
    out
}
