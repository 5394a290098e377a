//! The metrics of ended runs by name, so that thousands of runs are filtered and sorted without reading what each of them recorded.
//!
//! A chunk holds those of the runs that ended since the one before it: `NRENDS1\n`, length (u32, little-endian) and CRC-32C (u32) of the
//! head, the head (`ChunkHead`, postcard), then the columns. A column is the rows that have the metric (u32 each; left out where all
//! have) and a cell of 40 bytes for each: last, min, max, step (f64), points (u64 with what the step counts in its two highest bits).

use super::Stored;
use crate::error::StoreError;
use neronet_model::RunId;
use neronet_model::event::{By, Extent};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const MARK: &[u8; 8] = b"NRENDS1\n";
const CELL: usize = 40;
/// Read at once: most heads are shorter.
const FIRST: usize = 1 << 14;

/// Which part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) at: u64,
    pub(crate) length: u64,
}

/// Metrics that are not stored yet.
pub type Fresh = BTreeMap<RunId, BTreeMap<String, Extent>>;

/// One metric of many runs, in the order of runs. Its cells stay as they are stored until somebody looks at one.
#[derive(Debug, Default)]
pub struct Column {
    runs: Vec<RunId>,
    cells: Vec<[u8; CELL]>,
}

impl Column {
    pub fn iter(&self) -> impl Iterator<Item = (RunId, Extent)> {
        self.runs.iter().copied().zip(self.cells.iter().map(extent))
    }

    pub fn get(&self, at: usize) -> Option<(RunId, Extent)> {
        Some((*self.runs.get(at)?, extent(self.cells.get(at)?)))
    }

    pub fn of(&self, run: RunId) -> Option<Extent> {
        self.cells.get(self.runs.binary_search(&run).ok()?).map(extent)
    }

    /// Behind the others, but those of `again`, which is in order.
    fn append(&mut self, part: &Column, again: &[RunId]) {
        if again.is_empty() {
            self.runs.extend_from_slice(&part.runs);
            self.cells.extend_from_slice(&part.cells);
            return;
        }
        for (run, cell) in part.runs.iter().zip(&part.cells).filter(|(run, _)| again.binary_search(run).is_err()) {
            self.runs.push(*run);
            self.cells.push(*cell);
        }
    }

    fn sorted(self) -> Column {
        // Mostly runs end in the order of their numbers.
        if self.runs.is_sorted() {
            return self;
        }
        let mut rows: Vec<(RunId, [u8; CELL])> = self.runs.into_iter().zip(self.cells).collect();
        rows.sort_unstable_by_key(|(run, _)| *run);
        let (runs, cells) = rows.into_iter().unzip();
        Column { runs, cells }
    }
}

#[derive(Serialize, Deserialize)]
struct ChunkHead<'a> {
    /// In their order.
    runs: Vec<u64>,
    /// In the order of names.
    #[serde(borrow)]
    columns: Vec<ColumnHead<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct ColumnHead<'a> {
    name: &'a str,
    /// From the end of the head on.
    at: u64,
    cells: u32,
    checksum: u32,
}

/// The metrics of all ended runs. A run that ended more than once has those of its last end.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(crate) stored: Option<Arc<Stored>>,
    pub(crate) fresh: Arc<Fresh>,
}

/// It cannot be read: the journal has it too.
#[derive(Debug)]
pub struct Damaged;

impl Metrics {
    /// One metric, of all ended runs that have it.
    ///
    /// # Errors
    /// Where what is stored cannot be read: it is made anew for whoever asks next.
    pub fn column(&self, name: &str) -> Result<Column, Damaged> {
        self.column_of(name).inspect_err(|_| self.discard())
    }

    fn column_of(&self, name: &str) -> Result<Column, Damaged> {
        let readers = self.readers()?;
        self.opened(&readers)?.column(name)
    }

