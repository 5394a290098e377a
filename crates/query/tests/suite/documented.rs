//! What docs/filters.md gives as examples is read, and its mistake is shown as it says.

use crate::runs::{five, rows_of};
use neronet_query::{Filter, sort_keys};

const PAGE: &str = include_str!("../../../../docs/filters.md");

/// What stands in backticks in a line.
fn spans(line: &str) -> impl Iterator<Item = String> {
    line.split('`').skip(1).step_by(2).map(|span| span.replace("\\|", "|"))
}

#[test]
fn every_example_is_a_filter() {
    let (mut read, mut prose) = (0, true);
    for line in PAGE.lines() {
        prose ^= line.starts_with("```");
        let of_table = line.starts_with("| ") && !line.starts_with("| to ask") && !line.starts_with("| both");
        let examples =
            spans(line).filter(|span| prose && (of_table || [" == ", " < ", " > ", " in ["].iter().any(|sign| span.contains(sign))));
        let command = line.strip_prefix("neronet ls '").and_then(|rest| rest.split('\'').next()).map(str::to_string);
        for example in examples.chain(command).filter(|example| !example.starts_with("= < >") && !example.starts_with("neronet")) {
            Filter::parse(&example).unwrap_or_else(|mistake| panic!("{mistake}"));
            read += 1;
        }
        if let Some(keys) = line.split("--sort ").nth(1).filter(|_| line.starts_with("neronet")) {
            sort_keys(keys.split(' ').next().unwrap()).unwrap();
        }
    }
    assert!(read >= 30, "only {read} examples were found");
}

#[test]
fn the_mistake_is_shown_as_it_says() {
    let mistake = rows_of(&five(), "lr > 0.1 and state == finishd").unwrap_err();
    assert!(PAGE.contains(&format!("```text\nerror: {mistake}\n```")), "{mistake}");
}
