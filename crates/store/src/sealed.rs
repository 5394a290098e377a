//! The file of a sealed segment, `NAME.zst`: what `NAME` held, in zstd frames of their own, so that damage costs one frame and
//! reading may begin in the middle. `zstdcat` gives the original, as it passes over the frames that are only for us.
//!
//! ```text
//! 50 2A 4D 18, length, CRC-32C, {"format":1,"bytes":…,"sha256":"…"}     a skippable frame (RFC 8878, 3.1.2): the original
//! 51 2A 4D 18, 12, offset (u64), CRC-32C of that                        a skippable frame: where the next begins in the original
//! 28 B5 2F FD …                                                         at most FRAME bytes of it, whole lines where that can be
//! ```
//! The last two as often as it takes. Numbers are little-endian.

use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

const HEAD: [u8; 4] = [0x50, 0x2A, 0x4D, 0x18];
const MARK: [u8; 4] = [0x51, 0x2A, 0x4D, 0x18];
/// Magic, length and content of the frame that says where the next begins.
const MARKED: usize = 8 + 12;
/// So much of the original is in one frame: in larger ones rows take no less room.
pub const FRAME: usize = 1 << 20;
/// A head is never longer.
const MOST_HEAD: usize = 4 << 10;
/// Of rows, 16 leaves a fifth less than 9 to 15 do, at a tenth of the speed of 9; 19 leaves no less, at half the speed of 16.
const LEVEL: i32 = 16;

/// What the original was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    #[serde(flatten)]
    original: Original,
}

/// What the name of a sealed segment ends with.
pub const ENDING: &str = ".zst";

/// The file that a segment is sealed in.
pub fn path_of(segment: &Path) -> PathBuf {
    let mut name = segment.as_os_str().to_owned();
    name.push(ENDING);
    PathBuf::from(name)
}

/// What the original held, in bytes: as the head says, else as far as it can be read. Nothing where it is not sealed.
pub fn length(segment: &Path) -> Result<u64, StoreError> {
    let Some(mut reader) = Reader::open(segment)? else { return Ok(0) };
    if let Some(original) = reader.original() {
        return Ok(original.bytes);
    }
    while reader.next(u64::MAX)?.is_some() {}
    Ok(reader.at)
}

