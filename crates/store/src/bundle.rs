//! The container of bundles: one zstd stream behind a mark, in it a head and the members that the head declares, each followed by its
//! SHA-256. What the head says is the reader's business; here it is bytes.
//!
//! Whatever the file holds, no more is read than was declared, and nothing counts before its hash has been seen.

use sha2::{Digest, Sha256};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

/// With the version of the container.
const MARK: &[u8; 8] = b"NRBNDL1\n";
const LEVEL: i32 = 6;
/// Of 128 MiB at most a decoder keeps at hand.
const WINDOW: u32 = 27;
/// A head is read into memory.
const LONGEST_HEAD: u64 = 64 << 20;

pub struct Writer<W: Write> {
    out: Encoder<'static, W>,
}

impl<W: Write> Writer<W> {
    pub fn new(mut out: W, head: &[u8]) -> io::Result<Writer<W>> {
        out.write_all(MARK)?;
        let mut encoder = Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.write_all(&(head.len() as u64).to_le_bytes())?;
        let mut writer = Writer { out: encoder };
        writer.member(head.len() as u64, head)?;
        Ok(writer)
    }

    /// Adds the next member, which must hold as much as the head says.
    pub fn member(&mut self, bytes: u64, from: impl Read) -> io::Result<()> {
        let copied = copy(from, bytes, &mut self.out)?;
        self.out.write_all(&copied)
    }

    pub fn finish(self) -> io::Result<W> {
        self.out.finish()
    }
}

pub struct Reader<R: Read> {
    from: Decoder<'static, BufReader<R>>,
}

/// Whether a file that begins so is a bundle, of this version or another.
pub fn is_one(first: &[u8]) -> bool {
    first.starts_with(&MARK[..6])
}

impl<R: Read> Reader<R> {
    /// Opens a bundle, and gives its head.
    pub fn open(mut from: R) -> io::Result<(Reader<R>, Vec<u8>)> {
        let mut mark = [0; 8];
        from.read_exact(&mut mark)?;
        if mark != *MARK {
            let what = if is_one(&mark) { "a newer neronet wrote it" } else { "it is no bundle" };
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        let mut decoder = Decoder::new(from)?;
        decoder.window_log_max(WINDOW)?;
        let mut reader = Reader { from: decoder };
        let mut length = [0; 8];
        reader.from.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEAD {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("its head has {length} bytes")));
        }
        let mut head = Vec::new();
        reader.member(length, &mut head)?;
        Ok((reader, head))
    }

    /// Reads the next member, of as many bytes as the head says, and compares its hash.
    pub fn member(&mut self, bytes: u64, to: impl Write) -> io::Result<()> {
        let found = copy(&mut self.from, bytes, to)?;
        let mut told = [0; 32];
        self.from.read_exact(&mut told)?;
        if found != told {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is damaged: a member is not what its hash says"));
        }
        Ok(())
    }

    /// Behind the last member nothing may follow, and the stream must be whole.
    pub fn end(mut self) -> io::Result<()> {
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it holds more than it declares")),
        }
    }
}

/// Copies so many bytes, and gives their hash.
fn copy(mut from: impl Read, bytes: u64, mut to: impl Write) -> io::Result<[u8; 32]> {
    let (mut hash, mut left, mut buffer) = (Sha256::new(), bytes, vec![0; 128 << 10]);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(room) = buffer.get_mut(..most) else { break };
        match from.read(room) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("it ends {left} bytes too early"))),
            Ok(n) => {
                let read = room.get(..n).unwrap_or_default();
                hash.update(read);
                to.write_all(read)?;
                left -= n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(head: &[u8], members: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), head).expect("in memory");
        members.iter().for_each(|member| writer.member(member.len() as u64, &member[..]).expect("in memory"));
        writer.finish().expect("in memory")
    }

    fn unpacked(file: &[u8], lengths: impl Iterator<Item = usize>) -> io::Result<(Vec<u8>, Vec<Vec<u8>>)> {
        let (mut reader, head) = Reader::open(file)?;
        let mut members = Vec::new();
        for length in lengths {
            let mut member = Vec::new();
            reader.member(length as u64, &mut member)?;
            members.push(member);
        }
        reader.end()?;
        Ok((head, members))
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_and_damage_never_does(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..5), at in any::<prop::sample::Index>(), cut in any::<bool>(),
        ) {
            let file = packed(b"the head", &members);
            let lengths = || members.iter().map(Vec::len);
            let (head, found) = unpacked(&file, lengths()).expect("whole");
            prop_assert_eq!((&head[..], &found), (&b"the head"[..], &members));
            let at = at.index(file.len());
            let mut damaged = file;
            if cut { damaged.truncate(at) } else { damaged[at] ^= 0x55 }
            if let Ok((_, found)) = unpacked(&damaged, lengths()) {
                prop_assert_eq!(found, members);
            }
        }
    }

    #[test]
    fn more_than_is_declared_is_refused() {
        let file = packed(b"head", &[b"one".to_vec(), b"two".to_vec()]);
        assert!(unpacked(&file, [3].into_iter()).is_err());
        assert!(unpacked(&file, [3, 4].into_iter()).is_err());
        assert!(unpacked(b"NRBNDL9\nxxx", [].into_iter()).is_err_and(|e| e.to_string().contains("newer")));
        assert!(unpacked(b"something else", [].into_iter()).is_err_and(|e| e.to_string().contains("no bundle")));
    }
}
