//! Frames of the journal: `NRJ1`, length (u32, little-endian), CRC-32C of the payload (u32), payload.
//! The mark lets a reader find the next frame after damage; the checksum tells a frame from what only looks like one.

const MARK: &[u8; 4] = b"NRJ1";
pub const HEADER: usize = 12;
/// A frame may not be longer; a length beyond it is damage.
pub const LONGEST: usize = 1 << 30;

/// Appends one frame to `out`.
pub fn write(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(MARK);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What a scan over bytes found.
pub struct Scan<'a> {
    pub payloads: Vec<&'a [u8]>,
    /// Where the frame of each payload ends.
    pub ends: Vec<usize>,
    /// Ranges that hold no frame, followed by a frame that is whole: damage.
    pub damaged: Vec<(usize, usize)>,
    /// Where the last whole frame ends; what follows is a frame that was never finished.
    pub end: usize,
}

/// How long the payload is that follows what a frame begins with.
pub fn length(header: &[u8; HEADER]) -> Option<u64> {
    let length = u32::from_le_bytes(*header.get(4..8)?.first_chunk()?);
    header.starts_with(MARK).then_some(u64::from(length))
}

/// A frame at the beginning of these bytes, and its payload.
pub fn first(bytes: &[u8]) -> Option<&[u8]> {
    frame_at(bytes, 0).map(|(payload, _)| payload)
}

pub fn scan(bytes: &[u8]) -> Scan<'_> {
    let mut scan = Scan { payloads: Vec::new(), ends: Vec::new(), damaged: Vec::new(), end: 0 };
    let mut at = 0;
    while at < bytes.len() {
        match frame_at(bytes, at) {
            Some((payload, next)) => {
                if at > scan.end {
                    scan.damaged.push((scan.end, at));
                }
                scan.payloads.push(payload);
                scan.ends.push(next);
                scan.end = next;
                at = next;
            }
            None => match memchr::memmem::find(&bytes[at + 1..], MARK) {
                Some(distance) => at += 1 + distance,
                None => break,
            },
        }
    }
    scan
}

fn frame_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let header = bytes.get(at..at + HEADER)?;
    if &header[..4] != MARK {
        return None;
    }
    let length = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
    let sum = u32::from_le_bytes(header[8..12].try_into().ok()?);
    if length > LONGEST {
        return None;
    }
    let payload = bytes.get(at + HEADER..at + HEADER + length)?;
    (crc32c::crc32c(payload) == sum).then_some((payload, at + HEADER + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cut_at_any_byte_keeps_every_whole_frame(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for payload in &payloads {
                write(payload, &mut bytes);
                ends.push(bytes.len());
            }
            let cut = cut.index(bytes.len() + 1);
            let found = scan(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            prop_assert_eq!(found.payloads.len(), whole);
            prop_assert_eq!(found.end, ends[whole]);
            prop_assert!(found.damaged.is_empty());
        }

        #[test]
        fn a_damaged_frame_costs_only_itself(
            payloads in prop::collection::vec(prop::collection::vec(1u8..70, 1..40), 3..8),
            which in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            let mut starts = Vec::new();
            for payload in &payloads {
                starts.push(bytes.len());
                write(payload, &mut bytes);
            }
            let which = which.index(payloads.len() - 1);
            let start = starts[which];
            let length = starts[which + 1] - start;
            bytes[start + byte.index(length)] ^= 0x80;
            let found = scan(&bytes);
            let expected: Vec<&[u8]> = payloads.iter().enumerate().filter(|(i, _)| *i != which).map(|(_, p)| p.as_slice()).collect();
            prop_assert_eq!(found.payloads, expected);
            prop_assert_eq!(found.damaged, vec![(start, start + length)]);
        }
    }
}
