//! A table as .xlsx: a header in bold that stays in view, numbers as numbers, everything else as text, and never a formula.

use crate::limits;
use crate::place::Place;
use crate::sheet::Mistake;
use neronet_model::Value;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

/// Integers beyond it lose digits in a spreadsheet program.
const EXACT: u64 = 1 << 53;
/// Characters of a column's width.
const NARROW: usize = 6;
const WIDE: usize = 60;

/// The table as .xlsx, the same bytes for the same table. `name` is the file's, for messages. Blank cells and empty texts are the
/// same in it; numbers that a spreadsheet cannot hold exactly, and those that are not finite, are written as text.
pub fn write_xlsx(name: &str, columns: &[String], rows: impl Iterator<Item = Vec<Option<Value>>>) -> Result<Vec<u8>, Mistake> {
    let whole = |error: XlsxError| Place { file: name, sheet: None }.mistake(format!("the table cannot be written: {error}"), "");
    let mut workbook = Workbook::new();
    // A file that says when it was written is another file each time.
    let beginning = ExcelDateTime::from_ymd(2000, 1, 1).map_err(whole)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&beginning));
    let sheet = workbook.add_worksheet();
    let bold = Format::new().set_bold();
    let mut widths = vec![NARROW; columns.len()];
    for (at, title) in columns.iter().enumerate() {
        let text = Value::Str(title.clone());
        put(sheet, name, (0, at), &text, Some(&bold), &mut widths)?;
    }
    for (row, cells) in rows.enumerate() {
        for (at, value) in cells.iter().enumerate() {
            if let Some(value) = value {
                put(sheet, name, (row + 1, at), value, None, &mut widths)?;
            }
        }
    }
    for (at, width) in widths.iter().enumerate() {
        sheet.set_column_width(u16::try_from(at).unwrap_or(u16::MAX), (width + 2) as f64).map_err(whole)?;
    }
    sheet.set_freeze_panes(1, 0).map_err(whole)?;
    workbook.save_to_buffer().map_err(whole)
}

fn put(
    sheet: &mut Worksheet,
    file: &str,
    at: (usize, usize),
    value: &Value,
    format: Option<&Format>,
    widths: &mut [usize],
) -> Result<(), Mistake> {
    let place = Place { file, sheet: None };
    let (Ok(row), Ok(column)) = (u32::try_from(at.0), u16::try_from(at.1)) else {
        return Err(place.mistake("the table is larger than a sheet can be", "write it as .csv"));
    };
    let text = value.to_string();
    let number = value.number().filter(|number| number.is_finite());
    let exact = match value {
        Value::Int(int) => int.unsigned_abs() <= EXACT,
        value => !matches!(value, Value::Word(_)),
    };
    let written = match (value, number) {
        (Value::Bool(value), _) => sheet.write_boolean(row, column, *value),
        (_, Some(number)) if exact => sheet.write_number(row, column, number),
        _ if text.is_empty() => return Ok(()),
        _ => match format {
            Some(format) => sheet.write_string_with_format(row, column, &text, format),
            None => sheet.write_string(row, column, &text),
        },
    };
    written.map_err(|error| match error {
        XlsxError::MaxStringLengthExceeded => {
            place.cell(row + 1, column, format!("the text has more than {} characters", limits::CELL), "write the table as .csv")
        }
        XlsxError::RowColumnLimitError => place.mistake("the table is larger than a sheet can be", "write it as .csv"),
        error => place.cell(row + 1, column, format!("the cell cannot be written: {error}"), "write the table as .csv"),
    })?;
    if let Some(width) = widths.get_mut(at.1) {
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        *width = (*width).max(longest.min(WIDE));
    }
    Ok(())
}
