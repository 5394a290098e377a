//! Which run starts when, where and with what, and why the others wait. Pure: it reads no clock and does nothing.
//!
//! `Queue` is a fold over the journal: what is queued, what has been given what, what earlier runs took. `Queue::decide` says what
//! is to be started now, given what the machines are like at this moment; whoever carries it out writes that into the journal.

mod ahead;
mod decide;
mod follow_up;
mod forecast;
mod handed;
mod hours;
mod learned;
mod needs;
mod places;
mod queue;
mod ready;
mod reason;
mod reserve;
mod room;

pub use ahead::Ahead;
pub use decide::{Decided, Mine, Start};
pub use follow_up::{FollowUp, Policy, wait_after};
pub use forecast::Forecast;
pub use handed::Away;
pub use hours::{Closing, Shut};
pub use learned::Learned;
pub use needs::{Cpus, Gpus, Needs, Part};
pub use queue::{Queue, Stand};
pub use reason::{Lack, Limited, Reason};
pub use room::{Absent, Disk, Limits, Place, World};
