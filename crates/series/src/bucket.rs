//! Buckets: what a stretch of a series comes to, and the pyramid of them over a chunk. A chart reads buckets instead of points, and
//! sees every outlier all the same.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Points of a bucket on the lowest level.
pub(crate) const BASE: usize = 256;
/// Buckets of one level that make one of the next.
const FAN: usize = 4;
/// On disk: ten numbers of eight bytes, little-endian.
pub(crate) const BYTES: usize = 80;

/// What some neighbouring points come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The least and the greatest position (step, else epoch, else count).
    pub x: [f64; 2],
    /// Milliseconds since the Unix epoch of the first and the last point.
    pub t: [u64; 2],
    pub first: f64,
    pub last: f64,
    /// Of the finite values; NaN where there are none.
    pub min: f64,
    pub max: f64,
    /// Of the finite values.
    pub sum: f64,
    pub finite: u32,
    /// Values that are NaN or infinite.
    pub others: u32,
}

impl Bucket {
    /// That of one point.
    pub fn of(x: f64, t: u64, value: f64) -> Bucket {
        let finite = value.is_finite();
        let known = if finite { value } else { f64::NAN };
        let sum = if finite { value } else { 0.0 };
        Bucket {
            x: [x, x],
            t: [t, t],
            first: value,
            last: value,
            min: known,
            max: known,
            sum,
            finite: finite.into(),
            others: (!finite).into(),
        }
    }

    /// Takes the points that follow.
    pub fn add(&mut self, next: &Bucket) {
        self.x = [self.x[0].min(next.x[0]), self.x[1].max(next.x[1])];
        self.t = [self.t[0].min(next.t[0]), self.t[1].max(next.t[1])];
        self.last = next.last;
        // Of a number and NaN, these give the number.
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.sum += next.sum;
        self.finite = self.finite.saturating_add(next.finite);
        self.others = self.others.saturating_add(next.others);
    }

    pub fn points(&self) -> u64 {
        u64::from(self.finite) + u64::from(self.others)
    }

    /// Of the finite values; NaN where there are none.
    pub fn mean(&self) -> f64 {
        self.sum / f64::from(self.finite)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let floats = [self.x[0], self.x[1], self.first, self.last, self.min, self.max, self.sum];
        floats.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        self.t.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.extend_from_slice(&self.finite.to_le_bytes());
        out.extend_from_slice(&self.others.to_le_bytes());
    }

    pub(crate) fn read(bytes: &[u8; BYTES]) -> Bucket {
        let word = |i: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * i..8 * i + 8]);
            u64::from_le_bytes(word)
        };
        let float = |i| f64::from_bits(word(i));
        Bucket {
            x: [float(0), float(1)],
            first: float(2),
            last: float(3),
            min: float(4),
            max: float(5),
            sum: float(6),
            t: [word(7), word(8)],
            finite: word(9) as u32,
            others: (word(9) >> 32) as u32,
        }
    }
}

/// Neighbouring buckets put together, so many at a time.
pub(crate) fn merged(buckets: &[Bucket], each: usize) -> Vec<Bucket> {
    let whole = |group: &[Bucket]| {
        let (first, rest) = group.split_first()?;
        let mut whole = *first;
        rest.iter().for_each(|next| whole.add(next));
        Some(whole)
    };
    buckets.chunks(each.max(1)).filter_map(whole).collect()
}

/// How many points a bucket of a level stands for.
pub(crate) fn width(level: u32) -> usize {
    BASE * FAN.pow(level)
}

/// Which buckets of a pyramid over so many points are a level. A level of one bucket is not there: it is what the whole comes to.
pub(crate) fn level(points: usize, level: u32) -> Option<Range<usize>> {
    let (mut begin, mut buckets) = (0, points.div_ceil(BASE));
    for _ in 0..level {
        begin += buckets;
        buckets = buckets.div_ceil(FAN);
    }
    (buckets > 1).then_some(begin..begin + buckets)
}

/// All levels over the points of a chunk, the lowest first.
pub(crate) fn pyramid(points: &[Bucket]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut level = merged(points, BASE);
    while level.len() > 1 {
        level.iter().for_each(|bucket| bucket.write(&mut bytes));
        level = merged(&level, FAN);
    }
    bytes
}
