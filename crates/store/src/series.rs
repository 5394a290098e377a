//! Series: the points of one metric of one run, joined over its attempts, and what a chart shows of them.

use crate::error::StoreError;
use crate::lines::Damage;
use crate::recording::Recording;
use neronet_model::AttemptNo;
use neronet_model::event::Extent;
use neronet_series::Damaged;
pub use neronet_series::{Bucket, Point, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    pub points: Vec<Point>,
    /// What later attempts went back behind, in the order in which it was recorded.
    pub superseded: Vec<Point>,
    /// Neither step nor epoch was ever given.
    pub counted: bool,
}

/// All series of a run by name. `only` limits them to one metric; `stored` is where the run's projection is, or may be made.
pub fn of_run(run_folder: &Path, stored: Option<&Path>, only: Option<&str>) -> Result<BTreeMap<String, Series>, StoreError> {
    Ok(with_damage(run_folder, stored, only)?.0)
}

/// The same, with what of the rows cannot be read.
pub fn with_damage(run_folder: &Path, stored: Option<&Path>, only: Option<&str>) -> Result<(BTreeMap<String, Series>, Damage), StoreError> {
    read(run_folder, stored, |recording| {
        let recorded = recording.recorded();
        let mut all = BTreeMap::new();
        for name in recorded.names().filter(|name| only.is_none_or(|only| only == *name)) {
            if !all.contains_key(name) {
                let series = recorded.series(name);
                let mut found = Series { counted: series.is_counted(), ..Series::default() };
                series.points(|point| found.points.push(point))?;
                series.superseded(|point| found.superseded.push(point))?;
                all.insert(name.to_string(), found);
            }
        }
        Ok((all, recording.damage()))
    })
}

/// The numbers that stand for each series, without its points in memory.
pub fn extents(run_folder: &Path, stored: Option<&Path>) -> Result<BTreeMap<String, Extent>, StoreError> {
    read(run_folder, stored, |recording| {
        let recorded = recording.recorded();
        let names: BTreeSet<&str> = recorded.names().collect();
        let mut all = BTreeMap::new();
        for name in names {
            let mut extent: Option<Extent> = None;
            recorded.series(name).points(|point| match &mut extent {
                Some(extent) => extent.add(point.value, point.step, point.by),
                None => extent = Some(Extent::of(point.value, point.step, point.by)),
            })?;
            all.extend(extent.map(|extent| (name.to_string(), extent)));
        }
        Ok(all)
    })
}

/// Every point of a run, metric by metric, one at a time, with its attempt and whether a later attempt went back behind it. `each` says
/// whether to go on. Where the projection turns out to be damaged after some points `anew` says whether all of them may come once more.
pub fn each_point(
    run_folder: &Path,
    stored: Option<&Path>,
    mut anew: impl FnMut() -> bool,
    mut each: impl FnMut(&str, AttemptNo, &Point, bool) -> bool,
) -> Result<Damage, StoreError> {
    let mut begun = false;
    read(run_folder, stored, |recording| {
        let recorded = recording.recorded();
        let names: BTreeSet<&str> = recorded.names().collect();
        let mut go_on = !begun || anew();
        for name in names {
            recorded.series(name).all(|attempt, point, superseded| {
                begun = true;
                go_on = go_on && each(name, attempt, point, superseded);
            })?;
        }
        Ok(recording.damage())
    })
}

/// What a chart shows of a metric, in at most `most` buckets. None where the run never told it.
pub fn draw(run_folder: &Path, stored: Option<&Path>, name: &str, window: Window, most: usize) -> Result<Option<Vec<Bucket>>, StoreError> {
    read(run_folder, stored, |recording| {
        let recorded = recording.recorded();
        let series = recorded.series(name);
        if series.is_empty() { Ok(None) } else { series.draw(window, most).map(Some) }
    })
}

/// Reads what is recorded. A damaged projection is made anew, then done without.
fn read<T>(run_folder: &Path, stored: Option<&Path>, mut each: impl FnMut(&Recording) -> Result<T, Damaged>) -> Result<T, StoreError> {
    let known = Recording::of(run_folder, stored)?;
    if let Ok(found) = each(&known) {
        return Ok(found);
    }
    if let Ok(found) = each(&Recording::anew(run_folder, stored)?) {
        return Ok(found);
    }
    let read = each(&Recording::of(run_folder, None)?);
    let what = "its metrics cannot be put together, which is a mistake of neronet's: please report it".to_string();
    read.map_err(|Damaged| StoreError::Damaged { path: run_folder.to_path_buf(), what })
}

impl Series {
    /// The numbers that stand for it.
    pub fn extent(&self) -> Option<Extent> {
        let mut points = self.points.iter();
        let first = points.next()?;
        let mut extent = Extent::of(first.value, first.step, first.by);
        points.for_each(|point| extent.add(point.value, point.step, point.by));
        Some(extent)
    }
}
