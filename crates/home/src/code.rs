//! The code of a plan's runs where it lies, seen with what the specification says of it.

use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::literally;
use crate::remote;
use globset::{GlobBuilder, GlobMatcher};
use neronet_capture::code::{self, Caps, Large, Survey};
use neronet_capture::space;
use neronet_model::Settings;
use neronet_spec::{Plan, Problems, What};
use std::borrow::Cow;
use std::path::Path;

/// Files that a note names.
const NAMED: usize = 5;

/// The experiments of a plan whose runs get the same code: the work tree's, or that of a commit.
pub struct Part<'p> {
    pub plan: Cow<'p, Plan>,
    /// Where they are in the whole plan.
    pub places: Vec<usize>,
}

/// A plan by the code that its runs get.
pub fn parts(plan: &Plan) -> Vec<Part<'_>> {
    let mut commits: Vec<(&Option<String>, Vec<usize>)> = Vec::new();
    for (at, experiment) in plan.experiments.iter().enumerate() {
        let commit = &experiment.settings.code.commit;
        match commits.iter_mut().find(|(known, _)| *known == commit) {
            Some((_, places)) => places.push(at),
            None => commits.push((commit, vec![at])),
        }
    }
    if commits.len() < 2 {
        return vec![Part { plan: Cow::Borrowed(plan), places: (0..plan.experiments.len()).collect() }];
    }
    let part = |(_, places): (_, Vec<usize>)| {
        let experiments = places.iter().map(|at| plan.experiments[*at].clone()).collect();
        // Warnings belong to the whole.
        let plan = Plan { project: plan.project.clone(), experiments, warnings: Vec::new(), source: plan.source.clone() };
        Part { plan: Cow::Owned(plan), places }
    };
    commits.into_iter().map(part).collect()
}

/// Looks at the code of a part; `start` is the specification's folder, or where the command was typed.
pub fn survey(context: &Context, plan: &Plan, start: &Path) -> Result<Survey, HomeError> {
    let came = came_with(context, start);
    let commit = plan.experiments.iter().find_map(|experiment| Some((experiment, experiment.settings.code.commit.as_ref()?)));
    if let Some((experiment, commit)) = commit {
        if came.is_some() {
            return Err(HomeError::Words(format!(
                "{}: [code] commit means the git repository that the code lies in, and where home is there is only a copy of its files: check \
                 {commit} out here and take it out, or submit it on that machine",
                experiment.name
            )));
        }
        return code::survey_commit(start, commit, &Caps::default()).map_err(|error| {
            let wanted = experiment.wanted.iter().find(|wanted| matches!(wanted.what, What::Commit(_)));
            match wanted {
                Some(wanted) => Problems(vec![wanted.error(error.what, Some(error.remedy))]).into(),
                None => error.into(),
            }
        });
    }
    let mut survey = match came {
        // What git says of it was found out where it came from.
        Some((came, place, below)) => {
            let diff = code::diff_text(&place.snapshots, &came.snapshot).unwrap_or_default();
            Survey { below, git: came.git.clone(), diff, ..code::survey_copy(&place.top, &Caps::default(), &context.cache)? }
        }
        None => code::survey(start, context.user_home.as_deref(), &Caps::default(), &context.cache)?,
    };
    if let Some(experiment) = plan.experiments.iter().find(|experiment| experiment.settings.code.in_place)
        && context.project.as_ref().is_some_and(|project| project.place.is_some())
    {
        return Err(HomeError::Words(format!(
            "{}: [code] in_place means the folder that the code lies in, and where home is there is only a copy of it: submit it on that machine",
            experiment.name
        )));
    }
    let in_place = survey.in_place_because.is_some() || plan.experiments.iter().all(|experiment| experiment.settings.code.in_place);
    if in_place || survey.large.is_empty() {
        return Ok(survey);
    }
    let saved: Vec<GlobMatcher> = plan.experiments.iter().flat_map(|experiment| patterns(&experiment.settings, &survey)).collect();
    survey.leave_out_saved(|path| is_saved(path, &saved));
    survey.notes.extend(linked(&survey));
    Ok(survey)
}

