//! Drafts as their readers get them: whole files for real sources, and what must hold for any text.

mod argv;
mod hostile;
mod whole;

use neronet_draft::Draft;
use neronet_spec::{Plan, Problems};

/// As of a variable or a flag: good enough for tests.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.ends_with(word))
}

/// Reads a draft as `neronet check` would.
fn read(draft: &Draft) -> Result<Option<Plan>, Problems> {
    match neronet_spec::parse(&draft.text, "neronet.toml", None, &[]) {
        Ok(plan) => Ok(Some(plan)),
        Err(problems) if problems.0.iter().all(is_later) => Ok(None),
        Err(problems) => Err(problems),
    }
}

/// Keys that drafts use and this version only knows. To be dropped when it carries them out.
fn is_later(problem: &neronet_spec::Problem) -> bool {
    problem.severity != neronet_spec::Severity::Error || problem.message.contains("is known, but not carried out by this version")
}
