//! Columns of numbers as bytes: pco (whose modes find decimals, steps and small differences by themselves), or plain where that is
//! shorter. The count is not in the bytes: whoever holds them knows it.

use crate::Damaged;
use pco::ChunkConfig;
use pco::data_types::Number;

/// Measured on losses of six digits: level 8 takes half as long again for a hundredth less.
const LEVEL: usize = 6;
const PLAIN: u8 = 0;
const PCO: u8 = 1;
/// Fewer numbers than these are shorter as they are.
const FEW: usize = 8;
/// Sixteen times as many as a block holds: a count is no reason to take memory for more.
const MOST: usize = 1 << 24;

/// A number that has a plain form of eight bytes.
pub(crate) trait Plain: Number + Default {
    fn bytes(self) -> [u8; 8];
    fn of(bytes: [u8; 8]) -> Self;
}

macro_rules! plain {
    ($($kind:ty as $wide:ty),*) => {$(
        impl Plain for $kind {
            fn bytes(self) -> [u8; 8] {
                <$wide>::from(self).to_le_bytes()
            }
            fn of(bytes: [u8; 8]) -> $kind {
                <$wide>::from_le_bytes(bytes) as $kind
            }
        }
    )*};
}
plain!(u32 as u64, u64 as u64, i64 as i64, f64 as f64);

pub(crate) fn pack<T: Plain>(numbers: &[T], out: &mut Vec<u8>) {
    let start = out.len();
    if numbers.len() >= FEW {
        let config = ChunkConfig::default().with_compression_level(LEVEL);
        out.push(PCO);
        let packed = pco::standalone::simple_compress_into(numbers, &config, &mut *out);
        if packed.is_ok() && out.len() - start < 8 * numbers.len() {
            return;
        }
        out.truncate(start);
    }
    out.push(PLAIN);
    numbers.iter().for_each(|number| out.extend_from_slice(&number.bytes()));
}

pub(crate) fn unpack<T: Plain>(bytes: &[u8], count: usize) -> Result<Vec<T>, Damaged> {
    if count > MOST {
        return Err(Damaged);
    }
    match bytes.split_first() {
        Some((&PLAIN, rest)) if rest.len() == 8 * count => {
            let number = |eight: &[u8]| Some(T::of(eight.try_into().ok()?));
            rest.chunks_exact(8).map(number).collect::<Option<_>>().ok_or(Damaged)
        }
        Some((&PCO, rest)) => {
            let mut numbers = vec![T::default(); count];
            let progress = pco::standalone::simple_decompress_into(rest, &mut numbers).map_err(|_| Damaged)?;
            if progress.n_processed == count { Ok(numbers) } else { Err(Damaged) }
        }
        _ => Err(Damaged),
    }
}
