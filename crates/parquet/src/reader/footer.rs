//! The end of a file: which columns there are, and where the chunks of each lie.

use super::Unreadable;
use super::thrift::{Fields, structure};
use crate::column::{Column, Kind};
use std::io::{Read, Seek, SeekFrom};

const MARK: &[u8; 4] = b"PAR1";
/// A hundred million rows need a tenth of that.
const LONGEST: u64 = 16 << 20;
const MOST_COLUMNS: usize = 10_000;
const DAMAGED: Unreadable = Unreadable::Damaged("its footer says what cannot be");

pub(super) struct Footer {
    pub(super) columns: Vec<Leaf>,
    pub(super) groups: Vec<Group>,
}

/// A column as the schema has it.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    name: String,
    pub(super) physical: i64,
    pub(super) optional: bool,
    /// One that cannot be read: lists and what is in them.
    pub(super) is_nested: bool,
    /// Of moments: so many of its units are a millisecond, or so many milliseconds one of them.
    pub(super) unit: Option<Unit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Milli,
    Micro,
    Nano,
}

pub(super) struct Group {
    pub(super) rows: u64,
    pub(super) chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chunk {
    pub(super) codec: i64,
    pub(super) values: u64,
    /// Where its first page begins, and how many bytes its pages take.
    pub(super) at: u64,
    pub(super) bytes: u64,
}

impl Leaf {
    pub(super) fn column(&self) -> Column {
        let kind = match self.physical {
            _ if self.unit.is_some() => Kind::Time,
            0 => Kind::Bool,
            1 | 2 => Kind::Int,
            4 | 5 => Kind::Double,
            _ => Kind::Text,
        };
        Column { name: self.name.clone(), kind }
    }
}

pub(super) fn footer(input: &mut (impl Read + Seek)) -> Result<Footer, Unreadable> {
    const NONE: Unreadable = Unreadable::Damaged("it does not begin and end as a Parquet file does");
    let mut mark = [0; 4];
    input.seek(SeekFrom::Start(0))?;
    input.read_exact(&mut mark)?;
    let end = input.seek(SeekFrom::End(0))?;
    let mut tail = [0; 8];
    input.seek(SeekFrom::Start(end.checked_sub(8).ok_or(NONE)?))?;
    input.read_exact(&mut tail)?;
    let Some((length, last)) = tail.split_first_chunk::<4>() else { return Err(NONE) };
    let length = u64::from(u32::from_le_bytes(*length));
    if mark != *MARK || last != MARK {
        return Err(NONE);
    }
    if length > LONGEST {
        return Err(Unreadable::Unknown(format!("its footer has {length} bytes, more than are read")));
    }
    let at = end.checked_sub(8 + length).ok_or(DAMAGED)?;
    input.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    read(&bytes, at)
}

/// Reads a footer that begins at this byte of the file.
fn read(bytes: &[u8], end: u64) -> Result<Footer, Unreadable> {
    let mut footer = Footer { columns: Vec::new(), groups: Vec::new() };
    for field in structure(bytes)?.0 {
        match field? {
            (2, schema) => footer.columns = columns(schema.structures()?)?,
            (4, groups) => {
                for group in groups.structures()? {
                    footer.groups.push(read_group(group?, (footer.columns.len(), end))?);
                }
            }
            _ => {}
        }
    }
    Ok(footer)
}

fn columns<'b>(elements: impl Iterator<Item = Result<Fields<'b>, Unreadable>>) -> Result<Vec<Leaf>, Unreadable> {
    let mut leaves = Vec::new();
    // How many elements of each structure that one is in are still to come.
    let mut open: Vec<u64> = Vec::new();
    for (at, element) in elements.enumerate() {
        let mut leaf = Leaf { name: String::new(), physical: -1, optional: false, is_nested: open.len() > 1, unit: None };
        let mut children = 0;
        for field in element? {
            match field? {
                (1, kind) => leaf.physical = kind.int()?,
                (3, repetition) => {
                    let repetition = repetition.int()?;
                    (leaf.optional, leaf.is_nested) = (repetition == 1, leaf.is_nested || repetition == 2);
                }
                (4, name) => leaf.name = name.text()?.to_string(),
                (5, count) => children = count.size()?,
                (6, converted) => {
                    leaf.unit = leaf.unit.or(match converted.int()? {
                        9 => Some(Unit::Milli),
                        10 => Some(Unit::Micro),
                        _ => None,
                    });
                }
                (10, logical) => leaf.unit = unit(logical.fields()?)?.or(leaf.unit),
                _ => {}
            }
        }
        if let Some(left) = open.last_mut() {
            *left = left.checked_sub(1).ok_or(DAMAGED)?;
        }
        if children > 0 || at == 0 {
            open.push(children);
        } else {
            leaves.push(leaf);
        }
        while open.len() > 1 && open.last() == Some(&0) {
            open.pop();
        }
        if leaves.len() > MOST_COLUMNS || open.len() > MOST_COLUMNS {
            return Err(Unreadable::Unknown(format!("it has more than {MOST_COLUMNS} columns")));
        }
    }
    Ok(leaves)
}

/// The unit of a logical type, where it is one of moments.
fn unit(logical: Fields<'_>) -> Result<Option<Unit>, Unreadable> {
    for field in logical {
        let (8, timestamp) = field? else { continue };
        for field in timestamp.fields()? {
            let (2, unit) = field? else { continue };
            return Ok(match unit.fields()?.next().transpose()? {
                Some((1, _)) => Some(Unit::Milli),
                Some((2, _)) => Some(Unit::Micro),
                Some((3, _)) => Some(Unit::Nano),
                _ => None,
            });
        }
    }
    Ok(None)
}

fn read_group(group: Fields<'_>, (columns, end): (usize, u64)) -> Result<Group, Unreadable> {
    let mut found = Group { rows: 0, chunks: Vec::new() };
    for field in group {
        match field? {
            (1, chunks) => {
                for chunk in chunks.structures()?.take(columns + 1) {
                    found.chunks.push(read_chunk(chunk?, end)?);
                }
            }
            (3, rows) => found.rows = rows.size()?,
            _ => {}
        }
    }
    if found.chunks.len() == columns { Ok(found) } else { Err(DAMAGED) }
}

fn read_chunk(chunk: Fields<'_>, end: u64) -> Result<Chunk, Unreadable> {
    let (mut found, mut dictionary) = (Chunk::default(), None);
    for field in chunk {
        match field? {
            (1, _) => return Err(Unreadable::Unknown("its columns lie in other files".into())),
            (3, meta) => {
                for field in meta.fields()? {
                    match field? {
                        (4, codec) => found.codec = codec.int()?,
                        (5, values) => found.values = values.size()?,
                        (7, bytes) => found.bytes = bytes.size()?,
                        (9, at) => found.at = at.size()?,
                        (11, at) => dictionary = Some(at.size()?),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    found.at = dictionary.filter(|at| *at > 0).map_or(found.at, |at| at.min(found.at));
    let within = found.at.checked_add(found.bytes).is_some_and(|behind| behind <= end);
    if within { Ok(found) } else { Err(DAMAGED) }
}
