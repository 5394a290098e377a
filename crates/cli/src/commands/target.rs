//! `neronet target`: the machines that runs may execute on.

use crate::args::{Target as Words, TargetAdd, TargetCheck, TargetCommand, TargetLs, TargetName};
use crate::commands::page::Page;
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, targets};
use neronet_model::queue::Gpu;
use neronet_model::target::{Address, Target, Transport};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_target::probe::Found;
use neronet_target::ssh::Ssh;
use neronet_target::wire::{Ask, Place, Reply};
use neronet_target::{Trouble, folder};
use serde_json::{Value, json};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// A clock that is so far off makes times of files misleading.
const CLOCK_MS: i64 = 5_000;
/// A driver may have to be woken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn target(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    match &words.what {
        Some(TargetCommand::Add(words)) => add(session, words),
        Some(TargetCommand::Check(words)) => check(session, words),
        Some(TargetCommand::Login(words)) => login(session, words),
        Some(TargetCommand::Logout(words)) => logout(session, words),
        Some(TargetCommand::Rm(words)) => rm(session, words),
        Some(TargetCommand::Ls(words)) => ls(session, words),
        None => ls(session, &TargetLs { json: false }),
    }
}

fn add(session: &Session, words: &TargetAdd) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    let wrong = |why: String| HomeError::Words(format!("'{}': {why}", words.address.escape_debug()));
    let address: Address = words.address.parse().map_err(|e: neronet_model::target::NoAddress| wrong(e.to_string()))?;
    if address.transport == Transport::Local {
        return Err(wrong("this machine is a target without being added; `[targets.local]` says what runs may have of it".into()));
    }
    if let Some(folder) = words.folder.as_deref().filter(|folder| !folder.starts_with('/') || folder.contains(char::is_control)) {
        return Err(HomeError::Words(format!("--folder {}: write an absolute path", folder.escape_debug())));
    }
    targets::add(context, &words.name, &address, words.folder.as_deref())?;
    output::print_line(&format!("{} is {address}, in {}", words.name, context.home.root().join(targets::FILE).display()));
    check(session, &TargetCheck { names: vec![words.name.clone()], json: false })
}

fn ls(session: &Session, words: &TargetLs) -> Result<ExitCode, HomeError> {
    let targets = targets::all(&session.context)?;
    let groups = |name: &str| {
        let of = targets.groups.iter().filter(|(_, members)| members.iter().any(|member| member == name)).map(|(group, _)| group.clone());
        of.collect::<Vec<_>>()
    };
    if words.json {
        let all = targets.targets.iter().map(|(name, target)| {
            let Target { address, folder, max_runs, leave_gpus, .. } = target;
            let is_default = targets.default.as_deref() == Some(name);
            json!({
                "name": name, "address": address, "folder": folder, "groups": groups(name), "default": is_default,
                "max_runs": max_runs, "leave_gpus": leave_gpus,
            })
        });
        output::json(&Value::Array(all.collect()));
        return Ok(ExitCode::SUCCESS);
    }
    if targets.targets.is_empty() {
        output::notice("there is this machine alone; `neronet target add NAME ssh://HOST` names another");
        return Ok(ExitCode::SUCCESS);
    }
    let row = |(name, target): &(String, Target)| {
        let default = if targets.default.as_deref() == Some(name) { "default" } else { "" };
        let folder = target.folder.clone().unwrap_or_default();
        [name.clone(), target.address.to_string(), folder, groups(name).join(", "), default.to_string()].iter().map(Cell::plain).collect()
    };
    let table = Table {
        columns: ["name", "address", "folder", "groups", ""].into_iter().map(Column::left).collect(),
        rows: targets.targets.iter().map(row).collect(),
    };
    output::print(&table.terminal(session.terminal.then_some(session.width), session.color));
    Ok(ExitCode::SUCCESS)
}

