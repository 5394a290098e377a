//! In which columns of a text file a comma is the decimal sign.

use crate::between::Kind;
use crate::grid::{Grid, Raw};
use crate::place::{Place, enumerated, quoted};
use crate::sheet::{Column, Mistake, Role};
use crate::value;

/// Of each column whether its numbers have decimal commas.
pub(crate) struct Commas(pub(crate) Vec<bool>);

/// The first cells of a column that tell something: its row, its column in the sheet, its text.
#[derive(Default, Clone)]
struct Evidence<'g> {
    comma: Option<(u32, u16, &'g str)>,
    point: Option<(u32, u16, &'g str)>,
    /// No list of integers is written so: `0,001`, `1,5e-3`.
    only_decimal: bool,
}

impl Commas {
    pub(crate) fn of(
        grid: &Grid,
        kinds: &[Kind],
        places: &[(usize, Vec<(u16, usize)>)],
        columns: &[Column],
        place: Place,
        notes: &mut Vec<Mistake>,
    ) -> Result<Commas, Mistake> {
        let Some(separator) = grid.separator.filter(|separator| *separator != ',') else { return Ok(Commas(vec![false; columns.len()])) };
        let mut found = vec![Evidence::default(); columns.len()];
        let mut places = places.iter().peekable();
        let mut into: &[(u16, usize)] = &[];
        for (at, row) in grid.rows.iter().enumerate() {
            while let Some((_, next)) = places.next_if(|(first, _)| *first <= at) {
                into = next;
            }
            for (column, raw) in row.cells.iter().filter(|_| !into.is_empty() && kinds[at] == Kind::Run) {
                let (Raw::Typed(text), Ok(known)) = (raw, into.binary_search_by_key(column, |(column, _)| *column)) else { continue };
                let (word, found) = (text.trim(), &mut found[into[known].1]);
                if value::is_decimal_comma(word) {
                    found.comma = found.comma.or(Some((row.number, *column, word)));
                    found.only_decimal |= is_only_decimal(word);
                } else if value::is_decimal_point(word) {
                    found.point = found.point.or(Some((row.number, *column, word)));
                }
            }
        }
        // What is no parameter says nothing of how parameters are written.
        for (found, _) in found.iter_mut().zip(columns).filter(|(_, column)| is_left_alone(column)) {
            found.point = None;
        }
        let shown = |(row, _, word): (u32, u16, &str)| format!("{} (row {row})", quoted(word));
        let points: Vec<usize> = (0..found.len()).filter(|at| found[*at].point.is_some()).collect();
        let (mut decimal, mut text) = (Vec::new(), Vec::new());
        let mut commas = vec![false; columns.len()];
        for (at, evidence) in found.iter().enumerate() {
            let Some(comma) = evidence.comma else { continue };
            let may_be = separator != '\t' || evidence.only_decimal;
            if let (Some((row, column, word)), true) = (evidence.point, may_be) {
                let message = format!("{} has a decimal point, and {} of this column has a comma", quoted(word), shown(comma));
                return Err(place.cell(row, column, message, "write all numbers of a column with the same decimal sign"));
            }
            let said = format!("{} of column {}", shown(comma), quoted(&columns[at].name));
            commas[at] = may_be && points.is_empty();
            if commas[at] { decimal.push(said) } else { text.push(said) }
        }
        if !decimal.is_empty() {
            notes.push(place.mistake(format!("the comma is taken for the decimal sign, as in {}", enumerated(&decimal)), ""));
        }
        if !text.is_empty() {
            let are = if text.len() == 1 { "is" } else { "are" };
            let why = points
                .first()
                .and_then(|at| found[*at].point)
                .map(|point| format!(": other numbers have a decimal point, as {} shows", shown(point)));
            let message = format!("{} {are} text{}", enumerated(&text), why.unwrap_or_default());
            notes.push(place.mistake(message, "a number is written with a point in all columns"));
        }
        Ok(Commas(commas))
    }
}

/// Results, and what is told of a run beside its parameters.
fn is_left_alone(column: &Column) -> bool {
    column.role != Role::Value || column.name.contains('@') || column.name.to_lowercase().contains("version")
}

fn is_only_decimal(word: &str) -> bool {
    let fraction = word.split_once(',').map_or("", |(_, fraction)| fraction);
    fraction.contains(['e', 'E']) || (fraction.len() > 1 && fraction.starts_with('0'))
}