/// Length and hash of what a reader gives.
pub fn measure(from: &mut impl Read) -> io::Result<Original> {
    let mut sum = Sum::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(sum.done()),
            Ok(n) => sum.add(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[derive(Default)]
struct Sum(Sha256, u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
        self.1 += bytes.len() as u64;
    }

    fn done(self) -> Original {
        Original { bytes: self.1, sha256: self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// Writes what `from` gives, which is `original`. Asked between frames, `go_on` may say no: then it is false, and what was written
/// is of no use.
pub fn write(original: &Original, from: &mut impl Read, to: &mut impl Write, go_on: &dyn Fn() -> bool) -> io::Result<bool> {
    write_in_frames(FRAME, original, from, to, go_on)
}

/// The same in frames of at most `most` bytes.
fn write_in_frames(
    most: usize,
    original: &Original,
    from: &mut impl Read,
    to: &mut impl Write,
    go_on: &dyn Fn() -> bool,
) -> io::Result<bool> {
    let head = serde_json::to_vec(&Head { format: neronet_model::FORMAT, original: original.clone() })?;
    to.write_all(&HEAD)?;
    to.write_all(&(head.len() as u32 + 4).to_le_bytes())?;
    to.write_all(&crc32c::crc32c(&head).to_le_bytes())?;
    to.write_all(&head)?;
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut compressed = Vec::with_capacity(zstd_safe::compress_bound(most));
    let (mut frame, mut at) = (Vec::with_capacity(most), 0u64);
    loop {
        from.by_ref().take((most - frame.len()) as u64).read_to_end(&mut frame)?;
        if frame.is_empty() {
            return Ok(true);
        }
        if !go_on() {
            return Ok(false);
        }
        // A frame that is not full is the last.
        let whole = if frame.len() < most { None } else { memchr::memrchr(b'\n', &frame) };
        let end = whole.map_or(frame.len(), |newline| newline + 1);
        compressed.clear();
        compressor.compress_to_buffer(&frame[..end], &mut compressed)?;
        to.write_all(&MARK)?;
        to.write_all(&12u32.to_le_bytes())?;
        to.write_all(&at.to_le_bytes())?;
        to.write_all(&crc32c::crc32c(&at.to_le_bytes()).to_le_bytes())?;
        to.write_all(&compressed)?;
        at += end as u64;
        frame.drain(..end);
    }
}

/// What comes next of the original.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// These bytes, which are at `at` there.
    Bytes { at: u64, bytes: &'a [u8] },
    /// So many bytes before `to` are lost; none where only what is about them is damaged.
    Gap { to: u64, bytes: u64 },
}

/// Reads a sealed segment frame by frame. Only what holds its checksum is given; after damage it looks for the next frame that does.
pub struct Reader {
    path: PathBuf,
    file: File,
    /// Bytes of the file that are not done with, from `start` on.
    window: Vec<u8>,
    start: usize,
    at_end: bool,
    original: Option<Original>,
    /// How far we are in the original.
    at: u64,
    frame: Vec<u8>,
    /// `frame` holds what is at this place, and was not given yet.
    ready: Option<u64>,
    /// Bytes of the file were passed over since the last piece.
    damaged: bool,
    decompressor: Decompressor<'static>,
}

impl Reader {
    /// Of the segment whose original is, or was, at `path`; `None` where it is not sealed.
    pub fn open(path: &Path) -> Result<Option<Reader>, StoreError> {
        Reader::of_file(path_of(path))
    }

    /// Of the sealed file itself, whatever its name.
    pub fn of_file(path: PathBuf) -> Result<Option<Reader>, StoreError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
        };
        let mut reader = Reader {
            file,
            window: Vec::new(),
            start: 0,
            at_end: false,
            original: None,
            at: 0,
            frame: Vec::new(),
            ready: None,
            damaged: false,
            decompressor: Decompressor::new().map_err(StoreError::io("read", &path))?,
            path,
        };
        reader.read_head()?;
        Ok(Some(reader))
    }

    /// What its head says; `None` where that is damaged.
    pub fn original(&self) -> Option<&Original> {
        self.original.as_ref()
    }

    fn read_head(&mut self) -> Result<(), StoreError> {
        self.fill()?;
        let Some((head, length)) = head_of(&self.window) else {
            self.damaged = true;
            return Ok(());
        };
        if head.format > neronet_model::FORMAT {
            return Err(StoreError::Newer { path: self.path.clone(), format: head.format });
        }
        (self.original, self.start) = (Some(head.original), length);
        Ok(())
    }

    /// A frame and the mark before it are always whole in the window.
    fn fill(&mut self) -> Result<(), StoreError> {
        let most = MARKED + zstd_safe::compress_bound(FRAME).max(MOST_HEAD);
        if self.at_end || self.window.len() - self.start >= most {
            return Ok(());
        }
        self.window.drain(..self.start);
        self.start = 0;
        let wanted = 2 * most - self.window.len();
        let read = (&self.file).take(wanted as u64).read_to_end(&mut self.window).map_err(StoreError::io("read", &self.path))?;
        self.at_end = read < wanted;
        Ok(())
    }

    /// The next piece that ends behind `from`; those before it are not even uncompressed.
    pub fn next(&mut self, from: u64) -> Result<Option<Piece<'_>>, StoreError> {
        while self.ready.is_none() {
            self.fill()?;
            let rest = &self.window[self.start..];
            if rest.is_empty() {
                let end = self.original.as_ref().map_or(self.at, |original| original.bytes.max(self.at));
                return Ok(self.gap(end));
            }
            let Some(Marked { at, length, bytes }) = marked(rest).filter(|marked| marked.at >= self.at) else {
                self.resync();
                continue;
            };
            if at + bytes as u64 <= from && at == self.at {
                (self.at, self.start) = (at + bytes as u64, self.start + length);
                continue;
            }
            self.frame.clear();
            self.frame.reserve_exact(bytes);
            let uncompressed = self.decompressor.decompress_to_buffer(&rest[MARKED..length], &mut self.frame);
            if uncompressed.is_ok_and(|n| n == bytes) {
                (self.ready, self.start) = (Some(at), self.start + length);
            } else {
                self.resync();
            }
        }
        let at = self.ready.unwrap_or(self.at);
        if at > self.at || self.damaged {
            return Ok(self.gap(at));
        }
        self.ready = None;
        self.at = at + self.frame.len() as u64;
        Ok(Some(Piece::Bytes { at, bytes: &self.frame }))
    }

    fn gap(&mut self, to: u64) -> Option<Piece<'static>> {
        let bytes = to - self.at;
        self.at = to;
        (std::mem::take(&mut self.damaged) || bytes > 0).then_some(Piece::Gap { to, bytes })
    }

    /// Nothing begins here: goes on where the next mark may be.
    fn resync(&mut self) {
        self.damaged = true;
        let rest = &self.window[self.start..];
        let next = memchr::memmem::find(&rest[1..], &MARK).map(|at| at + 1);
        // A mark may begin in the last three bytes, of which the rest is not here yet.
        let none = if self.at_end { rest.len() } else { rest.len().saturating_sub(MARK.len() - 1).max(1) };
        self.start += next.unwrap_or(none);
    }

    /// Reads all that is left and says what it comes to; `None` where anything is damaged. `go_on` is asked as in `write`.
    pub fn verify(mut self, go_on: &dyn Fn() -> bool) -> Result<Option<Original>, StoreError> {
        let mut sum = Sum::default();
        while let Some(piece) = self.next(0)? {
            match piece {
                Piece::Bytes { bytes, .. } if go_on() => sum.add(bytes),
                _ => return Ok(None),
            }
        }
        Ok(Some(sum.done()).filter(|found| self.original.as_ref() == Some(found)))
    }
}

