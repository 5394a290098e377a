//! The queue through its public door.

mod backfilling;
mod failures;
mod forecasts;
mod hours;
#[path = "../kit/mod.rs"]
mod kit;
mod order;
mod reasons;
mod replays;
mod room;
mod targets;
