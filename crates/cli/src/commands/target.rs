//! `neronet target`: the machines that runs may execute on.

use crate::args::{Target as Words, TargetAdd, TargetCheck, TargetCommand, TargetLs, TargetName};
use crate::commands::page::Page;
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, targets};
use neronet_model::target::{Address, Target, Transport};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_target::probe::Found;
use neronet_target::{Trouble, folder};
use serde_json::{Value, json};
use std::process::{Command, ExitCode};

/// A clock that is so far off makes times of files misleading.
const CLOCK_MS: i64 = 5_000;

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
    let asked: Vec<(&str, &Target, Result<Found, Trouble>)> = std::thread::scope(|scope| {
        let ask = |(name, target)| {
            let ssh = &ssh;
            (name, target, scope.spawn(move || targets::probe(context, ssh, name, target)))
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
    for (name, target, found) in &asked {
        if let (None, Ok(found)) = (&target.folder, found)
            && let Some((path, _)) = folder::proposed(found)
        {
            targets::place(context, name, &path)?;
        }
    }
    let unreached = asked.iter().any(|(.., found)| found.is_err());
    if words.json {
        output::json(&Value::Array(asked.iter().map(|(name, target, found)| as_json(name, target, found)).collect()));
    } else {
        let mut page = Page::new(session);
        asked.iter().for_each(|(name, target, found)| told(&mut page, name, target, found));
        output::print(&page.text);
    }
    Ok(if unreached { ExitCode::from(HomeError::Target(String::new()).exit_code()) } else { ExitCode::SUCCESS })
}

/// Where everything is, or will be.
fn place(target: &Target, found: &Found) -> Option<String> {
    target.folder.clone().or_else(|| folder::proposed(found).map(|(path, _)| path))
}

fn problems(target: &Target, found: &Found) -> Vec<String> {
    let mut all = Vec::new();
    if found.os != "Linux" {
        all.push(format!("it runs {}, and neronet executes on Linux alone", found.os));
    }
    if found.libc.is_none_or(|version| version < (2, 17)) {
        all.push("it has no glibc of version 2.17 or later, which neronet's binary asks for".into());
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

fn told(page: &mut Page<'_>, name: &str, target: &Target, found: &Result<Found, Trouble>) {
    page.heading(&format!("{name}  {}", target.address));
    let found = match found {
        Ok(found) => found,
        Err(trouble) => {
            page.line(&trouble.to_string(), Style::Bad);
            return page.line(&trouble.advice(name), Style::Plain);
        }
    };
    let memory = found.memory.map(|bytes| format!("{} of memory", words::bytes(bytes)));
    let cores = found.cores.map(|cores| format!("{cores} cores"));
    let libc = found.libc.map(|(major, minor)| format!("glibc {major}.{minor}"));
    let joined = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let gpus = match &found.gpus[..] {
        [] => "none".to_string(),
        gpus => gpus.iter().map(|gpu| gpu_words(gpu)).collect::<Vec<_>>().join("; "),
    };
    let folders = found.folders.iter().map(|folder| format!("{} ({} free, {})", folder.path, words::bytes(folder.free), folder.kind));
    page.facts(&[
        ("answered after", format!("{} ms", found.answered.as_millis())),
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
    problems(target, found).iter().for_each(|problem| page.line(&format!("warning: {problem}"), Style::Bad));
}

/// `A100, 40960, 3` as the driver says it.
fn gpu_words(gpu: &str) -> String {
    let parts: Vec<&str> = gpu.split(',').map(str::trim).collect();
    let megabytes = |text: &str| text.parse::<u64>().ok().map(|mb| words::bytes(mb.saturating_mul(1 << 20)));
    match parts[..] {
        [name, all, used] => match (megabytes(all), megabytes(used)) {
            (Some(all), Some(used)) => format!("{name} ({used} of {all} in use)"),
            _ => gpu.to_string(),
        },
        _ => gpu.to_string(),
    }
}

fn as_json(name: &str, target: &Target, found: &Result<Found, Trouble>) -> Value {
    let found = match found {
        Ok(found) => found,
        Err(trouble) => {
            let said = trouble.to_string();
            return json!({"name": name, "address": target.address, "reached": false, "trouble": said, "advice": trouble.advice(name)});
        }
    };
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
        "cores": found.cores, "memory": found.memory, "gpus": found.gpus, "python": found.python, "schedulers": found.schedulers,
        "user": found.user, "home": found.home, "shell": found.shell, "folder": place(target, found), "folders": folders,
        "quota": found.quota, "problems": problems(target, found),
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
