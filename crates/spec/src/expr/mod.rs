//! Small expressions over parameters: `width * 4`, `optimizer == "sgd" or momentum == 0`. Read here, worked out in
//! `eval`. Neither a program nor a file can be reached from one.

mod eval;
mod words;

pub(crate) use eval::Failure;

use crate::problem::quoted;
use neronet_model::Value;
use std::ops::Range;
use words::{Token, Word};

/// An expression whose names are what `N` says: texts when read, then places in a run's parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr<N> {
    Value(Value),
    Name(N),
    List(Vec<Expr<N>>),
    Not(Box<Expr<N>>),
    Minus(Box<Expr<N>>),
    And(Box<Expr<N>>, Box<Expr<N>>),
    Or(Box<Expr<N>>, Box<Expr<N>>),
    /// `a < b <= c`: each pair must hold.
    Compare(Box<Expr<N>>, Vec<(Comparison, Expr<N>)>),
    Binary(Operator, Box<Expr<N>>, Box<Expr<N>>),
    /// `yes if condition else no`
    Choose {
        condition: Box<Expr<N>>,
        yes: Box<Expr<N>>,
        no: Box<Expr<N>>,
    },
    Call(Function, Vec<Expr<N>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Min,
    Max,
    Abs,
    Round,
    Floor,
    Ceil,
    Sqrt,
    Exp,
    Log,
    Log2,
    Log10,
    Int,
    Float,
    Str,
    Len,
}

/// Name, function, least and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 15] = [
    ("min", Function::Min, 1, 100),
    ("max", Function::Max, 1, 100),
    ("abs", Function::Abs, 1, 1),
    ("round", Function::Round, 1, 2),
    ("floor", Function::Floor, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("sqrt", Function::Sqrt, 1, 1),
    ("exp", Function::Exp, 1, 1),
    ("log", Function::Log, 1, 2),
    ("log2", Function::Log2, 1, 1),
    ("log10", Function::Log10, 1, 1),
    ("int", Function::Int, 1, 1),
    ("float", Function::Float, 1, 1),
    ("str", Function::Str, 1, 1),
    ("len", Function::Len, 1, 1),
];

/// What is wrong with an expression, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// A name of an expression, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) at: Range<usize>,
}

const DEEPEST: usize = 100;
const LONGEST: usize = 2_000;

pub(crate) fn parse(text: &str) -> Result<Expr<Name>, Mistake> {
    if text.len() > LONGEST {
        let message = format!("an expression of more than {LONGEST} characters");
        return Err(Mistake { at: 0..0, message, hint: None });
    }
    let words = words::split(text)?;
    let mut parser = Parser { words: &words, at: 0, end: text.len(), depth: 0 };
    let expr = parser.choice()?;
    match parser.peek() {
        None => Ok(expr),
        Some(word) => {
            let hint = match &word.token {
                Token::Sign("=") => Some("two values are compared by ==".to_string()),
                Token::Sign("&&") => Some("write and".to_string()),
                Token::Sign("||") => Some("write or".to_string()),
                _ => None,
            };
            Err(Mistake { at: word.at.clone(), message: format!("{} is not expected here", quoted(&text[word.at.clone()])), hint })
        }
    }
}

impl<N> Expr<N> {
    /// The same with its names looked up.
    pub(crate) fn map<M, E>(self, look_up: &mut impl FnMut(N) -> Result<M, E>) -> Result<Expr<M>, E> {
        let mut one = |expr: Box<Expr<N>>| -> Result<Box<Expr<M>>, E> { Ok(Box::new(expr.map(look_up)?)) };
        Ok(match self {
            Expr::Value(value) => Expr::Value(value),
            Expr::Name(name) => Expr::Name(look_up(name)?),
            Expr::Not(inner) => Expr::Not(one(inner)?),
            Expr::Minus(inner) => Expr::Minus(one(inner)?),
            Expr::And(a, b) => Expr::And(one(a)?, one(b)?),
            Expr::Or(a, b) => Expr::Or(one(a)?, one(b)?),
            Expr::Binary(operator, a, b) => Expr::Binary(operator, one(a)?, one(b)?),
            Expr::Choose { condition, yes, no } => Expr::Choose { condition: one(condition)?, yes: one(yes)?, no: one(no)? },
            Expr::Compare(first, rest) => {
                let first = one(first)?;
                let rest = rest.into_iter().map(|(comparison, expr)| Ok((comparison, expr.map(look_up)?)));
                Expr::Compare(first, rest.collect::<Result<_, E>>()?)
            }
            Expr::List(items) => Expr::List(items.into_iter().map(|item| item.map(look_up)).collect::<Result<_, E>>()?),
            Expr::Call(function, items) => Expr::Call(function, items.into_iter().map(|item| item.map(look_up)).collect::<Result<_, E>>()?),
        })
    }
}

struct Parser<'w> {
    words: &'w [Word],
    at: usize,
    end: usize,
    depth: usize,
}

type Parsed = Result<Expr<Name>, Mistake>;

