//! `config.toml` in home: what its owner wants of home itself. Without the file all is as it is by itself.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::{Millis, size};
use serde::Deserialize;
use toml::{Table, Value};

pub const FILE: &str = "config.toml";
const DAY: u64 = 24 * 3_600_000;
/// What is left free where nothing else is said: the smaller of the two.
const FREE: u64 = 10_000_000_000;
const SHARE: f64 = 0.05;

/// `[trash]`: how long removed runs can still be restored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trash {
    /// So long; without it until the room is needed.
    pub keep: Option<Millis>,
    pub least_free: LeastFree,
}

/// Where less than this is free, the trash is emptied, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeastFree {
    Usual,
    Bytes(u64),
    /// Of the disk.
    Share(f64),
}

impl LeastFree {
    pub fn of(self, total: u64) -> u64 {
        match self {
            LeastFree::Usual => FREE.min((total as f64 * SHARE) as u64),
            LeastFree::Bytes(bytes) => bytes,
            LeastFree::Share(share) => (total as f64 * share) as u64,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    keep: Option<String>,
    least_free: Option<String>,
}

pub fn trash(context: &Context) -> Result<Trash, HomeError> {
    let path = context.home.root().join(FILE);
    let wrong = |what: String| HomeError::Words(format!("{}: {what}", path.display()));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(wrong(format!("it cannot be read: {e}"))),
    };
    trash_in(&text).map_err(wrong)
}

fn trash_in(text: &str) -> Result<Trash, String> {
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| format!("this is no TOML: {}", e.message()))?;
    let written = table.remove("trash").unwrap_or_else(|| Value::Table(Table::new()));
    let written: Written = written.try_into().map_err(|e: toml::de::Error| format!("[trash]: {}", e.message()))?;
    let keep = match written.keep.as_deref() {
        None => Some(Millis(30 * DAY)),
        Some("forever") => None,
        Some(text) => {
            Some(Millis::parse(text).ok_or_else(|| format!("[trash]: '{text}' is no time for keep; write \"30d\", or \"forever\""))?)
        }
    };
    let least_free = match written.least_free.as_deref() {
        None => LeastFree::Usual,
        Some(text) => free(text).ok_or_else(|| format!("[trash]: '{text}' is no room for least_free; write \"10 GB\", or \"5 %\""))?,
    };
    Ok(Trash { keep, least_free })
}

fn free(text: &str) -> Option<LeastFree> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.trim().parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(LeastFree::Share(percent / 100.0))
        }
        None => size::parse(text).map(LeastFree::Bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_the_trash_is_usual_and_what_is_wrong_is_told() {
        let usual = Trash { keep: Some(Millis(30 * DAY)), least_free: LeastFree::Usual };
        assert_eq!(trash_in(""), Ok(usual));
        assert_eq!(trash_in("[other]\nkey = 1\n"), Ok(usual));
        let said = trash_in("[trash]\nkeep = '2 weeks'\nleast_free = '7.5 %'\n");
        assert_eq!(said, Ok(Trash { keep: Some(Millis(14 * DAY)), least_free: LeastFree::Share(0.075) }));
        let said = trash_in("[trash]\nkeep = 'forever'\nleast_free = '0 B'\n");
        assert_eq!(said, Ok(Trash { keep: None, least_free: LeastFree::Bytes(0) }));
        for (text, expected) in [
            ("[trash]\nkeep = 'long'\n", "'long' is no time for keep"),
            ("[trash]\nleast_free = '10'\n", "'10' is no room for least_free"),
            ("[trash]\nleast_free = '101 %'\n", "is no room"),
            ("[trash]\nkept = '1d'\n", "unknown field `kept`"),
            ("trash = 1\n", "[trash]"),
            ("[trash\n", "this is no TOML"),
        ] {
            let told = trash_in(text).expect_err(text);
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    #[test]
    fn a_small_disk_is_not_asked_for_more_than_a_twentieth() {
        assert_eq!(LeastFree::Usual.of(20_000_000_000), 1_000_000_000);
        assert_eq!(LeastFree::Usual.of(100_000_000_000_000), 10_000_000_000);
        assert_eq!(LeastFree::Share(0.5).of(10), 5);
    }
}
