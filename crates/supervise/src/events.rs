//! Metrics from TensorBoard's event files, followed while the run goes on: scalars become rows, texts tags, and the parameters that
//! the plugin `hparams` keeps are configuration.
//!
//! Every generation reads a file from its beginning, as what the values of a tag are is said with its first alone. Rows on record are
//! passed over; one is known by the byte behind its record.

use crate::files::{Written, begins_so, modified, name_of};
use crate::globs::expand;
use neronet_foreign::tensorboard::{EventReader, is_event_file};
use neronet_foreign::{Artifact, Metric, Output, Refusal, Row, Run, Sink, Text, Wanted};
use neronet_model::UnixMs;
use neronet_model::launch::{FoundFile, Launch};
use neronet_scrape::Found;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const MOST_FILES: usize = 200;
const MOST_NAMES: usize = 20_000;
/// Read of one file at one look at most.
const AT_ONCE: u64 = 512 << 10;
/// The journal keeps texts and configuration with the end.
const MOST_TEXTS: usize = 200;
const MOST_PARAMS: usize = 2_000;
/// So often a training begins again within an attempt.
const MOST_AGAIN: usize = 100;

/// Takes what a record says: its source, the byte behind it, when it was written, and what it is.
type Each<'e> = dyn FnMut(&str, u64, Written, &mut Found) + 'e;

pub(crate) struct EventFiles {
    directory: PathBuf,
    patterns: Vec<String>,
    base: PathBuf,
    followed: BTreeMap<PathBuf, Followed>,
    /// Those that were there when the attempt began.
    found: BTreeMap<String, FoundFile>,
    told: Told,
    said_too_many: bool,
}

struct Followed {
    src: String,
    /// What stands before the names of its metrics.
    prefix: String,
    reader: EventReader,
    names: Vec<String>,
    /// Inode, length and time at the last look.
    seen: (u64, u64, UnixMs),
    more: bool,
    said_anew: bool,
    /// Up to this byte it is of an earlier run or attempt.
    earlier: u64,
}

/// What is known of all files together.
#[derive(Default)]
struct Told {
    /// The names of texts.
    texts: BTreeSet<String>,
    /// The last step of each folder, and whether the training begins again there with the next row.
    steps: BTreeMap<PathBuf, (i64, bool)>,
    /// How often it did.
    again: usize,
    notices: Vec<String>,
}

/// The event files that are there, in folders and by themselves. True: there are more names than are looked at.
pub(crate) fn look(directory: &Path, patterns: &[String]) -> (Vec<PathBuf>, bool) {
    let (mut files, mut cut_short) = (BTreeSet::new(), false);
    for pattern in patterns {
        let named = expand(directory, pattern, MOST_NAMES);
        cut_short |= named.cut_short;
        for path in named.found {
            if path.is_dir() {
                let below = expand(&path, "**/*tfevents*", MOST_NAMES);
                cut_short |= below.cut_short;
                files.extend(below.found);
            } else if path.file_name().is_some_and(|name| is_event_file(name.as_encoded_bytes())) {
                files.insert(path);
            }
        }
    }
    (files.into_iter().filter(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_file())).collect(), cut_short)
}

impl EventFiles {
    pub(crate) fn new(directory: &Path, launch: &Launch) -> EventFiles {
        let patterns = launch.metrics.tensorboard.clone();
        EventFiles {
            directory: directory.to_path_buf(),
            base: base(directory, &patterns),
            patterns,
            followed: BTreeMap::new(),
            found: launch.files_found.clone(),
            told: Told::default(),
            said_too_many: false,
        }
    }

    /// Looks for files that appeared.
    pub(crate) fn discover(&mut self, notices: &mut Vec<String>) {
        if self.patterns.is_empty() {
            return;
        }
        let (paths, mut too_many) = look(&self.directory, &self.patterns);
        for path in paths {
            let name = name_of(&self.directory, &path);
            let Ok(meta) = fs::metadata(&path) else { continue };
            let found = self.found.get(&name);
            let is_as_found = found.is_some_and(|found| (found.bytes, found.modified) == (meta.len(), modified(&meta)));
            if is_as_found || self.followed.contains_key(&path) {
                continue;
            }
            if self.followed.len() >= MOST_FILES {
                too_many = true;
                break;
            }
            let begins_so = |found: &&FoundFile| File::open(&path).and_then(|mut file| begins_so(found, &mut file, &meta)).unwrap_or(false);
            let earlier = found.filter(begins_so).map_or(0, |found| found.bytes);
            let prefix = prefix(&self.base, &path);
            self.followed.insert(path.clone(), Followed::new(&path, (format!("f:{name}"), prefix), earlier));
        }
        if too_many && !std::mem::replace(&mut self.said_too_many, true) {
            notices.push(format!(
                "[metrics] tensorboard names or passes too much: {MOST_FILES} event files are read, {MOST_NAMES} names looked at"
            ));
        }
    }

