//! The frames of an event file (TFRecord): length (u64, little-endian), its masked CRC-32C, payload, its masked CRC-32C.
//! <https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>
//!
//! Bytes may come in any pieces: what is no whole frame yet is waited for. TensorBoard stops for good at the first frame that is
//! damaged. Here, the checksum of lengths serves as the mark that the format lacks: the reader goes on at the next twelve bytes
//! that are a length and its checksum, which others are once in 2⁶⁴.

/// What a frame has before its payload, and behind it.
const HEADER: usize = 12;
const FOOTER: usize = 4;
/// A longer payload is no point and no text, and is not kept in memory: only its checksum is.
pub(crate) const WHOLE: usize = 4 << 20;
/// Protocol buffers cannot be longer; a greater length is damage.
const LONGEST: u64 = 1 << 31;
/// Damage of which the end is not yet seen is given up in pieces of this size, so that no more is kept.
const LOST: usize = 64 << 10;
/// In a damaged payload of at most this size a whole frame is looked for: somebody was killed within a frame, and another went on.
const SEARCHED: usize = 64 << 10;
/// After so many damaged places nothing is looked for within payloads, which would take many times as long as reading.
const PATIENCE: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A frame begins here.
    Ready,
    /// Within a payload that is passed over.
    Skimming { start: u64, left: u64, sum: u32 },
    /// Behind damage that begins at `since`.
    Lost { since: u64 },
}

/// What the reader came upon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'b> {
    Payload(&'b [u8]),
    /// A payload of this many bytes, which is too long to be kept.
    Long(u64),
    /// These bytes, from here on, are no frame.
    Damaged(u64),
}

/// Where the reader is, between pieces of the file.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// Offset of the byte that must come next.
    at: u64,
    state: State,
    damaged: u64,
}

impl Records {
    /// A reader that begins at this offset, where a frame should begin.
    pub(crate) fn at(offset: u64) -> Records {
        Records { at: offset, state: State::Ready, damaged: 0 }
    }

    /// Offset of the byte that must come next.
    pub(crate) fn wants(&self) -> u64 {
        self.at
    }

    /// Behind the last frame that was read whole; a new reader can begin here.
    pub(crate) fn position(&self) -> u64 {
        match self.state {
            State::Ready => self.at,
            State::Skimming { start, .. } => start,
            State::Lost { since } => since,
        }
    }

    /// Whether the reader is behind damage of which the end is not seen yet.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    /// Reads what is whole of bytes that begin at `wants`, and says how many of them are done with. The others must be there again
    /// when more have come. `found` is told the offset at which each thing begins.
    pub(crate) fn feed<E>(&mut self, bytes: &[u8], mut found: impl FnMut(u64, Found<'_>) -> Result<(), E>) -> Result<usize, E> {
        let begin = self.at;
        let mut rest = bytes;
        loop {
            let at = begin + (bytes.len() - rest.len()) as u64;
            self.at = at;
            match self.state {
                State::Ready => {
                    let Some(header) = rest.first_chunk::<HEADER>() else { break };
                    match length(header) {
                        None => self.state = State::Lost { since: at },
                        Some(length) if length > WHOLE as u64 => {
                            self.state = State::Skimming { start: at, left: length, sum: 0 };
                            rest = &rest[HEADER..];
                        }
                        Some(length) => {
                            let length = length as usize;
                            let Some(frame) = rest.get(..HEADER + length + FOOTER) else { break };
                            let (payload, footer) = frame[HEADER..].split_at(length);
                            if footer == masked(crc32c::crc32c(payload)).to_le_bytes() {
                                rest = &rest[frame.len()..];
                                self.at += frame.len() as u64;
                                found(at, Found::Payload(payload))?;
                            } else if is_unwritten(&rest[frame.len()..]) {
                                break;
                            } else if length <= SEARCHED && self.damaged < PATIENCE {
                                self.state = State::Lost { since: at };
                                rest = &rest[HEADER..];
                            } else {
                                rest = &rest[frame.len()..];
                                self.damaged += 1;
                                found(at, Found::Damaged(frame.len() as u64))?;
                            }
                        }
                    }
                }
                State::Skimming { start, left: 0, sum } => {
                    let Some(footer) = rest.first_chunk::<FOOTER>() else { break };
                    let good = *footer == masked(sum).to_le_bytes();
                    rest = &rest[FOOTER..];
                    let frame = at + FOOTER as u64 - start;
                    self.state = State::Ready;
                    self.damaged += u64::from(!good);
                    let long = frame - (HEADER + FOOTER) as u64;
                    found(start, if good { Found::Long(long) } else { Found::Damaged(frame) })?;
                }
                State::Skimming { start, left, sum } => {
                    let piece = &rest[..rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
                    if piece.is_empty() {
                        break;
                    }
                    rest = &rest[piece.len()..];
                    self.state = State::Skimming { start, left: left - piece.len() as u64, sum: crc32c::crc32c_append(sum, piece) };
                }
                State::Lost { since } => match rest.windows(HEADER).position(is_header) {
                    Some(distance) => {
                        rest = &rest[distance..];
                        self.state = State::Ready;
                        let damage = at + distance as u64 - since;
                        // None where a header was not there yet and now is.
                        if damage > 0 {
                            self.damaged += 1;
                            found(since, Found::Damaged(damage))?;
                        }
                    }
                    None => {
                        if rest.len() > LOST {
                            rest = &rest[rest.len() - (HEADER - 1)..];
                        }
                        break;
                    }
                },
            }
        }
        let done = bytes.len() - rest.len();
        self.at = begin + done as u64;
        Ok(done)
    }
}

/// The length that a header says, where it is one.
#[inline]
fn length(header: &[u8; HEADER]) -> Option<u64> {
    let (length, sum) = header.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*length);
    (number <= LONGEST && sum == masked(crc32c::crc32c(length)).to_le_bytes()).then_some(number)
}

/// Whether what is behind a damaged frame may only not have come yet, and the rest of that frame with it: a file on a network may have
/// its length before its last pages, which are zeros until then.
fn is_unwritten(behind: &[u8]) -> bool {
    behind.len() <= LOST && behind.iter().all(|byte| *byte == 0)
}

fn is_header(window: &[u8]) -> bool {
    window.first_chunk().is_some_and(|header| length(header).is_some())
}

/// Bytes of a payload with its frame.
pub(crate) fn framed(payload: &[u8]) -> u64 {
    (HEADER + payload.len() + FOOTER) as u64
}

/// A checksum as these files keep it, so that the checksum of a record that holds records is not trivial.
#[inline]
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Appends a frame.
pub(crate) fn write(payload: &[u8], out: &mut Vec<u8>) {
    let length = (payload.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked(crc32c::crc32c(&length)).to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&masked(crc32c::crc32c(payload)).to_le_bytes());
}
