//! The daemon's life: it takes `daemon.lock`, says where it is, answers, has the queue kept beside that, and leaves. Runs need none
//! of it: they go on whatever becomes of the daemon.

use crate::client::Client;
use crate::notice::{self, Found, Notice};
use crate::served::{Lister, Served};
use crate::{log, server, socket, token};
use neronet_home::control::Control;
use neronet_home::gc::trash::Emptier;
use neronet_home::sealing::Sealer;
use neronet_home::seat::{self, Seat};
use neronet_home::{Context, HomeError};
use neronet_model::launch::{Courtesy, DiskTurn};
use neronet_store::files;
use neronet_store::follow::Watch;
use neronet_store::{Home, StoreError};
use neronet_supervise::os::{courtesy, memory};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// For one that is leaving to be gone, or one that is coming to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// For the keeper of the queue to leave, and for the last answers to be out.
const LEAVING: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(1);
/// After the keeper of the queue failed.
const AGAIN: Duration = Duration::from_secs(10);
/// Changes of home that come closer than this are told together.
const TOGETHER: Duration = Duration::from_millis(25);
/// So long nobody must have decided or learned anything for attempts to be sealed.
const CALM: Duration = Duration::from_secs(2);
/// Threads that read and write for requests, and what their stacks may be.
const THREADS: usize = 4;
const STACK: usize = 1 << 20;

/// How to serve.
#[derive(Debug)]
pub struct Wanted {
    /// ADDRESS:PORT of TCP, too.
    pub listen: Option<String>,
    /// Leave when there has been nothing to do for so long. Without it the daemon stays.
    pub until_idle: Option<Duration>,
    /// Where what goes to standard error ends up, which is kept small.
    pub log: Option<PathBuf>,
    pub lister: Lister,
}

#[derive(Debug)]
pub enum Ended {
    Left,
    /// Somebody else serves this home.
    There(Notice),
}

/// Serves home until it is told to leave. `keep` keeps the queue meanwhile, in a thread of its own: it returns when `Control` says
/// so. `ready` is told once what is served.
pub fn serve<K>(context: Context, wanted: Wanted, keep: K, ready: impl FnOnce(&Notice)) -> Result<Ended, HomeError>
where
    K: Fn(&Context, &Control) -> Result<(), HomeError> + Send + 'static,
{
    memory::shared_by_threads();
    let seat = match take(&context.home, wanted.until_idle.is_none())? {
        Ok(seat) => seat,
        Err(there) => return Ok(Ended::There(there)),
    };
    drop(context.lock()?);
    let uid = context.home.uid()?.ok_or_else(|| HomeError::Daemon(format!("{} has no home.json", context.home.root().display())))?;
    let tcp = wanted.listen.as_deref().map(|address| bind(&context.home, address)).transpose()?;
    let signals = signals()?;
    let path = socket::place(&context, &uid)?;
    let listener = socket::listen(&path)?;
    let address = tcp.as_ref().map(|(_, address)| address.to_string());
    let notice = Notice::new(&context, path, address, wanted.until_idle.is_none());
    let control = Arc::new(Control::new()?);
    let served = Arc::new(Served::new(context, uid, notice, wanted.lister, Arc::clone(&control)));
    let home = served.context.home.clone();
    served.notice.write(&home)?;
    let (kept, left) = mpsc::channel();
    let keeper = {
        let served = Arc::clone(&served);
        let work = move || {
            // Told by being dropped, whatever becomes of the thread.
            let _kept: mpsc::Sender<()> = kept;
            keep_on(&served, keep);
            served.leave.notify_one();
        };
        thread("queue", work)
    };
    let (sealer, emptier) = (Arc::clone(&served), Arc::clone(&served));
    let beside = keeper.and_then(|()| thread("seal", move || seal(&sealer))).and_then(|()| thread("trash", move || empty(&emptier)));
    let run = beside.and_then(|()| {
        ready(&served.notice);
        answer(&served, listener, tcp.map(|(listener, _)| listener), signals, &wanted)
    });
    // Nobody finds us any more; what somebody else puts here from now on is not ours to remove, so the lock is still held.
    std::fs::remove_file(&served.notice.socket).ok();
    Notice::remove(&home);
    control.leave();
    if left.recv_timeout(LEAVING) == Err(RecvTimeoutError::Timeout) {
        log::say("the queue was not left in time; whatever it was doing is found again by the next daemon");
    }
    drop(seat);
    run.map(|()| Ended::Left)
}

