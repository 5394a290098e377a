//! Which of several sheets is read.

use crate::files::{chosen, ods, shown, xlsx};
use neronet_sheet::{Mistake, Sheet, read, read_runs};
use rust_xlsxwriter::Workbook;

fn several() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let mut sheet = |name: &str, cells: &[&[&str]]| {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name).expect("a name");
        for (row, cells) in cells.iter().enumerate() {
            sheet.write_row(row as u32, 0, cells.iter().copied()).expect("a row");
        }
        match name {
            "secret" => drop(sheet.set_hidden(true)),
            "runs" => drop(sheet.set_active(true)),
            _ => {}
        }
    };
    sheet("secret", &[&["a"], &["1"]]);
    sheet("empty", &[]);
    sheet("Readme", &[&["This workbook holds all the runs that we started in the spring of the year 2016."]]);
    sheet("runs", &[&["status", "net"], &["TODO", "cnn"]]);
    sheet("2", &[&["old"], &["x"]]);
    sheet("Summary", &[&["best"], &["0.1"]]);
    workbook.save_to_buffer().expect("a file")
}

#[test]
fn the_one_of_runs() {
    insta::assert_snapshot!(shown(&several(), "dir.d/runs.xlsx"));
    let of = |sheets: &[(&str, &[&[&str]])]| {
        let mut workbook = Workbook::new();
        for (name, rows) in sheets {
            let sheet = workbook.add_worksheet().set_name(*name).expect("a name");
            for (row, cells) in rows.iter().enumerate() {
                sheet.write_row(row as u32, 0, cells.iter().copied()).expect("a row");
            }
        }
        workbook.save_to_buffer().expect("a file")
    };
    let name = |sheet: Result<Sheet, Mistake>| sheet.map_or_else(|mistake| mistake.to_string(), |sheet| sheet.name);
    let notes: (&str, &[&[&str]]) = ("notes", &[&["what", "who"], &["look", "Ann"]]);
    let runs: (&str, &[&[&str]]) = ("first", &[&["lr", "n"], &["a", "b"]]);
    let file = of(&[notes, runs]);
    insta::assert_snapshot!(name(read(&file, "a.xlsx", None)));
    assert_eq!(name(read_runs(&file, "a.xlsx", None, &|name| name == "lr")), "first");
    assert_eq!(name(read(&of(&[("Export Summary", notes.1), runs]), "a.xlsx", None)), "first");
    let twice = of(&[runs, ("second", runs.1)]);
    assert_eq!(name(read_runs(&twice, "a.xlsx", Some("2"), &|name| name == "lr")), "second");
    assert!(name(read_runs(&twice, "a.xlsx", None, &|name| name == "lr")).contains("'first' and 'second'"));
}

#[test]
fn by_name_whatever_its_case_and_hidden_ones_too() {
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("summary")));
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("secret")));
}

#[test]
fn by_number_unless_it_is_a_name() {
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("4")));
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("2")));
}

#[test]
fn one_that_is_not_there() {
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("run")));
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("7")));
}

#[test]
fn one_that_is_empty() {
    insta::assert_snapshot!(chosen(&several(), "runs.xlsx", Some("empty")));
}

#[test]
fn nothing_anywhere() {
    insta::assert_snapshot!(shown(&xlsx(|_| Ok(())), "runs.xlsx"));
}

#[test]
fn a_text_file_has_one() {
    insta::assert_snapshot!(chosen(b"lr\n0.1\n", "runs.csv", Some("runs")));
}

#[test]
fn open_document() {
    let cell = |text: &str| {
        format!(
            r#"<table:table-row><table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell></table:table-row>"#
        )
    };
    let table = |name: &str, style: &str, rows: &str| {
        format!(r#"<table:table table:name="{name}" table:style-name="{style}">{rows}</table:table>"#)
    };
    let styles = r#"<style:style style:name="ta1"><style:table-properties table:display="true"/></style:style>
<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style>"#;
    let rows = cell("lr") + &cell("0.1");
    let tables = [
        table("hidden", "ta2", &rows),
        table("empty", "ta1", ""),
        table("R&amp;D", "ta1", &(cell("command") + &rows)),
        table("old", "ta1", &rows),
    ]
    .concat();
    insta::assert_snapshot!(shown(&ods(styles, &tables), "runs.ods"));
    insta::assert_snapshot!(chosen(&ods(styles, &tables), "runs.ods", Some("hidden")));
}
