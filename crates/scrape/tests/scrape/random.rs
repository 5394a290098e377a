//! Whatever a script prints, the readers neither fail nor depend on anything but what they were given.

use crate::corpus::{folder, row};
use neronet_scrape::learn::learn;
use neronet_scrape::{Found, Scraper, State, Table, json_document, json_rows, metrics_line};
use proptest::prelude::*;

fn corpus_lines() -> Vec<String> {
    let mut logs: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    logs.sort();
    logs.iter().flat_map(|log| std::fs::read_to_string(log).unwrap().lines().map(str::to_string).collect::<Vec<_>>()).collect()
}

/// Pieces that steer the readers into their corners, in any order.
fn mixture() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            " ",
            "\t",
            ":",
            "=",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "|",
            "/",
            ",",
            ".",
            "%",
            "#",
            "-",
            "+",
            "'",
            "\"",
            "\\",
            "\u{1b}[",
            "\u{1b}]",
            "\r",
            "epoch",
            "step",
            "loss",
            "Train",
            "val",
            "3",
            "0.5",
            "3/50",
            "1e-3",
            "nan",
            "-inf",
            "100%|",
            "│",
            "━",
            "±",
            "−5",
            "е",
            "损失",
            "😀",
            "Namespace(",
            "tensor(",
            "Traceback (most recent call last):",
            "of",
            "is",
            "Epoch(train)",
            "| a | 1 |",
            "Class mAP50):",
            "epoch loss",
            "Options",
            "batch_size: 64",
            "ValueError:",
            "://",
            "0x",
            "\u{8}",
            "null",
            "12:00:01,123",
            "INFO",
            "I0101 ",
            "Average Precision (AP) @[",
            "Parameter Group 0",
        ])
        .prop_map(str::to_string),
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_makes_any_reader_fail(lines in prop::collection::vec(prop_oneof![mixture(), ".{0,80}"], 0..12)) {
        let mut scraper = Scraper::new(&[], &["x*y".into()]).unwrap();
        let mut table = Table::new();
        let mut found = Found::default();
        for line in &lines {
            scraper.line(line, &mut found);
            prop_assert!(found.epoch.is_none_or(f64::is_finite));
            table.line(line, &mut found);
            let _ = metrics_line(line, &mut found);
            let _ = json_document(line, &mut found);
            let _ = json_rows(line);
        }
        learn(lines.join("\n").as_bytes(), &[], &[]).unwrap().to_string();
    }

    #[test]
    fn a_cut_corpus_line_never_makes_a_reader_fail(at in 0usize..10_000, from in 0usize..200, to in 0usize..200) {
        let lines = corpus_lines();
        let line: Vec<char> = lines[at % lines.len()].chars().collect();
        let (from, to) = (from.min(line.len()), to.min(line.len()));
        let part: String = line[from.min(to)..from.max(to)].iter().collect();
        Scraper::default().line(&part, &mut Found::default());
    }

    #[test]
    fn restored_anywhere_in_random_lines_it_goes_on_the_same(lines in prop::collection::vec(mixture(), 0..12)) {
        same_after_every_cut(&lines);
    }
}

fn same_after_every_cut(lines: &[String]) {
    let mut whole = Scraper::default();
    let mut found = Found::default();
    let mut states = vec![whole.state()];
    let mut rows = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        whole.line(line, &mut found);
        rows.push(row(i, &found));
        states.push(whole.state());
    }
    for (cut, state) in states.iter().enumerate() {
        let kept = serde_json::to_string(state).unwrap();
        let state: State = serde_json::from_str(&kept).unwrap();
        assert_eq!(&state, &states[cut]);
        let mut again = Scraper::default();
        again.restore(state);
        // A few lines decide it; all of them would take the square of the corpus.
        for (i, line) in lines.iter().enumerate().skip(cut).take(25) {
            again.line(line, &mut found);
            assert_eq!(row(i, &found), rows[i], "cut before line {cut}");
            assert_eq!(again.state(), states[i + 1]);
        }
    }
}

#[test]
fn restored_anywhere_in_the_corpus_it_goes_on_the_same() {
    same_after_every_cut(&corpus_lines());
}

#[test]
fn lines_of_64_kb_are_read_without_trouble() {
    for piece in
        ["(", "[", "{", "a(", "a=1 ", "1/", "|", "| ", "\"", "\u{1b}[", "loss 1 ", "x ", "−1", "{\"a\":", "1,", "epoch [", "- ", "a:(", "9"]
    {
        let line = piece.repeat(65_536 / piece.len());
        let mut found = Found::default();
        let mut scraper = Scraper::default();
        for line in [line.as_str(), &format!("{line}}}"), &format!("|{line}|")] {
            scraper.line(line, &mut found);
            Table::new().line(line, &mut found);
            let _ = metrics_line(line, &mut found);
        }
        assert!(serde_json::to_string(&scraper.state()).unwrap().len() < 100_000, "{piece}");
    }
}
