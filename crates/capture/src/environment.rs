//! The software around a run, from files and folder names alone: no interpreter is started.

use crate::secrets::mask_env;
use crate::system::{self, System};
use crate::{packages, packages::Packages};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    pub python: Option<Python>,
    /// Name and version, sorted.
    pub packages: Vec<(String, String)>,
    /// Packages whose code lies elsewhere and can change: name and folder.
    pub editable: Vec<(String, PathBuf)>,
    /// Loaded environment modules, e.g. `cuda/12.4`.
    pub modules: Vec<String>,
    /// Variables that change what a training does, secrets masked.
    pub variables: Vec<(String, String)>,
    pub system: System,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Python {
    pub interpreter: PathBuf,
    pub version: Option<String>,
    pub kind: PythonKind,
    /// Name and folder of the virtual or conda environment.
    pub name: Option<String>,
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PythonKind {
    #[default]
    System,
    Venv,
    Conda,
}

/// Variables that change what a training does, or how fast. An ending `*` stands for any rest.
const RELEVANT: [&str; 46] = [
    "CUDA_*",
    "NVIDIA_*",
    "NCCL_*",
    "CUBLAS_*",
    "CUDNN_*",
    "ROCR_*",
    "HIP_*",
    "HSA_*",
    "MIOPEN_*",
    "OMP_*",
    "MKL_*",
    "OPENBLAS_*",
    "KMP_*",
    "GOMP_*",
    "NUMEXPR_*",
    "BLIS_*",
    "PYTORCH_*",
    "TORCH*",
    "XLA_*",
    "JAX_*",
    "TF_*",
    "TPU_*",
    "HF_*",
    "TRANSFORMERS_*",
    "TOKENIZERS_*",
    "WANDB_*",
    "MLFLOW_*",
    "SLURM_*",
    "PYTHON*",
    "CONDA_*",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "PATH",
    "MALLOC_*",
    "RAY_*",
    "MASTER_ADDR",
    "MASTER_PORT",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LOADEDMODULES",
];

/// Describes what a process with the variables `env` would run in. `python` is a virtual environment's folder and comes before
/// what the variables say; `program` is what the command calls, by name or by path: a Python there is the one that runs. `cache` is a folder for what need not be read again; it may be absent or unwritable.
pub fn describe(env: &[(String, String)], python: Option<&Path>, program: Option<&Path>, cache: &Path) -> Environment {
    let get = |name: &str| env.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let path = get("PATH").unwrap_or_default();
    let is_python = |program: &&Path| program.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"python"));
    let called = program.filter(is_python).and_then(|program| match program.components().nth(1) {
        Some(_) => Some(program.to_path_buf()).filter(|place| place.is_file()),
        None => python.map(|folder| folder.join("bin").join(program)).filter(|place| place.is_file()).or_else(|| on_path(path, &[program])),
    });
    let found = called.or_else(|| match python {
        Some(folder) => interpreter_in(folder),
        // What is first on the path is what starts, whatever the other variables say.
        None => on_path(path, &["python", "python3"]).or_else(|| {
            let folder = get("VIRTUAL_ENV").or_else(|| get("CONDA_PREFIX"))?;
            interpreter_in(Path::new(folder))
        }),
    });
    let python = python.filter(|folder| found.as_ref().is_some_and(|found| found.starts_with(folder)));
    let found = found.map(|interpreter| behind_shim(&interpreter, &get).unwrap_or(interpreter));
    let python = found.map(|interpreter| describe_python(interpreter, python, get("CONDA_DEFAULT_ENV")));
    let Packages { packages, editable } = match &python {
        Some(python) => packages::of(&site_folders(python, get("HOME"), get("PYTHONNOUSERSITE")), cache),
        None => Packages::default(),
    };
    let relevant =
        |name: &str| RELEVANT.iter().any(|known| known.strip_suffix('*').map_or(name == *known, |start| name.starts_with(start)));
    // Masked as a whole, so that a secret of one variable is found in the others.
    let mut variables: Vec<(String, String)> = mask_env(env).into_iter().filter(|(name, _)| relevant(name)).collect();
    variables.sort();
    Environment {
        python,
        packages,
        editable,
        modules: get("LOADEDMODULES").unwrap_or_default().split(':').filter(|module| !module.is_empty()).map(str::to_string).collect(),
        variables,
        system: system::describe(),
    }
}

/// The Python of a virtual or conda environment.
pub fn interpreter_in(folder: &Path) -> Option<PathBuf> {
    ["bin/python", "bin/python3"].iter().map(|name| folder.join(name)).find(|place| place.exists())
}

/// The first of these programs that is anywhere on the path.
fn on_path(path: &str, programs: &[impl AsRef<Path>]) -> Option<PathBuf> {
    let folders = || path.split(':').filter(|folder| !folder.is_empty()).map(Path::new);
    programs.iter().find_map(|program| folders().map(|folder| folder.join(program)).find(|place| place.is_file()))
}

