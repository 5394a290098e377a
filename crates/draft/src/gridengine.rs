//! From a script for Grid Engine: `#$` lines become resources, the rest is a script as any other.

use crate::IsSecret;
use crate::batch;
use crate::program;
use crate::resources::{self, Request};
use crate::shell;
use crate::toml::{self, Page};
use neronet_spec::{Piece, template};

pub(crate) fn draft(text: &str, name: &str, secret: IsSecret) -> Result<Page, String> {
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {name}, a script for Grid Engine."));
    let mut asked = Asked { slots: 1, ..Asked::default() };
    for line in text.lines().filter_map(|line| line.strip_prefix("#$")) {
        let words = shell::statements(line).unwrap_or_default().into_iter().flat_map(|statement| statement.words);
        let words: Vec<String> = words.map(|word| word.literal().unwrap_or(word.raw)).collect();
        asked.options(&words, secret, &mut page);
    }
    let slots = asked.slots;
    let request = &mut asked.request;
    if slots > 1 {
        request.cpus = Some(slots);
        request.memory_mb = request.memory_mb.map(|memory| memory.saturating_mul(slots));
    }
    let mut request = std::mem::take(request);
    let job = asked.name.clone().unwrap_or_else(|| name.rsplit('/').next().unwrap_or(name).to_string());
    request.variables = vec![
        ("NSLOTS", slots.to_string()),
        ("NHOSTS", "1".to_string()),
        ("JOB_ID", "{run.id}".to_string()),
        ("JOB_NAME", template(&[Piece::Text(job)])),
    ];
    let mut page = batch::of_script(text, name, "SGE_TASK_ID", &request, secret, page);
    if let Some(name) = &asked.name {
        page.top.set("", "name", toml::string(&program::experiment_name(name)), "");
    }
    if let Some(shell) = &asked.shell {
        page.top.set("environment", "shell", toml::string(shell), "");
    }
    asked.env.iter().for_each(|(name, value)| page.top.set("env", name, toml::string(value), ""));
    request.write("gridengine", &mut page.top);
    Ok(page)
}

#[derive(Default)]
struct Asked {
    request: Request,
    name: Option<String>,
    shell: Option<String>,
    env: Vec<(String, String)>,
    slots: u64,
}

impl Asked {
    fn options(&mut self, words: &[String], secret: IsSecret, page: &mut Page) {
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(option) = words.next() {
            let mut value = || words.next().unwrap_or("");
            let request = &mut self.request;
            match option {
                "-N" => self.name = Some(value().to_string()),
                "-l" => {
                    let list = value();
                    list.split(',').for_each(|one| self.resource(one, page));
                }
                "-pe" => {
                    let (name, slots) = (value(), value());
                    match slots.split('-').next().and_then(|slots| slots.parse().ok()) {
                        Some(slots) => self.slots = slots,
                        None => page.note(format!("a parallel environment cannot be read and is left out: -pe {name} {slots}")),
                    }
                    request.options.push(format!("-pe {name} {slots}"));
                }
                "-t" => {
                    let jobs = value();
                    request.array = resources::array(jobs);
                    if request.array.is_none() {
                        page.note(format!("an array cannot be read and is left out: -t {jobs}"));
                    }
                }
                "-tc" => request.parallel = value().parse().ok().filter(|count| *count > 0),
                "-q" => request.target.push(("queue", toml::string(value()))),
                "-P" | "-A" => request.target.push(("account", toml::string(value()))),
                "-M" => request.mail_to(value(), page),
                "-m" => {
                    for letter in value().chars() {
                        match letter {
                            'e' => request.mail_on.push("finished"),
                            'a' => request.mail_on.push("failed"),
                            'n' => {}
                            letter => page.note(format!("a mail on '{letter}' is left out")),
                        }
                    }
                }
                "-o" | "-e" => {
                    let place = value();
                    page.note(format!("{option} {place} is left out: neronet keeps what a run prints, see `neronet logs`"));
                }
                "-j" | "-r" | "-w" | "-b" => drop(value()),
                "-wd" => request.directory = Some(value().to_string()),
                "-S" => {
                    let shell = value();
                    let known = ["bash", "sh", "dash", "zsh", "ksh"].contains(&shell.rsplit('/').next().unwrap_or(shell));
                    self.shell = known.then(|| shell.to_string());
                    if !known {
                        page.note(format!("-S {shell} is left out: the command is run by bash"));
                    }
                }
                "-v" => {
                    for variable in value().split(',') {
                        match variable.split_once('=') {
                            Some((name, _)) if secret(name) => {
                                page.note(format!("the value of {name} is not written down: export it in your own environment"));
                            }
                            Some((name, value)) if is_variable(name) => {
                                self.env.push((name.to_string(), crate::command_line::verbatim(value)));
                            }
                            _ => {}
                        }
                    }
                }
                // A run starts where its copy is, in the environment of the submission.
                "-cwd" | "-V" => {}
                "-hold_jid" => {
                    let job = value();
                    page.note(format!("-hold_jid {job} is left out: an [[experiment]] can come after another one with after = \"NAME\""));
                }
                option if option.starts_with('-') => {
                    let mut text = option.to_string();
                    if let Some(value) = words.next_if(|word| !word.starts_with('-')) {
                        text = format!("{text} {value}");
                    }
                    request.options.push(text);
                }
                word => page.note(format!("a word is left out: #$ {word}")),
            }
        }
    }

    fn resource(&mut self, text: &str, page: &mut Page) {
        let request = &mut self.request;
        let (name, value) = text.split_once('=').unwrap_or((text, "1"));
        let read = match name {
            "h_rt" | "s_rt" => resources::gridengine_time(value).map(|time| request.time = Some(time)),
            "h_vmem" | "mem_free" | "s_vmem" | "mem" | "virtual_free" | "h_rss" | "tmem" => {
                resources::megabytes(value, 'B').map(|memory| request.memory_mb = Some(request.memory_mb.unwrap_or(0).max(memory)))
            }
            "gpu" | "gpus" | "ngpus" | "num_gpus" | "cuda" => value.parse().ok().map(|gpus| request.gpus = Some(gpus)),
            "tmpfs" | "tmp_free" | "tscratch" => resources::megabytes(value, 'B').map(|disk| request.disk_mb = Some(disk)),
            _ => {
                request.options.push(format!("-l {text}"));
                Some(())
            }
        };
        if read.is_none() {
            page.note(format!("a resource cannot be read and is left out: -l {text}"));
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with("NERONET_")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}
