//! Which GPUs others use.

use crate::gpus::Use;
use crate::watch::Looked;
use neronet_model::size::shown;
use std::collections::{BTreeMap, BTreeSet};

/// Without a process that it could be, less memory in use than this is the driver's own.
const FLOOR: u64 = 300 << 20;
/// So many are named.
const NAMED: usize = 3;

/// The GPUs that processes use which are not ours, each with a word on them. Containers hide processes from each other: memory in
/// use that no process explains is others' as well, unless the GPU is one that we gave away (`given`).
pub fn elsewhere(looked: &Looked, ours: &BTreeSet<i32>, given: &BTreeSet<String>) -> BTreeMap<String, String> {
    let used = looked.gpus.iter().filter_map(|(id, now)| {
        let hidden = || Some(unexplained(now)).filter(|bytes| *bytes > FLOOR && !given.contains(id));
        let word = named(now, ours).or_else(|| Some(format!("{} in use by processes that cannot be seen from here", shown(hidden()?))))?;
        Some((id.clone(), word))
    });
    used.collect()
}

fn unexplained(now: &Use) -> u64 {
    let known: Option<u64> = now.processes.iter().map(|holder| holder.memory).sum();
    known.map_or(0, |known| now.memory.saturating_sub(known).saturating_sub(now.drawing))
}

fn named(now: &Use, ours: &BTreeSet<i32>) -> Option<String> {
    let others: BTreeSet<&str> =
        now.processes.iter().filter(|holder| !ours.contains(&holder.pid)).map(|holder| holder.word.as_str()).collect();
    let mut words: Vec<&str> = others.iter().copied().take(NAMED).collect();
    if others.len() > NAMED {
        words.push("and others");
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpus::Holder;

    #[test]
    fn a_gpu_is_others_when_their_processes_or_hidden_ones_use_it() {
        let holder = |pid, memory: Option<u64>, word: &str| Holder { pid, memory: memory.map(|mib| mib << 20), word: word.into() };
        let gpu = |memory: u64, drawing: u64, processes: Vec<Holder>| Use {
            memory: memory << 20,
            drawing: drawing << 20,
            processes,
            utilisation: None,
        };
        let gpus = [
            ("idle", gpu(200, 0, vec![])),
            ("ours", gpu(5_100, 0, vec![holder(1, Some(5_000), "me: python")])),
            (
                "anna's",
                gpu(
                    5_100,
                    0,
                    vec![holder(1, Some(5_000), "me: python"), holder(2, Some(10), "anna: python"), holder(3, None, "anna: python")],
                ),
            ),
            ("hidden", gpu(2_048, 0, vec![])),
            ("given", gpu(2_048, 0, vec![])),
            ("beside ours", gpu(9_000, 0, vec![holder(1, Some(5_000), "me: python")])),
            ("unknown", gpu(9_000, 0, vec![holder(1, None, "me: python")])),
            ("screen", gpu(2_048, 1_900, vec![])),
            ("many", gpu(9, 0, (10..15).map(|pid| holder(pid, Some(1), &format!("u{pid}: a"))).collect())),
        ];
        let looked = Looked { gpus: gpus.into_iter().map(|(id, now)| (id.to_string(), now)).collect(), ..Looked::default() };
        let used = elsewhere(&looked, &BTreeSet::from([1]), &BTreeSet::from(["given".to_string()]));
        let hidden = |amount: &str| format!("{amount} in use by processes that cannot be seen from here");
        let expected = [
            ("anna's", "anna: python".to_string()),
            ("beside ours", hidden("4.2 GB")),
            ("hidden", hidden("2.1 GB")),
            ("many", "u10: a, u11: a, u12: a, and others".to_string()),
        ];
        assert_eq!(used, expected.map(|(id, word)| (id.to_string(), word)).into());
    }
}