/// Becomes the daemon, or finds out who is. One that would leave by itself makes way for one that `stays`.
fn take(home: &Home, stays: bool) -> Result<Result<Seat, Notice>, HomeError> {
    files::make_folder(home.root())?;
    let lock = home.root().join("daemon.lock");
    let began = Instant::now();
    loop {
        if let Some(seat) = seat::take(home).map_err(StoreError::io("lock", &lock))? {
            return Ok(Ok(seat));
        }
        match notice::find(home) {
            Found::Elsewhere(there) => return Err(notice::elsewhere(&there)),
            Found::Here(there) => {
                let client = Client::of(&there);
                if client.get("/v1/about").is_ok() {
                    if there.stays || !stays {
                        return Ok(Err(there));
                    }
                    client.post("/v1/down", &serde_json::json!({})).ok();
                }
            }
            Found::Nobody => {}
        }
        if began.elapsed() > PATIENCE {
            let lock = lock.display();
            return Err(HomeError::Daemon(format!(
                "{lock} is held by a process that does not answer; end it (fuser {lock} names it), its runs go on"
            )));
        }
        std::thread::sleep(POLL);
    }
}

/// Keeps the queue until we leave, and takes it up again when something went wrong: a full disk may be mended.
fn keep_on(served: &Served, keep: impl Fn(&Context, &Control) -> Result<(), HomeError>) {
    let status = &served.control.status;
    while !served.control.leaving() {
        match keep(&served.context, &served.control) {
            Ok(()) => return,
            Err(e) => {
                let trouble = e.to_string();
                if status.trouble().as_ref() != Some(&trouble) {
                    log::say(&format!("the queue waits, to be tried again every {} seconds: {trouble}", AGAIN.as_secs()));
                }
                status.set_trouble(Some(trouble));
            }
        }
        served.control.wait(AGAIN);
    }
}

/// Seals what rests, for as long as we live. After everybody else on this machine, and not while anything happens at home.
fn seal(served: &Served) {
    courtesy::stand_back(Courtesy { nice: 19, disk: Some(DiskTurn::Idle) });
    let control = &served.control;
    let seen = Cell::new(None);
    let calm = || {
        while !control.leaving() {
            let changes = Some(*served.changes.borrow());
            if seen.replace(changes) == changes {
                return true;
            }
            control.wait(CALM);
        }
        false
    };
    let mut sealer = Sealer::new(&served.context);
    let mut trouble = None;
    loop {
        control.wait(sealer.patience());
        if control.leaving() {
            return;
        }
        let found = sealer.seal(&served.context, &calm, &log::say).err().map(|e| e.to_string());
        if let Some(found) = found.as_ref().filter(|found| trouble.as_ref() != Some(*found)) {
            log::say(&format!("nothing is sealed, records stay as they are: {found}"));
        }
        trouble = found;
    }
}

/// Empties the trash now and then, for as long as we live.
fn empty(served: &Served) {
    courtesy::stand_back(Courtesy { nice: 19, disk: Some(DiskTurn::Idle) });
    let control = &served.control;
    let mut emptier = Emptier::default();
    let mut trouble = None;
    loop {
        control.wait(emptier.patience());
        if control.leaving() {
            return;
        }
        let found = match emptier.empty(&served.context, &|| !control.leaving()) {
            Ok(said) => {
                said.iter().for_each(|said| log::say(said));
                None
            }
            Err(e) => Some(e.to_string()),
        };
        if let Some(found) = found.as_ref().filter(|found| trouble.as_ref() != Some(*found)) {
            log::say(&format!("the trash is not emptied: {found}"));
        }
        trouble = found;
    }
}

