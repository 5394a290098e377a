//! How much a table may hold. Beyond it a file is refused, whatever it says of itself.

/// Rows below the header.
pub(crate) const ROWS: usize = 100_000;
/// Columns with a value in them.
pub(crate) const COLUMNS: usize = 1_000;
/// Rows times columns: what is kept for them is some 100 bytes each.
pub(crate) const CELLS: usize = 2_500_000;
/// Characters of a cell: as many as a spreadsheet program itself keeps.
pub(crate) const CELL: usize = 32_767;
/// Bytes of all texts together. One shared text can stand in a million cells.
pub(crate) const TEXT: usize = 64 << 20;
/// Bytes of a text file: the texts, and what stands between them.
pub(crate) const FILE: usize = 100 << 20;
/// Bytes that a packed file may unfold to, counted as they come.
pub(crate) const UNPACKED: u64 = 200 << 20;
/// Beyond the first megabytes, at most this many bytes for each byte of the file; real sheets stay below a tenth of it.
pub(crate) const RATIO: u64 = 200;
pub(crate) const UNPACKED_ANYWAY: u64 = 20 << 20;
/// Parts of a packed file.
pub(crate) const PARTS: usize = 10_000;
/// The last row and column that a spreadsheet program has.
pub(crate) const LAST_ROW: u32 = 1_048_576;
pub(crate) const LAST_COLUMN: u16 = 16_384;
