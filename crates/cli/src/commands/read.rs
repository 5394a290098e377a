//! How every command that shows runs gets at them: home as it is now, and the runs that the words name.

use crate::args::Reach;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::listing::project_of;
use neronet_home::select;
use neronet_home::view::{Snapshot, View};

/// Everything that home knows, brought up to date where a run may have ended unseen.
pub(crate) fn snapshot(session: &Session) -> Result<Snapshot, HomeError> {
    let (snapshot, old) = Snapshot::current(&session.context)?;
    if let Some(e) = old {
        output::notice(&format!("warning: home could not be brought up to date, what follows may be old: {e}"));
    }
    for damage in &snapshot.damage {
        output::notice(&format!("warning: {damage}"));
    }
    Ok(snapshot)
}

/// The project to which names, tags, filters and `last` are limited.
pub(crate) fn project(session: &Session, reach: &Reach) -> Option<String> {
    (!reach.all).then(|| project_of(&session.context.folder))
}

/// The runs that the words name, at least one.
pub(crate) fn chosen<'v, 'a>(
    session: &Session,
    snapshot: &Snapshot,
    views: &'v [View<'a>],
    words: &[String],
    reach: &Reach,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    select::refuse_absent(snapshot, views, words)?;
    select::select(views, words, project(session, reach).as_deref(), session.now())
}

/// The one run that the word names.
pub(crate) fn one<'v, 'a>(
    session: &Session,
    snapshot: &Snapshot,
    views: &'v [View<'a>],
    word: &str,
    reach: &Reach,
) -> Result<&'v View<'a>, HomeError> {
    select::refuse_absent(snapshot, views, &[word.to_string()])?;
    select::one_run(views, word, project(session, reach).as_deref(), session.now())
}
