//! Home on disk: the journal of what was decided, the spool of each attempt, the series folded from it, and what is stored of all that
//! in the cache.
//!
//! Writers are few and named: the journal belongs to whoever holds `home.lock`, an attempt's spool to its keeper and
//! supervisor. Readers need no lock: everything is append-only or replaced whole.

pub mod bundle;
pub mod deleted;
pub mod earlier;
pub mod error;
pub mod files;
pub mod follow;
pub mod frame;
pub mod history;
pub mod home;
pub mod journal;
pub mod lines;
pub mod projection;
pub mod queued;
pub mod recording;
pub mod reserve;
pub mod seal;
pub mod sealed;
pub mod series;
pub mod spool;
pub mod walk;

pub use error::StoreError;
pub use home::{Home, Locked};
