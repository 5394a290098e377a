//! Files that were cut or changed: what is whole before is read, nothing panics, nothing false is shown.

use crate::naive::{Folded, NAMES, attempts};
use crate::points::shown;
use neronet_series::{Head, Recorded, Window};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_file_cut_anywhere_ends_with_its_last_whole_block(attempts in attempts(), cut in any::<prop::sample::Index>()) {
        let folded = Folded::of(&attempts);
        let cut = cut.index(folded.file.len() + 1);
        let (heads, end) = Head::all(&folded.file[..cut], cut as u64);
        prop_assert_eq!(format!("{heads:?}"), format!("{:?}", &folded.heads[..heads.len()]));
        prop_assert!(end as usize <= cut);
        prop_assert!(heads.len() == folded.heads.len() || cut < folded.file.len());
    }

    #[test]
    fn a_changed_byte_is_noticed_or_changes_nothing(
        attempts in attempts(), at in any::<prop::sample::Index>(), with in 1..=255u8,
    ) {
        let folded = Folded::of(&attempts);
        let mut file = folded.file.clone();
        // Of few rows nothing is stored.
        if !file.is_empty() {
            file[at.index(folded.file.len())] ^= with;
        }
        let (heads, _) = Head::all(&file[..], file.len() as u64);
        prop_assert_eq!(format!("{heads:?}"), format!("{:?}", &folded.heads[..heads.len()]));
        let read = |file: &[u8], name: &str| {
            let mut points = Vec::new();
            let series = Recorded { attempts: &folded.attempts, file, heads: &heads, rest: &[] };
            series.series(name).points(|point| points.push(point)).map(|()| shown(&points))
        };
        for name in NAMES {
            if let Ok(found) = read(&file, name) {
                prop_assert_eq!(Ok(found), read(&folded.file, name));
            }
            let recorded = Recorded { attempts: &folded.attempts, file: &file[..], heads: &heads, rest: &[] };
            recorded.series(name).draw(Window::ALL, 3).ok();
        }
    }

    #[test]
    fn bytes_that_are_no_blocks_are_none(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(Head::all(&bytes[..], bytes.len() as u64), (Vec::new(), 0));
    }
}
