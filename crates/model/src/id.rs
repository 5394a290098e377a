//! Names of runs, sweeps and attempts.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    };
}

number_id!(
    /// A run of one home: small, counted from 1, never given twice.
    RunId
);
number_id!(
    /// A sweep of one home: the runs that one submission of one experiment made.
    SweepId
);
number_id!(
    /// Which execution of its run an attempt is, counted from 1.
    AttemptNo
);

/// A name that no other home gives: a ULID (48 bits of Unix milliseconds, 80 random bits) in Crockford's base 32.
///
/// There is one for each of many runs, so its letters have no place of their own in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u8; LETTERS]);

const LETTERS: usize = 26;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Uid {
    /// Composes a ULID; the caller brings time and randomness.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Uid {
        let mut bits = (u128::from(unix_ms) & ((1 << 48) - 1)) << 80;
        for (i, byte) in random.iter().enumerate() {
            bits |= u128::from(*byte) << (8 * (9 - i));
        }
        Uid(std::array::from_fn(|i| CROCKFORD[((bits >> (125 - 5 * i)) & 31) as usize]))
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Takes a text that must already be a ULID.
    pub fn parse(text: &str) -> Option<Uid> {
        let letters: [u8; LETTERS] = text.as_bytes().try_into().ok()?;
        let is_one = |letter: &u8| matches!(letter, b'0'..=b'9' | b'A'..=b'Z') && !matches!(letter, b'I' | b'L' | b'O' | b'U');
        letters.iter().all(is_one).then_some(Uid(letters))
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Uid, D::Error> {
        struct Letters;
        impl Visitor<'_> for Letters {
            type Value = Uid;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a ULID")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Uid, E> {
                Uid::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        input.deserialize_str(Letters)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_sorts_by_time_and_reads_back() {
        let early = Uid::new(1_000, [255; 10]);
        let late = Uid::new(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(Uid::parse(early.as_str()), Some(early));
        assert_eq!(Uid::parse("not a ulid"), None);
        // The example of the ULID text: the largest that exists.
        assert_eq!(Uid::new((1 << 48) - 1, [255; 10]).as_str(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }
}
