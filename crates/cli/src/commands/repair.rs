//! `neronet repair`: what is stored of home's records, made anew from them and compared.

use crate::args::Repair;
use crate::commands::page::count;
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::repair::{Repaired, repair as made_anew};
use neronet_model::RunId;
use neronet_store::projection::Was;
use std::process::ExitCode;

pub(crate) fn repair(session: &Session, words: &Repair) -> Result<ExitCode, HomeError> {
    let progress = Progress::new();
    let repaired = made_anew(&session.context, |at, of| progress.say(|| format!("{at} of {} read", count(of, "run"))))?;
    drop(progress);
    if words.json {
        output::json(&repaired.json());
    } else {
        told(&repaired).iter().for_each(|line| output::print_line(line));
    }
    Ok(if repaired.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(repaired: &Repaired) -> Vec<String> {
    let mut lines = Vec::new();
    match repaired.state {
        Was::Right => {
            lines.push(format!("the state of home that is stored says what the journal says, of {}", count(repaired.runs, "run")));
        }
        Was::Wrong(why) => lines.push(format!("the state of home that was stored is made anew: {why}")),
        Was::Absent => {
            lines.push(format!("the journal has {}: it is read each time, nothing is stored of it", count(repaired.runs, "run")));
        }
    }
    if repaired.right > 0 {
        lines.push(format!("the curves that are stored of {} say what was recorded", count(repaired.right as usize, "run")));
    }
    lines.extend(repaired.wrong.iter().map(|(run, why)| format!("run {run}: its stored curves are made anew: {why}")));
    if repaired.is_whole() {
        lines.push(format!("every record of {} can be read", count(repaired.attempts as usize, "attempt")));
    }
    lines.extend(repaired.journal.iter().cloned());
    lines.extend(repaired.records.iter().map(|(run, what): &(RunId, String)| format!("run {run}, {what}")));
    lines
}
