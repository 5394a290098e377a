//! What is wrong with a text, and under which column.

use std::fmt;
use unicode_width::UnicodeWidthChar;

/// Of the text around the place, so much is shown on either side.
const AROUND: usize = 60;

/// A mistake in a filter or a list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What kind of text it is: `filter`, `sort`.
    pub kind: &'static str,
    pub text: String,
    /// Where, in bytes of the text; its length where something is missing at the end.
    pub at: usize,
    pub what: String,
    /// What is said below: how it is written, which names there are.
    pub more: String,
}

impl std::error::Error for Mistake {}

impl Mistake {
    pub(crate) fn new(kind: &'static str, text: &str, at: usize, what: impl Into<String>) -> Mistake {
        let more = match kind {
            "filter" => "A filter is written like: state == failed and lr >= 0.01".to_string(),
            _ => "Keys are written like: -val_acc.max,lr".to_string(),
        };
        Mistake { kind, text: text.to_string(), at: text.floor_char_boundary(at), what: what.into(), more }
    }

    pub(crate) fn with_more(mut self, more: impl Into<String>) -> Mistake {
        self.more = more.into();
        self
    }
}

/// `filter: what`, the line with the place, a caret below it, and what else is to be said.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in a text may harm a terminal, and a line break would part the caret from its place.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let (before, after) = self.text.split_at(self.text.floor_char_boundary(self.at));
        let all_before = before.chars().count();
        let cut = all_before.saturating_sub(AROUND);
        let before: String = before.chars().skip(cut).map(plain).collect();
        let shown: String = after.chars().take(AROUND).map(plain).collect();
        let (head, tail) = (if cut > 0 { "…" } else { "" }, if after.chars().count() > AROUND { "…" } else { "" });
        let width: usize = head.chars().chain(before.chars()).map(|c| c.width().unwrap_or(0)).sum();
        let blank = " ".repeat(width);
        write!(f, "{}: {}\n  {head}{before}{shown}{tail}\n  {blank}^\n{}", self.kind, self.what, self.more)
    }
}
