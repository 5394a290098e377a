//! One sheet of an .xlsx file, as a stream of cells: blank ones cost nothing, however many there are.

use crate::grid::{Area, Fault, Raw};
use crate::limits;
use crate::moment;
use crate::place::Place;
use crate::sheet::Mistake;
use crate::style::Style;
use crate::xlsx::Strings;
use crate::xml::{self, Broken, Xml, plain_attributes};
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeSet;
use std::io::BufRead;
use std::ops::ControlFlow;

/// What cells refer to.
pub(crate) struct Book<'a> {
    pub(crate) strings: &'a Strings,
    pub(crate) styles: &'a [Style],
    pub(crate) since_1904: bool,
}

pub(crate) type Visit<'v> = &'v mut dyn FnMut(u32, u16, Raw) -> Result<ControlFlow<()>, Mistake>;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Shared,
    Text,
    Bool,
    Error,
    Iso,
}

/// A cell's address and how it is written.
struct Head {
    row: u32,
    column: u16,
    style: usize,
    kind: Kind,
}

/// What a sheet says beside its cells.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) merges: Vec<Area>,
    /// The numbers of hidden rows.
    pub(crate) hidden: BTreeSet<u32>,
}

/// Gives each cell with something in it to `visit`.
pub(crate) fn cells<R: BufRead>(mut part: Xml<R>, book: &Book, place: Place, visit: Visit) -> Result<Beside, Mistake> {
    let mut beside = Beside::default();
    let (mut row, mut column) = (0_u32, 0);
    let mut content = Content::default();
    loop {
        let head = match part.next().map_err(|e| e.at(place))? {
            Event::Start(start) => match start.local_name().as_ref() {
                "row" => {
                    row = row_number(&start).map_err(|e| e.at(place))?.unwrap_or(row.saturating_add(1));
                    let hidden = xml::attribute(&start, "hidden").map_err(|e| e.at(place))?;
                    if hidden.is_some_and(|word| word == "1" || word == "true") {
                        beside.hidden.insert(row);
                    }
                    column = 0;
                    continue;
                }
                "c" => head(&start, row, column).map_err(|e| e.at(place))?,
                "mergeCell" => {
                    beside.merges.extend(xml::attribute(&start, "ref").map_err(|e| e.at(place))?.and_then(|text| area(&text)));
                    continue;
                }
                _ => continue,
            },
            Event::Eof => return Ok(beside),
            _ => continue,
        };
        (row, column) = (head.row, head.column.saturating_add(1));
        if head.row == 0 || head.row > limits::LAST_ROW || head.column >= limits::LAST_COLUMN {
            return Err(place.mistake("a cell has an address that no sheet has", "open it in a spreadsheet program and save it again"));
        }
        content.read(&mut part).map_err(|e| e.at(place))?;
        if let Some(raw) = content.meaning(&head, book)
            && visit(head.row, head.column, raw)?.is_break()
        {
            return Ok(beside);
        }
    }
}

/// What is written in a cell.
#[derive(Default)]
struct Content {
    text: String,
    has_value: bool,
    has_formula: bool,
    inline: bool,
}

impl Content {
    /// Behind the end of the cell that has just begun.
    fn read<R: BufRead>(&mut self, part: &mut Xml<R>) -> Result<(), Broken> {
        self.text.clear();
        (self.has_value, self.has_formula, self.inline) = (false, false, false);
        loop {
            match part.next()? {
                Event::Start(start) => match start.local_name().as_ref() {
                    "v" => {
                        self.has_value = true;
                        part.text_to_end(&mut self.text)?;
                    }
                    "f" => {
                        self.has_formula = true;
                        part.skip()?;
                    }
                    "is" => {
                        self.inline = true;
                        self.text.clear();
                        rich_text(part, &mut self.text)?;
                        // Some write the text twice.
                        self.unescape();
                    }
                    _ => part.skip()?,
                },
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(xml::cut()),
                _ => {}
            }
        }
    }

    fn unescape(&mut self) {
        if let Some(text) = unescaped(&self.text) {
            self.text = text;
        }
    }

