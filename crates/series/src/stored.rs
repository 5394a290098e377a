//! Blocks in a file, one frame each, appended: what they hold, how far the spool is read, and what must be known to go on, in one
//! write. A file that was cut within a frame ends before it. Nothing here is truth: a damaged file is made anew from the spool.
//!
//! A frame: the mark, the head's length (u32), its CRC-32C (u32), the body's length (u64), all little-endian; the head (postcard);
//! the body: the columns of the rows, then of each metric its values and its pyramid.

use crate::bucket::{self, BYTES, Bucket};
use crate::column::{pack, unpack};
use crate::fold::{Block, Metric, Rows};
use crate::point::{Point, points};
use crate::sparse::{Shape, Sparse};
use crate::{Damaged, Position};
use neronet_model::AttemptNo;
use neronet_model::row::Steps;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The last byte is the format's version: another one is made anew.
const MARK: &[u8; 8] = b"NRSERIE\x02";
const PREFIX: usize = 24;
/// A head may not be longer; a length beyond it is damage.
const LONGEST: usize = 1 << 30;

/// Bytes that can be read at any place: a file, or memory.
pub trait Bytes {
    /// Exactly so many bytes from there on.
    fn read_at(&self, at: u64, length: usize) -> Result<Vec<u8>, Damaged>;

    /// These will be asked for: a disk may bring several parts at once sooner than one after the other.
    fn will_read(&self, _at: u64, _length: usize) {}
}

impl Bytes for [u8] {
    fn read_at(&self, at: u64, length: usize) -> Result<Vec<u8>, Damaged> {
        let at = usize::try_from(at).map_err(|_| Damaged)?;
        Ok(self.get(at..at.checked_add(length).ok_or(Damaged)?).ok_or(Damaged)?.to_vec())
    }
}

/// What a block holds, without the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub attempt: AttemptNo,
    pub(crate) section: u32,
    /// How far the spool is read with this block.
    pub position: Position,
    /// Lines and bytes that were passed over since the block before, as nobody can read them.
    pub lost: (u64, u64),
    pub(crate) steps: Steps,
    pub(crate) passed_after: Option<i64>,
    passed: Option<i64>,
    rows: u32,
    t: Place,
    row_steps: (Place, Shape),
    row_epochs: (Place, Shape),
    pub chunks: Vec<Chunk>,
    /// Where the body begins in the file. Known by whoever read the head there.
    #[serde(skip)]
    body: u64,
}

/// The points of one metric in a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    pub name: String,
    pub(crate) first: Option<f64>,
    pub(crate) before: u64,
    pub(crate) counted: bool,
    pub(crate) last: (f64, u64),
    pub(crate) whole: Bucket,
    values: (Place, Shape),
    pyramid: Place,
}

/// Where bytes lie in the body, and their CRC-32C.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Place {
    at: u64,
    length: u32,
    sum: u32,
}

/// Appends what `write` writes to a body, and says where it is.
fn placed<R>(body: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> R) -> (Place, R) {
    let at = body.len();
    let result = write(body);
    (Place { at: at as u64, length: (body.len() - at) as u32, sum: crc32c::crc32c(&body[at..]) }, result)
}

impl Block {
    /// The bytes to be appended to a file of that length, and their head. `None` where there is nothing to tell.
    pub fn encode(&self, position: Position, lost: (u64, u64), at: u64) -> Option<(Vec<u8>, Head)> {
        if self.rows.t.is_empty() && lost == (0, 0) {
            return None;
        }
        let mut body = Vec::new();
        let (t, ()) = placed(&mut body, |out| pack(&self.rows.t, out));
        let row_steps = placed(&mut body, |out| self.rows.steps.pack(out));
        let row_epochs = placed(&mut body, |out| self.rows.epochs.pack(out));
        let chunks = self.metrics.iter().filter_map(|metric| self.chunk(metric, &mut body)).collect();
        let head = Head {
            attempt: self.attempt,
            section: self.section,
            position,
            lost,
            steps: self.steps.clone(),
            passed_after: self.rows.steps.values.last().copied().or(self.rows.passed),
            passed: self.rows.passed,
            rows: self.rows.t.len() as u32,
            t,
            row_steps,
            row_epochs,
            chunks,
            body: 0,
        };
        // A Vec takes any length, and every field has a form.
        let bytes = postcard::to_stdvec(&head).ok()?;
        let mut frame = Vec::with_capacity(PREFIX + bytes.len() + body.len());
        frame.extend_from_slice(MARK);
        frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        frame.extend_from_slice(&(body.len() as u64).to_le_bytes());
        frame.extend_from_slice(&bytes);
        let head = Head { body: at + frame.len() as u64, ..head };
        frame.extend_from_slice(&body);
        Some((frame, head))
    }

