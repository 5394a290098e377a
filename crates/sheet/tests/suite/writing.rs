//! What is written, and that it is read back as it was.

use crate::files::shown;
use neronet_model::Value;
use neronet_sheet::{read, write_csv, write_xlsx};
use proptest::prelude::*;

type Rows = Vec<Vec<Option<Value>>>;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn sample() -> (Vec<String>, Rows) {
    let text = |text: &str| Some(Value::Str(text.into()));
    let rows = vec![
        vec![Some(Value::Int(42)), Value::float("1e-3"), text("adam"), Some(Value::Bool(true))],
        vec![
            Some(Value::Int(i64::MAX)),
            Some(Value::from_f64(f64::NAN)),
            text("=1+1"),
            Some(Value::List(vec![Value::Int(1), Value::Str("a".into())])),
        ],
        vec![Some(Value::Int(-7)), Some(Value::from_f64(f64::NEG_INFINITY)), text("@SUM(A1)"), text("a \"b\", c\nd")],
        vec![None, Some(Value::from_f64(-0.5)), text("-0.5"), text("-x")],
        vec![None, Some(Value::from_f64(0.1 + 0.2)), text("+1 more"), text("\tx")],
    ];
    (names(&["id", "lr", "optimizer", "=cmd"]), rows)
}

#[test]
fn as_csv() {
    let (columns, rows) = sample();
    insta::assert_snapshot!(String::from_utf8(write_csv(&columns, rows.into_iter())).expect("text"));
}

#[test]
fn as_xlsx() {
    let (columns, rows) = sample();
    let file = write_xlsx("out.xlsx", &columns, rows.clone().into_iter()).expect("a file");
    insta::assert_snapshot!(shown(&file, "out.xlsx"));
    assert_eq!(file, write_xlsx("out.xlsx", &columns, rows.into_iter()).expect("a file"), "the same table gives the same bytes");
}

#[test]
fn a_text_that_no_cell_holds() {
    let rows = vec![vec![Some(Value::Str("x".repeat(40_000)))]];
    let mistake = write_xlsx("out.xlsx", &names(&["a"]), rows.into_iter()).expect_err("too long");
    insta::assert_snapshot!(mistake);
}

/// A table that can be told from any other: texts without blanks around them, no empty texts.
fn table() -> impl Strategy<Value = (Vec<String>, Rows)> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(|int| Value::Int(int.into())),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from_f64),
        (-1000..1000_i32).prop_map(|number| Value::from_f64(f64::from(number) / 100.0)),
        any::<bool>().prop_map(Value::Bool),
        "[a-z0-9.,;=+@\"'_x ÄéA-F\n\r\t\u{1}-]{1,20}".prop_map(|text| Value::Str(text.trim().to_string())),
        "\\PC{1,8}".prop_map(|text| Value::Str(text.trim().to_string())),
    ];
    let value = value.prop_filter("not empty", |value| !value.to_string().is_empty());
    (1..6_usize).prop_flat_map(move |width| {
        let row = prop::collection::vec(prop::option::weighted(0.8, value.clone()), width);
        // Beside a text that each row has, none is taken for a title or for units.
        let row = row.prop_map(|row| std::iter::once(Some(Value::Str("run".into()))).chain(row).collect::<Vec<_>>());
        (Just((0..=width).map(|at| format!("name {at}")).collect()), prop::collection::vec(row, 1..12))
    })
}

fn same(written: &Value, read: &Value) -> bool {
    match (written.number(), read.number()) {
        (Some(a), Some(b)) => a == b,
        _ => written.to_string() == read.to_string(),
    }
}

fn compare(rows: &Rows, bytes: &[u8], name: &str, expected: impl Fn(&Value) -> Value) -> Result<(), TestCaseError> {
    let sheet = read(bytes, name, None).map_err(|mistake| TestCaseError::fail(mistake.to_string()))?;
    prop_assert_eq!(sheet.rows.len(), rows.len(), "{:?}", sheet);
    for (at, (read, written)) in sheet.rows.iter().zip(rows).enumerate() {
        prop_assert_eq!(read.number as usize, at + 2);
        prop_assert!(read.mistakes.is_empty(), "{:?}", read.mistakes);
        for (read, written) in read.cells.iter().zip(written) {
            match (read, written) {
                (None, None) => {}
                (Some(read), Some(written)) => prop_assert!(same(&expected(written), &read.value), "{written:?} is read as {read:?}"),
                _ => prop_assert!(false, "{written:?} is read as {read:?}"),
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn xlsx_is_read_back((columns, rows) in table()) {
        let file = write_xlsx("out.xlsx", &columns, rows.clone().into_iter()).expect("a file");
        compare(&rows, &file, "out.xlsx", Value::clone)?;
    }

    /// But for percentages: a text file has no texts that look like them.
    #[test]
    fn csv_is_read_back((columns, rows) in table()) {
        prop_assume!(!rows.iter().flatten().flatten().any(|value| value.to_string().ends_with('%')));
        let file = write_csv(&columns, rows.clone().into_iter());
        compare(&rows, &file, "out.csv", Value::clone)?;
    }

    /// No cell of a written file begins with what makes a spreadsheet program run it.
    #[test]
    fn csv_runs_nothing((_, rows) in table()) {
        for value in rows.into_iter().flatten().flatten() {
            let file = write_csv(&["a".to_string()], std::iter::once(vec![Some(value.clone())]));
            let text = String::from_utf8(file).expect("text");
            let cell = text.strip_prefix("a\n").unwrap_or_default();
            let cell = cell.strip_prefix('"').unwrap_or(cell);
            let number = Value::as_typed(cell.trim_end()).number();
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']) || number.is_some(), "{value:?} is written as {cell:?}");
        }
    }
}
