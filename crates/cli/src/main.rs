//! The binary `neronet`: words in, text or JSON out. What it says is decided here; what it does is decided in `home`.

mod args;
mod commands;
mod output;
mod session;
mod slips;

use args::{Args, Command, There};
use clap::Parser;
use neronet_home::HomeError;
use neronet_home::again::Wanted;
use neronet_home::remote::Project;
use session::Session;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    neronet_supervise::os::fork::pass_nothing_on();
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // The roles that neronet gives itself come first: they start a thousand times a day and parse nothing.
    if let [_, role] = &words[..]
        && role == "agent"
    {
        return exit(neronet_home::agent::serve(env!("CARGO_PKG_VERSION"), &session::of_target));
    }
    if let [_, role, folder] = &words[..] {
        match role.to_str() {
            Some("nursery") => return exit(neronet_supervise::nurse()),
            Some("within") => return commands::shell::within(&folder.to_string_lossy()),
            Some("environment") => return exit(neronet_home::remote::say_environment(&folder.to_string_lossy())),
            Some("runner") => return commands::target::runner(Path::new(folder)),
            Some("supervisor") => return exit(neronet_supervise::adopt(Path::new(folder))),
            _ => {}
        }
    }
    // Whoever has their home here typed the rest elsewhere.
    let project = match &words[..] {
        [_, role, word, ..] if role == "from" => Project::of(&word.to_string_lossy()),
        _ => None,
    };
    if project.is_some() {
        words.drain(1..3);
    }
    let args = match Args::try_parse_from(&words) {
        Ok(args) => args,
        Err(e) => {
            let typed: Vec<String> = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            let e = slips::explained(e, &typed);
            // --help and --version go to standard output, which may be full.
            match e.print().and_then(|()| std::io::Write::flush(&mut std::io::stdout())) {
                Err(error) if !e.use_stderr() => output::give_up(&error),
                _ => {}
            }
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    match run(args, &words, project) {
        Ok(code) => code,
        Err(e) => {
            output::error(&e.to_string());
            ExitCode::from(e.exit_code())
        }
    }
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn run(args: Args, words: &[OsString], project: Option<Project>) -> Result<ExitCode, HomeError> {
    // The process ends with it: to give back what it knows of a hundred thousand runs would take longer than some commands.
    let session = std::mem::ManuallyDrop::new(Session::new(&args, project)?);
    if let Some(home) = &session.remote
        && commands::remote::is_there(&args.command)
    {
        return commands::remote::carry_out(&session, home, &args.command, words);
    }
    if session.context.project.as_ref().is_some_and(|project| project.place.is_none()) && commands::remote::needs_code(&args.command) {
        return Err(HomeError::Words("the code did not come along, and what else lies here is not it: send the command again".into()));
    }
    match args.command {
        Command::Run(words) => commands::run::run(&session, &words),
        Command::Submit(words) => commands::run::submit(&session, &words),
        Command::Init(words) => commands::init::init(&session, &words),
        Command::Check(words) => commands::check::check(&session, &words),
        Command::Ls(words) => commands::ls::ls(&session, words),
        Command::Show(words) => commands::show::show(&session, &words),
        Command::Logs(words) => commands::logs::logs(&session, &words),
        Command::Metrics(words) => commands::metrics::metrics(&session, &words),
        Command::Plot(words) => commands::plot::plot(&session, &words),
        Command::Report(words) => commands::report::report(&session, &words),
        Command::Export(words) => commands::export::export(&session, &words),
        Command::Import(words) => commands::import::import(&session, &words),
        Command::Compare(words) => commands::compare::compare(&session, &words),
        Command::Queue(words) => commands::queue::queue(&session, words),
        Command::Hold(words) => commands::queue::hold(&session, &words),
        Command::Release(words) => commands::queue::release(&session, &words),
        Command::Move(words) => commands::queue::place(&session, &words),
        Command::Priority(words) => commands::queue::priority(&session, &words),
        Command::Quota(words) => commands::queue::quota(&session, &words),
        Command::Stop(words) => commands::stop::ask(&session, &words, neronet_supervise::start::How::Stop),
        Command::Kill(words) => commands::stop::ask(&session, &words, neronet_supervise::start::How::Kill),
        Command::Resume(words) => commands::again::again(&session, &words, Wanted::Resume),
        Command::Retry(words) => commands::again::again(&session, &words, Wanted::Retry),
        Command::Tag(words) => commands::tag::tag(&session, &words),
        Command::Note(words) => commands::note::note(&session, &words),
        Command::Rm(words) => commands::rm::rm(&session, &words),
        Command::Restore(words) => commands::rm::restore(&session, &words),
        Command::Repair(words) => commands::repair::repair(&session, &words),
        Command::Du(words) => commands::du::du(&session, &words),
        Command::Gc(words) => commands::gc::gc(&session, &words),
        Command::There(There::Shell(words)) => commands::shell::shell(&session, &words),
        Command::There(There::Fetch(words)) => commands::fetch::fetch(&session, &words),
        Command::There(There::Push(words)) => commands::push::push(&session, &words),
        Command::Clone(words) => commands::clone::clone(&session, &words),
        Command::Schema => commands::schema::schema(),
        Command::Serve(words) => commands::serve::serve(&session, &words),
        Command::Down => commands::serve::down(&session),
        Command::Target(words) => commands::target::target(&session, &words),
        Command::Token(words) => commands::token::token(&session, &words),
        Command::Openapi => commands::serve::openapi(),
        Command::Reference => commands::reference::reference(),
    }
}
