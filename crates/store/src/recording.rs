//! The metrics of a run as columns: what the projection holds of them, and what its spools hold beyond that.
//!
//! The projection is one file a run (`neronet_series::Head` says in which form), made of the spools and worth nothing without them: it
//! says of each segment up to which byte it was read, is read on from there by whoever wants to see curves, and is made anew where it
//! does not fit. Runs with few points have none.

use crate::error::StoreError;
use crate::files;
use crate::lines::{self, Damage};
use crate::projection::Was;
use crate::spool::{self, Segments};
use neronet_model::{AttemptNo, Row, UnixMs};
use neronet_series::{Block, Bytes, Damaged, Fold, Head, Point, Position, Recorded, Until};
use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Less than this is read from the spool each time: some milliseconds.
const FEW_BYTES: u64 = 1 << 20;

/// All that is recorded of the metrics of one run.
#[derive(Debug)]
pub struct Recording {
    attempts: Vec<(AttemptNo, bool)>,
    stored: Stored,
    heads: Vec<Head>,
    rest: Vec<Block>,
    damage: Damage,
}

/// The file of the projection, if there is one.
#[derive(Debug, Default)]
struct Stored(Option<File>);

impl Bytes for Stored {
    fn read_at(&self, at: u64, length: usize) -> Result<Vec<u8>, Damaged> {
        let file = self.0.as_ref().ok_or(Damaged)?;
        // Before room is taken for it: the length stands in the file.
        let end = at.checked_add(length as u64).ok_or(Damaged)?;
        if length > FEW_BYTES as usize && file.metadata().map_or(0, |known| known.len()) < end {
            return Err(Damaged);
        }
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).map_err(|_| Damaged)?;
        Ok(bytes)
    }

    fn will_read(&self, at: u64, length: usize) {
        if let (Some(file), Ok(at)) = (&self.0, i64::try_from(at)) {
            // Only a hint: what is refused is read nevertheless.
            posix_fadvise(file, at, length as i64, PosixFadviseAdvice::POSIX_FADV_WILLNEED).ok();
        }
    }
}

/// An attempt, as far as series need it.
struct Told {
    n: AttemptNo,
    resumes: bool,
    begun: UnixMs,
    ended: bool,
    segments: Segments,
}

/// Whoever stores: one process at a time.
struct Writer {
    file: Flock<File>,
    end: u64,
}

impl Recording {
    /// Reads a run, whose projection is the file `stored`, or nowhere. Where much is new, it is stored there, as far as that can be done.
    pub fn of(run_folder: &Path, stored: Option<&Path>) -> Result<Recording, StoreError> {
        let told = told(run_folder)?;
        let known = stored.and_then(|path| File::open(path).ok());
        let heads = known.as_ref().map_or_else(Vec::new, |file| heads_of(file).0);
        let unread = unread(&told, &heads)?;
        let mut recording = Recording { stored: Stored(known), heads, attempts: Vec::new(), rest: Vec::new(), damage: Damage::default() };
        if unread.is_some_and(|bytes| bytes < FEW_BYTES) {
            recording.fold(&told, None)?;
            return Ok(recording);
        }
        let writer = stored.and_then(|path| Writer::take(path, unread.is_none()));
        let with_file = writer.and_then(|writer| writer.file.try_clone().ok().map(|file| (writer, file)));
        match with_file {
            Some((mut writer, file)) => {
                // Another process may have stored more meanwhile.
                recording.heads = heads_of(&file).0;
                recording.stored = Stored(Some(file));
                recording.fold(&told, Some(&mut writer))?;
            }
            None => {
                if unread.is_none() {
                    recording.heads.clear();
                }
                recording.fold(&told, None)?;
            }
        }
        Ok(recording)
    }

    /// The same, with a projection made anew: this one is damaged.
    pub fn anew(run_folder: &Path, stored: Option<&Path>) -> Result<Recording, StoreError> {
        if let Some(path) = stored {
            std::fs::remove_file(path).ok();
        }
        Recording::of(run_folder, stored)
    }

