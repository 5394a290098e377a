//! One column of one group of rows, value by value: its pages are opened one after the other.

use super::Unreadable;
use super::footer::{Chunk, Leaf, Unit};
use super::levels::{Levels, packed};
use super::snappy;
use super::thrift::{Fields, structure};
use crate::column::Cell;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_2: i64 = 3;
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const RLE_DICTIONARY: i64 = 8;
const UNCOMPRESSED: i64 = 0;
const SNAPPY: i64 = 1;
const CODECS: [&str; 8] = ["nothing", "Snappy", "gzip", "LZO", "Brotli", "LZ4", "Zstandard", "LZ4"];
/// What the pages and dictionaries of all columns together take in memory.
const MOST_HELD: usize = 256 << 20;
/// Heads of pages: nearly all, and those that hold long texts.
const HEADS: [u64; 2] = [1 << 10, 1 << 20];
const DAMAGED: Unreadable = Unreadable::Damaged("a page of it is not what it says");

pub(super) struct Cursor {
    physical: i64,
    optional: bool,
    unit: Option<Unit>,
    codec: i64,
    /// Where the next page begins, and behind the last.
    at: u64,
    end: u64,
    dictionary: Dictionary,
    page: Page,
    now: Now,
}

#[derive(Default)]
struct Dictionary {
    bytes: Vec<u8>,
    /// Where each value is.
    places: Vec<Range<usize>>,
}

/// A page that is open.
#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    /// Values left in it, those that are missing too.
    left: u64,
    /// Which are there; without it all are.
    filled: Option<Levels>,
    values: Values,
}

/// How the values that are there are kept.
enum Values {
    /// One after the other, from this byte on.
    Plain(usize),
    /// A bit each, from this bit on.
    Bits(usize),
    Equal(Levels),
    Places(Levels),
}

impl Default for Values {
    fn default() -> Values {
        Values::Plain(0)
    }
}

/// The value of the row that one is at.
enum Now {
    Blank,
    Bool(bool),
    /// Bytes of the page, or of the dictionary.
    Here(Range<usize>),
    There(Range<usize>),
}

/// What the head of a page says.
#[derive(Default)]
struct Head {
    kind: i64,
    packed: u64,
    bytes: u64,
    values: u64,
    encoding: i64,
    /// Of the second form: bytes of the levels, which are not compressed; and whether the rest is.
    levels: Option<(u64, u64)>,
    is_plain: bool,
}

impl Cursor {
    pub(super) fn new(leaf: &Leaf, chunk: &Chunk, rows: u64) -> Result<Cursor, Unreadable> {
        if leaf.is_nested || !matches!(leaf.physical, 0..=2 | 4..=6) {
            let name = leaf.column().name;
            return Err(Unreadable::Unknown(format!("its column '{}' is of a kind that is not read", name.escape_debug())));
        }
        if !matches!(chunk.codec, UNCOMPRESSED | SNAPPY) {
            let codec = usize::try_from(chunk.codec).ok().and_then(|codec| CODECS.get(codec)).unwrap_or(&"something unknown");
            return Err(Unreadable::Unknown(format!(
                "it is compressed with {codec}: write it with Snappy or uncompressed (pandas, pyarrow: compression='snappy'; \
                 Polars: compression='uncompressed')"
            )));
        }
        if chunk.values != rows {
            return Err(Unreadable::Damaged("its columns have not as many values as there are rows"));
        }
        Ok(Cursor {
            physical: leaf.physical,
            optional: leaf.optional,
            unit: leaf.unit,
            codec: chunk.codec,
            at: chunk.at,
            end: chunk.at + chunk.bytes,
            dictionary: Dictionary::default(),
            page: Page::default(),
            now: Now::Blank,
        })
    }

    /// Bytes that it has in memory.
    pub(super) fn held(&self) -> usize {
        self.page.bytes.len() + self.dictionary_bytes()
    }

    fn dictionary_bytes(&self) -> usize {
        self.dictionary.bytes.len() + self.dictionary.places.len() * size_of::<Range<usize>>()
    }

    pub(super) fn needs_page(&self) -> bool {
        self.page.left == 0
    }

    /// Goes to the next value. The other columns together hold so many bytes.
    pub(super) fn advance(&mut self, input: &mut (impl Read + Seek), held: usize) -> Result<(), Unreadable> {
        while self.page.left == 0 {
            self.open(input, held)?;
        }
        self.page.left -= 1;
        self.now = self.take().ok_or(DAMAGED)?;
        Ok(())
    }