    pub(crate) fn readers(&self) -> Result<Vec<Reader<'_>>, Damaged> {
        self.chunks().collect()
    }

    /// With all heads read, for whoever reads many columns.
    pub(crate) fn opened<'r>(&'r self, readers: &'r [Reader<'r>]) -> Result<Opened<'r>, Damaged> {
        // A run that ended again has its end in a later chunk, perhaps without the metric.
        let mut later = Seen::of(self.fresh.keys().copied());
        let mut chunks = Vec::with_capacity(readers.len());
        for reader in readers.iter().rev() {
            let head = reader.head()?;
            let again: Vec<RunId> = head.runs.iter().copied().map(RunId).filter(|run| later.has(*run)).collect();
            head.runs.iter().for_each(|run| later.add(RunId(*run)));
            chunks.push((reader, head, again));
        }
        chunks.reverse();
        Ok(Opened { chunks, fresh: &self.fresh })
    }

    /// Every metric of these runs: how many of them have it, and whether it is a curve in any.
    ///
    /// # Errors
    /// As those of `column`.
    pub fn names(&self, of: &BTreeSet<RunId>) -> Result<BTreeMap<String, (usize, bool)>, Damaged> {
        self.names_of(of).inspect_err(|_| self.discard())
    }

    fn names_of(&self, of: &BTreeSet<RunId>) -> Result<BTreeMap<String, (usize, bool)>, Damaged> {
        let mut names: BTreeMap<String, (usize, bool)> = BTreeMap::new();
        let mut count = |name: &str, runs: usize, curve: bool| {
            let entry = match names.get_mut(name) {
                Some(entry) => entry,
                None => names.entry(name.to_string()).or_default(),
            };
            (entry.0, entry.1) = (entry.0 + runs, entry.1 | curve);
        };
        let mut again = Seen::of(self.fresh.keys().copied());
        for reader in self.chunks().rev() {
            let reader = reader?;
            let head = reader.head()?;
            let is_asked_for = |run: &RunId| of.contains(run) && !again.has(*run);
            if head.runs.iter().any(|run| is_asked_for(&RunId(*run))) {
                for column in &head.columns {
                    let cells = reader.cells(&head, column)?;
                    let (mut runs, mut curve) = (0, false);
                    for (_, extent) in cells.iter().filter(|(run, _)| is_asked_for(run)) {
                        (runs, curve) = (runs + 1, curve | (extent.points > 1));
                    }
                    if runs > 0 {
                        count(column.name, runs, curve);
                    }
                }
            }
            head.runs.iter().for_each(|run| again.add(RunId(*run)));
        }
        for metrics in self.fresh.iter().filter(|(run, _)| of.contains(run)).map(|(_, metrics)| metrics) {
            metrics.iter().for_each(|(name, extent)| count(name, 1, extent.points > 1));
        }
        Ok(names)
    }

    /// Of a run whose end is not stored yet.
    pub fn fresh(&self, run: RunId) -> Option<&BTreeMap<String, Extent>> {
        self.fresh.get(&run)
    }

    fn discard(&self) {
        self.stored.iter().for_each(|stored| stored.discard());
    }

    fn chunks(&self) -> impl DoubleEndedIterator<Item = Result<Reader<'_>, Damaged>> {
        let stored = self.stored.as_deref().into_iter();
        stored.flat_map(|stored| stored.chunks().iter().map(|chunk| Reader::open(stored.metrics(), *chunk)))
    }
}

/// Each chunk with its head, and the runs in it whose metrics are no longer those.
pub(crate) struct Opened<'r> {
    chunks: Vec<(&'r Reader<'r>, ChunkHead<'r>, Vec<RunId>)>,
    fresh: &'r Fresh,
}

impl Opened<'_> {
    pub(crate) fn column(&self, name: &str) -> Result<Column, Damaged> {
        let mut parts = Vec::new();
        for (reader, head, again) in &self.chunks {
            if let Ok(at) = head.columns.binary_search_by(|column| column.name.cmp(name)) {
                parts.extend(head.columns.get(at).map(|found| (reader, head, found, again)));
            }
        }
        let count = parts.iter().map(|(_, head, found, _)| head.runs.len().min(found.cells as usize)).sum();
        let mut column = Column { runs: Vec::with_capacity(count), cells: Vec::with_capacity(count) };
        for (reader, head, found, again) in &parts {
            column.append(&reader.cells(head, found)?, again);
        }
        for (run, found) in self.fresh.iter().filter_map(|(run, metrics)| Some((*run, metrics.get(name)?))) {
            column.runs.push(run);
            column.cells.push(cell(found));
        }
        Ok(column.sorted())
    }
}

/// Runs, a bit each: their numbers are small. Larger ones are kept one by one.
#[derive(Default)]
struct Seen {
    bits: Vec<u64>,
    others: BTreeSet<RunId>,
}

const SMALL: u64 = 1 << 26;

impl Seen {
    fn of(runs: impl Iterator<Item = RunId>) -> Seen {
        let mut seen = Seen::default();
        runs.for_each(|run| seen.add(run));
        seen
    }

    fn add(&mut self, run: RunId) {
        if run.0 >= SMALL {
            self.others.insert(run);
            return;
        }
        let at = (run.0 / 64) as usize;
        if at >= self.bits.len() {
            self.bits.resize(at + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= 1 << (run.0 % 64);
        }
    }

    fn has(&self, run: RunId) -> bool {
        match run.0 {
            ..SMALL => self.bits.get((run.0 / 64) as usize).is_some_and(|bits| bits & 1 << (run.0 % 64) != 0),
            _ => self.others.contains(&run),
        }
    }
}

/// A chunk whose head is in memory.
pub(crate) struct Reader<'f> {
    file: &'f File,
    chunk: Chunk,
    bytes: Vec<u8>,
    /// Length of the head.
    head: usize,
    checksum: u32,
}

const BEFORE_HEAD: usize = MARK.len() + 8;