fn check(session: &Session, words: &TargetCheck) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    let targets = targets::all(context)?;
    let remote = |(_, target): &&(String, Target)| target.address.transport != Transport::Local;
    let chosen: Vec<(&str, &Target)> = match &words.names[..] {
        [] => targets.targets.iter().filter(remote).map(|(name, target)| (name.as_str(), target)).collect(),
        names => {
            let named = |name: &'_ String| match targets.targets.iter().find(|(known, _)| known == name) {
                Some((name, target)) => Ok((name.as_str(), target)),
                None => Err(targets::unknown(&targets, name)),
            };
            names.iter().map(named).collect::<Result<_, _>>()?
        }
    };
    if chosen.is_empty() {
        output::notice("there is this machine alone; `neronet target add NAME ssh://HOST` names another");
        return Ok(ExitCode::SUCCESS);
    }
    let ssh = targets::ssh(context)?;
    let progress = Progress::new();
    let asked: Vec<(&str, &Target, Result<Checked, Trouble>)> = std::thread::scope(|scope| {
        let ask = |(name, target)| {
            let ssh = &ssh;
            (name, target, scope.spawn(move || Checked::of(session, ssh, name, target)))
        };
        let asked: Vec<_> = chosen.into_iter().map(ask).collect();
        while asked.iter().any(|(.., answer)| !answer.is_finished()) {
            let waits: Vec<&str> = asked.iter().filter(|(.., answer)| !answer.is_finished()).map(|(name, ..)| *name).collect();
            progress.say(|| format!("waiting for {}", waits.join(", ")));
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        let lost = || Err(Trouble::Failed("asking it failed".into()));
        asked.into_iter().map(|(name, target, answer)| (name, target, answer.join().unwrap_or_else(|_| lost()))).collect()
    });
    drop(progress);
    for (name, target, checked) in &asked {
        if let (None, Ok(Checked { found, .. })) = (&target.folder, checked)
            && let Some((path, _)) = folder::proposed(found)
        {
            targets::place(context, name, &path)?;
        }
    }
    let unreached = asked.iter().any(|(.., checked)| checked.is_err());
    if words.json {
        output::json(&Value::Array(asked.iter().map(|(name, target, checked)| as_json(name, target, checked)).collect()));
    } else {
        let mut page = Page::new(session);
        asked.iter().for_each(|(name, target, checked)| told(&mut page, name, target, checked));
        output::print(&page.text);
    }
    Ok(if unreached { ExitCode::from(HomeError::Target(String::new()).exit_code()) } else { ExitCode::SUCCESS })
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
}

