//! The arguments of a program, taken apart: flags with their values, overrides as Hydra has them, and words that stay.

use crate::known::Known;
use crate::shell::Word;

/// A run of words that belong together.
#[derive(Debug)]
pub(super) enum Item<'w> {
    Stays(&'w Word),
    /// A switch has no values; `joined` stands between the flag and its value.
    Flag {
        spelled: String,
        joined: &'static str,
        values: Vec<Argument>,
        words: Vec<&'w Word>,
        repeated: bool,
    },
    Override {
        spelled: String,
        value: Argument,
        word: &'w Word,
    },
}

impl Item<'_> {
    /// Without dashes.
    pub(super) fn name(&self) -> String {
        match self {
            Item::Flag { spelled, .. } => spelled.trim_start_matches('-').to_string(),
            Item::Override { spelled, .. } => spelled.clone(),
            Item::Stays(_) => String::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Text(String),
    /// A variable whose values are known.
    Known(String),
    /// What only the shell knows.
    Opaque,
}

/// Takes the arguments of a program apart.
pub(super) fn items<'w>(words: &'w [Word], known: &Known) -> Vec<Item<'w>> {
    let mut items = Vec::new();
    let mut at = 0;
    let mut over = false;
    while let Some(word) = words.get(at) {
        at += 1;
        over |= word.raw == "--";
        let beginning = word.beginning();
        let (spelled, joined) = match beginning.split_once('=') {
            Some((spelled, _)) => (spelled, true),
            None => (beginning, false),
        };
        let behind = joined.then(|| argument(word, spelled.len() + 1, known)).flatten();
        // A flag that only the shell knows the whole of stays.
        if over || (!joined && word.literal().is_none()) || (joined && behind.is_none()) || !is_argument_name(spelled) {
            items.push(Item::Stays(word));
            continue;
        }
        if !spelled.starts_with('-') {
            items.push(match behind {
                Some(value) => Item::Override { spelled: spelled.to_string(), value, word },
                None => Item::Stays(word),
            });
            continue;
        }
        let (mut values, mut taken, mut join) = (Vec::new(), vec![word], "=");
        let mut name = spelled.to_string();
        if let Some(value) = behind {
            values.push(value);
        } else if let Some(number) = attached(spelled) {
            (name, join) = (spelled[..2].to_string(), "");
            values.push(Argument::Text(number.to_string()));
        } else {
            join = " ";
            let length = value_count(&words[at..], known);
            for value in &words[at..at + length] {
                values.extend(argument(value, 0, known));
                taken.push(value);
            }
            at += length;
            // A value that only the shell knows is one nevertheless.
            if let Some(next) = words.get(at).filter(|next| length == 0 && next.literal().is_none() && !next.beginning().starts_with('-')) {
                values.push(Argument::Opaque);
                taken.push(next);
                at += 1;
            }
        }
        items.push(Item::Flag { spelled: name, joined: join, values, words: taken, repeated: false });
    }
    items
}

/// What the word says from this byte on, where that is known.
fn argument(word: &Word, from: usize, known: &Known) -> Option<Argument> {
    if let Some(text) = word.literal() {
        return Some(Argument::Text(text[from..].to_string()));
    }
    let name = word.variable_behind(&word.beginning()[..from])?;
    known.has(name).then(|| Argument::Known(name.to_string()))
}

/// How many of the words behind a flag are its values.
fn value_count(words: &[Word], known: &Known) -> usize {
    let is_value = |word: &&Word| match argument(word, 0, known) {
        Some(Argument::Text(text)) => !text.starts_with('-') || is_number(&text),
        Some(Argument::Known(_)) => true,
        Some(Argument::Opaque) | None => false,
    };
    let run: Vec<&Word> = words.iter().take_while(is_value).collect();
    let text = |word: &Word| word.literal().unwrap_or_default();
    let Some(first) = run.first() else { return 0 };
    if is_override(&text(first)) {
        return 0;
    }
    let same = |word: &&&Word| {
        let (first, other) = (text(first), text(word));
        is_number(&first) == is_number(&other) && first.contains('/') == other.contains('/') && !is_override(&other)
    };
    let alike = run.iter().take_while(same).count();
    // Words at the very end may be arguments of their own; numbers seldom are.
    if is_number(&text(first)) || run.len() < words.len() { alike.max(1) } else { 1 }
}

/// Flags that stand behind each other again and again are one list.
pub(super) fn merged(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut all: Vec<Item<'_>> = Vec::new();
    for item in items {
        if let (
            Some(Item::Flag { spelled, joined: " ", values, words, repeated }),
            Item::Flag { spelled: again, joined: " ", values: more, words: also, .. },
        ) = (all.last_mut(), &item)
            && spelled == again
            && more.len() == 1
            && (values.len() == 1 || *repeated)
            && more.iter().chain(values.iter()).all(|value| matches!(value, Argument::Text(_)))
        {
            values.extend(more.clone());
            words.extend(also.iter().copied());
            *repeated = true;
            continue;
        }
        all.push(item);
    }
    all
}

/// `-x`, `--long-one`, `-long`, or `key.of[+~]hydra`.
fn is_argument_name(text: &str) -> bool {
    let name = text.trim_start_matches(['-', '+', '~']);
    let dashes = text.len() - text.trim_start_matches('-').len();
    dashes <= 2
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c))
}

fn is_override(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| is_argument_name(name) && !name.starts_with('-'))
}

/// `-b32`
fn attached(text: &str) -> Option<&str> {
    let letter = text.get(1..2).is_some_and(|letter| letter.bytes().all(|byte| byte.is_ascii_alphabetic()));
    text.get(2..).filter(|number| letter && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok()
}
