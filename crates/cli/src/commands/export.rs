//! `neronet export`: runs for other programs, one row a run or one row a point, or as event files.

mod bundle;
mod events;
mod points;
mod table;

use crate::args::{Export, ExportFormat as Format};
use crate::commands::draft::Draft;
use crate::commands::page::count;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::view::{Snapshot, View};
use neronet_home::{HomeError, select};
use std::io::{self, Write};
use std::process::ExitCode;

/// Where it goes.
struct To {
    /// As it was typed, for messages.
    name: String,
    place: std::path::PathBuf,
    force: bool,
    screen: bool,
}

pub(crate) fn export(session: &Session, words: &Export) -> Result<ExitCode, HomeError> {
    let name = words.output.display().to_string();
    let to = To { place: session.context.folder.join(&words.output), force: words.force, screen: name == "-", name };
    let format = format(words, &to)?;
    if format == Format::Tensorboard && to.screen {
        return Err(HomeError::Words("--format tensorboard writes a folder: name it with -o FOLDER".into()));
    }
    if !to.screen {
        crate::commands::draft::refuse_what_is_there(&to.name, &to.place, to.force || format == Format::Tensorboard)?;
    }
    let snapshot = read::snapshot(session)?;
    let all = snapshot.views(&session.context);
    let views = chosen(session, words, &snapshot, &all)?;
    let written = match format {
        Format::Tensorboard => events::write(session, &views, &to)?,
        Format::Neronet => bundle::write(session, &views, words, &to)?,
        _ if words.points => points::write(session, &views, format, &to)?,
        _ => table::write(session, &views, words, format, &to)?,
    };
    if !to.screen {
        output::notice(&format!("{written} written to {}", to.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs that the words name, at least one.
fn chosen<'v, 'a>(session: &Session, words: &Export, snapshot: &Snapshot, all: &'v [View<'a>]) -> Result<Vec<&'v View<'a>>, HomeError> {
    let project = read::project(session, &words.reach);
    let only_filters = words.which.iter().all(|word| select::matches(word));
    let views: Vec<&View<'_>> = match &words.which[..] {
        [] => all.iter().filter(|view| project.as_ref().is_none_or(|project| view.sweep.project == *project)).collect(),
        which if only_filters => select::matching(all, which, project.as_deref(), session.now())?,
        which => read::chosen(session, snapshot, all, which, &words.reach)?,
    };
    if views.is_empty() {
        return Err(HomeError::Failed("there is no run to write; `neronet ls -a` lists those of all projects".into()));
    }
    Ok(views)
}

/// What is to be written: what is said, else what the file's name ends in.
fn format(words: &Export, to: &To) -> Result<Format, HomeError> {
    let ending = words.output.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let format = match (words.format, ending.as_deref()) {
        (Some(format), _) => format,
        _ if to.screen => Format::Csv,
        (None, Some("xlsx")) => Format::Xlsx,
        (None, Some("csv")) => Format::Csv,
        (None, Some("json")) => Format::Json,
        (None, Some("jsonl" | "ndjson")) => Format::Jsonl,
        (None, Some("parquet")) => Format::Parquet,
        (None, Some("neronet")) => Format::Neronet,
        _ => {
            return Err(HomeError::Words(format!(
                "-o {}: the name must end in .xlsx, .csv, .json, .jsonl, .parquet or .neronet; - prints CSV; --format says it otherwise",
                to.name
            )));
        }
    };
    let of_bundle = words.checkpoints.is_some() || words.without_code || words.without_output;
    match format {
        Format::Neronet if to.screen => Err(HomeError::Words("a bundle is no text: name a file with -o FILE.neronet".into())),
        format if of_bundle && format != Format::Neronet => {
            Err(HomeError::Words("--checkpoints, --without-code and --without-output say what goes into a bundle: -o FILE.neronet".into()))
        }
        Format::Xlsx if words.points => Err(HomeError::Words("a sheet has too few rows for points: write them as .csv or .parquet".into())),
        Format::Tensorboard | Format::Neronet if words.points || !words.fields.is_empty() => {
            Err(HomeError::Words("event files and bundles have all points: leave out --points and --fields".into()))
        }
        format => Ok(format),
    }
}

/// The file, or standard output.
enum Out {
    File(Draft),
    Screen(io::BufWriter<io::Stdout>),
}

impl Out {
    fn open(to: &To) -> Result<Out, HomeError> {
        if to.screen { Ok(Out::Screen(io::BufWriter::new(io::stdout()))) } else { Draft::new(&to.name, &to.place, to.force).map(Out::File) }
    }

    fn finish(self) -> Result<(), HomeError> {
        match self {
            Out::File(draft) => draft.finish(),
            Out::Screen(mut out) => {
                if let Err(error) = out.flush() {
                    output::give_up(&error);
                }
                Ok(())
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::File(draft) => draft.write(bytes),
            Out::Screen(out) => out.write(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => output::give_up(&error),
                _ => error,
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::File(draft) => draft.flush(),
            Out::Screen(out) => out.flush(),
        }
    }
}

fn runs(views: &[&View<'_>]) -> String {
    count(views.len(), "run")
}
