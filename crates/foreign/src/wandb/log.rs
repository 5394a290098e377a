//! The frames of a `.wandb` file: seven bytes that name the format, then blocks of 32 KiB with pieces of records, as LevelDB keeps its
//! log. <https://github.com/google/leveldb/blob/main/doc/log_format.md>; the checksum is a plain CRC-32 of type and data
//! (wandb/core/pkg/leveldb/record.go).

use std::io::{self, Read};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
/// `:W&B`, the magic number 0xBEE1, version 0.
const BEGIN: &[u8; 7] = b":W&B\xe1\xbe\x00";
/// A longer record is no point, and is not kept in memory.
const LONGEST: usize = 16 << 20;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// What the reader came upon, at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'b> {
    Record(&'b [u8]),
    /// A record that is too long to be kept.
    Long,
    /// What follows until the next record that is whole is damaged.
    Damaged,
    /// The file ends within a record.
    Torn,
    /// The file does not begin as it must, so that nothing of it is read.
    Foreign,
}

/// Reads a file to its end, or until `found` says that it is enough. Returns the number of bytes read.
pub(crate) fn read<E: From<io::Error>>(mut input: impl Read, mut found: impl FnMut(u64, Found<'_>) -> Result<bool, E>) -> Result<u64, E> {
    let mut block = vec![0; BLOCK];
    let mut record = Record::default();
    let mut begin = 0;
    loop {
        let filled = fill(&mut input, &mut block)?;
        let bytes = &block[..filled];
        let mut at = 0;
        if begin == 0 {
            if !bytes.starts_with(BEGIN) {
                found(0, if BEGIN.starts_with(bytes) { Found::Torn } else { Found::Foreign })?;
                return Ok(filled as u64);
            }
            at = HEADER;
        }
        while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HEADER>()) {
            let offset = begin + at as u64;
            let [s0, s1, s2, s3, l0, l1, kind] = *header;
            let length = usize::from(u16::from_le_bytes([l0, l1]));
            if *header == [0; HEADER] {
                // What was laid out for the file ahead, or a block that never came: nothing more is in this one.
                break;
            }
            let Some(data) = bytes.get(at + HEADER..at + HEADER + length) else {
                let torn = filled < BLOCK;
                record.clear();
                if !found(offset, if torn { Found::Torn } else { Found::Damaged })? || torn {
                    return Ok(begin + filled as u64);
                }
                break;
            };
            let typed = &bytes[at + HEADER - 1..at + HEADER + length];
            if crc32fast::hash(typed) != u32::from_le_bytes([s0, s1, s2, s3]) {
                record.clear();
                if !found(offset, Found::Damaged)? {
                    return Ok(begin + filled as u64);
                }
                break;
            }
            at += HEADER + length;
            if record.open && (kind == FULL || kind == FIRST) {
                record.clear();
                found(record.begin, Found::Damaged)?;
            }
            let on = match kind {
                FULL => found(offset, Found::Record(data))?,
                LAST if record.open => {
                    record.add(data);
                    record.take(&mut found)?
                }
                MIDDLE if record.open => record.add(data),
                FIRST => record.start(offset, data),
                // The rest of a record whose beginning is lost.
                _ => true,
            };
            if !on {
                return Ok(begin + filled as u64);
            }
        }
        begin += filled as u64;
        if filled < BLOCK {
            if record.open {
                found(record.begin, Found::Torn)?;
            }
            return Ok(begin);
        }
    }
}

/// As much as there is of a block.
fn fill(input: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A record of several pieces.
#[derive(Debug, Default)]
struct Record {
    bytes: Vec<u8>,
    begin: u64,
    open: bool,
    long: bool,
}

impl Record {
    fn clear(&mut self) {
        self.bytes.clear();
        self.open = false;
        self.long = false;
    }

    fn start(&mut self, at: u64, data: &[u8]) -> bool {
        self.clear();
        self.open = true;
        self.begin = at;
        self.add(data)
    }

    fn add(&mut self, data: &[u8]) -> bool {
        self.long |= self.bytes.len() + data.len() > LONGEST;
        if !self.long {
            self.bytes.extend_from_slice(data);
        }
        true
    }

    fn take<E>(&mut self, found: &mut impl FnMut(u64, Found<'_>) -> Result<bool, E>) -> Result<bool, E> {
        let on = found(self.begin, if self.long { Found::Long } else { Found::Record(&self.bytes) })?;
        self.clear();
        Ok(on)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As wandb's own writer lays records out.
    pub(crate) fn written(records: &[Vec<u8>]) -> Vec<u8> {
        let mut out = BEGIN.to_vec();
        for record in records {
            let mut rest = &record[..];
            let mut first = true;
            loop {
                let left = BLOCK - out.len() % BLOCK;
                if left < HEADER {
                    out.resize(out.len() + left, 0);
                    continue;
                }
                let piece = rest.len().min(left - HEADER);
                let last = piece == rest.len();
                let kind = match (first, last) {
                    (true, true) => FULL,
                    (true, false) => FIRST,
                    (false, false) => MIDDLE,
                    (false, true) => LAST,
                };
                let typed = [&[kind], &rest[..piece]].concat();
                out.extend_from_slice(&crc32fast::hash(&typed).to_le_bytes());
                out.extend_from_slice(&(piece as u16).to_le_bytes());
                out.extend_from_slice(&typed);
                rest = &rest[piece..];
                first = false;
                if last {
                    break;
                }
            }
        }
        out
    }

    fn records(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let (mut records, mut others) = (Vec::new(), 0);
        read(bytes, |_, found| {
            match found {
                Found::Record(record) => records.push(record.to_vec()),
                _ => others += 1,
            }
            Ok::<_, io::Error>(true)
        })
        .expect("readable");
        (records, others)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(lengths in prop::collection::vec(prop_oneof![0..100_usize, 32_740..32_780_usize, 60_000..120_000_usize], 0..6)) {
            let expected: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(i, length)| vec![i as u8 + 1; *length]).collect();
            prop_assert_eq!(records(&written(&expected)), (expected, 0));
        }

        #[test]
        fn a_damaged_byte_costs_no_more_than_its_block(lengths in prop::collection::vec(100..2000_usize, 60..120), byte in any::<prop::sample::Index>()) {
            let expected: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(i, length)| vec![i as u8 + 1; *length]).collect();
            let mut bytes = written(&expected);
            let byte = byte.index(bytes.len() - 7) + 7;
            bytes[byte] ^= 0x10;
            let (found, _) = records(&bytes);
            prop_assert!(found.iter().all(|record| expected.contains(record)));
            let lost: usize = expected.iter().filter(|record| !found.contains(record)).map(|record| record.len() + 7).sum();
            prop_assert!(lost <= BLOCK + 2 * 2007, "{lost} bytes");
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            records(&[&BEGIN[..], &bytes].concat());
            records(&bytes);
        }
    }
}
