//! The code of a plan's runs where it lies, seen with what the specification says of it.

use crate::context::Context;
use crate::error::HomeError;
use globset::{GlobBuilder, GlobMatcher};
use neronet_capture::code::{self, Caps, Survey};
use neronet_spec::Plan;
use std::path::Path;

/// Files that a note names.
const NAMED: usize = 5;

/// Looks at the code; `start` is the specification's folder, or where the command was typed.
pub fn survey(context: &Context, plan: &Plan, start: &Path) -> Result<Survey, HomeError> {
    let mut survey = code::survey(start, context.user_home.as_deref(), &Caps::default(), &context.cache)?;
    let in_place = survey.in_place_because.is_some() || plan.experiments.iter().all(|experiment| experiment.settings.code.in_place);
    if in_place || survey.large.is_empty() {
        return Ok(survey);
    }
    let saved = checkpoints(plan, &survey);
    let folders = |path: &str| path.match_indices('/').map(|(end, _)| end).chain([path.len()]).collect::<Vec<_>>();
    survey.leave_out_saved(|path| folders(path).into_iter().any(|end| saved.iter().any(|glob| glob.is_match(&path[..end]))));
    survey.notes.extend(linked(&survey));
    Ok(survey)
}

/// The patterns of `[checkpoints] paths`, relative to the top of the code.
fn checkpoints(plan: &Plan, survey: &Survey) -> Vec<GlobMatcher> {
    let of_top = |directory: &str, pattern: &str| {
        let start = format!("{}/{directory}", survey.below);
        let mut parts: Vec<String> = start.split('/').filter(|part| !matches!(*part, "" | ".")).map(globset::escape).collect();
        let pattern = match pattern.strip_prefix('/') {
            Some(_) => {
                parts.clear();
                Path::new(pattern).strip_prefix(&survey.top).ok()?.to_str()?
            }
            None => pattern,
        };
        for part in pattern.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                part => parts.push(part.to_string()),
            }
        }
        Some(GlobBuilder::new(&parts.join("/")).literal_separator(true).build().ok()?.compile_matcher())
    };
    let experiments = plan.experiments.iter().map(|experiment| &experiment.settings);
    let patterns = experiments.flat_map(|settings| {
        let directory = settings.code.directory.as_deref().unwrap_or_default();
        settings.checkpoints.paths.iter().map(move |pattern| (directory, pattern))
    });
    patterns.filter_map(|(directory, pattern)| of_top(directory, pattern)).collect()
}

/// A warning of the files that all runs share with the work tree.
fn linked(survey: &Survey) -> Option<String> {
    let names: Vec<&str> = survey.large.iter().take(NAMED).map(|large| large.path.as_str()).collect();
    let more = survey.large.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| {
        format!(
            "linked to where they lie, as they are too large to be copied: {}{more}; a run that writes to them changes the originals",
            names.join(", ")
        )
    })
}
