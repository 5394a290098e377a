//! Any text: it never panics, each mistake lies within it, and what is read prints as what reads back.

use crate::meaning::trees;
use neronet_query::{Filter, fuzz};
use proptest::prelude::*;

const PIECES: [&str; 56] = [
    " ",
    "  ",
    "\t",
    "\n",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "~",
    "!~",
    "=~",
    "!",
    "&",
    "&&",
    "|",
    "||",
    "@",
    ":",
    "'",
    "\"",
    "`",
    ".",
    "-",
    "and",
    "or",
    "not",
    "in",
    "is",
    "missing",
    "none",
    "exists",
    "contains",
    "like",
    "a",
    "s",
    "n",
    "t",
    "d",
    "0.1",
    "2",
    "days",
    "ago",
    "params",
    "metrics",
    "学",
    "2026-11-20",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)) {
        fuzz(pieces.concat().as_bytes());
        fuzz(pieces.join(" ").as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz(&bytes);
    }

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        fuzz(text.as_bytes());
    }

    #[test]
    fn a_tree_that_is_printed_reads_back(tree in trees()) {
        let printed = tree.to_string();
        prop_assert_eq!(Filter::parse(&printed).map(|filter| filter.tree().clone()), Ok(tree), "{}", printed);
    }
}
