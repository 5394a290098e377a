//! The door for reading: from the bytes of a file to the table of one of its sheets.

use crate::format::{self, Format};
use crate::grid::Grid;
use crate::ods::Ods;
use crate::place::{Place, listed, quoted};
use crate::sheet::{Mistake, Role, Sheet};
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
/// `chosen` is a sheet's name, or its number counted from 1; without it the one visible sheet with a table is read.
pub fn read(bytes: &[u8], name: &str, chosen: Option<&str>) -> Result<Sheet, Mistake> {
    read_runs(bytes, name, chosen, &|_| false)
}

/// The same, where it is known which columns hold parameters: of several sheets with a table, the one of runs is read.
pub fn read_runs(bytes: &[u8], name: &str, chosen: Option<&str>, is_param: &dyn Fn(&str) -> bool) -> Result<Sheet, Mistake> {
    let place = Place { file: name, sheet: None };
    match format::of(bytes, name)? {
        Format::Text { tabs } => {
            if chosen.is_some_and(|chosen| chosen.trim() != "1") {
                return Err(place.mistake("a text file has no sheets to choose from", "leave the sheet out"));
            }
            let (grid, mut notes) = text::grid(bytes, place, tabs)?;
            let made = table::make(grid, place, is_param).map_err(Unfit::mistake)?;
            notes.extend(made.notes);
            Ok(Sheet { name: stem(name), columns: made.columns, rows: made.rows, notes, others: Vec::new() })
        }
        Format::Ods(package) => pick(&mut Ods::open(package, name)?, name, chosen, is_param),
        Format::Xlsx(package) => {
            let has_macros = package.any(|part| part.ends_with("/vbaproject.bin"));
            let mut sheet = pick(&mut Xlsx::open(package, name)?, name, chosen, is_param)?;
            if has_macros {
                sheet.notes.push(place.mistake("the file has macros; they are not run", ""));
            }
            Ok(sheet)
        }
    }
}

fn pick(book: &mut dyn Workbook, file: &str, chosen: Option<&str>, is_param: &dyn Fn(&str) -> bool) -> Result<Sheet, Mistake> {
    let whole = Place { file, sheet: None };
    let Some(chosen) = chosen else { return of_runs(book, file, is_param) };
    let index = find(book.sheets(), whole, chosen)?;
    let mut sheet = one(book, file, index, is_param).map_err(Unfit::mistake)?;
    for other in (0..book.sheets().len()).filter(|other| *other != index) {
        // What is wrong with another sheet does not matter here.
        if !book.sheets()[other].hidden && book.has_values(other).unwrap_or(true) {
            sheet.others.push(book.sheets()[other].name.clone());
        }
    }
    Ok(sheet)
}

fn one(book: &mut dyn Workbook, file: &str, index: usize, is_param: &dyn Fn(&str) -> bool) -> Result<Sheet, Unfit> {
    let grid = book.grid(index).map_err(Unfit::Wrong)?;
    let name = book.sheets()[index].name.clone();
    let made = table::make(grid, Place { file, sheet: Some(&name) }, is_param)?;
    Ok(Sheet { name, columns: made.columns, rows: made.rows, notes: made.notes, others: Vec::new() })
}

/// How much speaks for a sheet's rows being runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Table,
    HasParams,
    HasStatusOrCommand,
}

/// What Numbers writes in front of the tables that it exports.
const SUMMARY: &str = "Export Summary";

/// The one visible sheet whose rows are runs.
fn of_runs(book: &mut dyn Workbook, file: &str, is_param: &dyn Fn(&str) -> bool) -> Result<Sheet, Mistake> {
    let mut unfit = None;
    let mut wrong = None;
    let mut best: Option<(Fit, Sheet)> = None;
    // Those that fit as well as the best, and all that hold something.
    let mut equals: Vec<String> = Vec::new();
    let mut filled: Vec<String> = Vec::new();
    for index in 0..book.sheets().len() {
        let Listed { name, hidden } = &book.sheets()[index];
        if *hidden {
            continue;
        }
        let name = name.clone();
        let found = one(book, file, index, is_param);
        if !matches!(found, Err(Unfit::Empty(_))) {
            filled.push(name.clone());
        }
        match found {
            Ok(_) if name == SUMMARY && book.sheets().len() > 1 => {}
            Ok(sheet) => {
                let fit = fit(&sheet, is_param);
                match &best {
                    Some((known, _)) if *known > fit => {}
                    Some((known, _)) if *known == fit => equals.push(name),
                    _ => (best, equals) = (Some((fit, sheet)), vec![name]),
                }
            }
            Err(Unfit::Empty(_)) => {}
            Err(Unfit::NoHeader(mistake)) => unfit = unfit.or(Some(mistake)),
            Err(Unfit::Wrong(mistake)) => wrong = wrong.or(Some(mistake)),
        }
    }
    let whole = Place { file, sheet: None };
    match (best, wrong) {
        (Some(_), _) if equals.len() > 1 => {
            let hint = format!("name the one that is meant: {file}:{}", equals[0]);
            Err(whole.mistake(format!("the runs may be in several sheets: {}", listed(&equals)), &hint))
        }
        (None | Some((Fit::Table, _)), Some(wrong)) => Err(wrong),
        (Some((_, mut sheet)), _) => {
            sheet.others = filled.into_iter().filter(|name| *name != sheet.name).collect();
            if !sheet.others.is_empty() {
                let message = format!("this sheet is read; there is something in {} too", listed(&sheet.others));
                sheet.notes.push(Place { file, sheet: Some(&sheet.name) }.mistake(message, "name a sheet to read another one"));
            }
            Ok(sheet)
        }
        (None, None) => {
            let hidden: Vec<String> = book.sheets().iter().filter(|sheet| sheet.hidden).map(|sheet| sheet.name.clone()).collect();
            let hint = if hidden.is_empty() { String::new() } else { format!("hidden sheets are read only by name: {}", listed(&hidden)) };
            Err(unfit.unwrap_or_else(|| whole.mistake("there is nothing in its sheets", &hint)))
        }
    }
}

fn fit(sheet: &Sheet, is_param: &dyn Fn(&str) -> bool) -> Fit {
    match sheet.columns.iter().any(|column| matches!(column.role, Role::Status | Role::Command)) {
        true => Fit::HasStatusOrCommand,
        false if sheet.columns.iter().any(|column| is_param(&column.name)) => Fit::HasParams,
        false => Fit::Table,
    }
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
