//! `neronet reference`: all commands and their options as Markdown, from the same words that `--help` shows.

use crate::args::Args;
use crate::output;
use clap::{Arg, Command, CommandFactory};
use neronet_home::HomeError;
use std::fmt::Write;
use std::process::ExitCode;

const HEAD: &str = "# Commands\n\n\
    Written by `neronet reference`; `neronet COMMAND --help` says the same.\n\n\
    Exit codes: 0 done; 1 the thing asked for failed (a run failed, a check found a problem); 2 the words were wrong; \
    3 home, the daemon or a target could not be reached.\n\n";

pub(crate) fn reference() -> Result<ExitCode, HomeError> {
    let mut root = Args::command();
    root.build();
    let mut text = HEAD.to_string();
    if let Some(about) = root.get_long_about().or(root.get_about()) {
        write!(text, "{about}\n\n").ok();
    }
    write!(text, "| command | |\n| --- | --- |\n").ok();
    let shown: Vec<&Command> = root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help").collect();
    for command in &shown {
        writeln!(text, "| [`{0}`](#neronet-{0}) | {1} |", command.get_name(), about(command)).ok();
    }
    write!(text, "\nWith every command: {}", options(&root, true).trim_start_matches("- ")).ok();
    for command in shown {
        section(command, ("##", "neronet"), &mut text);
    }
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn section(command: &Command, (heading, before): (&str, &str), text: &mut String) {
    let name = format!("{before} {}", command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim().replace("\n       ", "\n");
    write!(text, "\n{heading} {name}\n\n{}.\n\n```\n{usage}\n```\n", about(command)).ok();
    if let Some(long) = command.get_long_about() {
        let short = about(command);
        let rest = long.to_string();
        let rest = rest.strip_prefix(&short).unwrap_or(&rest).trim_start_matches('.').trim();
        if !rest.is_empty() {
            write!(text, "\n{rest}\n").ok();
        }
    }
    let options = options(command, false);
    if !options.is_empty() {
        write!(text, "\n{options}").ok();
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        section(below, (&format!("{heading}#"), &name), text);
    }
}

/// A list item each. Global options are those of the top alone.
fn options(command: &Command, global: bool) -> String {
    let wanted = |arg: &&Arg| !arg.is_hide_set() && arg.is_global_set() == global && !matches!(arg.get_id().as_str(), "help" | "version");
    command.get_arguments().filter(wanted).map(option).collect()
}

fn option(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let takes_value = arg.get_action().takes_values();
    let names: Vec<String> =
        arg.get_short().map(|short| format!("-{short}")).into_iter().chain(arg.get_long().map(|long| format!("--{long}"))).collect();
    let shown = match (names.is_empty(), takes_value) {
        (true, _) => values,
        (false, true) => format!("{} {values}", names.join(", ")),
        (false, false) => names.join(", "),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let default = if default.is_empty() || !takes_value { String::new() } else { format!(" (default: `{}`)", default.join(" ")) };
    let possible: Vec<String> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let possible = if possible.is_empty() || !takes_value { String::new() } else { format!("; one of {}", possible.join(", ")) };
    format!("- `{shown}`: {help}{possible}{default}\n")
}
