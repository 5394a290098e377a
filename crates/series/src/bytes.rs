//! What stands behind a checksum, for whoever tests it with bytes that nobody wrote: damage is noticed before these are read, so they must
//! only come back.

use crate::column::unpack;
use crate::sparse::{Shape, Sparse};
use std::path::Path;

/// A column of numbers: how many there are said to be, in four bytes, then how they are packed.
pub fn column(bytes: &[u8], _: &Path) {
    let Some((count, rest)) = bytes.split_first_chunk::<4>() else { return };
    let count = u32::from_le_bytes(*count);
    unpack::<f64>(rest, count as usize).ok();
    unpack::<u32>(rest, count as usize).ok();
    let shape = Shape { count, rows: rest.len() as u32 / 2 };
    Sparse::<i64>::unpack(rest, shape).ok();
}
