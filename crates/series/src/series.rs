//! The series of one metric, joined over the attempts of a run, in files and in memory: its points, and what a chart shows of it.
//!
//! An attempt that resumes, or a training that begins again within one, joins at its first step: earlier points at or beyond it are superseded, kept apart and shown on
//! request. Counted points go on counting only then. An attempt from scratch starts anew.

use crate::Damaged;
use crate::bucket::{self, Bucket};
use crate::fold::{Block, Metric};
use crate::point::{Point, points};
use crate::stored::{Bytes, Chunk, Head};
use neronet_model::AttemptNo;

/// What of a run is stored, what is not yet, and its attempts in order with whether each resumes.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a, B: ?Sized> {
    pub attempts: &'a [(AttemptNo, bool)],
    pub file: &'a B,
    pub heads: &'a [Head],
    /// The blocks behind them.
    pub rest: &'a [Block],
}

#[derive(Debug)]
pub struct Series<'a, B: ?Sized> {
    file: &'a B,
    pieces: Vec<Piece<'a>>,
}

#[derive(Debug)]
struct Piece<'a> {
    attempt: AttemptNo,
    source: Source<'a>,
    kept: Kept,
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Stored(&'a Head, &'a Chunk),
    Memory(&'a Block, &'a Metric),
}

/// Which points later attempts have left standing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kept {
    All,
    /// Those before this position.
    Before(f64),
    Nothing,
}

/// What a chart shows: which part of which axis, from the first number to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Window {
    /// Step, else epoch, else count.
    Position(f64, f64),
    /// Milliseconds since the Unix epoch.
    Time(u64, u64),
}

impl Window {
    pub const ALL: Window = Window::Position(f64::NEG_INFINITY, f64::INFINITY);

    /// From where to where it and a bucket go.
    fn edges(self, bucket: &Bucket) -> ([f64; 2], [f64; 2]) {
        match self {
            Window::Position(from, to) => ([from, to], bucket.x),
            Window::Time(from, to) => ([from as f64, to as f64], bucket.t.map(|t| t as f64)),
        }
    }

    /// Which part of a bucket lies in it: all, or about so much.
    fn share(self, bucket: &Bucket) -> f64 {
        let ([from, to], [lo, hi]) = self.edges(bucket);
        if !self.overlaps(bucket) {
            0.0
        } else if lo >= from && hi <= to {
            1.0
        } else {
            (hi.min(to) - lo.max(from)) / (hi - lo)
        }
    }

    fn holds(self, point: &Point) -> bool {
        self.overlaps(&Bucket::from(point))
    }

    /// Also where it is a single position, or one of theirs touches the other.
    fn overlaps(self, bucket: &Bucket) -> bool {
        let ([from, to], [lo, hi]) = self.edges(bucket);
        lo <= to && hi >= from
    }
}

impl Source<'_> {
    fn whole(&self) -> Option<Bucket> {
        match self {
            Source::Stored(_, chunk) => Some(chunk.whole),
            Source::Memory(block, metric) => {
                let mut whole: Option<Bucket> = None;
                points(&block.rows, &metric.values, metric.before, |point| match &mut whole {
                    Some(whole) => whole.add(&Bucket::from(&point)),
                    None => whole = Some(Bucket::from(&point)),
                });
                whole
            }
        }
    }

    fn counted(&self) -> bool {
        match self {
            Source::Stored(_, chunk) => chunk.counted,
            Source::Memory(_, metric) => metric.counted,
        }
    }

    fn points(&self, file: &(impl Bytes + ?Sized), each: impl FnMut(Point)) -> Result<(), Damaged> {
        match self {
            Source::Stored(head, chunk) => head.points(file, chunk, each),
            Source::Memory(block, metric) => {
                points(&block.rows, &metric.values, metric.before, each);
                Ok(())
            }
        }
    }
}

impl<'a, B: Bytes + ?Sized> Recorded<'a, B> {
    /// The names of all metrics, each once for each block that has it.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let stored = self.heads.iter().flat_map(|head| head.chunks.iter().map(|chunk| chunk.name.as_str()));
        stored.chain(self.rest.iter().flat_map(|block| block.metrics.iter().map(|metric| metric.name.as_str())))
    }

    pub fn series(&self, name: &str) -> Series<'a, B> {
        let stored = self.heads.iter().filter_map(|head| {
            let chunk = head.chunk(name)?;
            Some(((head.attempt, head.section), chunk.first, Source::Stored(head, chunk)))
        });
        let rest = self.rest.iter().filter_map(|block| {
            let metric = block.metrics.iter().find(|metric| metric.name == name)?;
            Some(((block.attempt, block.section), metric.first, Source::Memory(block, metric)))
        });
        let found: Vec<((AttemptNo, u32), Option<f64>, Source<'a>)> = stored.chain(rest).collect();
        let kept = |told: (AttemptNo, u32)| {
            if self.attempts.iter().any(|(n, resumes)| *n > told.0 && !resumes) {
                return Kept::Nothing;
            }
            let firsts = found.iter().filter(|(later, ..)| *later > told).filter_map(|(_, first, _)| *first);
            firsts.reduce(f64::min).map_or(Kept::All, Kept::Before)
        };
        let pieces = found.iter().map(|(told, _, source)| Piece { attempt: told.0, source: *source, kept: kept(*told) }).collect();
        Series { file: self.file, pieces }
    }
}

