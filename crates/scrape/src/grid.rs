//! Boxes of names and values (the summaries of reinforcement-learning and test loops), which are complete at their closing
//! line.

use crate::Found;
use crate::names::{Meaning, judge};
use crate::state::Grid;
use crate::structured::whole;
use crate::table::number;

/// More columns or rows than this is no table of metrics.
pub(crate) const MOST: usize = 200;

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
