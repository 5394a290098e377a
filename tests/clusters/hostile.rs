//! Targets whose agent lies (`liar.py`): what it says is bounded and cut off, whoever looks is told, nothing of it is believed that home
//! knows better, and everybody else is served. When it says the truth again all goes on.

use crate::hosts::{folder, hosts};
use crate::lab::{Lab, processes};
use crate::world::{Said, all_below, text, wait_for, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What each says that it should not, and what whoever looks is told of that.
const LIES: [(&str, &str); 20] = [
    ("huge", "a frame of 4294967295 and 4294967295 bytes, which no neronet sends"),
    ("garbage", "a frame that this version does not know"),
    ("endless", "a frame that this version does not know"),
    ("flood", "which no neronet sends"),
    ("newer", "speaks 8 to 9, this one 1 to 1"),
    ("unasked", "answers that nobody asked for"),
    ("refused", "pwned"),
    ("above", "a file '../../../pwned' of run "),
    ("absolute", "a file '/tmp/pwned' of run "),
    ("winding", "a file 'attempts/1/../../../../pwned' of run "),
    ("fewer", "its agent sent less than it said"),
    ("more", "its agent sent more than it said"),
    ("noise", "what its agent sends as its journal is none"),
    ("opened", "run 1 there is another one"),
    // Of these nothing is to be told: they change nothing.
    ("gap", ""),
    ("empty", ""),
    ("others", ""),
    ("next", ""),
    ("claims", ""),
    ("machine", ""),
];
/// What such an agent is asked for news at most in a second.
const OFTEN: u64 = 30;
/// Kilobytes that the daemon may have had.
const MEMORY: u64 = 200_000;

/// A target whose agent says what `mode` says, and the folder where that is told.
fn liar(lab: &Lab, name: &str, mode: &str) -> (String, PathBuf) {
    let true_bin = lab.hosts.outside("alpha", &format!("{}/bin", folder()));
    let binary =
        std::fs::read_dir(&true_bin).expect("brought").flatten().find(|entry| !entry.file_name().to_string_lossy().contains(".part."));
    let binary = binary.expect("a binary");
    let place = format!("{}/{}.{name}", folder(), lab.uid());
    let bin = lab.hosts.outside("alpha", &format!("{place}/bin"));
    std::fs::create_dir_all(&bin).expect("made");
    std::fs::hard_link(binary.path(), bin.join("real")).expect("linked");
    let script = bin.join(binary.file_name());
    std::fs::write(&script, include_str!("liar.py")).expect("written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("ours");
    std::fs::write(bin.join("mode"), mode).expect("written");
    lab.hosts.exec("alpha", &["chown", "-R", "student:", &place]).with_code(0);
    (place, bin)
}

fn says(bin: &std::path::Path, mode: &str) {
    std::fs::write(bin.join("new"), mode).expect("written");
    std::fs::rename(bin.join("new"), bin.join("mode")).expect("ours");
}

/// What the daemon of this home has had of memory at most, in kilobytes.
fn most_memory(lab: &Lab) -> u64 {
    let here = lab.path("").display().to_string();
    let daemon = processes(|words, environment| words.get(1).is_some_and(|word| word == "serve") && environment.contains(&here)).next();
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.expect("a daemon"))).expect("it is there");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Nothing that they say is in a file of home but where it may be, and no link.
fn is_clean(lab: &Lab, may_have: &BTreeSet<PathBuf>) {
    for path in all_below(&lab.home()).into_iter().chain(all_below(&lab.project())) {
        let meta = path.symlink_metadata().expect("there");
        assert!(!meta.is_symlink() || !path.starts_with(lab.home().join("runs")), "{}", path.display());
        assert!(!path.file_name().is_some_and(|name| name.to_string_lossy().contains("pwned")), "{}", path.display());
        if meta.is_file() && !may_have.iter().any(|folder| path.starts_with(folder)) {
            let bytes = std::fs::read(&path).unwrap_or_default();
            assert!(!bytes.windows(6).any(|some| some == b"pwned\n"), "{}", path.display());
        }
    }
    assert!(!std::path::Path::new("/tmp/pwned").exists());
}

#[test]
fn what_a_target_says_that_is_not_so_is_cut_off_and_told_and_believed_by_nobody() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("honest", "beta"), ("home", "alpha")]);
    let liars: BTreeMap<&str, (String, PathBuf)> = LIES.iter().map(|(mode, _)| (*mode, liar(&lab, mode, mode))).collect();
    let tables = liars.iter().map(|(name, (place, _))| format!("[targets.{name}]\naddress = 'ssh://alpha'\nfolder = '{place}'\n"));
    let targets = lab.home().join("targets.toml");
    let known = std::fs::read_to_string(&targets).expect("targets");
    std::fs::write(&targets, known + &tables.collect::<String>()).expect("written");
    lab.write("work.sh", "echo begun; while [ ! -e go ]; do sleep 0.1; done; echo done\n");
    // The first is somebody else's, which liars speak of as if it were theirs.
    lab.write("honest.toml", "command = 'sh work.sh'\ntarget = 'honest'\nsweep.parallel = 4\n");
    lab.write("local.toml", "command = 'true'\ntarget = ['honest', 'local']\nsweep.parallel = 4\n");
    lab.say(&["submit", "honest.toml", "--quiet"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    for (mode, _) in LIES {
        lab.say(&["submit", "--target", mode, "--quiet", "--", "echo", "here I am"]).with_code(0);
    }
    let run_of: BTreeMap<&str, usize> = LIES.iter().enumerate().map(|(at, (mode, _))| (*mode, at + 1)).collect();
    let mut untold: BTreeSet<(&str, &str)> = LIES.into_iter().filter(|(_, told)| !told.is_empty()).collect();
    wait_for("all lies to be told", || {
        let runs = lab.list();
        assert_eq!((&runs[0]["state"], &runs[0]["attempts"]), (&"running".into(), &1.into()), "{:#}", runs[0]);
        untold.retain(|(mode, told)| {
            let run = &runs[run_of[mode]];
            assert!(run["state"] != "ended" || run["outcome"] == "finished", "{run:#}");
            let why = text(&run["reason"]);
            assert!(why.len() < 2_000, "{why}");
            !(why.contains(mode) && why.contains(told))
        });
        untold.is_empty().then_some(())
    });
    // Others are served meanwhile.
    for target in ["local", "honest"] {
        lab.say(&["submit", "local.toml", "--target", target, "--quiet", "--again", "--wait"]).with_code(0);
    }
    let screen = lab.say(&["ls", "-a"]).with_code(0).out;
    assert!(!screen.contains('\u{1b}'), "{screen:?}");
    for mode in ["gap", "empty", "others", "next", "claims"] {
        let asked = || std::fs::metadata(liars[mode].1.join("asked")).map_or(0, |meta| meta.len());
        let (before, since) = (asked(), Instant::now());
        wait_until(&format!("{mode} to be asked again"), || asked() > before && since.elapsed() > Duration::from_secs(1));
        let often = (asked() - before) / (since.elapsed().as_secs() + 1);
        assert!(often <= OFTEN, "{mode} is asked {often} times a second");
    }
    let memory = most_memory(&lab);
    assert!(memory < MEMORY, "{memory} kB");
    // The truth again.
    liars.values().for_each(|(_, bin)| says(bin, "truth"));
    let honest = wait_for("the folder of the first", || Some(lab.there("honest").join("runs/1/work")).filter(|work| work.exists()));
    std::fs::write(honest.join("go"), "").expect("written");
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
    for (mode, _) in LIES {
        assert_eq!(lab.say(&["logs", &(run_of[mode] + 1).to_string()]).with_code(0).out, "here I am\n", "{mode}");
    }
    assert_eq!(lab.output(1, 1), "begun\ndone\n");
    let next = run_of["next"] as u64 + 1;
    assert!(!lab.home().join(format!("runs/{next}/attempts/2")).exists());
    lab.say(&["retry", &next.to_string()]).with_code(0);
    assert_eq!(lab.output(next, 2), "here I am\n");
    // Nobody writes there any more.
    lab.down();
    is_clean(&lab, &LIES.iter().map(|(mode, _)| lab.home().join("targets").join(mode)).collect());
}

#[test]
fn a_check_says_what_is_wrong_with_an_agent() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("home", "alpha")]);
    let (place, bin) = liar(&lab, "liar", "truth");
    let added = lab.say(&["target", "add", "liar", "ssh://alpha", "--folder", &place]).with_code(0);
    assert!(added.out.contains("is there, and answers"), "{added:#?}");
    for (mode, told) in LIES.into_iter().filter(|(mode, _)| matches!(*mode, "endless" | "flood" | "newer" | "refused")) {
        says(&bin, mode);
        let checked = lab.say(&["target", "check", "liar"]).with_code(1);
        assert!(checked.out.contains("warning: neronet does not run there: ") && checked.out.contains(told), "{checked:#?}");
        assert!(!checked.out.contains('\u{1b}') && checked.out.len() < 4_000, "{checked:#?}");
    }
    says(&bin, "machine");
    let checked = lab.say(&["target", "check", "liar"]).with_code(0);
    assert!(checked.out.contains("pwned, 18") && !checked.out.contains('\u{1b}'), "{checked:#?}");
}

