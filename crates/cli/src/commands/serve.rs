//! `neronet serve` and `neronet down`: the daemon's beginning and end. What it is in between is decided in `daemon`.

use crate::args::Serve;
use crate::commands::listing;
use crate::commands::page::count;
use crate::output;
use crate::session::Session;
use neronet_daemon::{Ended, Notice, Wanted, unit};
use neronet_home::contact::Contacts;
use neronet_home::control::Control;
use neronet_home::drive::{Drive, Whose, Wish};
use neronet_home::projections;
use neronet_home::{Context, HomeError};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) fn serve(session: &Session, words: &Serve) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    if words.install {
        let unit = unit::install(context)?;
        output::print_line(&format!("systemd starts the daemon from now on ({})", unit.display()));
        output::notice("note: it ends when you log out, and runs on only after: loginctl enable-linger");
        return Ok(ExitCode::SUCCESS);
    }
    if words.uninstall {
        let was = unit::uninstall(context)?;
        output::print_line(if was {
            "systemd does not start the daemon any more; runs go on"
        } else {
            "systemd does not start the daemon"
        });
        return Ok(ExitCode::SUCCESS);
    }
    if words.background {
        let there = neronet_daemon::ensure_it_stays(context)?;
        output::print_line(&serves(session, &there));
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = Wanted {
        listen: words.listen.clone(),
        until_idle: words.until_idle.map(|idle| Duration::from_millis(idle.0)),
        log: words.detached.then(|| neronet_daemon::log_of(&context.home)),
        lister: listing::for_daemon,
    };
    let ready = |notice: &Notice| {
        if !words.detached {
            output::print_line(&serves(session, notice));
            if let Some(address) = &notice.tcp {
                output::print_line(&format!("and by http://{address} whoever has a token"));
            }
            output::print_line("Ctrl-C ends it; runs go on");
            projections::notes(context).iter().for_each(|note| output::notice(&format!("note: {note}")));
        }
    };
    let ended = neronet_daemon::serve(context.clone(), wanted, keep, ready)?;
    Ok(match ended {
        Ended::Left => ExitCode::SUCCESS,
        // Whoever wanted a daemon has one.
        Ended::There(_) if words.detached => ExitCode::SUCCESS,
        Ended::There(there) => {
            output::error(&format!("{}; `neronet down` ends that", serves(session, &there)));
            ExitCode::from(3)
        }
    })
}

/// The queue, by whoever serves.
fn keep(context: &Context, control: &Control) -> Result<(), HomeError> {
    let contacts = Contacts::new(context)?;
    let coming = contacts.coming();
    Drive::new(context, Whose::Detached, None)?.with(contacts).keep(control.told(), |progress| {
        // Whoever leaves because there is nothing to do has it all.
        control.status.count(progress.queued as u64 + coming.runs(), (progress.running.len() + progress.elsewhere) as u64);
        if control.leaving() { Wish::Leave } else { Wish::GoOn }
    })
}

fn serves(session: &Session, notice: &Notice) -> String {
    format!("process {} serves {} at {}", notice.process.pid, session.context.home.root().display(), notice.socket.display())
}

pub(crate) fn down(session: &Session) -> Result<ExitCode, HomeError> {
    match neronet_daemon::down(&session.context.home)? {
        Some((pid, 0)) => output::print_line(&format!("the daemon (process {pid}) has left")),
        Some((pid, running)) => {
            let runs = usize::try_from(running).map_or_else(|_| running.to_string(), |running| count(running, "run"));
            let go = if running == 1 { "goes" } else { "go" };
            output::print_line(&format!("the daemon (process {pid}) has left; {runs} {go} on"));
        }
        None => output::notice("there is no daemon"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn openapi() -> Result<ExitCode, HomeError> {
    output::json(&neronet_daemon::document());
    Ok(ExitCode::SUCCESS)
}
