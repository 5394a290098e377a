//! What `ls` and `queue` show, before it is known how wide the terminal is. Where home is large it comes from the daemon, which has in
//! memory what takes long to read.

use crate::args::{Ls, Queue};
use crate::commands::page::{LONGEST, paint};
use crate::commands::{ls, queue};
use crate::output;
use crate::session::Session;
use neronet_daemon::Client;
use neronet_home::{Context, HomeError};
use neronet_model::UnixMs;
use neronet_report::{Style, Table, words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes of a journal that are read sooner than a daemon is asked.
const LONG: u64 = 1 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// Said on standard error.
    pub(crate) notices: Vec<String>,
    pub(crate) table: Option<Table>,
    /// Lines below the table.
    pub(crate) below: Vec<String>,
}

impl Listing {
    pub(crate) fn nothing(notices: Vec<String>) -> Listing {
        Listing { notices, ..Listing::default() }
    }

    pub(crate) fn print(self, session: &Session) {
        self.notices.iter().for_each(|notice| output::notice(notice));
        let Some(mut table) = self.table else { return };
        let left_out = if session.terminal { table.fit(session.width) } else { Vec::new() };
        output::print(&table.terminal(session.terminal.then_some(session.width), session.color));
        let left_out = (!left_out.is_empty()).then(|| format!("not shown: {} (--fields)", left_out.join(", ")));
        for line in left_out.into_iter().chain(self.below) {
            output::print_line(&paint(session, &words::one_line(&line, LONGEST), Style::Faint));
        }
    }
}

/// Which listing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wanted {
    Ls(Ls),
    Queue(Queue),
}

impl Wanted {
    pub(crate) fn listing(&self, session: &Session) -> Result<Listing, HomeError> {
        match self.ask_daemon(session) {
            Some(listing) => Ok(listing),
            None => self.make(session),
        }
    }

    fn make(&self, session: &Session) -> Result<Listing, HomeError> {
        match self {
            Wanted::Ls(words) => ls::listing(session, words),
            Wanted::Queue(words) => queue::listing(session, words),
        }
    }

    /// Whatever is wrong there, it is found and said here.
    fn ask_daemon(&self, session: &Session) -> Option<Listing> {
        let context = &session.context;
        let journal = context.home.journal().join("1.log").metadata().ok()?;
        if journal.len() < LONG {
            return None;
        }
        let asked = json!({
            "wanted": serde_json::to_value(self).ok()?,
            "folder": context.folder.to_str()?,
            "project": context.project.as_ref().map(|project| &project.name),
            "now": session.fixed_now.map(|now| now.0),
            "zone": context.variable("TZ"),
        });
        serde_json::from_value(Client::of_this_version(&context.home)?.post("/v1/listing", &asked).ok()?).ok()
    }
}

/// For the daemon, in the folder and at the time of whoever asks.
pub(crate) fn for_daemon(context: Context, wanted: Value, now: Option<UnixMs>) -> Result<Value, HomeError> {
    let unreadable = |e: serde_json::Error| HomeError::Words(format!("no listing is called so: {e}"));
    let wanted: Wanted = serde_json::from_value(wanted).map_err(unreadable)?;
    let listing = wanted.make(&Session::of_daemon(context, now))?;
    serde_json::to_value(listing).map_err(unreadable)
}
