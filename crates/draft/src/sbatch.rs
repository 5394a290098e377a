//! From a script for Slurm: `#SBATCH` lines become resources, the rest is a script as any other.

use crate::IsSecret;
use crate::batch;
use crate::program;
use crate::resources::{self, Request};
use crate::shell::{self, Word};
use crate::toml::{self, Page};
use neronet_spec::{Piece, template};

/// Short options, and those that go by several names.
const NAMES: [(&str, &str); 22] = [
    ("-J", "job-name"),
    ("-o", "output"),
    ("-e", "error"),
    ("-p", "partition"),
    ("-A", "account"),
    ("-t", "time"),
    ("-c", "cpus-per-task"),
    ("-n", "ntasks"),
    ("-N", "nodes"),
    ("-a", "array"),
    ("-C", "constraint"),
    ("-G", "gpus"),
    ("-q", "qos"),
    ("-D", "chdir"),
    ("-w", "nodelist"),
    ("-x", "exclude"),
    ("-d", "dependency"),
    ("-M", "clusters"),
    ("-L", "licenses"),
    ("-i", "input"),
    ("--workdir", "chdir"),
    ("-b", "begin"),
];
/// Options without a value.
const SWITCHES: [&str; 8] = ["exclusive", "requeue", "no-requeue", "parsable", "hold", "contiguous", "overcommit", "verbose"];

pub(crate) fn draft(text: &str, name: &str, secret: IsSecret) -> Result<Page, String> {
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {name}, a script for Slurm."));
    let mut words = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("#SBATCH")).filter(|line| line.starts_with([' ', '\t'])) {
        match shell::statements(line) {
            Ok(statements) => words.extend(statements.into_iter().flat_map(|statement| statement.words)),
            Err(_) => page.note(format!("a line cannot be read and is left out: #SBATCH{line}")),
        }
    }
    let mut asked = Asked::default();
    options(&words, &mut page, |name, value, page| asked.option(name, value, page));
    let mut request = asked.finish(&mut page);
    request.variables = asked.variables(&request, name);
    let mut page = batch::of_script(text, name, "SLURM_ARRAY_TASK_ID", &request, secret, page);
    if let Some(name) = &asked.name {
        page.top.set("", "name", toml::string(&program::experiment_name(name)), "");
    }
    request.write("slurm", &mut page.top);
    asked.stop(&mut page);
    Ok(page)
}

/// The arguments of `sbatch` that stand in one text, with no script.
pub(crate) fn arguments(text: &str, page: &mut Page) -> (Request, Option<String>) {
    let mut asked = Asked::default();
    let statements = shell::statements(text).unwrap_or_default();
    let words: Vec<Word> = statements.into_iter().flat_map(|statement| statement.words).collect();
    options(&words, page, |name, value, page| asked.option(name, value, page));
    let request = asked.finish(page);
    (request, asked.name)
}

/// Each option with its value, by its long name.
fn options(words: &[Word], page: &mut Page, mut take: impl FnMut(&str, &str, &mut Page)) {
    let mut words = words.iter().map(|word| word.literal().unwrap_or_else(|| word.raw.clone()));
    while let Some(word) = words.next() {
        let short =
            word.get(..2).filter(|short| !short.starts_with("--")).and_then(|short| NAMES.iter().find(|(known, _)| *known == short));
        if let Some((_, name)) = short {
            let value = match word[2..].trim_start_matches('=') {
                "" => words.next().unwrap_or_default(),
                value => value.to_string(),
            };
            take(name, &value, page);
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_string())));
            let name =
                NAMES.iter().find(|(known, _)| known[2.min(known.len())..] == *name && known.len() > 2).map_or(name, |(_, name)| name);
            let value = value.or_else(|| if SWITCHES.contains(&name) { None } else { words.next() });
            take(name, &value.unwrap_or_default(), page);
        } else {
            page.note(format!("an option of Slurm is left out: {word}"));
        }
    }
}

#[derive(Default)]
struct Asked {
    request: Request,
    name: Option<String>,
    tasks: Option<u64>,
    cpus_per_task: Option<u64>,
    gpus_per_task: Option<u64>,
    memory_per_cpu: Option<u64>,
    memory_per_gpu: Option<u64>,
    /// Signal, and how long before the end.
    signal: Option<(String, Option<u64>)>,
}

