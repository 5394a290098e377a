//! Files that other programs wrote (openpyxl and odfpy), as they wrote them.

use crate::files::shown;

#[test]
fn xlsx_of_another_program() {
    insta::assert_snapshot!(shown(include_bytes!("../data/experiments.xlsx"), "experiments.xlsx"));
}

#[test]
fn ods_of_another_program() {
    insta::assert_snapshot!(shown(include_bytes!("../data/experiments.ods"), "experiments.ods"));
}
