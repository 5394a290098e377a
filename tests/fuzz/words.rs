//! Texts that people, programs and trainings write.

use neronet_draft::Source;
use neronet_edit::Format;
use neronet_model::Value;
use neronet_scrape::learn::learn;
use neronet_scrape::{Found, Scraper, State, Table, json_document, json_rows, metrics_line};
use std::borrow::Cow;
use std::path::Path;

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub(crate) fn queries(bytes: &[u8], _: &Path) {
    neronet_query::fuzz(bytes);
}

/// A specification: what is wrong is said; what is right is made runs of, and is the same when the record is read again.
pub(crate) fn specifications(bytes: &[u8], folder: &Path) {
    let text = text(bytes);
    let path = folder.join("neronet.toml").display().to_string();
    match neronet_spec::parse(&text, &path, None, &[]) {
        Err(problems) => assert!(!problems.to_string().is_empty()),
        Ok(plan) => {
            for experiment in &plan.experiments {
                experiment.count();
                experiment.program();
                experiment.varying();
                assert!(experiment.runs().take(5).count() as u64 <= experiment.count());
            }
            let source = plan.source.as_ref().unwrap();
            let again = neronet_spec::recorded(source, None, &[]).unwrap();
            assert_eq!(again.experiments, plan.experiments);
        }
    }
    neronet_spec::project_in(&text);
}

/// `FORMAT PATH VALUE` on the first line, and the file that is edited: what is set once can be set again, which changes nothing.
pub(crate) fn edits(bytes: &[u8], _: &Path) {
    let text = text(bytes);
    let (words, file) = text.split_once('\n').unwrap_or((&text, ""));
    let mut words = words.splitn(3, ' ');
    let mut next = || words.next().unwrap_or("");
    let (ending, path, value) = (next(), next().to_string(), Value::from_word(next()));
    let named = Format::of(&format!("x.{ending}"));
    for format in
        [Format::Yaml, Format::Json, Format::Toml, Format::Ini].into_iter().filter(|format| named.is_none_or(|named| named == *format))
    {
        let changes = [(path.clone(), value.clone())];
        let checked = neronet_edit::check(file, format, std::slice::from_ref(&path));
        if let Ok(edited) = neronet_edit::set(file, format, &changes) {
            assert!(checked.is_ok(), "it was set, and could not be: {checked:?}");
            assert_eq!(neronet_edit::set(&edited, format, &changes).as_ref(), Ok(&edited), "{format:?}");
        }
    }
}

/// What a training prints, or leaves in files of metrics: each reader; and one that takes over from another in the middle reads the same.
pub(crate) fn printed(bytes: &[u8], _: &Path) {
    let text = text(bytes);
    let (mut first, mut second) = (Scraper::new(&[], &[]).unwrap(), Scraper::new(&[], &[]).unwrap());
    let (mut found, mut other, mut table) = (Found::default(), Found::default(), Table::new());
    for (n, line) in text.lines().enumerate() {
        if n % 7 == 3 {
            let state = serde_json::to_string(&first.state()).unwrap();
            second = Scraper::new(&[], &[]).unwrap();
            second.restore(serde_json::from_str::<State>(&state).unwrap());
        }
        first.line(line, &mut found);
        second.line(line, &mut other);
        assert_eq!(format!("{found:?}"), format!("{other:?}"), "line {n}");
        table.line(line, &mut found);
        metrics_line(line, &mut found).ok();
    }
    json_document(&text, &mut found).ok();
    json_rows(&text).ok();
    learn(bytes, &[], &[]).unwrap();
}

/// Anything as `targets.toml`.
pub(crate) fn targets(bytes: &[u8], _: &Path) {
    let Ok(known) = neronet_spec::targets(&text(bytes), "targets.toml") else { return };
    for (_, target) in &known.targets {
        assert_eq!(target.address.to_string().parse().as_ref(), Ok(&target.address));
    }
}

/// Anything as each kind of text that a specification is drafted from: the draft can be read, whether or not it can be run.
pub(crate) fn drafts(bytes: &[u8], _: &Path) {
    let text = text(bytes);
    for source in [Source::Sbatch, Source::GridEngine, Source::Sweep, Source::Ancestor, Source::Commands, Source::Help] {
        if let Ok(draft) = neronet_draft::of_text(source, &text, "job.sh", |name| name.contains("KEY")) {
            neronet_spec::parse(&draft.text, "neronet.toml", None, &[]).ok();
        }
    }
    let words: Vec<String> = text.split_whitespace().take(100).map(str::to_string).collect();
    neronet_draft::of_command(&words, |name| name.contains("key")).ok();
    neronet_draft::of_help(&text, &["python".into(), "train.py".into()], None, "train.py --help", |_| false).ok();
}
