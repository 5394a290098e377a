//! Every reader with bytes that nobody should have written: the seeds of its corpus as they are, then mutated. None may panic, hang, take
//! memory without bound or write outside of its folder; where what is read can be written again, it reads back the same.
//!
//! A target is a function over bytes and an empty folder (`records`, `beside`, `words`, `tables`, `trackers`, `requests`), its corpus is a folder of
//! `testdata/corpora/` and whatever samples of the repository suit it. `FUZZ_CASES` says how many mutations are tried of the slowest
//! reader, of others a multiple; `FAULT_SEED` says which. An input that fails is kept, and said where: mended, it is a seed.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod beside;
mod engine;
mod memory;
mod mutate;
mod records;
mod requests;
mod sections;
mod tables;
mod trackers;
mod words;

use engine::Target;

/// A test for each target: its corpus, other samples that are seeds too, how many times as quick as the slowest it is, and how many MiB
/// it may take at a time.
macro_rules! targets {
    ($($name:ident: $read:path, quick $quick:literal, $memory:literal MiB, and $samples:expr;)*) => {$(
        #[test]
        fn $name() {
            engine::stress(&Target { name: stringify!($name), read: &$read, quick: $quick, memory: $memory << 20, samples: &$samples });
        }
    )*};
}

targets! {
    journal: records::journal, quick 2, 64 MiB, and ["testdata/formats/1/journal/1.log", "testdata/formats/1-language/journal/1.log"];
    entries: records::entries, quick 2, 64 MiB, and [];
    lines: records::lines, quick 10, 64 MiB, and [];
    sealed: records::sealed, quick 10, 64 MiB, and ["testdata/formats/1-sealed/runs"];
    attempts: records::attempts, quick 4, 64 MiB, and [];
    series: records::series, quick 20, 320 MiB, and [];
    columns: neronet_series::bytes::column, quick 20, 320 MiB, and [];
    projection: records::projection, quick 20, 64 MiB, and ["testdata/projection"];
    containers: records::containers, quick 10, 160 MiB, and [];
    bundles: records::bundles, quick 1, 160 MiB, and [];
    snapshots: records::snapshots, quick 4, 64 MiB, and [];
    parcels: records::parcels, quick 2, 160 MiB, and ["testdata/corpora/containers"];
    settings: beside::settings, quick 4, 64 MiB, and ["testdata/formats/1/home.json"];
    positions: beside::positions, quick 10, 64 MiB, and [];
    queries: words::queries, quick 20, 64 MiB, and [];
    specifications: words::specifications, quick 2, 64 MiB, and ["testdata/formats/1-language/runs/2/work/neronet.toml"];
    targets: words::targets, quick 4, 64 MiB, and [];
    channels: beside::channels, quick 10, 64 MiB, and [];
    edits: words::edits, quick 10, 64 MiB, and [];
    printed: words::printed, quick 1, 64 MiB, and ["crates/scrape/tests/corpus"];
    drafts: words::drafts, quick 2, 64 MiB, and [];
    sheets: tables::sheets, quick 4, 64 MiB, and ["crates/sheet/tests/data"];
    packages: tables::packages, quick 2, 64 MiB, and [];
    points: tables::points, quick 1, 64 MiB, and [];
    parquet: tables::parquet, quick 10, 320 MiB, and [];
    tensorboard: trackers::tensorboard, quick 10, 64 MiB, and ["crates/foreign/tests/samples/tensorboard"];
    wandb: trackers::wandb, quick 10, 64 MiB, and ["crates/foreign/tests/samples/wandb"];
    folders: trackers::folders, quick 1, 64 MiB, and [];
}

#[test]
fn requests() {
    let daemon = requests::Daemon::start();
    engine::stress(&Target { name: "requests", read: &|bytes, _| daemon.read(bytes), quick: 1, memory: 64 << 20, samples: &[] });
}
