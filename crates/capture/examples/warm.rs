//! Times what capture adds to a start: a git work tree of 500 files and a virtual environment of 200 packages, cold and warm.
//!
//! Read it on a machine at rest: for minutes after many files have been deleted, ext4 takes many times as long to make new ones.
//! `cargo run -q --release -p neronet-capture --example warm`

use neronet_capture::{code, devices, environment};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FILES: usize = 500;
const PACKAGES: usize = 200;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let (tree, venv) = (scratch.path().join("tree"), scratch.path().join("venv"));
    make_tree(&tree)?;
    make_venv(&venv)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(measure(scratch.path(), &tree, &venv, round)?);
        if round == 0 {
            // Until then the files count as just written.
            std::thread::sleep(Duration::from_millis(300));
            measure(scratch.path(), &tree, &venv, ROUNDS)?;
        }
    }
    println!("{:<14}{:>10}{:>10}{:>10}", "ms", "cold", "median", "best");
    for (i, (name, cold)) in rounds[0].iter().enumerate() {
        let mut warm: Vec<f64> = rounds[1..].iter().map(|round| round[i].1).collect();
        warm.sort_by(f64::total_cmp);
        println!("{name:<14}{cold:>10.2}{:>10.2}{:>10.2}", warm[warm.len() / 2], warm[0]);
    }
    Ok(())
}

fn measure(scratch: &Path, tree: &Path, venv: &Path, round: usize) -> Result<Vec<(&'static str, f64)>, Box<dyn Error>> {
    let (cache, snapshots, work) = (scratch.join("cache"), scratch.join("snapshots"), scratch.join(format!("work{round}")));
    let env: Vec<(String, String)> = std::env::vars().collect();
    let mut steps = Vec::new();
    let all = Instant::now();
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let described = scope.spawn(|| {
            let begin = Instant::now();
            std::hint::black_box((environment::describe(&env, Some(venv), None, &cache), devices::describe()));
            begin.elapsed()
        });
        let mut begin = Instant::now();
        let mut lap = |name| {
            steps.push((name, ms(begin.elapsed())));
            begin = Instant::now();
        };
        let survey = code::survey(tree, None, &code::Caps::default(), &cache)?;
        lap("survey");
        let hash = code::store(&survey, &snapshots)?;
        lap("store");
        code::materialise(&snapshots, &hash, &work, &[], &survey.top)?;
        lap("work copy");
        if survey.files.len() != FILES + 2 {
            return Err(format!("{} files instead of {}: {:?}", survey.files.len(), FILES + 2, survey.left_out).into());
        }
        let described = described.join().map_err(|_| "the description failed")?;
        steps.push(("environment", ms(described)));
        Ok(())
    })?;
    steps.push(("total", ms(all.elapsed())));
    Ok(steps)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn make_tree(tree: &Path) -> Result<(), Box<dyn Error>> {
    for i in 0..FILES {
        let folder = tree.join(format!("pkg{}/sub{}", i % 10, i % 4));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("module{i}.py")), format!("# module {i}\n").repeat(60 + i))?;
    }
    for words in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "first"]] {
        let status = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=n@example.org", "-C"])
            .arg(tree)
            .args(words)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status();
        if !status?.success() {
            return Err("git failed".into());
        }
    }
    std::fs::write(tree.join("untracked.py"), "print(1)\n")?;
    std::fs::write(tree.join("notes.txt"), "untracked too\n")?;
    Ok(())
}

fn make_venv(venv: &Path) -> Result<(), Box<dyn Error>> {
    let site = venv.join("lib/python3.11/site-packages");
    for i in 0..PACKAGES {
        let info = site.join(format!("package_{i}-1.{i}.0.dist-info"));
        std::fs::create_dir_all(&info)?;
        std::fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: package-{i}\nVersion: 1.{i}.0\n"))?;
        std::fs::create_dir_all(site.join(format!("package_{i}")))?;
    }
    std::fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")?;
    std::fs::create_dir_all(venv.join("bin"))?;
    std::fs::write(venv.join("bin/python"), "")?;
    Ok(())
}
