//! What whoever keeps the queue and whoever answers for it tell each other, from thread to thread.

use crate::error::HomeError;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub struct Control {
    leaving: AtomicBool,
    told: EventFd,
    pub status: Status,
}

impl Control {
    pub fn new() -> Result<Control, HomeError> {
        let told = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|e| HomeError::Failed(format!("the system gives no event descriptor: {e}")))?;
        Ok(Control { leaving: AtomicBool::new(false), told, status: Status::default() })
    }

    /// Asks the keeper of the queue to leave now. What runs goes on without it.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        // It can only fail when it has been told a billion times.
        self.told.write(1).ok();
    }

    pub fn leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Waits, but not once leaving is asked for.
    pub fn wait(&self, time: Duration) {
        let mut told = [PollFd::new(self.told(), PollFlags::POLLIN)];
        poll(&mut told, PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)).ok();
    }

    /// Readable from the moment that leaving is asked for.
    pub fn told(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

/// What the keeper of the queue sees. Written by it alone.
#[derive(Debug, Default)]
pub struct Status {
    queued: AtomicU64,
    running: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Status {
    pub fn count(&self, queued: u64, running: u64) {
        self.queued.store(queued, Ordering::Relaxed);
        self.running.store(running, Ordering::Relaxed);
    }
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// Why the queue is not being kept at this moment.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
