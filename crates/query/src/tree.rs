//! What a filter says, as a tree; printed, it reads back as the same tree.

use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    /// It has this tag.
    Tag(Word),
    Test(Word, Test),
}

/// What is asked of the value that a name has.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Compare(Operator, Word),
    /// Equal to one of these.
    In(Vec<Word>),
    /// It has a value.
    Exists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// Holds the text.
    Contains,
}

/// A name or a value.
#[derive(Debug, Clone)]
pub struct Word {
    pub text: String,
    /// It stands without quotes.
    pub bare: bool,
    /// Where it stands in the filter, in bytes.
    pub at: usize,
}

/// Two words are the same wherever they stand.
impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        (&self.text, self.bare) == (&other.text, other.bare)
    }
}

impl Operator {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::Greater => ">",
            Operator::AtLeast => ">=",
            Operator::Contains => "~",
        }
    }

    /// What holds of a pair in this order.
    pub(crate) fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        match self {
            Operator::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Operator::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
            Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Operator::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
            Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Operator::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
            Operator::Contains => false,
        }
    }

    /// The same said from the other side: `0.1 < lr` is `lr > 0.1`. Nothing where the sides mean different things.
    pub(crate) fn turned(self) -> Option<Operator> {
        match self {
            Operator::Less => Some(Operator::Greater),
            Operator::AtMost => Some(Operator::AtLeast),
            Operator::Greater => Some(Operator::Less),
            Operator::AtLeast => Some(Operator::AtMost),
            Operator::Equal | Operator::NotEqual => Some(self),
            Operator::Contains => None,
        }
    }

    /// -1 of `<` and `<=`, 1 of `>` and `>=`, which may make a chain with their like.
    pub(crate) fn direction(self) -> i8 {
        match self {
            Operator::Less | Operator::AtMost => -1,
            Operator::Greater | Operator::AtLeast => 1,
            _ => 0,
        }
    }
}

impl Expr {
    /// Calls `f` with every name that a column is looked up by, from left to right.
    pub(crate) fn names<'e>(&'e self, f: &mut impl FnMut(&'e Word)) {
        match self {
            Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| part.names(f)),
            Expr::Not(part) => part.names(f),
            Expr::Tag(_) => {}
            Expr::Test(name, _) => f(name),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.contains('"') {
            _ if self.bare => f.write_str(&self.text),
            false => write!(f, "\"{}\"", self.text),
            true => write!(f, "'{}'", self.text.replace('\'', "''")),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, in_brackets: fn(&Expr) -> bool| {
            for (at, part) in parts.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { word })?;
                if in_brackets(part) { write!(f, "({part})")? } else { part.fmt(f)? }
            }
            Ok(())
        };
        match self {
            Expr::All(parts) => joined(f, parts, " and ", |part| matches!(part, Expr::All(_) | Expr::Any(_))),
            Expr::Any(parts) => joined(f, parts, " or ", |part| matches!(part, Expr::Any(_))),
            Expr::Not(part) if matches!(**part, Expr::All(_) | Expr::Any(_)) => write!(f, "not ({part})"),
            Expr::Not(part) => write!(f, "not {part}"),
            Expr::Tag(tag) => write!(f, "@{tag}"),
            Expr::Test(name, Test::Compare(operator, value)) => write!(f, "{name} {} {value}", operator.sign()),
            Expr::Test(name, Test::Exists) => write!(f, "{name} exists"),
            Expr::Test(name, Test::In(values)) => {
                write!(f, "{name} in [")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}
