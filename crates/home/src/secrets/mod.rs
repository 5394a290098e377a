//! `[secrets]`: their values, found out by whoever starts the runs. A value goes to the nursery and to what masks texts; it is in no
//! file, no message and no argument.

mod command;

use crate::context::Context;
use neronet_model::journal::Sweep;
use neronet_model::settings::{SecretSource, Settings};
use neronet_supervise::Secrets;
use neronet_supervise::secrets::{MOST, lines};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Of one value.
const LONGEST: usize = 64 << 10;
/// Shorter values, such as `disabled`, stand in texts that have nothing to do with them.
pub(crate) const TELLING: usize = 12;

/// Where values are looked for.
pub(crate) struct Place<'a> {
    pub(crate) environment: &'a [(OsString, OsString)],
    /// The specification's folder.
    pub(crate) folder: PathBuf,
}

/// Why a value cannot be had, and what to do.
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

fn missing(what: String, remedy: &str) -> Missing {
    Missing { what, remedy: remedy.to_string() }
}

impl<'a> Place<'a> {
    pub(crate) fn of(context: &'a Context, sweep: &Sweep) -> Place<'a> {
        Place { environment: &context.environment, folder: Path::new(&sweep.code.top).join(&sweep.code.below) }
    }

    /// Nothing where a command has to be asked, which may want a passphrase.
    pub(crate) fn at_hand(&self, source: &SecretSource) -> Option<Result<Vec<u8>, Missing>> {
        match source {
            SecretSource::Env(name) => {
                let value = self.variable(name).map(|value| value.as_bytes().to_vec());
                let value = value.ok_or_else(|| format!("the variable {name} is not set")).and_then(usable);
                Some(value.map_err(|what| missing(what, &format!("export {name} where you start runs"))))
            }
            SecretSource::File(path) => Some(self.content(&self.file(path))),
            SecretSource::Command(_) => None,
        }
    }

    /// Those that are at hand, wherever the runs may execute.
    pub(crate) fn known(&self, settings: &Settings) -> Secrets {
        let mut secrets = Secrets::default();
        let mut sources: Vec<&(String, SecretSource)> = everywhere(settings).collect();
        sources.sort_by_key(|(name, _)| name);
        sources.dedup();
        for (name, source) in sources {
            if let Some(Ok(value)) = self.at_hand(source) {
                secrets.add(name, value);
            }
        }
        secrets
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        let below_user = path.strip_prefix("~/").and_then(|below| Some(Path::new(self.variable("HOME")?).join(below)));
        below_user.unwrap_or_else(|| self.folder.join(path))
    }

    fn content(&self, path: &Path) -> Result<Vec<u8>, Missing> {
        let shown = path.display();
        let told = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound => missing(format!("there is no file {shown}"), "write the value into it, for you alone (chmod 600)"),
            _ => missing(format!("{shown} cannot be read: {e}"), "let it be a file that you may read"),
        };
        let meta = std::fs::metadata(path).map_err(told)?;
        if !meta.is_file() {
            let what = if meta.is_dir() { "a folder" } else { "no file" };
            return Err(missing(format!("{shown} is {what}"), "name a file that holds the value and nothing else"));
        }
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)).map_err(told)?;
        let value = if bytes.len() > LONGEST { Err("it is longer than 64 kB".to_string()) } else { usable(bytes) };
        value.map_err(|what| missing(format!("{shown}: {what}"), "name a file that holds the value and nothing else"))
    }
}

/// All that a sweep names, for any of the machines where its runs may execute.
fn everywhere(settings: &Settings) -> impl Iterator<Item = &(String, SecretSource)> {
    settings.secrets.iter().chain(settings.on.iter().flat_map(|(_, settings)| &settings.secrets))
}

