//! `[checkpoints]`: which files are checkpoints, and which may be deleted.

use crate::keys::FETCHED;
use crate::problem::quoted;
use crate::read::Reader;
use crate::tree::Table;
use crate::wanted::{Wanted, What};
use neronet_model::settings::{Checkpoints, Code, Keep};

pub(super) fn checkpoints(table: &Table, code: &Code, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> Checkpoints {
    let Some(section) = reader.section(table, "checkpoints") else {
        return Checkpoints::default();
    };
    let paths = section.get("paths").map(|node| reader.globs(node, "checkpoints.paths")).unwrap_or_default();
    wanted.extend(paths.iter().map(|(path, span)| Wanted::new(What::Checkpoints(path.clone()), *span, reader.found)));
    let keep = reader.section(section, "keep").map(|keep| {
        let mut count = |name: &str| {
            let node = keep.get(name)?;
            let most = reader.whole(node, &format!("checkpoints.keep.{name}"), 0)?;
            Some(u32::try_from(most).unwrap_or(u32::MAX))
        };
        let (best, last) = (count("best"), count("last"));
        // A number that cannot be read is told already.
        let unread = [("best", best), ("last", last)].iter().any(|(name, count)| keep.get(name).is_some() && count.is_none());
        let misspelt = keep.entries.iter().any(|(key, _)| !matches!(key.name.as_str(), "best" | "last"));
        (Keep { best: best.unwrap_or(0), last: last.unwrap_or(0) }, unread || misspelt)
    });
    if let (Some((keep, told)), Some(node)) = (keep, section.get("keep")) {
        if keep == Keep::default() && !told {
            reader.found.error(
                node.span,
                "keep = { best = 0, last = 0 } would delete every checkpoint",
                "write keep = { best = 1, last = 2 }, or leave keep out to keep all".to_string(),
            );
        }
        wanted.push(Wanted::new(What::OwnCopy, node.span, reader.found));
        for (path, span) in &paths {
            if let Some(where_to) = leads_out(path, code) {
                let message = format!("'keep' deletes only what lies in a run's own copy of the code, and {} {where_to}", quoted(path));
                let hint = "let the command write its checkpoints elsewhere, or leave keep out to keep all".to_string();
                reader.found.error(*span, message, hint);
            }
        }
    }
    Checkpoints {
        paths: paths.into_iter().map(|(path, _)| path).collect(),
        keep: keep.map(|(keep, _)| keep),
        fetch: section.get("fetch").and_then(|node| reader.word(node, "checkpoints.fetch", FETCHED)),
        signal: section.get("signal").and_then(|node| reader.signal(node, "checkpoints.signal")),
    }
}

/// Where a pattern of checkpoints leads, if not into the run's own copy.
fn leads_out(pattern: &str, code: &Code) -> Option<String> {
    if pattern.starts_with('/') || pattern.starts_with('{') && (pattern.contains("{/") || pattern.contains(",/")) {
        return Some("is absolute".to_string());
    }
    if pattern.split(['{', '}', ',']).any(|part| part.split('/').any(|part| part == "..")) {
        return Some("has '..'".to_string());
    }
    let parts = |path: &str| -> Vec<String> { path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_string).collect() };
    let pattern = [parts(code.directory.as_deref().unwrap_or("")), parts(pattern)].concat();
    let link = code.link.iter().find(|link| match link.rsplit_once('/') {
        // It goes by its last name.
        Some((_, last)) if link.starts_with('/') && !last.is_empty() => pattern.starts_with(&parts(last)),
        _ => pattern.starts_with(&parts(link)),
    });
    link.map(|link| format!("lies behind the link {}", quoted(link)))
}
