//! Runs of equal values and packed bits, by turns: how Parquet keeps what is missing, and places in dictionaries.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>

use std::ops::Range;

/// Where one is in bytes that it does not hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    bytes: Range<usize>,
    width: u32,
    left: u64,
    run: Run,
}

#[derive(Debug, Clone, Copy, Default)]
enum Run {
    #[default]
    Nothing,
    Equal(u32),
    /// At this bit of the bytes.
    Packed(usize),
}

impl Levels {
    pub(super) fn new(bytes: Range<usize>, width: u32) -> Levels {
        Levels { bytes, width, left: 0, run: Run::Nothing }
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<u32> {
        while self.left == 0 {
            self.begin(bytes)?;
        }
        self.left -= 1;
        match &mut self.run {
            Run::Nothing => None,
            Run::Equal(value) => Some(*value),
            Run::Packed(bit) => {
                let from = *bit;
                *bit += self.width as usize;
                packed(bytes.get(..self.bytes.end)?, from, self.width)
            }
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> Option<()> {
        let head = self.varint(bytes)?;
        let count = head >> 1;
        if head & 1 == 0 {
            let mut value = 0;
            for at in 0..self.width.div_ceil(8) {
                value |= u32::from(self.byte(bytes)?) << (8 * at);
            }
            (self.left, self.run) = (count, Run::Equal(value));
        } else {
            // By eights, of which the last may be more than there are values.
            let length = usize::try_from(count).ok()?.checked_mul(self.width as usize)?;
            let begin = self.bytes.start;
            self.bytes.start = begin.checked_add(length)?.min(self.bytes.end);
            (self.left, self.run) = (count.checked_mul(8)?, Run::Packed(begin.checked_mul(8)?));
        }
        Some(())
    }

    fn byte(&mut self, bytes: &[u8]) -> Option<u8> {
        let at = self.bytes.next()?;
        bytes.get(at).copied()
    }

    fn varint(&mut self, bytes: &[u8]) -> Option<u64> {
        let mut number = 0;
        for at in 0..5 {
            let byte = self.byte(bytes)?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// The number of so many bits at a bit, the lowest first.
pub(super) fn packed(bytes: &[u8], bit: usize, width: u32) -> Option<u32> {
    if width == 0 {
        return Some(0);
    }
    let (first, last) = (bit / 8, (bit + width as usize - 1) / 8);
    let all = bytes.get(first..=last)?.iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    let mask = (1_u64 << width) - 1;
    u32::try_from((all >> (bit % 8)) & mask).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], width: u32, most: usize) -> Vec<u32> {
        let mut levels = Levels::new(0..bytes.len(), width);
        std::iter::from_fn(|| levels.next(bytes)).take(most).collect()
    }

    #[test]
    fn runs_and_packed_bits_follow_each_other() {
        // The example of the format: 0 to 7 in three bits.
        assert_eq!(all(&[0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all(&[0x06, 0x05, 0x03, 0xff], 1, 20), [[5; 3].as_slice(), &[1; 8]].concat());
        assert_eq!(all(&[0x04, 0x34, 0x12], 10, 9), [0x1234, 0x1234]);
        assert_eq!(all(&[0x06], 0, 3), [0; 3]);
        assert_eq!(all(&[0x03, 0xff], 3, 20).len(), 2, "cut short");
        assert_eq!(all(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 32, 9), [0_u32; 0]);
    }
}
