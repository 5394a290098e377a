//! What stands below the header and is no run: the header once more, titles, a row of units, and the header of another table. A row
//! is a run unless there is strong evidence; what may be one and may be none is a mistake.

use crate::grid::{Grid, GridRow};
use crate::header::{Header, is_short};
use crate::place::Place;
use crate::sheet::{Mistake, Role};
use crate::table::role;
use crate::value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a row below the header is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Run,
    /// The header that holds already, or the groups above it.
    Repeated,
    Title,
    Units,
    /// The names of groups above the header of another table.
    Groups,
    Header,
}

const UNITS: &str = "% s sec ms us µs ns min h d B kB KB MB GB TB KiB MiB GiB TiB Hz kHz MHz GHz W kW J kWh °C px dB bit bits Mbit Gbit \
    epoch epochs step steps iterations samples tokens FLOP FLOPs FLOPS GFLOPS TFLOPS";

/// The cells of a row by what they would be called as names.
type Titles = Vec<(u16, String)>;

fn titles(row: &GridRow) -> Titles {
    row.cells.iter().map(|(column, raw)| (*column, value::title(raw))).collect()
}

/// What each row of the sheet is, as far as it stands below `header`.
pub(crate) fn kinds(grid: &Grid, header: Header, place: Place, is_param: &dyn Fn(&str) -> bool) -> Result<Vec<Kind>, Mistake> {
    let rows = &grid.rows;
    let mut kinds = headers(rows, header, is_param);
    let mut first = header.row;
    while first < rows.len() {
        let ends = |at: &usize| matches!(kinds[*at], Kind::Header | Kind::Groups);
        let end = (first + 1..rows.len()).find(ends).unwrap_or(rows.len());
        let mut table = Table::of(rows, &kinds, first, end, header.groups.is_some());
        for at in first + 1..end {
            if kinds[at] == Kind::Run {
                kinds[at] = table.kind(at, &kinds, place)?;
                if kinds[at] == Kind::Units {
                    table.forget(&rows[at]);
                }
            }
        }
        first = (end..rows.len()).find(|at| kinds[*at] == Kind::Header).unwrap_or(rows.len());
    }
    Ok(kinds)
}

/// The headers, and the groups above them; all other rows are runs so far.
fn headers(rows: &[GridRow], header: Header, is_param: &dyn Fn(&str) -> bool) -> Vec<Kind> {
    let mut kinds = vec![Kind::Run; rows.len()];
    // Rows behind a blank one, or behind a text that is alone behind one.
    let mut begins = vec![false; rows.len()];
    for at in header.row + 1..rows.len() {
        begins[at] = is_blank_above(rows, at) || (begins[at - 1] && rows[at - 1].cells.len() == 1);
    }
    let is_usual = |title: &str| role(title).0 != Role::Value || is_param(title);
    let is_known =
        |names: &HashSet<String>, titles: &Titles| titles.iter().any(|(_, title)| names.contains(&title.to_lowercase()) || is_usual(title));
    let may_be = |at: usize| all_short(&rows[at]) && follows(rows, at);
    // What may be a header, whatever its cells are elsewhere, tells nothing of the values.
    let mut current = titles(&rows[header.row]);
    let mut names: HashSet<String> = current.iter().map(|(_, title)| title.to_lowercase()).collect();
    let mut possible: BTreeMap<usize, Titles> = BTreeMap::new();
    for at in header.row + 1..rows.len() {
        let below_one = rows[at - 1].number + 1 == rows[at].number && begins[at - 1] && all_short(&rows[at - 1]);
        if (begins[at] || below_one) && may_be(at) {
            let titles = titles(&rows[at]);
            if is_known(&names, &titles) {
                names.extend(titles.iter().map(|(_, title)| title.to_lowercase()));
                possible.insert(at, titles);
            }
        }
    }
    let asked: HashSet<&(u16, String)> = possible.values().flatten().collect();
    let mut values: HashSet<(u16, String)> = HashSet::new();
    if !asked.is_empty() {
        let others = (header.row + 1..rows.len()).filter(|at| !possible.contains_key(at));
        values.extend(others.flat_map(|at| titles(&rows[at])).filter(|cell| asked.contains(cell)));
    }
    let is_header = |names: &HashSet<String>, at: usize| {
        possible.get(&at).is_some_and(|titles| is_known(names, titles) && titles.iter().all(|cell| !values.contains(cell)))
    };

    let mut names: HashSet<String> = current.iter().map(|(_, title)| title.to_lowercase()).collect();
    let mut known: HashSet<Titles> = HashSet::from([current.clone()]);
    let mut groups: HashSet<Titles> = header.groups.map(|at| titles(&rows[at])).into_iter().collect();
    // So that most rows are told from headers by their first cell.
    let mut firsts: HashSet<(u16, String)> = known.iter().chain(&groups).filter_map(|titles| titles.first().cloned()).collect();
    for at in header.row + 1..rows.len() {
        let first = rows[at].cells.first().map(|(column, raw)| (*column, value::title(raw)));
        if first.is_some_and(|first| firsts.contains(&first)) {
            let titles = titles(&rows[at]);
            if groups.contains(&titles) || titles == current {
                kinds[at] = Kind::Repeated;
                continue;
            }
            if known.contains(&titles) {
                (kinds[at], current) = (Kind::Header, titles);
                continue;
            }
        }
        let is_inside = || rows[at].cells.first().map(|(column, _)| column) > rows[at + 1].cells.first().map(|(column, _)| column);
        kinds[at] = if kinds[at - 1] == Kind::Groups || (begins[at] && is_header(&names, at)) {
            current = titles(&rows[at]);
            names.extend(current.iter().map(|(_, title)| title.to_lowercase()));
            known.insert(current.clone());
            firsts.extend(current.first().cloned());
            Kind::Header
        } else if begins[at] && may_be(at) && is_header(&names, at + 1) && (rows[at].cells.len() > 1 || is_inside()) {
            let titles = titles(&rows[at]);
            firsts.extend(titles.first().cloned());
            groups.insert(titles);
            Kind::Groups
        } else {
            Kind::Run
        };
    }
    kinds
}

