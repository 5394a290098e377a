//! Requests that must not be carried out twice: the same key gets the first answer, after a restart too.
//!
//! What is done under a key is written into the journal in one frame with the key, so that both are there or neither is. Where what
//! was done is no entry of the journal (runs were asked to stop), the key follows it: killed in between, the daemon does it again, and
//! nobody has heard of the first time.

use crate::handlers::steer::Done;
use crate::refusal::Refusal;
use crate::served::Served;
use neronet_home::Context;
use neronet_model::journal::Entry;
use neronet_model::keyed::{Answered, Key};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Bytes of a key.
pub(crate) const LONGEST: usize = 200;

/// Keys whose requests are being carried out.
#[derive(Debug, Default)]
pub(crate) struct AtWork(Mutex<BTreeSet<String>>);

struct Taken<'a>(&'a AtWork, String);

impl AtWork {
    fn take(&self, key: &str) -> Option<Taken<'_>> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string());
        is_new.then(|| Taken(self, key.to_string()))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// The key of a request, which must be for the same as when it was first heard.
pub(crate) fn key(header: &[u8], verb: &str, address: &str, body: &[u8]) -> Result<Key, Refusal> {
    let text =
        std::str::from_utf8(header).ok().filter(|text| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
    let Some(text) = text else {
        return Err(Refusal::new(
            400,
            "the Idempotency-Key cannot be used",
            format!("make it of 1 to {LONGEST} letters, numbers and signs, such as a UUID"),
        ));
    };
    let mut hash = Sha256::new();
    for part in [verb.as_bytes(), address.as_bytes(), body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(Key { key: text.to_string(), request: hex(&hash.finalize()[..16]) })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn once(served: &Served, key: Option<Key>, act: impl FnOnce(&Context) -> Result<Done, Refusal>) -> Result<Done, Refusal> {
    let Some(key) = key else { return act(&served.context) };
    let Some(_taken) = served.at_work.take(&key.key) else {
        return Err(Refusal::new(409, "a request with this key is being carried out", "ask again in a moment"));
    };
    if let Some(answer) = answered(&served.context, &key)? {
        return Ok(answer);
    }
    let context = Context { key: Some(key.clone()), ..served.context.clone() };
    let done = act(&context)?;
    if let Some(answer) = answered(&context, &key)? {
        return Ok(answer);
    }
    let answer = serde_json::to_string(&done).ok();
    let at = context.now();
    let entry = Box::new(Entry::Together(Vec::new()));
    let home =
        context.lock().and_then(|mut home| Ok(home.decide(Entry::Keyed { at, key: key.key, request: key.request, answer, entry })?));
    home.map(|()| done).map_err(Refusal::from)
}

/// What was answered the first time, if there was one.
fn answered(context: &Context, key: &Key) -> Result<Option<Done>, Refusal> {
    let state = context.home.read().map_err(|e| Refusal::from(neronet_home::HomeError::from(e)))?.state;
    match state.keys.get(&key.key) {
        Some(known) if known.request == key.request => Ok(Some(of(known))),
        Some(_) => Err(Refusal::new(422, "this key was used for another request", "take a new key for each thing that you ask for")),
        None => Ok(None),
    }
}

fn of(known: &Answered) -> Done {
    let mut done: Done = known.answer.as_ref().and_then(|answer| serde_json::from_str(answer).ok()).unwrap_or_default();
    if done.runs.is_empty() {
        // What was done is on record with the key.
        done.runs = known.runs().collect();
    }
    done
}
