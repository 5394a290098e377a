//! How every command that shows runs gets at them: home as it is now, and the runs that the words name.

use crate::args::Reach;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::listing::current_project;
use neronet_home::select;
use neronet_home::view::{Snapshot, View};
use neronet_model::RunId;

/// Everything that home knows, brought up to date where a run may have ended unseen. What is wrong with it is said.
pub(crate) fn snapshot(session: &Session) -> Result<Snapshot, HomeError> {
    let (snapshot, notices) = snapshot_and_notices(session)?;
    notices.iter().for_each(|notice| output::notice(notice));
    Ok(snapshot)
}

pub(crate) fn snapshot_and_notices(session: &Session) -> Result<(Snapshot, Vec<String>), HomeError> {
    let (snapshot, old) = Snapshot::current(&session.context)?;
    let notices = snapshot.warnings(old);
    Ok((snapshot, notices))
}

/// The project to which names, tags, filters and `last` are limited.
pub(crate) fn project(session: &Session, reach: &Reach) -> Option<String> {
    (!reach.all).then(|| current_project(&session.context))
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

/// The numbers of the runs that the words name; without words nothing, which means all.
pub(crate) fn ids(session: &Session, snapshot: &Snapshot, words: &[String], reach: &Reach) -> Result<Option<Vec<RunId>>, HomeError> {
    if words.is_empty() {
        return Ok(None);
    }
    let views = snapshot.views_meant(&session.context, words);
    Ok(Some(chosen(session, snapshot, &views, words, reach)?.iter().map(|view| view.id).collect()))
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
