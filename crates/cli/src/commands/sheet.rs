//! Spreadsheets as specifications: what `check` says of their rows.

use crate::commands::page::{Page, count};
use neronet_model::size::grouped;
use neronet_model::{Params, RunId};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_spec::Problem;
use neronet_spec::rows::Row;
use serde_json::json;
use std::collections::BTreeMap;

/// Rows that are shown one by one.
const SHOWN: usize = 20;
/// Reasons that are counted.
const REASONS: usize = 8;
/// Characters of a cell of the table.
const WIDE: usize = 100;

/// Parameters, command, and the run that is the same already.
pub(crate) type Found = (Params, Option<String>, Option<RunId>);

/// What each row comes to.
pub(crate) struct Fates {
    pub(crate) place: String,
    fates: Vec<Fate>,
    /// The columns that are the same for all rows of a group.
    shared: Vec<String>,
    notes: Vec<Problem>,
}

struct Fate {
    row: Row,
    /// The command, where it would run.
    command: Option<String>,
    /// The parameters as they may be shown.
    params: Params,
    /// The same run that is there already.
    there: Option<RunId>,
}

impl Fate {
    fn why(&self) -> Option<String> {
        self.row.why.clone().or_else(|| self.there.map(|run| format!("exists already as run {run}")))
    }
}

impl Fates {
    /// `found` are, by row, parameters and command of what would run, and the run that is the same.
    pub(crate) fn of(rows: Vec<Row>, place: String, shared: Vec<String>, notes: Vec<Problem>, mut found: BTreeMap<u32, Found>) -> Fates {
        let fates = rows.into_iter().map(|row| match found.remove(&row.number) {
            Some((params, command, there)) => Fate { params, command, there, row },
            None => Fate { params: row.params.clone(), command: None, there: None, row },
        });
        Fates { place, fates: fates.collect(), shared, notes }
    }

    /// The rows that are shown one by one, by their numbers.
    pub(crate) fn shown(rows: &[Row]) -> Vec<u32> {
        rows.iter().take(SHOWN).map(|row| row.number).collect()
    }

    /// Puts what is wrong with a cell to its row, and to those that share what the cell says.
    pub(crate) fn blame(&mut self, problems: &[Problem]) {
        for problem in problems {
            let Some(cell) = problem.path.strip_prefix(&self.place).and_then(|rest| rest.strip_prefix(", ")) else { continue };
            let Ok(number) = cell.trim_start_matches(|c: char| c.is_ascii_uppercase()).parse::<u32>() else { continue };
            let is_shared = self.shared.iter().any(|letter| cell.strip_suffix(&number.to_string()) == Some(letter));
            let blamed = |row: &Row| row.number == number || (is_shared && row.group == Some(number));
            for fate in self.fates.iter_mut().filter(|fate| blamed(&fate.row)) {
                fate.row.why.get_or_insert_with(|| format!("{cell}: {}", problem.message));
            }
        }
    }

    pub(crate) fn show(&self, page: &mut Page<'_>) {
        page.heading(&format!("{}: {}", self.place, count(self.fates.len(), "row")));
        let with_status = self.fates.iter().any(|fate| fate.row.status.is_some());
        let mut columns = vec![Column::right("row")];
        columns.extend(with_status.then(|| Column::left("status")));
        columns.push(Column::left(""));
        let row = |fate: &Fate| {
            let mut cells = vec![Cell::plain(fate.row.number.to_string())];
            cells.extend(with_status.then(|| Cell::plain(words::one_line(fate.row.status.as_deref().unwrap_or_default(), 20))));
            cells.push(match (fate.why(), &fate.command) {
                (Some(why), _) => Cell::styled(words::one_line(&why, WIDE), Style::Faint),
                (None, Some(command)) => Cell::plain(words::one_line(command, WIDE)),
                (None, None) => Cell::plain("good by itself"),
            });
            cells
        };
        if !self.fates.is_empty() {
            page.table(&Table { columns, rows: self.fates.iter().take(SHOWN).map(row).collect() });
        }
        if self.fates.len() > SHOWN {
            page.line(&format!("and {} more", grouped((self.fates.len() - SHOWN) as u64)), Style::Faint);
            self.counts(page);
        }
        self.notes.iter().for_each(|note| page.line(&note.message, Style::Plain));
    }

    /// How many rows run, and how many do not for each reason.
    fn counts(&self, page: &mut Page<'_>) {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for fate in &self.fates {
            let why = match (&fate.row.why, fate.there) {
                (Some(why), _) if why.starts_with("it is the same run as row") => "the same run as an earlier row".to_string(),
                (Some(why), _) => why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_string(),
                (None, Some(_)) => "exists already".to_string(),
                (None, None) => String::new(),
            };
            *reasons.entry(why).or_default() += 1;
        }
        let run = reasons.remove("").unwrap_or(0);
        let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        page.line(&format!("{} would run", grouped(run)), Style::Plain);
        reasons
            .iter()
            .take(REASONS)
            .for_each(|(why, rows)| page.line(&format!("{}: {}", grouped(*rows), words::one_line(why, WIDE)), Style::Plain));
        let rest: u64 = reasons.iter().skip(REASONS).map(|(_, rows)| rows).sum();
        if rest > 0 {
            page.line(&format!("{} for other reasons", grouped(rest)), Style::Plain);
        }
    }

    pub(crate) fn json(&self, good: bool) -> serde_json::Value {
        let one = |fate: &Fate| {
            let why = fate.why().or_else(|| (!good).then(|| "something else in the sheet is wrong".to_string()));
            json!({"row": fate.row.number, "status": fate.row.status, "runs": why.is_none(), "why": why, "params": fate.params})
        };
        self.fates.iter().map(one).collect()
    }

    pub(crate) fn notes(&self) -> &[Problem] {
        &self.notes
    }
}
