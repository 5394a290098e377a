//! What home asks an agent, and what that answers. Fields are only ever added; a version that cannot do without a new one raises
//! `PROTOCOL`, and still speaks the one before.

use neronet_model::UnixMs;
pub use neronet_schedule::Place;
use serde::{Deserialize, Serialize};

pub const PROTOCOL: u32 = 1;
/// The oldest that this version speaks.
pub const OLDEST: u32 = 1;

/// The first frame, by the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub oldest: u32,
    /// Of neronet.
    pub version: String,
    pub host: String,
    /// Of the machine, since it was started.
    pub boot: String,
}

impl Hello {
    /// What both speak.
    pub fn common(&self) -> Option<u32> {
        let newest = self.protocol.min(PROTOCOL);
        (newest >= self.oldest && newest >= OLDEST).then_some(newest)
    }
}

/// Each is answered under its number, in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub id: u64,
    pub ask: Ask,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// What the machine has, and who uses it now.
    Machine,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub id: u64,
    pub reply: Reply,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    Machine {
        /// Its clock.
        now: UnixMs,
        place: Box<Place>,
    },
    /// Why it cannot be done, for people.
    Refused(String),
}
