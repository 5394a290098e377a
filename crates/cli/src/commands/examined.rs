//! What `check` finds before it says anything: the plan, the code that its runs would get, and what each row of a sheet comes to.

use crate::args::Check;
use crate::commands::check::{command, shown};
use crate::commands::run::read_spec;
use crate::commands::sheet::{self, Fates, Found};
use crate::session::Session;
use neronet_capture::code::Survey;
use neronet_home::preflight::outside::{self, Depth, Report};
use neronet_home::{HomeError, code, preflight, same, submit};
use neronet_model::RunId;
use neronet_spec::Plan;
use neronet_spec::rows::Rows;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) struct Examined {
    /// With all that is to be said of it.
    pub(crate) plan: Plan,
    /// Each code with the part of the plan that runs it.
    pub(crate) surveys: Vec<(Survey, Plan)>,
    pub(crate) report: Report,
}

/// Looks at a specification or a sheet. What the rows of a sheet come to is known as well where nothing of it can run.
pub(crate) fn examine(session: &Session, words: &Check, known: &[String], fates: &mut Option<Fates>) -> Result<Examined, HomeError> {
    let Some(named) = words.spec.as_deref().and_then(sheet::named) else {
        let (plan, start) = read_spec(session, words.spec.as_deref(), &words.set)?;
        return surveyed(session, plan, &start, !words.no_preflight);
    };
    let (Rows { place, rows, notes, plan }, start) = sheet::read(session, named, &words.set)?;
    let examined = plan.map_err(HomeError::from).and_then(|plan| surveyed(session, plan, &start, !words.no_preflight));
    let found = match &examined {
        Ok(examined) => of_rows(session, examined, &Fates::shown(&rows), known)?,
        Err(_) => BTreeMap::new(),
    };
    let mut told = Fates::of(rows, place, notes, found);
    if let Err(HomeError::Spec(problems)) = &examined {
        told.blame(&problems.0);
    }
    *fates = Some(told);
    examined
}

fn surveyed(session: &Session, mut plan: Plan, start: &Path, preflight: bool) -> Result<Examined, HomeError> {
    let (mut warnings, mut surveys, mut report) = (std::mem::take(&mut plan.warnings), Vec::new(), Report::default());
    for part in code::parts(&plan) {
        let survey = code::survey(&session.context, &part.plan, start)?;
        let more = preflight::check(&part.plan, &survey, &session.context.environment)?;
        warnings.extend(more.into_iter().filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
        if preflight {
            let project = plan.project.clone().unwrap_or_else(|| submit::project_of(&survey.top));
            report.join(outside::look(&session.context, &part.plan, &survey, &project, Depth::Check));
        }
        surveys.push((survey, part.plan.into_owned()));
    }
    Ok(Examined { plan: Plan { warnings, ..plan }, surveys, report })
}

/// By row of a sheet: what would run, its command where that is `told`, and the run that is the same already.
fn of_rows(session: &Session, examined: &Examined, told: &[u32], known: &[String]) -> Result<BTreeMap<u32, Found>, HomeError> {
    let mut found = BTreeMap::new();
    let mut next = session.context.home.read()?.state.last_run;
    for (survey, part) in &examined.surveys {
        let project = part.project.clone().unwrap_or_else(|| submit::project_of(&survey.top));
        let there = same::there(&session.context, part, &project, survey.git.as_ref())?;
        for (experiment, there) in part.experiments.iter().zip(there) {
            let varying = experiment.varying();
            for ((params, row), there) in experiment.runs().zip(&experiment.rows).zip(there) {
                next += 1;
                let made = told.contains(&row.number).then(|| command(session, &experiment.settings, &params, RunId(next), known));
                found.insert(row.number, (shown(&params, &varying, known), made.transpose()?, there));
            }
        }
    }
    Ok(found)
}
