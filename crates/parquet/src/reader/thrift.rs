//! Thrift's compact protocol, read: fields out of bytes, without copies. What is not asked for is passed over.

use super::Unreadable;

/// Structures are nested so deep at most; Parquet's own are not by far.
const DEEPEST: usize = 16;
const DAMAGED: Unreadable = Unreadable::Damaged("a structure of it cannot be read");

#[derive(Debug, Clone, Copy)]
pub(super) enum Thing<'b> {
    Bool(bool),
    Int(i64),
    Bytes(&'b [u8]),
    /// The type of its elements, their number, and their bytes.
    List(u8, u64, &'b [u8]),
    Fields(&'b [u8]),
    Other,
}

impl<'b> Thing<'b> {
    pub(super) fn int(self) -> Result<i64, Unreadable> {
        if let Thing::Int(int) = self { Ok(int) } else { Err(DAMAGED) }
    }
    /// A length or an offset.
    pub(super) fn size(self) -> Result<u64, Unreadable> {
        u64::try_from(self.int()?).map_err(|_| DAMAGED)
    }
    pub(super) fn text(self) -> Result<&'b str, Unreadable> {
        if let Thing::Bytes(bytes) = self { str::from_utf8(bytes).map_err(|_| DAMAGED) } else { Err(DAMAGED) }
    }
    pub(super) fn fields(self) -> Result<Fields<'b>, Unreadable> {
        if let Thing::Fields(bytes) = self { Ok(Fields::of(bytes)) } else { Err(DAMAGED) }
    }
    /// The elements of a list of structures.
    pub(super) fn structures(self) -> Result<impl Iterator<Item = Result<Fields<'b>, Unreadable>>, Unreadable> {
        let Thing::List(12, count, bytes) = self else { return Err(DAMAGED) };
        let mut bytes = Bytes(bytes);
        Ok((0..count).map(move |_| bytes.thing(12, 0)?.fields()))
    }
}

/// The fields of one structure, with their ids.
#[derive(Debug, Clone)]
pub(super) struct Fields<'b> {
    bytes: Bytes<'b>,
    last: i64,
    over: bool,
}

impl<'b> Fields<'b> {
    pub(super) fn of(bytes: &'b [u8]) -> Fields<'b> {
        Fields { bytes: Bytes(bytes), last: 0, over: false }
    }

    fn field(&mut self) -> Result<Option<(i64, u8)>, Unreadable> {
        let head = self.bytes.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => self.bytes.zigzag()?,
            delta => self.last.saturating_add(i64::from(delta)),
        };
        self.last = id;
        Ok(Some((id, head & 15)))
    }

    /// Passes over what is left of it; gives what is behind it.
    fn behind(mut self) -> Result<&'b [u8], Unreadable> {
        for field in self.by_ref() {
            field?;
        }
        Ok(self.bytes.0)
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(i64, Thing<'b>), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let found = self.field().and_then(|field| field.map(|(id, kind)| Ok((id, self.bytes.thing(kind, 0)?))).transpose()).transpose();
        self.over = !matches!(found, Some(Ok(_)));
        found
    }
}

/// A structure at the beginning of bytes, and how many of them it takes.
pub(super) fn structure(bytes: &[u8]) -> Result<(Fields<'_>, usize), Unreadable> {
    let behind = Fields::of(bytes).behind()?;
    Ok((Fields::of(bytes), bytes.len() - behind.len()))
}

#[derive(Debug, Clone, Copy)]
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> Result<u8, Unreadable> {
        let (first, rest) = self.0.split_first().ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for at in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DAMAGED)
    }

    fn zigzag(&mut self) -> Result<i64, Unreadable> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], Unreadable> {
        let length = usize::try_from(length).map_err(|_| DAMAGED)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Takes a value of this type.
    fn thing(&mut self, kind: u8, depth: usize) -> Result<Thing<'b>, Unreadable> {
        if depth > DEEPEST {
            return Err(DAMAGED);
        }
        let before = self.0;
        let taken = |bytes: &Bytes<'b>| before.get(..before.len() - bytes.0.len()).unwrap_or_default();
        Ok(match kind {
            1 | 2 => Thing::Bool(kind == 1),
            3 => {
                self.byte()?;
                Thing::Other
            }
            4..=6 => Thing::Int(self.zigzag()?),
            7 => {
                self.take(8)?;
                Thing::Other
            }
            8 => {
                let length = self.varint()?;
                Thing::Bytes(self.take(length)?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                let begin = self.0;
                self.pass(head & 15, count, depth)?;
                let length = begin.len() - self.0.len();
                Thing::List(head & 15, count, begin.get(..length).unwrap_or_default())
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                for _ in 0..count {
                    self.pass(kinds >> 4, 1, depth)?;
                    self.pass(kinds & 15, 1, depth)?;
                }
                Thing::Other
            }
            12 => {
                let mut last = Fields::of(self.0);
                while let Some((_, kind)) = last.field()? {
                    last.bytes.thing(kind, depth + 1)?;
                }
                self.0 = last.bytes.0;
                Thing::Fields(taken(self))
            }
            _ => return Err(DAMAGED),
        })
    }

    /// Passes over elements of a list. Each takes a byte at least, booleans too.
    fn pass(&mut self, kind: u8, count: u64, depth: usize) -> Result<(), Unreadable> {
        for _ in 0..count {
            if kind <= 2 {
                self.byte()?;
            } else {
                self.thing(kind, depth + 1)?;
            }
        }
        Ok(())
    }
}
