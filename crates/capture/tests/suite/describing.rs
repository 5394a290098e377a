//! The description of the environment, on made-up and real machines.

use crate::tree::Tree;
use neronet_capture::environment::{self, PythonKind};
use std::path::{Path, PathBuf};

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn venv(tree: &Tree) -> PathBuf {
    tree.put("venv/pyvenv.cfg", "home = /usr/bin\nversion_info = 3.11.4.final.0\nprompt = 'lab'\n").put("venv/bin/python", "");
    for info in ["numpy-1.26.4.dist-info", "Foo_Bar-2.0.dist-info", "~umpy-1.0.dist-info", "old-0.1-py3.11.egg-info", "mine-0.2.dist-info"]
    {
        tree.put(&format!("venv/lib/python3.11/site-packages/{info}/METADATA"), "");
    }
    tree.top.join("venv")
}

#[test]
fn a_virtual_environment_is_described_from_names_alone_with_its_editable_installs() {
    let tree = Tree::plain();
    let folder = venv(&tree);
    tree.put("my code/x.py", "").put("legacy/x.py", "");
    let site = "venv/lib/python3.11/site-packages";
    let url = format!("{{\"dir_info\": {{\"editable\": true}}, \"url\": \"file://{}/my%20code\"}}", tree.top.display());
    tree.put(&format!("{site}/mine-0.2.dist-info/direct_url.json"), url);
    tree.put(&format!("{site}/legacy.egg-link"), format!("{}/legacy\n.\n", tree.top.display()));
    let described = environment::describe(&[], Some(&folder), None, &tree.beside("cache"));
    let python = described.python.expect("a Python");
    assert_eq!((python.kind, python.version.as_deref(), python.name.as_deref()), (PythonKind::Venv, Some("3.11.4"), Some("lab")));
    let packages: Vec<_> = described.packages.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
    assert_eq!(packages, [("Foo_Bar", "2.0"), ("mine", "0.2"), ("numpy", "1.26.4"), ("old", "0.1")]);
    assert_eq!(described.editable, [("legacy".to_string(), tree.top.join("legacy")), ("mine".to_string(), tree.top.join("my code"))]);
}

#[test]
fn an_installation_is_seen_although_the_packages_are_remembered() {
    let tree = Tree::plain();
    let folder = venv(&tree);
    let count = || environment::describe(&[], Some(&folder), None, &tree.beside("cache")).packages.len();
    assert_eq!((count(), count()), (4, 4));
    tree.put("venv/lib/python3.11/site-packages/torch-2.4.0.dist-info/METADATA", "");
    assert_eq!((count(), count()), (5, 5));
    let without = environment::describe(&[], Some(&folder), None, Path::new("/proc/no-cache"));
    assert_eq!(without.packages.len(), 5);
}

#[test]
fn the_first_python_on_the_path_is_the_one_and_conda_is_read_from_its_own_records() {
    let tree = Tree::plain();
    tree.put("conda/bin/python", "").put("conda/conda-meta/python-3.10.1-h1_0.json", "").put("conda/conda-meta/py-lib-1.0-0.json", "");
    tree.put("conda/lib/python3.10/site-packages/py_lib-1.1.dist-info/METADATA", "");
    let path = format!("{}:/usr/bin", tree.top.join("conda/bin").display());
    let env =
        variables(&[("PATH", &path), ("CONDA_DEFAULT_ENV", "train"), ("LOADEDMODULES", "gcc/12:cuda/12.4"), ("VIRTUAL_ENV", "/not/there")]);
    let described = environment::describe(&env, None, None, &tree.beside("cache"));
    let python = described.python.expect("a Python");
    assert_eq!((python.kind, python.version.as_deref(), python.name.as_deref()), (PythonKind::Conda, Some("3.10.1"), Some("train")));
    assert_eq!(described.packages, variables(&[("py_lib", "1.1"), ("python", "3.10.1")]));
    assert_eq!(described.modules, ["gcc/12", "cuda/12.4"]);
}