    fn meaning(&mut self, head: &Head, book: &Book) -> Option<Raw> {
        if self.inline {
            return Some(Raw::Text(self.text.clone()));
        }
        // A formula may give a text without characters, but no number without digits.
        if self.has_value && head.kind == Kind::Text {
            self.unescape();
            return Some(Raw::Text(self.text.clone()));
        }
        let written = self.text.trim();
        if written.is_empty() {
            return self.has_formula.then_some(Raw::Faulty(Fault::NotComputed));
        }
        Some(match head.kind {
            Kind::Shared => match written.parse().ok().and_then(|at| book.strings.get(at)) {
                Some(text) => Raw::Text(text.to_string()),
                None => Raw::Faulty(Fault::Broken("its text is not in the file")),
            },
            Kind::Bool => Raw::Bool(matches!(written, "1" | "true" | "TRUE")),
            Kind::Error => Raw::Faulty(Fault::Error(written.to_string())),
            Kind::Iso => Raw::Moment(moment::of_iso(written)),
            _ => match written.parse::<f64>() {
                Ok(number) => book.styles.get(head.style).copied().unwrap_or_default().show(number, self.has_formula, book.since_1904),
                Err(_) => Raw::Text(written.to_string()),
            },
        })
    }
}

fn row_number(start: &BytesStart) -> Result<Option<u32>, Broken> {
    for pair in plain_attributes(start) {
        let (name, value) = pair?;
        if name == "r" {
            return Ok(value.parse().ok());
        }
    }
    Ok(None)
}

fn head(start: &BytesStart, row: u32, column: u16) -> Result<Head, Broken> {
    let mut head = Head { row, column, style: 0, kind: Kind::Number };
    for pair in plain_attributes(start) {
        let (name, value) = pair?;
        match name {
            "r" => (head.row, head.column) = address(&value).unwrap_or((0, 0)),
            "s" => head.style = value.parse().unwrap_or(0),
            "t" => {
                head.kind = match value.as_ref() {
                    "s" => Kind::Shared,
                    "str" | "inlineStr" => Kind::Text,
                    "b" => Kind::Bool,
                    "e" => Kind::Error,
                    "d" => Kind::Iso,
                    _ => Kind::Number,
                }
            }
            _ => {}
        }
    }
    Ok(head)
}

/// `C7` as row 7 and column 2.
fn address(text: &str) -> Option<(u32, u16)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let column = text[..letters]
        .bytes()
        .try_fold(0_u16, |sum, letter| sum.checked_mul(26)?.checked_add(u16::from(letter.to_ascii_uppercase() - b'A') + 1))?;
    Some((text[letters..].parse().ok()?, column.checked_sub(1)?))
}

fn area(text: &str) -> Option<Area> {
    let (from, to) = text.split_once(':')?;
    let ((top, left), (bottom, right)) = (address(from)?, address(to)?);
    (top <= bottom && left <= right).then_some(Area { top, left, bottom, right })
}

/// Behind the end of a text that has just begun: all its pieces, but not how they are pronounced.
pub(crate) fn rich_text<R: BufRead>(part: &mut Xml<R>, out: &mut String) -> Result<(), Broken> {
    let mut depth = 0;
    loop {
        match part.next()? {
            Event::Start(start) => match start.local_name().as_ref() {
                "t" => part.text_to_end(out)?,
                "rPh" => part.skip()?,
                _ => depth += 1,
            },
            Event::End(_) if depth == 0 => return Ok(()),
            Event::End(_) => depth -= 1,
            Event::Eof => return Err(xml::cut()),
            _ => {}
        }
    }
}

/// .xlsx writes what XML cannot hold as `_x000D_`. Nothing where there is nothing of it.
pub(crate) fn unescaped(text: &str) -> Option<String> {
    let mut rest = text;
    let mut out = String::new();
    let mut found = false;
    while let Some(at) = rest.find("_x") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let code = after.get(2..6).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()) && after[6..].starts_with('_'));
        match code.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32) {
            Some(c) => {
                found = true;
                out.push(c);
                rest = &after[7..];
            }
            None => {
                out.push_str("_x");
                rest = &after[2..];
            }
        }
    }
    out.push_str(rest);
    found.then_some(out)
}
