//! The packages in Python's folders, by the names of their metadata folders; remembered until one of the folders changes.

use crate::sign::{Draft, Sign, hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Packages {
    pub(crate) packages: Vec<(String, String)>,
    pub(crate) editable: Vec<(String, PathBuf)>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    folders: Vec<(PathBuf, Option<Sign>)>,
    packages: Packages,
}

/// What is installed in `folders`.
pub(crate) fn of(folders: &[PathBuf], cache: &Path) -> Packages {
    let signs: Vec<(PathBuf, Option<Sign>)> = folders.iter().map(|folder| (folder.clone(), Sign::at(folder))).collect();
    let key: Vec<&[u8]> = folders.iter().map(|folder| folder.as_os_str().as_encoded_bytes()).collect();
    let place = cache.join(format!("packages-{}.json", &hash(&key.join(&0))[..16]));
    let remembered = std::fs::read(&place).ok().and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
    if let Some(remembered) = remembered.filter(|remembered| remembered.folders == signs) {
        return remembered.packages;
    }
    let draft = Draft::of(&place);
    let packages = read(folders);
    let settled = |draft: &Draft| signs.iter().all(|(_, sign)| sign.as_ref().is_none_or(|sign| draft.is_after(sign)));
    if let Some(draft) = draft.filter(settled) {
        let remembered = Remembered { folders: signs, packages: packages.clone() };
        if let Ok(bytes) = serde_json::to_vec(&remembered) {
            draft.save(&bytes);
        }
    }
    packages
}

fn read(folders: &[PathBuf]) -> Packages {
    // By the name as it is compared: `Foo.Bar` and `foo-bar` are the same package.
    let mut packages: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut editable: BTreeMap<PathBuf, String> = BTreeMap::new();
    for folder in folders {
        let conda = folder.ends_with("conda-meta");
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let package = if conda { conda_name(&name) } else { installed_name(&name) };
            if let Some((name, version)) = package {
                let key = name.to_lowercase().replace(['_', '.'], "-");
                // Where both conda and Python's own metadata name it, the latter is what is imported.
                if !conda || !packages.contains_key(&key) {
                    packages.insert(key, (name.clone(), version));
                }
                if let Some(source) = editable_source(&entry.path()) {
                    editable.insert(source, name);
                }
            } else if let Some(stem) = name.strip_suffix(".egg-link").or_else(|| name.strip_suffix(".pth")) {
                for source in paths_in(&entry.path(), folder) {
                    let name = stem.strip_prefix("__editable__.").unwrap_or(stem);
                    let name = name.split_once('-').map_or(name, |(name, _)| name).to_string();
                    editable.entry(source).or_insert(name);
                }
            }
        }
    }
    let mut editable: Vec<(String, PathBuf)> = editable.into_iter().map(|(path, name)| (name, path)).collect();
    editable.sort();
    Packages { packages: packages.into_values().collect(), editable }
}

/// `name-version.dist-info` and `name-version-py3.11.egg-info`.
fn installed_name(name: &str) -> Option<(String, String)> {
    let stem = match name.strip_suffix(".dist-info") {
        Some(stem) => stem,
        None => {
            let stem = name.strip_suffix(".egg-info")?;
            stem.rsplit_once("-py").map_or(stem, |(stem, _)| stem)
        }
    };
    let (name, version) = stem.split_once('-')?;
    // What an interrupted installation leaves behind begins with a tilde.
    (!name.is_empty() && !name.starts_with('~')).then(|| (name.to_string(), version.to_string()))
}

/// `name-version-build.json`.
pub(crate) fn conda_name(name: &str) -> Option<(String, String)> {
    let mut parts = name.strip_suffix(".json")?.rsplitn(3, '-');
    let (_build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name.to_string(), version.to_string()))
}

/// The folder of a package that was installed as editable, as its metadata says.
fn editable_source(info: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(info.join("direct_url.json")).ok()?;
    let said: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    if said.pointer("/dir_info/editable")?.as_bool() != Some(true) {
        return None;
    }
    let path = said.get("url")?.as_str()?.strip_prefix("file://")?;
    Some(PathBuf::from(percent_decoded(path)))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folders that a `.pth` or `.egg-link` file adds to the path, and those that a finder it imports maps to.
fn paths_in(file: &Path, site: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(module) = line.strip_prefix("import __editable__").and_then(|rest| rest.split([';', ' ']).next()) {
            let finder = std::fs::read_to_string(site.join(format!("__editable__{module}.py"))).unwrap_or_default();
            let mapping = finder.lines().find(|line| line.starts_with("MAPPING")).unwrap_or_default();
            found.extend(mapping.split(['\'', '"']).filter(|word| word.starts_with('/')).map(PathBuf::from));
        } else if line.starts_with('/') {
            found.push(PathBuf::from(line));
        }
    }
    found.retain(|path| path.is_dir() && !path.starts_with(site));
    found
}
