//! What a run's placeholders stand for besides its parameters: its inputs, the target's variables, a port, and which parameters
//! its configuration files take.

use crate::configure;
use crate::context::Context;
use crate::submit::plain;
use crate::targets;
use neronet_model::settings::FileEdit;
use neronet_model::{Params, RunId, Settings, Value};
use neronet_spec::render;
use std::path::Path;

#[derive(Debug, Clone, PartialEq)]
pub struct Filling {
    run: RunId,
    run_directory: String,
    seed: Option<i64>,
    pub(crate) inputs: Vec<(String, String)>,
    target: Vec<(String, String)>,
    port: Option<u16>,
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
    /// `code` is the specification's folder as the run has it, where templates lie; `start` is where it was submitted, which
    /// paths of inputs are relative to.
    pub fn of(context: &Context, settings: &Settings, params: &Params, run: RunId, code: &Path, start: &Path) -> Result<Filling, String> {
        let seed = params.get("seed").and_then(|seed| match *seed.meaning() {
            Value::Int(seed) => Some(seed),
            _ => None,
        });
        let run_directory = context.home.run(run).display().to_string();
        let target = if names_target(settings) { targets::variables(context).map_err(|e| e.to_string())? } else { Vec::new() };
        let stage = settings.stage.as_ref().map(|stage| Stage::named(&stage.after)).unwrap_or_default();
        let mut filling = Filling { run, run_directory, seed, inputs: Vec::new(), target, port: None, in_files: Vec::new(), stage };
        for (name, path) in render::inputs(settings, params, &filling.context())? {
            filling.inputs.push((name, plain(&start.join(path)).display().to_string()));
        }
        for file in &settings.files {
            if let FileEdit::Template { template, .. } = file {
                let text = configure::read(&code.join(template)).map_err(|why| format!("{template} {why}"))?;
                filling.in_files.extend(render::parameters_in(&text, settings, params).map_err(|why| format!("{template}, {why}"))?);
            }
        }
        Ok(filling)
    }

    pub fn with_port(self, port: Option<u16>) -> Filling {
        Filling { port, ..self }
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
            in_files: &self.in_files,
            stage_checkpoint: self.stage.latest.as_deref(),
            best_stage_checkpoint: self.stage.best.as_deref(),
            ..render::Context::of(self.run, &self.run_directory)
        }
    }
}

/// Most experiments never name the target: then its file need not be read.
fn names_target(settings: &Settings) -> bool {
    serde_json::to_string(settings).is_ok_and(|text| text.contains("{target."))
}

/// Whether anything of the experiment asks for a checkpoint of the run that it goes on from.
pub(crate) fn names_stage(settings: &Settings) -> bool {
    let named = settings.stage.as_ref().map(|stage| format!("{{{}.checkpoint", stage.after));
    named.is_some_and(|named| serde_json::to_string(settings).is_ok_and(|text| text.contains(&named)))
}

/// Whether anything of the experiment, or of its templates as `code` has them, asks for a port.
pub(crate) fn names_port(settings: &Settings, code: &Path) -> bool {
    const PORT: &str = "{run.port}";
    let template = |file: &FileEdit| match file {
        FileEdit::Template { template, .. } => configure::read(&code.join(template)).is_ok_and(|text| text.contains(PORT)),
        FileEdit::Edit { .. } => false,
    };
    serde_json::to_string(settings).is_ok_and(|text| text.contains(PORT)) || settings.files.iter().any(template)
}