    fn chunk(&self, metric: &Metric, body: &mut Vec<u8>) -> Option<Chunk> {
        let mut buckets = Vec::with_capacity(metric.values.len());
        points(&self.rows, &metric.values, metric.before, |point| buckets.push(Bucket::from(&point)));
        let whole = *bucket::merged(&buckets, buckets.len()).first()?;
        let values = placed(body, |out| metric.values.pack(out));
        let (pyramid, ()) = placed(body, |out| out.extend(bucket::pyramid(&buckets)));
        let (name, last) = (metric.name.clone(), metric.last?);
        Some(Chunk { name, first: metric.first, before: metric.before, counted: metric.counted, last, whole, values, pyramid })
    }
}

impl Head {
    /// All heads of a file, and where the last whole frame ends.
    pub fn all(file: &(impl Bytes + ?Sized), length: u64) -> (Vec<Head>, u64) {
        let (mut heads, mut at) = (Vec::new(), 0);
        while let Ok((head, next)) = Head::at(file, at, length) {
            heads.push(head);
            at = next;
        }
        (heads, at)
    }

    fn at(file: &(impl Bytes + ?Sized), at: u64, length: u64) -> Result<(Head, u64), Damaged> {
        let prefix = file.read_at(at, PREFIX)?;
        let word = |from: usize| Some(u32::from_le_bytes(prefix.get(from..from + 4)?.try_into().ok()?));
        let (head_length, sum) = (word(8).ok_or(Damaged)? as usize, word(12).ok_or(Damaged)?);
        let body_length = u64::from(word(16).ok_or(Damaged)?) | u64::from(word(20).ok_or(Damaged)?) << 32;
        if !prefix.starts_with(MARK) || head_length > LONGEST {
            return Err(Damaged);
        }
        let body = at + (PREFIX + head_length) as u64;
        let next = body.checked_add(body_length).filter(|next| *next <= length).ok_or(Damaged)?;
        let bytes = file.read_at(at + PREFIX as u64, head_length)?;
        if crc32c::crc32c(&bytes) != sum {
            return Err(Damaged);
        }
        let head: Head = postcard::from_bytes(&bytes).map_err(|_| Damaged)?;
        Ok((Head { body, ..head }, next))
    }

    pub fn chunk(&self, name: &str) -> Option<&Chunk> {
        self.chunks.iter().find(|chunk| chunk.name == name)
    }

    fn bytes(&self, file: &(impl Bytes + ?Sized), place: Place) -> Result<Vec<u8>, Damaged> {
        let bytes = file.read_at(self.body.checked_add(place.at).ok_or(Damaged)?, place.length as usize)?;
        if crc32c::crc32c(&bytes) == place.sum { Ok(bytes) } else { Err(Damaged) }
    }

    fn rows(&self, file: &(impl Bytes + ?Sized)) -> Result<Rows, Damaged> {
        Ok(Rows {
            t: unpack(&self.bytes(file, self.t)?, self.rows as usize)?,
            steps: Sparse::unpack(&self.bytes(file, self.row_steps.0)?, self.row_steps.1)?,
            epochs: Sparse::unpack(&self.bytes(file, self.row_epochs.0)?, self.row_epochs.1)?,
            passed: self.passed,
        })
    }

    /// Every point of one of its chunks.
    pub(crate) fn points(&self, file: &(impl Bytes + ?Sized), chunk: &Chunk, each: impl FnMut(Point)) -> Result<(), Damaged> {
        let values = Sparse::unpack(&self.bytes(file, chunk.values.0)?, chunk.values.1)?;
        points(&self.rows(file)?, &values, chunk.before, each);
        Ok(())
    }

    /// That its pyramid will be read.
    pub(crate) fn will_read(&self, file: &(impl Bytes + ?Sized), chunk: &Chunk) {
        file.will_read(self.body.saturating_add(chunk.pyramid.at), chunk.pyramid.length as usize);
    }

    /// A level of the pyramid over one of its chunks; the whole chunk where it does not reach so high.
    pub(crate) fn level(&self, file: &(impl Bytes + ?Sized), chunk: &Chunk, level: u32) -> Result<Vec<Bucket>, Damaged> {
        let Some(Range { start, end }) = bucket::level(chunk.values.1.count(), level) else { return Ok(vec![chunk.whole]) };
        let bytes = self.bytes(file, chunk.pyramid)?;
        let level = bytes.get(start * BYTES..end * BYTES).ok_or(Damaged)?;
        Ok(level.as_chunks::<BYTES>().0.iter().map(Bucket::read).collect())
    }
}
