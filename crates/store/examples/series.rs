//! How fast points go from the spool into the projection, how much room they take there, and how fast they are drawn. Prints JSON.
//! For benches/store.py, which says in which folder, and how of four metrics and runs of a million points.

use neronet_model::row::Values;
use neronet_model::{Millis, Row};
use neronet_store::recording::Recording;
use neronet_store::series::{self, Window};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().ok_or("a folder is missing")?);
    let rows: u64 = words.next().ok_or("a number of rows is missing")?.parse()?;
    let run = folder.join("run");
    let stored = folder.join("cache").join("run.series");
    let spool = write(&run, rows)?;
    let points = 4 * rows;

    let began = Instant::now();
    Recording::of(&run, Some(&stored))?;
    let ingest = began.elapsed();
    let size = fs::metadata(&stored)?.len();

    let drawn = |window| -> Result<f64, Box<dyn std::error::Error>> {
        let began = Instant::now();
        let buckets = series::draw(&run, Some(&stored), "train/loss", window, 1_000)?.ok_or("no such metric")?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        if buckets.is_empty() || buckets.len() > 1_000 {
            return Err(format!("{} buckets", buckets.len()).into());
        }
        Ok(took)
    };
    let mut warm: Vec<f64> = (0..50).map(|_| drawn(Window::ALL)).collect::<Result<_, _>>()?;
    warm.sort_by(f64::total_cmp);
    let tenth = rows as f64 / 10.0;
    let mut zoomed: Vec<f64> =
        (0..10).map(|i| drawn(Window::Position(tenth * f64::from(i), tenth * f64::from(i + 1)))).collect::<Result<_, _>>()?;
    zoomed.sort_by(f64::total_cmp);
    let mut half = [drawn(Window::Position(0.0, 4.9 * tenth))?, drawn(Window::Position(tenth, 5.9 * tenth))?];
    half.sort_by(f64::total_cmp);

    let began = Instant::now();
    let read = series::of_run(&run, Some(&stored), Some("train/loss"))?;
    let exact = began.elapsed().as_secs_f64() * 1e3;
    if read.get("train/loss").map(|series| series.points.len() as u64) != Some(rows) {
        return Err("not all points came back".into());
    }
    // Other runs with as many points: copies of what is stored, so that each is read from a file of its own.
    let others: Vec<(PathBuf, PathBuf)> =
        (0..100).map(|i| (folder.join(format!("run-{i}")), folder.join(format!("cache/{i}.series")))).collect();
    for (other, copy) in &others {
        fs::create_dir_all(other.join("attempts/1"))?;
        fs::hard_link(run.join("attempts/1/metrics.1.jsonl"), other.join("attempts/1/metrics.1.jsonl"))?;
        fs::copy(&stored, copy)?;
    }
    let began = Instant::now();
    for (other, copy) in &others {
        series::draw(other, Some(copy), "train/loss", Window::ALL, 1_000)?.ok_or("no such metric")?;
    }
    let hundred = began.elapsed().as_secs_f64() * 1e3;
    println!(
        "{}",
        serde_json::json!({
            "points": points,
            "spool_bytes": spool,
            "ingest_s": ingest.as_secs_f64(),
            "points_per_s": points as f64 / ingest.as_secs_f64(),
            "stored_bytes": size,
            "bytes_per_point": size as f64 / points as f64,
            "drawn_ms": warm[warm.len() / 2],
            "zoomed_ms": zoomed[zoomed.len() / 2],
            "half_ms": half[1],
            "exact_ms": exact,
            "hundred_ms": hundred,
        })
    );
    Ok(())
}

/// A run whose only attempt told so many rows of four metrics with six digits. Gives the bytes of its spool.
fn write(run: &Path, rows: u64) -> Result<u64, Box<dyn std::error::Error>> {
    let folder = run.join("attempts").join("1");
    fs::create_dir_all(&folder)?;
    let path = folder.join("metrics.1.jsonl");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let mut state = 42u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1u32 << 24) - 0.5
    };
    let six = |value: f64| (value * 1e6).round() / 1e6;
    let (mut t, mut at) = (0, 0);
    for step in 1..=rows {
        t += 37 + ((noise() + 0.5) * 10.0) as u64;
        at += 75;
        let decay = (-(step as f64) / 200_000.0).exp();
        let m = vec![
            ("train/loss".to_string(), six(2.3 * decay + 0.2 * noise())),
            ("train/acc".to_string(), six(1.0 - decay + 0.05 * noise())),
            ("lr".to_string(), six(0.001 * decay)),
            ("grad_norm".to_string(), six(1.0 + noise().abs())),
        ];
        let row = Row { t: Millis(t), src: "o".into(), at, step: Some(step as i64), m: Values(m), ..Row::default() };
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    Ok(fs::metadata(&path)?.len())
}
