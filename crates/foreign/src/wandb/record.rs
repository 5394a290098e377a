//! The messages of a `.wandb` file, taken apart as far as they matter here.
//! Field numbers: <https://github.com/wandb/wandb/blob/main/wandb/proto/wandb_internal.proto>

use crate::clean;
use crate::gather::Gathered;
use crate::json::{self, Tree};
use crate::proto::{Fields, Malformed, Wire};
use crate::sink::Run;
use neronet_model::{Outcome, UnixMs};

const MOST_TAGS: usize = 1000;

/// A record by what it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Record<'b> {
    History(&'b [u8]),
    Summary(&'b [u8]),
    Output(&'b [u8]),
    Config(&'b [u8]),
    Stats(&'b [u8]),
    Run(&'b [u8]),
    Exit(&'b [u8]),
    Environment(&'b [u8]),
    /// Nothing that neronet has a place for, or that says how, not what.
    Other(Option<&'static str>),
}

pub(crate) fn record(bytes: &[u8]) -> Result<Record<'_>, Malformed> {
    let mut record = Record::Other(None);
    for field in Fields::of(bytes) {
        record = match field? {
            (2, Wire::Bytes(inner)) => Record::History(inner),
            (3, Wire::Bytes(inner)) => Record::Summary(inner),
            (4 | 13, Wire::Bytes(inner)) => Record::Output(inner),
            (5, Wire::Bytes(inner)) => Record::Config(inner),
            (7, Wire::Bytes(inner)) => Record::Stats(inner),
            (8, _) => Record::Other(Some("artifacts")),
            (9, _) => Record::Other(Some("TensorBoard folders")),
            (10, _) => Record::Other(Some("alerts")),
            (17, Wire::Bytes(inner)) => Record::Run(inner),
            (18, Wire::Bytes(inner)) => Record::Exit(inner),
            (26, Wire::Bytes(inner)) => Record::Environment(inner),
            _ => continue,
        };
    }
    Ok(record)
}

/// A name with its value in JSON, as history, summary, config and stats have them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'b> {
    bytes: &'b [u8],
}

/// The items in the field of this number.
pub(crate) fn items(bytes: &[u8], number: u64) -> impl Iterator<Item = Result<Item<'_>, Malformed>> {
    Fields::of(bytes).filter_map(move |field| match field {
        Ok((found, Wire::Bytes(bytes))) if found == number => Some(Ok(Item { bytes })),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

impl<'b> Item<'b> {
    /// Puts the name, dotted where it is nested, into `name`, and returns the value and the number of parts of the name.
    pub(crate) fn read(self, name: &mut Vec<u8>) -> Result<(&'b [u8], usize), Malformed> {
        name.clear();
        let (mut parts, mut value): (_, &[u8]) = (0, &[]);
        for field in Fields::of(self.bytes) {
            match field? {
                (1 | 2, Wire::Bytes(part)) if !part.is_empty() || parts == 0 => {
                    if parts > 0 {
                        name.push(b'.');
                    }
                    name.extend_from_slice(part);
                    parts += 1;
                }
                (16, wire) => value = wire.bytes().ok_or(Malformed)?,
                _ => {}
            }
        }
        Ok((value, parts))
    }

    /// The first part of a name whose second one says that it is an object of wandb's, such as a histogram.
    pub(crate) fn object(self) -> Result<Option<&'b [u8]>, Malformed> {
        let mut parts = Fields::of(self.bytes).filter_map(|field| match field {
            Ok((1 | 2, Wire::Bytes(part))) => Some(Ok(part)),
            Ok(_) => None,
            Err(malformed) => Some(Err(malformed)),
        });
        let first = parts.next().transpose()?;
        Ok(match parts.next().transpose()? {
            Some(b"_type") => first,
            _ => None,
        })
    }
}

/// The number that a value in JSON is, also where it is a word for one that is not finite.
pub(crate) fn number(value: &[u8]) -> Option<f64> {
    let text = str::from_utf8(value).ok()?.trim();
    json::number(text).or_else(|| neronet_model::number::parse_word(text.strip_prefix('"')?.strip_suffix('"')?))
}

/// Takes the items of a config.
pub(crate) fn read_config(bytes: &[u8], params: &mut Gathered) -> Result<(), Malformed> {
    let mut name = Vec::new();
    for item in items(bytes, 1) {
        let (value, _) = item?.read(&mut name)?;
        if name.starts_with(b"_wandb") {
            continue;
        }
        if let Ok(tree) = json::whole(value) {
            tree.flatten(&clean::name(&name), params);
        }
    }
    Ok(())
}

pub(crate) fn read_run(bytes: &[u8], run: &mut Run, params: &mut Gathered, id: &mut String) -> Result<(), Malformed> {
    let line = |bytes: &[u8]| Some(clean::name(bytes)).filter(|line| !line.is_empty());
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Bytes(text)) if !text.is_empty() => *id = clean::name(text),
            (3, Wire::Bytes(text)) => run.project = line(text),
            (4, Wire::Bytes(config)) => read_config(config, params)?,
            (6, Wire::Bytes(text)) => add_tag(run, "group", text),
            (7, Wire::Bytes(text)) => add_tag(run, "job_type", text),
            (8, Wire::Bytes(text)) => run.name = clean::name(text),
            (9, Wire::Bytes(text)) => run.note = clean::some(text),
            (10, Wire::Bytes(text)) => add_tag(run, "", text),
            (12, Wire::Bytes(text)) => add_tag(run, "sweep", text),
            (13, Wire::Bytes(text)) => run.host = line(text),
            (17, Wire::Bytes(stamp)) => run.started = timestamp(stamp)?.or(run.started),
            (21, Wire::Bytes(git)) => read_git(git, run)?,
            (23, Wire::Bytes(branch)) => {
                for field in Fields::of(branch) {
                    if let (1, Wire::Bytes(text)) = field? {
                        run.parent = line(text);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A tag of wandb's is one word; its group and the like are kept beside them, with a name.
fn add_tag(run: &mut Run, name: &str, text: &[u8]) {
    let text = clean::name(text);
    let tag = if name.is_empty() { (text, String::new()) } else { (name.to_string(), text) };
    if !(tag.0.is_empty() || tag.1.is_empty() && !name.is_empty()) && run.tags.len() < MOST_TAGS && !run.tags.contains(&tag) {
        run.tags.push(tag);
    }
}

fn read_git(bytes: &[u8], run: &mut Run) -> Result<(), Malformed> {
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Bytes(text)) if !text.is_empty() => run.repository = Some(clean::name(text)),
            (2, Wire::Bytes(text)) if !text.is_empty() => run.commit = Some(clean::name(text)),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn read_exit(bytes: &[u8], run: &mut Run) -> Result<(), Malformed> {
    let (mut code, mut goes_on) = (0, false);
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Varint(number)) => code = number as i32,
            (3, Wire::Varint(number)) => goes_on = number != 0,
            _ => {}
        }
    }
    if !goes_on {
        run.exit_code = Some(code);
        run.outcome = Some(if code == 0 { Outcome::Finished } else { Outcome::Failed });
    }
    Ok(())
}

pub(crate) fn read_environment(bytes: &[u8], run: &mut Run) -> Result<(), Malformed> {
    let line = |bytes: &[u8]| Some(clean::name(bytes)).filter(|line| !line.is_empty());
    let (mut program, mut args) = (None, Vec::new());
    for field in Fields::of(bytes) {
        match field? {
            (3, Wire::Bytes(stamp)) => run.started = run.started.or(timestamp(stamp)?),
            (5, Wire::Bytes(text)) if args.len() < MOST_TAGS => args.push(clean::text(text)),
            (6, Wire::Bytes(text)) => program = line(text),
            (9, Wire::Bytes(git)) => read_git(git, run)?,
            (12, Wire::Bytes(text)) => run.host = line(text).or(run.host.take()),
            (13, Wire::Bytes(text)) => run.user = line(text),
            _ => {}
        }
    }
    run.command = program.into_iter().chain(args).collect();
    Ok(())
}

/// What older versions wrote into `files/wandb-metadata.json` alone.
pub(crate) fn read_metadata(tree: &Tree, run: &mut Run) {
    let line = |tree: Option<&Tree>| tree.and_then(Tree::text).map(|text| clean::name(text.as_bytes()));
    let git = tree.get("git");
    run.host = run.host.take().or(line(tree.get("host")));
    run.user = run.user.take().or(line(tree.get("username")));
    run.repository = run.repository.take().or(line(git.and_then(|git| git.get("remote"))));
    run.commit = run.commit.take().or(line(git.and_then(|git| git.get("commit"))));
    if run.command.is_empty() {
        let args = tree.get("args").map(Tree::items).unwrap_or_default().iter().filter_map(Tree::text);
        run.command = line(tree.get("program")).into_iter().chain(args).collect();
    }
}

/// A piece of output: whether it is of standard error, when it came, what it says.
pub(crate) fn output(bytes: &[u8]) -> Result<(bool, Option<UnixMs>, &[u8]), Malformed> {
    let (mut error, mut at, mut text): (_, _, &[u8]) = (true, None, &[]);
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Varint(kind)) => error = kind == 0,
            (2, Wire::Bytes(stamp)) => at = timestamp(stamp)?,
            (3, wire) => text = wire.bytes().ok_or(Malformed)?,
            _ => {}
        }
    }
    Ok((error, at, text))
}

/// The step of a history record.
pub(crate) fn step(bytes: &[u8]) -> Result<Option<i64>, Malformed> {
    let mut step = None;
    for field in Fields::of(bytes) {
        if let (2, Wire::Bytes(inner)) = field? {
            step = Some(0);
            for field in Fields::of(inner) {
                if let (1, Wire::Varint(number)) = field? {
                    step = Some(number as i64);
                }
            }
        }
    }
    Ok(step)
}

/// When the readings of the machine were taken.
pub(crate) fn stats_time(bytes: &[u8]) -> Result<Option<UnixMs>, Malformed> {
    for field in Fields::of(bytes) {
        if let (2, Wire::Bytes(stamp)) = field? {
            return timestamp(stamp);
        }
    }
    Ok(None)
}

fn timestamp(bytes: &[u8]) -> Result<Option<UnixMs>, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Varint(number)) => seconds = number as i64,
            (2, Wire::Varint(number)) => nanos = number as i64,
            _ => {}
        }
    }
    Ok(crate::moment::seconds(seconds as f64 + nanos as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Message;

    #[test]
    fn an_environment_says_host_user_commit_and_command() {
        let mut message = Message::default();
        message.bytes(5, b"--lr").bytes(5, b"0.1").bytes(6, b"train.py").bytes(12, b"lab1").bytes(13, b"ada").message(9, |git| {
            git.bytes(1, b"https://example.org/a.git").bytes(2, b"0123abcd");
        });
        let mut run = Run::default();
        read_environment(&message.0, &mut run).expect("well formed");
        assert_eq!(run.command, ["train.py", "--lr", "0.1"]);
        assert_eq!((run.host.as_deref(), run.user.as_deref(), run.commit.as_deref()), (Some("lab1"), Some("ada"), Some("0123abcd")));
        let text = r#"{"host": "other", "username": "bob", "program": "x.py", "args": ["1"], "git": {"commit": "ffff"}}"#;
        let tree = json::whole(text.as_bytes()).expect("well formed");
        read_metadata(&tree, &mut run);
        assert_eq!((run.host.as_deref(), run.command.len()), (Some("lab1"), 3));
        let mut older = Run::default();
        read_metadata(&tree, &mut older);
        assert_eq!((older.host.as_deref(), older.commit.as_deref()), (Some("other"), Some("ffff")));
        assert_eq!(older.command, ["x.py", "1"]);
    }

    #[test]
    fn numbers_in_json_of_all_versions() {
        for (text, number) in [("0.5", 0.5), ("1.7e+09", 1.7e9), ("-Infinity", f64::NEG_INFINITY), ("\"Infinity\"", f64::INFINITY)] {
            assert_eq!(super::number(text.as_bytes()), Some(number), "{text}");
        }
        assert!(super::number(b"NaN").is_some_and(f64::is_nan) && super::number(b"\"NaN\"").is_some_and(f64::is_nan));
        for text in ["\"text\"", "[1]", "null", "", "\"1\""] {
            assert_eq!(super::number(text.as_bytes()), None, "{text}");
        }
    }
}
