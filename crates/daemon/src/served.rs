//! What every handler needs: home, what the keeper of the queue says, who listens, and whether to leave.

use crate::keyed::AtWork;
use crate::notice::Notice;
use neronet_home::control::Control;
use neronet_home::{Context, HomeError};
use neronet_model::{Uid, UnixMs};
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Makes the listing that somebody wants: who he is, what he wants, and what time it is for him.
pub type Lister = fn(Context, Value, Option<UnixMs>) -> Result<Value, HomeError>;

pub(crate) struct Served {
    pub(crate) context: Context,
    pub(crate) uid: Uid,
    pub(crate) notice: Notice,
    pub(crate) lister: Lister,
    pub(crate) control: Arc<Control>,
    /// Counts the times that somebody wrote to the journal.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) at_work: AtWork,
    /// Told when it is time to leave.
    pub(crate) leave: Notify,
    /// Connections that are open, and answers that are not out yet.
    connections: AtomicUsize,
    answering: AtomicUsize,
    heard: Mutex<Instant>,
}

/// Counts for as long as it lives.
pub(crate) struct Counted(Arc<Served>, fn(&Served) -> &AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Ordering::SeqCst);
        self.0.hear();
    }
}

impl Served {
    pub(crate) fn new(context: Context, uid: Uid, notice: Notice, lister: Lister, control: Arc<Control>) -> Served {
        Served {
            context,
            uid,
            notice,
            lister,
            control,
            changes: watch::Sender::new(0),
            at_work: AtWork::default(),
            leave: Notify::new(),
            connections: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            heard: Mutex::new(Instant::now()),
        }
    }

    pub(crate) fn connect(self: &Arc<Served>) -> Counted {
        self.connections.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(self), |served| &served.connections)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn answering(self: &Arc<Served>) -> Counted {
        self.answering.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(self), |served| &served.answering)
    }

    pub(crate) fn answers_left(&self) -> usize {
        self.answering.load(Ordering::SeqCst)
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long there has been nobody and nothing to do.
    pub(crate) fn idle(&self) -> Duration {
        let status = &self.control.status;
        if status.queued() > 0 || status.running() > 0 || self.connections() > 0 {
            self.hear();
        }
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
