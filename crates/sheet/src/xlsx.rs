//! An .xlsx or .xlsm file: which sheets it has, the texts and formats that their cells share.

use crate::grid::{Grid, Raw};
use crate::package::Package;
use crate::place::Place;
use crate::read::{Listed, Workbook};
use crate::sheet::Mistake;
use crate::style::Style;
use crate::worksheet::{self, Beside, Book, Visit};
use crate::xml::attribute;
use quick_xml::events::Event;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

pub(crate) struct Xlsx<'a> {
    package: Package<'a>,
    file: &'a str,
    sheets: Vec<Listed>,
    /// The part that holds each sheet.
    parts: Vec<String>,
    strings: Strings,
    /// By the number that cells have for it.
    styles: Vec<Style>,
    since_1904: bool,
}

/// The texts that cells share, one behind the other: a small cost for each, however many a file claims to have.
#[derive(Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }
}

/// What a part refers to: by id, the kind of the other part and its name.
type Relations = BTreeMap<String, (String, String)>;

impl<'a> Xlsx<'a> {
    pub(crate) fn open(mut package: Package<'a>, file: &'a str) -> Result<Xlsx<'a>, Mistake> {
        let place = Place { file, sheet: None };
        let workbook = relations(&mut package, "", place)?.into_values().find(|(kind, _)| kind == "officeDocument");
        let workbook = workbook.map_or_else(|| "xl/workbook.xml".to_string(), |(_, name)| name);
        let related = relations(&mut package, &workbook, place)?;
        let part_of = |kind: &str| related.values().find(|(is, _)| is == kind).map(|(_, name)| name.as_str());
        let mut book = Xlsx {
            strings: strings(&mut package, part_of("sharedStrings"), place)?,
            styles: styles(&mut package, part_of("styles"), place)?,
            package,
            file,
            sheets: Vec::new(),
            parts: Vec::new(),
            since_1904: false,
        };
        book.list(&workbook, &related, place)?;
        Ok(book)
    }

    fn list(&mut self, workbook: &str, related: &Relations, place: Place) -> Result<(), Mistake> {
        let Some(mut part) = self.package.part(workbook)? else {
            return Err(
                place.mistake("the file has no workbook in it", "is it a spreadsheet? Open it in a spreadsheet program and save it again")
            );
        };
        loop {
            let bad = |e: crate::xml::Broken| e.at(place);
            match part.next().map_err(bad)? {
                Event::Start(start) if start.local_name().as_ref() == "sheet" => {
                    let id = attribute(&start, "id").map_err(bad)?.unwrap_or_default();
                    // Sheets of charts have no cells.
                    let Some((_, part)) = related.get(&id).filter(|(kind, _)| kind == "worksheet") else { continue };
                    let hidden = attribute(&start, "state").map_err(bad)?.is_some_and(|state| state != "visible");
                    self.sheets.push(Listed { name: attribute(&start, "name").map_err(bad)?.unwrap_or_default(), hidden });
                    self.parts.push(part.clone());
                }
                Event::Start(start) if start.local_name().as_ref() == "workbookPr" => {
                    let word = attribute(&start, "date1904").map_err(bad)?;
                    self.since_1904 |= word.is_some_and(|word| word == "1" || word == "true");
                }
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn cells(&mut self, index: usize, place: Place, visit: Visit) -> Result<Beside, Mistake> {
        let book = Book { strings: &self.strings, styles: &self.styles, since_1904: self.since_1904 };
        match self.package.part(&self.parts[index])? {
            Some(part) => worksheet::cells(part, &book, place, visit),
            None => Err(place.mistake("the sheet is not in the file", "open it in a spreadsheet program and save it again")),
        }
    }
}

impl Workbook for Xlsx<'_> {
    fn sheets(&self) -> &[Listed] {
        &self.sheets
    }

    fn grid(&mut self, index: usize) -> Result<Grid, Mistake> {
        let name = self.sheets[index].name.clone();
        let place = Place { file: self.file, sheet: Some(&name) };
        let mut grid = Grid::default();
        let beside = self.cells(index, place, &mut |row, column, raw| {
            grid.push(place, row, column, raw)?;
            Ok(ControlFlow::Continue(()))
        })?;
        (grid.merges, grid.hidden) = (beside.merges, beside.hidden);
        grid.finish(place)
    }

    fn has_values(&mut self, index: usize) -> Result<bool, Mistake> {
        let place = Place { file: self.file, sheet: None };
        let mut found = false;
        self.cells(index, place, &mut |_, _, raw: Raw| {
            found |= !raw.is_blank();
            Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

/// What `part` (of the package itself, where empty) refers to.
fn relations(package: &mut Package, part: &str, place: Place) -> Result<Relations, Mistake> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut found = Relations::new();
    let Some(mut part) = package.part(&format!("{prefix}_rels/{name}.rels"))? else { return Ok(found) };
    loop {
        let bad = |e: crate::xml::Broken| e.at(place);
        match part.next().map_err(bad)? {
            Event::Start(start) if start.local_name().as_ref() == "Relationship" => {
                // Other files are never opened.
                if attribute(&start, "TargetMode").map_err(bad)?.is_some_and(|mode| mode == "External") {
                    continue;
                }
                let word = |name| attribute(&start, name).map_err(bad).map(Option::unwrap_or_default);
                let (id, kind, target) = (word("Id")?, word("Type")?, word("Target")?);
                let kind = kind.rsplit('/').next().unwrap_or_default().to_string();
                found.insert(id, (kind, resolved(folder, &target)));
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// The name of a part as another one writes it: absolute, or from the folder of that one.
fn resolved(folder: &str, target: &str) -> String {
    let mut path: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.retain(|step| !step.is_empty());
    path.join("/")
}

fn strings(package: &mut Package, part: Option<&str>, place: Place) -> Result<Strings, Mistake> {
    let mut strings = Strings::default();
    let Some(mut part) = part.map_or(Ok(None), |name| package.part(name))? else { return Ok(strings) };
    let bad = |e: crate::xml::Broken| e.at(place);
    loop {
        match part.next().map_err(bad)? {
            Event::Start(start) if start.local_name().as_ref() == "si" => {
                let before = strings.text.len();
                worksheet::rich_text(&mut part, &mut strings.text).map_err(bad)?;
                if let Some(text) = worksheet::unescaped(&strings.text[before..]) {
                    strings.text.truncate(before);
                    strings.text.push_str(&text);
                }
                // The bound on what is unpacked is far below that of the type.
                strings.ends.push(u32::try_from(strings.text.len()).unwrap_or(u32::MAX));
            }
            Event::Eof => return Ok(strings),
            _ => {}
        }
    }
}

fn styles(package: &mut Package, part: Option<&str>, place: Place) -> Result<Vec<Style>, Mistake> {
    let Some(mut part) = part.map_or(Ok(None), |name| package.part(name))? else { return Ok(Vec::new()) };
    let mut own: HashMap<u32, Style> = HashMap::new();
    let mut styles = Vec::new();
    let mut of_cells = false;
    loop {
        let bad = |e: crate::xml::Broken| e.at(place);
        match part.next().map_err(bad)? {
            Event::Start(start) => {
                let id = || Ok(attribute(&start, "numFmtId").map_err(bad)?.and_then(|id| id.parse().ok()).unwrap_or(0));
                match start.local_name().as_ref() {
                    "numFmt" => {
                        let code = attribute(&start, "formatCode").map_err(bad)?.unwrap_or_default();
                        own.insert(id()?, Style::of_code(&code));
                    }
                    "cellXfs" => of_cells = true,
                    "xf" if of_cells => {
                        let id = id()?;
                        styles.push(own.get(&id).copied().unwrap_or_else(|| Style::of_number(id)));
                    }
                    _ => {}
                }
            }
            Event::End(end) if end.local_name().as_ref() == "cellXfs" => of_cells = false,
            Event::Eof => return Ok(styles),
            _ => {}
        }
    }
}
