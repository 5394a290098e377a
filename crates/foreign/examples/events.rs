//! Reads the event files below a folder as fast as it can, and says how fast that was: `events FOLDER`. `events FOLDER 1000000` first
//! writes a file with that many points into it, as PyTorch does: one value in each event.

use neronet_foreign::tensorboard::{EventWriter, file_name};
use neronet_foreign::{Artifact, Metric, Output, Refusal, Row, Run, Sink, Text, Wanted, look, read};
use neronet_model::{Outcome, UnixMs, Value};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

/// Adds values up, so that none of them is left out.
#[derive(Default)]
struct Sum {
    metrics: usize,
    sum: f64,
}

impl Sink for Sum {
    fn begin(&mut self, _: &Run) -> Result<Wanted, Refusal> {
        Ok(Wanted::All)
    }
    fn metric(&mut self, _: Metric, _: &str) -> Result<(), Refusal> {
        self.metrics += 1;
        Ok(())
    }
    fn row(&mut self, row: Row<'_>) -> Result<(), Refusal> {
        self.sum += row.values.iter().map(|(_, value)| value).sum::<f64>();
        Ok(())
    }
    fn restarted(&mut self, _: i64) -> Result<(), Refusal> {
        Ok(())
    }
    fn text(&mut self, _: Text<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn output(&mut self, _: Output<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn artifact(&mut self, _: Artifact<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn end(&mut self, _: &Run) -> Result<(), Refusal> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(words.first().ok_or("usage: events FOLDER [POINTS]")?);
    if let Some(points) = words.get(1) {
        let points: i64 = points.parse()?;
        let begun = UnixMs(1_700_000_000_000);
        std::fs::create_dir_all(folder)?;
        let file = BufWriter::new(File::create(folder.join(file_name(begun, "lab1", 1, 0)))?);
        let mut writer = EventWriter::new(file, begun)?;
        writer
            .params(begun, &[("lr".to_string(), Value::as_typed("1e-3")), ("fast".to_string(), Value::Bool(true))].into_iter().collect())?;
        writer.text(begun, 0, "note", "written by an example")?;
        for point in 0..points {
            let name = ["train/loss", "train/acc", "lr", "val/loss"][(point % 4) as usize];
            writer.scalars(UnixMs(begun.0 + point), point / 4, &[(name, 1.0 / (point + 1) as f64)])?;
        }
        writer.ended(UnixMs(begun.0 + points), Outcome::Finished)?;
        writer.flush()?;
    }
    for source in look(folder)?.sources {
        let begun = Instant::now();
        let mut sum = Sum::default();
        let report = read(&source, &mut sum)?;
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{}: {} points of {} metrics (sum {}), {} bytes in {:.1} ms: {:.0} MB/s, {:.1} million points/s; {} notices",
            source.name(),
            report.points,
            sum.metrics,
            sum.sum,
            report.bytes,
            seconds * 1e3,
            report.bytes as f64 / 1e6 / seconds,
            report.points as f64 / 1e6 / seconds,
            report.notices.len(),
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}
