//! In which order rows come, and on which page.

use crate::runs::{Cell, Run, Runs, five, ordered, run, word};
use neronet_query::{Order, Page, Rows, sort_keys};
use proptest::prelude::*;
use std::cmp::Ordering;

#[test]
fn what_is_missing_comes_last_whichever_way_round_and_what_is_no_number_before_it() {
    let runs = five();
    for (keys, expected) in [
        ("loss", [0, 3, 1, 2, 4]),
        ("-loss", [3, 0, 1, 2, 4]),
        ("loss desc", [3, 0, 1, 2, 4]),
        ("lr", [1, 0, 2, 3, 4]),
        ("-lr", [3, 2, 0, 1, 4]),
        ("-started", [0, 1, 2, 3, 4]),
        ("started asc", [3, 2, 1, 0, 4]),
        ("state,-lr", [2, 0, 1, 4, 3]),
        ("tags", [0, 2, 3, 1, 4]),
        (" - 'val_acc.max' , lr", [0, 1, 2, 3, 4]),
        ("'a b',lr", [4, 1, 0, 2, 3]),
    ] {
        assert_eq!(ordered(&runs, keys).unwrap(), expected, "{keys}");
    }
}

#[test]
fn a_page_is_cut_out_of_the_whole_and_knows_how_much_that_is() {
    let runs: Vec<Run> = [3, 1, 2, 1, 3, 2].into_iter().map(|n| run([("n", Cell::Number(f64::from(n)))])).collect();
    let mut rows = Rows::all(6);
    let table = Runs::new(&runs);
    let order = Order::by(&table, &sort_keys("n").unwrap(), "n").unwrap();
    let page = |rows: &Rows, page: Page| {
        let paged = order.page(rows, page);
        (paged.rows, paged.total)
    };
    assert_eq!(page(&rows, Page::default()), (vec![1, 3, 2, 5, 0, 4], 6));
    assert_eq!(page(&rows, Page { limit: Some(2), ..Page::default() }), (vec![1, 3], 6));
    assert_eq!(page(&rows, Page { limit: Some(2), offset: 3, ..Page::default() }), (vec![5, 0], 6));
    assert_eq!(page(&rows, Page { limit: Some(0), ..Page::default() }), (vec![], 6));
    assert_eq!(page(&rows, Page { offset: 9, ..Page::default() }), (vec![], 6));
    assert_eq!(page(&rows, Page { offset: usize::MAX, limit: Some(usize::MAX), after: None }), (vec![], 6));
    assert_eq!(page(&rows, Page { after: Some(3), limit: Some(2), ..Page::default() }), (vec![2, 5], 6));
    // The row behind which it goes on may be gone from what is found.
    rows.invert();
    [0, 2, 4, 5].into_iter().for_each(|row| rows.insert(row));
    assert_eq!(page(&rows, Page { after: Some(3), limit: Some(2), ..Page::default() }), (vec![2, 5], 4));
}

fn naive(a: &Run, b: &Run, descending: bool) -> Ordering {
    let number = |run: &Run| match run.get("n") {
        Some(Cell::Number(number)) => Some(*number),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (Some(a), Some(b)) => {
            let order = a.partial_cmp(&b).unwrap();
            if descending { order.reverse() } else { order }
        }
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

proptest! {
    /// Whatever the page, it is that part of the rows sorted by a stable sort; pages after one another make the whole.
    #[test]
    fn pages_are_parts_of_a_stable_sort(
        cells in prop::collection::vec((prop::option::of(prop_oneof![Just(f64::NAN), Just(f64::NEG_INFINITY), Just(-0.0), (-3i8..3).prop_map(f64::from)]), 0u8..3), 1..90),
        descending: bool, limit in 1usize..20, offset in 0usize..40,
    ) {
        let run = |(number, text): &(Option<f64>, u8)| {
            let mut run = run([("t", word(&format!("t{text}")))]);
            run.extend(number.map(|number| ("n", Cell::Number(number))));
            run
        };
        let mut runs: Vec<Run> = cells.iter().map(run).collect();
        runs.push(Run::from([("n", Cell::Number(0.0)), ("t", word("t9"))]));
        let table = Runs::new(&runs);
        let keys = if descending { "-n,-t" } else { "n,t" };
        let text = |row: usize| match &runs[row]["t"] { Cell::Value(value) => value.to_string(), _ => String::new() };
        let mut sorted: Vec<usize> = (0..runs.len()).collect();
        let by_text = |a: usize, b: usize| if descending { text(b).cmp(&text(a)) } else { text(a).cmp(&text(b)) };
        sorted.sort_by(|a, b| naive(&runs[*a], &runs[*b], descending).then(by_text(*a, *b)));
        let order = Order::by(&table, &sort_keys(keys).unwrap(), keys).unwrap();
        let all = Rows::all(runs.len());
        let part: Vec<usize> = sorted.iter().copied().skip(offset).take(limit).collect();
        prop_assert_eq!(order.page(&all, Page { limit: Some(limit), offset, after: None }).rows, part);
        let (mut joined, mut after) = (Vec::new(), None);
        loop {
            let page = order.page(&all, Page { limit: Some(limit), offset: 0, after }).rows;
            after = page.last().copied();
            if page.is_empty() { break }
            joined.extend(page);
        }
        prop_assert_eq!(joined, sorted);
    }
}