/// What a file begins with, and how long that is.
fn head_of(bytes: &[u8]) -> Option<(Head, usize)> {
    let length = number(bytes.strip_prefix(&HEAD)?)? as usize;
    let content = bytes.get(8..8 + length.min(MOST_HEAD))?;
    let (sum, json) = (number(content)?, content.get(4..)?);
    let head = (crc32c::crc32c(json) == sum).then(|| serde_json::from_slice(json).ok())??;
    Some((head, 8 + length))
}

/// A mark with the frame behind it.
struct Marked {
    /// Where the frame begins in the original, and what it holds of it.
    at: u64,
    bytes: usize,
    /// Of both together in the file.
    length: usize,
}

fn marked(bytes: &[u8]) -> Option<Marked> {
    let content = bytes.get(..MARKED)?.strip_prefix(&MARK)?.strip_prefix(&12u32.to_le_bytes())?;
    let (at, sum) = content.split_first_chunk::<8>()?;
    let frame = (crc32c::crc32c(at) == number(sum)?).then(|| &bytes[MARKED..])?;
    let holds = zstd_safe::get_frame_content_size(frame).ok()??;
    let bytes = usize::try_from(holds).ok().filter(|holds| *holds <= FRAME)?;
    let length = zstd_safe::find_frame_compressed_size(frame).ok()?;
    Some(Marked { at: u64::from_le_bytes(*at), bytes, length: MARKED + length })
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::{self, Damage};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SMALL: usize = 16 << 10;

    fn sealed(bytes: &[u8], frame: usize) -> Vec<u8> {
        let mut to = Vec::new();
        let original = measure(&mut &bytes[..]).expect("measured");
        assert!(write_in_frames(frame, &original, &mut &bytes[..], &mut to, &|| true).expect("written"));
        to
    }

    /// Lines as rows are, about 80 bytes each.
    fn rows(count: u64) -> Vec<u8> {
        let row = |i: u64| {
            format!(
                "{{\"t\":{},\"src\":\"m\",\"at\":{},\"step\":{i},\"m\":{{\"loss\":0.{:06}}}}}\n",
                i * 217,
                i * 97,
                i * i * 7919 % 999_983
            )
        };
        (0..count).map(row).collect::<String>().into_bytes()
    }

    /// What is read of a sealed file: lines with the offsets behind them where that is known, and the damage.
    fn read(file: &[u8], from: u64) -> (Vec<Vec<u8>>, u64, Damage) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.1.jsonl");
        std::fs::write(path_of(&path), file).expect("written");
        let mut lines = Vec::new();
        let each = |line: &[u8]| {
            lines.push(line.to_vec());
            serde_json::from_slice::<serde_json::Value>(line).is_ok()
        };
        let (to, damage) = lines::read(&path, from, each).expect("reads");
        (lines, to, damage)
    }

    /// The frames of a file: where each begins and ends in the file, and what it holds of the original.
    fn frames(file: &[u8]) -> Vec<(std::ops::Range<usize>, std::ops::Range<u64>)> {
        let mut start = head_of(file).expect("a head").1;
        let mut all = Vec::new();
        while let Some(Marked { at, bytes, length }) = file.get(start..).and_then(marked) {
            all.push((start..start + length, at..at + bytes as u64));
            start += length;
        }
        assert_eq!(start, file.len());
        all
    }

    fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn any_zstd_gives_the_original_and_we_begin_anywhere_in_it() {
        let original = rows(2_000);
        let file = sealed(&original, SMALL);
        assert_eq!(zstd::stream::decode_all(&file[..]).expect("it is zstd"), original);
        assert!(frames(&file).len() > 5);
        for from in (0..original.len() as u64 + 3).step_by(777) {
            let (lines, to, damage) = read(&file, from);
            let rest = original.get(from as usize..).unwrap_or_default();
            assert!(lines == lines_of(rest), "from {from}");
            assert_eq!(to, from.max(original.len() as u64), "from {from}");
            // Begun within a line, the rest of that is none.
            assert!(damage.lines <= 1 && damage.bytes < 200, "{damage:?}");
        }
    }

    #[test]
    fn a_damaged_byte_costs_one_frame() {
        let original = rows(1_200);
        let file = sealed(&original, SMALL);
        let frames = frames(&file);
        for at in (0..file.len()).step_by(61) {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            let (lines, to, damage) = read(&damaged, 0);
            let hit = frames.iter().find(|(place, _)| place.contains(&at));
            let lost = hit.map_or(0..0, |(_, holds)| holds.start as usize..holds.end as usize);
            let whole = [&original[..lost.start], &original[lost.end..]].concat();
            assert!(lines == lines_of(&whole), "byte {at}");
            let told = Damage { lines: 1, bytes: lost.len() as u64, tail: 0 };
            assert_eq!((to, damage), (original.len() as u64, told), "byte {at}");
        }
    }

    #[test]
    fn of_a_file_that_ends_too_soon_the_frames_that_are_there_are_read() {
        let original = rows(1_200);
        let file = sealed(&original, SMALL);
        let frames = frames(&file);
        for length in (0..file.len()).step_by(61) {
            let (lines, to, damage) = read(&file[..length], 0);
            let there = frames.iter().filter(|(place, _)| place.end <= length).map(|(_, holds)| holds.end).max().unwrap_or(0);
            assert!(lines == lines_of(&original[..there as usize]), "{length} bytes");
            // Cut within its head it does not tell how much there was.
            let known = head_of(&file[..length]).is_some();
            let lost = if known { original.len() as u64 - there } else { 0 };
            assert_eq!((to, damage), (there + lost, Damage { lines: 1, bytes: lost, tail: 0 }), "{length} bytes");
        }
    }

    #[test]
    fn what_a_newer_version_sealed_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.1.jsonl");
        let json = br#"{"format":99,"bytes":0,"sha256":""}"#;
        let parts = [&HEAD[..], &(json.len() as u32 + 4).to_le_bytes(), &crc32c::crc32c(json).to_le_bytes(), json];
        std::fs::write(path_of(&path), parts.concat()).expect("written");
        assert!(matches!(Reader::open(&path), Err(StoreError::Newer { format: 99, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bytes_of_any_kind_come_back(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..5_000), frame in 1..3_000usize) {
            let file = sealed(&bytes, frame);
            prop_assert_eq!(&zstd::stream::decode_all(&file[..]).expect("it is zstd"), &bytes);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("x");
            std::fs::write(path_of(&path), &file).expect("written");
            prop_assert_eq!(length(&path).expect("reads"), bytes.len() as u64);
            let verified = Reader::open(&path).expect("opens").expect("it is there").verify(&|| true).expect("reads");
            prop_assert_eq!(verified, Some(measure(&mut &bytes[..]).expect("measured")));
        }

        #[test]
        fn whatever_is_damaged_nothing_is_made_up(seed in any::<u64>(), hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 1..600usize), 1..6), keep in 0.0..1.3f64) {
            let original = rows(400 + seed % 200);
            let mut file = sealed(&original, 4 << 10);
            for (at, byte, length) in hits {
                let at = at.index(file.len());
                let end = (at + length).min(file.len());
                file[at..end].fill(byte);
            }
            file.truncate((file.len() as f64 * keep.min(1.0)) as usize);
            let known: BTreeSet<Vec<u8>> = lines_of(&original).into_iter().collect();
            let (lines, _, damage) = read(&file, 0);
            prop_assert!(lines.iter().all(|line| known.contains(line)));
            prop_assert!(lines.len() == known.len() || damage.lines > 0, "{} of {}: {damage:?}", lines.len(), known.len());
        }
    }
}