    /// Makes the projection anew, where there is one, and says whether it was right.
    pub fn rebuild(run_folder: &Path, stored: &Path) -> Result<Was, StoreError> {
        if !stored.exists() {
            return Ok(Was::Absent);
        }
        let was = Recording::of(run_folder, Some(stored))?.fingerprint();
        // Beside the other one, which readers have until it is known to be wrong.
        let anew = stored.with_extension("rebuilt");
        std::fs::remove_file(&anew).ok();
        let is = Recording::of(run_folder, Some(&anew))?.fingerprint();
        if was.is_ok() && was == is {
            std::fs::remove_file(&anew).ok();
            return Ok(Was::Right);
        }
        std::fs::rename(&anew, stored).or_else(|_| std::fs::remove_file(stored)).map_err(StoreError::io("replace", stored))?;
        Ok(Was::Wrong(if was.is_err() { "it was damaged" } else { "it did not say what the spools say" }))
    }

    /// What tells all its points from those of another one.
    fn fingerprint(&self) -> Result<BTreeMap<String, u32>, Damaged> {
        let recorded = self.recorded();
        let mut all = BTreeMap::new();
        for name in recorded.names() {
            if let Entry::Vacant(new) = all.entry(name.to_string()) {
                let (series, mut sum) = (recorded.series(name), 0);
                let mut add = |point: Point| {
                    let numbers = [point.step.to_bits(), point.at.0 as u64, point.value.to_bits(), point.by as u64];
                    numbers.iter().for_each(|number| sum = crc32c::crc32c_append(sum, &number.to_le_bytes()));
                };
                series.points(&mut add)?;
                series.superseded(&mut add)?;
                new.insert(sum);
            }
        }
        Ok(all)
    }

    pub fn recorded(&self) -> Recorded<'_, impl Bytes> {
        Recorded { attempts: &self.attempts, file: &self.stored, heads: &self.heads, rest: &self.rest }
    }

    /// What of the rows cannot be read.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// Reads on in the spools, behind what is stored.
    fn fold(&mut self, told: &[Told], mut writer: Option<&mut Writer>) -> Result<(), StoreError> {
        let (mut fold, mut row) = (Fold::default(), Row::default());
        for attempt in told {
            self.attempts.push((attempt.n, attempt.resumes));
            fold.begin(attempt.n, attempt.resumes, attempt.begun);
            let (mut position, mut lost) = (Position::new(), (0, 0));
            for head in self.heads.iter().filter(|head| head.attempt == attempt.n) {
                fold.go_on(head);
                position.clone_from(&head.position);
                self.damage += Damage { lines: head.lost.0, bytes: head.lost.1, tail: 0 };
            }
            let mut segments = attempt.segments.of_kind("metrics").peekable();
            while let Some(path) = segments.next() {
                let segment = name_of(path);
                let from = take(&mut position, &segment).map_or(0, |until| until.to);
                let mut behind = from;
                let (to, found) = lines::placed(path, from, |line, at| {
                    // Between lines alone: what a damaged one holds may be several rows.
                    let known = row.read(line);
                    if at > behind && (if known { fold.is_over_before(&row) } else { fold.is_full() }) {
                        let until = Until { segment: segment.clone(), to: behind, length: behind };
                        self.keep(fold.cut(), position.iter().cloned().chain([until]).collect(), (0, 0), &mut writer);
                    }
                    behind = at;
                    if known {
                        fold.add(&row);
                    }
                    known
                })?;
                position.push(Until { segment, to, length: to + found.tail });
                lost = (lost.0 + found.lines, lost.1 + found.bytes);
                // Nobody writes a segment that has another behind it.
                self.damage += if segments.peek().is_some() || attempt.ended { found.of_ended() } else { found };
            }
            if !fold.is_empty() || lost != (0, 0) {
                self.keep(fold.cut(), position, lost, &mut writer);
            }
        }
        if let Some(writer) = writer {
            writer.file.sync_data().ok();
        }
        Ok(())
    }

    /// Stores a block, or keeps it in memory where that cannot be done, and all behind it.
    fn keep(&mut self, block: Block, position: Position, lost: (u64, u64), writer: &mut Option<&mut Writer>) {
        if let Some(open) = writer
            && let Some((frame, head)) = block.encode(position, lost, open.end)
        {
            if open.append(&frame).is_some() {
                self.heads.push(head);
                return;
            }
            // A full disk most likely. What is stored stays, all else is read each time.
            *writer = None;
        }
        self.rest.push(block);
    }
}

