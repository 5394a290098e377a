//! What holds for any data: nothing panics, nothing that is shown can break out of its place, no spike is hidden.

use super::samples::{self, chart, series};
use neronet_report::{Cell, Chart, Column, Part, Report, Section, Table, smooth, thin, words};
use proptest::prelude::*;

/// Any number, the awkward ones often.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -100.0..100.0f64,
        2 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e300]),
    ]
}

fn points(most: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((value(), value()), 0..most)
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec(-1e6..1e6f64, 1..most)
        .prop_map(|values| values.into_iter().enumerate().map(|(step, y)| (step as f64, y)).collect())
}

/// Any text, what opens and closes things often.
fn label() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[<>&\"'\\x00-\\x1f\\x7f-\\x9f\u{ffff}\u{202e}\\]/!a-z;\\[]{0,40}"]
}

fn any_chart() -> impl Strategy<Value = Chart> {
    let one =
        (label(), points(60), points(10)).prop_map(|(label, points, superseded)| neronet_report::Series { label, points, superseded });
    let many = prop::collection::vec(one, 0..25);
    (label(), label(), label(), any::<(bool, bool)>(), prop::option::of(value()), many).prop_map(
        |(title, x_label, y_label, (log_x, log_y), smooth, series)| Chart { title, x_label, y_label, log_x, log_y, smooth, series },
    )
}

/// Opens the XML as the renderer of our PNGs does: it refuses what is not well-formed.
fn parse(svg: &str) -> Result<(), String> {
    resvg::usvg::Tree::from_str(svg, &resvg::usvg::Options::default()).map(|_| ()).map_err(|e| format!("{e}\n{svg}"))
}

fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out += before;
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chart_can_be_drawn_everywhere(chart in any_chart(), width in 0..300usize, height in 0..80usize) {
        for color in [false, true] {
            let text = chart.terminal(width, height, color);
            let plain = without_colours(&text);
            prop_assert!(color || plain == text, "no colours were wanted");
            prop_assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{plain:?}");
        }
        let svg = chart.svg(width as u32 * 4, height as u32 * 8);
        for attribute in [" d=\"", " x=\"", " y=\"", " cx=\"", " cy=\""] {
            for rest in svg.split(attribute).skip(1) {
                let place = rest.split('"').next().unwrap_or_default();
                prop_assert!(place.chars().all(|c| c.is_ascii_digit() || "MLHh.- ".contains(c)), "{place}");
            }
        }
        parse(&svg).map_err(TestCaseError::fail)?;
        let page = chart.html();
        prop_assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    }

    #[test]
    fn a_chart_keeps_to_the_width_and_height_of_the_terminal(chart in any_chart(), width in 40..200usize, height in 16..60usize) {
        let text = chart.terminal(width, height, false);
        for line in text.lines() {
            let columns = unicode_width::UnicodeWidthStr::width(line);
            prop_assert!(columns <= width, "{columns} columns: {line}");
        }
        prop_assert!(text.lines().count() <= height, "{} lines of {height}", text.lines().count());
    }

    #[test]
    fn no_label_breaks_out_of_its_place(text in label()) {
        let mut hostile = chart(&text, vec![series(&text, vec![(0.0, 1.0), (1.0, 2.0)]), series(&text, vec![])]);
        hostile.x_label = text.clone();
        parse(&hostile.svg(600, 300)).map_err(TestCaseError::fail)?;
        let table = Table { columns: vec![Column::left(&*text), Column::right(&*text)], rows: vec![vec![Cell::plain(&*text); 3]] };
        let line = table.terminal(Some(40), false);
        prop_assert_eq!(line.lines().count(), 2);
        prop_assert!(line.chars().all(|c| c == '\n' || !c.is_control()));
        let facts = vec![(text.clone(), text.clone())];
        let parts = vec![Part::Text(text.clone()), Part::Facts(facts), Part::Table(table), Part::Code { title: text.clone(), text: text.clone() }];
        let page = Report { title: text.clone(), subtitle: text.clone(), sections: vec![Section { heading: text, parts }] }.html();
        prop_assert!(!page.contains("<script"), "nothing here needs a script");
        // Every tag in the page is one that we write.
        let after_style = page.split_once("</style>").map_or("", |(_, rest)| rest);
        for tag in after_style.split('<').skip(1) {
            let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
            let ours = ["head", "body", "html", "main", "h1", "h2", "h3", "p", "section", "dl", "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"];
            prop_assert!(ours.contains(&&*name), "<{tag}");
        }
    }

    #[test]
    fn thinning_keeps_both_ends_and_the_extremes_of_every_column(points in steps(3000), columns in 1..200usize) {
        let thinned = thin(&points, columns);
        prop_assert!(thinned.len() <= columns * 5);
        prop_assert_eq!(thinned.first(), points.first());
        prop_assert_eq!(thinned.last(), points.last());
        let width = (points.len() - 1).max(1) as f64 / columns as f64;
        let extremes = |points: &[(f64, f64)]| {
            let mut found = vec![(f64::INFINITY, f64::NEG_INFINITY); columns];
            for &(x, y) in points {
                let column = &mut found[((x / width) as usize).min(columns - 1)];
                *column = (column.0.min(y), column.1.max(y));
            }
            found
        };
        // At the edge of two columns, rounding may put a point into either.
        let (all, kept) = (extremes(&points), extremes(&thinned));
        for (at, (all, kept)) in all.iter().zip(&kept).enumerate() {
            let near = &kept_around(&thinned, at, width);
            prop_assert!(all == kept || (near.0 <= all.0 && near.1 >= all.1), "column {at}: {all:?} {kept:?}");
        }
    }

    #[test]
    fn thinning_and_smoothing_take_any_numbers(points in points(400), columns in 0..50usize, weight in value()) {
        let thinned = thin(&points, columns);
        prop_assert!(thinned.len() <= points.len());
        prop_assert_eq!(thinned.len().min(1), points.len().min(1));
        let smoothed = smooth(&points, weight);
        prop_assert_eq!(smoothed.len(), points.len());
        for (before, after) in points.iter().zip(&smoothed) {
            prop_assert_eq!(before.0.is_finite() && before.1.is_finite(), after.0.is_finite() && after.1.is_finite());
        }
    }

    #[test]
    fn a_smoothed_curve_stays_within_the_values(points in steps(300), weight in 0.0..1.0f64) {
        let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        let slack = (high - low) * 1e-9 + 1e-6;
        for (_, y) in smooth(&points, weight) {
            prop_assert!(y >= low - slack && y <= high + slack);
        }
    }

    #[test]
    fn a_line_keeps_its_width_and_a_number_reads_back_nearly(text in label(), max in 0..60usize, number in value()) {
        let line = words::one_line(&text, max);
        prop_assert!(unicode_width::UnicodeWidthStr::width(&*line) <= max);
        prop_assert!(line.chars().all(|c| !c.is_control()));
        let read: f64 = words::number(number).parse().expect("a number is written as one");
        prop_assert!(number.is_nan() == read.is_nan());
        prop_assert!(!number.is_finite() || (read / 2.0 - number / 2.0).abs() <= number.abs() * 5e-5 || !(1e-300..1e308).contains(&number.abs()), "{number} {read}");
    }
}

/// The extremes of the kept points in a column and at its edges.
fn kept_around(points: &[(f64, f64)], column: usize, width: f64) -> (f64, f64) {
    let (start, end) = (column as f64 * width - 1e-6, (column + 1) as f64 * width + 1e-6);
    let near = points.iter().filter(|(x, _)| (start..=end).contains(x));
    near.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p.1), high.max(p.1)))
}

#[test]
fn smoothing_does_not_depend_on_how_much_is_drawn() {
    let points = samples::loss(5000, 2.0, 0.01, 0.4, 1);
    let mut chart = chart("loss", vec![series("run 1", points.clone())]);
    chart.smooth = Some(0.9);
    let expected = smooth(&points, 0.9);
    // The ends are drawn at any width, and are the same numbers.
    let last = format!("[{:?},{:?}]", expected[4999].0, expected[4999].1);
    assert!(chart.html().contains(&last), "{last}");
    let end = |width: u32| {
        let svg = chart.svg(width, 400);
        let path =
            svg.split("stroke-width=\"1.8\"").next().and_then(|s| s.rsplit('L').next()).map(str::to_owned).expect("there is a curve");
        path.split(['"', ' ']).nth(1).expect("a height").to_owned()
    };
    assert_eq!(end(300), end(1800));
}

