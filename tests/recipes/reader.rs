//! A reader of the page who has a recipe's files in a fresh project and types what it says.

use crate::page::{Recipe, repository};
use crate::world::{Said, World};
use serde_json::Value;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Reader {
    pub(crate) world: World,
    untyped: std::vec::IntoIter<String>,
    variables: Vec<(&'static str, String)>,
}

impl Reader {
    pub(crate) fn of(recipe: Recipe) -> Reader {
        let world = World::new();
        for (name, content) in recipe.files {
            match name.strip_prefix("~/.local/share/neronet/") {
                Some(name) => {
                    std::fs::create_dir_all(world.home()).expect("made");
                    std::fs::write(world.home().join(name), content).expect("written");
                }
                None => {
                    world.write(&name, content);
                }
            }
        }
        let bin = world.path("bin");
        std::fs::create_dir(&bin).expect("made");
        symlink(env!("CARGO_BIN_EXE_neronet"), bin.join("neronet")).expect("linked");
        // A system may have `python3` alone; its name in the recipes is the one that it has in every environment.
        std::fs::write(bin.join("python"), "#!/bin/sh\nexec python3 \"$@\"\n").expect("written");
        std::fs::set_permissions(bin.join("python"), PermissionsExt::from_mode(0o755)).expect("ours");
        Reader { world, untyped: recipe.typed.into_iter(), variables: Vec::new() }
    }

    /// A variable that the shell has in which the commands are typed.
    pub(crate) fn has(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.push((name, value.into()));
    }

    /// Types the next block of commands, each of which must succeed.
    pub(crate) fn types(&mut self) -> Said {
        let block = self.untyped.next().expect("the recipe has another block of commands");
        let said = self.shell(&block);
        assert_eq!(said.code, Some(0), "{block}{said:#?}");
        said
    }

    pub(crate) fn shell(&self, commands: &str) -> Said {
        let mut shell = Command::new("bash");
        self.world.settle(&mut shell);
        let inherited = shell.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).expect("settled").to_os_string();
        let folders = frameworks().into_iter().chain([self.world.path("bin")]).chain(std::env::split_paths(&inherited));
        shell.env("PATH", std::env::join_paths(folders).expect("no colons"));
        // The page is tried on any machine, so on the processor.
        shell.env("CUDA_VISIBLE_DEVICES", "").envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell.args(["-ec", commands]).output().expect("bash starts").into()
    }

    pub(crate) fn has_typed_everything(&self) {
        assert_eq!(self.untyped.as_slice(), &[] as &[String], "commands that no check types");
    }

    /// Runs 1 to `count`, which are all there are, and have all finished.
    pub(crate) fn finished(&self, count: u64) -> Vec<Value> {
        assert_eq!(self.world.list().len() as u64, count);
        let runs: Vec<Value> = (1..=count).map(|run| self.world.show(run)).collect();
        for run in &runs {
            assert_eq!(run["outcome"], "finished", "{run:#}");
        }
        runs
    }

    pub(crate) fn work(&self, run: u64) -> PathBuf {
        self.world.home().join(format!("runs/{run}/work"))
    }

    /// The steps or epochs of a run's metric, and its values.
    pub(crate) fn points(&self, run: u64, metric: &str) -> Vec<(f64, f64)> {
        let points = self.world.say(&["metrics", &run.to_string(), metric, "--json"]).with_code(0).json();
        let points = points.as_array().expect("an array").clone();
        points.iter().filter_map(|point| Some((point[0].as_f64()?, point[2].as_f64()?))).collect()
    }
}

/// Where `scripts/setup.sh recipes` put the frameworks.
fn frameworks() -> Option<PathBuf> {
    let folder = repository().join(".cache/venv-recipes/bin");
    folder.is_dir().then(|| folder.canonicalize().expect("it is there"))
}

/// What a recipe needs and this machine lacks: `c++` is a program, all else are modules of Python.
pub(crate) fn missing(needs: &[&'static str]) -> Vec<&'static str> {
    let reader = Reader::of(Recipe { title: String::new(), files: Vec::new(), typed: Vec::new() });
    let lacks = |need: &str| match need {
        "c++" => reader.shell("command -v c++").code != Some(0),
        module => {
            let code = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)");
            reader.shell(&format!("python -c \"{code}\"")).code != Some(0)
        }
    };
    needs.iter().copied().filter(|need| lacks(need)).collect()
}
