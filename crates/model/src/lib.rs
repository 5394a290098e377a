//! The words of neronet as types: ids, values, settings, events, states.
//!
//! Everything else depends on this crate; it depends on nothing of ours, does no I/O and reads no clock.
//! Data flows one way: settings and parameters become runs, runs become attempts, attempts are folds over events.

pub mod as_json;
pub mod attempt;
pub mod event;
pub mod hours;
pub mod id;
pub mod journal;
pub mod keyed;
pub mod launch;
pub mod left;
pub mod number;
pub mod outcome;
pub mod params;
pub mod queue;
pub mod row;
pub mod run;
pub mod runs;
pub mod settings;
pub mod size;
pub mod step;
pub mod target;
pub mod time;
pub mod value;

pub use attempt::Attempt;
pub use event::{Event, Stamped};
pub use id::{AttemptNo, RunId, SweepId, Uid};
pub use outcome::{Cause, Outcome, State};
pub use params::Params;
pub use row::Row;
pub use run::Run;
pub use settings::Settings;
pub use time::{Millis, UnixMs};
pub use value::{Value, Word};

/// Version of every format in this crate: journal entries, spool events, rows, launches.
/// A reader refuses what is newer; what is older it must still read.
pub const FORMAT: u32 = 1;
