//! .csv and .tsv: which characters the bytes are, what separates the cells, and the cells.

use crate::grid::{Grid, Raw};
use crate::limits;
use crate::place::Place;
use crate::sheet::Mistake;
use crate::write_csv::is_guarded;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rows and bytes by which the separator is found.
const SAMPLE: u32 = 100;
const SAMPLE_BYTES: usize = 64 << 10;

/// The cells, and what is worth a word.
pub(crate) fn grid(bytes: &[u8], place: Place, tabs: bool) -> Result<(Grid, Vec<Mistake>), Mistake> {
    let mut notes = Vec::new();
    let text = decoded(bytes, place, &mut notes)?;
    let (separator, text) = separator(&text, tabs);
    let mut grid = Grid::default();
    grid.separator = Some(separator);
    for field in Fields::of(text, separator) {
        let Field { row, column, text, open, .. } = field;
        if text.trim().is_empty() {
            continue;
        }
        let column = u16::try_from(column).ok().filter(|column| *column < limits::LAST_COLUMN);
        let (Some(column), true) = (column, row <= limits::LAST_ROW) else {
            return Err(place.mistake(
                format!("row {row} has cells beyond the end of every sheet"),
                "are the cells separated by commas, semicolons or tabs?",
            ));
        };
        if open {
            let hint = "write \" at its end, or \"\" for a quotation mark in it";
            return Err(place.cell(row, column, "the cell begins with a quotation mark and never ends", hint));
        }
        let raw = match text.strip_prefix('\'') {
            // So that no spreadsheet program takes it for a formula.
            Some(guarded) if is_guarded(guarded) => Raw::Text(guarded.to_string()),
            _ => Raw::Typed(text.into_owned()),
        };
        grid.push(place, row, column, raw)?;
    }
    Ok((grid.finish(place)?, notes))
}

/// UTF-8 or UTF-16, else the characters of Western Windows.
fn decoded<'b>(bytes: &'b [u8], place: Place, notes: &mut Vec<Mistake>) -> Result<Cow<'b, str>, Mistake> {
    // Without a mark, text in UTF-16 is known by its zeros: most characters of a table are below 256.
    let zeros = |odd: usize| bytes.iter().take(200).skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let most = bytes.len().min(200) / 4;
    let wide = |swap: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units = bytes.chunks_exact(2).map(|pair| swap([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<Result<String, _>>().ok().filter(|_| bytes.len().is_multiple_of(2))
    };
    let text: Option<Cow<str>> = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok().map(Cow::Borrowed),
        [0xff, 0xfe, rest @ ..] => wide(u16::from_le_bytes, rest).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => wide(u16::from_be_bytes, rest).map(Cow::Owned),
        _ if zeros(1) > most => wide(u16::from_le_bytes, bytes).map(Cow::Owned),
        _ if zeros(0) > most => wide(u16::from_be_bytes, bytes).map(Cow::Owned),
        _ => Some(std::str::from_utf8(bytes).map_or_else(
            |_| {
                notes.push(place.mistake(
                    "the file is not UTF-8: its characters are taken for those of Western Windows (Windows-1252)",
                    "save it as CSV UTF-8",
                ));
                bytes.iter().map(|byte| western(*byte)).collect()
            },
            Cow::Borrowed,
        )),
    };
    match text {
        Some(text) if !text.contains('\0') => Ok(text),
        Some(_) => Err(place.mistake("the file is no text: there are zero bytes in it", "save the table as .xlsx or as CSV UTF-8")),
        None => {
            Err(place
                .mistake("the file's characters cannot be read: its first bytes promise what the others break", "save it as CSV UTF-8"))
        }
    }
}

