//! A table as .csv: UTF-8, commas, one row a line.

use neronet_model::Value;

/// Whether a spreadsheet program would run a text, but for apostrophes before it.
pub(crate) fn is_guarded(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The table as CSV. Blank cells and empty texts are the same in it, and so are the number 5 and the text `5`.
///
/// A text that a spreadsheet program would run as a formula gets an apostrophe before it, which reading takes away again; numbers
/// such as `-0.5` do not.
pub fn write_csv(columns: &[String], rows: impl Iterator<Item = Vec<Option<Value>>>) -> Vec<u8> {
    let mut out = String::new();
    line(&mut out, columns.iter().map(|name| cell(&Value::Str(name.clone()))));
    for row in rows {
        line(&mut out, row.iter().map(|value| value.as_ref().map_or(String::new(), cell)));
    }
    out.into_bytes()
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&cell);
    }
    out.push('\n');
}

/// A text as a cell, for whoever writes rows himself.
pub fn csv_cell(text: &str) -> String {
    cell(&Value::Str(text.to_string()))
}

fn cell(value: &Value) -> String {
    // Text with a zero in it is taken for no text.
    let mut text = value.to_string().replace('\0', "\u{fffd}");
    let is_text = matches!(value, Value::Str(_)) && matches!(Value::as_typed(&text), Value::Str(_));
    if is_text && is_guarded(&text) {
        text.insert(0, '\'');
    }
    // Semicolons and tabs too, so that nobody takes them for what separates the cells.
    if text.contains([',', ';', '\t', '"', '\n', '\r']) || text.starts_with("sep=") {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