impl Checked {
    fn of(session: &Session, ssh: &Ssh, name: &str, target: &Target) -> Result<Checked, Trouble> {
        let found = targets::probe(&session.context, ssh, name, target)?;
        let folder = place(target, &found);
        let agent = folder.map(|folder| {
            let channel = targets::open(&session.context, ssh, (name, target), &folder, &|_| {})?;
            let asked = Instant::now();
            match channel.ask(Ask::Machine, PATIENCE)? {
                (Reply::Machine { place, .. }, _) => Ok(Agent { place: *place, answers: asked.elapsed() }),
                (Reply::Refused(why), _) => Err(Trouble::Failed(why)),
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

fn problems(target: &Target, Checked { found, agent }: &Checked) -> Vec<String> {
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
            let of = |known: &&neronet_target::probe::Folder| path.starts_with(&format!("{}/", known.path.trim_end_matches('/')));
            if let Some(known) = found.folders.iter().filter(of).max_by_key(|known| known.path.len()) {
                all.extend(folder::warnings(found, known));
            }
        }
    }
    all
}

fn told(page: &mut Page<'_>, name: &str, target: &Target, checked: &Result<Checked, Trouble>) {
    page.heading(&format!("{name}  {}", target.address));
    let checked = match checked {
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
    let folders = found.folders.iter().map(|folder| format!("{} ({} free, {})", folder.path, words::bytes(folder.free), folder.kind));
    page.facts(&[
        ("reached", format!("after {} ms", found.answered.as_millis())),
        ("neronet", agent.unwrap_or_default()),
        ("host", joined(vec![some(&found.host), some(&found.system)])),
        ("system", joined(vec![some(&format!("{} {}", found.os, found.arch)), some(&found.kernel), libc])),
        ("machine", joined(vec![cores, memory])),
        ("GPUs", gpus),
        ("Python", found.python.clone().unwrap_or_else(|| "none".into())),
        ("scheduler", found.schedulers.join(", ")),
        ("user", joined(vec![some(&found.user), some(&found.home), some(&found.shell)])),
        ("folder", place(target, found).unwrap_or_default()),
        ("may write to", folders.collect::<Vec<_>>().join(", ")),
    ]);
    problems(target, checked).iter().for_each(|problem| page.line(&format!("warning: {problem}"), Style::Bad));
}

fn gpu_words(gpu: &Gpu, place: &Place) -> String {
    let memory = if gpu.memory == 0 { String::new() } else { format!(", {}", words::bytes(gpu.memory)) };
    let users = place.gpus_elsewhere.get(&gpu.id).map(|who| format!(", in use: {who}")).unwrap_or_default();
    format!("{}{memory}{users}", gpu.name)
}

fn as_json(name: &str, target: &Target, checked: &Result<Checked, Trouble>) -> Value {
    let checked = match checked {
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
            json!({"path": folder.path, "all": folder.all, "free": folder.free, "files": folder.files, "file_system": folder.kind})
        })
        .collect();
    json!({
        "name": name, "address": target.address, "reached": true, "answered_ms": found.answered.as_millis() as u64,
        "host": found.host, "os": found.os, "arch": found.arch, "kernel": found.kernel, "system": found.system,
        "glibc": found.libc.map(|(major, minor)| format!("{major}.{minor}")), "clock_ms": found.clock_ms,
        "cores": found.cores, "memory": found.memory, "gpus": checked.place().map(|place| &place.machine.gpus),
        "gpus_in_use": checked.place().map(|place| &place.gpus_elsewhere), "python": found.python, "schedulers": found.schedulers,
        "user": found.user, "home": found.home, "shell": found.shell, "folder": place(target, found), "folders": folders,
        "quota": found.quota, "problems": problems(target, checked),
    })
}

fn named(session: &Session, name: &str) -> Result<Target, HomeError> {
    let targets = targets::all(&session.context)?;
    targets.get(name).cloned().ok_or_else(|| targets::unknown(&targets, name))
}

fn login(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = named(session, name)?;
    let ssh = targets::ssh(&session.context)?;
    let Some(command) = ssh.login(name, &target.address) else {
        return Err(HomeError::Words(format!("{name} is {}: there is nothing to log in to", target.address)));
    };
    // One that is left from before may be dead.
    if let Some(command) = ssh.logout(name, &target.address) {
        silently(command);
    }
    carried_out(command)?;
    output::print_line(&format!("the connection to {name} is open, also for the daemon; `neronet target logout {name}` closes it"));
    Ok(ExitCode::SUCCESS)
}

fn logout(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = named(session, name)?;
    let said = match targets::ssh(&session.context)?.logout(name, &target.address) {
        Some(command) => {
            silently(command);
            "closed"
        }
        None => "not open",
    };
    output::print_line(&format!("the connection to {name} is {said}"));
    Ok(ExitCode::SUCCESS)
}

fn silently(mut command: Command) {
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().ok();
}

/// On the user's terminal, which ssh asks on.
fn carried_out(mut command: Command) -> Result<(), HomeError> {
    let status = command.status().map_err(|e| HomeError::Target(Trouble::NoSsh(e.to_string()).to_string()))?;
    if status.success() { Ok(()) } else { Err(HomeError::Target("no connection was opened: ssh says above why".into())) }
}

fn rm(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = targets::all(&session.context)?.get(name).cloned();
    targets::remove(&session.context, name)?;
    let left = target.and_then(|target| target.folder).map(|folder| format!("; {folder} there is left as it is")).unwrap_or_default();
    output::print_line(&format!("{name} is no target any more{left}"));
    Ok(ExitCode::SUCCESS)
}
