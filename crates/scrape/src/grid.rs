//! Tables in the output: a header with rows under it (fastai, YOLO, Markdown), and boxes of names and values (the summaries
//! of reinforcement-learning and test loops), which are complete at their closing line.

use crate::Found;
use crate::names::{Meaning, judge};
use crate::state::Grid;
use crate::structured::whole;
use crate::table::number;

/// More columns or rows than this is no table of metrics.
const MOST: usize = 200;

/// First columns of tables.
const AXES: [&str; 8] = ["epoch", "epochs", "ep", "step", "iter", "iteration", "round", "global_step"];

/// The cells of a line between bars, e.g. `| loss | 0.3 |`.
pub(crate) fn cells(line: &str) -> Option<Vec<&str>> {
    let bar = ['|', '│', '┃', '║'];
    let inner = line.trim().strip_prefix(bar)?.strip_suffix(bar)?;
    Some(inner.split(bar).take(MOST).map(str::trim).collect())
}

/// Whether a line is only drawn, such as `+-----+` or `└────┘`.
pub(crate) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() > 2 && line.chars().all(|c| matches!(c, '-' | '=' | '+' | '|' | ' ' | ':' | '\u{2500}'..='\u{257f}'))
}

/// Takes a row of two cells into a box. False: it is none.
pub(crate) fn box_row(line: &str, cells: &[&str], grid: &mut Option<Grid>) -> bool {
    let [name, value] = cells else { return false };
    if name.is_empty() || name.contains(['=', ':']) || name.len() > 200 || value.len() > 60 {
        return false;
    }
    let grid = grid.get_or_insert_default();
    if value.is_empty() {
        grid.section = name.to_string();
        return true;
    }
    if number(value).is_none() || grid.rows.len() >= MOST {
        return true;
    }
    // Names under a section are indented further than the section's own line.
    let inside = grid.section.ends_with('/') && line.trim_start().trim_start_matches(['|', '│', '┃', '║']).starts_with("  ");
    let joined = name.split_whitespace().collect::<Vec<_>>().join("_");
    let full = if inside { format!("{}{joined}", grid.section) } else { joined };
    grid.rows.push((full, value.to_string()));
    true
}

/// The finished box as findings.
pub(crate) fn close(grid: Grid, found: &mut Found) {
    let mut best = None;
    for (name, value) in grid.rows {
        let Some(value) = number(&value) else { continue };
        let bare = name.rsplit('/').next().unwrap_or(&name);
        match judge(bare).meaning {
            Meaning::Epoch if value.is_finite() => found.epoch = Some(value),
            Meaning::GlobalStep if whole(value).is_some() => {
                found.step = whole(value);
                best = found.step;
            }
            Meaning::Step | Meaning::Total if best.is_none() && whole(value).is_some() => found.step = whole(value),
            Meaning::Step | Meaning::Total | Meaning::Rejected | Meaning::Config => {}
            _ => found.set(name, value),
        }
    }
    if !found.values.is_empty() {
        found.reader = Some("table");
    } else {
        found.clear();
    }
}

/// The columns, if a line is a header: its first word an axis, all words names, one of them surely a result.
pub(crate) fn header(line: &str) -> Option<Vec<String>> {
    let first = line.trim_start().as_bytes().first().copied()?;
    if !b"eEsSiIrRcC|\xe2".contains(&first) || line.len() > 4000 {
        return None;
    }
    let class = first == b'C';
    let words: Vec<&str> = match cells(line) {
        Some(cells) => cells,
        None if first == b'|' || first == 0xe2 => return None,
        None => line.split_whitespace().collect(),
    };
    if words.len() < 2 || words.len() > MOST {
        return None;
    }
    if class {
        // `Class  Images  Instances  Box(P  R  mAP50  mAP50-95): 100%|…`
        let map = words.iter().position(|word| word.ends_with("):") || word.ends_with(':')).unwrap_or(words.len() - 1);
        let named = words.first() == Some(&"Class") && words.iter().take(map + 1).any(|word| word.starts_with("mAP"));
        let clean = |word: &&str| word.rsplit('(').next().unwrap_or(word).trim_end_matches([':', ')']).to_string();
        return named.then(|| words.iter().take(map + 1).map(clean).collect());
    }
    let names = words.iter().all(|word| {
        !word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_alphanumeric() || "_/@.%-() ".contains(c))
    });
    // Most lines end here, before the costly question.
    if !names || !AXES.iter().any(|axis| words[0].eq_ignore_ascii_case(axis)) {
        return None;
    }
    let result = words.iter().skip(1).any(|word| judge(word).meaning == Meaning::Result);
    result.then(|| words.iter().map(|word| word.split_whitespace().collect::<Vec<_>>().join("_")).collect())
}

/// Reads a row under known columns. False: the line is none.
pub(crate) fn row(line: &str, columns: &[String], found: &mut Found) -> bool {
    let words: Vec<&str> = match cells(line) {
        Some(cells) => cells,
        None => line.split_whitespace().take(columns.len() + 1).collect(),
    };
    let Some(first) = words.first() else { return false };
    let bar_follows = words.get(columns.len() - 1).is_some_and(|last| last.ends_with(':'));
    if words.len() < columns.len() || (words.len() > columns.len() && !bar_follows) {
        return false;
    }
    let cell_is_fit =
        |word: &&str| number(word).is_some() || matches!(*word, "-" | "None" | "—" | "") || word.starts_with(|c: char| c.is_ascii_digit());
    if !words.iter().take(columns.len()).skip(1).all(|word| cell_is_fit(&word.trim_end_matches(':'))) {
        return false;
    }
    if columns[0] == "Class" {
        if *first != "all" {
            return false;
        }
    } else {
        let (part, total) = first.split_once('/').map_or((*first, None), |(part, total)| (part, Some(total)));
        let (Some(part), total) = (number(part), total.and_then(number)) else {
            return false;
        };
        match judge(&columns[0]).meaning {
            Meaning::Epoch if part.is_finite() => {
                found.epoch = Some(part);
                found.epochs = total;
            }
            _ => {
                found.step = whole(part);
                found.steps = total.and_then(whole);
            }
        }
    }
    for (column, word) in columns.iter().zip(&words).skip(1) {
        let Some(value) = number(word.trim_end_matches(['%', '*'])) else {
            continue;
        };
        let meaning = judge(column).meaning;
        match meaning {
            Meaning::Epoch if value.is_finite() => found.epoch = Some(value),
            Meaning::Step | Meaning::GlobalStep if whole(value).is_some() => found.step = whole(value),
            Meaning::Rejected if !matches!(column.as_str(), "P" | "R") => {}
            Meaning::Config | Meaning::Total | Meaning::Epoch | Meaning::Step | Meaning::GlobalStep => {}
            _ => found.set(column.clone(), value),
        }
    }
    found.reader = Some("table");
    true
}
