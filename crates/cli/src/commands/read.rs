//! How every command that shows runs gets at them: home as it is now, and the runs that the words name.

use crate::args::Reach;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::listing::project_of;
use neronet_home::reconcile::reconcile;
use neronet_home::select;
use neronet_home::view::{Snapshot, View};
use neronet_model::RunId;

/// Everything that home knows, brought up to date where a run may have ended unseen.
pub(crate) fn snapshot(session: &Session) -> Result<Snapshot, HomeError> {
    let mut snapshot = Snapshot::read(&session.context)?;
    if snapshot.state.runs.values().any(|run| run.known_end.is_none()) {
        match reconcile(&session.context) {
            Ok(0) => {}
            Ok(_) => snapshot = Snapshot::read(&session.context)?,
            // A home on a full or read-only disk can still be read.
            Err(e) => output::notice(&format!("warning: home could not be brought up to date, what follows may be old: {e}")),
        }
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
    words.iter().try_for_each(|word| refuse_absent(snapshot, views, word))?;
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
    refuse_absent(snapshot, views, word)?;
    select::one_run(views, word, project(session, reach).as_deref(), session.now())
}

/// The cases in which there is more to say than that no run is called so.
fn refuse_absent(snapshot: &Snapshot, views: &[View<'_>], word: &str) -> Result<(), HomeError> {
    if snapshot.state.runs.is_empty() {
        return Err(HomeError::Words("there are no runs yet; `neronet run -- CMD` makes one".into()));
    }
    if views.is_empty() && snapshot.state.runs.values().all(|run| run.trashed.is_some()) {
        return Err(HomeError::Words(
            "all runs are in the trash; `neronet ls --trash` lists them, `neronet restore` takes them out".into(),
        ));
    }
    let there = |id: u64| views.iter().any(|view| view.run.id == RunId(id));
    let single = select::ids(word).into_iter().flatten().filter(|(from, to)| from == to);
    let Some((id, _)) = single.into_iter().find(|(id, _)| !there(*id)) else { return Ok(()) };
    Err(HomeError::Words(match snapshot.state.runs.get(&RunId(id)) {
        Some(run) if run.trashed.is_some() => format!("run {id} is in the trash; `neronet restore {id}` takes it out"),
        Some(_) => format!("run {id} is not in the trash"),
        None if id > 0 && id <= snapshot.state.last_run => format!("run {id} was removed for good"),
        None => format!("there is no run {id}; `neronet ls -a` lists all of them"),
    }))
}