    /// Reads what is new. True when more is there.
    pub(crate) fn read(&mut self, each: &mut Each<'_>, notices: &mut Vec<String>) -> bool {
        let mut more = false;
        for (path, followed) in &mut self.followed {
            // A file that vanished or cannot be read now is looked at again next time.
            more |= followed.read(path, &mut self.told, each).unwrap_or(false);
        }
        notices.append(&mut self.told.notices);
        more
    }

    /// Nothing will be written any more: what there is to say of damage.
    pub(crate) fn damage(&mut self) -> Option<String> {
        let (mut count, mut first) = (0, None);
        for (path, followed) in &mut self.followed {
            let length = fs::metadata(path).map_or(0, |meta| meta.len());
            followed.reader.finish(length.saturating_sub(followed.reader.wants()));
            let report = followed.reader.report();
            count += report.notices.len() as u64 + report.more_notices;
            first = first.or_else(|| {
                report.notices.first().map(|notice| format!("{}{}: {}", name_of(&self.directory, path), notice.place, notice.what))
            });
        }
        let others = match count {
            0 | 1 => String::new(),
            count => format!(" (and {} more places of event files)", count - 1),
        };
        first.map(|first| first + &others)
    }
}

impl Followed {
    fn new(path: &Path, (src, prefix): (String, String), earlier: u64) -> Followed {
        let reader = EventReader::new(path, 0).behind_others();
        Followed { src, prefix, reader, names: Vec::new(), seen: (0, 0, UnixMs(0)), more: false, said_anew: false, earlier }
    }

    fn read(&mut self, path: &Path, told: &mut Told, each: &mut Each<'_>) -> io::Result<bool> {
        let meta = fs::symlink_metadata(path)?;
        let seen = (meta.ino(), meta.len(), modified(&meta));
        // Most looks find nothing new.
        if seen == self.seen && !self.more {
            return Ok(false);
        }
        if meta.len() < self.reader.wants() || !(self.seen.0 == 0 || self.seen.0 == meta.ino()) {
            if !self.said_anew {
                let (path, read) = (path.display(), self.reader.wants());
                told.notices.push(format!("{path} was written anew: up to byte {read} it counts as read"));
            }
            *self = Followed::new(path, (std::mem::take(&mut self.src), std::mem::take(&mut self.prefix)), 0);
            self.said_anew = true;
        }
        let Followed { src, prefix, reader, names, earlier, .. } = self;
        let folder = path.parent().unwrap_or(path);
        let mut taking = Taking { src, prefix, folder, names, earlier: *earlier, end: 0, found: Found::default(), told, each };
        let more = reader.read(&mut taking, AT_ONCE).map_err(io::Error::other)?;
        (self.seen, self.more) = (seen, more);
        if let Some(params) = reader.new_params().filter(|_| reader.position() > *earlier) {
            let mut found = Found::default();
            found.config.extend(params.iter().take(MOST_PARAMS).map(|(name, value)| (name.to_string(), value.to_string())));
            // Behind every row: who goes on after us tells them again, which changes nothing.
            each(src, u64::MAX, Written::default(), &mut found);
        }
        Ok(more)
    }
}

/// Takes what one file says.
struct Taking<'t> {
    src: &'t str,
    prefix: &'t str,
    folder: &'t Path,
    names: &'t mut Vec<String>,
    earlier: u64,
    end: u64,
    found: Found,
    told: &'t mut Told,
    each: &'t mut Each<'t>,
}

impl Taking<'_> {
    fn tell(&mut self, when: Option<UnixMs>, again: bool) {
        (self.each)(self.src, self.end, Written { when, again }, &mut self.found);
        self.found.clear();
    }
}

