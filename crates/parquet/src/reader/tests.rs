//! What `Writer` wrote, and forms of the same that other programs write, are read back; damage is an error, and never more than that.

use super::*;
use crate::column::Kind;
use crate::thrift::{Fields, structure};
use crate::writer::Writer;
use proptest::prelude::*;
use std::io::Cursor;

type Row = (Option<bool>, Option<i64>, Option<f64>, Option<String>, Option<i64>);

const KINDS: [(&str, Kind); 5] =
    [("old", Kind::Bool), ("run", Kind::Int), ("value", Kind::Double), ("metric", Kind::Text), ("time", Kind::Time)];

fn columns() -> Vec<Column> {
    KINDS.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect()
}

fn written(rows: &[Row]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), columns()).expect("in memory");
    for (truth, int, number, text, time) in rows {
        let cells = [
            truth.map_or(Cell::Blank, Cell::Bool),
            int.map_or(Cell::Blank, Cell::Int),
            number.map_or(Cell::Blank, Cell::Double),
            text.as_deref().map_or(Cell::Blank, Cell::Text),
            time.map_or(Cell::Blank, Cell::Int),
        ];
        writer.row(cells).expect("in memory");
    }
    writer.finish().expect("in memory")
}

fn read(bytes: &[u8]) -> Result<Vec<String>, Unreadable> {
    let mut reader = Reader::open(Cursor::new(bytes))?;
    let wanted: Vec<usize> = (0..reader.columns().len()).collect();
    let mut rows = Vec::new();
    while let Some(cells) = reader.row(&wanted)? {
        rows.push(format!("{cells:?}"));
        // Damage may make very many rows out of few bytes.
        if rows.len() > 100_000 {
            break;
        }
    }
    Ok(rows)
}

