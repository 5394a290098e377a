//! What runs are on the machines where they may execute: their settings there, and a plan by where its runs go.

use neronet_model::Settings;
use neronet_model::journal::Sweep;
use neronet_model::target::LOCAL;
use neronet_spec::{Experiment, Plan};
use std::borrow::Cow;
use std::sync::Arc;

/// The settings of a sweep's runs on a target. They name no target any more: whoever has them is there.
pub fn settings_on(sweep: &Sweep, target: &str) -> Settings {
    sweep.settings.there(target)
}

/// A sweep as its runs are on this machine.
pub(crate) fn here(sweep: &Sweep) -> Cow<'_, Sweep> {
    if sweep.settings.target.is_empty() && sweep.settings.on.is_empty() {
        return Cow::Borrowed(sweep);
    }
    Cow::Owned(Sweep { settings: Arc::new(settings_on(sweep, LOCAL)), ..sweep.clone() })
}

/// The settings of an experiment's runs where they go first, with the name of that target.
pub fn first(settings: &Settings) -> Cow<'_, Settings> {
    match settings.target.first() {
        None => Cow::Borrowed(settings),
        Some(target) => Cow::Owned(Settings { target: vec![target.clone()], ..settings.there(target) }),
    }
}

/// Whether runs with these settings cannot execute on this machine.
pub fn is_elsewhere(settings: &Settings) -> bool {
    !settings.target.is_empty() && settings.target.iter().all(|target| target != LOCAL)
}

/// A plan as its runs would be on the machines where they may execute.
pub(crate) struct Views<'p> {
    /// What executes on this machine.
    pub(crate) here: Cow<'p, Plan>,
    /// What may execute here and elsewhere, as it is here: what this machine lacks refuses none of it.
    pub(crate) perhaps: Plan,
    /// What may execute elsewhere, as it is on each of its targets, whose name it has.
    pub(crate) elsewhere: Plan,
}

impl<'p> Views<'p> {
    /// Of a plan whose targets are settled.
    pub(crate) fn of(plan: &'p Plan) -> Views<'p> {
        let with = |experiments| Plan { project: plan.project.clone(), experiments, warnings: Vec::new(), source: plan.source.clone() };
        let all = || plan.experiments.iter();
        let goes = |experiment: &&Experiment| !experiment.settings.target.is_empty();
        let here = match all().any(|experiment| goes(&experiment)) {
            false => Cow::Borrowed(plan),
            true => Cow::Owned(with(all().filter(|experiment| !goes(experiment)).cloned().collect())),
        };
        let perhaps = all().filter(|experiment| goes(experiment) && !is_elsewhere(&experiment.settings));
        let perhaps = with(perhaps.map(|experiment| experiment.on(LOCAL)).collect());
        let elsewhere = all().flat_map(|experiment| {
            let targets = experiment.settings.target.iter().filter(|target| *target != LOCAL);
            targets.map(|target| {
                let mut there = experiment.on(target);
                there.settings.target = vec![target.clone()];
                there
            })
        });
        Views { here, perhaps, elsewhere: with(elsewhere.collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(targets: &[&str]) -> Plan {
        let text = "command = 't'\n[on.gpu1]\ncommand = 'there'\n[on.local]\ncommand = 'here'\n";
        let mut plan = neronet_spec::parse(text, "f.toml", None, &[]).expect("a plan");
        plan.experiments[0].settings.target = targets.iter().map(ToString::to_string).collect();
        plan
    }

    fn commands(plan: &Plan) -> Vec<String> {
        let shown = |experiment: &Experiment| {
            assert!(experiment.settings.on.is_empty(), "nothing is left to be chosen");
            format!("{:?} {:?}", experiment.settings.command, experiment.settings.target)
        };
        plan.experiments.iter().map(shown).collect()
    }

    #[test]
    fn a_plan_is_seen_as_it_is_on_each_of_its_targets() {
        let plan = plan(&["gpu1", "local", "gpu2"]);
        let views = Views::of(&plan);
        assert!(views.here.experiments.is_empty());
        assert_eq!(commands(&views.perhaps), [r#"Shell("here") []"#]);
        assert_eq!(commands(&views.elsewhere), [r#"Shell("there") ["gpu1"]"#, r#"Shell("t") ["gpu2"]"#]);
        assert_eq!(first(&plan.experiments[0].settings).target, ["gpu1"]);
    }

    #[test]
    fn what_names_no_target_is_here_as_it_is() {
        let plan = plan(&[]);
        let views = Views::of(&plan);
        assert!(matches!(views.here, Cow::Borrowed(_)) && views.perhaps.experiments.is_empty() && views.elsewhere.experiments.is_empty());
        assert!(matches!(first(&plan.experiments[0].settings), Cow::Borrowed(_)));
    }

    #[test]
    fn whether_runs_may_execute_here_is_told_by_their_targets() {
        let settings = |targets: &[&str]| plan(targets).experiments.remove(0).settings;
        assert!(is_elsewhere(&settings(&["gpu1", "gpu2"])));
        assert!(!is_elsewhere(&settings(&["gpu1", "local"])) && !is_elsewhere(&settings(&[])));
    }
}