impl Asked {
    fn option(&mut self, name: &str, value: &str, page: &mut Page) {
        let count = value.parse::<u64>().ok();
        let request = &mut self.request;
        let mut unread = false;
        match name {
            "job-name" => self.name = Some(value.to_string()),
            "output" | "error" | "open-mode" => {
                page.note(format!("--{name}={value} is left out: neronet keeps what a run prints, see `neronet logs`"));
            }
            "partition" | "account" => {
                let key = if name == "partition" { "partition" } else { "account" };
                request.target.push((key, toml::string(value)));
            }
            "time" => match resources::slurm_time(value) {
                Some(time) => request.time = Some(time),
                None => unread = !["0", "UNLIMITED", "INFINITE"].contains(&value.to_uppercase().as_str()),
            },
            "cpus-per-task" => (self.cpus_per_task, unread) = (count, count.is_none()),
            "ntasks" | "ntasks-per-node" => (self.tasks, unread) = (count, count.is_none()),
            "gres" | "gpus" | "gpus-per-node" => {
                let all: Vec<&str> = value.split(',').collect();
                let counts = all.iter().filter_map(|one| match name {
                    "gres" => one.strip_prefix("gpu").map(|gpus| gpu(gpus.trim_start_matches(':'))),
                    _ => Some(gpu(one)),
                });
                let (kinds, counts): (Vec<bool>, Vec<Option<u64>>) = counts.unzip();
                request.gpus = counts.iter().copied().sum::<Option<u64>>().filter(|_| !counts.is_empty()).or(request.gpus);
                // What kind it is, and what is none.
                if kinds.contains(&true) || kinds.len() < all.len() {
                    request.options.push(format!("--{name}={value}"));
                }
            }
            "gpus-per-task" => (self.gpus_per_task, unread) = (value.rsplit(':').next().and_then(|count| count.parse().ok()), false),
            "mem" => match resources::megabytes(value, 'M') {
                Some(memory) => request.memory_mb = Some(memory),
                None if value == "0" => page.note("--mem=0 (all of a node) is left out"),
                None => unread = true,
            },
            "mem-per-cpu" => (self.memory_per_cpu, unread) = (resources::megabytes(value, 'M'), false),
            "mem-per-gpu" => (self.memory_per_gpu, unread) = (resources::megabytes(value, 'M'), false),
            "tmp" => request.disk_mb = resources::megabytes(value, 'M'),
            "array" => {
                let (jobs, at_a_time) = value.split_once('%').map_or((value, None), |(jobs, count)| (jobs, count.parse().ok()));
                request.array = resources::array(jobs);
                request.parallel = at_a_time.filter(|count| *count > 0);
                unread = request.array.is_none();
                if at_a_time.is_none() && !unread {
                    page.note("the array has no limit (%N): [sweep] parallel says how many runs at a time; without it as many as there is room for");
                }
            }
            "mail-user" => request.mail_to(value, page),
            "mail-type" => request.mail_on = mail(value, page),
            "chdir" => request.directory = Some(value.to_string()),
            "signal" => {
                let (signal, before) = value.split_once('@').map_or((value, None), |(signal, before)| (signal, before.parse().ok()));
                let signal = signal.rsplit(':').next().unwrap_or(signal).to_string();
                self.signal = Some((signal, before));
            }
            "requeue" => page.note("--requeue is left out: a run that its cluster preempts goes on by itself; after a failure [retry] times = N starts it again"),
            "no-requeue" | "parsable" | "verbose" | "export" | "get-user-env" => {}
            "dependency" => page.note(format!("--dependency={value} is left out: an [[experiment]] can come after another one with after = \"NAME\"")),
            "nodes" if count == Some(1) => {}
            "nodes" => page.note(format!("--nodes={value} is left out: a run works on one node")),
            _ if SWITCHES.contains(&name) => request.options.push(format!("--{name}")),
            _ => request.options.push(format!("--{name}={value}")),
        }
        if unread {
            page.note(format!("an option of Slurm cannot be read and is left out: --{name}={value}"));
        }
    }

