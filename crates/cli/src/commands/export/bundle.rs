//! A bundle for a colleague: one file with all that belongs to some runs.

use super::{Out, To, runs};
use crate::args::{Export, Packed};
use crate::commands::page::count;
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::bundle::{Wanted, Which, pack};
use neronet_home::view::View;
use neronet_report::words::bytes;

pub(super) fn write(session: &Session, views: &[&View<'_>], words: &Export, to: &To) -> Result<String, HomeError> {
    let checkpoints = match words.checkpoints.unwrap_or(Packed::Best) {
        Packed::Best => Which::Best,
        Packed::Last => Which::Last,
        Packed::All => Which::All,
        Packed::None => Which::None,
    };
    let wanted = Wanted { checkpoints, code: !words.without_code, output: !words.without_output };
    let mut out = Out::open(to)?;
    let meter = Progress::new();
    let packed = pack(&session.context, views, wanted, &mut out, &mut |done, all| {
        meter.say(|| format!("packing: {} of {}", bytes(done), bytes(all)));
    });
    drop(meter);
    let packed = packed?;
    packed.notes.iter().for_each(|note| output::notice(&format!("note: {note}")));
    out.finish()?;
    let checkpoints = if packed.checkpoints > 0 { format!(", {}", count(packed.checkpoints, "checkpoint")) } else { String::new() };
    Ok(format!("{} ({}, {}{checkpoints})", runs(views), count(packed.files, "file"), bytes(packed.bytes)))
}
