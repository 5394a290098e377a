//! How long asking takes: `cargo run --release -p neronet-query --example asking -- [ROWS]`; without a number, of 100,000 runs.

use jiff::tz::TimeZone;
use neronet_model::{UnixMs, Value};
use neronet_query::{Cells, Clock, Column, Filter, Order, Page, Rows, Table, Unit, Unknown, groups, sort_keys};
use std::time::{Duration, Instant};

const NOW: i64 = 1_795_348_800_000;

struct Runs {
    state: (Vec<u32>, Vec<Vec<Value>>),
    lr: (Vec<u32>, Vec<Value>),
    seed: (Vec<u32>, Vec<Value>),
    acc: Vec<f64>,
    there: Rows,
    started: Vec<i64>,
}

impl Runs {
    fn new(count: usize) -> Runs {
        let code = |row: usize, of: usize| u32::try_from(row * 7_919 % 104_729 % of).unwrap_or_default();
        let text = |word: &str| Value::Str(word.to_string());
        let pair = |a: &str, b: &str| vec![text(a), text(b)];
        Runs {
            state: (
                (0..count).map(|row| code(row, 4)).collect(),
                vec![pair("finished", "ended"), pair("failed", "ended"), pair("stopped", "ended"), vec![text("queued")]],
            ),
            lr: ((0..count).map(|row| code(row, 50)).collect(), (1..=50).map(|n| Value::from_f64(f64::from(n) / 1000.0)).collect()),
            seed: ((0..count).map(|row| row as u32).collect(), (0..count).map(|row| Value::Int(row as i64)).collect()),
            acc: (0..count).map(|row| f64::from(code(row, 1000)) / 1000.0).collect(),
            there: Rows::all(count),
            started: (0..count).map(|row| NOW - row as i64 * 10_000).collect(),
        }
    }
}

impl Table for Runs {
    fn rows(&self) -> usize {
        self.acc.len()
    }

    fn column(&self, name: &str) -> Result<Column<'_>, Unknown> {
        Ok(match name {
            "state" => Cells::Sets { codes: &self.state.0, sets: &self.state.1 },
            "lr" => Cells::Values { codes: &self.lr.0, entries: &self.lr.1 },
            "seed" => Cells::Values { codes: &self.seed.0, entries: &self.seed.1 },
            "started" => Cells::Times(&self.started),
            _ => Cells::Numbers { values: &self.acc, there: &self.there, unit: Unit::Float },
        }
        .into())
    }
}

/// The shortest of twenty times.
fn best<T>(what: &str, mut does: impl FnMut() -> T) {
    let mut shortest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        std::hint::black_box(does());
        shortest = shortest.min(start.elapsed());
    }
    println!("{what}: {shortest:?}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let table = Runs::new(count);
    let clock = Clock { now: UnixMs(NOW), zone: TimeZone::UTC };
    let text = "state == ended and acc > 0.9 and lr in [0.01, 0.02, 0.03] and started > \"10 days ago\"";
    println!("{count} rows");
    best("reading a filter of four comparisons", || Filter::parse(text));
    for text in [text, "acc > 0.9", "state == failed", "lr > 0.02", "seed > 500", "seed ~ 99", "started > yesterday"] {
        let filter = Filter::parse(text)?;
        println!("  {} rows hold", filter.rows(&table, &clock)?.total());
        best(text, || filter.rows(&table, &clock));
    }
    let all = Rows::all(count);
    for keys in ["-acc", "lr,-acc", "seed"] {
        let sorted = sort_keys(keys)?;
        best(&format!("the first 50 by {keys}"), || {
            Order::by(&table, &sorted, keys).map(|order| order.page(&all, Page { limit: Some(50), ..Page::default() }))
        });
        best(&format!("all by {keys}"), || Order::by(&table, &sorted, keys).map(|order| order.page(&all, Page::default())));
    }
    let (by, metric) = (sort_keys("lr,state")?, sort_keys("acc")?);
    let found = groups(&table, &all, &by, &metric, "lr,state")?;
    best(&format!("{} groups, without intervals", found.len()), || groups(&table, &all, &by, &metric, "lr,state"));
    let five = groups(&table, &all, &sort_keys("seed")?, &metric, "seed")?.len();
    println!("  {five} groups of one");
    best("an interval of 5 values", || neronet_query::interval(&[0.1, 0.2, 0.3, 0.4, 0.5]));
    best("an interval of 500 values", || neronet_query::interval(&table.acc[..500.min(count)]));
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}
