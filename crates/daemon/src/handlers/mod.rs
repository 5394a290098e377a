//! What each address does: the words of a request in, an answer out, by the functions of `home` that commands call too.

pub(crate) mod events;
pub(crate) mod life;
pub(crate) mod queue;
pub(crate) mod runs;
pub(crate) mod steer;
pub(crate) mod submit;

use crate::refusal::Refusal;
use neronet_home::view::{Snapshot, View};
use neronet_home::{Context, select};

/// The runs that the words name, at least one.
fn chosen<'v, 'a>(
    context: &Context,
    snapshot: &Snapshot,
    views: &'v [View<'a>],
    words: &[String],
    project: Option<&str>,
) -> Result<Vec<&'v View<'a>>, Refusal> {
    if words.is_empty() {
        return Err(Refusal::new(400, "'which' names no runs", "give a list such as [\"42\"], [\"40-50\"] or [\"@tag\"]"));
    }
    select::refuse_absent(snapshot, views, words)?;
    Ok(select::select(views, words, project, context.now())?)
}
