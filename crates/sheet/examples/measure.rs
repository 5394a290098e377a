//! How long reading takes: `cargo run --release -p neronet-sheet --example measure -- [FILE]`; without a file, of a table of
//! 10,000 rows and 20 columns in each format.

use neronet_model::Value;
use neronet_sheet::{read, write_csv, write_xlsx};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(file) = std::env::args().nth(1) {
        measure(&std::fs::read(&file)?, &file);
        return Ok(());
    }
    let columns: Vec<String> = (0..20).map(|at| format!("param{at}")).collect();
    let value = |row: usize, column: usize| match column % 4 {
        0 => Value::Int((row * column) as i64),
        1 => Value::from_f64((row as f64 + 0.1) / (column as f64)),
        2 => Value::Str(format!("value {column} of {row}")),
        _ => Value::Str(["adam", "sgd", "rmsprop"][row % 3].to_string()),
    };
    let rows = || (0..10_000).map(|row| (0..20).map(|column| Some(value(row, column))).collect());
    let start = Instant::now();
    let xlsx = write_xlsx("runs.xlsx", &columns, rows())?;
    println!("written as .xlsx in {:?}", start.elapsed());
    let start = Instant::now();
    let csv = write_csv(&columns, rows());
    println!("written as .csv in {:?}", start.elapsed());
    measure(&xlsx, "runs.xlsx");
    measure(&csv, "runs.csv");
    Ok(())
}

fn measure(bytes: &[u8], name: &str) {
    let start = Instant::now();
    let result = read(bytes, name, None);
    let took = start.elapsed();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_string();
    let size = bytes.len();
    match result {
        Ok(sheet) => println!("{name}: {size} bytes, {} rows of {} columns in {took:?}; {peak}", sheet.rows.len(), sheet.columns.len()),
        Err(mistake) => println!("{mistake}\n({size} bytes in {took:?}; {peak})"),
    }
}