fn bind(home: &Home, address: &str) -> Result<(TcpListener, SocketAddr), HomeError> {
    let wrong = || HomeError::Words(format!("'{}' is no address to listen at; give one such as 127.0.0.1:8080", address.escape_debug()));
    let address: SocketAddr = address.parse().map_err(|_| wrong())?;
    if token::all(home)?.is_empty() {
        let what = "--listen answers whoever has a token, and there is none";
        return Err(HomeError::Words(format!("{what}; `neronet token NAME` makes one")));
    }
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|e| HomeError::Daemon(format!("{address} cannot be listened at: {e}")))
}

/// What asks us to leave. Blocked before there is any other thread, and read by ours.
fn signals() -> Result<SignalFd, HomeError> {
    let mut set = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|signal| set.add(signal));
    let made = set.thread_block().and_then(|()| SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC));
    made.map_err(|e| HomeError::Failed(format!("signals cannot be read: {e}")))
}

fn answer(
    served: &Arc<Served>,
    listener: UnixListener,
    tcp: Option<TcpListener>,
    signals: SignalFd,
    wanted: &Wanted,
) -> Result<(), HomeError> {
    let watch = Watch::of(&served.context.home.root().join("journal"))?;
    let waker = Arc::clone(served);
    thread("wake", move || wake(&waker, &watch, &signals))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .thread_stack_size(STACK)
        .thread_keep_alive(Duration::from_secs(5))
        .build();
    let runtime = runtime.map_err(|e| HomeError::Daemon(format!("waiting for requests cannot begin: {e}")))?;
    let failed = |e: std::io::Error| HomeError::Daemon(format!("requests cannot be waited for: {e}"));
    let left = runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
        tokio::spawn(server::of_socket(Arc::clone(served), listener));
        if let Some(tcp) = tcp {
            let tcp = tokio::net::TcpListener::from_std(tcp).map_err(failed)?;
            tokio::spawn(server::of_tcp(Arc::clone(served), tcp));
        }
        if let Some(idle) = wanted.until_idle {
            tokio::spawn(leave_when_idle(Arc::clone(served), idle));
        }
        if let Some(path) = wanted.log.clone() {
            tokio::spawn(keep_small(path));
        }
        served.leave.notified().await;
        // What was asked before is answered, that it leaves among it.
        let answers = async {
            while served.answers_left() > 0 {
                sleep(POLL).await;
            }
        };
        timeout(LAST_WORDS, answers).await.ok();
        Ok(())
    });
    // A request that waits for home must not keep us.
    runtime.shutdown_background();
    left
}

/// Wakes whoever listens when the journal changes, and has us leave on a signal: one thread that only waits.
fn wake(served: &Served, watch: &Watch, signals: &SignalFd) {
    let control = &served.control;
    loop {
        let mut awaited = [signals.as_fd(), control.told(), watch.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut awaited, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return served.leave.notify_one(),
        }
        let [signalled, left, changed] = awaited.map(|fd| fd.any().unwrap_or(true));
        if signalled || left {
            return served.leave.notify_one();
        }
        if changed {
            watch.drain();
            served.changes.send_modify(|times| *times += 1);
            std::thread::sleep(TOGETHER);
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), HomeError> {
    let started = std::thread::Builder::new().name(name.into()).spawn(work);
    started.map(drop).map_err(|e| HomeError::Daemon(format!("no thread can be started: {e}")))
}

async fn leave_when_idle(served: Arc<Served>, idle: Duration) {
    loop {
        let left = idle.saturating_sub(served.idle());
        if left.is_zero() {
            return served.leave.notify_one();
        }
        sleep(left.max(POLL)).await;
    }
}

/// Looks at the log now and then.
async fn keep_small(path: PathBuf) {
    loop {
        log::cut(&path);
        sleep(Duration::from_secs(600)).await;
    }
}
