//! An .ods file. All its sheets lie in one part, which is read once.

use crate::grid::{Area, Fault, Grid, Raw};
use crate::limits;
use crate::moment;
use crate::package::{Package, locked};
use crate::place::Place;
use crate::read::{Listed, Workbook};
use crate::sheet::Mistake;
use crate::value;
use crate::xml::{self, Broken, Xml, add_text, attribute, plain_attributes};
use quick_xml::events::{BytesStart, Event};
use std::collections::HashSet;
use std::io::BufRead;

pub(crate) struct Ods {
    sheets: Vec<Listed>,
    /// Of each sheet what is in it, or what is wrong with it. Another sheet may be good.
    grids: Vec<Result<Grid, Mistake>>,
}

impl Ods {
    pub(crate) fn open(mut package: Package, file: &str) -> Result<Ods, Mistake> {
        let place = Place { file, sheet: None };
        if let Some(mut manifest) = package.part("META-INF/manifest.xml")? {
            loop {
                match manifest.next().map_err(|e| e.at(place))? {
                    Event::Start(start) if start.local_name().as_ref() == "encryption-data" => return Err(locked(place)),
                    Event::Eof => break,
                    _ => {}
                }
            }
        }
        let Some(mut part) = package.part("content.xml")? else {
            return Err(place.mistake("the file has no content", "open it in a spreadsheet program and save it again"));
        };
        let mut ods = Ods { sheets: Vec::new(), grids: Vec::new() };
        ods.read(&mut part, file).map_err(|e| e.at(place))?;
        if ods.sheets.is_empty() {
            return Err(place.mistake("the file has no sheets", "is it a spreadsheet?"));
        }
        Ok(ods)
    }

