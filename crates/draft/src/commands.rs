//! From a list of commands, a line each. Lines that call the same program with the same flags are one experiment: a grid where
//! all combinations are there, else parameters that vary together.

use crate::IsSecret;
use crate::batch::{self, Role};
use crate::call::{self, Call, Given};
use crate::known::Known;
use crate::resources::Request;
use crate::shell::{self, Statement, Word};
use crate::toml::{self, Block, Page};
use crate::{command_line, program};
use neronet_model::Value;
use std::collections::{BTreeMap, BTreeSet};

const MOST_LINES: usize = 10_000;
const MOST_KINDS: usize = 200;

pub(crate) fn draft(text: &str, name: &str, secret: IsSecret) -> Result<Page, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')).count();
    if lines > MOST_LINES {
        return Err(format!("{lines} lines, over the limit of {MOST_LINES}: write the values as lists below [params]"));
    }
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {name}."));
    let statements = match shell::statements(text) {
        Ok(statements) if statements.is_empty() => return Err("there is no command in it".to_string()),
        Ok(statements) => statements,
        Err(_) => return Ok(batch::of_script(text, name, "", &Request::default(), secret, page)),
    };
    let is_list = statements.iter().all(|statement| {
        matches!(batch::role(statement), Role::Program | Role::Saying) && matches!(statement.joined.as_str(), "" | "\n" | "&" | ";")
    });
    if !is_list || statements.iter().filter(|statement| batch::role(statement) == Role::Program).count() < 2 {
        return Ok(batch::of_script(text, name, "", &Request::default(), secret, page));
    }
    let mut kinds: Vec<(Vec<String>, Vec<Vec<Word>>)> = Vec::new();
    let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut notes = Vec::new();
    for statement in statements.iter().filter(|statement| batch::role(statement) == Role::Program) {
        let words = trimmed(statement, &mut notes);
        if words.is_empty() {
            continue;
        }
        let kind = kind(&words);
        let at = *places.entry(kind.clone()).or_insert_with(|| {
            kinds.push((kind, Vec::new()));
            kinds.len() - 1
        });
        kinds[at].1.push(words);
    }
    notes.into_iter().for_each(|note| page.note(note));
    if kinds.len() > MOST_KINDS {
        return Err(format!("{} kinds of commands, over the limit of {MOST_KINDS}: a list of commands differs in values", kinds.len()));
    }
    if let [(_, lines)] = kinds.as_slice() {
        let (call, zip) = of_lines(lines, secret, &mut page);
        command_line::write(&call, &mut page);
        zipped(&zip, &mut page.top);
        return Ok(page);
    }
    page.head.push("Commands that differ in more than values are experiments of their own.".to_string());
    let mut names = BTreeSet::new();
    for (_, lines) in &kinds {
        let (call, zip) = of_lines(lines, secret, &mut page);
        let stem = program::stem(&call.program);
        let mut name = stem.clone();
        let mut number = 2;
        while !names.insert(name.clone()) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        let mut block = Block::default();
        block.set("", "name", toml::string(&name), "");
        call.write(&mut block);
        zipped(&zip, &mut block);
        call.notes.iter().for_each(|note| page.note(note));
        page.experiments.push(block);
    }
    Ok(page)
}

fn zipped(zip: &[String], block: &mut Block) {
    if zip.len() > 1 {
        let names = toml::strings(zip.iter().map(String::as_str));
        block.set("sweep", "zip", format!("[{names}]"), "these vary together, as in the lines");
    }
}

/// The words of a line, without what neronet does itself.
fn trimmed(statement: &Statement, notes: &mut Vec<String>) -> Vec<Word> {
    let mut words = call::trimmed(statement, notes).words;
    while let Some((name, _)) = words.first().and_then(shell::assignment) {
        if name != "CUDA_VISIBLE_DEVICES" {
            break;
        }
        notes.push("CUDA_VISIBLE_DEVICES=… before the commands is left out: it chose the GPU by hand".to_string());
        words.remove(0);
    }
    if words.first().and_then(Word::literal).as_deref() == Some("nohup") {
        words.remove(0);
    }
    words.extend(statement.inputs.iter().map(|input| Word::written(input)));
    words
}

/// What two lines have in common when they differ in values alone.
fn kind(words: &[Word]) -> Vec<String> {
    let assigned = words.iter().take_while(|word| shell::assignment(word).is_some()).count();
    let head = assigned + program::head(&words[assigned..]).length;
    let of_word = |(at, word): (usize, &Word)| match word.literal() {
        _ if at < head => word.raw.clone(),
        None => word.raw.clone(),
        Some(text) => match text.split_once('=') {
            Some((name, _)) => format!("{name}="),
            None if text.starts_with('-') && text.parse::<f64>().is_err() => text,
            None => String::new(),
        },
    };
    words.iter().enumerate().map(of_word).collect()
}

/// The call that all these lines are, and the parameters that vary together.
fn of_lines(lines: &[Vec<Word>], secret: IsSecret, page: &mut Page) -> (Call, Vec<String>) {
    let mut known = Known::default();
    let Some(first) = lines.first() else { return (Call::default(), Vec::new()) };
    let texts = |at: usize| lines.iter().map(move |words| words.get(at).and_then(Word::literal).unwrap_or_default());
    let varying: Vec<usize> = (0..first.len()).filter(|at| texts(*at).any(|text| Some(text) != first[*at].literal())).collect();
    let varying: Vec<usize> = varying.into_iter().filter(|at| first[*at].literal().is_some()).collect();
    let rows: Vec<Vec<String>> =
        (0..lines.len()).map(|row| varying.iter().map(|at| lines[row][*at].literal().unwrap_or_default()).collect()).collect();
    let distinct: BTreeSet<&Vec<String>> = rows.iter().collect();
    if distinct.len() < rows.len() {
        page.note(match rows.len() - distinct.len() {
            1 => "one line is there twice and is taken once".to_string(),
            twice => format!("{twice} lines are there twice and are taken once"),
        });
    }
    let mut seen = BTreeSet::new();
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| seen.insert(*row)).collect();
    let column = |column: usize| rows.iter().map(move |row| row[column].as_str());
    let values: Vec<Vec<&str>> = (0..varying.len())
        .map(|at| {
            let mut seen = BTreeSet::new();
            column(at).filter(|value| seen.insert(*value)).collect()
        })
        .collect();
    let combinations = values.iter().try_fold(1_usize, |all, values| all.checked_mul(values.len()));
    let is_grid = combinations == Some(rows.len());
    let mut words = first.clone();
    for (n, at) in varying.iter().enumerate() {
        let all: Vec<&str> = if is_grid { values[n].clone() } else { column(n).collect() };
        let beginning = match first[*at].literal().unwrap_or_default().split_once('=') {
            Some((name, _)) => format!("{name}="),
            None => String::new(),
        };
        let items: Vec<Value> = all.iter().map(|value| Value::as_typed(&value[beginning.len()..])).collect();
        let flag =
            at.checked_sub(1).map(|before| first[before].beginning()).filter(|before| before.starts_with("--") && !before.contains('='));
        let name = flag.map_or_else(|| format!("arg{}", n + 1), |flag| flag.trim_start_matches('-').to_string());
        let variable = format!("word_{at}");
        known.differ(&variable, &name, toml::list(&items));
        words[*at] = Word::with_variable(&beginning, &variable);
    }
    let call = Call::of(&words, &known, secret);
    let together = call.params.iter().filter(|param| matches!(param.value, Given::Varies(_))).map(|param| param.name.clone());
    let zip = if is_grid { Vec::new() } else { together.collect() };
    (call, zip)
}
