//! Samples compared byte for byte with the files in `tests/golden`. With `NERONET_UPDATE_GOLDEN=1` the files are written anew: look at them then.

use super::samples;
use std::path::PathBuf;

fn compare(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("NERONET_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    assert!(
        expected == actual,
        "{name} differs from the stored file, first in line {}; if that is meant, run with NERONET_UPDATE_GOLDEN=1 and look at it",
        differs.unwrap_or_else(|| expected.lines().count().min(actual.lines().count())) + 1
    );
}

#[test]
fn charts_in_the_terminal_look_as_stored() {
    for (name, chart) in samples::all() {
        compare(&format!("{name}.txt"), &chart.terminal(80, 20, false));
    }
    for name in ["six", "twenty", "smooth"] {
        compare(&format!("{name}.color.txt"), &samples::named(name).terminal(80, 20, true));
    }
    compare("six.narrow.txt", &samples::named("six").terminal(40, 12, false));
}

#[test]
fn charts_as_svg_look_as_stored() {
    for (name, chart) in samples::all() {
        compare(&format!("{name}.svg"), &chart.svg(900, 420));
    }
}

#[test]
fn pages_are_as_stored() {
    compare("hostile.html", &samples::hostile().html());
    compare("report.html", &samples::report().html());
}

#[test]
fn tables_are_as_stored() {
    compare("table.txt", &samples::table().terminal(None, false));
    compare("table.narrow.txt", &samples::table().terminal(Some(60), false));
    compare("table.color.txt", &samples::table().terminal(Some(60), true));
    compare("table.html", &samples::table().html());
}
