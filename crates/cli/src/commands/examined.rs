//! What `check` finds before it says anything: the plan, the code that its runs would get, what they read, what the system says,
//! and what each row of a sheet comes to.

use crate::args::Check;
use crate::commands::sheet::{Fates, Found};
use crate::session::Session;
use neronet_capture::code::Survey;
use neronet_capture::secrets::mask_text;
use neronet_home::destinations::{self, Named};
use neronet_home::filling::Filling;
use neronet_home::inputs::Seen;
use neronet_home::preflight::outside::{self, Depth, Report};
use neronet_home::submit::Foreseen;
use neronet_home::{HomeError, code, masked, port, preflight, same, submission, submit, there};
use neronet_model::settings::Match;
use neronet_model::{Params, RunId, Settings};
use neronet_spec::render::{self, Mode};
use neronet_spec::rows::Rows;
use neronet_spec::{Experiment, Plan, Planned, Problems};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A specification, and all that is known of its runs without starting one.
pub(crate) struct Examined<'s> {
    pub(crate) session: &'s Session,
    /// With all that is to be said of it.
    pub(crate) plan: Plan,
    /// Each code with the part of the plan that runs it.
    pub(crate) codes: Vec<(Survey, Plan)>,
    pub(crate) inputs: Vec<Seen>,
    pub(crate) report: Report,
    /// The number that the first run would get if it were started now.
    pub(crate) first: RunId,
    /// Secrets that are not shown.
    pub(crate) known: Vec<String>,
}

/// Looks at a specification or a sheet. What the rows of a sheet come to is known as well where nothing of it can run.
pub(crate) fn examine<'s>(session: &'s Session, words: &Check, fates: &mut Option<Fates>) -> Result<Examined<'s>, HomeError> {
    let Some(named) = words.spec.as_deref().and_then(submission::sheet) else {
        let (plan, start) = submission::read_spec(&session.context, Path::new(""), words.spec.as_deref(), &words.set)?;
        return Examined::of(session, plan, &start, !words.no_preflight);
    };
    let (Rows { place, rows, shared, notes, plan }, start) = submission::read_sheet(&session.context, named, &words.set)?;
    let examined = plan.map_err(HomeError::from).and_then(|plan| Examined::of(session, plan, &start, !words.no_preflight));
    let found = match &examined {
        Ok(examined) => examined.rows(&Fates::shown(&rows))?,
        Err(_) => BTreeMap::new(),
    };
    let mut told = Fates::of(rows, place, shared, notes, found);
    if let Err(HomeError::Spec(problems)) = &examined {
        told.blame(&problems.0);
    }
    *fates = Some(told);
    examined
}

