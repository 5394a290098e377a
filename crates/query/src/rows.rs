//! A set of rows of a table, one bit each.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// 64 rows each, the first in the lowest bit; bits beyond `count` are 0.
    words: Vec<u64>,
    count: usize,
}

impl Rows {
    pub fn none(count: usize) -> Rows {
        Rows { words: vec![0; count.div_ceil(64)], count }
    }

    pub fn all(count: usize) -> Rows {
        let mut rows = Rows { words: vec![u64::MAX; count.div_ceil(64)], count };
        rows.trim();
        rows
    }

    /// The rows whose cell holds. Rows that the slice does not reach do not.
    pub fn of<T>(count: usize, cells: &[T], holds: impl Fn(&T) -> bool) -> Rows {
        let mut rows = Rows::none(count);
        let cells = &cells[..cells.len().min(count)];
        for (word, cells) in rows.words.iter_mut().zip(cells.chunks(64)) {
            for (bit, cell) in cells.iter().enumerate() {
                *word |= u64::from(holds(cell)) << bit;
            }
        }
        rows
    }

    /// How many rows the table has.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many rows are in the set.
    pub fn total(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn has(&self, row: usize) -> bool {
        row < self.count && self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub fn insert(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64).filter(|_| row < self.count) {
            *word |= 1 << (row % 64);
        }
    }

    pub fn and(&mut self, other: &Rows) {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
    }

    pub fn or(&mut self, other: &Rows) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
        self.trim();
    }

    /// All others.
    pub fn invert(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
    }

    /// Their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let bits = |(at, word): (usize, &u64)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        };
        self.words.iter().enumerate().flat_map(bits)
    }

    fn trim(&mut self) {
        if let Some(last) = self.words.last_mut().filter(|_| !self.count.is_multiple_of(64)) {
            *last &= (1 << (self.count % 64)) - 1;
        }
    }
}