#[test]
fn the_python_that_the_command_calls_is_the_one() {
    let tree = Tree::plain();
    let folder = venv(&tree);
    tree.put("bin/python", "").put("bin/python3.9", "").put("other/pyvenv.cfg", "version = 3.13.0\n").put("other/bin/python", "");
    let env = variables(&[("PATH", &tree.top.join("bin").display().to_string())]);
    let called = |python: Option<&Path>, program: &str| {
        let python = environment::describe(&env, python, Some(Path::new(program)), &tree.beside("cache")).python.expect("a Python");
        python.interpreter.strip_prefix(&tree.top).expect("in the tree").display().to_string()
    };
    let other = tree.top.join("other/bin/python").display().to_string();
    assert_eq!(called(None, &other), "other/bin/python");
    assert_eq!(called(Some(&folder), &other), "other/bin/python");
    assert_eq!(called(None, "python3.9"), "bin/python3.9");
    assert_eq!(called(Some(&folder), "python"), "venv/bin/python");
    assert_eq!(called(Some(&folder), "torchrun"), "venv/bin/python");
    assert_eq!(called(None, "/not/there/python"), "bin/python");
    let described = environment::describe(&env, Some(&folder), Some(Path::new(&other)), &tree.beside("cache")).python.expect("a Python");
    assert_eq!((described.version.as_deref(), described.folder), (Some("3.13.0"), Some(tree.top.join("other"))));
}

#[test]
fn behind_a_stand_in_of_pyenv_the_interpreter_itself_is_found() {
    let tree = Tree::plain();
    tree.put("pyenv/shims/python", "#!/bin/sh\n").put("pyenv/version", "3.11.7\n").put("project/.python-version", "3.12.1\n");
    for (version, minor) in [("3.11.7", "python3.11"), ("3.12.1", "python3.12")] {
        tree.put(&format!("pyenv/versions/{version}/bin/{minor}"), "");
        std::os::unix::fs::symlink(minor, tree.top.join(format!("pyenv/versions/{version}/bin/python"))).expect("a link");
    }
    let path = tree.top.join("pyenv/shims").display().to_string();
    let version = |more: &[(&str, &str)]| {
        let all = variables(&[&[("PATH", path.as_str())], more].concat());
        environment::describe(&all, None, None, &tree.beside("cache")).python.expect("a Python").version
    };
    let project = tree.top.join("project").display().to_string();
    assert_eq!(version(&[]).as_deref(), Some("3.11"));
    assert_eq!(version(&[("PWD", &project)]).as_deref(), Some("3.12"));
    assert_eq!(version(&[("PWD", &project), ("PYENV_VERSION", "3.11.7")]).as_deref(), Some("3.11"));
}

#[test]
fn variables_are_chosen_and_no_canary_is_among_them() {
    let tree = Tree::plain();
    let env = variables(&[
        ("CUDA_VISIBLE_DEVICES", "0"),
        ("WANDB_API_KEY", "canary-key"),
        ("HF_TOKEN", "canary-token"),
        ("HF_ENDPOINT", "https://user:canary@host/"),
        ("PYTHONPATH", "/x/canary-token/y"),
        ("EDITOR", "vi"),
    ]);
    let described = environment::describe(&env, None, None, &tree.beside("cache"));
    let record = serde_json::to_string(&described).expect("json");
    assert!(!record.contains("canary"), "{record}");
    let names: Vec<&str> = described.variables.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["CUDA_VISIBLE_DEVICES", "HF_ENDPOINT", "HF_TOKEN", "PYTHONPATH", "WANDB_API_KEY"]);
    let back: environment::Environment = serde_json::from_str(&record).expect("reads back");
    assert_eq!(back, described);
}

#[test]
fn this_machine_has_a_kernel_a_name_and_cores() {
    let tree = Tree::plain();
    let system = environment::describe(&[], None, None, &tree.beside("cache")).system;
    assert!(!system.kernel.is_empty() && !system.hostname.is_empty() && !system.os.is_empty() && system.cores > 0, "{system:?}");
    assert!(system.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
}
