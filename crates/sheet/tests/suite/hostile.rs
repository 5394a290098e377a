//! Files that are damaged, disguised, or made to exhaust whoever reads them. The bombs are made here and stored nowhere.

use crate::files::{self, archive, archive_of, ods, shown, xlsx, xlsx_by_hand};
use neronet_sheet::read;
use proptest::prelude::*;
use std::iter::repeat_n;

fn good() -> Vec<u8> {
    xlsx(|sheet| {
        sheet.write_row(0, 0, ["lr", "width"])?;
        sheet.write_row(1, 0, [0.1, 32.0])?;
        Ok(())
    })
}

/// An .xlsx file whose sheet is `piece`, many times, between the usual beginning and end.
fn repeated(piece: &[u8], times: usize) -> Vec<u8> {
    let (begin, end) = (&b"<worksheet><sheetData>"[..], &b"</sheetData></worksheet>"[..]);
    let part = |text: &'static str| vec![text.as_bytes()];
    let sheet = std::iter::once(begin).chain(repeat_n(piece, times)).chain([end]).collect();
    let parts = [
        ("_rels/.rels", part(files::RELATIONS)),
        ("xl/workbook.xml", part(files::WORKBOOK)),
        ("xl/_rels/workbook.xml.rels", part(files::WORKBOOK_RELATIONS)),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    archive_of(parts.into_iter().map(|(name, pieces)| (name, pieces.into_iter())))
}

#[test]
fn a_file_that_unfolds_to_far_more_than_its_size() {
    let bomb = repeated(&[b' '; 1 << 20], 300);
    assert!(bomb.len() < 1 << 20);
    insta::assert_snapshot!(shown(&bomb, "runs.xlsx"));
}

#[test]
fn the_sizes_that_an_archive_states_are_not_believed() {
    let mut bomb = repeated(&[b' '; 1 << 20], 300);
    // In each entry of the directory the size of what it unfolds to, made small.
    let entries: Vec<usize> = bomb.windows(4).enumerate().filter(|(_, four)| *four == b"PK\x01\x02").map(|(at, _)| at).collect();
    for at in entries {
        bomb[at + 24..at + 28].copy_from_slice(&100_u32.to_le_bytes());
    }
    insta::assert_snapshot!(shown(&bomb, "runs.xlsx"));
}

#[test]
fn entities_that_grow() {
    let sheet = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet><sheetData><row><c t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"#;
    let parts = [
        ("_rels/.rels", files::RELATIONS),
        ("xl/workbook.xml", files::WORKBOOK),
        ("xl/_rels/workbook.xml.rels", files::WORKBOOK_RELATIONS),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    insta::assert_snapshot!(shown(&archive(&parts), "runs.xlsx"));
    let without = r#"<sheetData><row><c t="inlineStr"><is><t>&b;</t></is></c></row></sheetData>"#;
    insta::assert_snapshot!(shown(&xlsx_by_hand(without, ""), "runs.xlsx"));
}

#[test]
fn counts_that_a_file_states_are_not_believed() {
    let sheet = r#"<dimension ref="A1:XFD1048576"/><sheetData><row><c t="s"><v>0</v></c></row><row><c><f t="shared" si="99999999999" ref="A2:A3">1</f><v>1</v></c></row></sheetData>"#;
    let strings = r#"<sst count="1000000000000000" uniqueCount="1000000000000000"><si><t>lr</t></si></sst>"#;
    insta::assert_snapshot!(shown(&xlsx_by_hand(sheet, strings), "runs.xlsx"));
}

#[test]
fn a_text_shared_by_very_many_cells() {
    let row = format!("<row>{}</row>", r#"<c t="s"><v>0</v></c>"#.repeat(50));
    let sheet = format!("<sheetData>{}</sheetData>", row.repeat(100));
    let strings = format!("<si><t>{}</t></si>", "x".repeat(32_000));
    insta::assert_snapshot!(shown(&xlsx_by_hand(&sheet, &strings), "runs.xlsx"));
}

#[test]
fn a_million_formatted_rows_cost_little() {
    let rows: String = (3..1_000_000).map(|row| format!(r#"<row r="{row}" s="1"><c r="A{row}" s="1"/></row>"#)).collect();
    let sheet = format!(
        r#"<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>lr</t></is></c></row><row r="2"><c r="A2"><v>0.1</v></c></row>{rows}</sheetData>"#
    );
    insta::assert_snapshot!(shown(&xlsx_by_hand(&sheet, ""), "runs.xlsx"));
}

#[test]
fn all_columns_formatted() {
    let file = xlsx(|sheet| {
        sheet.write_row(0, 0, ["lr", "width"])?;
        sheet.write_row(1, 0, [0.1, 32.0])?;
        for column in 0..16_384 {
            sheet.write_blank(2, column, &rust_xlsxwriter::Format::new().set_bold())?;
        }
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn more_than_is_allowed() {
    let rows = "1\n".repeat(100_001);
    insta::assert_snapshot!(shown(format!("lr\n{rows}").as_bytes(), "runs.csv"));
    assert_eq!(read(format!("lr\n{}", &rows[2..]).as_bytes(), "runs.csv", None).expect("a table").rows.len(), 100_000);
    let header: Vec<String> = (0..1001).map(|at| format!("c{at}")).collect();
    insta::assert_snapshot!(shown(format!("{}\n{}\n", header.join(","), vec!["1"; 1001].join(",")).as_bytes(), "runs.csv"));
    let header = &header[1..].join(",");
    assert_eq!(
        read(format!("{header}\n{}\n", vec!["1"; 1000].join(",")).as_bytes(), "runs.csv", None).expect("a table").columns.len(),
        1000
    );
    insta::assert_snapshot!(shown(format!("lr\n{}\n", "é".repeat(32_768)).as_bytes(), "runs.csv"));
    insta::assert_snapshot!(shown(format!("lr,b{}\n1\n", ",1".repeat(20_000)).as_bytes(), "runs.csv"));
    // Few cells, but a table of 30,000 rows and 100 columns.
    let sparse = format!(
        "{}\n{}",
        (0..100).map(|at| format!("c{at}")).collect::<Vec<_>>().join(","),
        ("x".to_string() + &",".repeat(99) + "1\n").repeat(30_000)
    );
    insta::assert_snapshot!(shown(sparse.as_bytes(), "runs.csv"));
}

#[test]
fn open_document_repeats() {
    let cell =
        |attributes: &str| format!(r#"<table:table-cell office:value-type="string" {attributes}><text:p>lr</text:p></table:table-cell>"#);
    let table = |rows: &str| ods("", &format!(r#"<table:table table:name="runs">{rows}</table:table>"#));
    let row = |attributes: &str, cells: &str| format!("<table:table-row {attributes}>{cells}</table:table-row>");
    insta::assert_snapshot!(shown(&table(&row(r#"table:number-rows-repeated="4000000000""#, &cell(""))), "runs.ods"));
    insta::assert_snapshot!(shown(
        &table(&row(r#"table:number-rows-repeated="1048576""#, &cell(r#"table:number-columns-repeated="16384""#))),
        "runs.ods"
    ));
    let blanks = r#"<table:table-cell office:value-type="string"><text:p><text:s text:c="4000000000"/>x</text:p></table:table-cell>"#;
    insta::assert_snapshot!(shown(&table(&row("", blanks)), "runs.ods"));
    // Each of many sheets is small enough, all of them are not.
    let many: String = (0..40)
        .map(|at| format!(r#"<table:table table:name="{at}">{}</table:table>"#, row(r#"table:number-rows-repeated="90000""#, &cell(""))))
        .collect();
    insta::assert_snapshot!(shown(&ods("", &many), "runs.ods").lines().last().unwrap_or_default());
}

#[test]
fn merges_over_everything() {
    let merges: String =
        (1..2000).map(|row| format!(r#"<mergeCell ref="A{row}:XFD1048576"/><mergeCell ref="B{row}:B{}"/>"#, row + 1)).collect();
    let rows: String = (1..2000).map(|row| format!(r#"<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>lr</t></is></c></row>"#)).collect();
    let file = xlsx_by_hand(&format!("<sheetData>{rows}</sheetData><mergeCells>{merges}</mergeCells>"), "");
    assert!(read(&file, "runs.xlsx", None).is_ok());
}

#[test]
fn disguises() {
    let old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1and so on".to_vec();
    let locked: Vec<u8> = old.iter().copied().chain("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let locked_ods = archive(&[
        ("META-INF/manifest.xml", r#"<m:manifest xmlns:m="m"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"#),
        ("content.xml", "garbage"),
    ]);
    let mut said = Vec::new();
    for (bytes, name) in [
        (&good()[..], "runs.csv"),
        (&good(), "runs.ods"),
        (&good(), "runs.xls"),
        (b"lr,width\n0.1,32\n", "runs.xlsx"),
        (b"lr,width\n0.1,32\n", "RUNS.ODS"),
        (b"lr,width\n0.1,32\n", "runs.txt"),
        (b"lr,width\n0.1,32\n", "some.folder/runs"),
        (&ods("", ""), "runs.xlsx"),
        (&ods("", ""), "runs.ods"),
        (&old, "runs.xls"),
        (&old, "runs.xlsx"),
        (&locked, "runs.xlsx"),
        (&locked_ods, "runs.ods"),
        (&archive(&[("word/document.xml", "<w/>")]), "runs.xlsx"),
        (&archive(&[("xl/workbook.bin", "")]), "runs.xlsb"),
        (&archive(&[("xl/other.xml", "")]), "runs.xlsx"),
        (&good()[..good().len() / 2], "runs.xlsx"),
        (b"PK", "runs.xlsx"),
        (&xlsx_by_hand("<sheetData><row><c><v>1</v>", ""), "runs.xlsx"),
        (&xlsx_by_hand(r#"<sheetData><row r="4000000000"><c r="ZZZZZZ1"><v>1</v></c></row></sheetData>"#, ""), "runs.xlsx"),
    ] {
        said.push(shown(bytes, name));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn macros_and_links_are_left_alone() {
    let parts = [
        ("_rels/.rels", files::RELATIONS),
        ("xl/workbook.xml", files::WORKBOOK),
        ("xl/_rels/workbook.xml.rels", files::WORKBOOK_RELATIONS),
        ("xl/vbaProject.bin", "Sub AutoOpen()"),
        ("xl/externalLinks/externalLink1.xml", "not even XML <<<"),
        (
            "xl/worksheets/sheet1.xml",
            r#"<worksheet><sheetData><row><c t="inlineStr"><is><t>lr</t></is></c></row><row><c><f>[1]other!A1</f><v>0.5</v></c></row></sheetData></worksheet>"#,
        ),
    ];
    insta::assert_snapshot!(shown(&archive(&parts), "runs.xlsm"));
}

proptest! {
    /// A good file with some bytes changed: there is an answer.
    #[test]
    fn damaged(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = good();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        shown(&bytes, "runs.xlsx");
    }

    /// XML of the right words in the wrong order.
    #[test]
    fn any_sheet(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let inside = pieces.concat();
        shown(&xlsx_by_hand(&inside, &inside), "runs.xlsx");
        shown(&ods(&inside, &inside), "runs.ods");
    }
}

const PIECES: [&str; 34] = [
    "<sheetData>",
    "</sheetData>",
    "<row>",
    "<row r=\"2\">",
    "</row>",
    "<c>",
    "<c r=\"B2\" t=\"s\">",
    "<c t=\"e\">",
    "</c>",
    "<v>",
    "1",
    "</v>",
    "<f/>",
    "<is>",
    "</is>",
    "<t>",
    "</t>",
    "lr",
    "<mergeCell ref=\"A1:B3\"/>",
    "<si>",
    "</si>",
    "<table:table table:name=\"a\">",
    "</table:table>",
    "<table:table-row>",
    "</table:table-row>",
    "<table:table-cell office:value-type=\"string\">",
    "<table:table-cell office:value-type=\"float\" office:value=\"0.1\"/>",
    "</table:table-cell>",
    "<text:p>",
    "</text:p>",
    "<text:s/>",
    "&amp;",
    "&b;",
    "<!-- -->",
];
