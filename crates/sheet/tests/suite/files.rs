//! Files for the tests, and sheets in a form that a test can show.

use neronet_sheet::{Role, Sheet, read};
use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An .xlsx file of one sheet, `runs`.
pub(crate) fn xlsx(fill: impl FnOnce(&mut Worksheet) -> Result<(), XlsxError>) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("runs").expect("a name");
    fill(sheet).expect("a sheet");
    workbook.save_to_buffer().expect("a file")
}

/// An archive of the given parts.
pub(crate) fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    archive_of(parts.iter().map(|(name, text)| (*name, [text.as_bytes()].into_iter())))
}

/// The same, of parts that come in pieces, for those that are too large to be held.
pub(crate) fn archive_of<'p, P: Iterator<Item = &'p [u8]>>(parts: impl Iterator<Item = (&'p str, P)>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, pieces) in parts {
        zip.start_file(name, options).expect("a part");
        pieces.for_each(|piece| zip.write_all(piece).expect("written"));
    }
    zip.finish().expect("an archive").into_inner()
}

pub(crate) const RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>
</Relationships>"#;
pub(crate) const WORKBOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
<sheets><sheet name="runs" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
pub(crate) const WORKBOOK_RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/>
<Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>
</Relationships>"#;

/// An .xlsx file by hand: the inside of its sheet, and its shared texts.
pub(crate) fn xlsx_by_hand(sheet: &str, strings: &str) -> Vec<u8> {
    archive(&[
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELATIONS),
        ("xl/worksheets/sheet1.xml", &format!("<worksheet>{sheet}</worksheet>")),
        ("xl/sharedStrings.xml", &format!("<sst>{strings}</sst>")),
    ])
}

/// An .ods file by hand: its styles, and its tables.
pub(crate) fn ods(styles: &str, tables: &str) -> Vec<u8> {
    let content = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:style="s" xmlns:calcext="c">
<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"#
    );
    archive(&[("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), ("META-INF/manifest.xml", "<m/>"), ("content.xml", &content)])
}

/// What is read, or what is said instead.
pub(crate) fn shown(bytes: &[u8], name: &str) -> String {
    chosen(bytes, name, None)
}

pub(crate) fn chosen(bytes: &[u8], name: &str, sheet: Option<&str>) -> String {
    read(bytes, name, sheet).map_or_else(|mistake| format!("REFUSED {mistake}"), |sheet| text(&sheet))
}

/// Numbers are shown bare, texts in quotation marks; what is written otherwise than it means is shown before it.
fn text(sheet: &Sheet) -> String {
    let mut lines = vec![format!("sheet {:?}", sheet.name)];
    for column in &sheet.columns {
        let group = column.group.as_ref().map(|group| format!(" of {group:?}")).unwrap_or_default();
        let role = if column.role == Role::Value { String::new() } else { format!(" is the {:?}", column.role) };
        lines.push(format!("{} {:?}{group}{role}", column.letter, column.name));
    }
    for row in &sheet.rows {
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|cell| match cell {
                None => "-".to_string(),
                Some(cell) => {
                    let meant = match &cell.value {
                        neronet_model::Value::Str(text) => format!("{text:?}"),
                        value => value.to_string(),
                    };
                    let same = cell.text == cell.value.to_string();
                    if same { meant } else { format!("{:?}={meant}", cell.text) }
                }
            })
            .collect();
        let hidden = if row.hidden { " (hidden)" } else { "" };
        lines.push(format!("{}{hidden}: {}", row.number, cells.join(" | ")));
        lines.extend(row.mistakes.iter().map(|mistake| format!("  wrong: {mistake}")));
    }
    lines.extend(sheet.notes.iter().map(|note| format!("note: {note}")));
    if !sheet.others.is_empty() {
        lines.push(format!("others: {:?}", sheet.others));
    }
    lines.join("\n")
}
