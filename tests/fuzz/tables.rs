//! Tables that come from elsewhere: sheets, and the points that `export` writes.

use crate::{records, sections};
use neronet_home::import::{self, Words};
use neronet_home::view::Snapshot;
use neronet_sheet::{read, write_csv};
use std::path::Path;

/// Bytes as each kind of file of tables.
pub(crate) fn sheets(bytes: &[u8], _: &Path) {
    for name in ["runs.xlsx", "runs.ods", "runs.csv", "runs.tsv"] {
        look(bytes, name);
    }
}

fn look(bytes: &[u8], name: &str) {
    let Ok(sheet) = read(bytes, name, None) else { return };
    for row in &sheet.rows {
        assert_eq!(row.cells.len(), sheet.columns.len());
    }
    // Its values, written as a table, are a table.
    let columns: Vec<String> = sheet.columns.iter().map(|column| column.name.clone()).collect();
    let cells = |row: &neronet_sheet::Row| row.cells.iter().map(|cell| cell.as_ref().map(|cell| cell.value.clone())).collect::<Vec<_>>();
    let written = write_csv(&columns, sheet.rows.iter().map(cells));
    read(&written, "written.csv", None).ok();
    neronet_spec::parse_sheet(&sheet, name, &[], &[]);
}

/// Files as the parts of a package (.xlsx, .ods), which its checksums would otherwise keep from being read.
pub(crate) fn packages(bytes: &[u8], _: &Path) {
    let package = packed(&sections::sections(bytes));
    look(&package, "runs.xlsx");
    look(&package, "runs.ods");
}

/// An archive whose parts are stored as they are.
fn packed(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in parts {
        let (length, at) = ((content.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
        // Version, flags, method, time; checksum, both lengths, that of the name, and of more that is not there.
        let mut told = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        told.extend([crc32(content).to_le_bytes(), length, length].concat());
        told.extend((name.len() as u16).to_le_bytes());
        told.extend([0; 2]);
        file.extend([b"PK\x03\x04", &told[..], name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\0", &told[..], &[0; 10], &at, name.as_bytes()].concat());
    }
    let (count, length, at) =
        ((parts.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
    file.extend(directory);
    file.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &at, &[0; 2]].concat());
    file
}

/// Bit by bit, from the definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
        sum
    })
}

/// Bytes as a table of Parquet. Few of them may tell of very many rows.
pub(crate) fn parquet(bytes: &[u8], _: &Path) {
    let Ok(mut reader) = neronet_parquet::Reader::open(std::io::Cursor::new(bytes)) else { return };
    let wanted: Vec<usize> = (0..reader.columns().len()).collect();
    for _ in 0..10_000 {
        match reader.row(&wanted) {
            Ok(Some(cells)) => assert_eq!(cells.len(), wanted.len()),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Bytes as a file of points: all of it is imported, or nothing.
pub(crate) fn points(bytes: &[u8], folder: &Path) {
    let context = records::context(folder);
    let place = folder.join("points.csv");
    std::fs::write(&place, bytes).unwrap();
    let imported = import::import(&context, &[place], &Words::default(), &mut |_| {});
    let snapshot = Snapshot::read(&context).unwrap();
    let views = snapshot.views(&context);
    assert!(views.is_empty() || imported.is_ok(), "{imported:?}");
    for view in &views {
        view.status();
        neronet_store::series::of_run(&context.home.run(view.id), None, None).unwrap();
    }
}