/// Windows-1252, which is Latin-1 but for the characters from 0x80 to 0x9f.
fn western(byte: u8) -> char {
    const WINDOWS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•',
        '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

/// What separates the cells, and the text behind a first line that says so (`sep=;`).
fn separator(text: &str, tabs: bool) -> (char, &str) {
    if let Some(rest) = text.strip_prefix("sep=") {
        let mut chars = rest.chars();
        let said = chars.next().filter(|c| matches!(c, ',' | ';' | '\t' | '|'));
        let behind = chars.as_str();
        let behind = behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix(['\n', '\r']));
        if let (Some(said), Some(behind)) = (said, behind) {
            return (said, behind);
        }
    }
    if tabs && text.contains('\t') {
        return ('\t', text);
    }
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    // The one that puts fewest quotation marks inside cells; of those, the one that gives most rows the same number of cells, and
    // most cells.
    let fit = |separator: &char| {
        let mut widths: BTreeMap<u32, u32> = BTreeMap::new();
        let mut odd: BTreeSet<u32> = BTreeSet::new();
        for field in Fields::of(sample, *separator).take_while(|field| field.row <= SAMPLE) {
            widths.insert(field.row, field.column + 1);
            odd.extend(field.odd.then_some(field.row));
        }
        let mut rows_of: BTreeMap<u32, u32> = BTreeMap::new();
        widths.values().filter(|width| **width > 1).for_each(|width| *rows_of.entry(*width).or_default() += 1);
        rows_of.into_iter().map(|(width, rows)| (Reverse(odd.len()), rows, width)).max()
    };
    // The last of equals wins.
    let found = [',', ';', '\t'].into_iter().max_by_key(fit).filter(|separator| fit(separator).is_some());
    (found.unwrap_or(','), text)
}

/// One cell of the text, blank or not.
struct Field<'t> {
    /// Counted from 1, as a spreadsheet program would show it: a line break inside a cell begins no row.
    row: u32,
    column: u32,
    text: Cow<'t, str>,
    /// A quotation mark opened it and none closed it.
    open: bool,
    /// There are quotation marks where they do not belong.
    odd: bool,
}

/// The cells one by one: a row of any length costs nothing.
struct Fields<'t> {
    rest: &'t str,
    separator: char,
    row: u32,
    column: u32,
    /// A separator was the last, so one more cell comes, even an empty one.
    more: bool,
}

impl<'t> Fields<'t> {
    fn of(text: &'t str, separator: char) -> Fields<'t> {
        Fields { rest: text, separator, row: 1, column: 0, more: false }
    }

    /// Up to what ends an unquoted cell.
    fn plain(&mut self) -> &'t str {
        // All of them are ASCII, so no character is cut.
        let ends = |byte: u8| byte == b'\n' || byte == b'\r' || char::from(byte) == self.separator;
        let end = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    /// Behind the opening quotation mark: the text, whether it is never closed, and whether more comes behind the closing one.
    fn quoted(&mut self) -> (Cow<'t, str>, bool, bool) {
        let mut text = Cow::Borrowed("");
        while let Some(end) = self.rest.find('"') {
            text += &self.rest[..end];
            self.rest = &self.rest[end + 1..];
            match self.rest.strip_prefix('"') {
                Some(rest) => {
                    text += "\"";
                    self.rest = rest;
                }
                None => {
                    let behind = self.plain();
                    text += behind;
                    return (text, false, !behind.trim().is_empty());
                }
            }
        }
        (text + std::mem::take(&mut self.rest), true, false)
    }
}

impl<'t> Iterator for Fields<'t> {
    type Item = Field<'t>;

    fn next(&mut self) -> Option<Field<'t>> {
        if self.rest.is_empty() && !std::mem::take(&mut self.more) {
            return None;
        }
        self.more = false;
        let (text, open, odd) = match self.rest.trim_start_matches(' ').strip_prefix('"') {
            Some(rest) => {
                self.rest = rest;
                self.quoted()
            }
            None => {
                let text = self.plain();
                (Cow::Borrowed(text), false, text.contains('"'))
            }
        };
        let field = Field { row: self.row, column: self.column, text, open, odd };
        if let Some(rest) = self.rest.strip_prefix(self.separator) {
            (self.rest, self.column, self.more) = (rest, self.column.saturating_add(1), true);
        } else {
            let rest = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix(['\n', '\r']));
            (self.rest, self.row, self.column) = (rest.unwrap_or_default(), self.row.saturating_add(1), 0);
        }
        Some(field)
    }
}