/// Finds all values out. The error names the secret and never its value.
pub(crate) fn resolve(context: &Context, sweep: &Sweep) -> Result<Secrets, String> {
    let place = Place::of(context, sweep);
    let mut secrets = Secrets::default();
    for (name, source) in &sweep.settings.secrets {
        let value = match (place.at_hand(source), source) {
            (Some(value), _) => value.map_err(|missing| format!("{}; {}", missing.what, missing.remedy)),
            (None, SecretSource::Command(text)) => command::said(text, &place, &secrets, command::PATIENCE).and_then(usable),
            (None, _) => Err("its value cannot be found".to_string()),
        };
        let value = value.map_err(|why| format!("secret {name}: {why}"))?;
        if !secrets.add(name, value) {
            return Err(format!("secret {name}: all secrets together are longer than {} kB", MOST >> 10));
        }
    }
    Ok(secrets)
}

/// Whether a variable of the submitter's stays out of what a sweep keeps and its runs inherit: it is the source of a secret, or has the
/// value of one in it.
pub(crate) fn is_kept_out(settings: &Settings, secrets: &Secrets, (name, value): (&OsStr, &OsStr)) -> bool {
    let is_source = |(own, source): &(String, SecretSource)| {
        name == own.as_str() || matches!(source, SecretSource::Env(variable) if name == variable.as_str())
    };
    everywhere(settings).any(is_source) || secrets.values().any(|secret| holds(value.as_bytes(), secret))
}

pub(crate) fn holds(text: &[u8], secret: &[u8]) -> bool {
    secret.len() >= TELLING && text.windows(secret.len()).any(|part| part == secret)
}

/// A value as it is meant: without the end of its line, and one that a variable can have.
fn usable(mut value: Vec<u8>) -> Result<Vec<u8>, String> {
    while value.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        value.pop();
    }
    match value.contains(&0) {
        true => Err("its value holds a NUL byte, which no variable can".into()),
        false if value.is_empty() => Err("its value is empty".into()),
        false => Ok(value),
    }
}

/// For whoever masks what an error repeats.
fn hidden(place: &Place<'_>, secrets: &Secrets, said: &[u8]) -> Vec<String> {
    let mut known = crate::masked::in_environment(place.environment.to_vec());
    known.extend(secrets.lines().into_iter().chain(lines(said)));
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::settings::Command;

    fn place(folder: &Path) -> Place<'static> {
        Place { environment: &[], folder: folder.to_path_buf() }
    }

    #[test]
    fn a_file_gives_its_content_without_the_end_of_the_line_or_says_why_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).expect("written");
        write("good", b"two lines\nof it \r\n\n");
        write("empty", b"\n");
        write("nul", b"a\0b");
        write("long", &vec![b'x'; LONGEST + 1]);
        write("longest", &vec![b'x'; LONGEST]);
        let said = |name: &str| match place(folder.path()).at_hand(&SecretSource::File(name.into())) {
            Some(Ok(value)) => format!("{:?}", value.len()),
            Some(Err(missing)) => missing.what.replace(&folder.path().display().to_string(), "HERE"),
            None => "nothing".into(),
        };
        assert_eq!(said("good"), "16");
        assert_eq!(said("longest"), "65536");
        assert_eq!(said("empty"), "HERE/empty: its value is empty");
        assert_eq!(said("nul"), "HERE/nul: its value holds a NUL byte, which no variable can");
        assert_eq!(said("long"), "HERE/long: it is longer than 64 kB");
        assert_eq!(said("none"), "there is no file HERE/none");
        assert_eq!(said("."), "HERE/. is a folder");
        assert_eq!(said("/dev/null"), "/dev/null is no file");
    }

    #[test]
    fn a_variable_stays_out_when_it_is_a_source_or_has_the_value_in_it() {
        let mut settings = Settings::of(Command::Argv(Vec::new()));
        settings.secrets = vec![("KEY".into(), SecretSource::Env("MY_KEY".into())), ("MODE".into(), SecretSource::Env("MODE".into()))];
        let mut secrets = Secrets::default();
        assert!(secrets.add("KEY", b"0123456789ab".to_vec()) && secrets.add("MODE", b"disabled".to_vec()));
        let out = |name: &str, value: &str| is_kept_out(&settings, &secrets, (OsStr::new(name), OsStr::new(value)));
        assert!(out("KEY", "x") && out("MY_KEY", "x") && out("MODE", "x") && out("URL", "https://u:0123456789ab@h"));
        assert!(!out("PATH", "/bin") && !out("WANDB_MODE", "disabled") && !out("OTHER", "0123456789a"));
    }
}