    fn finish(&mut self, page: &mut Page) -> Request {
        let mut request = std::mem::take(&mut self.request);
        let tasks = self.tasks.unwrap_or(1).max(1);
        request.cpus = match (self.cpus_per_task, tasks) {
            (None, 1) => None,
            (cpus, tasks) => Some(cpus.unwrap_or(1).saturating_mul(tasks)),
        };
        if tasks > 1 {
            page.note(format!(
                "{tasks} tasks are written as processors: what starts several processes (torchrun, mpirun) belongs in the command"
            ));
        }
        if let Some(gpus) = self.gpus_per_task {
            request.gpus = Some(gpus.saturating_mul(tasks));
        }
        if let Some(memory) = self.memory_per_cpu {
            request.memory_mb.get_or_insert(memory.saturating_mul(request.cpus.unwrap_or(1)));
        }
        if let (Some(memory), Some(gpus)) = (self.memory_per_gpu, request.gpus) {
            request.memory_mb.get_or_insert(memory.saturating_mul(gpus));
        }
        request
    }

    /// What Slurm would set.
    fn variables(&self, request: &Request, script: &str) -> Vec<(&'static str, String)> {
        let job = self.name.clone().unwrap_or_else(|| script.rsplit('/').next().unwrap_or(script).to_string());
        let always = [
            ("SLURM_JOB_ID", "{run.id}".to_string()),
            ("SLURM_JOBID", "{run.id}".to_string()),
            ("SLURM_JOB_NAME", template(&[Piece::Text(job)])),
            ("SLURM_JOB_NUM_NODES", "1".to_string()),
            ("SLURM_NNODES", "1".to_string()),
            ("SLURM_NODEID", "0".to_string()),
            ("SLURM_PROCID", "0".to_string()),
            ("SLURM_LOCALID", "0".to_string()),
        ];
        let asked = [
            ("SLURM_CPUS_PER_TASK", self.cpus_per_task),
            ("SLURM_NTASKS", self.tasks),
            ("SLURM_NPROCS", self.tasks),
            ("SLURM_CPUS_ON_NODE", request.cpus),
            ("SLURM_GPUS", request.gpus),
            ("SLURM_GPUS_ON_NODE", request.gpus),
            ("SLURM_GPUS_PER_NODE", request.gpus),
            ("SLURM_MEM_PER_NODE", request.memory_mb),
            ("SLURM_MEM_PER_CPU", self.memory_per_cpu),
            ("SLURM_ARRAY_TASK_COUNT", request.array.as_ref().map(|(_, count)| *count)),
        ];
        always.into_iter().chain(asked.into_iter().filter_map(|(name, count)| Some((name, count?.to_string())))).collect()
    }

    fn stop(&self, page: &mut Page) {
        let Some((signal, before)) = &self.signal else { return };
        let upper = signal.to_uppercase();
        let numbered = [("1", "HUP"), ("2", "INT"), ("3", "QUIT"), ("10", "USR1"), ("12", "USR2"), ("15", "TERM")];
        let name = numbered.iter().find(|(number, _)| *number == upper).map_or(upper.trim_start_matches("SIG"), |(_, name)| name);
        if !neronet_model::settings::STOP_SIGNALS.contains(&name) {
            return page.note(format!("--signal={signal} is left out: a run is asked to stop by one of TERM, INT, USR1, USR2, HUP, QUIT"));
        }
        page.top.set("stop", "signal", toml::string(name), "");
        if let Some(before) = before.and_then(resources::duration) {
            page.top.set("stop", "before", toml::string(&before), "sent so long before the end of a job");
        }
    }
}

/// `2`, `a100`, `a100:2`, or nothing, which is one: whether it says the kind, and how many there are.
fn gpu(text: &str) -> (bool, Option<u64>) {
    let text = text.split('(').next().unwrap_or(text);
    let (kind, count) = match text.rsplit_once(':') {
        Some((kind, count)) => (Some(kind), count.parse().ok()),
        None => match text.parse::<u64>() {
            Ok(count) => (None, Some(count)),
            Err(_) => (Some(text).filter(|kind| !kind.is_empty()), Some(1)),
        },
    };
    (kind.is_some(), count)
}

fn mail(value: &str, page: &mut Page) -> Vec<&'static str> {
    let mut on = Vec::new();
    for kind in value.split(',') {
        match kind.trim().to_uppercase().as_str() {
            "END" => on.push("finished"),
            "FAIL" => on.push("failed"),
            "ALL" => on.extend(["finished", "failed"]),
            "NONE" => {}
            kind => page.note(format!("a mail on {kind} is left out")),
        }
    }
    on.dedup();
    on
}
