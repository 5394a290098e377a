//! What is recorded on a target, read on for home: the spools of its runs and the journal, "from byte N on". A thread of its own, so
//! that whoever waits for what comes next keeps nobody else waiting. What is sent was made durable here first: home never has what this
//! machine could lose.

use super::Out;
use crate::context::Context;
use crate::error::HomeError;
use crate::mirror::{self, Look};
use neronet_model::{Millis, RunId};
use neronet_store::{StoreError, follow, spool};
use neronet_supervise::os::clock;
use neronet_target::frame::MOST_BODY;
use neronet_target::wire::{Answer, Followed, Piece, Reply};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

/// What nobody looks at is read so often.
const UNWATCHED: Duration = Duration::from_secs(1);
/// And what is replaced rather than appended to.
const REPLACED: Duration = Duration::from_secs(20);
/// Of those whose time comes within this all are looked at together.
const SOON: Duration = Duration::from_millis(200);
/// While somebody looks on, whoever records is told so often.
const WATCHING: Duration = Duration::from_secs(2);
/// Of one file at a time, so that a long one does not keep the others.
const MOST_PIECE: u64 = 256 << 10;
/// Of which the head of an answer tells.
const MOST_PIECES: usize = 4_000;
/// What changes within this is sent together.
const TOGETHER: Duration = Duration::from_millis(5);
/// Without word from the kernel it is looked after this.
const ANYWAY: Duration = Duration::from_secs(2);

pub(super) enum Request {
    Follow { journal: u64, runs: Vec<Followed> },
    More { id: u64, patience: Millis },
}

/// To the thread.
pub(super) struct Following {
    requests: Sender<Request>,
    told: Arc<EventFd>,
}

impl Drop for Following {
    fn drop(&mut self) {
        // It ends when nobody can ask any more.
        self.told.write(1).ok();
    }
}

impl Following {
    pub(super) fn begin(context: &Context, out: Out) -> Result<Following, HomeError> {
        let none = |e: io::Error| HomeError::Failed(format!("what is recorded cannot be followed: {e}"));
        let told = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(|errno| none(errno.into()))?;
        let told = Arc::new(told);
        let (requests, asked) = channel();
        let (context, heard) = (context.clone(), Arc::clone(&told));
        let work = move || Reader::new(context, heard).answer(&asked, &out);
        std::thread::Builder::new().name("follow".into()).spawn(work).map_err(none)?;
        Ok(Following { requests, told })
    }

    pub(super) fn ask(&self, request: Request) -> Result<(), HomeError> {
        let sent = self.requests.send(request);
        self.told.write(1).ok();
        sent.map_err(|_| HomeError::Failed("what is recorded cannot be followed any more".into()))
    }
}

/// What home has of a run.
#[derive(Default)]
struct Known {
    appended: BTreeMap<String, u64>,
    replaced: BTreeMap<String, u32>,
    /// When they were sent last.
    replaced_at: BTreeMap<String, Instant>,
    /// How files that are replaced were when they were looked at.
    seen: BTreeMap<String, (u64, i64, i64)>,
    looked: Option<Instant>,
    /// When whoever records it was told last that somebody looks on.
    watching: Option<Instant>,
}

struct Reader {
    context: Context,
    told: Arc<EventFd>,
    changes: Option<Inotify>,
    journal: u64,
    /// As far as the journal has whole entries: half of one may be taken back, as when the disk was full.
    whole: u64,
    runs: BTreeMap<RunId, Known>,
    watched: Vec<RunId>,
}

impl Reader {
    fn new(context: Context, told: Arc<EventFd>) -> Reader {
        let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok();
        let reader = Reader { context, told, changes, journal: 0, whole: 0, runs: BTreeMap::new(), watched: Vec::new() };
        reader.watch(&reader.context.home.journal());
        reader
    }

    /// Best effort: without it everything is a little later.
    fn watch(&self, folder: &Path) {
        let what = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        if let Some(changes) = &self.changes {
            changes.add_watch(folder, what).ok();
        }
    }

