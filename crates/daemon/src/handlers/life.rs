//! The daemon itself: who it is, and that it should leave.

use super::runs::Object;
use crate::notice::{VERSION, is_older};
use crate::openapi;
use crate::refusal::Refusal;
use crate::routes::{Gives, Reply};
use crate::served::Served;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Who answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct About {
    version: &'static str,
    /// Which home it is, for ever.
    home: String,
    /// Where home is.
    folder: String,
    pid: u32,
    /// Milliseconds since the Unix epoch.
    started: i64,
    queued: u64,
    running: u64,
    /// It does not leave when there is nothing to do.
    stays: bool,
    /// Why the queue is not being kept at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Gives for About {
    fn reply(self) -> Reply {
        Reply::json(&self)
    }
}

pub(crate) fn about(served: &Served, _: Nothing) -> Result<About, Refusal> {
    let status = &served.control.status;
    Ok(About {
        version: VERSION,
        home: served.uid.to_string(),
        folder: served.context.home.root().display().to_string(),
        pid: std::process::id(),
        started: served.notice.started.0,
        queued: status.queued(),
        running: status.running(),
        stays: served.notice.stays,
        trouble: status.trouble(),
    })
}

pub(crate) fn openapi(_: &Served, _: Nothing) -> Result<Object, Refusal> {
    Ok(Object(openapi::document()))
}

/// That it leaves now.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Leaving {
    pub(crate) pid: u32,
    /// How many runs go on without it.
    pub(crate) running: u64,
}

impl Gives for Leaving {
    fn reply(self) -> Reply {
        Reply::json(&self)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOver {
    /// Of the neronet that is to follow
    version: String,
}

pub(crate) fn hand_over(served: &Served, words: HandOver) -> Result<Leaving, Refusal> {
    if is_older(&words.version, VERSION) {
        let error = format!("version {} is older than this daemon's, {VERSION}", words.version.escape_debug());
        return Err(Refusal::new(409, error, "use the newer neronet, or end this one with POST /v1/down"));
    }
    down(served, Nothing {})
}

pub(crate) fn down(served: &Served, _: Nothing) -> Result<Leaving, Refusal> {
    served.leave.notify_one();
    Ok(Leaving { pid: std::process::id(), running: served.control.status.running() })
}
