//! What is stored says what the journal says, whenever it was stored, and whatever happened to it since.

use super::columns::Metrics;
use super::{FORMAT, packed, state_file};
use crate::error::StoreError;
use crate::journal::tests::{entry, submission};
use crate::journal::{Journal, Replayed, end_at};
use neronet_model::RunId;
use neronet_model::event::Extent;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Cells = Vec<(RunId, Extent)>;

const NAMES: [&str; 4] = ["w", "x", "y", "z"];

/// As a process that knows nothing yet.
fn replay(journal: &Path, projection: Option<&Path>) -> Replayed {
    let mut replayed = Replayed::default();
    replayed.catch_up(journal, projection).expect("reads");
    replayed
}

/// The metrics of runs whose end counts.
fn columns(replayed: &Replayed, metrics: &Metrics) -> Option<Vec<Cells>> {
    let has_ended = |run: &RunId| replayed.state.runs.get(run).is_some_and(|run| run.ending.is_some());
    let column = |name: &&str| Some(metrics.column(name).ok()?.iter().filter(|(run, _)| has_ended(run)).collect());
    NAMES.iter().map(column).collect()
}

/// The same from the journal's records, one by one.
fn recorded(journal: &Path, replayed: &Replayed) -> Result<Vec<Cells>, StoreError> {
    let mut columns = vec![Cells::new(); NAMES.len()];
    for run in replayed.state.runs.values() {
        let Some(ending) = &run.ending else { continue };
        let end = end_at(journal, ending.at, run.id)?;
        for (column, name) in columns.iter_mut().zip(NAMES) {
            column.extend(end.metrics.get(name).map(|extent| (run.id, extent.clone())));
        }
    }
    Ok(columns)
}

/// NaN is not equal to itself.
fn shown<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}

fn agree(journal: &Path, expected: &Replayed, found: &Replayed) {
    assert_eq!(found.state, expected.state);
    assert_eq!(found.queue, expected.queue);
    assert_eq!(found.damage, expected.damage);
    assert_eq!((found.end, found.length, found.last_frame), (expected.end, expected.length, expected.last_frame));
    let columns = columns(found, &found.metrics()).expect("whole");
    assert_eq!(shown(&columns), shown(&recorded(journal, expected).expect("reads")));
    let ended: BTreeSet<RunId> = found.state.runs.values().filter(|run| run.ending.is_some()).map(|run| run.id).collect();
    let mut names: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for (name, column) in NAMES.iter().zip(&columns).filter(|(_, column)| !column.is_empty()) {
        names.insert((*name).to_string(), (column.len(), column.iter().any(|(_, extent)| extent.points > 1)));
    }
    assert_eq!(found.metrics().names(&ended).expect("whole"), names);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| !file.ends_with("lock"));
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whoever_reads_when_knows_the_same(
        entries in prop::collection::vec((entry(), 0u8..4), 1..40),
        touched in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8..=255),
        cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (at, cache) = (folder.path().join("journal"), folder.path().join("cache"));
        let mut journal = Journal::open(&at, &Replayed::default()).expect("opens");
        // Two that stay, of which each finds what the other one stored.
        let mut stay = [Replayed::default(), Replayed::default()];
        for (entry, who) in &entries {
            journal.append_learned(entry).expect("writes");
            match who {
                0 | 1 => {
                    let one = &mut stay[*who as usize];
                    one.catch_up(&at, Some(&cache)).expect("reads");
                    agree(&at, &replay(&at, None), one);
                }
                2 => agree(&at, &replay(&at, None), &replay(&at, Some(&cache))),
                _ => {}
            }
        }
        let expected = replay(&at, None);
        for one in &mut stay {
            one.catch_up(&at, Some(&cache)).expect("reads");
            agree(&at, &expected, one);
        }
        // Whatever happens to one of the files: what can be read of them says the same.
        let (file, byte, by) = touched;
        let file = file.get(&files(&cache)).clone();
        let mut bytes = fs::read(&file).expect("reads");
        if !bytes.is_empty() {
            let byte = byte.index(bytes.len());
            if cut { bytes.truncate(byte) } else { bytes[byte] ^= by }
            fs::write(&file, bytes).expect("writes");
        }
        let found = replay(&at, Some(&cache));
        assert_eq!((&found.state, &found.queue), (&expected.state, &expected.queue));
        if let Some(columns) = columns(&found, &found.metrics()) {
            assert_eq!(shown(&columns), shown(&recorded(&at, &expected).expect("reads")));
        }
        // Those who have it open already are not disturbed by its being made anew.
        fs::remove_file(state_file(&cache)).ok();
        agree(&at, &expected, &replay(&at, Some(&cache)));
        journal.append_learned(&submission(20, 2)).expect("writes");
        let expected = replay(&at, None);
        for one in &mut stay {
            one.catch_up(&at, Some(&cache)).expect("reads");
            agree(&at, &expected, one);
        }
    }
}

#[test]
fn what_is_stored_of_another_journal_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other, cache) = (folder.path().join("one"), folder.path().join("other"), folder.path().join("cache"));
    for (journal, first) in [(&one, 1), (&other, 5)] {
        Journal::open(journal, &Replayed::default()).and_then(|mut journal| journal.append(&submission(first, 2))).expect("writes");
    }
    replay(&one, Some(&cache));
    agree(&other, &replay(&other, None), &replay(&other, Some(&cache)));
}

/// Whoever changes a type that is stored changes these bytes, or what is read of them.
#[test]
fn the_form_of_what_is_stored_changes_with_its_version() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let known = replay(&testdata.join("formats/1/journal"), None);
    let bytes = packed::pack(&known.state, &known.queue, &["a sentence".to_string()]).expect("packs");
    let sample = testdata.join(format!("projection/{FORMAT}.packed"));
    if std::env::var_os("NERONET_UPDATE_GOLDEN").is_some() {
        fs::write(&sample, &bytes).expect("written");
    }
    let stored = fs::read(&sample).unwrap_or_default();
    assert!(
        bytes == stored,
        "what is stored has another form than {}: raise FORMAT, and make a sample with NERONET_UPDATE_GOLDEN=1",
        sample.display()
    );
    let read = packed::unpack(&Arc::new(stored), 0).expect("a packed state");
    assert_eq!((&read.state, &*read.queue, read.damage.len()), (&*known.state, &*known.queue, 1));
}
