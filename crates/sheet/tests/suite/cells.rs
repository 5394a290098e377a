//! What cells of .xlsx and .ods files mean.

use crate::files::{ods, shown, xlsx, xlsx_by_hand};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula};

#[test]
fn numbers_as_people_read_them() {
    let file = xlsx(|sheet| {
        sheet.write_row(0, 0, ["a", "b", "c", "d", "e"])?;
        sheet.write_row(1, 0, [0.1, 0.001, 1e-5, 100.0, -3.0])?;
        sheet.write_row(2, 0, [0.1 + 0.2, 1e20, 9007199254740993.0, 1.5e300, -0.0])?;
        sheet.write_row(3, 0, [2.5, 1.0 / 3.0, 1234567.0, 0.30000000000000004, 1e-300])?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn text_stays_as_it_is_written() {
    let file = xlsx(|sheet| {
        sheet.write_row(0, 0, ["a", "b", "c", "d"])?;
        sheet.write_row(1, 0, ["0.001, decay 0.999", "007", "1e-3", " adam "])?;
        sheet.write_row(2, 0, ["two\nlines", "=1+1", "_x0041_ and ä", "true"])?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn booleans_dates_percents_and_durations() {
    let file = xlsx(|sheet| {
        let format = |code: &str| Format::new().set_num_format(code);
        let day = ExcelDateTime::from_ymd(2026, 11, 21)?;
        let moment = ExcelDateTime::from_ymd(2026, 11, 21)?.and_hms(10, 30, 0)?;
        sheet.write_row(0, 0, ["flag", "day", "moment", "time", "long", "part", "money", "month"])?;
        sheet.write(1, 0, true)?;
        sheet.write_with_format(1, 1, &day, &format("yyyy-mm-dd"))?;
        sheet.write_with_format(1, 2, &moment, &format("d.m.yyyy hh:mm"))?;
        sheet.write_with_format(1, 3, 0.4375, &format("hh:mm"))?;
        sheet.write_with_format(1, 4, 1.5, &format("[h]:mm:ss"))?;
        sheet.write_with_format(1, 5, 0.1, &format("0.0%"))?;
        sheet.write_with_format(1, 6, 12.5, &format("[$€-407] #,##0.00;[Red]-#,##0.00"))?;
        sheet.write_with_format(1, 7, &day, &format("mmm"))?;
        sheet.write(2, 0, false)?;
        sheet.write_with_format(2, 1, 1.0, &Format::new().set_num_format_index(14))?;
        sheet.write_with_format(2, 2, 60.25, &Format::new().set_num_format_index(22))?;
        sheet.write_with_format(2, 3, 0.000011574074074074073, &format("hh:mm:ss.000"))?;
        sheet.write_with_format(2, 4, 0.25, &format("[m]\" min\""))?;
        sheet.write_with_format(2, 5, 0.07, &Format::new().set_num_format_index(9))?;
        sheet.write_with_format(2, 6, -1.0, &format("yyyy"))?;
        sheet.write_with_format(2, 7, 1e9, &format("\"day\" 0.00E+00"))?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn leading_zeros_that_are_shown_and_rows_that_are_not() {
    let file = xlsx(|sheet| {
        sheet.write_row(0, 0, ["id", "lr"])?;
        sheet.write_with_format(1, 0, 7.0, &Format::new().set_num_format("000"))?;
        sheet.write(1, 1, 0.1)?;
        sheet.write_row(2, 0, [1234.0, 0.2])?;
        sheet.set_row_hidden(2)?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
    let number = |shown: &str| {
        format!(r#"<table:table-cell office:value-type="float" office:value="7"><text:p>{shown}</text:p></table:table-cell>"#)
    };
    let text = |text: &str| format!(r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#);
    let rows = format!(
        r#"<table:table table:name="a"><table:table-row>{}{}</table:table-row>
<table:table-row table:visibility="filter">{}{}</table:table-row></table:table>"#,
        text("id"),
        text("n"),
        number("007"),
        number("7")
    );
    insta::assert_snapshot!(shown(&ods("", &rows), "runs.ods"));
}

#[test]
fn dates_since_1904() {
    let parts = [
        ("_rels/.rels", crate::files::RELATIONS),
        (
            "xl/workbook.xml",
            r#"<workbook><workbookPr date1904="1"/><sheets><sheet name="runs" r:id="rId1" xmlns:r="r"/></sheets></workbook>"#,
        ),
        ("xl/_rels/workbook.xml.rels", crate::files::WORKBOOK_RELATIONS),
        (
            "xl/styles.xml",
            r#"<styleSheet><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>"#,
        ),
        (
            "xl/worksheets/sheet1.xml",
            r#"<worksheet><sheetData><row><c t="inlineStr"><is><t>day</t></is></c></row><row><c s="0"><v>1</v></c></row></sheetData></worksheet>"#,
        ),
    ];
    insta::assert_snapshot!(shown(&crate::files::archive(&parts), "runs.xlsx"));
}

#[test]
fn formulas_by_what_they_were_last() {
    let file = xlsx(|sheet| {
        sheet.write_row(0, 0, ["a", "b", "c"])?;
        sheet.write_formula(1, 0, Formula::new("=0.1+0.2").set_result("0.30000000000000004"))?;
        sheet.write_formula(1, 1, Formula::new("=\"ad\"&\"am\"").set_result("adam"))?;
        sheet.write_formula(1, 2, Formula::new("=1>2").set_result("FALSE"))?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

/// As programs write formulas that they did not compute, errors, and texts in all the ways there are.
#[test]
fn cells_without_a_value_spoil_only_their_row() {
    let sheet = r#"<sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>act</t></is></c></row>
<row r="2"><c r="A2"><f>B2*2</f></c><c r="B2"><v>32</v></c><c r="C2" t="str"><f>"re"&amp;"lu"</f><v>relu</v></c></row>
<row r="3"><c r="A3" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="B3" t="e"><v>#SPILL!</v></c></row>
<row r="4"><c r="A4"><v>0.1</v></c><c r="B4" t="s"><v>77</v></c><c r="C4" t="str"><f>""</f><v></v></c></row>
<row r="5"><c r="A5" t="d"><v>2026-11-21T00:00:00</v></c><c r="B5" t="b"><v>1</v></c><c r="C5" t="s"><v>2</v></c></row>
<row r="9" spans="1:3"><c><v>1E-3</v></c><c><v>nonsense</v></c><c t="s"><v>3</v></c></row>
</sheetData>"#;
    let strings = r#"<si><t>lr</t></si><si><r><t>wi</t></r><r><rPr><b/></rPr><t xml:space="preserve">dth </t></r><rPh sb="0" eb="1"><t>x</t></rPh></si>
<si><t>a_x000D_b &lt; &#228;</t></si><si><t/></si>"#;
    insta::assert_snapshot!(shown(&xlsx_by_hand(sheet, strings), "runs.xlsx"));
}

#[test]
fn a_merged_value_stands_in_each_row() {
    let file = xlsx(|sheet| {
        let plain = Format::new();
        sheet.write_row(0, 0, ["set", "lr", "note"])?;
        sheet.merge_range(1, 0, 4, 0, "cifar", &plain)?;
        sheet.write_column(1, 1, [0.1, 0.2])?;
        // The fourth row stays blank.
        sheet.write(4, 1, 0.3)?;
        sheet.write(5, 0, "mnist")?;
        sheet.merge_range(5, 1, 6, 2, "both", &plain)?;
        sheet.write(6, 0, "svhn")?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn rows_out_of_order() {
    let sheet = r#"<sheetData><row r="3"><c r="B3"><v>4</v></c><c r="A3"><v>3</v></c></row>
<row r="1"><c r="A1" t="inlineStr"><is><t>lr</t></is></c><c r="B1" t="inlineStr"><is><t>wd</t></is></c></row>
<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row></sheetData>"#;
    insta::assert_snapshot!(shown(&xlsx_by_hand(sheet, ""), "runs.xlsx"));
}

#[test]
fn open_document() {
    let table = r#"<table:table table:name="runs"><office:forms><x/></office:forms><table:table-column table:number-columns-repeated="1024"/>
<table:table-row><table:table-cell office:value-type="string" table:number-rows-spanned="2"><text:p>set</text:p></table:table-cell>
  <table:table-cell office:value-type="string" table:number-columns-spanned="3"><text:p>train</text:p></table:table-cell><table:covered-table-cell table:number-columns-repeated="2"/>
  <table:table-cell office:value-type="string" table:number-columns-spanned="3"><text:p>other</text:p></table:table-cell><table:covered-table-cell table:number-columns-repeated="2"/></table:table-row>
<table:table-header-rows><table:table-row><table:covered-table-cell/><table:table-cell office:value-type="string"><text:p>lr</text:p></table:table-cell>
  <table:table-cell office:value-type="string"><text:p>drop</text:p></table:table-cell><table:table-cell office:value-type="string"><text:p>day</text:p></table:table-cell>
  <table:table-cell office:value-type="string"><text:p>time</text:p></table:table-cell><table:table-cell office:value-type="string"><text:p>flag</text:p></table:table-cell>
  <table:table-cell office:value-type="string"><office:annotation><text:p>a comment</text:p></office:annotation><text:p>note</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-row><table:table-cell office:value-type="string" table:number-rows-spanned="3"><text:p>cifar</text:p></table:table-cell>
  <table:table-cell office:value-type="float" office:value="0.1" calcext:value-type="float"><text:p>0,10</text:p></table:table-cell>
  <table:table-cell office:value-type="percentage" office:value="0.5"><text:p>50%</text:p></table:table-cell>
  <table:table-cell office:value-type="date" office:date-value="2026-11-21"><text:p>21.11.26</text:p></table:table-cell>
  <table:table-cell office:value-type="time" office:time-value="PT26H30M00S"><text:p>26:30</text:p></table:table-cell>
  <table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p></table:table-cell>
  <table:table-cell office:value-type="string"><text:p>two<text:s text:c="3"/>&amp; <text:span>bold</text:span><text:tab/>x</text:p><text:p>lines</text:p></table:table-cell></table:table-row>
<table:table-row table:number-rows-repeated="2"><table:covered-table-cell/>
  <table:table-cell table:formula="of:=0.1+0.2" office:value-type="float" office:value="0.30000000000000004"/>
  <table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>
  <table:table-cell office:value-type="date" office:date-value="2026-11-21T10:30:00.250000000"/>
  <table:table-cell table:formula="of:=B1"/><table:table-cell table:number-columns-repeated="1019"/></table:table-row>
<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="1024" table:style-name="ce1"/></table:table-row>
</table:table>"#;
    insta::assert_snapshot!(shown(&ods("", table), "runs.ods"));
}