impl<'f> Reader<'f> {
    fn open(file: &'f File, chunk: Chunk) -> Result<Reader<'f>, Damaged> {
        let all = usize::try_from(chunk.length).map_err(|_| Damaged)?;
        let mut bytes = read(file, chunk.at, FIRST.min(all))?;
        let number = |at: usize| -> Result<u32, Damaged> {
            let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or(Damaged)?;
            Ok(u32::from_le_bytes(four))
        };
        let (head, checksum) = (number(MARK.len())? as usize, number(MARK.len() + 4)?);
        let end = BEFORE_HEAD.checked_add(head).filter(|end| *end <= all && bytes.starts_with(MARK)).ok_or(Damaged)?;
        if end > bytes.len() {
            bytes.extend(read(file, chunk.at + bytes.len() as u64, end - bytes.len())?);
        }
        Ok(Reader { file, chunk, bytes, head, checksum })
    }

    fn head(&self) -> Result<ChunkHead<'_>, Damaged> {
        let bytes = self.bytes.get(BEFORE_HEAD..BEFORE_HEAD + self.head).ok_or(Damaged)?;
        if crc32c::crc32c(bytes) != self.checksum {
            return Err(Damaged);
        }
        postcard::from_bytes(bytes).map_err(|_| Damaged)
    }

    fn cells(&self, head: &ChunkHead<'_>, column: &ColumnHead<'_>) -> Result<Column, Damaged> {
        let (rows, cells) = (head.runs.len(), column.cells as usize);
        let is_dense = cells == rows;
        let length = cells * if is_dense { CELL } else { CELL + 4 };
        let at = ((BEFORE_HEAD + self.head) as u64).checked_add(column.at).ok_or(Damaged)?;
        if cells > rows || at.checked_add(length as u64).is_none_or(|end| end > self.chunk.length) {
            return Err(Damaged);
        }
        let numbers = read(self.file, self.chunk.at + at, length - cells * CELL)?;
        let mut found = vec![[0; CELL]; cells];
        let bytes = found.as_flattened_mut();
        self.file.read_exact_at(bytes, self.chunk.at + at + numbers.len() as u64).map_err(|_| Damaged)?;
        if crc32c::crc32c_append(crc32c::crc32c(&numbers), bytes) != column.checksum {
            return Err(Damaged);
        }
        let run = |row: usize| head.runs.get(row).copied().map(RunId).ok_or(Damaged);
        let of_rows = numbers.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number) as usize);
        let runs = if is_dense { (0..rows).map(run).collect() } else { of_rows.map(run).collect::<Result<Vec<_>, _>>() };
        Ok(Column { runs: runs?, cells: found })
    }
}

fn read(file: &File, at: u64, length: usize) -> Result<Vec<u8>, Damaged> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at).map_err(|_| Damaged)?;
    Ok(bytes)
}

/// A chunk of these runs.
pub(crate) fn encode(fresh: &Fresh) -> Result<Vec<u8>, StoreError> {
    let mut by_name: BTreeMap<&str, Vec<(u32, &Extent)>> = BTreeMap::new();
    for (row, metrics) in (0..).zip(fresh.values()) {
        metrics.iter().for_each(|(name, extent)| by_name.entry(name).or_default().push((row, extent)));
    }
    let (mut body, mut columns) = (Vec::new(), Vec::with_capacity(by_name.len()));
    for (name, cells) in by_name {
        let at = body.len();
        if cells.len() < fresh.len() {
            cells.iter().for_each(|(row, _)| body.extend_from_slice(&row.to_le_bytes()));
        }
        cells.iter().for_each(|(_, extent)| body.extend_from_slice(&cell(extent)));
        let checksum = crc32c::crc32c(body.get(at..).unwrap_or_default());
        columns.push(ColumnHead { name, at: at as u64, cells: cells.len() as u32, checksum });
    }
    let head = ChunkHead { runs: fresh.keys().map(|run| run.0).collect(), columns };
    let head = postcard::to_allocvec(&head).map_err(super::unstorable)?;
    let mut bytes = Vec::with_capacity(BEFORE_HEAD + head.len() + body.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.append(&mut body);
    Ok(bytes)
}

const BY: [Option<By>; 4] = [None, Some(By::Step), Some(By::Epoch), Some(By::Count)];
const BY_SHIFT: u32 = 62;

fn cell(extent: &Extent) -> [u8; CELL] {
    let by = BY.iter().position(|by| *by == extent.by).unwrap_or(0) as u64;
    let points = (extent.points & ((1 << BY_SHIFT) - 1)) | (by << BY_SHIFT);
    let numbers = [extent.last, extent.min, extent.max, extent.step].map(f64::to_bits);
    let [last, min, max, step] = numbers.map(u64::to_le_bytes);
    let mut cell = [0; CELL];
    let parts = cell.as_chunks_mut::<8>().0;
    for (part, number) in parts.iter_mut().zip([last, min, max, step, points.to_le_bytes()]) {
        *part = number;
    }
    cell
}

fn extent(cell: &[u8; CELL]) -> Extent {
    let mut numbers = cell.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
    let mut next = || numbers.next().unwrap_or_default();
    let [last, min, max, step] = [next(), next(), next(), next()].map(f64::from_bits);
    let points = next();
    let by = BY.get((points >> BY_SHIFT) as usize).copied().flatten();
    Extent { last, min, max, step, by, points: points & ((1 << BY_SHIFT) - 1) }
}