    fn answer(mut self, asked: &Receiver<Request>, out: &Out) {
        let mut waiting: Option<(u64, Instant)> = None;
        loop {
            loop {
                match asked.try_recv() {
                    Ok(Request::Follow { journal, runs }) => self.follow(journal, runs),
                    Ok(Request::More { id, patience }) => waiting = Some((id, Instant::now() + Duration::from_millis(patience.0))),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let Some((id, until)) = waiting else {
                self.wait(None);
                continue;
            };
            let mut sent = Sent::default();
            // What cannot be read now is tried again.
            let read = self.read(&mut sent);
            if !sent.pieces.is_empty() || Instant::now() >= until {
                waiting = None;
                if out.send(&Answer { id, reply: Reply::Pieces(sent.pieces) }, &sent.body).is_err() {
                    return;
                }
            } else {
                let patience = if read.is_err() { ANYWAY } else { self.next_look() };
                self.wait(Some(patience.min(until.saturating_duration_since(Instant::now()))));
            }
        }
    }

    fn follow(&mut self, journal: u64, runs: Vec<Followed>) {
        self.journal = journal;
        self.whole = self.whole.max(journal);
        self.watched = runs.iter().filter(|run| run.watched).map(|run| run.run).collect();
        let mut before = std::mem::take(&mut self.runs);
        for Followed { run, files, .. } in runs {
            let mut known = before.remove(&run).unwrap_or_default();
            known.looked = None;
            for file in files {
                match file.sum {
                    Some(sum) => drop(known.replaced.insert(file.path, sum)),
                    None => drop(known.appended.insert(file.path, file.bytes)),
                }
            }
            self.runs.insert(run, known);
        }
    }

    /// Until something is asked, or changes, or it is time.
    fn wait(&self, patience: Option<Duration>) {
        let changes = self.changes.as_ref().filter(|_| patience.is_some());
        let mut fds: Vec<PollFd<'_>> = [Some(self.told.as_fd()), changes.map(AsFd::as_fd)]
            .into_iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let patience = patience
            .map_or(PollTimeout::NONE, |patience| PollTimeout::try_from(patience + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX));
        poll(&mut fds, patience).ok();
        let changed = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(true));
        self.told.read().ok();
        if changed {
            std::thread::sleep(TOGETHER);
            while self.changes.as_ref().is_some_and(|changes| changes.read_events().is_ok_and(|events| !events.is_empty())) {}
        }
    }

    /// When a run is to be looked at that nobody looks at.
    fn next_look(&self) -> Duration {
        let due = self.runs.values().filter_map(|known| known.looked).map(|at| UNWATCHED.saturating_sub(at.elapsed())).min();
        due.unwrap_or(ANYWAY).clamp(Duration::from_millis(1), ANYWAY)
    }

    /// Everything that is new, as far as one answer has room. What the journal says comes when all that was there before it has been sent.
    fn read(&mut self, sent: &mut Sent) -> Result<(), StoreError> {
        let entries = follow::behind(&self.context.home.journal(), self.whole)?;
        self.whole = entries.last().map_or(self.whole, |(end, _)| *end);
        let until = self.whole;
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        let known = if until > self.journal { Some(self.context.home.read()?) } else { None };
        for run in ids {
            let due = until > self.journal
                || self.watched.contains(&run)
                || self.runs.get(&run).is_none_or(|known| known.looked.is_none_or(|at| at.elapsed() + SOON >= UNWATCHED));
            let ends = known.as_ref().is_some_and(|known| !known.queue.awaits_end(run));
            if due && !self.read_run(run, ends, sent)? {
                return Ok(());
            }
        }
        let path = self.context.home.journal().join("1.log");
        sent.append(&path, None, String::new(), &mut self.journal, until).map_err(StoreError::io("read", &path))?;
        Ok(())
    }

    /// False where the answer is full.
    fn read_run(&mut self, run: RunId, ends: bool, sent: &mut Sent) -> Result<bool, StoreError> {
        let folder = self.context.home.run(run);
        let mut known = self.runs.remove(&run).unwrap_or_default();
        if self.watched.contains(&run) && known.watching.is_none_or(|at| at.elapsed() >= WATCHING) {
            known.watching = Some(Instant::now());
            if let Some(n) = spool::attempts_of(&folder)?.into_iter().next_back() {
                let attempt = self.context.home.attempt(run, n);
                spool::watch(&attempt);
                self.watch(&attempt);
            }
        }
        let look = Look::at(&folder);
        let at_leisure = !self.watched.contains(&run) && !ends;
        let all = known.read(&folder, run, &look, at_leisure, sent).map_err(StoreError::io("read", &folder));
        if let Ok(true) = all {
            known.looked = Some(Instant::now());
        }
        self.runs.insert(run, known);
        all
    }
}

impl Known {
    /// `at_leisure`: nobody looks on, and it has not ended.
    fn read(&mut self, folder: &Path, run: RunId, look: &Look, at_leisure: bool, sent: &mut Sent) -> io::Result<bool> {
        for file in &look.files {
            let path: PathBuf = folder.join(&file.path);
            if file.is_appended {
                let known = self.appended.entry(file.path.clone()).or_default();
                if !sent.append(&path, Some(run), file.path.clone(), known, look.until(folder, file))? {
                    return Ok(false);
                }
                continue;
            }
            if at_leisure && (file.is_for_the_end() || self.replaced_at.get(&file.path).is_some_and(|at| at.elapsed() < REPLACED)) {
                continue;
            }
            let Some(stamp) = mirror::stamp(&path) else { continue };
            if self.seen.get(&file.path) == Some(&stamp) {
                continue;
            }
            let bytes = std::fs::read(&path)?;
            let sum = mirror::sum(&bytes);
            let is_short = bytes.len() <= mirror::MOST_REPLACED;
            if self.replaced.get(&file.path) != Some(&sum) && (is_short || file.is_for_the_end()) {
                // Nothing of it: home makes it itself, of what it was made of here.
                let bytes = if is_short { bytes.as_slice() } else { &[] };
                if !sent.has_room_for(bytes.len()) {
                    return Ok(false);
                }
                sent.push(Some(run), file.path.clone(), None, bytes);
                self.replaced.insert(file.path.clone(), sum);
                self.replaced_at.insert(file.path.clone(), Instant::now());
            }
            self.seen.insert(file.path.clone(), stamp);
        }
        Ok(true)
    }
}

/// One answer.
#[derive(Default)]
struct Sent {
    pieces: Vec<Piece>,
    body: Vec<u8>,
}

impl Sent {
    fn has_room_for(&self, bytes: usize) -> bool {
        self.pieces.len() < MOST_PIECES && self.body.len() + bytes <= MOST_BODY
    }

