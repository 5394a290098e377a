//! Tables written as Apache Parquet, a stream of rows in bounded memory: what pandas, Polars, DuckDB and Spark read. And such tables read
//! back, whoever wrote them.
//! <https://github.com/apache/parquet-format>
//!
//! Rows in, bytes out: `writer` gathers some thousand rows to a group, `column` makes pages of each column, `thrift` writes the
//! structures that say where everything is. Nothing is compressed; texts go into a dictionary, so that what repeats takes no room. `reader` goes the other way, page by page.

mod column;
mod reader;
mod thrift;
mod writer;

pub use column::{Cell, Column, Kind};
pub use reader::{Reader, Unreadable};
pub use writer::Writer;
