//! A point of a series, and how points are made of columns.

use crate::bucket::Bucket;
use crate::fold::Rows;
use crate::sparse::{Cursor, Sparse};
use neronet_model::UnixMs;
use neronet_model::event::By;

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Step, else epoch, else count.
    pub step: f64,
    pub by: By,
    pub epoch: Option<f64>,
    /// The last step that any metric of the attempt had told by then.
    pub passed: Option<f64>,
    pub at: UnixMs,
    pub value: f64,
}

impl From<&Point> for Bucket {
    fn from(point: &Point) -> Bucket {
        Bucket::of(point.step, point.at.0.max(0) as u64, point.value)
    }
}

/// The points of one metric in the order in which they were recorded. Those without step and epoch are numbered on from `before`.
pub(crate) fn points(rows: &Rows, values: &Sparse<f64>, before: u64, mut each: impl FnMut(Point)) {
    let (mut steps, mut epochs) = (Cursor::new(&rows.steps), Cursor::new(&rows.epochs));
    for (i, value) in values.values.iter().enumerate() {
        let row = values.row(i);
        let ((step, passed), (epoch, _)) = (steps.at(row), epochs.at(row));
        let given = step.map(|step| step as f64).or(epoch);
        each(Point {
            step: given.unwrap_or((before + i as u64 + 1) as f64),
            by: By::of(step, epoch),
            epoch,
            passed: passed.or(rows.passed).map(|step| step as f64),
            at: UnixMs(rows.t.get(row).copied().unwrap_or(0) as i64),
            value: *value,
        });
    }
}
