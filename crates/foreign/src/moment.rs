//! Times as other trackers write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use neronet_model::UnixMs;

/// `2024-11-21T12:34:56.123456`, in UTC unless it says otherwise.
pub(crate) fn iso(text: &str) -> Option<UnixMs> {
    let stamp: Option<Timestamp> = text.parse().ok();
    let stamp = stamp.or_else(|| text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp()));
    stamp.map(|stamp| UnixMs(stamp.as_millisecond()))
}

/// Seconds since the epoch; nothing where that is no time since then and before the year 10000.
pub(crate) fn seconds(seconds: f64) -> Option<UnixMs> {
    (seconds > 0.0 && seconds < 253_402_300_800.0).then(|| UnixMs((seconds * 1000.0).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_kinds() {
        assert_eq!(iso("2023-11-14T22:13:20.250000"), Some(UnixMs(1_700_000_000_250)));
        assert_eq!(iso("2023-11-14T22:13:20"), Some(UnixMs(1_700_000_000_000)));
        assert_eq!(iso("2023-11-14T23:13:20.25+01:00"), Some(UnixMs(1_700_000_000_250)));
        assert_eq!(iso("2023-11-14T22:13:20.250000Z"), Some(UnixMs(1_700_000_000_250)));
        assert_eq!(iso("yesterday"), None);
        assert_eq!(seconds(1.5), Some(UnixMs(1500)));
        assert_eq!((seconds(f64::NAN), seconds(-1.0), seconds(1e300)), (None, None, None));
    }
}
