//! The door for reading: from the bytes of a file to the table of one of its sheets.

use crate::format::{self, Format};
use crate::grid::Grid;
use crate::ods::Ods;
use crate::place::{Place, listed, quoted};
use crate::sheet::{Mistake, Sheet};
use crate::table::{self, Unfit};
use crate::text;
use crate::xlsx::Xlsx;

/// A file of several sheets.
pub(crate) trait Workbook {
    /// In the order of the file.
    fn sheets(&self) -> &[Listed];
    /// The cells of a sheet; they may be taken once.
    fn grid(&mut self, index: usize) -> Result<Grid, Mistake>;
    fn has_values(&mut self, index: usize) -> Result<bool, Mistake>;
}

pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) hidden: bool,
}

/// Reads a table from the bytes of an .xlsx, .xlsm, .ods, .csv or .tsv file. `name` is the file's, for its ending and for messages.
/// `chosen` is a sheet's name, or its number counted from 1; without it the first visible sheet with a table is read.
pub fn read(bytes: &[u8], name: &str, chosen: Option<&str>) -> Result<Sheet, Mistake> {
    let place = Place { file: name, sheet: None };
    match format::of(bytes, name)? {
        Format::Text { tabs } => {
            if chosen.is_some_and(|chosen| chosen.trim() != "1") {
                return Err(place.mistake("a text file has no sheets to choose from", "leave the sheet out"));
            }
            let (grid, mut notes) = text::grid(bytes, place, tabs)?;
            let made = table::make(grid, place).map_err(Unfit::mistake)?;
            notes.extend(made.notes);
            Ok(Sheet { name: stem(name), columns: made.columns, rows: made.rows, notes, others: Vec::new() })
        }
        Format::Ods(package) => pick(&mut Ods::open(package, name)?, name, chosen),
        Format::Xlsx(package) => {
            let has_macros = package.any(|part| part.ends_with("/vbaproject.bin"));
            let mut sheet = pick(&mut Xlsx::open(package, name)?, name, chosen)?;
            if has_macros {
                sheet.notes.push(place.mistake("the file has macros; they are not run", ""));
            }
            Ok(sheet)
        }
    }
}

fn pick(book: &mut dyn Workbook, file: &str, chosen: Option<&str>) -> Result<Sheet, Mistake> {
    let whole = Place { file, sheet: None };
    let (index, mut sheet) = match chosen {
        Some(chosen) => {
            let index = find(book.sheets(), whole, chosen)?;
            (index, one(book, file, index).map_err(Unfit::mistake)?)
        }
        None => first(book, file)?,
    };
    for other in (0..book.sheets().len()).filter(|other| *other != index) {
        // What is wrong with another sheet does not matter here.
        if !book.sheets()[other].hidden && book.has_values(other).unwrap_or(true) {
            sheet.others.push(book.sheets()[other].name.clone());
        }
    }
    if chosen.is_none() && !sheet.others.is_empty() {
        let message = format!("this sheet is read; there is something in {} too", listed(&sheet.others));
        sheet.notes.push(Place { file, sheet: Some(&sheet.name) }.mistake(message, "name a sheet to read another one"));
    }
    Ok(sheet)
}

fn one(book: &mut dyn Workbook, file: &str, index: usize) -> Result<Sheet, Unfit> {
    let grid = book.grid(index).map_err(Unfit::Wrong)?;
    let name = book.sheets()[index].name.clone();
    let made = table::make(grid, Place { file, sheet: Some(&name) })?;
    Ok(Sheet { name, columns: made.columns, rows: made.rows, notes: made.notes, others: Vec::new() })
}

/// The first visible sheet in which a table is found.
fn first(book: &mut dyn Workbook, file: &str) -> Result<(usize, Sheet), Mistake> {
    let mut unfit = None;
    for index in 0..book.sheets().len() {
        if book.sheets()[index].hidden {
            continue;
        }
        match one(book, file, index) {
            Ok(sheet) => return Ok((index, sheet)),
            Err(Unfit::Empty(_)) => {}
            Err(Unfit::NoHeader(mistake)) => unfit = unfit.or(Some(mistake)),
            Err(Unfit::Wrong(mistake)) => return Err(mistake),
        }
    }
    let hidden: Vec<String> = book.sheets().iter().filter(|sheet| sheet.hidden).map(|sheet| sheet.name.clone()).collect();
    let hint = if hidden.is_empty() { String::new() } else { format!("hidden sheets are read only by name: {}", listed(&hidden)) };
    Err(unfit.unwrap_or_else(|| Place { file, sheet: None }.mistake("there is nothing in its sheets", &hint)))
}

fn find(sheets: &[Listed], place: Place, chosen: &str) -> Result<usize, Mistake> {
    let by_name = |same: &dyn Fn(&str) -> bool| sheets.iter().position(|sheet| same(&sheet.name));
    let number = || chosen.trim().parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < sheets.len());
    let found = by_name(&|name| name == chosen).or_else(|| by_name(&|name| name.trim().to_lowercase() == chosen.trim().to_lowercase()));
    found.or_else(number).ok_or_else(|| {
        let names: Vec<String> =
            sheets.iter().map(|sheet| if sheet.hidden { format!("{} (hidden)", sheet.name) } else { sheet.name.clone() }).collect();
        place.mistake(format!("there is no sheet {}", quoted(chosen)), &format!("its sheets are {}", listed(&names)))
    })
}

/// The file's name without folder and ending.
fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_string()
}
