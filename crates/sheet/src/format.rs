//! What kind of file it is: its name says it, and its content must agree.

use crate::limits;
use crate::package::{Package, locked};
use crate::place::{Place, quoted};
use crate::sheet::Mistake;

pub(crate) enum Format<'a> {
    Xlsx(Package<'a>),
    Ods(Package<'a>),
    Text {
        /// The name says that tabs separate the cells.
        tabs: bool,
    },
}

/// How the container of old Office files begins. Encrypted .xlsx files are in such a one too.
const OLD_OFFICE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

pub(crate) fn of<'a>(bytes: &'a [u8], file: &'a str) -> Result<Format<'a>, Mistake> {
    let place = Place { file, sheet: None };
    let ending = ending(file);
    if bytes.is_empty() {
        return Err(place.mistake("the file is empty", ""));
    }
    let found = of_content(bytes, place, ending == "tsv")?;
    let (is, described, better) = match &found {
        Format::Xlsx(_) => (matches!(ending.as_str(), "xlsx" | "xlsm"), "an .xlsx file", "xlsx"),
        Format::Ods(_) => (ending == "ods", "an .ods file", "ods"),
        Format::Text { .. } => (matches!(ending.as_str(), "csv" | "tsv"), "plain text, as in a .csv file", "csv"),
    };
    if is {
        return Ok(found);
    }
    let known = ["xlsx", "xlsm", "ods", "csv", "tsv", "xls", "xlsb"];
    if known.contains(&ending.as_str()) {
        let message = format!("the file is named .{ending}, but its content is {described}");
        return Err(place.mistake(message, &format!("give it a name that ends with .{better}")));
    }
    let message = match ending.as_str() {
        "" => "a table's name must end with .xlsx, .xlsm, .ods, .csv or .tsv".to_string(),
        ending => format!("tables are read from .xlsx, .xlsm, .ods, .csv and .tsv files, not from {}", quoted(&format!(".{ending}"))),
    };
    Err(place.mistake(message, &format!("its content is {described}: give it a name that ends with .{better}")))
}

fn of_content<'a>(bytes: &'a [u8], place: Place<'a>, tabs: bool) -> Result<Format<'a>, Mistake> {
    const SAVE: &str = "open it in a spreadsheet program and save it as .xlsx";
    if bytes.starts_with(OLD_OFFICE) {
        let mark: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let encrypted = bytes.windows(mark.len()).any(|window| window == mark);
        return Err(if encrypted {
            locked(place)
        } else {
            place.mistake("the file is an old .xls file, or another old Office file", SAVE)
        });
    }
    if bytes.starts_with(b"PK") {
        let package = Package::open(bytes, place)?;
        return if package.has("xl/workbook.bin") {
            Err(place.mistake("the file is a binary workbook (.xlsb)", SAVE))
        } else if package.any(|name| name.starts_with("xl/")) {
            Ok(Format::Xlsx(package))
        } else if package.has("content.xml") {
            Ok(Format::Ods(package))
        } else {
            Err(place.mistake("the file is an archive, but no spreadsheet is in it", SAVE))
        };
    }
    if bytes.len() > limits::FILE {
        return Err(place.mistake(format!("the file is larger than {} MB", limits::FILE >> 20), "split the table into several files"));
    }
    let start: String = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).trim_start_matches('\u{feff}').trim_start().to_lowercase();
    if ["<?xml", "<html", "<!doctype", "<table"].iter().any(|mark| start.starts_with(mark)) {
        return Err(place.mistake("the file is a page of HTML or XML, not a table", SAVE));
    }
    Ok(Format::Text { tabs })
}

/// In lower case, without the dot.
fn ending(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_lowercase())
}
