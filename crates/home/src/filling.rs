//! What a run's placeholders stand for besides its parameters: its inputs, the target's variables, a port, and which parameters
//! its configuration files take.

use crate::configure;
use crate::context::Context;
use crate::error::HomeError;
use crate::targets;
use neronet_model::settings::FileEdit;
use neronet_model::target::LOCAL;
use neronet_model::{Params, RunId, Settings, Value};
use neronet_spec::{plain, render};
use std::path::Path;

#[derive(Debug, Clone, PartialEq)]
pub struct Filling {
    run: RunId,
    run_directory: String,
    seed: Option<i64>,
    pub(crate) inputs: Vec<(String, String)>,
    target: Vec<(String, String)>,
    port: Option<u16>,
    gpus: Option<u32>,
    in_files: Vec<String>,
    stage: Stage,
}

/// Of the run that this one goes on from: its checkpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stage {
    pub latest: Option<String>,
    pub best: Option<String>,
}

impl Stage {
    /// Names for what is not known yet.
    fn named(after: &str) -> Stage {
        Stage { latest: Some(format!("{{{after}.checkpoint}}")), best: Some(format!("{{{after}.checkpoint.best}}")) }
    }
}

impl Filling {
    /// `code` are places of the specification's folder as the run has it, where templates lie; `start` is where it was submitted,
    /// which paths of inputs are relative to.
    pub fn of(
        context: &Context,
        settings: &Settings,
        params: &Params,
        run: RunId,
        code: &[&Path],
        start: &Path,
    ) -> Result<Filling, String> {
        let mut filling = Filling::without_files(context, settings, params, run, start)?;
        // What is still absent when the run starts is told where it is to be written.
        for template in templates(settings).filter(|template| !configure::is_to_come(settings, code, template)) {
            let text = configure::read(code, template).map_err(|why| format!("{template} {why}"))?;
            filling.in_files.extend(render::parameters_in(&text, settings, params).map_err(|why| format!("{template}, {why}"))?);
        }
        Ok(filling)
    }

    /// What the configuration files themselves are filled in with.
    pub(crate) fn without_files(
        context: &Context,
        settings: &Settings,
        params: &Params,
        run: RunId,
        start: &Path,
    ) -> Result<Filling, String> {
        let seed = params.get("seed").and_then(Value::int);
        let run_directory = context.home.run(run).display().to_string();
        let target = if names_target(settings) { variables(context, settings).map_err(|e| e.to_string())? } else { Vec::new() };
        let stage = settings.stage.as_ref().map(|stage| Stage::named(&stage.after)).unwrap_or_default();
        let mut filling =
            Filling { run, run_directory, seed, inputs: Vec::new(), target, port: None, gpus: None, in_files: Vec::new(), stage };
        for (name, path) in render::inputs(settings, params, &filling.context())? {
            filling.inputs.push((name, plain(&start.join(path)).display().to_string()));
        }
        Ok(filling)
    }

    pub fn with_port(self, port: Option<u16>) -> Filling {
        Filling { port, ..self }
    }

    /// With the number of GPUs that the run was given.
    pub fn with_gpus(self, gpus: Option<u32>) -> Filling {
        Filling { gpus, ..self }
    }

    /// With the checkpoints themselves, where there are names for them so far.
    pub fn with_stage(self, stage: Stage) -> Filling {
        Filling { stage, ..self }
    }

    pub fn context(&self) -> render::Context<'_> {
        render::Context {
            seed: self.seed,
            inputs: &self.inputs,
            target: &self.target,
            port: self.port,
            gpus: self.gpus,
            in_files: &self.in_files,
            stage_checkpoint: self.stage.latest.as_deref(),
            best_stage_checkpoint: self.stage.best.as_deref(),
            ..render::Context::of(self.run, &self.run_directory)
        }
    }
}

/// Those of the machine where the run executes, or would execute first.
fn variables(context: &Context, settings: &Settings) -> Result<Vec<(String, String)>, HomeError> {
    targets::variables(context, settings.target.first().map_or(LOCAL, String::as_str))
}

/// Most experiments never name the target: then its file need not be read.
fn names_target(settings: &Settings) -> bool {
    render::named(settings).iter().any(|name| name.starts_with("target."))
}

/// Whether anything of the experiment asks for a checkpoint of the run that it goes on from.
pub(crate) fn names_stage(settings: &Settings) -> bool {
    let checkpoint = settings.stage.as_ref().map(|stage| format!("{}.checkpoint", stage.after));
    checkpoint.is_some_and(|checkpoint| render::named(settings).iter().any(|name| name.starts_with(&checkpoint)))
}

/// Whether anything of the experiment, or of its templates as `code` has them, asks for a port.
pub(crate) fn names_port(settings: &Settings, code: &[&Path]) -> bool {
    const PORT: &str = "run.port";
    let template = |name| configure::read(code, name).is_ok_and(|text| render::named_in(&text).any(|name| name == PORT));
    render::named(settings).contains(PORT) || templates(settings).any(template)
}

/// The templates that lie in the code, not those that another `[[file]]` makes.
fn templates(settings: &Settings) -> impl Iterator<Item = &str> {
    let files = settings.files.iter().enumerate();
    files.filter_map(|(at, file)| match file {
        FileEdit::Template { template, .. } => {
            let made = settings.files[..at].iter().any(|before| before.destination() == template);
            (!made).then_some(template.as_str())
        }
        FileEdit::Edit { .. } => None,
    })
}
