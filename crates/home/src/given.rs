//! Secrets on a target: home finds them out and sends them; they are in the memory of its agent and of the runner, and in no file. Where
//! the runner was replaced, the agent tells the new one; where both are gone, runs wait until home comes back.

use crate::context::Context;
use crate::error::HomeError;
use crate::runtime;
use neronet_capture::hash;
use neronet_model::SweepId;
use neronet_supervise::Secrets;
use neronet_supervise::secrets::MOST;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LONGEST_PATH: usize = 107;
const NAME: usize = 16 + 7;
const PATIENCE: Duration = Duration::from_secs(5);

/// What a runner was told.
#[derive(Clone)]
pub struct Given {
    known: Arc<Mutex<BTreeMap<SweepId, Secrets>>>,
    changed: Arc<EventFd>,
}

/// Where the runner of this folder listens: a name for each folder.
fn socket(context: &Context) -> Result<PathBuf, HomeError> {
    let folder = runtime::folder(context, NAME, LONGEST_PATH).map_err(HomeError::Failed)?;
    let own: String = hash(context.home.root().to_string_lossy().as_bytes()).chars().take(16).collect();
    Ok(folder.join(format!("{own}.runner")))
}

impl Given {
    /// Listens from now on. To be called by the one runner of a folder.
    ///
    /// # Errors
    /// Nothing can be listened at.
    pub fn listen(context: &Context) -> Result<Given, HomeError> {
        let failed = |e: std::io::Error| HomeError::Failed(format!("secrets cannot be listened for: {e}"));
        let path = socket(context)?;
        // Of a runner that is gone.
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let changed = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(|errno| failed(errno.into()))?;
        let given = Given { known: Arc::default(), changed: Arc::new(changed) };
        let own = given.clone();
        let hear = move || listener.incoming().flatten().for_each(|told| drop(own.hear(told)));
        std::thread::Builder::new().name("secrets".into()).spawn(hear).map_err(failed)?;
        Ok(given)
    }

    fn hear(&self, mut told: UnixStream) -> std::io::Result<()> {
        told.set_read_timeout(Some(PATIENCE))?;
        let mut sweep = [0; 8];
        told.read_exact(&mut sweep)?;
        let mut message = Vec::new();
        (&mut told).take(MOST as u64 + 1).read_to_end(&mut message)?;
        let secrets = Secrets::read(&message);
        message.fill(0);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(SweepId(u64::from_le_bytes(sweep)), secrets);
        self.changed.write(1)?;
        told.write_all(b"1")
    }

    pub(crate) fn of(&self, sweep: SweepId) -> Option<Secrets> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&sweep).cloned()
    }

    /// Readable when something was told.
    pub(crate) fn changed(&self) -> BorrowedFd<'_> {
        self.changed.as_fd()
    }

    pub(crate) fn heard(&self) {
        self.changed.read().ok();
    }
}

/// Tells the runner of this folder the secrets of a sweep.
pub(crate) fn tell(context: &Context, sweep: SweepId, secrets: &Secrets) -> Result<(), HomeError> {
    let failed = |e: std::io::Error| HomeError::Failed(format!("the runner cannot be told of secrets: {e}"));
    let mut message = sweep.0.to_le_bytes().to_vec();
    secrets.write(&mut message);
    let told = || {
        let mut stream = UnixStream::connect(socket(context).map_err(std::io::Error::other)?)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&message)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_exact(&mut [0])
    };
    let told = told().map_err(failed);
    message.fill(0);
    told
}