impl<'w> Parser<'w> {
    fn peek(&self) -> Option<&'w Word> {
        self.words.get(self.at)
    }

    fn next_is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Word { token: Token::Sign(next), .. }) if *next == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let taken = self.next_is(sign);
        self.at += usize::from(taken);
        taken
    }

    fn must_take(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.take(sign) { Ok(()) } else { Err(self.mistake(format!("'{sign}' is missing"))) }
    }

    fn mistake(&self, message: String) -> Mistake {
        let at = self.peek().map_or(self.end..self.end, |word| word.at.clone());
        let hint = Some("write it as in width * 4, min(a, b), or x if a > 1 else y".to_string());
        Mistake { at, message, hint }
    }

    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.mistake(format!("nested more than {DEEPEST} deep")));
        }
        let yes = self.or()?;
        let expr = if self.take("if") {
            let condition = self.or()?;
            self.must_take("else")?;
            Expr::Choose { condition: condition.into(), yes: yes.into(), no: self.choice()?.into() }
        } else {
            yes
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.take("or") {
            left = Expr::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.take("and") {
            left = Expr::And(left.into(), self.not()?.into());
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let mut count = 0;
        while self.take("not") {
            count += 1;
        }
        let inner = self.comparison()?;
        // Twice is not at all, but still makes a truth of what stands there.
        Ok((0..count).fold(inner, |inner, _| Expr::Not(inner.into())))
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = if self.take("==") {
                Comparison::Equal
            } else if self.take("!=") {
                Comparison::NotEqual
            } else if self.take("<=") {
                Comparison::LessOrEqual
            } else if self.take("<") {
                Comparison::Less
            } else if self.take(">=") {
                Comparison::GreaterOrEqual
            } else if self.take(">") {
                Comparison::Greater
            } else if self.take("in") {
                Comparison::In
            } else if self.take("not") {
                self.must_take("in")?;
                Comparison::NotIn
            } else {
                break;
            };
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(first.into(), rest) })
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.take("+") => Operator::Add,
                () if self.take("-") => Operator::Subtract,
                () => return Ok(left),
            };
            left = Expr::Binary(operator, left.into(), self.product()?.into());
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.sign()?;
        loop {
            let operator = match () {
                () if self.take("*") => Operator::Multiply,
                () if self.take("//") => Operator::FloorDivide,
                () if self.take("/") => Operator::Divide,
                () if self.take("%") => Operator::Remainder,
                () => return Ok(left),
            };
            left = Expr::Binary(operator, left.into(), self.sign()?.into());
        }
    }

    /// `-x ** 2` is `-(x ** 2)`.
    fn sign(&mut self) -> Parsed {
        let mut minus = false;
        while self.next_is("-") || self.next_is("+") {
            minus ^= self.next_is("-");
            self.at += 1;
        }
        let inner = self.power()?;
        Ok(if minus { Expr::Minus(inner.into()) } else { inner })
    }

    fn power(&mut self) -> Parsed {
        let base = self.atom()?;
        if !self.take("**") {
            return Ok(base);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.mistake(format!("nested more than {DEEPEST} deep")));
        }
        let exponent = self.sign()?;
        self.depth -= 1;
        Ok(Expr::Binary(Operator::Power, base.into(), exponent.into()))
    }

    fn atom(&mut self) -> Parsed {
        let Some(word) = self.peek() else {
            return Err(self.mistake("a value is missing at the end".to_string()));
        };
        match &word.token {
            Token::Value(value) => {
                self.at += 1;
                Ok(Expr::Value(value.clone()))
            }
            Token::Name(name) => {
                self.at += 1;
                if self.take("(") {
                    return self.call(name, word);
                }
                Ok(Expr::Name(Name { name: name.clone(), at: word.at.clone() }))
            }
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.choice()?;
                if self.next_is(",") {
                    let mut items = vec![inner];
                    self.items(")", &mut items)?;
                    return Ok(Expr::List(items));
                }
                self.must_take(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.at += 1;
                let mut items = Vec::new();
                if !self.next_is("]") {
                    items.push(self.choice()?);
                }
                self.items("]", &mut items)?;
                Ok(Expr::List(items))
            }
            Token::Sign(sign) => Err(self.mistake(format!("expected a value, found '{sign}'"))),
        }
    }

    /// What follows the first of several values, up to the closing bracket.
    fn items(&mut self, close: &str, items: &mut Vec<Expr<Name>>) -> Result<(), Mistake> {
        while self.take(",") {
            if self.next_is(close) {
                break;
            }
            items.push(self.choice()?);
        }
        self.must_take(close)
    }

    fn call(&mut self, name: &str, word: &Word) -> Parsed {
        let mut arguments = Vec::new();
        if !self.next_is(")") {
            arguments.push(self.choice()?);
        }
        self.items(")", &mut arguments)?;
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let names = FUNCTIONS.map(|(known, ..)| known);
            let hint = crate::suggest::did_you_mean(name, names).unwrap_or_else(|| format!("the functions are {}", names.join(", ")));
            return Err(Mistake { at: word.at.clone(), message: format!("there is no function {}", quoted(name)), hint: Some(hint) });
        };
        if !(*least..=*most).contains(&arguments.len()) {
            let takes = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let message = format!("{name} takes {takes} value{}, and has {}", if *most == 1 { "" } else { "s" }, arguments.len());
            return Err(Mistake { at: word.at.clone(), message, hint: None });
        }
        Ok(Expr::Call(*function, arguments))
    }
}
