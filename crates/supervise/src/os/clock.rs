//! The two clocks: one for people, one that never jumps.

use neronet_model::{Millis, UnixMs};
use nix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock. It may jump: never for order or durations.
pub fn unix_now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since boot, suspended time included (CLOCK_BOOTTIME).
pub fn boot_now() -> Millis {
    // The clock is there on every kernel since 2.6.39; without it everything would seem to happen at once.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC));
    time.map_or(Millis(0), |time| Millis(time.tv_sec() as u64 * 1000 + time.tv_nsec() as u64 / 1_000_000))
}
