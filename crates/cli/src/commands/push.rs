//! `neronet push`: data sets that are brought to a target.

use crate::args::Push as Words;
use crate::commands::fetch::{far, told};
use crate::commands::progress::Progress;
use crate::commands::shell::bringing;
use crate::session::Session;
use neronet_home::travel::{Going, Moved, Way, brought};
use neronet_home::{HomeError, remote, targets};
use std::process::ExitCode;

pub(crate) fn push(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    let name = &words.target;
    targets::not_this_machine(name, "what is here need not be brought")?;
    remote::carried(&session.context.folder, &words.paths, false)?;
    // A path that is not there is told before anything is asked of the target.
    let sets =
        words.paths.iter().map(|path| brought::Set::of(&session.context.folder.join(path), &words.to)).collect::<Result<Vec<_>, _>>()?;
    let progress = Progress::new();
    let brought = |there, all| progress.say(|| bringing(name, there, all));
    let way = Way::open(&session.context, name, &brought).map_err(|lost| lost.of(name))?;
    let mut all = Moved::default();
    for set in sets {
        let tick = &mut |going: &Going| progress.say(|| format!("to {name}: {}", far(going)));
        all.add(set.bring(&way, tick).map_err(|lost| lost.of(name))?);
    }
    drop(progress);
    told(&all, "pushed", &format!("in {} of {name}", words.to), words.json)
}