    fn push(&mut self, run: Option<RunId>, path: String, from: Option<u64>, bytes: &[u8]) {
        let now = run.is_none().then(clock::unix_now);
        self.pieces.push(Piece { run, path, from, bytes: bytes.len() as u32, now });
        self.body.extend_from_slice(bytes);
    }

    /// What a file has behind what is known, up to `until`. False where not all of that had room.
    fn append(&mut self, path: &Path, run: Option<RunId>, name: String, known: &mut u64, until: u64) -> io::Result<bool> {
        if until <= *known {
            return Ok(true);
        }
        if !self.has_room_for(1) {
            return Ok(false);
        }
        let room = (MOST_BODY - self.body.len()) as u64;
        let wanted = (until - *known).min(MOST_PIECE).min(room);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(e) => return Err(e),
        };
        file.sync_data()?;
        let mut bytes = vec![0; wanted as usize];
        file.read_exact_at(&mut bytes, *known)?;
        self.push(run, name, Some(*known), &bytes);
        *known += wanted;
        Ok(*known >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_target::frame;
    use std::io::Write;

    #[test]
    fn nothing_is_said_to_have_ended_before_all_that_led_to_it_is_sent() {
        const ENDS: usize = 3_000;
        let folder = tempfile::tempdir().expect("a folder");
        let attempt = folder.path().join("attempts/1");
        std::fs::create_dir_all(&attempt).expect("made");
        let mut keeper = File::create(attempt.join("keeper.jsonl")).expect("made");
        let (mut known, mut ended, mut led) = (Known::default(), 0, 0);
        std::thread::scope(|scope| {
            let record = || {
                for n in 0..ENDS {
                    // A few files, as a listing of thousands takes longer than the test has.
                    let mut output = File::options().create(true).append(true).open(attempt.join(format!("output.1.{}.jsonl", n / 100)))?;
                    output.write_all(b"o")?;
                    keeper.write_all(b"e")?;
                }
                io::Result::Ok(())
            };
            let recorder = scope.spawn(record);
            while ended < ENDS {
                let is_over = recorder.is_finished();
                let mut sent = Sent::default();
                let all = known.read(folder.path(), RunId(1), &Look::at(folder.path()), false, &mut sent);
                assert!(all.expect("read"), "all of it has room");
                let of = |end: bool| {
                    sent.pieces.iter().filter(|p| p.path.ends_with("keeper.jsonl") == end).map(|p| p.bytes as usize).sum::<usize>()
                };
                (led, ended) = (led + of(false), ended + of(true));
                assert!(led >= ended, "{ended} ends and {led} that led to them");
                assert!(ended == ENDS || !is_over, "the last is sent when nothing more comes");
            }
            recorder.join().expect("no panic").expect("recorded");
        });
        assert_eq!((ended, led), (ENDS, ENDS));
    }

    #[test]
    fn however_much_there_is_an_answer_is_a_frame() {
        let folder = tempfile::tempdir().expect("a folder");
        let (small, long) = (folder.path().join("small"), folder.path().join("long"));
        std::fs::write(&small, "12345").expect("written");
        std::fs::write(&long, vec![b'x'; 3 * MOST_BODY]).expect("written");
        let name = |n: u64| format!("attempts/{n}/output.1.{n}.jsonl");
        let frame_of = |sent: Sent| frame::write(&mut Vec::new(), &Answer { id: u64::MAX, reply: Reply::Pieces(sent.pieces) }, &sent.body);
        // Many files.
        let mut sent = Sent::default();
        let mut append = |n: u64| sent.append(&small, Some(RunId(100_000)), name(999_999_000 + n), &mut 0, 5).expect("read");
        assert_eq!((0..10_000).take_while(|n| append(*n)).count(), MOST_PIECES);
        frame_of(sent).expect("a frame");
        // Much in one.
        let (mut sent, mut known) = (Sent::default(), 0);
        while sent.has_room_for(1) {
            assert!(!sent.append(&long, None, String::new(), &mut known, 3 * MOST_BODY as u64).expect("read"));
        }
        assert_eq!((sent.body.len(), known), (MOST_BODY, MOST_BODY as u64));
        frame_of(sent).expect("a frame");
    }
}