    fn read<R: BufRead>(&mut self, part: &mut Xml<R>, file: &str) -> Result<(), Broken> {
        let mut style = String::new();
        let mut hidden = HashSet::new();
        let mut budget = Grid::default();
        loop {
            match part.next()? {
                Event::Start(start) => match start.local_name().as_ref() {
                    "style" => style = attribute(&start, "name")?.unwrap_or_default(),
                    "table-properties" if attribute(&start, "display")?.is_some_and(|word| word == "false") => {
                        hidden.insert(std::mem::take(&mut style));
                    }
                    "table" => {
                        let name = attribute(&start, "name")?.unwrap_or_default();
                        let hidden = attribute(&start, "style-name")?.is_some_and(|style| hidden.contains(&style));
                        let grid = table(part, Place { file, sheet: Some(&name) }, budget.next())?;
                        // Many small sheets must not hold more than one large one.
                        if let Ok(grid) = &grid {
                            budget = grid.next();
                        }
                        self.sheets.push(Listed { name, hidden });
                        self.grids.push(grid);
                    }
                    _ => {}
                },
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }
}

impl Workbook for Ods {
    fn sheets(&self) -> &[Listed] {
        &self.sheets
    }

    fn grid(&mut self, index: usize) -> Result<Grid, Mistake> {
        std::mem::replace(&mut self.grids[index], Ok(Grid::default()))
    }

    fn has_values(&mut self, index: usize) -> Result<bool, Mistake> {
        Ok(self.grids[index].as_ref().map_or(true, |grid| !grid.rows.is_empty()))
    }
}

/// A cell with something in it, as often as it is repeated to the right.
struct Filled {
    column: u16,
    times: u16,
    raw: Raw,
    /// Rows and columns that are merged into it.
    span: (u32, u16),
}

/// Behind the end of the table that has just begun.
fn table<R: BufRead>(part: &mut Xml<R>, place: Place, mut grid: Grid) -> Result<Result<Grid, Mistake>, Broken> {
    let mut number: u32 = 0;
    let mut depth = 0;
    let mut wrong = None;
    loop {
        match part.next()? {
            Event::Start(start) => match start.local_name().as_ref() {
                "table-row" => {
                    let times = count(&start, "number-rows-repeated")?;
                    let visibility = attribute(&start, "visibility")?;
                    let cells = row(part)?;
                    // collapse, or filter
                    let hidden = visibility.is_some_and(|word| word != "visible");
                    let filled = if cells.is_empty() || wrong.is_some() { 0 } else { times };
                    for row in (number.saturating_add(1)..=limits::LAST_ROW).take(filled as usize) {
                        if hidden {
                            grid.hidden.insert(row);
                        }
                        if let Err(mistake) = add(&mut grid, place, row, &cells) {
                            // The table is refused, and what is left of it passed over.
                            wrong = Some(mistake);
                            grid = Grid::default();
                            break;
                        }
                    }
                    number = number.saturating_add(times);
                }
                // Rows may be grouped; what else lies in a table is not of it.
                "table-row-group" | "table-rows" | "table-header-rows" => depth += 1,
                _ => part.skip()?,
            },
            Event::End(_) if depth == 0 => return Ok(wrong.map_or_else(|| grid.finish(place), Err)),
            Event::End(_) => depth -= 1,
            Event::Eof => return Err(xml::cut()),
            _ => {}
        }
    }
}

fn add(grid: &mut Grid, place: Place, row: u32, cells: &[Filled]) -> Result<(), Mistake> {
    for cell in cells {
        for column in (cell.column..limits::LAST_COLUMN).take(cell.times.into()) {
            grid.push(place, row, column, cell.raw.clone())?;
        }
        let (rows, columns) = cell.span;
        if rows > 1 || columns > 1 {
            let (bottom, right) = (row.saturating_add(rows - 1), cell.column.saturating_add(columns - 1));
            grid.merges.push(Area { top: row, left: cell.column, bottom, right });
        }
    }
    Ok(())
}

/// Behind the end of the row that has just begun: its cells with something in them.
fn row<R: BufRead>(part: &mut Xml<R>) -> Result<Vec<Filled>, Broken> {
    let mut filled = Vec::new();
    let mut column: u16 = 0;
    loop {
        let (written, times) = match part.next()? {
            Event::Start(start) if start.local_name().as_ref() == "table-cell" => {
                let times = count(&start, "number-columns-repeated")?;
                (Some(written(&start)?), times)
            }
            // Under a merged cell: what it may still hold is not shown.
            Event::Start(start) => (None, count(&start, "number-columns-repeated")?),
            Event::End(_) => return Ok(filled),
            Event::Eof => return Err(xml::cut()),
            _ => continue,
        };
        let times = u16::try_from(times).unwrap_or(limits::LAST_COLUMN).min(limits::LAST_COLUMN - column);
        match written {
            Some(written) => {
                let mut text = String::new();
                content(part, &mut text)?;
                let span = (written.rows, u16::try_from(written.columns).unwrap_or(limits::LAST_COLUMN));
                if let Some(raw) = written.meaning(text).filter(|raw| !raw.is_blank() && times > 0) {
                    filled.push(Filled { column, times, raw, span });
                }
            }
            None => part.skip()?,
        }
        column += times;
    }
}

/// What the attributes of a cell say.
#[derive(Default)]
struct Written {
    kind: String,
    value: Option<String>,
    has_formula: bool,
    is_error: bool,
    rows: u32,
    columns: u32,
}

fn written(start: &BytesStart) -> Result<Written, Broken> {
    let mut written = Written { rows: 1, columns: 1, ..Written::default() };
    let mut is_text = false;
    for pair in plain_attributes(start) {
        let (name, value) = pair?;
        match name {
            "calcext:value-type" => written.is_error = value == "error",
            name => match name.rsplit(':').next().unwrap_or(name) {
                "value-type" => written.kind = value.into_owned(),
                "value" | "date-value" | "time-value" | "boolean-value" => written.value = Some(value.into_owned()),
                "string-value" => is_text = true,
                "formula" => written.has_formula = true,
                "number-rows-spanned" => written.rows = value.parse().unwrap_or(1).clamp(1, limits::LAST_ROW),
                "number-columns-spanned" => written.columns = value.parse().unwrap_or(1).clamp(1, limits::LAST_ROW),
                _ => {}
            },
        }
    }
    if is_text {
        written.value = attribute(start, "string-value")?;
    }
    Ok(written)
}

impl Written {
    fn meaning(self, text: String) -> Option<Raw> {
        if self.is_error || (self.has_formula && value::is_error(&text)) {
            return Some(Raw::Faulty(Fault::Error(if text.is_empty() { "an error".into() } else { text })));
        }
        let broken = Raw::Faulty(Fault::Broken("its value cannot be read"));
        let number = || self.value.as_deref().and_then(|value| value.trim().parse::<f64>().ok());
        Some(match self.kind.as_str() {
            // Shown as 007.
            "float" if text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) => Raw::Typed(text),
            "float" | "currency" if self.has_formula => number().map_or(broken, Raw::Computed),
            "float" | "currency" => number().map_or(broken, Raw::Number),
            "percentage" => number().map_or(broken, Raw::Percent),
            "date" => self.value.map_or(broken, |value| Raw::Moment(moment::of_iso(&value))),
            "time" => self.value.and_then(|value| moment::of_duration(&value)).map_or(broken, Raw::Moment),
            "boolean" => Raw::Bool(self.value.is_some_and(|value| value == "true")),
            "string" => Raw::Text(self.value.unwrap_or(text)),
            _ if self.has_formula && text.is_empty() => Raw::Faulty(Fault::NotComputed),
            _ => Raw::Text(text),
        })
    }
}

/// Behind the end of the cell that has just begun: its paragraphs, one a line. Comments and pictures on it are not its text.
fn content<R: BufRead>(part: &mut Xml<R>, text: &mut String) -> Result<(), Broken> {
    let mut first = true;
    loop {
        match part.next()? {
            Event::Start(start) if start.local_name().as_ref() == "p" => {
                if !std::mem::take(&mut first) {
                    text.push('\n');
                }
                paragraph(part, text)?;
            }
            Event::Start(_) => part.skip()?,
            Event::End(_) => return Ok(()),
            Event::Eof => return Err(xml::cut()),
            _ => {}
        }
    }
}

fn paragraph<R: BufRead>(part: &mut Xml<R>, text: &mut String) -> Result<(), Broken> {
    let mut depth = 0;
    loop {
        match part.next()? {
            Event::Start(start) => match start.local_name().as_ref() {
                "s" => {
                    // More blanks than a cell may hold would only be refused later.
                    let blanks = count(&start, "c")? as usize;
                    text.extend(std::iter::repeat_n(' ', blanks.min(limits::CELL + 1)));
                    part.skip()?;
                }
                "tab" => {
                    text.push('\t');
                    part.skip()?;
                }
                "line-break" => {
                    text.push('\n');
                    part.skip()?;
                }
                "span" | "a" => depth += 1,
                _ => part.skip()?,
            },
            Event::End(_) if depth == 0 => return Ok(()),
            Event::End(_) => depth -= 1,
            Event::Eof => return Err(xml::cut()),
            event => add_text(&event, text)?,
        }
    }
}

/// How often something is repeated: once, where nothing is said.
fn count(start: &BytesStart, name: &str) -> Result<u32, Broken> {
    for pair in plain_attributes(start) {
        let (key, value) = pair?;
        if key.rsplit(':').next() == Some(name) {
            return Ok(value.parse().unwrap_or(1).clamp(1, limits::LAST_ROW));
        }
    }
    Ok(1)
}
