//! `neronet target check`: what targets say of themselves, and what would be in the way of runs there.

use crate::args::TargetCheck;
use crate::commands::page::Page;
use crate::commands::progress::Progress;
use crate::commands::shared::{self, Machine, Shared};
use crate::commands::shell::bringing;
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, at_target, targets};
use neronet_model::queue::Gpu;
use neronet_model::size::grouped;
use neronet_model::target::{Target, Transport};
use neronet_report::{Style, words};
use neronet_target::probe::{Folder, Found};
use neronet_target::ssh::Ssh;
use neronet_target::wire::{Ask, Place, Reply};
use neronet_target::{Trouble, folder};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that is so far off makes times of files misleading.
const CLOCK_MS: i64 = 5_000;
/// A driver may have to be woken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn check(session: &Session, words: &TargetCheck) -> Result<ExitCode, HomeError> {
    Ok(exit_code(&checked(session, words)?))
}

/// Whether all were reached, and neronet runs there.
pub(crate) fn exit_code(asked: &[Asked]) -> ExitCode {
    let trouble = |asked: &Asked| match &asked.answer {
        Err(_) => Some(HomeError::Target(String::new())),
        Ok(checked) => matches!(checked.agent, Some(Err(_))).then(|| HomeError::Failed(String::new())),
    };
    // Not to be reached counts more.
    ExitCode::from(asked.iter().filter_map(trouble).map(|error| error.exit_code()).max().unwrap_or(0))
}

/// A target, and what came of asking it.
pub(crate) struct Asked {
    name: String,
    target: Target,
    answer: Result<Checked, Trouble>,
    /// What it has in common with others: the machine, folders.
    shared: Shared,
}

impl Asked {
    /// The home of neronet that its folder lies in.
    pub(crate) fn is_in_a_home(&self) -> Option<&Trouble> {
        let trouble = self.answer.as_ref().ok()?.agent.as_ref()?.as_ref().err()?;
        Some(trouble).filter(|trouble| matches!(trouble, Trouble::NoPlace(_)))
    }
}

/// Asks targets, and tells what they say.
pub(crate) fn checked(session: &Session, words: &TargetCheck) -> Result<Vec<Asked>, HomeError> {
    let context = &session.context;
    let targets = targets::all(context)?;
    let remote = |(_, target): &&(String, Target)| target.address.transport != Transport::Local;
    let chosen: Vec<(&str, &Target)> = match &words.names[..] {
        [] => targets.targets.iter().filter(remote).map(|(name, target)| (name.as_str(), target)).collect(),
        names => {
            for name in names {
                targets::not_this_machine(name, "`neronet target show local` tells what it has")?;
            }
            let named = |name: &'_ String| match targets.targets.iter().find(|(known, _)| known == name) {
                Some((name, target)) => Ok((name.as_str(), target)),
                None => Err(targets::unknown(&targets, name)),
            };
            names.iter().map(named).collect::<Result<_, _>>()?
        }
    };
    if chosen.is_empty() {
        output::notice("there is this machine alone; `neronet target add NAME ssh://HOST` names another");
        return Ok(Vec::new());
    }
    // Before anything is put anywhere: it would change what folders are known by.
    let here = shared::here(context);
    let answers = ask_all(session, &chosen)?;
    for ((name, target), answer) in chosen.iter().zip(&answers) {
        if let (None, Ok(Checked { found, .. })) = (&target.folder, answer)
            && let Some((path, _)) = folder::proposed(found)
        {
            targets::place(context, name, &path)?;
        }
        if let Some(place) = answer.as_ref().ok().and_then(Checked::place) {
            at_target::saw(context, name, place);
        }
    }
    let reached = |((name, _), answer): (&(&str, &Target), &'_ Result<Checked, Trouble>)| -> Option<Machine> {
        let Checked { found, agent } = answer.as_ref().ok()?;
        let boot = agent.as_ref().and_then(|agent| Some(agent.as_ref().ok()?.boot.clone()));
        Some(Machine { name: (*name).to_string(), boot, folders: found.folders.clone() })
    };
    let machines: Vec<Option<Machine>> = chosen.iter().zip(&answers).map(reached).collect();
    let shared = machines.iter().map(|machine| machine.as_ref().map_or_else(Shared::default, |one| shared::with(one, &machines, &here)));
    let shared: Vec<Shared> = shared.collect();
    let asked = chosen.into_iter().zip(answers).zip(shared);
    let asked: Vec<Asked> =
        asked.map(|(((name, target), answer), shared)| Asked { name: name.into(), target: target.clone(), answer, shared }).collect();
    if words.json {
        output::json(&Value::Array(asked.iter().map(as_json).collect()));
    } else {
        let mut page = Page::new(session);
        asked.iter().for_each(|asked| told(&mut page, asked));
        output::print(&page.text);
    }
    Ok(asked)
}

