//! Reading and copying single files, so that the hash is of the very bytes that were taken; and doing so on several cores.

use crate::sign::{Sign, hex};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How often a file that changes while it is read is read again.
const PATIENCE: u32 = 3;
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) executable: bool,
    /// Nothing when the file kept changing: the hash is of what was read, and of no state that lasts.
    pub(super) sign: Option<Sign>,
}

/// Opens a file and nothing else: no link is followed, and a pipe in its place does not hang.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no longer a file")) }
}

pub(super) fn hash_file(path: &Path) -> io::Result<Hashed> {
    taken(path, || Ok(io::sink())).map(|(hashed, _)| hashed)
}

/// Copies `from` to the new file `to`, which nobody may write, and hashes what was copied.
pub(super) fn copy_frozen(from: &Path, to: &Path) -> io::Result<Hashed> {
    let (hashed, file) = taken(from, || {
        // A former try that was interrupted by a change is begun anew.
        match std::fs::remove_file(to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => OpenOptions::new().write(true).create_new(true).mode(0o600).open(to),
        }
    })?;
    let mode = if hashed.executable { 0o555 } else { 0o444 };
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    Ok(hashed)
}

/// Reads `path` into what `sink` makes, again where it changed meanwhile.
fn taken<W: Write>(path: &Path, sink: impl Fn() -> io::Result<W>) -> io::Result<(Hashed, W)> {
    let mut patience = PATIENCE;
    loop {
        patience -= 1;
        let mut source = open(path)?;
        let before = source.metadata()?;
        let mut sink = sink()?;
        let mut hasher = Sha256::new();
        let mut size = 0;
        let mut buffer = vec![0; BUFFER.min(usize::try_from(before.len()).unwrap_or(BUFFER) + 1)];
        loop {
            let n = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..n]);
            sink.write_all(&buffer[..n])?;
            size += n as u64;
        }
        let sign = Sign::of(&before);
        let quiet = sign == Sign::of(&source.metadata()?) && size == before.len();
        if quiet || patience == 0 {
            let hashed =
                Hashed { sha256: hex(&hasher.finalize()), size, executable: before.mode() & 0o100 != 0, sign: quiet.then_some(sign) };
            return Ok((hashed, sink));
        }
    }
}

/// Whether sharing blocks has been refused once; then it is not asked for again.
#[derive(Default)]
pub(super) struct Cloner {
    refused: AtomicBool,
}

impl Cloner {
    /// Copies `from`, of which it is known that it has `size` bytes and rests, to the new file `to`; on file systems that can, the
    /// two share their blocks until one is written.
    pub(super) fn copy(&self, from: &Path, to: &Path, size: u64, executable: bool) -> io::Result<()> {
        let mut source = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(from)?;
        let mode = if executable { 0o777 } else { 0o666 };
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
        if size > 0 && !self.refused.load(Ordering::Relaxed) {
            match clone(&source, &copy) {
                Ok(()) => return Ok(()),
                Err(_) => self.refused.store(true, Ordering::Relaxed),
            }
        }
        let copied = if size < BUFFER as u64 {
            // One byte more than expected, so that a file that has grown shows.
            let mut buffer = vec![0; usize::try_from(size).unwrap_or(0) + 1];
            let mut filled = 0;
            // A read that comes short of a resting file's length plus one has come to its end.
            while filled < buffer.len() && (filled as u64 != size || size == 0) {
                match source.read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            copy.write_all(&buffer[..filled])?;
            filled as u64
        } else {
            io::copy(&mut source, &mut copy)?
        };
        if copied == size { Ok(()) } else { Err(io::Error::other(format!("the stored file has {copied} bytes and should have {size}"))) }
    }
}

/// Makes `to` share the blocks of `from`.
fn clone(from: &File, to: &File) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe wrapper of FICLONE exists; both descriptors are open files that outlive the call")]
    let answer = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Below so many items a thread costs more than it brings.
const WORTH: usize = 16;

/// Applies `work` to every item on as many cores as there are, four at most. The results keep the items' order.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    in_shares(&items.chunks(WORTH).collect::<Vec<_>>(), work)
}

/// The same, where the items of a share are left to one core.
pub(super) fn in_shares<T: Sync, R: Send>(shares: &[&[T]], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    static CORES: OnceLock<usize> = OnceLock::new();
    let cores = *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from).min(4));
    let items: usize = shares.iter().map(|share| share.len()).sum();
    let workers = cores.min(items.div_ceil(WORTH)).min(shares.len());
    if workers < 2 {
        return shares.iter().flat_map(|share| share.iter()).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let labour = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(share) = shares.get(number) else { return done };
            done.push((number, share.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(labour)).collect();
        let mut done = labour();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, results)| results).collect()
}