fn told(rows: &[Row]) -> Vec<String> {
    fn cell<T: Copy>(value: Option<T>, of: fn(T) -> Cell<'static>) -> Cell<'static> {
        value.map_or(Cell::Blank, of)
    }
    let one = |(truth, int, number, text, time): &Row| {
        let text = text.as_deref().map_or(Cell::Blank, Cell::Text);
        let cells = [cell(*truth, Cell::Bool), cell(*int, Cell::Int), cell(*number, Cell::Double), text, cell(*time, Cell::Int)];
        format!("{cells:?}")
    };
    rows.iter().map(one).collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (any::<Option<bool>>(), any::<Option<i64>>(), any::<Option<f64>>(), prop::option::of("[a-c/ü]{0,4}"), any::<Option<i64>>());
    prop::collection::vec(row, 0..60)
}

#[test]
fn groups_follow_one_another_and_columns_may_be_left_out() {
    let rows: Vec<Row> = (0..140_000).map(|row| (None, Some(row), Some(0.5), Some(format!("m{}", row % 3)), Some(7))).collect();
    let bytes = written(&rows);
    let mut reader = Reader::open(Cursor::new(&bytes)).expect("ours");
    assert_eq!(reader.columns(), columns());
    let mut count = 0;
    while let Some(cells) = reader.row(&[3, 1]).expect("ours") {
        let [Cell::Text(text), Cell::Int(row)] = cells[..] else { panic!("{cells:?}") };
        assert_eq!((text, row), (rows[count].3.as_deref().expect("a text"), count as i64));
        count += 1;
    }
    assert_eq!(count, rows.len());
}

/// A file with one column, `x`, of one data page.
fn file(physical: i32, optional: bool, codec: i32, pages: &[(Vec<u8>, Vec<u8>)], values: i64) -> Vec<u8> {
    let mut out = b"PAR1".to_vec();
    pages.iter().for_each(|(head, body)| out.extend(head.iter().chain(body)));
    let bytes = out.len() as i64 - 4;
    let footer = structure(|fields| {
        let root = structure(|root| {
            root.text(4, "schema").i32(5, 1);
        });
        let column = structure(|column| {
            column.i32(1, physical).i32(3, i32::from(optional)).text(4, "x");
        });
        let chunk = structure(|chunk| {
            chunk.structure(3, |meta| {
                meta.i32(1, physical).i32(4, codec).i64(5, values).i64(6, bytes).i64(7, bytes).i64(9, 4);
            });
        });
        let group = structure(|group| {
            group.structures(1, [chunk].into_iter()).i64(3, values);
        });
        fields.i32(1, 2).structures(2, [root, column].into_iter()).i64(3, values).structures(4, [group].into_iter());
    });
    out.extend_from_slice(&footer);
    out.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    out.extend_from_slice(b"PAR1");
    out
}

fn page(kind: i32, (bytes, packed): (usize, usize), fill: impl FnOnce(&mut Fields)) -> Vec<u8> {
    structure(|head| {
        head.i32(1, kind).i32(2, bytes as i32).i32(3, packed as i32);
        fill(head);
    })
}

#[test]
fn pages_of_the_second_form_and_snappy_are_read() {
    // Required integers, plain, packed with Snappy as one literal.
    let plain: Vec<u8> = [1_i32, -2].iter().flat_map(|int| int.to_le_bytes()).collect();
    let packed = [&[8, 7 << 2][..], &plain].concat();
    let first = |head: &mut Fields| {
        head.structure(5, |page| {
            page.i32(1, 2).i32(2, 0).i32(3, 3).i32(4, 3);
        });
    };
    let bytes = file(1, false, 1, &[(page(0, (8, packed.len()), first), packed)], 2);
    assert_eq!(read(&bytes).expect("right"), ["[Int(1)]", "[Int(-2)]"]);
    // Optional numbers in a page of the second form: the second of three is missing, and the rest is packed.
    let numbers: Vec<u8> = [0.5_f32, 4.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let body = [&[0x03, 0b101][..], &[8, 7 << 2], &numbers].concat();
    let second = |head: &mut Fields| {
        head.structure(8, |page| {
            page.i32(1, 3).i32(2, 1).i32(3, 3).i32(4, 0).i32(5, 2).i32(6, 0);
        });
    };
    let bytes = file(4, true, 1, &[(page(3, (10, body.len()), second), body)], 3);
    assert_eq!(read(&bytes).expect("right"), ["[Double(0.5)]", "[Blank]", "[Double(4.0)]"]);
}

#[test]
fn what_is_not_read_says_what_to_do() {
    let bytes = file(2, false, 6, &[], 1);
    let said = read(&bytes).expect_err("not read").to_string();
    assert!(said.contains("Zstandard") && said.contains("compression='uncompressed'"), "{said}");
    let said = read(&file(3, false, 0, &[], 1)).expect_err("not read").to_string();
    assert!(said.contains("column 'x'"), "{said}");
    let delta = |head: &mut Fields| {
        head.structure(5, |page| {
            page.i32(1, 1).i32(2, 5).i32(3, 3).i32(4, 3);
        });
    };
    let said = read(&file(2, false, 0, &[(page(0, (1, 1), delta), vec![0])], 1)).expect_err("not read").to_string();
    assert!(said.contains("number 5"), "{said}");
    for none in [&b""[..], b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"PAR1\xff\xff\0\0PAR1", b"PAR1\xff\xff\xff\xffPAR1"] {
        assert!(read(none).map_or(true, |rows| rows.is_empty()), "{none:?}");
    }
}

#[test]
fn every_byte_may_be_another_one() {
    let rows: Vec<Row> = (0..20)
        .map(|row| (Some(row % 3 == 0), Some(row), (row % 4 > 0).then_some(0.25), Some(format!("m{}", row % 5)), Some(row * 1_000)))
        .collect();
    let bytes = written(&rows);
    for at in 0..bytes.len() {
        for change in [1_u8, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            read(&damaged).ok();
        }
        read(&bytes[..at]).expect_err("cut short");
    }
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were(rows in rows()) {
        prop_assert_eq!(read(&written(&rows)).expect("ours"), told(&rows));
    }

    #[test]
    fn any_footer_ends(footer in prop::collection::vec(any::<u8>(), 0..200)) {
        let length = footer.len() as u32;
        read(&[b"PAR1", &footer[..], &length.to_le_bytes(), b"PAR1"].concat()).ok();
    }
}
