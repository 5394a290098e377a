//! Charts as they occur, and as they should not; all from formulas, the same on every machine.

use neronet_report::{Cell, Chart, Column, Part, Report, Section, Series, Style, Table};

pub(crate) fn series(label: &str, points: Vec<(f64, f64)>) -> Series {
    Series { label: label.to_owned(), points, superseded: Vec::new() }
}

pub(crate) fn chart(title: &str, series: Vec<Series>) -> Chart {
    Chart { title: title.to_owned(), x_label: "step".to_owned(), y_label: title.to_owned(), series, ..Chart::default() }
}

/// A loss that falls, with noise from a small generator.
pub(crate) fn loss(count: usize, start: f64, speed: f64, noise: f64, seed: u32) -> Vec<(f64, f64)> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..count)
        .map(|step| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = noise * (f64::from(state >> 8) / f64::from(1 << 23) - 1.0);
            let level = start / (1.0 + speed * step as f64) + 0.08;
            (step as f64, round(level * (1.0 + noise)))
        })
        .collect()
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

pub(crate) fn all() -> Vec<(&'static str, Chart)> {
    let mut spikes = loss(1500, 2.3, 0.01, 0.1, 1);
    spikes[850].1 = 14.0;
    spikes[1200].1 = 9.0;
    let mut broken = loss(400, 2.3, 0.02, 0.05, 2);
    for point in &mut broken[150..170] {
        point.1 = f64::NAN;
    }
    broken[300].1 = f64::INFINITY;
    let names = ["lr0.1-seed0", "lr0.1-seed1", "lr0.01-seed0", "lr0.01-seed1", "lr0.001-seed0", "lr0.001-seed1"];
    let six = names.iter().enumerate().map(|(at, name)| {
        let points = loss(300 - 20 * at, 2.3, 0.08 / (1.0 + at as f64 * 1.5), 0.04, at as u32);
        series(&format!("cifar10-resnet18-{name}"), points)
    });
    let twenty = (0..20).map(|at| series(&format!("run {}", at + 101), loss(200, 1.0 + f64::from(at) * 0.15, 0.03, 0.02, at)));
    let mut resumed = series("run 42", loss(500, 2.3, 0.02, 0.05, 3));
    resumed.superseded = loss(330, 2.3, 0.02, 0.05, 3).into_iter().skip(280).map(|(x, y)| (x, y * 1.25)).collect();
    let mut log = chart("loss", vec![series("sgd", loss(600, 40.0, 0.5, 0.2, 4)), series("adam", loss(600, 8.0, 2.0, 0.2, 5))]);
    log.log_y = true;
    log.log_x = true;
    log.series[0].points[300].1 = -0.5;
    let mut smooth =
        chart("train/loss", vec![series("run 7", loss(400, 2.3, 0.03, 0.5, 6)), series("run 8", loss(400, 1.6, 0.03, 0.5, 7))]);
    smooth.smooth = Some(0.9);
    let tiny = (0..60).map(|step| (f64::from(step), 0.97312 + 0.00003 * (f64::from(step) / 59.0))).collect();
    let huge = (0..60).map(|step| (f64::from(step) * 1e6, 3.0e12 * f64::from(step * step))).collect();
    let long =
        "a title that goes on and on about what was varied, how, on which machine, and why nobody should read it to its end ".repeat(2);
    let mut long = chart(
        &long,
        vec![
            series(&"experiment-with-a-very-long-name/".repeat(4), loss(50, 1.0, 0.1, 0.0, 8)),
            series("短い学習率", loss(50, 2.0, 0.1, 0.0, 9)),
        ],
    );
    long.x_label = "seconds since the beginning of the first attempt on the machine ".repeat(3);
    vec![
        ("one", chart("val_error", vec![series("run 12", loss(40, 0.9, 0.2, 0.05, 0))])),
        ("six", chart("loss", six.collect())),
        ("twenty", chart("loss", twenty.collect())),
        ("spikes", chart("grad_norm", vec![series("", spikes)])),
        ("broken", chart("loss", vec![series("run 3", broken), series("run 4", loss(400, 1.8, 0.02, 0.05, 11))])),
        ("resumed", chart("loss", vec![resumed])),
        ("log", log),
        ("smooth", smooth),
        ("tiny", chart("accuracy", vec![series("run 5", tiny)])),
        ("huge", chart("tokens", vec![series("run 6", huge)])),
        ("long", long),
        ("point", chart("test_error", vec![series("run 1", vec![(10.0, 0.31)]), series("run 2", vec![(10.0, 0.29)])])),
        ("empty", chart("loss", vec![series("run 9", vec![])])),
        ("hostile", hostile()),
    ]
}

pub(crate) fn named(name: &str) -> Chart {
    all().into_iter().find(|(n, _)| *n == name).expect("a sample of this name").1
}

pub(crate) fn hostile() -> Chart {
    let name = "</script><script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\"'&\u{202e}\u{0}]]>";
    Chart {
        title: name.to_owned(),
        x_label: name.to_owned(),
        y_label: name.to_owned(),
        series: vec![series(name, loss(9, 1.0, 0.1, 0.0, 0)), series("<img src=x onerror=alert(1)>", vec![(3.0, 0.5)])],
        ..Chart::default()
    }
}

pub(crate) fn table() -> Table {
    let columns =
        vec![Column::right("run"), Column::left("experiment"), Column::left("state"), Column::right("loss"), Column::left("note")];
    let row = |run: &str, name: &str, state: &str, style: Style, loss: &str, note: &str| {
        vec![
            Cell::styled(run, Style::Strong),
            Cell::plain(name),
            Cell::styled(state, style),
            Cell::plain(loss),
            Cell::styled(note, Style::Faint),
        ]
    };
    Table {
        columns,
        rows: vec![
            row("9", "cifar10-resnet18-lr0.1-seed0", "finished", Style::Good, "0.3124", ""),
            row("10", "cifar10-resnet18-lr0.01-seed0", "failed", Style::Bad, "NaN", "CUDA out of memory\nafter step 12"),
            row("101", "短い学習率", "running", Style::Plain, "1.2e-05", "<b>no markup</b> \x1b[31mno colour"),
            vec![Cell::plain("102"), Cell::plain("short row")],
        ],
    }
}

pub(crate) fn report() -> Report {
    let find = |name: &str| Part::Chart(named(name));
    let facts = [
        ("command", "python train.py --lr 0.1 --out <dir>"),
        ("host", "gpu1"),
        ("commit", "3f2c1a0 (dirty: train.py)"),
        ("duration", "1 h 03 min"),
    ];
    Report {
        title: "cifar: six learning rates".to_owned(),
        subtitle: "Runs 9 to 14 · 2026-11-21 10:38".to_owned(),
        sections: vec![
            Section {
                heading: "Summary".to_owned(),
                parts: vec![
                    Part::Text("The best of six runs is run 9 with a loss of 0.31.\n\nOne failed & was not retried.".to_owned()),
                    Part::Facts(facts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()),
                    Part::Table(table()),
                ],
            },
            Section { heading: "Curves".to_owned(), parts: ["six", "broken", "resumed", "point", "empty", "hostile"].map(find).to_vec() },
            Section {
                heading: "Last lines".to_owned(),
                parts: vec![Part::Code {
                    title: "run 10".to_owned(),
                    text: "Traceback (most recent call last):\n\x1b[31mRuntimeError\x1b[0m: <CUDA out of memory>\n".to_owned(),
                }],
            },
        ],
    }
}