impl<'s> Examined<'s> {
    fn of(session: &'s Session, mut plan: Plan, start: &Path, preflight: bool) -> Result<Examined<'s>, HomeError> {
        let context = &session.context;
        destinations::settle(context, &mut plan, &Named::AsSpecified)?;
        let (mut warnings, mut codes, mut report) = (std::mem::take(&mut plan.warnings), Vec::new(), Report::default());
        let (mut seen, mut known) = (Vec::new(), Vec::new());
        for part in code::parts(&plan) {
            let survey = code::survey(context, &part.plan, start)?;
            let project = plan.project.clone().unwrap_or_else(|| submit::project_of(&survey.top));
            let looked = preflight::look(context, &part.plan, &survey, &project).map_err(|error| match error {
                HomeError::Spec(Problems(found)) => HomeError::Spec(Problems(found.into_iter().chain(warnings.iter().cloned()).collect())),
                other => other,
            })?;
            warnings.extend(looked.warnings.into_iter().filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
            seen.extend(looked.inputs.into_iter().filter(|input| !seen.contains(input)).collect::<Vec<_>>());
            if preflight {
                report.join(outside::look(context, &part.plan, &survey, &project, Depth::Check));
            }
            known.extend(masked::known_of_plan(context, &part.plan, &survey));
            codes.push((survey, part.plan.into_owned()));
        }
        let first = RunId(context.home.read()?.state.last_run + 1);
        Ok(Examined { session, plan: Plan { warnings, ..plan }, codes, inputs: seen, report, first, known })
    }

    /// By row of a sheet: what would run, its command where that is `told`, and the run that is the same already.
    fn rows(&self, told: &[u32]) -> Result<BTreeMap<u32, Found>, HomeError> {
        let mut found = BTreeMap::new();
        let mut next = self.first.0;
        for (survey, part) in &self.codes {
            let project = part.project.clone().unwrap_or_else(|| submit::project_of(&survey.top));
            let there = same::there(&self.session.context, part, &project, survey.git.as_ref())?;
            for (experiment, there) in part.experiments.iter().zip(there) {
                let varying = experiment.varying();
                for ((params, row), there) in experiment.runs().zip(&experiment.rows).zip(there) {
                    let command = || {
                        let settings = there::first(&experiment.settings);
                        let filling = self.filling(&settings, &params, RunId(next))?;
                        self.command(&settings, &params, &filling)
                    };
                    let made = told.contains(&row.number).then(command).transpose()?;
                    found.insert(row.number, (shown(&params, &varying, &self.known), made, there));
                    next += 1;
                }
            }
        }
        Ok(found)
    }

    /// What all runs of an experiment have in common, by the parameters of the first.
    pub(crate) fn fixed(&self, experiment: &Experiment, params: &Params) -> Params {
        let varying = experiment.varying();
        let params = shown(params, &varying, &self.known);
        let fixed = params.iter().filter(|(name, _)| !varying.iter().any(|varying| varying == name));
        fixed.map(|(name, value)| (name.to_string(), value.clone())).collect()
    }

    /// Of each run what varies in the runs that it goes on from, called `pretrain.lr`. What is matched it has itself.
    pub(crate) fn before(&self, experiment: &Experiment, planned: &[Planned]) -> Vec<Params> {
        let none = || vec![Params::default(); planned.len()];
        let Some(stage) = &experiment.settings.stage else { return none() };
        let Some(before) = self.plan.experiments.iter().find(|known| known.name == stage.after) else { return none() };
        let matched: &[String] = match &stage.match_on {
            Match::Params(names) => names,
            _ => &[],
        };
        let mut theirs = Vec::new();
        let mut all = self.plan.runs(before).enumerate();
        let mut last: Option<(usize, Planned)> = None;
        // Those that go on from the same run stand together, in the order of these.
        for at in planned.iter().map(|run| run.after) {
            let Some(at) = at else { return none() };
            if last.as_ref().is_none_or(|(known, _)| *known != at) {
                last = all.find(|(known, _)| *known == at);
            }
            let Some((_, run)) = &last else { return none() };
            theirs.push(run.clone());
        }
        let varying = before.varying();
        let named = |run: &Planned, earlier: &Params| {
            let params = shown(&run.params, &varying, &self.known);
            let own =
                params.iter().filter(|(name, _)| varying.iter().any(|known| known == name) && matched.iter().all(|known| known != name));
            let own = own.map(|(name, value)| (format!("{}.{name}", before.name), value.clone()));
            own.chain(earlier.iter().map(|(name, value)| (name.to_string(), value.clone()))).collect()
        };
        theirs.iter().zip(self.before(before, &theirs)).map(|(run, earlier)| named(run, &earlier)).collect()
    }

    /// What `submit` would make of it, where that is known at little cost.
    pub(crate) fn submitted(&self) -> Result<Option<Foreseen>, HomeError> {
        submit::foreseen(&self.session.context, &self.plan, &self.codes, &self.inputs)
    }

    /// The specification's folder.
    pub(crate) fn start(&self) -> PathBuf {
        self.survey().map(|survey| survey.top.join(&survey.below)).unwrap_or_default()
    }

    /// The same as runs with these settings get it.
    pub(crate) fn code(&self, settings: &Settings) -> PathBuf {
        let of =
            |(_, part): &&(Survey, Plan)| part.experiments.iter().any(|experiment| experiment.settings.code.commit == settings.code.commit);
        let survey = self.codes.iter().find(of).map(|(survey, _)| survey).or(self.survey());
        survey.map(|survey| survey.place().join(&survey.below)).unwrap_or_default()
    }

    /// The code of the first experiments; nearly always of all.
    pub(crate) fn survey(&self) -> Option<&Survey> {
        self.codes.first().map(|(survey, _)| survey)
    }

    pub(crate) fn filling(&self, settings: &Settings, params: &Params, run: RunId) -> Result<Filling, HomeError> {
        let start = self.start();
        let filling =
            Filling::of(&self.session.context, settings, params, run, &[&self.code(settings)], &start).map_err(HomeError::Failed)?;
        // Another one is reserved when the run starts.
        Ok(filling.with_port(port::free()))
    }

    /// Without the secrets in it.
    pub(crate) fn command(&self, settings: &Settings, params: &Params, filling: &Filling) -> Result<String, HomeError> {
        let shell = preflight::default_shell(&self.session.context.environment);
        let rendered = render::command(settings, params, &filling.context(), Mode::First, shell);
        rendered
            .map(|rendered| without_quotes(mask_text(&rendered.shown, &self.known), settings))
            .map_err(|why| HomeError::Failed(format!("the command cannot be made: {why}")))
    }

    /// The steps behind the command: their names, and what they execute.
    pub(crate) fn steps(&self, settings: &Settings, params: &Params, filling: &Filling) -> Result<Vec<(String, String)>, HomeError> {
        let shell = preflight::default_shell(&self.session.context.environment);
        let rendered = settings.then.iter().map(|step| {
            let rendered = render::step(settings, params, &filling.context(), step, shell);
            let rendered = rendered.map_err(|why| HomeError::Failed(format!("step {} cannot be made: {why}", step.name)))?;
            Ok((rendered.name, without_quotes(mask_text(&rendered.shown, &self.known), settings)))
        });
        rendered.collect()
    }

    pub(crate) fn build(&self, settings: &Settings) -> String {
        settings.code.build.as_deref().map(|build| mask_text(build.trim(), &self.known)).unwrap_or_default()
    }
}

/// The checkpoints of a run before are known when this one starts: until then their names stand for them, as they were written.
fn without_quotes(command: String, settings: &Settings) -> String {
    let Some(stage) = &settings.stage else { return command };
    let names = ["checkpoint", "checkpoint.best"].map(|name| format!("{{{}.{name}}}", stage.after));
    names.iter().fold(command, |command, name| command.replace(&format!("'{name}'"), name))
}

pub(crate) fn shown(params: &Params, varying: &[String], known: &[String]) -> Params {
    masked::params(params, varying, || known.to_vec()).into_owned()
}
