//! The effective configuration that frameworks write beside a run, so that a changed default shows when runs are compared.

use crate::globs::expand;
use neronet_capture::secrets;
use neronet_model::event::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where Hydra, Lightning and common scripts leave it, relative to where the command starts.
const PLACES: [&str; 8] = [
    ".hydra/config.yaml",
    "outputs/*/*/.hydra/config.yaml",
    "multirun/*/*/*/.hydra/config.yaml",
    "hparams.yaml",
    "lightning_logs/*/hparams.yaml",
    "args.json",
    "*/args.json",
    "*/hparams.yaml",
];
const LARGEST: u64 = 1 << 20;
const MOST_VALUES: usize = 2_000;

pub(crate) struct Configuration {
    directory: PathBuf,
    /// What was written until then is code, or another attempt's.
    since_ns: i128,
    read: BTreeSet<PathBuf>,
}

impl Configuration {
    pub(crate) fn new(directory: &Path, since_ns: i128) -> Configuration {
        Configuration { directory: directory.to_path_buf(), since_ns, read: BTreeSet::new() }
    }

    /// What was written since the last look.
    pub(crate) fn look(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for path in PLACES.iter().flat_map(|place| expand(&self.directory, place, 1_000).found) {
            let written_now = std::fs::metadata(&path).is_ok_and(|meta| {
                let written = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
                meta.len() > 0 && meta.len() <= LARGEST && written > self.since_ns
            });
            if !written_now || self.read.contains(&path) {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let is_json = path.extension().is_some_and(|ending| ending == "json");
            // Half-written JSON does not parse; it is looked at again.
            let Some(mut values) = (if is_json { json(&text) } else { Some(yaml(&text)) }) else { continue };
            values.retain(|name, _| !name.is_empty());
            for (name, value) in &mut values {
                if secrets::is_secret_setting(name) {
                    *value = secrets::MASK.to_string();
                }
            }
            let source = path.strip_prefix(&self.directory).unwrap_or(&path).display().to_string();
            self.read.insert(path);
            events.push(Event::Config { source, values: values.into_iter().take(MOST_VALUES).collect() });
        }
        events
    }
}

fn json(text: &str) -> Option<BTreeMap<String, String>> {
    fn flatten(prefix: &str, value: &serde_json::Value, out: &mut BTreeMap<String, String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (name, value) in map {
                    let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    flatten(&name, value, out);
                }
            }
            serde_json::Value::String(text) => drop(out.insert(prefix.to_string(), text.clone())),
            other => drop(out.insert(prefix.to_string(), other.to_string())),
        }
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut out = BTreeMap::new();
    flatten("", &value, &mut out);
    Some(out)
}

/// The YAML that configuration dumps consist of: nested maps, scalars, lists. Not anchors, not block text.
fn yaml(text: &str) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            continue;
        }
        let indent = line.len() - trimmed.len();
        let joined = |above: &[(usize, String)]| above.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(".");
        if let Some(item) = trimmed.strip_prefix("- ") {
            // A list may stand at its key's own indentation.
            above.retain(|(level, _)| *level <= indent);
            let list = out.entry(joined(&above)).or_default();
            *list = if list.is_empty() { scalar(item) } else { format!("{list}, {}", scalar(item)) };
            continue;
        }
        above.retain(|(level, _)| *level < indent);
        let Some((name, value)) = trimmed.split_once(':').filter(|(_, value)| value.is_empty() || value.starts_with(' ')) else { continue };
        above.push((indent, scalar(name)));
        let value = scalar(value);
        if !value.is_empty() {
            out.insert(joined(&above), value);
        }
    }
    out
}

/// Without quotes, and without a comment behind it.
fn scalar(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.0.to_string();
        }
    }
    text.split(" #").next().unwrap_or_default().trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_dump_becomes_dotted_names() {
        let found = yaml(
            "# made by hydra\noptim:\n  lr: 1e-3   # base\n  betas:\n  - 0.9\n  - 0.999\nmodel:\n  name: 'res net'\nseed: 1\nempty: \n",
        );
        let pairs: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("model.name", "res net"), ("optim.betas", "0.9, 0.999"), ("optim.lr", "1e-3"), ("seed", "1")]);
    }

    #[test]
    fn files_of_this_attempt_are_read_once_and_secrets_are_masked() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut configuration = Configuration::new(folder.path(), 0);
        std::fs::write(folder.path().join("args.json"), r#"{"lr": 0.1, "net": {"depth": 3}, "api_token": "hush-hush"}"#).expect("written");
        let events = configuration.look();
        let [Event::Config { source, values }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(source, "args.json");
        assert_eq!(values["net.depth"], "3");
        assert_eq!(values["api_token"], secrets::MASK);
        assert!(configuration.look().is_empty());
        assert!(Configuration::new(folder.path(), i128::MAX).look().is_empty());
    }
}
