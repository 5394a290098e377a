//! `neronet check --learn`: what metrics would be read from a log, and patterns for the rest.

use crate::args::Check;
use crate::commands::page::{Page, count};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::submission::{default_spec, read_spec};
use neronet_model::size::grouped;
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_scrape::learn::{self, Learned};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn learned(session: &Session, words: &Check, log: &Path) -> Result<ExitCode, HomeError> {
    // A specification brings its own patterns; without one only what is built in reads.
    let metrics = if words.spec.is_some() || default_spec(&session.context.folder).is_some() {
        let (plan, _) = read_spec(&session.context, Path::new(""), words.spec.as_deref(), &words.set)?;
        plan.experiments.into_iter().next().map(|experiment| experiment.settings.metrics).unwrap_or_default()
    } else {
        Default::default()
    };
    let reader: Box<dyn BufRead> = if log == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let path: PathBuf = session.context.folder.join(log);
        let file = File::open(&path).map_err(|e| HomeError::Words(format!("{} cannot be read: {e}", log.display())))?;
        Box::new(BufReader::new(file))
    };
    let learned = learn::learn(reader, &metrics.patterns, &metrics.ignore)
        .map_err(|e| HomeError::Failed(format!("{} cannot be read: {e}", log.display())))?;
    if words.json {
        output::json(&serde_json::to_value(&learned).unwrap_or_default());
    } else {
        output::print(&learned_text(session, &learned));
    }
    Ok(ExitCode::SUCCESS)
}

fn learned_text(session: &Session, learned: &Learned) -> String {
    let mut page = Page::new(session);
    page.heading(&format!("{} read", count(learned.lines as usize, "line")));
    if learned.series.is_empty() {
        page.line("no metric was found", Style::Plain);
    } else {
        let rows = learned.series.iter().map(|series| {
            let cells = [
                series.name.clone(),
                series.points.to_string(),
                words::number(series.first),
                words::number(series.last),
                series.axis.to_string(),
                series.reader.to_string(),
                series.example.clone(),
            ];
            cells.map(Cell::plain).to_vec()
        });
        let columns = vec![
            Column::left("metric"),
            Column::right("points"),
            Column::right("first"),
            Column::right("last"),
            Column::left("by"),
            Column::left("read as"),
            Column::left("example"),
        ];
        page.table(&Table { columns, rows: rows.collect() });
    }
    if !learned.config.is_empty() {
        page.heading("Configuration");
        let facts: Vec<(&str, String)> = learned.config.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        page.facts(&facts);
    }
    if !learned.unread.is_empty() {
        page.heading("Lines with numbers that gave nothing");
        for unread in &learned.unread {
            page.line(&format!("{} × {}", grouped(unread.lines), unread.example), Style::Plain);
        }
        let patterns: Vec<&str> = learned.unread.iter().filter_map(|unread| unread.pattern.as_deref()).collect();
        if !patterns.is_empty() {
            page.heading("Patterns that would read them, if they are metrics");
            let lines: String = patterns.iter().map(|pattern| format!("    {},\n", toml_text(pattern))).collect();
            page.block(&format!("[metrics]\npatterns = [\n{lines}]"));
        }
    }
    page.text
}

/// As TOML writes a text: a literal one where it can be.
fn toml_text(pattern: &str) -> String {
    if pattern.contains(['\'', '\n']) { serde_json::to_string(pattern).unwrap_or_default() } else { format!("'{pattern}'") }
}
