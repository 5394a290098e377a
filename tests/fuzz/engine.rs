//! One target after the other: its seeds, then mutations of them, with what a failure leaves behind.

use crate::memory;
use crate::mutate::{Random, mutated};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Mutations of the slowest target.
const CASES: u64 = 200;
/// Larger samples are left to tests of their own.
const LARGEST_SEED: u64 = 64 << 10;
/// Of one input; reached only by a reader that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Target<'t> {
    pub(crate) name: &'static str,
    /// Reads these bytes; the folder is empty, and its own.
    pub(crate) read: &'t dyn Fn(&[u8], &Path),
    pub(crate) quick: u64,
    pub(crate) memory: usize,
    pub(crate) samples: &'static [&'static str],
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn stress(target: &Target<'_>) {
    let (cases, seed) = (number("FUZZ_CASES", CASES) * target.quick, number("FAULT_SEED", 1));
    let seeds = corpus(target);
    assert!(!seeds.is_empty(), "{} has no corpus", target.name);
    let mut random = Random::of(target.name, seed);
    let folder = scratch();
    let mut trial = Trial { target, folder: folder.path(), input: kept(target.name), clock: Clock::start(target.name) };
    for (name, bytes) in &seeds {
        trial.run(bytes, &format!("the seed {name}"));
    }
    let bytes: Vec<&[u8]> = seeds.iter().map(|(_, bytes)| &bytes[..]).collect();
    for case in 0..cases {
        trial.run(&mutated(&bytes, &mut random), &format!("case {case} of FAULT_SEED={seed}"));
    }
    std::fs::remove_file(&trial.input).ok();
    println!("{}: {} seeds, {cases} mutations (FAULT_SEED={seed})", target.name, seeds.len());
}

struct Trial<'t> {
    target: &'t Target<'t>,
    folder: &'t Path,
    /// What is being tried: whoever is killed, aborts or hangs leaves it there.
    input: PathBuf,
    clock: Clock,
}

impl Trial<'_> {
    fn run(&mut self, bytes: &[u8], which: &str) {
        for entry in std::fs::read_dir(self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(&path).unwrap() } else { std::fs::remove_file(&path).unwrap() }
        }
        std::fs::write(&self.input, bytes).unwrap();
        self.clock.tick();
        let (read, folder) = (self.target.read, self.folder);
        let (ended, most) = memory::measured(|| catch_unwind(AssertUnwindSafe(|| read(bytes, folder))));
        let (name, input) = (self.target.name, self.input.display());
        let advice = format!("the input is {input}; once it is mended, put it into testdata/corpora/{name}/");
        assert!(ended.is_ok(), "{name}: {which} failed; {advice}");
        assert!(most <= self.target.memory, "{name}: {which} took {} MiB; {advice}", most >> 20);
    }
}

fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}-{}.input", std::process::id()))
}

/// In memory where there is such a place: thousands of small folders are made.
fn scratch() -> tempfile::TempDir {
    let builder = |place: Option<&str>| {
        let mut builder = tempfile::Builder::new();
        builder.prefix("neronet-fuzz-");
        place.map_or_else(|| builder.tempdir(), |place| builder.tempdir_in(place))
    };
    builder(Some("/dev/shm")).or_else(|_| builder(None)).unwrap()
}

/// The seeds by their names, in the same order everywhere.
fn corpus(target: &Target<'_>) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    collect(&repository().join("testdata/corpora").join(target.name), &mut all);
    for sample in target.samples {
        let before = all.len();
        collect(&repository().join(sample), &mut all);
        assert!(all.len() > before, "{sample} is not there");
    }
    all.sort();
    all
}

fn collect(path: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), into));
    } else if path.metadata().is_ok_and(|known| known.len() <= LARGEST_SEED) {
        into.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
}

/// Ends the whole test where one input takes too long: nobody can stop a thread.
struct Clock {
    ticks: Arc<AtomicU64>,
}

impl Clock {
    fn start(name: &'static str) -> Clock {
        let ticks = Arc::new(AtomicU64::new(0));
        let seen = Arc::downgrade(&ticks);
        std::thread::spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            while let Some(ticks) = seen.upgrade() {
                let now = ticks.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                }
                if since.elapsed() > PATIENCE {
                    eprintln!("{name}: it hangs at {}", kept(name).display());
                    std::process::abort();
                }
                drop(ticks);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        Clock { ticks }
    }

    fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}
