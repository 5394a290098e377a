//! What was asked for under a key. Whoever did not hear the answer asks once more under the same key: it is answered as the first
//! time, and nothing is done twice.

use crate::id::RunId;
use crate::journal::Entry;
use crate::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How long a key is remembered, and how many of them are.
const REMEMBERED: i64 = 24 * 3_600_000;
const MOST: usize = 10_000;

/// Who asks for something that must not happen twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub key: String,
    /// What is asked for, as a hash: the same key for something else is a mistake.
    pub request: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub at: UnixMs,
    pub request: String,
    /// In the words of whoever was asked, where the runs do not say it all.
    pub answer: Option<String>,
    /// The runs that were touched, as spans of ids.
    runs: Vec<(u64, u64)>,
}

impl Answered {
    pub fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.iter().flat_map(|(from, to)| (*from..=*to).map(RunId))
    }
}

/// The keys of the last day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Keys {
    known: BTreeMap<String, Answered>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Keys {
    pub fn get(&self, key: &str) -> Option<&Answered> {
        self.known.get(key)
    }

    /// The first answer stays.
    pub fn remember(&mut self, key: String, at: UnixMs, request: String, answer: Option<String>, entry: &Entry) {
        let is_old = |known: &Answered| at.0.saturating_sub(known.at.0) > REMEMBERED;
        while self.order.front().is_some_and(|oldest| self.order.len() >= MOST || self.known.get(oldest).is_none_or(is_old)) {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
        if self.known.contains_key(&key) {
            return;
        }
        let runs = entry.runs().chunk_by(|a, b| a.0.checked_add(1) == Some(b.0)).map(|span| (span[0].0, span[span.len() - 1].0)).collect();
        self.order.push_back(key.clone());
        self.known.insert(key, Answered { at, request, answer, runs });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(runs: &[u64]) -> Entry {
        Entry::Tagged { runs: runs.iter().copied().map(RunId).collect(), add: Vec::new(), remove: Vec::new() }
    }

    #[test]
    fn the_first_answer_stays_until_it_is_a_day_old_or_too_many_came_after_it() {
        let mut keys = Keys::default();
        let mut remember = |key: &str, at: i64, runs: &[u64]| {
            keys.remember(key.into(), UnixMs(at), "r".into(), None, &tagged(runs));
            keys.clone()
        };
        remember("a", 0, &[1, 2, 3, 7]);
        let known = remember("a", 1, &[9]);
        assert_eq!(known.get("a").map(|a| a.runs().map(|run| run.0).collect::<Vec<_>>()), Some(vec![1, 2, 3, 7]));
        let known = remember("b", REMEMBERED + 1, &[]);
        assert!(known.get("a").is_none() && known.get("b").is_some());
        for n in 0..MOST {
            keys.remember(n.to_string(), UnixMs(REMEMBERED + 1), String::new(), None, &tagged(&[]));
        }
        assert!(keys.get("b").is_none() && keys.get("0").is_some());
        assert_eq!(keys.known.len(), keys.order.len());
    }
}
