//! The language in which runs are asked for: filters, order, groups, pages. Texts and a table of columns in, rows out; pure.
//!
//! A text becomes a tree (`parse`), the tree asks a `Table` for each column that it names, once, and each comparison gives a set of
//! rows (`evaluate`). What is left is put in order and cut to a page (`order`), or put together in groups (`group`).
//!
//! ```text
//! filter   = any
//! any      = all { OR all }                         OR   or  ||  |
//! all      = not { AND not }                        AND  and  &&  &
//! not      = NOT not | "(" any ")" | test           NOT  not  !
//! test     = "@" value | name ":" value             a tag; short for ==
//!          | name OPERATOR value                    ==  =  !=  <>  <  <=  >  >=  ~  !~
//!          | name ["not"] "in" list
//!          | name ["not"] "contains" value          the same as ~
//!          | name "is" ["not"] (MISSING | value)    MISSING  missing  none  null
//!          | name ["not"] "exists" | "exists" "(" name ")"
//!          | value ORDER name [ORDER value]         0.1 <= lr < 1
//!          | value "in" "tags"
//! list     = "[" [value {"," value}] "]"            or in ( ) or { }
//! name     = word | quoted                          metrics."val loss".max, params["lr"]
//! value    = word | quoted                          2 days ago needs no quotes
//! word     = everything up to a blank or one of = < > ! ~ ( ) @ && ||
//! quoted   = '…' or "…", with the quote itself written twice
//! ```
//!
//! Words like `and` may be written in capitals. `&` and `|` join only where a word could not go on. A comparison with what a run
//! lacks does not hold, so its opposite (`!=`, `not in`, `!~`) does.

mod evaluate;
mod fuzz;
mod group;
mod mistake;
mod moment;
mod nearest;
mod order;
mod parse;
mod rows;
mod sort;
mod spread;
mod table;
mod tree;
mod wanted;

pub use evaluate::Filter;
pub use fuzz::fuzz;
pub use group::{Group, Part, Statistic, groups, sort_groups};
pub use mistake::Mistake;
pub use moment::Clock;
pub use order::{Order, Page, Paged};
pub use rows::Rows;
pub use sort::{Key, sort_keys};
pub use spread::{RESAMPLES, Spread, interval};
pub use table::{Cells, Column, MISSING, NEVER, TAGS, Table, Unit, Unknown};
pub use tree::{Expr, Operator, Test, Word};
