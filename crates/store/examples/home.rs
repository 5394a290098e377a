//! Makes a home of many ended runs for the benchmark: `home FOLDER RUNS METRICS`. Only its journal: what listings read.

use neronet_model::attempt::End;
use neronet_model::event::{By, Extent, Process, Summary};
use neronet_model::journal::{Code, Entry, Member, Submitted, Sweep};
use neronet_model::queue::Wishes;
use neronet_model::run::KnownEnd;
use neronet_model::settings::{Command, Settings};
use neronet_model::{Attempt, AttemptNo, Millis, Outcome, Params, RunId, SweepId, Uid, UnixMs, Value};
use neronet_store::Home;
use neronet_store::journal::{Journal, Replayed};
use std::error::Error;
use std::path::Path;

const SWEEP: u64 = 100;
const BEGIN: i64 = 1_760_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, runs, metrics] = &words[..] else { return Err("home FOLDER RUNS METRICS".into()) };
    let (runs, metrics): (u64, u64) = (runs.parse()?, metrics.parse()?);
    let home = Home::at(Path::new(folder))?;
    // Makes `home.json`.
    drop(home.lock([7; 10], BEGIN as u64, |_| ())?);
    let mut known = Replayed::default();
    known.catch_up(&home.journal(), None)?;
    let mut journal = Journal::open(&home.journal(), &known)?;
    for sweep in 0..runs.div_ceil(SWEEP) {
        let members = (sweep * SWEEP + 1)..=((sweep + 1) * SWEEP).min(runs);
        let at = UnixMs(BEGIN + sweep as i64 * 600_000);
        journal.append_learned(&Entry::Submitted(vec![submitted(sweep + 1, members.clone(), at)]))?;
        for run in members {
            journal.append_learned(&ended(run, metrics, at))?;
        }
    }
    Ok(())
}

fn process() -> Process {
    Process {
        host: "workstation".into(),
        boot: "7b1f2f7e-9a3c-4f0c-8a55-0f9a7c5b2d11".into(),
        pid_namespace: 4_026_531_836,
        pid: 4_242,
        start: 99,
    }
}

fn submitted(sweep: u64, members: std::ops::RangeInclusive<u64>, at: UnixMs) -> Submitted {
    let mut settings = Settings::of(Command::Argv(vec!["python".into(), "train.py".into(), "--lr={lr}".into(), "--seed={seed}".into()]));
    settings.time_limit = Some(Millis(3_600_000));
    let member = |run: u64| Member {
        id: RunId(run),
        uid: Uid::new((at.0 + run as i64) as u64, [run as u8; 10]),
        params: Params::from_iter([
            ("lr".to_string(), Value::float(["1e-1", "1e-2", "3e-3", "1e-3"][run as usize % 4]).unwrap_or(Value::Int(0))),
            ("seed".to_string(), Value::Int((run % 25) as i64)),
            ("model.width".to_string(), Value::Int(64 << (run % 3))),
            ("optimizer".to_string(), Value::Str(["sgd", "adamw"][run as usize % 2].into())),
        ]),
        after: None,
        gpus: None,
        tags: if run.is_multiple_of(50) { vec!["best".into()] } else { Vec::new() },
        note: None,
    };
    let sweep = Sweep {
        id: SweepId(sweep),
        at,
        project: "vision".into(),
        experiment: format!("resnet-{}", sweep % 7),
        settings: settings.into(),
        varying: ["lr", "seed", "model.width", "optimizer"].map(String::from).to_vec(),
        parallel: Some(4),
        driver: process(),
        detached: true,
        code: Code::default(),
        host: "workstation".into(),
        user: "anna".into(),
        spec: None,
        best_of: Vec::new(),
        wishes: Wishes::default(),
        targets: Vec::new(),
        imported: None,
    };
    Submitted { sweep, members: members.map(member).collect() }
}

fn ended(run: u64, metrics: u64, at: UnixMs) -> Entry {
    let mut attempt = Attempt::new(AttemptNo(1));
    (attempt.begun, attempt.lasted, attempt.exit_code) = (Some(at), Some(Millis(60_000 + run % 977)), Some(0));
    (attempt.keeper, attempt.supervisor, attempt.command) = (Some(process()), Some(process()), Some(process()));
    (attempt.peak_memory_kb, attempt.cpu_ms) = (Some(812_345), Some(59_000));
    attempt.end = Some(End {
        outcome: Outcome::Finished,
        cause: None,
        at: UnixMs(at.0 + 61_000),
        last_lines: Vec::new(),
        summary: Summary::default(),
    });
    let extent = |metric: u64| {
        let last = ((run * 7_919 + metric * 104_729) % 1_000_003) as f64 / 1_000_003.0;
        let mut extent = Extent::of(last + 0.5, 1.0, By::Step);
        extent.add(last, 5_000.0, By::Step);
        extent.points = 5_000;
        extent
    };
    let name = |metric: u64| match metric {
        0 => "val_acc".to_string(),
        1 => "loss".to_string(),
        other => format!("layer/{other}/grad_norm"),
    };
    let metrics = (0..metrics).map(|metric| (name(metric), extent(metric))).collect();
    Entry::Ended { run: RunId(run), end: Box::new(KnownEnd { attempt, outcome: Outcome::Finished, started: Some(at), metrics }) }
}