/// All at once.
fn ask_all(session: &Session, chosen: &[(&str, &Target)]) -> Result<Vec<Result<Checked, Trouble>>, HomeError> {
    let ssh = targets::ssh(&session.context)?;
    let progress = Progress::new();
    let brought: Vec<(AtomicU64, AtomicU64)> = chosen.iter().map(|_| Default::default()).collect();
    Ok(std::thread::scope(|scope| {
        let mut asked = Vec::new();
        for ((name, target), (there, all)) in chosen.iter().zip(&brought) {
            let (name, target, ssh) = (name.to_string(), (*target).clone(), &ssh);
            // Only for the eye.
            let copied = move |n: u64, of: u64| {
                all.store(of, Ordering::Relaxed);
                there.store(n, Ordering::Relaxed);
            };
            asked.push(scope.spawn(move || Checked::of(session, ssh, (&name, &target), &copied)));
        }
        while asked.iter().any(|answer| !answer.is_finished()) {
            progress.say(|| {
                let waits = (0..asked.len()).filter(|at| !asked[*at].is_finished()).map(|at| {
                    let ((name, _), (there, all)) = (chosen[at], &brought[at]);
                    let (there, all) = (there.load(Ordering::Relaxed), all.load(Ordering::Relaxed));
                    if there < all { bringing(name, there, all) } else { format!("waiting for {name}") }
                });
                waits.collect::<Vec<_>>().join(", ")
            });
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let lost = || Err(Trouble::Failed("asking it failed".into()));
        asked.into_iter().map(|answer| answer.join().unwrap_or_else(|_| lost())).collect()
    }))
}

/// What a target that was reached says of itself.
struct Checked {
    found: Found,
    /// What the agent there says, where there is a place for it.
    agent: Option<Result<Agent, Trouble>>,
}

struct Agent {
    place: Place,
    /// From a question to its answer.
    answers: Duration,
    /// Of the machine, since it was started.
    boot: String,
}

impl Checked {
    fn of(session: &Session, ssh: &Ssh, (name, target): (&str, &Target), copied: &dyn Fn(u64, u64)) -> Result<Checked, Trouble> {
        let found = targets::probe(&session.context, ssh, name, target)?;
        let folder = place(target, &found);
        let agent = folder.map(|folder| {
            let channel = targets::open(&session.context, ssh, (name, target), &folder, copied)?;
            // What looks at a machine may wait for drivers that sleep.
            let asked = Instant::now();
            channel.ask(Ask::Ping, PATIENCE)?;
            let answers = asked.elapsed();
            match channel.ask(Ask::Machine, PATIENCE)? {
                (Reply::Machine { place, .. }, _) => Ok(Agent { place: *place, answers, boot: channel.hello.boot.clone() }),
                (Reply::Refused(why), _) => Err(Trouble::Failed(why)),
                _ => Err(Trouble::odd()),
            }
        });
        Ok(Checked { found, agent })
    }

    fn place(&self) -> Option<&Place> {
        Some(&self.agent.as_ref()?.as_ref().ok()?.place)
    }
}

/// Where everything is, or will be.
fn place(target: &Target, found: &Found) -> Option<String> {
    target.folder.clone().or_else(|| folder::proposed(found).map(|(path, _)| path))
}

fn problems(target: &Target, checked: &Checked, shared: &Shared) -> Vec<String> {
    let Checked { found, agent } = checked;
    let mut all = Vec::new();
    if let Some(Err(trouble)) = agent {
        all.push(format!("neronet does not run there: {trouble}"));
    }
    if found.os != "Linux" {
        all.push(format!("it runs {}, and neronet executes on Linux alone", found.os));
    }
    if let Some(offset) = found.clock_ms.filter(|offset| offset.abs() > CLOCK_MS) {
        let (by, way) = (words::duration(neronet_model::Millis(offset.unsigned_abs())), if offset > 0 { "ahead" } else { "behind" });
        all.push(format!("its clock is {by} {way} of ours"));
    }
    if found.kills_what_is_left {
        all.push(format!(
            "its logind kills what is left when you log out: have somebody say `loginctl enable-linger {}` there",
            found.user
        ));
    }
    match place(target, found) {
        None => all.push("there is no folder that you may write to and that outlives a reboot; `folder` in targets.toml names one".into()),
        Some(path) => {
            let around = around(found, &path);
            all.extend(around.iter().flat_map(|known| folder::warnings(found, known)));
            // Of quotas the kernel may tell more than the command of that name.
            let free = checked.place().and_then(|place| Some(place.disk?.free)).filter(|free| *free < folder::LITTLE);
            if let Some(free) = free.filter(|_| around.is_none_or(|known| known.free >= folder::LITTLE)) {
                all.push(format!("{path} may have {} more: checkpoints and copies of code may fill it", words::bytes(free)));
            }
        }
    }
    all.extend(
        shared.machine.iter().map(|other| format!("it is the machine of {other}: each counts as others what the other starts there")),
    );
    all
}

/// The folder that a path lies in, of those that were looked at.
fn around<'f>(found: &'f Found, path: &str) -> Option<&'f Folder> {
    found.folders.iter().filter(|known| Path::new(path).starts_with(&known.path)).max_by_key(|known| known.path.len())
}