impl Writer {
    /// None where another process stores, or nothing can be stored. `anew` makes an empty file.
    fn take(path: &Path, anew: bool) -> Option<Writer> {
        files::make_folder(path.parent()?).ok()?;
        if anew {
            // Not shortened: others may be reading it.
            std::fs::remove_file(path).ok();
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).ok()?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        let (ours, there) = (file.metadata().ok()?, std::fs::metadata(path).ok()?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return None;
        }
        let end = heads_of(&file).1;
        // A frame that was never finished.
        if ours.len() > end {
            file.set_len(end).ok()?;
        }
        Some(Writer { file, end })
    }

    fn append(&mut self, frame: &[u8]) -> Option<()> {
        if self.file.write_all_at(frame, self.end).is_err() {
            self.file.set_len(self.end).ok();
            return None;
        }
        self.end += frame.len() as u64;
        Some(())
    }
}

fn heads_of(file: &File) -> (Vec<Head>, u64) {
    let length = file.metadata().map_or(0, |known| known.len());
    let Ok(file) = file.try_clone() else { return (Vec::new(), 0) };
    Head::all(&Stored(Some(file)), length)
}

fn told(run_folder: &Path) -> Result<Vec<Told>, StoreError> {
    let told = |n: AttemptNo| {
        let folder = run_folder.join("attempts").join(n.to_string());
        let segments = Segments::of(&folder)?;
        let attempt = spool::attempt(&folder, n)?;
        let begun = attempt.begun.unwrap_or(UnixMs(0));
        Ok(Told { n, resumes: attempt.resumes, begun, ended: attempt.end.is_some(), segments })
    };
    spool::attempts_of(run_folder)?.into_iter().map(told).collect()
}

/// How many bytes of the spools are not stored. `None` where what is stored cannot be of these spools, or cannot be gone on from.
fn unread(told: &[Told], heads: &[Head]) -> Result<Option<u64>, StoreError> {
    let mut all = 0;
    for attempt in told {
        let last = heads.iter().rfind(|head| head.attempt == attempt.n);
        let mut position = last.map_or_else(Position::new, |head| head.position.clone());
        let mut unread = 0;
        for path in attempt.segments.of_kind("metrics") {
            match spool::length(path)?.checked_sub(take(&mut position, &name_of(path)).map_or(0, |until| until.length)) {
                Some(more) => unread += more,
                None => return Ok(None),
            }
        }
        // A segment that is gone, or rows of an attempt that came after those of a later one were stored.
        if !position.is_empty() || unread > 0 && heads.iter().any(|head| head.attempt > attempt.n) {
            return Ok(None);
        }
        all += unread;
    }
    let known = |head: &Head| told.iter().any(|attempt| attempt.n == head.attempt);
    Ok(heads.iter().all(known).then_some(all))
}

