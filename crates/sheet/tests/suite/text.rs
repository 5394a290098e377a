//! Characters, separators and cells of .csv and .tsv files.

use crate::files::shown;
use proptest::prelude::*;

fn csv(text: &str) -> String {
    shown(text.as_bytes(), "runs.csv")
}

#[test]
fn cells_keep_their_written_form() {
    insta::assert_snapshot!(csv(
        "a,b,c,d,e,f\n1e-3,007,0.10,true,True,-0.5\n 0.1 ,+5,1_000,\"1,5\",10%,#REF!\n.5,null,FALSE,False,nan,on\n"
    ));
}

#[test]
fn quoted_cells() {
    insta::assert_snapshot!(csv("name,note\r\na,\"two\r\nlines, and \"\"quotes\"\"\"\r\nb, \"after a blank\" \r\n\"c\"x,5\" wide\r\n"));
}

#[test]
fn rows_are_counted_as_a_spreadsheet_shows_them() {
    insta::assert_snapshot!(csv("lr,note\n\n0.1,\"a\n\nb\"\n\n0.2,x\r0.3,y"));
}

#[test]
fn a_cell_that_never_ends() {
    insta::assert_snapshot!(csv("lr,note\n0.1,\"a\n0.2,b\n"));
}

#[test]
fn semicolons_and_decimal_commas() {
    insta::assert_snapshot!(csv("lr;decay;note\n0,001;-1,5e-3;1,2,3\n0,01;,5;a, b\n"));
    // Versions and results are written as they are.
    insta::assert_snapshot!(csv("lr;version;loss@best;decay\n0,1;2.0;0.31;0,5\n"));
    insta::assert_snapshot!(csv("lr;n\n0,001;1\n0.01;2\n"));
}

#[test]
fn a_number_with_a_point_says_what_commas_are_not() {
    insta::assert_snapshot!(csv("lr;layers;k\n0.1;64,32;1,000\n"));
    insta::assert_snapshot!(shown(b"lr\tk\n0,001\t1\n0,1\t2\n", "runs.tsv"));
    // Between tabs it may be a list.
    insta::assert_snapshot!(shown(b"devices\tk\n1,2\t1\n0,1\t2\n", "runs.tsv"));
}

#[test]
fn an_apostrophe_that_guards_against_formulas_is_none_of_the_text() {
    insta::assert_snapshot!(csv("a,b,c,d\n'=1+1,'+7,'-x,'quoted'\n"));
}

#[test]
fn what_is_no_number_of_a_specification_is_text() {
    insta::assert_snapshot!(csv("a,b,c,d\n12345678901234567890,-1,9.5%,TRUE\n"));
}

#[test]
fn commas_and_decimal_commas_in_quotes() {
    insta::assert_snapshot!(csv("lr,note\n\"0,001\",a\n0.01,b;c\n"));
}

#[test]
fn what_stands_in_quotes_separates_nothing() {
    insta::assert_snapshot!(csv("name 0,name 1\n,\";'\n=;\"\n"));
}

#[test]
fn tabs() {
    insta::assert_snapshot!(shown(b"lr\tnote\n0.1\ta, b\n", "runs.tsv"));
    insta::assert_snapshot!(csv("lr\tnote\n0.1\ta; b\n"));
}

#[test]
fn a_separator_that_is_named() {
    insta::assert_snapshot!(csv("sep=|\r\nlr|note\r\n0.1|a,b\r\n"));
}

#[test]
fn characters() {
    let text = "größe,note\n0.1,naïve – ok\n";
    let utf8 = shown(text.as_bytes(), "runs.csv");
    let wide: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for (bytes, mark) in [(text.as_bytes(), &b"\xef\xbb\xbf"[..]), (&little, b"\xff\xfe"), (&big, b"\xfe\xff"), (&little, b""), (&big, b"")]
    {
        assert_eq!(shown(&[mark, bytes].concat(), "runs.csv"), utf8);
    }
    insta::assert_snapshot!(shown(b"gr\xf6\xdfe,note\n0.1,na\xefve \x96 \x80\n", "runs.csv"));
}

#[test]
fn no_text() {
    insta::assert_snapshot!(shown(b"lr,a\n0.1,\0\n", "runs.csv"));
    insta::assert_snapshot!(shown(b"\xff\xfea", "runs.csv"));
    insta::assert_snapshot!(shown(b"", "runs.csv"));
    insta::assert_snapshot!(shown(b"\n,,\n  \n", "runs.csv"));
    insta::assert_snapshot!(shown(b"<!DOCTYPE html><table><tr><td>lr</table>", "runs.csv"));
}

proptest! {
    /// Whatever the bytes are, there is an answer.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        shown(&bytes, "runs.csv");
    }

    #[test]
    fn any_table(text in "([a-c0-9,;\t\"\r\n .é-]{0,80}|(([a-z]{1,3}|[0-9.]{1,3}|\"[a-z,\n]*\")[,;\n]){0,40})") {
        shown(text.as_bytes(), "runs.csv");
        shown(text.as_bytes(), "runs.tsv");
    }
}