fn told(page: &mut Page<'_>, Asked { name, target, answer, shared }: &Asked) {
    page.heading(&format!("{name}  {}", target.address));
    let checked = match answer {
        Ok(checked) => checked,
        Err(trouble) => {
            page.line(&trouble.to_string(), Style::Bad);
            return page.line(&trouble.advice(name), Style::Plain);
        }
    };
    let found = &checked.found;
    let memory = found.memory.map(|bytes| format!("{} of memory", words::bytes(bytes)));
    let cores = found.cores.map(|cores| format!("{cores} cores"));
    let libc = found.libc.map(|(major, minor)| format!("glibc {major}.{minor}"));
    let joined = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let gpus = match checked.place() {
        Some(place) if place.machine.gpus.is_empty() => "none".to_string(),
        Some(place) => place.machine.gpus.iter().map(|gpu| gpu_words(gpu, place)).collect::<Vec<_>>().join("; "),
        None => found.gpus.join("; "),
    };
    let agent = checked.agent.as_ref().and_then(|agent| agent.as_ref().ok());
    let agent = agent.map(|agent| format!("is there, and answers after {:.1} ms", agent.answers.as_secs_f64() * 1e3));
    let folders = found.folders.iter().map(|folder| {
        let quota = if folder.by_quota { " by your quota" } else { "" };
        let files = folder.files.map(|files| format!(", {} files", grouped(files))).unwrap_or_default();
        let with = shared.of(&folder.path).map(|with| format!(", shared with {with}")).unwrap_or_default();
        format!("{} ({} free{quota}{files}, {}{with})", folder.path, words::bytes(folder.free), folder.kind)
    });
    let offset = found.clock_ms.map(|ms| format!("{} ms {} ours", ms.unsigned_abs(), if ms < 0 { "behind" } else { "ahead of" }));
    let used = checked.place().map(|place| place.memory_elsewhere).map(|bytes| format!("{} of it in use", words::bytes(bytes)));
    page.facts(&[
        ("reached", format!("after {} ms", found.answered.as_millis())),
        ("neronet", agent.unwrap_or_default()),
        ("host", joined(vec![some(&found.host), some(&found.system)])),
        ("system", joined(vec![some(&format!("{} {}", found.os, found.arch)), some(&found.kernel), libc])),
        ("clock", offset.unwrap_or_default()),
        ("machine", joined(vec![cores, memory, used])),
        ("GPUs", gpus),
        ("Python", found.python.clone().unwrap_or_else(|| "none".into())),
        ("environments", found.environments.join(", ")),
        ("scheduler", found.schedulers.join(", ")),
        ("user", joined(vec![some(&found.user), some(&found.home), some(&found.shell)])),
        ("folder", place(target, found).unwrap_or_default()),
        ("may write to", folders.collect::<Vec<_>>().join(", ")),
    ]);
    problems(target, checked, shared).iter().for_each(|problem| page.line(&format!("warning: {problem}"), Style::Bad));
}

pub(crate) fn gpu_words(gpu: &Gpu, place: &Place) -> String {
    let memory = if gpu.memory == 0 { String::new() } else { format!(", {}", words::bytes(gpu.memory)) };
    let users = place.gpus_elsewhere.get(&gpu.id).map(|who| format!(", in use: {who}")).unwrap_or_default();
    format!("{}{memory}{users}", gpu.name)
}

fn as_json(Asked { name, target, answer, shared }: &Asked) -> Value {
    let checked = match answer {
        Ok(checked) => checked,
        Err(trouble) => {
            let said = trouble.to_string();
            return json!({"name": name, "address": target.address, "reached": false, "trouble": said, "advice": trouble.advice(name)});
        }
    };
    let found = &checked.found;
    let folders: Vec<Value> = found
        .folders
        .iter()
        .map(|folder| {
            json!({
                "path": folder.path, "all": folder.all, "free": folder.free, "files": folder.files, "file_system": folder.kind,
                "device": folder.device, "by_quota": folder.by_quota, "shared_with": shared.folders.get(&folder.path),
            })
        })
        .collect();
    json!({
        "name": name, "address": target.address, "reached": true, "answered_ms": found.answered.as_millis() as u64,
        "host": found.host, "os": found.os, "arch": found.arch, "kernel": found.kernel, "system": found.system,
        "glibc": found.libc.map(|(major, minor)| format!("{major}.{minor}")), "clock_ms": found.clock_ms,
        "cores": found.cores, "memory": found.memory, "gpus": checked.place().map(|place| &place.machine.gpus),
        "gpus_in_use": checked.place().map(|place| &place.gpus_elsewhere), "python": found.python, "environments": found.environments,
        "answers_ms": checked.agent.as_ref().and_then(|agent| Some(agent.as_ref().ok()?.answers.as_secs_f64() * 1e3)),
        "schedulers": found.schedulers,
        "user": found.user, "home": found.home, "shell": found.shell, "folder": place(target, found), "folders": folders,
        "quota": found.quota, "kills_what_is_left": found.kills_what_is_left, "same_machine_as": shared.machine,
        "disk": checked.place().and_then(|place| place.disk), "problems": problems(target, checked, shared),
    })
}
