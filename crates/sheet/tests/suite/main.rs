//! Tables as people keep them: what is read of them, what is refused and with which words, and what is written.

mod cells;
mod choosing;
mod files;
mod headers;
mod hostile;
mod samples;
mod text;
mod writing;
