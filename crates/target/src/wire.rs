//! What home asks an agent, and what that answers. Fields are only ever added; a version that cannot do without a new one raises
//! `PROTOCOL`, and still speaks the one before.

use crate::parcel::{Entry, Hash, Inner, Parcel};
use neronet_model::{AttemptNo, Millis, RunId, SweepId, Uid, UnixMs};
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
    /// Whether it answers.
    Ping,
    /// What the machine has, and who uses it now.
    Machine,
    /// From now on this connection speaks for a target of a home, as no earlier one does any more. Its folder is made where there is none.
    Open {
        home: Uid,
        target: String,
        /// `targets.toml` there: what home's says of this target, as `[targets.local]`.
        settings: String,
        /// So long it starts what it was given when home is not heard of.
        lease: Millis,
        /// Which of these it has is said.
        runs: Vec<RunId>,
    },
    /// Whether it has the code of this name, which is wanted.
    Snapshot { hash: Hash },
    /// How much of a stream has arrived.
    Begin { parcel: Parcel },
    /// The body is the next of it.
    Append { parcel: Parcel, at: u64 },
    /// All of it is there: it is the code of this name.
    Unpack { parcel: Parcel, snapshot: Hash },
    /// The body is an entry of the journal, in JSON: runs that are to be started there. Those that it has already are left as they are.
    Hand,
    /// The body has the secrets of a sweep, which are kept in memory alone.
    Secrets { sweep: SweepId },
    /// Runs that have not been started are not to be. One whose attempt there is another has news that home has not heard: it stays.
    GiveBack { runs: Vec<(RunId, AttemptNo)> },
    /// Of these it has no record: what may still run of them is killed.
    Fence { runs: Vec<RunId> },
    /// Which runs have ended there and still lie there: the first of them behind this one, as many as an answer has room for.
    Ended { behind: RunId },
    /// These have been removed at home for good.
    Purge { runs: Vec<RunId> },
    /// What nobody needs there goes, and how much the rest takes is said.
    Tidy,
    /// Runs are to end.
    End { runs: Vec<RunId>, by: String, kill: bool },
    /// What is recorded there is read from here on.
    Follow {
        /// So many bytes of the journal are known.
        journal: u64,
        runs: Vec<Followed>,
    },
    /// The next of it, as soon as there is some.
    More { patience: Millis },
    /// This connection reads and brings files of a target of a home, and does not speak for it. What follows is answered in its order.
    Enter { home: Uid, target: String },
    /// The files that patterns name, which are relative to the ground: those behind so many. All of them are looked up with the first.
    List { ground: Ground, globs: Vec<String>, from: usize },
    /// Bytes of a file.
    Read { ground: Ground, path: Inner, at: u64, most: usize },
    /// A file with its hash. Of one that was read from its beginning to its end just now that is known.
    Hashed { ground: Ground, path: Inner },
    /// Which of these files are not there.
    Compare { ground: Ground, files: Vec<Entry> },
    /// How much of a file has arrived, which is brought next.
    BeginFile { ground: Ground, file: Entry },
    /// The body is the next of it.
    AppendFile { at: u64 },
    /// All of it is there: it is the file as it is now, with its hash.
    PutFile { file: Entry },
}

/// A folder that files are brought into and from, and that nothing leads out of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Of a run. What is brought there is `work/…` or `checkpoints/…`.
    Run(RunId),
    /// Absolute, or relative to the target's folder. It is made for what is brought.
    Folder(String),
}

/// A run of which home has a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    pub run: RunId,
    pub files: Vec<Copy>,
    /// Somebody looks at it now.
    #[serde(default)]
    pub watched: bool,
}

/// What home has of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// Below the run's folder.
    pub path: String,
    pub bytes: u64,
    /// CRC-32C of one that is replaced, not appended to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<u32>,
}

/// Bytes of a file, or all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// None: of the journal.
    pub run: Option<RunId>,
    /// Below the run's folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Where they begin. None: the file is these bytes.
    pub from: Option<u64>,
    /// So many of the body, which has them one after the other.
    pub bytes: u32,
    /// Of the journal: what the machine's clock said when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<UnixMs>,
}

/// A run that is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct There {
    pub run: RunId,
    pub uid: Uid,
    pub attempt: AttemptNo,
    pub started: bool,
    #[serde(default)]
    pub ended: bool,
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
    /// What a target has of the runs that were asked for, and what else there has not ended.
    Opened {
        /// Of its folder: another one than before where that was wiped.
        uid: Uid,
        runs: Vec<There>,
        /// Bytes of its journal. Fewer than are known of it: the machine was set back.
        #[serde(default)]
        journal: Option<u64>,
    },
    Done,
    /// What was asked for is not there.
    Absent,
    /// So much of a stream is there.
    At(u64),
    /// What the target's folder takes, and all binaries there.
    Tidied {
        bytes: u64,
        files: u64,
        binaries: u64,
        /// A sentence on each thing that has gone.
        gone: Vec<String>,
    },
    /// Those that were asked for, or given back.
    Runs(Vec<RunId>),
    /// Files by their paths; what patterns name beside them and cannot travel.
    Listed {
        entries: Vec<Entry>,
        left_out: u64,
        unfit: Vec<String>,
        cut_short: bool,
        more: bool,
    },
    /// The file as it is now. Where bytes of it were asked for they are the body.
    File(Entry),
    /// By their numbers in the question: those that are not there, and those for which only a hash can tell.
    Compared {
        missing: Vec<usize>,
        unsure: Vec<usize>,
    },
    /// The body has their bytes. The journal's come last: what it says has been sent before.
    Pieces(Vec<Piece>),
    /// Why it cannot be done, for people.
    Refused(String),
}