fn name_of(segment: &Path) -> String {
    segment.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Takes out how far a segment is read.
fn take(position: &mut Position, segment: &str) -> Option<Until> {
    let found = position.iter().position(|until| until.segment == segment)?;
    Some(position.swap_remove(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{self, Point};
    use neronet_model::Millis;
    use neronet_model::row::Values;
    use std::io::Write;
    use std::ops::Range;
    use std::path::PathBuf;

    struct World {
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            World { folder: tempfile::tempdir().expect("a folder") }
        }

        fn run(&self) -> PathBuf {
            self.folder.path().join("run")
        }

        fn stored(&self) -> PathBuf {
            self.folder.path().join("cache/run.series")
        }

        fn segment(&self, attempt: u64, generation: u32) -> PathBuf {
            self.run().join(format!("attempts/{attempt}/metrics.{generation}.jsonl"))
        }

        /// Adds rows, each of 300 bytes, to a segment.
        fn tell(&self, attempt: u64, generation: u32, steps: Range<i64>) {
            let path = self.segment(attempt, generation);
            std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
            let mut out = OpenOptions::new().append(true).create(true).open(path).expect("opens");
            let mut lines = String::new();
            for step in steps {
                let m = Values(vec![("loss".into(), 1.0 / (step + attempt as i64) as f64), ("acc".into(), (step % 97) as f64)]);
                let src = format!("f:{}", "p".repeat(200));
                let row = Row { t: Millis(step as u64 * 3), src, at: step as u64, step: Some(step), m, ..Row::default() };
                lines += &(serde_json::to_string(&row).expect("serialises") + "\n");
            }
            out.write_all(lines.as_bytes()).expect("written");
        }

        /// Every point, read with the projection and without; they must be the same.
        fn agree(&self, when: &str) -> Vec<Point> {
            let with = series::of_run(&self.run(), Some(&self.stored()), None).expect("reads");
            let without = series::of_run(&self.run(), None, None).expect("reads");
            assert!(with == without, "with the projection other points are read {when}");
            with["loss"].points.clone()
        }

        fn stored_bytes(&self) -> u64 {
            std::fs::metadata(self.stored()).map_or(0, |known| known.len())
        }
    }

    const MUCH: i64 = FEW_BYTES as i64 / 250;

    #[test]
    fn what_is_new_is_read_on_whatever_became_of_the_spool() {
        let world = World::new();
        world.tell(1, 1, 1..100);
        assert_eq!(world.agree("of few points").len(), 99);
        assert_eq!(world.stored_bytes(), 0, "of few points nothing is stored");
        world.tell(1, 1, 100..MUCH);
        assert_eq!(world.agree("of many").len() as i64, MUCH - 1);
        let first = world.stored_bytes();
        assert!(first > 0, "many are stored");
        world.tell(1, 1, MUCH..MUCH + 10);
        world.agree("after some more");
        assert_eq!(world.stored_bytes(), first, "some more are read each time");
        world.tell(1, 2, MUCH + 10..2 * MUCH);
        world.agree("after another generation");
        assert!(world.stored_bytes() > first, "that many more are stored too");
        world.tell(2, 1, 50..MUCH);
        assert_eq!(world.agree("after an attempt from scratch").len() as i64, MUCH - 50);
        world.tell(1, 1, 2 * MUCH..2 * MUCH + 1);
        world.agree("after an earlier attempt was completed");
        std::fs::write(world.segment(1, 1), "").expect("written");
        world.agree("after a segment became shorter");
        std::fs::remove_file(world.segment(1, 2)).expect("removed");
        world.agree("after a segment went");
        std::fs::remove_dir_all(world.run().join("attempts/2")).expect("removed");
        std::fs::create_dir_all(world.run().join("attempts/2")).expect("made");
        assert!(series::of_run(&world.run(), Some(&world.stored()), None).expect("reads").is_empty());
    }

    #[test]
    fn a_damaged_projection_is_made_anew_wherever_it_is_damaged() {
        let world = World::new();
        world.tell(1, 1, 1..MUCH);
        world.agree("at first");
        let whole = std::fs::read(world.stored()).expect("stored");
        assert!(whole.len() > 4 * 512, "{} bytes", whole.len());
        for at in (0..whole.len()).step_by(512) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            std::fs::write(world.stored(), &damaged).expect("written");
            world.agree(&format!("with byte {at} changed"));
            std::fs::write(world.stored(), &whole[..at]).expect("written");
            world.agree(&format!("cut at byte {at}"));
        }
        std::fs::write(world.stored(), [whole, vec![0; 4096]].concat()).expect("written");
        world.agree("with zeros behind it");
    }

    #[test]
    fn where_nothing_can_be_stored_all_is_read() {
        let world = World::new();
        world.tell(1, 1, 1..MUCH);
        std::fs::write(world.folder.path().join("cache"), "a file where the folder is to be").expect("written");
        assert_eq!(world.agree("without a cache").len() as i64, MUCH - 1);
    }

    #[test]
    fn only_one_process_stores_and_the_others_read() {
        let world = World::new();
        world.tell(1, 1, 1..MUCH);
        let writer = Writer::take(&world.stored(), false).expect("nobody else stores");
        assert_eq!(world.agree("while another process stores").len() as i64, MUCH - 1);
        assert_eq!(world.stored_bytes(), 0);
        drop(writer);
        world.agree("when it is done");
        assert!(world.stored_bytes() > 0);
    }
}