/// The code that a command brought along which came from elsewhere, where it is meant, and where in it.
fn came_with<'c>(context: &'c Context, start: &Path) -> Option<(&'c remote::Code, &'c remote::Place, String)> {
    let project = context.project.as_ref()?;
    let (code, place) = (project.code.as_ref()?, project.place.as_ref()?);
    let below = start.canonicalize().ok()?.strip_prefix(&place.top).ok()?.to_str()?.to_string();
    Some((code, place, below))
}

/// Whether a run saves this file, or a folder that it lies in.
fn is_saved(path: &str, saved: &[GlobMatcher]) -> bool {
    let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
    folders.chain([path]).any(|path| saved.iter().any(|glob| glob.is_match(path)))
}

/// The patterns of `[checkpoints] paths`, relative to the top of the code.
fn patterns(settings: &Settings, survey: &Survey) -> Vec<GlobMatcher> {
    let start = format!("{}/{}", survey.below, settings.code.directory.as_deref().unwrap_or_default());
    let start: Vec<String> = start.split('/').filter(|part| !matches!(*part, "" | ".")).map(literally).collect();
    let of_top = |pattern: &str| {
        let (mut parts, pattern) = match Path::new(pattern).strip_prefix(&survey.top) {
            Ok(below) => (Vec::new(), below.to_str()?),
            Err(_) if pattern.starts_with('/') => return None,
            Err(_) => (start.clone(), pattern),
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
    settings.checkpoints.paths.iter().filter_map(|pattern| of_top(pattern)).collect()
}

/// A warning of the files that all runs share with the work tree.
fn linked(survey: &Survey) -> Option<String> {
    let named = |large: &Large| format!("{} ({})", large.path, space::shown(large.size));
    let names: Vec<String> = survey.large.iter().take(NAMED).map(named).collect();
    let more = survey.large.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| {
        format!(
            "linked to where they lie, as they are too large to be copied: {}{more}; a run that writes to them changes the originals",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::UnixMs;

    #[test]
    fn what_runs_save_is_told_by_patterns_from_where_the_command_starts() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut survey = code::survey(folder.path(), None, &Caps::default(), &folder.path().join("cache")).expect("a survey");
        survey.below = "lab".to_string();
        let saved = |directory: Option<&str>, pattern: &str, path: &str| {
            let plan = neronet_spec::parse(&format!("command = 't'\ncheckpoints.paths = ['{pattern}']\n"), "f", None, &[]).expect("a plan");
            let mut settings = plan.experiments[0].settings.clone();
            settings.code.directory = directory.map(str::to_string);
            is_saved(path, &patterns(&settings, &survey))
        };
        assert!(saved(None, "ckpt/*.pt", "lab/ckpt/best.pt") && !saved(None, "ckpt/*.pt", "ckpt/best.pt"));
        assert!(saved(Some("sub"), "./*.pt", "lab/sub/best.pt") && !saved(Some("sub"), "*.pt", "lab/sub/deep/best.pt"));
        assert!(saved(None, "**/*.pt", "lab/a/b/c.pt") && saved(None, "ckpt/*", "lab/ckpt/step1/model.bin"));
        assert!(saved(None, "../out/{a,b}.pt", "out/a.pt") && !saved(None, "../../out/*", "out/a.pt"));
        let absolute = format!("{}/out/*.pt", survey.top.display());
        assert!(saved(None, &absolute, "out/a.pt") && !saved(None, "/data/*.pt", "data/a.pt"));
    }

    #[test]
    fn a_note_names_the_first_files_that_are_linked_and_counts_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut survey = code::survey(folder.path(), None, &Caps::default(), &folder.path().join("cache")).expect("a survey");
        assert_eq!(linked(&survey), None);
        survey.large = (0..7).map(|n| Large { path: format!("{n}.bin"), size: 1, mtime: UnixMs(0) }).collect();
        let note = linked(&survey).expect("a note");
        assert!(note.contains("0.bin (1 B), 1.bin (1 B), 2.bin (1 B), 3.bin (1 B), 4.bin (1 B) and 2 more; a run that writes"), "{note}");
    }
}