    fn take(&mut self) -> Option<Now> {
        let Page { bytes, filled, values, .. } = &mut self.page;
        if let Some(filled) = filled
            && filled.next(bytes)? == 0
        {
            return Some(Now::Blank);
        }
        Some(match values {
            Values::Plain(at) => {
                let place = plain(bytes, *at, self.physical)?;
                *at = place.end;
                Now::Here(place)
            }
            Values::Bits(bit) => {
                let truth = packed(bytes, *bit, 1)? == 1;
                *bit += 1;
                Now::Bool(truth)
            }
            Values::Equal(levels) => Now::Bool(levels.next(bytes)? == 1),
            Values::Places(levels) => Now::There(self.dictionary.places.get(levels.next(bytes)? as usize)?.clone()),
        })
    }

    pub(super) fn cell(&self) -> Result<Cell<'_>, Unreadable> {
        let bytes = match &self.now {
            Now::Blank => return Ok(Cell::Blank),
            Now::Bool(truth) => return Ok(Cell::Bool(*truth)),
            Now::Here(place) => self.page.bytes.get(place.clone()),
            Now::There(place) => self.dictionary.bytes.get(place.clone()),
        };
        let bytes = bytes.ok_or(DAMAGED)?;
        let int = |int: i64| match self.unit {
            Some(Unit::Micro) => int.div_euclid(1_000),
            Some(Unit::Nano) => int.div_euclid(1_000_000),
            _ => int,
        };
        let cell = match self.physical {
            1 => bytes.try_into().ok().map(|bytes| Cell::Int(int(i32::from_le_bytes(bytes).into()))),
            2 => bytes.try_into().ok().map(|bytes| Cell::Int(int(i64::from_le_bytes(bytes)))),
            4 => bytes.try_into().ok().map(|bytes| Cell::Double(f32::from_le_bytes(bytes).into())),
            5 => bytes.try_into().ok().map(|bytes| Cell::Double(f64::from_le_bytes(bytes))),
            _ => str::from_utf8(bytes).ok().map(Cell::Text),
        };
        cell.ok_or(Unreadable::Damaged("a text of it is no UTF-8"))
    }

    /// Opens the next page, and the dictionary where one comes.
    fn open(&mut self, input: &mut (impl Read + Seek), held: usize) -> Result<(), Unreadable> {
        let left = self.end.checked_sub(self.at).filter(|left| *left > 0).ok_or(DAMAGED)?;
        let (head, length) = self.head(input, left)?;
        if head.packed > left - length {
            return Err(DAMAGED);
        }
        let kept = held + if head.kind == DICTIONARY { self.page.bytes.len() } else { self.dictionary_bytes() };
        // A place in a dictionary takes more than the shortest value.
        let most = (MOST_HELD.saturating_sub(kept) / if head.kind == DICTIONARY { 5 } else { 1 }) as u64;
        if head.bytes.max(head.packed) > most {
            return Err(Unreadable::Unknown(format!(
                "a page of {} bytes is too long to be read: write smaller groups of rows",
                head.bytes
            )));
        }
        self.at += length + head.packed;
        if !matches!(head.kind, DATA | DATA_2 | DICTIONARY) {
            return Ok(());
        }
        input.seek(SeekFrom::Start(self.at - head.packed))?;
        let mut bytes = Vec::new();
        input.take(head.packed).read_to_end(&mut bytes)?;
        let bytes = self.unpacked(bytes, &head)?;
        match head.kind {
            DICTIONARY => self.dictionary = self.dictionary_of(bytes, &head)?,
            _ => self.page = self.page_of(bytes, &head).ok_or(DAMAGED)??,
        }
        Ok(())
    }

    fn head(&self, input: &mut (impl Read + Seek), left: u64) -> Result<(Head, u64), Unreadable> {
        let mut last = DAMAGED;
        for most in HEADS {
            input.seek(SeekFrom::Start(self.at))?;
            let mut bytes = Vec::new();
            input.by_ref().take(most.min(left)).read_to_end(&mut bytes)?;
            match structure(&bytes) {
                Ok((fields, length)) => return Ok((head(fields)?, length as u64)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The bytes of a page as they were before they were compressed.
    fn unpacked(&self, packed: Vec<u8>, head: &Head) -> Result<Vec<u8>, Unreadable> {
        let length = usize::try_from(head.bytes).map_err(|_| DAMAGED)?;
        if self.codec == UNCOMPRESSED || head.is_plain {
            return if packed.len() == length { Ok(packed) } else { Err(DAMAGED) };
        }
        let (repeated, filled) = head.levels.unwrap_or_default();
        let levels = usize::try_from(repeated.saturating_add(filled)).map_err(|_| DAMAGED)?;
        let (levels, rest) = packed.split_at_checked(levels).ok_or(DAMAGED)?;
        let rest = snappy::uncompressed(rest, length.checked_sub(levels.len()).ok_or(DAMAGED)?).ok_or(DAMAGED)?;
        Ok([levels, &rest].concat())
    }

    fn dictionary_of(&self, bytes: Vec<u8>, head: &Head) -> Result<Dictionary, Unreadable> {
        if !matches!(head.encoding, PLAIN | PLAIN_DICTIONARY) || self.physical == 0 {
            return Err(DAMAGED);
        }
        let (mut places, mut at) = (Vec::new(), 0);
        for _ in 0..head.values {
            let place = plain(&bytes, at, self.physical).ok_or(DAMAGED)?;
            at = place.end;
            places.push(place);
        }
        Ok(Dictionary { bytes, places })
    }

    /// Nothing where the page is damaged.
    fn page_of(&self, bytes: Vec<u8>, head: &Head) -> Option<Result<Page, Unreadable>> {
        let (mut at, mut filled) = (0_usize, None);
        match head.levels {
            Some((repeated, levels)) => {
                at = usize::try_from(repeated).ok()?;
                let behind = at.checked_add(usize::try_from(levels).ok()?)?;
                if self.optional {
                    filled = Some(Levels::new(at..behind, 1));
                }
                at = behind;
            }
            None if self.optional => {
                let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length))?;
                let behind = 4_usize.checked_add(usize::try_from(length).ok()?)?;
                filled = Some(Levels::new(4..behind, 1));
                at = behind;
            }
            None => {}
        }
        if at > bytes.len() {
            return None;
        }
        let values = match (head.encoding, self.physical) {
            (PLAIN, 0) => Values::Bits(at.checked_mul(8)?),
            (PLAIN, _) => Values::Plain(at),
            // Their length, and then they.
            (RLE, 0) => Values::Equal(Levels::new(at.checked_add(4)?..bytes.len(), 1)),
            (PLAIN_DICTIONARY | RLE_DICTIONARY, _) => {
                // Where no value is there, neither are places.
                let width = bytes.get(at).copied().unwrap_or(0);
                if width > 32 {
                    return None;
                }
                Values::Places(Levels::new((at + 1).min(bytes.len())..bytes.len(), width.into()))
            }
            (encoding, _) => {
                let what =
                    format!("its values are encoded in a way that is not read (number {encoding} of the format): write it anew without");
                return Some(Err(Unreadable::Unknown(what)));
            }
        };
        Some(Ok(Page { bytes, left: head.values, filled, values }))
    }
}

fn head(fields: Fields<'_>) -> Result<Head, Unreadable> {
    let mut head = Head { kind: -1, ..Head::default() };
    for field in fields {
        match field? {
            (1, kind) => head.kind = kind.int()?,
            (2, bytes) => head.bytes = bytes.size()?,
            (3, packed) => head.packed = packed.size()?,
            (5 | 7, page) => {
                for field in page.fields()? {
                    match field? {
                        (1, values) => head.values = values.size()?,
                        (2, encoding) => head.encoding = encoding.int()?,
                        _ => {}
                    }
                }
            }
            (8, page) => {
                let (mut repeated, mut filled) = (0, 0);
                for field in page.fields()? {
                    match field? {
                        (1, values) => head.values = values.size()?,
                        (4, encoding) => head.encoding = encoding.int()?,
                        (5, bytes) => filled = bytes.size()?,
                        (6, bytes) => repeated = bytes.size()?,
                        (7, super::thrift::Thing::Bool(is_packed)) => head.is_plain = !is_packed,
                        _ => {}
                    }
                }
                head.levels = Some((repeated, filled));
            }
            _ => {}
        }
    }
    Ok(head)
}

/// Where the value at this byte is.
fn plain(bytes: &[u8], at: usize, physical: i64) -> Option<Range<usize>> {
    let (at, length) = match physical {
        1 | 4 => (at, 4),
        2 | 5 => (at, 8),
        _ => {
            let length = bytes.get(at..)?.first_chunk::<4>().map(|length| u32::from_le_bytes(*length))?;
            (at + 4, usize::try_from(length).ok()?)
        }
    };
    let behind = at.checked_add(length)?;
    (behind <= bytes.len()).then_some(at..behind)
}
