//! How many lines a second the readers take: `cargo run --release -p neronet-scrape --example speed`.

use neronet_scrape::{Found, Scraper, metrics_line};
use std::time::Instant;

fn main() {
    let lines = [
        "[12/50] loss 0.31 acc 0.93",
        "step=12 loss=0.31",
        "Epoch 3: 45%|████▌     | 45/100 [00:12<00:15, 3.6it/s, v_num=0, train_loss=0.23]",
        "{'loss': 0.31, 'grad_norm': 1.2, 'learning_rate': 2e-05, 'epoch': 0.5}",
        "{\"step\": 12, \"loss\": 0.31, \"train/acc\": 0.93}",
        "Saving the model and the state of the optimizer.",
        "2024-01-02 12:00:01,123 INFO loaded 50000 images from /data/imagenet in 12.3 s",
        "2024-01-02 12:00:01,123 INFO Epoch 3 [12/50] loss 0.31 acc 0.93",
    ];
    let mut found = Found::default();
    for line in lines {
        let mut scraper = Scraper::default();
        print(line, || scraper.line(line, &mut found));
    }
    let row = lines[4];
    print("the same in $NERONET_METRICS", || {
        // The row is one that can be read.
        let _ = metrics_line(row, &mut found);
    });
}

fn print(what: &str, mut read: impl FnMut()) {
    const ROUNDS: u32 = 500_000;
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        read();
    }
    let rate = f64::from(ROUNDS) / begin.elapsed().as_secs_f64() / 1e6;
    println!("{rate:6.2} million lines/s  {what}");
}