#[test]
fn a_fetch_takes_nothing_but_what_was_asked_for_as_it_was_told() {
    let Some(hosts) = hosts() else { return };
    let mut lab = Lab::new(hosts, &[("home", "alpha")]);
    let (place, bin) = liar(&lab, "liar", "truth");
    lab.add("liar", "alpha", &place);
    lab.write("work.sh", "mkdir out; head -c 3000000 /dev/zero > out/a.bin\n");
    lab.say(&["submit", "--target", "liar", "--quiet", "--wait", "--", "sh", "work.sh"]).with_code(0);
    lab.down();
    let fetch = |mode: &str| -> Said {
        says(&bin, mode);
        lab.say(&["fetch", "1", "out/*.bin"])
    };
    for (mode, told) in [
        ("list-above", "is no path within a folder"),
        ("list-other", "its agent told of 'work/pwned', which nobody asked for"),
        ("list-endless", "its agent told of more than 100000 files"),
        ("list-huge", "18 EB more are needed"),
        ("file-longer", "'work/out/a.bin'"),
        ("file-shorter", "'work/out/a.bin'"),
        ("file-grows", "'work/out/a.bin' changed while it was fetched"),
        ("file-other", "'work/out/a.bin'"),
        ("file-hash", "'work/out/a.bin'"),
        ("file-unhashed", "'work/out/a.bin' was told without its hash"),
    ] {
        let said = fetch(mode);
        assert!(said.code != Some(0) && said.err.contains(told), "{mode}: {said:#?}");
        assert!(said.err.contains("liar: ") || mode == "list-huge", "{mode}: {said:#?}");
        assert!(!lab.home().join("runs/1/work/out").exists(), "{mode}");
    }
    is_clean(&lab, &BTreeSet::new());
    fetch("truth").with_code(0);
    assert_eq!(std::fs::read(lab.home().join("runs/1/work/out/a.bin")).expect("fetched"), vec![0; 3_000_000]);
}