impl<B: Bytes + ?Sized> Series<'_, B> {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Neither step nor epoch was ever given.
    pub fn is_counted(&self) -> bool {
        self.pieces.iter().all(|piece| piece.source.counted())
    }

    /// Its points, in the order in which they were recorded.
    pub fn points(&self, each: impl FnMut(Point)) -> Result<(), Damaged> {
        self.chosen(true, each)
    }

    /// Those that later attempts, or the same when it began again, went back behind.
    pub fn superseded(&self, each: impl FnMut(Point)) -> Result<(), Damaged> {
        self.chosen(false, each)
    }

    /// All of them in the order in which they were recorded, each with its attempt and whether a later attempt went back behind it.
    pub fn all(&self, mut each: impl FnMut(AttemptNo, &Point, bool)) -> Result<(), Damaged> {
        for piece in &self.pieces {
            piece.source.points(self.file, |point| each(piece.attempt, &point, !piece.kept.holds(point.step)))?;
        }
        Ok(())
    }

    fn chosen(&self, kept: bool, mut each: impl FnMut(Point)) -> Result<(), Damaged> {
        for piece in &self.pieces {
            if piece.kept == (if kept { Kept::Nothing } else { Kept::All }) {
                continue;
            }
            piece.source.points(self.file, |point| {
                if piece.kept.holds(point.step) == kept {
                    each(point);
                }
            })?;
        }
        Ok(())
    }

    /// What a chart shows of the points that count, in at most `most` buckets; the points themselves where they are not more than
    /// that. Extremes are exact. At the edges of the window a bucket may hold points beyond it.
    pub fn draw(&self, window: Window, most: usize) -> Result<Vec<Bucket>, Damaged> {
        let most = most.max(1);
        let mut seen = Vec::new();
        let mut count = 0.0;
        for piece in self.pieces.iter().filter(|piece| piece.kept != Kept::Nothing) {
            let Some(whole) = piece.source.whole().filter(|whole| window.overlaps(whole)) else { continue };
            count += whole.points() as f64 * window.share(&whole);
            seen.push((piece, whole));
        }
        let mut drawn = self.drawn(&seen, window, (count / most as f64).ceil() as usize)?;
        // Fewer than it seemed, as many are superseded or lie beyond the window.
        if drawn.iter().map(Bucket::points).sum::<u64>() <= most as u64 {
            drawn = self.drawn(&seen, window, 1)?;
        }
        let together = drawn.len().div_ceil(most);
        Ok(if together > 1 { bucket::merged(&drawn, together) } else { drawn })
    }

    /// Buckets of about so many points each, or fewer.
    fn drawn(&self, pieces: &[(&Piece<'_>, Bucket)], window: Window, each: usize) -> Result<Vec<Bucket>, Damaged> {
        // Half as many buckets as asked for are drawn sooner than a hundred thousand points are read.
        let level = (0..).take_while(|level| bucket::width(*level) <= 2 * each).last().filter(|_| each > 1);
        for (piece, _) in pieces.iter().filter(|_| level.is_some()) {
            if let Source::Stored(head, chunk) = piece.source {
                head.will_read(self.file, chunk);
            }
        }
        let mut drawn = Vec::new();
        for (piece, whole) in pieces {
            match (piece.source, level) {
                (Source::Stored(head, chunk), Some(level)) if piece.kept.holds(whole.x[1]) => {
                    drawn.extend(head.level(self.file, chunk, level)?.into_iter().filter(|bucket| window.overlaps(bucket)));
                }
                (source, level) => {
                    let each = level.map_or(each, bucket::width) as u64;
                    let mut open = None::<Bucket>;
                    source.points(self.file, |point| {
                        if !piece.kept.holds(point.step) || !window.holds(&point) {
                            return;
                        }
                        let point = Bucket::from(&point);
                        match &mut open {
                            Some(bucket) if bucket.points() < each => bucket.add(&point),
                            _ => drawn.extend(open.replace(point)),
                        }
                    })?;
                    drawn.extend(open);
                }
            }
        }
        Ok(drawn)
    }
}

impl Kept {
    fn holds(self, position: f64) -> bool {
        match self {
            Kept::All => true,
            Kept::Before(first) => position < first,
            Kept::Nothing => false,
        }
    }
}
