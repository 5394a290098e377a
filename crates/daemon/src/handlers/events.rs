//! What changes, as server-sent events. Each listener reads the journal at its own pace from the place that it has reached: one that is
//! slow holds nobody up and takes no memory, and one that comes back goes on where it was.

use crate::asked::Words;
use crate::refusal::Refusal;
use crate::routes::{EVENTS, Gives, Reply};
use crate::served::Served;
use hyper::body::Bytes;
use neronet_home::select::spans;
use neronet_model::journal::Entry;
use neronet_store::follow;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// So often is said that we are still there, when there is nothing else to say.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    /// The id of the last event that was heard, as Last-Event-ID; 0 for all that ever happened (default: what happens from now on)
    after: Option<u64>,
}

/// A change of home. Its id is the place in the journal from which to go on.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Change {
    /// The journal's word for it: submitted, started, ended, tagged, …
    pub(crate) what: &'static str,
    /// The runs that it touched, as a word that names them: "3,5-7"
    pub(crate) runs: String,
}

impl Gives for Change {
    const MEDIA: &'static str = EVENTS;
    fn reply(self) -> Reply {
        Reply::json(&self)
    }
}

fn journal(served: &Served) -> PathBuf {
    served.context.home.root().join("journal")
}

/// Where to begin.
pub(crate) fn place(served: &Served, words: Words, last_event: Option<&[u8]>) -> Result<u64, Refusal> {
    let schema = From::json_schema(&mut SchemaGenerator::default()).to_value();
    let after = words.read::<From>(&schema)?.after;
    let last = last_event.map(|id| {
        let number = std::str::from_utf8(id).ok().and_then(|id| id.trim().parse().ok());
        number.ok_or_else(|| Refusal::new(400, "the Last-Event-ID is none of ours", "leave it out to hear what happens from now on"))
    });
    let end = follow::end(&journal(served));
    Ok(last.transpose()?.or(after).unwrap_or(end).min(end))
}

/// Tells what happens behind `place` until nobody listens.
pub(crate) async fn tell(served: Arc<Served>, mut place: u64, listener: mpsc::Sender<Bytes>) {
    let mut changes = served.changes.subscribe();
    // Whoever connects learns at once that it worked, and where it begins.
    let mut text = format!("retry: 1000\nid: {place}\n: neronet\n\n");
    loop {
        if listener.send(Bytes::from(text)).await.is_err() {
            return;
        }
        (text, place) = loop {
            changes.borrow_and_update();
            let folder = journal(&served);
            let read = tokio::task::spawn_blocking(move || follow::behind(&folder, place).map(|entries| told(place, &entries))).await;
            match read {
                Ok(Ok((text, reached))) if !text.is_empty() => break (text, reached),
                Ok(Ok((_, reached))) => place = reached,
                Ok(Err(_)) | Err(_) => return,
            }
            match timeout(HEARTBEAT, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => break (": still here\n\n".to_string(), place),
            }
        };
    }
}

/// The text of these entries' events, and the place behind them. What was decided together is one place: only its last event names it.
fn told(mut place: u64, entries: &[(u64, Entry)]) -> (String, u64) {
    let mut text = String::new();
    for (end, entry) in entries {
        place = *end;
        let parts = entry.parts();
        for (at, part) in parts.iter().enumerate() {
            let change = Change { what: part.name(), runs: spans(&part.runs()) };
            let id = if at + 1 == parts.len() { format!("id: {place}\n") } else { String::new() };
            text += &format!("{id}data: {}\n\n", serde_json::to_string(&change).unwrap_or_default());
        }
    }
    (text, place)
}
