//! What the crate must come to, done in the simplest way; and attempts with rows to do it with.

use neronet_model::event::By;
use neronet_model::row::{Row, Steps, Values};
use neronet_model::{AttemptNo, Millis, UnixMs};
use neronet_series::{Block, Fold, Head, Point, Recorded, Until};
use proptest::prelude::*;

/// Of one attempt: whether it resumes, and its rows, each with what is done behind it.
pub(crate) type Attempts = Vec<(bool, Vec<(Row, Then)>)>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Then {
    GoOn,
    /// A block is cut off and stored.
    Store,
}

pub(crate) const NAMES: [&str; 3] = ["loss", "val/acc", "grad norm"];

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-1_000_000..1_000_000i64).prop_map(|n| n as f64 / 1e6),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(f64::MAX)],
        1 => any::<f64>(),
    ]
}

fn row() -> impl Strategy<Value = (Row, Then)> {
    let step = prop_oneof![4 => (0..40i64).prop_map(Some), 1 => Just(None), 1 => Just(Some(i64::MAX)), 1 => Just(Some(-3))];
    let epoch = prop_oneof![2 => Just(None), 1 => (0..5u8).prop_map(|epoch| Some(f64::from(epoch)))];
    let values = prop::collection::vec((0..NAMES.len(), value()), 0..5);
    let then = prop_oneof![6 => Just(Then::GoOn), 1 => Just(Then::Store)];
    let again = prop::bool::weighted(0.05);
    (step, epoch, 0..50u64, again, values, then).prop_map(|(step, epoch, t, again, values, then)| {
        let m = Values(values.into_iter().map(|(name, value)| (NAMES[name].to_string(), value)).collect());
        (Row { t: Millis(t), step, epoch, again, m, ..Row::default() }, then)
    })
}

pub(crate) fn attempts() -> impl Strategy<Value = Attempts> {
    prop::collection::vec((prop::bool::weighted(0.8), prop::collection::vec(row(), 0..30)), 1..4)
}

/// The points of a metric that count, and those that do not.
pub(crate) fn joined(attempts: &Attempts, name: &str) -> (Vec<Point>, Vec<Point>) {
    // With a number, so that those that do not count are found again in the order in which they were recorded.
    let (mut kept, mut superseded) = (Vec::<(usize, Point)>::new(), Vec::<(usize, Point)>::new());
    let (mut steps, mut passed, mut counted, mut number) = (Steps::default(), None, 0, 0);
    for (n, (resumes, rows)) in attempts.iter().enumerate() {
        if !resumes {
            superseded.append(&mut kept);
            (steps, passed, counted) = (Steps::default(), None, 0);
        }
        let (mut told, mut last) = (false, None);
        for (row, _) in rows {
            if row.again {
                (told, last) = (false, None);
            }
            let step = steps.of(row);
            passed = step.map(|step| step as f64).or(passed);
            let given = step.map(|step| step as f64).or(row.epoch);
            for (_, value) in row.m.0.iter().filter(|(known, _)| known == name) {
                if !told && let Some(first) = given {
                    let (before, beyond) = kept.into_iter().partition(|(_, point): &(usize, Point)| point.step < first);
                    kept = before;
                    superseded.extend(beyond as Vec<(usize, Point)>);
                }
                told = true;
                let x = given.unwrap_or(f64::from(counted + 1));
                if given.is_some() && last == Some((x, value.to_bits())) {
                    continue;
                }
                (last, counted, number) = (Some((x, value.to_bits())), counted + 1, number + 1);
                let at = UnixMs(1_000 * (n as i64 + 1)).plus(row.t);
                kept.push((number, Point { step: x, by: By::of(step, row.epoch), epoch: row.epoch, passed, at, value: *value }));
            }
        }
    }
    superseded.sort_by_key(|(number, _)| *number);
    let points = |of: Vec<(usize, Point)>| of.into_iter().map(|(_, point)| point).collect();
    (points(kept), points(superseded))
}

/// What was folded of them: a file, and the blocks behind it.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) attempts: Vec<(AttemptNo, bool)>,
    pub(crate) file: Vec<u8>,
    pub(crate) heads: Vec<Head>,
    pub(crate) rest: Vec<Block>,
}

impl Folded {
    /// Folds them, begun anew from the file behind each stored block. Blocks are stored as long as none was left in memory.
    pub(crate) fn of(attempts: &Attempts) -> Folded {
        let mut folded = Folded::default();
        let mut fold = Fold::default();
        for (n, (resumes, rows)) in (1..).map(AttemptNo).zip(attempts) {
            folded.attempts.push((n, *resumes));
            let begun = UnixMs(1_000 * n.0 as i64);
            fold.begin(n, *resumes, begun);
            for (row, then) in rows {
                if fold.is_over_before(row) {
                    folded.cut(&mut fold, begun);
                }
                fold.add(row);
                if *then == Then::Store && folded.rest.is_empty() {
                    folded.cut(&mut fold, begun);
                }
            }
            if !fold.is_empty() {
                folded.rest.push(fold.cut());
            }
        }
        folded
    }

    /// Cuts a block off, stores it where none was left in memory, and begins the fold anew behind it.
    fn cut(&mut self, fold: &mut Fold, begun: UnixMs) {
        if !self.rest.is_empty() {
            self.rest.push(fold.cut());
            return;
        }
        let read = self.heads.len() as u64;
        let position = vec![Until { segment: "metrics.1.jsonl".into(), to: read, length: read + 7 }];
        let (frame, head) = fold.cut().encode(position, (0, 0), self.file.len() as u64).expect("it has a row");
        self.file.extend(frame);
        self.heads.push(head);
        let (heads, end) = Head::all(&self.file[..], self.file.len() as u64);
        assert_eq!(end, self.file.len() as u64, "every byte belongs to a frame");
        assert_eq!(format!("{heads:?}"), format!("{:?}", self.heads));
        *fold = Fold::default();
        for (known, resumes) in &self.attempts {
            fold.begin(*known, *resumes, begun);
            self.heads.iter().filter(|head| head.attempt == *known).for_each(|head| fold.go_on(head));
        }
    }

    pub(crate) fn recorded(&self) -> Recorded<'_, [u8]> {
        Recorded { attempts: &self.attempts, file: &self.file, heads: &self.heads, rest: &self.rest }
    }
}
