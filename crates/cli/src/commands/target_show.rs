//! `neronet target ls` and `target show`: what is known of targets without asking them.

use crate::args::{TargetLs, TargetShow};
use crate::commands::page::{Page, count};
use crate::commands::read;
use crate::commands::target_check::gpu_words;
use crate::output;
use crate::session::Session;
use neronet_home::at_target::{self, AtTarget, Reach, Seen};
use neronet_home::json::time;
use neronet_home::select::spans;
use neronet_home::view::Snapshot;
use neronet_home::{HomeError, targets, waiting};
use neronet_model::RunId;
use neronet_model::hours::Maintenance;
use neronet_model::target::{LOCAL, Target, Targets};
use neronet_report::{Cell, Column, Style, Table, words};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

pub(crate) fn ls(session: &Session, words: &TargetLs) -> Result<ExitCode, HomeError> {
    let targets = targets::all(&session.context)?;
    if targets.targets.is_empty() && !words.json {
        output::notice("there is this machine alone; `neronet target add NAME ssh://HOST` names another");
        return Ok(ExitCode::SUCCESS);
    }
    let snapshot = read::snapshot(session)?;
    let there = |name: &str| at_target::of(&session.context, &snapshot, name);
    if words.json {
        let all = targets.targets.iter().map(|(name, target)| {
            let there = there(name);
            let mut all = named(&targets, name, target);
            all.extend(reached(&there.reach));
            all.insert("running".into(), json!(there.running.len()));
            all.insert("waiting".into(), json!(there.waiting.len()));
            all.insert("queued".into(), json!(there.queued.len()));
            Value::Object(all)
        });
        output::json(&Value::Array(all.collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let row = |(name, target): &(String, Target)| {
        let there = there(name);
        let (said, style) = told(session, &there.reach);
        let said = if let Reach::Unknown(_) = there.reach { String::new() } else { said };
        let number = |runs: &[RunId]| Cell::plain(if runs.is_empty() { String::new() } else { runs.len().to_string() });
        let default = if targets.default.as_deref() == Some(name) { "default" } else { "" };
        let folder = target.folder.clone().unwrap_or_default();
        let mut cells: Vec<Cell> = [name.clone(), target.address.to_string(), folder].map(Cell::plain).into();
        cells.push(Cell::styled(said, style));
        cells.extend([number(&there.running), number(&there.waiting)]);
        cells.extend([groups(&targets, name).join(", "), default.to_string()].map(Cell::plain));
        cells
    };
    let right = |name: &&str| matches!(*name, "running" | "waiting");
    let columns = ["name", "address", "folder", "reached", "running", "waiting", "groups", ""];
    let table = Table {
        columns: columns.iter().map(|name| if right(name) { Column::right(*name) } else { Column::left(*name) }).collect(),
        rows: targets.targets.iter().map(row).collect(),
    };
    output::print(&table.terminal(session.terminal.then_some(session.width), session.color));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn show(session: &Session, words: &TargetShow) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    let targets = targets::all(context)?;
    let name = words.name.as_str();
    let own;
    let target = match targets.get(name) {
        Some(target) => target,
        None if name == LOCAL => {
            own = Target::this_machine();
            &own
        }
        None => return Err(targets::unknown(&targets, name)),
    };
    let snapshot = read::snapshot(session)?;
    let shown = Shown {
        there: at_target::of(context, &snapshot, name),
        machine: at_target::machine(context, &snapshot, name),
        coming: at_target::coming(context, &snapshot, name)?,
        space: at_target::space(context, name),
    };
    if words.json {
        output::json(&as_json(&targets, name, target, &shown));
    } else {
        output::print(&page(session, &targets, (name, target), &shown, &snapshot));
    }
    Ok(ExitCode::SUCCESS)
}

struct Shown {
    there: AtTarget,
    machine: Option<Seen>,
    /// Runs of which something is to come, and bytes.
    coming: (Vec<RunId>, u64),
    space: Option<at_target::Space>,
}

fn groups(targets: &Targets, name: &str) -> Vec<String> {
    let of = targets.groups.iter().filter(|(_, members)| members.iter().any(|member| member == name));
    of.map(|(group, _)| group.clone()).collect()
}

fn named(targets: &Targets, name: &str, target: &Target) -> Map<String, Value> {
    let Target { address, folder, max_runs, leave_gpus, hours, maintenance, .. } = target;
    let hours: Vec<String> = hours.iter().map(ToString::to_string).collect();
    let maintenance = maintenance.iter().map(
        |Maintenance { from, until, why }| json!({ "from": from.to_string(), "until": until.map(|until| until.to_string()), "why": why }),
    );
    let maintenance: Vec<Value> = maintenance.collect();
    let is_default = targets.default.as_deref() == Some(name);
    let all = json!({
        "name": name, "address": address, "folder": folder, "groups": groups(targets, name), "default": is_default,
        "max_runs": max_runs, "leave_gpus": leave_gpus, "hours": hours, "maintenance": maintenance,
    });
    if let Value::Object(all) = all { all } else { Map::new() }
}

/// `reached` is null where nobody is in contact with it.
fn reached(reach: &Reach) -> Map<String, Value> {
    let (is, why, since) = match reach {
        Reach::Here | Reach::Reached => (Some(true), None, None),
        Reach::Away(absent) => (Some(false), Some(absent.why.as_str()), absent.since),
        Reach::Unknown(why) => (None, Some(*why), None),
    };
    let pairs = [("reached", json!(is)), ("why", json!(why)), ("since", time(since))];
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn told(session: &Session, reach: &Reach) -> (String, Style) {
    match reach {
        Reach::Here => ("this machine".into(), Style::Plain),
        Reach::Reached => ("yes".into(), Style::Good),
        Reach::Away(absent) => {
            let since = absent.since.map(|since| format!(" for {}", waiting::lasted(since, session.now()))).unwrap_or_default();
            (format!("{}{since}", absent.why), Style::Bad)
        }
        Reach::Unknown(why) => (format!("nobody is in contact with it: {why}"), Style::Plain),
    }
}

fn page(session: &Session, targets: &Targets, (name, target): (&str, &Target), shown: &Shown, snapshot: &Snapshot) -> String {
    let Shown { there, machine, coming, space } = shown;
    let mut page = Page::new(session);
    page.heading(&format!("{name}  {}", target.address));
    let runs = |runs: &[RunId]| match runs {
        [] => "none".to_string(),
        some => format!("{} ({})", count(some.len(), "run"), spans(some)),
    };
    let unless_none = |all: &[RunId]| if all.is_empty() { String::new() } else { runs(all) };
    let (coming, bytes) = coming;
    let coming = if coming.is_empty() { String::new() } else { format!("{}, {}", runs(coming), words::bytes(*bytes)) };
    let space = space.as_ref().map(|space| {
        let age = words::age(space.at, session.now());
        let files = count(usize::try_from(space.files).unwrap_or(usize::MAX), "file");
        format!("{} in {files}, and {} of binaries ({age})", words::bytes(space.bytes), words::bytes(space.binaries))
    });
    let known = [
        ("reached", told(session, &there.reach).0),
        ("folder", target.folder.clone().unwrap_or_default()),
        ("takes", space.unwrap_or_default()),
        ("groups", groups(targets, name).join(", ")),
        ("default", if targets.default.as_deref() == Some(name) { "yes".into() } else { String::new() }),
    ];
    page.facts(&known.into_iter().chain(keys(target)).collect::<Vec<_>>());
    if let Some(Seen { at, place }) = machine {
        page.heading(&format!("Machine, as seen {}", words::age(*at, session.now())));
        let elsewhere = Some(place.memory_elsewhere).filter(|bytes| *bytes > 0);
        let used = elsewhere.map(|bytes| format!(", {} in use by others", words::bytes(bytes))).unwrap_or_default();
        let disk = place.disk.map(|disk| format!("{} of {} free", words::bytes(disk.free), words::bytes(disk.all)));
        page.facts(&[
            ("cores", place.machine.cores.len().to_string()),
            ("memory", format!("{}{used}", words::bytes(place.machine.memory))),
            ("disk", disk.unwrap_or_default()),
            ("closed", place.closed.clone().unwrap_or_default()),
        ]);
        let gpus: Vec<(String, String)> =
            place.machine.gpus.iter().map(|gpu| (format!("GPU {}", gpu.index), gpu_words(gpu, place))).collect();
        page.facts(&gpus.iter().map(|(name, gpu)| (name.as_str(), gpu.clone())).collect::<Vec<_>>());
    }
    page.heading("Runs");
    page.facts(&[
        ("running", runs(&there.running)),
        ("waiting there", unless_none(&there.waiting)),
        ("queued for it", unless_none(&there.queued)),
        ("still to come", coming),
    ]);
    for run in there.waiting.first().into_iter().chain(&there.queued).take(1) {
        let view = snapshot.view_of(&session.context, *run);
        if let Some(why) = view.as_ref().and_then(|view| view.reason()) {
            page.line(&format!("run {run} waits: {why}"), Style::Faint);
        }
    }
    page.text
}

fn in_words(Maintenance { from, until, why }: &Maintenance) -> String {
    let until = until.map_or_else(|| "further notice".to_string(), |until| until.to_string());
    let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("from {from} until {until}{why}")
}

/// What targets.toml says of it besides.
fn keys(target: &Target) -> Vec<(&'static str, String)> {
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string()).unwrap_or_default();
    let pairs =
        |pairs: Vec<(&String, String)>| pairs.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
    vec![
        ("max_runs", number(target.max_runs)),
        ("leave_cores", number(target.leave_cores.map(u64::from))),
        ("leave_memory", target.leave_memory.map(words::bytes).unwrap_or_default()),
        ("leave_gpus", number(target.leave_gpus.map(u64::from))),
        ("hours", target.hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        ("maintenance", target.maintenance.iter().map(in_words).collect::<Vec<_>>().join("; ")),
        ("nice", target.nice.map(|nice| nice.to_string()).unwrap_or_default()),
        ("idle_disk", flag(target.idle_disk)),
        ("pause_on_battery", flag(target.pause_on_battery)),
        ("named", pairs(target.named.iter().map(|(name, amount)| (name, amount.to_string())).collect())),
        ("vars", pairs(target.vars.iter().map(|(name, value)| (name, value.clone())).collect())),
        ("account", target.account.clone().unwrap_or_default()),
        ("partition", target.partition.clone().unwrap_or_default()),
        ("options", target.options.join(" ")),
        ("python", target.environment.python.clone().unwrap_or_default()),
        ("shell", target.environment.shell.clone().unwrap_or_default()),
        ("setup", target.environment.setup.join("; ")),
    ]
}

fn as_json(targets: &Targets, name: &str, target: &Target, shown: &Shown) -> Value {
    let Shown { there, machine, coming: (coming, bytes), space } = shown;
    let mut all = named(targets, name, target);
    let Target { leave_cores, leave_memory, named, nice, idle_disk, pause_on_battery, vars, account, partition, options, .. } = target;
    let vars: Map<String, Value> = vars.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let keys = json!({
        "leave_cores": leave_cores, "leave_memory": leave_memory, "named": named, "nice": nice, "idle_disk": idle_disk,
        "pause_on_battery": pause_on_battery, "vars": vars, "account": account, "partition": partition, "options": options,
        "environment": target.environment,
    });
    let machine = machine.as_ref().map(|Seen { at, place }| {
        json!({
            "seen": time(Some(*at)), "cores": place.machine.cores.len(), "memory": place.machine.memory, "memory_elsewhere": place.memory_elsewhere,
            "disk": place.disk, "gpus": place.machine.gpus, "gpus_in_use": place.gpus_elsewhere, "closed": place.closed,
        })
    });
    let known = json!({
        "machine": machine, "running": there.running, "waiting": there.waiting, "queued": there.queued,
        "coming": {"runs": coming, "bytes": bytes},
        "space": space.as_ref().map(|space| {
            json!({"bytes": space.bytes, "files": space.files, "binaries": space.binaries, "seen": time(Some(space.at))})
        }),
    });
    all.extend(reached(&there.reach));
    all.extend([keys, known].into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None }).flatten());
    Value::Object(all)
}
