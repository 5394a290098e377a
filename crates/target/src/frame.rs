//! What a channel carries: frames of a head in JSON and a body of bytes, with their lengths before them. Whatever the other end sends,
//! no more is taken than these bounds; ssh sees to it that what arrives is what was sent.

use nix::fcntl::{FcntlArg, fcntl};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

pub const MOST_HEAD: usize = 1 << 20;
pub const MOST_BODY: usize = 1 << 20;
/// To copy so much costs less than to write twice.
const COPIED: usize = 16 << 10;

/// What came is no frame.
#[derive(Debug)]
pub enum Broken {
    /// Lengths beyond the bounds.
    TooLong { head: u64, body: u64 },
    /// A head that this version does not know.
    Unknown(String),
    /// It ended within a frame, or cannot be read.
    Cut(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::TooLong { head, body } => write!(f, "a frame of {head} and {body} bytes, which no neronet sends"),
            Broken::Unknown(what) => write!(f, "a frame that this version does not know: {what}"),
            Broken::Cut(e) => write!(f, "the connection ended within a frame: {e}"),
        }
    }
}

/// What a pipe of a channel holds on which much travels: in pieces of the usual 64 kB, those at its ends wait for each other all the time.
const WIDE: i32 = 512 << 10;

/// Best effort: the user may have many pipes, and standard input need be none.
pub fn widen(pipe: &impl AsFd) {
    fcntl(pipe, FcntlArg::F_SETPIPE_SZ(WIDE)).ok();
}

/// # Errors
/// The other end is gone, or the head or the body is too long, which whoever makes them sees to.
pub fn write(out: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    if head.len() > MOST_HEAD || body.len() > MOST_BODY {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame that is too long"));
    }
    let together = if body.len() <= COPIED { body } else { &[] };
    let mut bytes = Vec::with_capacity(8 + head.len() + together.len());
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(together);
    out.write_all(&bytes)?;
    if together.len() < body.len() {
        out.write_all(body)?;
    }
    out.flush()
}

/// The next frame; none at the end.
///
/// # Errors
/// What comes is no frame: nothing behind it can be believed.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<(T, Vec<u8>)>, Broken> {
    let mut lengths = [0; 8];
    match from.read(&mut lengths[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        Err(e) => return Err(Broken::Cut(e)),
    }
    from.read_exact(&mut lengths[1..]).map_err(Broken::Cut)?;
    let length = |at: usize| lengths[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
    let (head, body) = (length(0), length(4));
    if head as usize > MOST_HEAD || body as usize > MOST_BODY {
        return Err(Broken::TooLong { head: head.into(), body: body.into() });
    }
    let mut take = |length: u32| {
        let mut bytes = Vec::with_capacity(length as usize);
        match from.take(length.into()).read_to_end(&mut bytes) {
            Ok(read) if read == length as usize => Ok(bytes),
            Ok(_) => Err(Broken::Cut(io::ErrorKind::UnexpectedEof.into())),
            Err(e) => Err(Broken::Cut(e)),
        }
    };
    let (head, body) = (take(head)?, take(body)?);
    serde_json::from_slice(&head).map(|head| Some((head, body))).map_err(|e| Broken::Unknown(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_come_back_and_nothing_else_is_taken_for_one(
            frames in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u8>(), 0..100)), 0..5),
            cut in any::<prop::sample::Index>(),
            noise in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = Vec::new();
            frames.iter().for_each(|(head, body)| write(&mut bytes, head, body).expect("into memory"));
            let mut rest = &bytes[..];
            for frame in &frames {
                prop_assert_eq!(read::<String>(&mut rest).expect("a frame"), Some(frame.clone()));
            }
            prop_assert!(read::<String>(&mut rest).expect("the end").is_none());
            // Cut anywhere, what was whole is there.
            let mut rest = &bytes[..cut.index(bytes.len() + 1)];
            let mut whole = 0;
            while let Ok(Some(frame)) = read::<String>(&mut rest) {
                prop_assert_eq!(&frame, &frames[whole]);
                whole += 1;
            }
            read::<String>(&mut &noise[..]).ok();
        }
    }

    #[test]
    fn lengths_beyond_the_bounds_are_refused_before_anything_is_made() {
        let huge = [0xff; 16];
        assert!(matches!(read::<String>(&mut &huge[..]), Err(Broken::TooLong { .. })));
        assert!(write(&mut Vec::new(), &"", &vec![0; MOST_BODY + 1]).is_err());
    }
}