#[test]
fn smoothing_evenly_spaced_points_is_the_moving_average_without_its_pull_to_zero() {
    let points: Vec<(f64, f64)> = [1.0, 3.0, 2.0].iter().enumerate().map(|(x, y)| (x as f64 * 10.0, *y)).collect();
    let smoothed: Vec<f64> = smooth(&points, 0.5).iter().map(|p| p.1).collect();
    assert_eq!(smoothed[0], 1.0);
    assert!((smoothed[1] - (0.5 * 1.0 + 3.0) / 1.5).abs() < 1e-12);
    assert!((smoothed[2] - (0.25 * 1.0 + 0.5 * 3.0 + 2.0) / 1.75).abs() < 1e-12);
    // What lies far back counts for less than what lies near.
    let uneven = smooth(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (100.0, 1.0)], 0.5);
    assert!(uneven[3].1 > 0.999);
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let mut log = chart("loss", vec![series("a", vec![(1.0, 0.5), (2.0, -1.0), (3.0, 0.0), (4.0, f64::NAN), (f64::NAN, 1.0)])]);
    log.log_y = true;
    for text in [log.terminal(80, 20, false), log.svg(600, 300), log.html()] {
        assert!(text.contains("2 points left out: at or below 0"), "{text}");
        assert!(text.contains("1 NaN"), "{text}");
        assert!(text.contains("1 point left out: no number on the horizontal axis"), "{text}");
    }
    let nothing = chart("loss", vec![series("a", vec![(1.0, f64::NAN)])]);
    for text in [nothing.terminal(80, 20, false), nothing.svg(600, 300), nothing.html()] {
        assert!(text.contains("no points") && text.contains("1 NaN"), "{text}");
    }
}

#[test]
fn pictures_are_png_and_too_large_ones_are_refused() {
    for (name, chart) in samples::all() {
        let png = chart.png(640, 320).expect(name);
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
    }
    let message = samples::hostile().png(50_000, 400).expect_err("too large");
    assert!(message.contains("4000"), "{message}");
}

#[test]
fn a_character_that_the_font_of_pictures_lacks_leaves_a_box() {
    let draw = |label: &str| chart("loss", vec![series(label, vec![(0.0, 1.0), (1.0, 2.0)])]).png(400, 200).expect("a picture");
    assert_ne!(draw("短い"), draw("  "));
    assert_eq!(draw("短い"), draw("長い"));
}

#[test]
fn a_page_allows_only_its_own_style_and_script() {
    use sha2::{Digest, Sha256};
    let page = samples::report().html();
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).and_then(|s| s.split('"').next()).expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for tag in ["style", "script"] {
        let content = page.split(&format!("<{tag}>")).nth(1).and_then(|s| s.split(&format!("</{tag}>")).next()).expect(tag);
        let hash = Sha256::digest(content.as_bytes());
        let start: String = policy.split(&format!("{tag}-src 'sha256-")).nth(1).map(|s| s.chars().take(4).collect()).expect(tag);
        // The first three bytes are four letters of base64.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits = u32::from(hash[0]) << 16 | u32::from(hash[1]) << 8 | u32::from(hash[2]);
        let expected: String = (0..4).map(|at| char::from(letters[(bits >> (18 - 6 * at) & 63) as usize])).collect();
        assert_eq!(start, expected, "{tag}");
    }
    for outside in ["http://", "https://", "src=", "url(", "@import", "javascript:", " style=\""] {
        let found = page.replace("http://www.w3.org/2000/svg", "").replace("src=x onerror", "");
        assert!(!found.contains(outside), "{outside}");
    }
}

#[test]
fn local_times_name_day_and_minute() {
    let time = words::local_time(neronet_model::UnixMs(1_795_257_480_000));
    assert!(time.starts_with("2026-11-2") && time.len() == 16, "{time}");
    assert_eq!(words::local_time(neronet_model::UnixMs(i64::MAX)), "(no time)");
}
