//! Long curves: what is drawn must stay small, whatever was measured.

use super::samples::{chart, loss, series};

#[test]
fn a_million_points_make_a_picture_of_ordinary_size_with_every_spike() {
    let mut points = loss(1_000_000, 2.3, 0.001, 0.3, 1);
    points[777_777].1 = 50.0;
    let mut chart = chart("loss", vec![series("run 1", points)]);
    chart.smooth = Some(0.99);
    let svg = chart.svg(900, 420);
    assert!(svg.len() < 200_000, "{} bytes", svg.len());
    assert!(svg.contains(">50<"), "the axis reaches the spike");
    let page = chart.html();
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(page.contains("[777777.0,50.0]"), "the spike can be read");
}