/// The rows below a header, up to the next one.
struct Table<'r> {
    rows: &'r [GridRow],
    header: usize,
    end: usize,
    /// More than one column has a name.
    several: bool,
    /// The first column in use.
    left: u16,
    roles: BTreeMap<u16, Role>,
    /// Of each column how many cells are numbers, and how many texts; those that stand alone behind a blank row aside.
    contents: BTreeMap<u16, (usize, usize)>,
    /// The first row with a number in a column, and with such a text below the first row.
    first_number: BTreeMap<u16, usize>,
    first_text: BTreeMap<u16, usize>,
    /// Columns with a text right below the header, where units may stand.
    top_texts: BTreeSet<u16>,
    /// How often a text is in a column.
    texts: HashMap<(u16, &'r str), usize>,
}

impl<'r> Table<'r> {
    fn of(rows: &'r [GridRow], kinds: &[Kind], header: usize, end: usize, groups: bool) -> Table<'r> {
        let names = &rows[header].cells;
        let left = rows[header..end].iter().filter_map(|row| Some(row.cells.first()?.0)).min().unwrap_or_default();
        let roles = names.iter().map(|(column, raw)| (*column, role(&value::title(raw)).0)).collect();
        let several = names.len() > 1 || groups;
        let mut table = Table {
            rows,
            header,
            end,
            several,
            left,
            roles,
            contents: BTreeMap::new(),
            first_number: BTreeMap::new(),
            first_text: BTreeMap::new(),
            top_texts: BTreeSet::new(),
            texts: HashMap::new(),
        };
        for at in (header + 1..end).filter(|at| kinds[*at] == Kind::Run) {
            for (column, raw) in &rows[at].cells {
                let (numbers, texts) = table.contents.entry(*column).or_default();
                match raw.words() {
                    None => {
                        *numbers += 1;
                        table.first_number.entry(*column).or_insert(at);
                    }
                    Some(text) => {
                        if !is_alone(rows, at) {
                            *texts += 1;
                            if at > header + 1 {
                                table.first_text.entry(*column).or_insert(at);
                            } else {
                                table.top_texts.insert(*column);
                            }
                        }
                        *table.texts.entry((*column, text.trim())).or_default() += 1;
                    }
                }
            }
        }
        table
    }

    /// The texts of the units are none of the values.
    fn forget(&mut self, row: &GridRow) {
        self.top_texts.clear();
        for (column, _) in &row.cells {
            if let Some((_, texts)) = self.contents.get_mut(column) {
                *texts = texts.saturating_sub(1);
            }
        }
    }

    fn kind(&self, at: usize, kinds: &[Kind], place: Place) -> Result<Kind, Mistake> {
        let row = &self.rows[at];
        if row.cells.iter().any(|(_, raw)| raw.words().is_none()) || self.says_status(row) {
            return Ok(Kind::Run);
        }
        let doubt = |what: &str, hint: &str| Err(place.mistake(format!("row {} {what}", row.number), hint));
        if self.several && at == self.header + 1 && !is_blank_above(self.rows, at) {
            match self.are_units(row) {
                Some(true) => return Ok(Kind::Units),
                Some(false) => {
                    return doubt("may be a run, or name units", "put the units into the header, or a value into one of its columns");
                }
                None => {}
            }
        }
        if self.is_title(at) {
            return Ok(Kind::Title);
        }
        let over_header = kinds.get(at + 1).is_some_and(|kind| *kind != Kind::Run) && follows(self.rows, at);
        if is_alone(self.rows, at) && over_header {
            return doubt("may be a run, or a title of the table below", "remove the title, or leave a blank row below a run");
        }
        if self.looks_like_header(at) {
            let hint = "name one of its columns as a table above does, or put the table on a sheet of its own; if the row is a run, \
                        remove the blank row above it";
            return doubt("looks like the header of a second table", hint);
        }
        Ok(Kind::Run)
    }

    /// Whether the status of a row tells what is done with it: it is to do, or blank, or one that others have too.
    fn says_status(&self, row: &GridRow) -> bool {
        let Some((column, _)) = self.roles.iter().find(|(_, role)| **role == Role::Status) else { return false };
        match row.get(*column).and_then(|raw| raw.words()).map(str::trim) {
            Some(status) => status.eq_ignore_ascii_case("todo") || self.texts.get(&(*column, status)).is_some_and(|count| *count > 1),
            None => true,
        }
    }

    /// Nothing but units: all of them over numbers, or over nothing at all, which is not enough.
    fn are_units(&self, row: &GridRow) -> Option<bool> {
        let mut over_numbers = false;
        let mut some = false;
        for (column, raw) in &row.cells {
            let text = raw.words()?.trim();
            let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            let inside = inside.or_else(|| text.strip_prefix('(')?.strip_suffix(')'));
            if UNITS.split(' ').any(|unit| unit == inside.unwrap_or(text).trim()) {
                let (numbers, texts) = self.contents.get(column).copied().unwrap_or_default();
                // Its own text is one.
                if numbers == 0 && texts > 1 {
                    return None;
                }
                over_numbers |= numbers > 0;
                some = true;
            } else if inside.is_none() && text != "-" {
                return None;
            }
        }
        some.then_some(over_numbers)
    }

    /// A text that is alone in its row and behind a blank one, in the first column, where numbers are otherwise.
    fn is_title(&self, at: usize) -> bool {
        let [(column, raw)] = self.rows[at].cells.as_slice() else { return false };
        let of_numbers = self.contents.get(column).is_some_and(|(numbers, texts)| *numbers > 0 && *texts == 0);
        let fits = match self.roles.get(column) {
            Some(Role::Command | Role::Name) => false,
            Some(Role::Status) => true,
            _ => of_numbers,
        };
        // A name of one word over a column of its own may be that of a second table.
        let one_word = !raw.words().unwrap_or_default().trim().contains(char::is_whitespace);
        let names_column = one_word && follows(self.rows, at) && self.rows[at + 1].cells.iter().all(|(below, _)| below == column);
        self.several && is_alone(self.rows, at) && *column == self.left && fits && !names_column
    }

    /// Behind a blank row, nothing but texts, where there are numbers in all rows before or in all rows right below.
    fn looks_like_header(&self, at: usize) -> bool {
        let behind_title = at - 1 > self.header && is_alone(self.rows, at - 1);
        if !(behind_title || is_blank_above(self.rows, at)) {
            return false;
        }
        let below = (at..self.end.saturating_sub(1)).take_while(|at| follows(self.rows, *at)).count();
        let of_numbers = |rows: std::ops::Range<usize>, column: u16| {
            let mut cells = rows.filter_map(|at| self.rows[at].get(column)).peekable();
            cells.peek().is_some() && cells.all(|raw| raw.words().is_none())
        };
        let first = |of: &BTreeMap<u16, usize>, column: u16| of.get(&column).copied().filter(|first| *first < at).is_some();
        let mut somewhere = false;
        let everywhere = self.rows[at].cells.iter().all(|(column, _)| {
            let before = first(&self.first_number, *column) && !first(&self.first_text, *column) && !self.top_texts.contains(column);
            let after = of_numbers(at + 1..at + 1 + below, *column);
            somewhere |= before && (after || below == 0) || after && at == self.header + 1;
            before || after
        });
        everywhere && somewhere
    }
}

/// One text, behind a blank row.
fn is_alone(rows: &[GridRow], at: usize) -> bool {
    rows[at].cells.len() == 1 && rows[at].cells.iter().all(|(_, raw)| raw.words().is_some()) && is_blank_above(rows, at)
}

fn is_blank_above(rows: &[GridRow], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|above| rows[at].number > rows[above].number + 1)
}

fn all_short(row: &GridRow) -> bool {
    row.cells.iter().all(|(_, raw)| is_short(raw))
}

/// Whether the next row stands right below.
fn follows(rows: &[GridRow], at: usize) -> bool {
    rows.get(at + 1).is_some_and(|next| next.number == rows[at].number + 1)
}
