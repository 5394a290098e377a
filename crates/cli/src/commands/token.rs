//! `neronet token`: who may come in by TCP.

use crate::args::Token;
use crate::output;
use crate::session::Session;
use neronet_daemon::token::{self, Role};
use neronet_home::HomeError;
use neronet_report::{Align, Cell, Column, Table, words};
use std::process::ExitCode;

pub(crate) fn token(session: &Session, asked: &Token) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    let Some(name) = &asked.name else { return list(session) };
    if asked.revoke {
        if !token::revoke(context, name)? {
            return Err(HomeError::Absent(format!("no token is called '{name}'; `neronet token` lists them")));
        }
        output::print_line(&format!("{name} opens nothing any more"));
        return Ok(ExitCode::SUCCESS);
    }
    let role = if asked.viewer { Role::Viewer } else { Role::Admin };
    let made = token::make(context, name, role)?;
    output::notice(
        "note: this is shown once and kept nowhere; send it as `Authorization: Bearer TOKEN` to what `neronet serve --listen` opens",
    );
    output::print_line(&made);
    Ok(ExitCode::SUCCESS)
}

fn list(session: &Session) -> Result<ExitCode, HomeError> {
    let all = token::all(&session.context.home)?;
    if all.is_empty() {
        output::notice("there are no tokens; `neronet token NAME` makes one");
        return Ok(ExitCode::SUCCESS);
    }
    let role = |role| if role == Role::Admin { "admin" } else { "viewer" };
    let row = |token: &neronet_daemon::token::Token| {
        [token.name.clone(), role(token.role).into(), words::local_time(token.created)].iter().map(Cell::plain).collect()
    };
    let table = Table {
        columns: ["name", "role", "made"].into_iter().map(|name| Column::aligned(name, Align::Left)).collect(),
        rows: all.iter().map(row).collect(),
    };
    output::print(&table.terminal(session.terminal.then_some(session.width), session.color));
    Ok(ExitCode::SUCCESS)
}