impl Sink for Taking<'_> {
    fn begin(&mut self, _: &Run) -> Result<Wanted, Refusal> {
        Ok(Wanted::All)
    }

    fn record(&mut self, end: u64) {
        self.end = end;
    }

    fn metric(&mut self, _: Metric, name: &str) -> Result<(), Refusal> {
        self.names.push(name.to_string());
        Ok(())
    }

    fn row(&mut self, row: Row<'_>) -> Result<(), Refusal> {
        if self.end <= self.earlier {
            return Ok(());
        }
        let mut again = false;
        if let Some(step) = row.step {
            match self.told.steps.get_mut(self.folder) {
                Some((last, begins)) => {
                    again = std::mem::take(begins);
                    *last = if again { step } else { step.max(*last) };
                }
                None => drop(self.told.steps.insert(self.folder.to_path_buf(), (step, false))),
            }
        }
        self.found.step = row.step;
        self.found.time = row.at.map(UnixMs::seconds);
        let named = |(metric, value): &(Metric, f64)| Some((format!("{}{}", self.prefix, self.names.get(metric.index())?), *value));
        self.found.values.extend(row.values.iter().filter_map(named));
        self.tell(row.at, again);
        Ok(())
    }

    fn restarted(&mut self, step: i64) -> Result<(), Refusal> {
        // Behind an earlier attempt alone, where nothing was told in this one, there is nothing to go back behind.
        if self.end > self.earlier
            && let Some((last, begins)) = self.told.steps.get_mut(self.folder)
            && *last >= step
            && !*begins
        {
            self.told.again += 1;
            *begins = self.told.again <= MOST_AGAIN;
            if self.told.again == MOST_AGAIN + 1 {
                let what =
                    format!("the training began again more than {MOST_AGAIN} times: later points stand beside those that they replace");
                self.told.notices.push(what);
            }
        }
        Ok(())
    }

    fn text(&mut self, text: Text<'_>) -> Result<(), Refusal> {
        if self.end <= self.earlier {
            return Ok(());
        }
        let name = format!("{}{}", self.prefix, text.name);
        if !self.told.texts.contains(&name) {
            if self.told.texts.len() > MOST_TEXTS {
                return Ok(());
            }
            if self.told.texts.len() == MOST_TEXTS {
                self.told.notices.push(format!("event files hold texts of more than {MOST_TEXTS} names: the others were not kept"));
            }
            self.told.texts.insert(name.clone());
        }
        self.found.tags.push((name, text.text.to_string()));
        self.tell(text.at, false);
        Ok(())
    }

    fn output(&mut self, _: Output<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn artifact(&mut self, _: Artifact<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn end(&mut self, _: &Run) -> Result<(), Refusal> {
        Ok(())
    }
}

/// The folder below which folders give names to metrics: that in which all patterns begin.
fn base(directory: &Path, patterns: &[String]) -> PathBuf {
    let literal = |pattern: &String| {
        let parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
        let start = if pattern.starts_with('/') { PathBuf::from("/") } else { directory.to_path_buf() };
        start.join(parts.take_while(|part| !part.contains(['*', '?', '[', '{'])).collect::<PathBuf>())
    };
    let common = |a: PathBuf, b: PathBuf| a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    patterns.iter().map(literal).reduce(common).unwrap_or_default()
}

/// What the folders between say of the metrics of a file, as `train/`. Those that only say when a process began say nothing: the next
/// attempt has another one for the same curves.
fn prefix(base: &Path, file: &Path) -> String {
    let folder = file.parent().unwrap_or(file);
    let below = folder.strip_prefix(base).unwrap_or(Path::new(""));
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy().replace(char::is_control, "\u{fffd}"));
    parts.filter(|part| !says_when(part)).map(|part| part + "/").collect()
}

/// `20231114-221320`, `1700003001.25`, `22-13-20`, PyTorch's `Nov14_22-13-20_host`, Lightning's `version_0`.
fn says_when(folder: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if folder.strip_prefix("version_").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
        return true;
    }
    let bare = folder.get(..3).filter(|month| MONTHS.contains(month)).and_then(|_| folder.get(3..)).unwrap_or(folder);
    let behind = bare.trim_start_matches(|c: char| c.is_ascii_digit() || "-_.:T".contains(c));
    let digits = bare.bytes().take(bare.len() - behind.len()).filter(u8::is_ascii_digit).count();
    digits >= if behind.is_empty() { 6 } else { 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_only_say_when_give_no_name() {
        let names = |patterns: &[&str], file: &str| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            prefix(&base(Path::new("/w"), &patterns), &Path::new("/w").join(file))
        };
        assert_eq!(names(&["runs/"], "runs/e.tfevents"), "");
        assert_eq!(names(&["runs/"], "runs/Nov14_22-13-20_gpu1/e.tfevents"), "");
        assert_eq!(names(&["runs/"], "runs/Nov14_22-13-20_gpu1/loss_train/e.tfevents"), "loss_train/");
        assert_eq!(names(&["lightning_logs"], "lightning_logs/version_12/1700003001.25/e.tfevents"), "");
        assert_eq!(names(&["logs/"], "logs/fit/20231114-221320/validation/e.tfevents"), "fit/validation/");
        assert_eq!(names(&["runs/train", "runs/val"], "runs/val/e.tfevents"), "val/");
        assert_eq!(names(&["out/*/runs"], "out/2023-11-14/22-13-20/a\n/e.tfevents"), "a\u{fffd}/");
        assert_eq!(names(&["runs/e.tfevents"], "runs/e.tfevents"), "");
        assert_eq!(names(&["/tmp/x"], "../tmp/x/10k/e.tfevents"), "");
        assert_eq!(names(&["runs"], "runs/64_units_3/e.tfevents"), "64_units_3/");
    }
}
