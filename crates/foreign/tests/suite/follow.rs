//! Files that are still being written: read in any pieces they give what they give at once.

use crate::recorder::{Recorder, samples};
use neronet_foreign::tensorboard::{EventFile, EventReader};
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

const SIMPLE: &str = "tensorboard/simple/events.out.tfevents.1700000000.lab1.4242.0";

fn at_once(bytes: &[u8]) -> (Recorder, EventReader) {
    let (mut sink, mut reader) = (Recorder::default(), EventReader::new(Path::new("at once"), 0));
    let done = reader.feed(bytes, &mut sink).expect("taken");
    reader.finish((bytes.len() - done) as u64);
    (sink, reader)
}

#[test]
fn a_file_cut_anywhere_and_continued_gives_the_same() {
    let bytes = fs::read(samples(SIMPLE)).expect("readable");
    let (whole, _) = at_once(&bytes);
    let folder = tempfile::tempdir().expect("a folder");
    for cut in (0..bytes.len()).step_by(97) {
        let path = folder.path().join(format!("{cut}.tfevents"));
        fs::write(&path, &bytes[..cut]).expect("written");
        let mut sink = Recorder::default();
        let mut file = EventFile::open(&path, 0).expect("opens");
        let progress = file.poll(&mut sink).expect("read");
        assert_eq!(progress.position + progress.waiting, cut as u64);
        assert!(file.reader().report().notices.is_empty(), "a tail is waited for");
        OpenOptions::new().append(true).open(&path).expect("opens").write_all(&bytes[cut..]).expect("written");
        let progress = file.poll(&mut sink).expect("read");
        assert_eq!((progress.position, progress.waiting), (bytes.len() as u64, 0));
        assert_eq!(sink, whole, "cut at {cut}");
    }
}

#[test]
fn another_process_goes_on_where_one_was() {
    let bytes = fs::read(samples(SIMPLE)).expect("readable");
    let (whole, _) = at_once(&bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tfevents");
    fs::write(&path, &bytes[..4001]).expect("written");
    let mut first = Recorder::default();
    let position = EventFile::open(&path, 0).expect("opens").poll(&mut first).expect("read").position;
    assert!(position <= 4001);
    fs::write(&path, &bytes).expect("written");
    let mut second = Recorder::default();
    EventFile::open(&path, position).expect("opens").poll(&mut second).expect("read");
    let joined: Vec<_> = first.points.iter().chain(&second.points).cloned().collect();
    assert_eq!(joined, whole.points);
}

#[test]
fn zeros_that_are_filled_in_later_are_waited_for() {
    // As seen over NFS: the length of the file is there before its last page.
    let bytes = fs::read(samples(SIMPLE)).expect("readable");
    let (whole, _) = at_once(&bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tfevents");
    let mut early = bytes.clone();
    early[5000..].fill(0);
    fs::write(&path, &early).expect("written");
    let mut sink = Recorder::default();
    let mut file = EventFile::open(&path, 0).expect("opens");
    assert!(file.poll(&mut sink).expect("read").position <= 5000);
    fs::write(&path, &bytes).expect("written");
    file.poll(&mut sink).expect("read");
    assert_eq!(sink, whole);
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(pieces in prop::collection::vec(1_usize..3000, 1..40)) {
        let bytes = fs::read(samples(SIMPLE)).expect("readable");
        let (whole, reader) = at_once(&bytes);
        let (mut sink, mut fed) = (Recorder::default(), EventReader::new(Path::new("at once"), 0));
        let (mut from, mut to) = (0, 0);
        for piece in pieces.iter().chain(std::iter::repeat(&512)) {
            to = (to + piece).min(bytes.len());
            from += fed.feed(&bytes[from..to], &mut sink).expect("taken");
            prop_assert_eq!(fed.wants(), from as u64);
            if to == bytes.len() {
                break;
            }
        }
        fed.finish((bytes.len() - from) as u64);
        prop_assert_eq!(sink, whole);
        prop_assert_eq!(fed.report(), reader.report());
    }

    /// One damaged byte costs the record that it is in, and is said with its place.
    #[test]
    fn a_damaged_byte_costs_one_record(byte in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut bytes = fs::read(samples(SIMPLE)).expect("readable");
        let (whole, _) = at_once(&bytes);
        let byte = byte.index(bytes.len());
        bytes[byte] ^= 1_u8 << bit;
        let (found, reader) = at_once(&bytes);
        let all = |recorder: &Recorder| recorder.points.len() + recorder.texts.len();
        prop_assert!(all(&found) + 1 >= all(&whole), "{} of {}", all(&found), all(&whole));
        prop_assert_eq!(reader.report().notices.len(), 1);
    }

    /// A record that was cut, and behind which another process went on, costs nothing else.
    #[test]
    fn a_torn_record_in_the_middle_costs_only_itself(cut in 1_usize..9000) {
        let bytes = fs::read(samples(SIMPLE)).expect("readable");
        let cut = cut.min(bytes.len() - 1);
        let (before, _) = at_once(&bytes[..cut]);
        let (whole, _) = at_once(&bytes);
        let mut torn = bytes[..cut].to_vec();
        torn.extend_from_slice(&bytes);
        let (found, _) = at_once(&torn);
        prop_assert_eq!(found.points.len(), before.points.len() + whole.points.len());
    }
}
