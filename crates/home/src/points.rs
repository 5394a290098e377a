//! The points of runs for other programs, one at a time, however many there are.

use crate::context::Context;
use crate::error::HomeError;
use crate::view::View;
use neronet_model::AttemptNo;
use neronet_store::series::{self, Point};
use std::io;

/// One point.
#[derive(Debug, Clone, Copy)]
pub struct Told<'t> {
    pub attempt: AttemptNo,
    pub metric: &'t str,
    pub point: &'t Point,
    /// A later attempt went back behind it.
    pub superseded: bool,
}

/// Gives every point of a run, metric by metric in the order of their names. What the record lost is said in sentences.
pub fn each(context: &Context, view: &View<'_>, mut each: impl FnMut(Told<'_>) -> io::Result<()>) -> Result<Vec<String>, HomeError> {
    let folder = context.home.run(view.id);
    let (mut failed, mut again) = (None, false);
    let anew = || {
        again = true;
        false
    };
    let damage = series::each_point(&folder, context.stored_series(view.run()).as_deref(), anew, |metric, attempt, point, superseded| {
        failed = each(Told { attempt, metric, point, superseded }).err();
        failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(HomeError::unwritable(&format!("the points of run {}", view.id), &error));
    }
    if again {
        // What was written cannot be taken back; by now the projection is a new one.
        return Err(HomeError::Failed(format!("what was stored of the curves of run {} was damaged and is made anew: try again", view.id)));
    }
    Ok(damage.notice(&format!("the metrics of run {}", view.id)).into_iter().collect())
}