/// pyenv puts a script in the place of each interpreter; which one that starts, its files and a variable say.
pub(crate) fn behind_shim<'v>(interpreter: &Path, get: &impl Fn(&str) -> Option<&'v str>) -> Option<PathBuf> {
    let root = interpreter.parent().filter(|folder| folder.ends_with("shims"))?.parent()?;
    let read = |file: PathBuf| std::fs::read_to_string(file).ok().filter(|text| !text.trim().is_empty());
    let chosen = get("PYENV_VERSION").map(|versions| versions.replace(':', "\n"));
    let local = || get("PWD").and_then(|folder| Path::new(folder).ancestors().find_map(|folder| read(folder.join(".python-version"))));
    let versions = chosen.or_else(local).or_else(|| read(root.join("version")))?;
    let name = interpreter.file_name()?;
    let places = versions.split_whitespace().map(|version| root.join("versions").join(version).join("bin").join(name));
    places.into_iter().find(|place| place.exists())
}

pub(crate) fn describe_python(interpreter: PathBuf, folder: Option<&Path>, conda_name: Option<&str>) -> Python {
    let prefix = folder.or_else(|| interpreter.parent()?.parent()).map(Path::to_path_buf).unwrap_or_default();
    let folder_name = || prefix.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Ok(config) = std::fs::read_to_string(prefix.join("pyvenv.cfg")) {
        let version = config_value(&config, "version").or_else(|| config_value(&config, "version_info"));
        return Python {
            interpreter,
            // `3.12.1.final.0` is 3.12.1.
            version: version.map(|version| version.split('.').take(3).collect::<Vec<_>>().join(".")),
            kind: PythonKind::Venv,
            name: config_value(&config, "prompt").map(|name| name.trim_matches(['\'', '"']).to_string()).or_else(folder_name),
            folder: Some(prefix),
        };
    }
    if let Ok(entries) = std::fs::read_dir(prefix.join("conda-meta")) {
        let versions = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (name, version) = packages::conda_name(&name)?;
            (name == "python").then_some(version)
        });
        return Python {
            interpreter,
            version: versions.max(),
            kind: PythonKind::Conda,
            name: conda_name.map(str::to_string).or_else(folder_name),
            folder: Some(prefix),
        };
    }
    let real = interpreter.canonicalize().unwrap_or_else(|_| interpreter.clone());
    let version = real.file_name().and_then(|name| name.to_str()?.strip_prefix("python")).filter(|rest| rest.contains('.'));
    Python { version: version.map(str::to_string), interpreter, kind: PythonKind::System, name: None, folder: None }
}

fn config_value(config: &str, wanted: &str) -> Option<String> {
    let value = config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == wanted).then(|| value.trim())
    })?;
    Some(value.to_string()).filter(|value| !value.is_empty())
}

/// The folders that this Python takes packages from.
fn site_folders(python: &Python, home: Option<&str>, no_user_site: Option<&str>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut isolated = false;
    match &python.folder {
        Some(prefix) => {
            folders.extend(below(prefix));
            if python.kind == PythonKind::Conda {
                folders.push(prefix.join("conda-meta"));
            } else {
                let config = std::fs::read_to_string(prefix.join("pyvenv.cfg")).unwrap_or_default();
                isolated = config_value(&config, "include-system-site-packages").is_none_or(|value| !value.eq_ignore_ascii_case("true"));
                let base = config_value(&config, "home").filter(|_| !isolated);
                folders.extend(base.iter().filter_map(|bin| Path::new(bin).parent()).flat_map(below));
            }
        }
        None => {
            let real = python.interpreter.canonicalize().unwrap_or_else(|_| python.interpreter.clone());
            folders.extend(real.parent().and_then(Path::parent).into_iter().flat_map(below));
            folders.extend(below(Path::new("/usr/local")));
        }
    }
    if let Some(home) = home.filter(|_| !isolated && no_user_site.is_none_or(str::is_empty)) {
        folders.extend(below(&Path::new(home).join(".local")));
    }
    // Of several Pythons side by side only the folders of this one.
    let minor: Option<String> = python.version.as_ref().map(|version| version.split('.').take(2).collect::<Vec<_>>().join("."));
    folders.retain(|folder| {
        let of = folder.components().find_map(|part| part.as_os_str().to_str()?.strip_prefix("python").filter(|rest| rest.contains('.')));
        of.is_none() || minor.is_none() || of.map(|of| of.trim_end_matches('t')) == minor.as_deref()
    });
    folders.sort();
    folders.dedup();
    folders
}

fn below(prefix: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64"] {
        // `lib64` is often a link to `lib`.
        let lib = prefix.join(lib);
        if lib.is_symlink() {
            continue;
        }
        for entry in std::fs::read_dir(lib).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("python3") {
                found.extend(
                    ["site-packages", "dist-packages"].map(|name| entry.path().join(name)).into_iter().filter(|place| place.is_dir()),
                );
            }
        }
    }
    found
}
