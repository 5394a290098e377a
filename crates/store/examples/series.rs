//! How fast points go from the spool into the projection, how much room they take there and in a sealed spool, and how fast they are
//! drawn, also with nothing of them in memory. Everything in one thread. Prints JSON. For benches/store.py and benches/trackers.py,
//! which say in which folder, and how many rows of four metrics: `series FOLDER ROWS`. With the word `stored` behind it nothing is drawn.

use neronet_model::row::Values;
use neronet_model::{Millis, Row};
use neronet_store::recording::Recording;
use neronet_store::sealed;
use neronet_store::series::{self, Window};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The only segment of a run's rows, below its folder.
const SPOOL: &str = "attempts/1/metrics.1.jsonl";
/// How often the points are brought into the projection.
const INGESTS: usize = 3;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Measured {
    folder: PathBuf,
    run: PathBuf,
    stored: PathBuf,
    rows: u64,
}

fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().ok_or("a folder is missing")?);
    let rows: u64 = words.next().ok_or("a number of rows is missing")?.parse()?;
    let measured = Measured { run: folder.join("run"), stored: folder.join("cache").join("run.series"), folder, rows };
    let spool = write(&measured.run, rows)?;
    let mut found = measured.stored(spool)?;
    if words.next().as_deref() != Some("stored") {
        found.extend(measured.drawn()?);
    }
    println!("{}", Value::Object(found));
    Ok(())
}

impl Measured {
    /// Brings the points into the projection, and seals some.
    fn stored(&self, spool: u64) -> Outcome<Map<String, Value>> {
        let mut times = Vec::new();
        for _ in 0..INGESTS {
            fs::remove_file(&self.stored).or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
            let began = Instant::now();
            Recording::of(&self.run, Some(&self.stored))?;
            times.push(began.elapsed().as_secs_f64());
        }
        let ingest = median(times);
        let points = (4 * self.rows) as f64;
        let size = fs::metadata(&self.stored)?.len();
        Ok(named([
            ("points", points),
            ("spool_bytes", spool as f64),
            ("ingest_s", ingest),
            ("points_per_s", points / ingest),
            ("stored_bytes", size as f64),
            ("bytes_per_point", size as f64 / points),
            ("sealed_bytes_per_point", sealed_bytes_per_point(&self.run.join(SPOOL), &self.folder.join("sealed.zst"))?),
        ]))
    }

    /// Draws them.
    fn drawn(&self) -> Outcome<Map<String, Value>> {
        let warm = (0..50).map(|_| self.draw(Window::ALL)).collect::<Outcome<_>>()?;
        let tenth = self.rows as f64 / 10.0;
        let part = |i| self.draw(Window::Position(tenth * f64::from(i), tenth * f64::from(i + 1)));
        let zoomed = (0..10).map(part).collect::<Outcome<_>>()?;
        let half = self.draw(Window::Position(0.0, 4.9 * tenth))?.max(self.draw(Window::Position(tenth, 5.9 * tenth))?);
        let mut found = named([("drawn_ms", median(warm)), ("zoomed_ms", median(zoomed)), ("half_ms", half), ("exact_ms", self.exact()?)]);
        found.extend(named([("hundred_ms", self.hundred()?)]));
        let cold = self.cold(15, forget_files)?.ok_or("the files cannot be put out of memory")?;
        found.extend(named([("cold_ms", cold)]));
        found.extend(self.cold(5, forget_everything)?.into_iter().flat_map(|all| named([("cold_machine_ms", all)])));
        Ok(found)
    }

    /// The milliseconds that a chart of one metric takes.
    fn draw(&self, window: Window) -> Outcome<f64> {
        let began = Instant::now();
        let buckets = series::draw(&self.run, Some(&self.stored), "train/loss", window, 1_000)?.ok_or("no such metric")?;
        let took = milliseconds(began);
        if buckets.is_empty() || buckets.len() > 1_000 {
            return Err(format!("{} buckets", buckets.len()).into());
        }
        Ok(took)
    }

    /// The same of files that are on the disk alone; `None` where they cannot be put out of memory like this.
    fn cold(&self, rounds: usize, forget: fn(&[&Path]) -> io::Result<()>) -> Outcome<Option<f64>> {
        let mut times = Vec::new();
        for _ in 0..rounds {
            if forget(&[&self.stored, &self.run.join(SPOOL)]).is_err() {
                return Ok(None);
            }
            times.push(self.draw(Window::ALL)?);
        }
        Ok(Some(median(times)))
    }

    /// Every point of one metric.
    fn exact(&self) -> Outcome<f64> {
        let began = Instant::now();
        let read = series::of_run(&self.run, Some(&self.stored), Some("train/loss"))?;
        let took = milliseconds(began);
        if read.get("train/loss").map(|series| series.points.len() as u64) != Some(self.rows) {
            return Err("not all points came back".into());
        }
        Ok(took)
    }

    /// A chart of other runs with as many points: copies of what is stored, so that each is read from a file of its own.
    fn hundred(&self) -> Outcome<f64> {
        let others: Vec<(PathBuf, PathBuf)> =
            (0..100).map(|i| (self.folder.join(format!("run-{i}")), self.folder.join(format!("cache/{i}.series")))).collect();
        for (other, copy) in &others {
            fs::create_dir_all(other.join("attempts/1"))?;
            fs::hard_link(self.run.join(SPOOL), other.join(SPOOL))?;
            fs::copy(&self.stored, copy)?;
        }
        let began = Instant::now();
        for (other, copy) in &others {
            series::draw(other, Some(copy), "train/loss", Window::ALL, 1_000)?.ok_or("no such metric")?;
        }
        Ok(milliseconds(began))
    }
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn named<const N: usize>(numbers: [(&str, f64); N]) -> Map<String, Value> {
    numbers.into_iter().map(|(name, number)| (name.to_string(), number.into())).collect()
}

/// Puts files out of the page cache, which the disk has already.
fn forget_files(files: &[&Path]) -> io::Result<()> {
    for path in files {
        posix_fadvise(File::open(path)?, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    }
    Ok(())
}

/// Puts out all else with them, also what is known of folders: for root alone.
fn forget_everything(files: &[&Path]) -> io::Result<()> {
    forget_files(files)?;
    fs::write("/proc/sys/vm/drop_caches", "1")
}

/// What the last tenth of a spool takes when it is sealed; its numbers are the longest.
fn sealed_bytes_per_point(spool: &Path, to: &Path) -> Outcome<f64> {
    let mut from = BufReader::new(File::open(spool)?);
    from.seek(SeekFrom::Start(fs::metadata(spool)?.len() / 10 * 9))?;
    from.read_until(b'\n', &mut Vec::new())?;
    let mut rows = Vec::new();
    from.read_to_end(&mut rows)?;
    let original = sealed::measure(&mut rows.as_slice())?;
    sealed::write(&original, &mut rows.as_slice(), &mut File::create(to)?, &|| true)?;
    let points = 4 * rows.iter().filter(|&&byte| byte == b'\n').count();
    Ok(fs::metadata(to)?.len() as f64 / points as f64)
}

/// A run whose only attempt told so many rows of four metrics with six digits. Gives the bytes of its spool.
fn write(run: &Path, rows: u64) -> Outcome<u64> {
    let path = run.join(SPOOL);
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
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
