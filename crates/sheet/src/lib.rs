//! Tables that people keep in spreadsheets, read as rows of named cells, and tables written as .xlsx and .csv.
//!
//! Bytes in, values out: no file is opened here. What is read goes three steps:
//! `format` tells the kind of file by its content; `xlsx`, `ods` and `text` give the filled cells as they lie (`grid`);
//! `header` finds the names in them, `between` what is no run, and `table` makes rows of named cells. Whatever the bytes are, time and memory are bounded
//! (`limits`).

mod between;
mod commas;
mod format;
mod grid;
mod header;
mod limits;
mod moment;
mod ods;
mod package;
mod place;
mod read;
mod sheet;
mod style;
mod table;
mod text;
mod value;
mod worksheet;
mod write_csv;
mod write_xlsx;
mod xlsx;
mod xml;

pub use read::{read, read_runs};
pub use sheet::{Cell, Column, Mistake, Role, Row, Sheet};
pub use table::is_usual;
pub use write_csv::{csv_cell, write_csv};
pub use write_xlsx::write_xlsx;
