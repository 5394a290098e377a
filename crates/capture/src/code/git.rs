//! What git knows of a work tree. Commit and branch are read from git's own files; the list of files and the differences come from
//! the `git` program, which is run so that nothing the repository configures is executed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A repository's place: where its files lie, and where git keeps its own.
#[derive(Debug, Clone)]
pub(super) struct Repo {
    pub(super) top: PathBuf,
    git_dir: PathBuf,
    /// Shared between the work trees of one repository: refs and objects.
    common_dir: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Head {
    pub(super) commit: String,
    pub(super) branch: String,
}

/// What `git ls-files` says, in its order.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Listed>,
    /// Path and commit of each submodule in the index.
    pub(super) submodules: Vec<(String, String)>,
    /// Repositories inside this one that it does not know as submodules.
    pub(super) embedded: Vec<String>,
    pub(super) not_utf8: Vec<String>,
    /// What git could not read.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) tracked: bool,
}

impl Repo {
    /// The work tree that `folder` is in.
    pub(super) fn around(folder: &Path) -> Option<Repo> {
        folder.ancestors().find_map(Repo::at)
    }

    /// The work tree whose top is `top`.
    pub(super) fn at(top: &Path) -> Option<Repo> {
        let dot_git = top.join(".git");
        let kind = std::fs::metadata(&dot_git).ok()?;
        let git_dir = if kind.is_dir() {
            dot_git
        } else {
            // A submodule or a second work tree: the file names the folder.
            let text = std::fs::read_to_string(&dot_git).ok()?;
            top.join(text.strip_prefix("gitdir:")?.trim())
        };
        if std::fs::symlink_metadata(git_dir.join("HEAD")).is_err() {
            return None;
        }
        let common_dir = match std::fs::read_to_string(git_dir.join("commondir")) {
            Ok(text) => git_dir.join(text.trim()),
            Err(_) => git_dir.clone(),
        };
        Some(Repo { top: top.to_path_buf(), git_dir, common_dir })
    }

    pub(super) fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }

    /// Commit and branch as HEAD names them; both may be empty.
    pub(super) fn head(&self) -> Head {
        let text = std::fs::read_to_string(self.git_dir.join("HEAD")).unwrap_or_default();
        match text.trim().strip_prefix("ref:").map(str::trim) {
            None => Head { commit: object_name(&text).unwrap_or_default(), branch: String::new() },
            // Where refs are kept in tables, HEAD's file says only this.
            Some("refs/heads/.invalid") => Head {
                commit: self.ask(&["rev-parse", "--verify", "-q", "HEAD"]),
                branch: self.ask(&["symbolic-ref", "--short", "-q", "HEAD"]),
            },
            Some(name) => Head {
                commit: self.resolve(name, 5).unwrap_or_default(),
                branch: name.strip_prefix("refs/heads/").unwrap_or(name).to_string(),
            },
        }
    }

    fn resolve(&self, name: &str, depth: u32) -> Option<String> {
        for folder in [&self.git_dir, &self.common_dir] {
            if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                return match text.trim().strip_prefix("ref:") {
                    Some(next) if depth > 0 => self.resolve(next.trim(), depth - 1),
                    Some(_) => None,
                    None => object_name(&text),
                };
            }
        }
        let packed = std::fs::read_to_string(self.common_dir.join("packed-refs")).ok()?;
        packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').and_then(object_name))
    }

    fn ask(&self, words: &[&str]) -> String {
        match self.git(words).output() {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_string(),
            _ => String::new(),
        }
    }

    /// A `git` command in this work tree that runs nothing of the repository's choosing and reaches no network.
    fn git(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            // These would send git elsewhere; where the user keeps their own configuration may stay.
            let text = name.to_string_lossy();
            let kept = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"];
            if text.starts_with("GIT_") && !kept.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_CEILING_DIRECTORIES", self.top.parent().map_or(OsStr::new("/"), Path::as_os_str))
            .env("LC_ALL", "C");
        // Not `current_dir`: with it a process takes longer to start.
        command.arg("-C").arg(&self.top).arg("--no-pager").arg("--literal-pathspecs");
        for setting in ["core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false", "diff.external="] {
            command.args(["-c", setting]);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts listing the files; `None` without a git program.
    pub(super) fn start_listing(&self) -> Option<Child> {
        let words = ["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"];
        self.git(&words).spawn().ok()
    }

    /// `git diff HEAD` with paths under `prefix`. `None` where git refuses.
    pub(super) fn diff(&self, prefix: &str) -> Option<Vec<u8>> {
        let (from, to) = (format!("--src-prefix=a/{prefix}"), format!("--dst-prefix=b/{prefix}"));
        // A file that is too large to be copied is too large for a line-by-line difference.
        let mut words = vec!["-c", "core.bigFileThreshold=10m"];
        words.extend(["diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color"]);
        words.extend(["--no-renames", "--no-relative", "--submodule=short", "--ignore-submodules=dirty", "--patch", "--unified=3"]);
        words.extend([from.as_str(), to.as_str(), "--"]);
        let output = self.unfiltered(&words).output().ok()?;
        output.status.success().then_some(output.stdout)
    }

    /// A `git` command that looks into files, without the filter programs that the repository itself configures.
    fn unfiltered(&self, words: &[&str]) -> Command {
        let mut command = self.git(words);
        let switches = self.filters_off();
        // Not by `-c`, where a name may hold no `=`.
        command.env("GIT_CONFIG_COUNT", switches.len().to_string());
        for (i, (name, value)) in switches.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{i}"), name).env(format!("GIT_CONFIG_VALUE_{i}"), value);
        }
        command
    }

    /// The whole name of a commit. `Err` holds what git said.
    pub(super) fn commit(&self, name: &str) -> Result<String, String> {
        let said = answer(self.git(&["rev-parse", "--verify", &format!("{name}^{{commit}}")]))?;
        object_name(&String::from_utf8_lossy(&said)).ok_or_else(|| "it gave no name".to_string())
    }

    /// What a commit holds: files with their sizes, and submodules.
    pub(super) fn tree(&self, commit: &str) -> Result<Held, String> {
        Ok(parse_tree(&answer(self.git(&["ls-tree", "-r", "-l", "-z", "--full-tree", commit]))?))
    }

    /// Writes a commit's files below `folder`, through an index of its own: work tree and index stay as they are.
    pub(super) fn check_out(&self, commit: &str, index: &Path, folder: &Path) -> Result<(), String> {
        let mut prefix = std::ffi::OsString::from("--prefix=");
        prefix.push(folder);
        prefix.push("/");
        let words = ["-c", "core.sparseCheckout=false"];
        let read = [&words[..], &["read-tree", commit]].concat();
        answer({
            let mut command = self.git(&read);
            command.env("GIT_INDEX_FILE", index);
            command
        })?;
        let mut command = self.unfiltered(&[&words[..], &["checkout-index", "--all", "--force", "--quiet"]].concat());
        command.arg(prefix).env("GIT_INDEX_FILE", index);
        answer(command).map(drop)
    }

    /// Settings that switch off the filter programs that the repository itself configures. The user's own configuration is theirs.
    fn filters_off(&self) -> Vec<(String, &'static str)> {
        let configured = [self.common_dir.join("config"), self.git_dir.join("config.worktree")].iter().any(|file| {
            let text = std::fs::read(file).unwrap_or_default().to_ascii_lowercase();
            let text = String::from_utf8_lossy(&text);
            text.contains("filter") || text.contains("include")
        });
        if !configured {
            return Vec::new();
        }
        let names = self.ask(&["config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|smudge|required)$"]);
        let names = names.split('\0').filter(|name| !name.is_empty());
        names.map(|name| (name.to_string(), if name.ends_with(".required") { "false" } else { "" })).collect()
    }
}

/// What a commit holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Held {
    pub(super) files: Vec<(String, u64)>,
    /// Path and commit.
    pub(super) submodules: Vec<(String, String)>,
    pub(super) not_utf8: Vec<String>,
}

/// What a command printed. `Err` holds the first line of what it complained of.
fn answer(mut command: Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("the git program cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(|line| line.trim_start_matches("error: ").trim_start_matches("fatal: ").trim());
    Err(said.clone().find(|line| line.contains("ambiguous")).or_else(|| said.clone().next()).unwrap_or("it gave no reason").to_string())
}

/// Records are `MODE TYPE OBJECT SIZE\tPATH`, with blanks before the size.
fn parse_tree(bytes: &[u8]) -> Held {
    let mut held = Held::default();
    for record in bytes.split(|b| *b == 0) {
        let Some(tab) = record.iter().position(|b| *b == b'\t') else { continue };
        let fields = String::from_utf8_lossy(&record[..tab]);
        let mut fields = fields.split_ascii_whitespace().skip(1);
        let (kind, object, size) = (fields.next(), fields.next(), fields.next());
        match (std::str::from_utf8(&record[tab + 1..]), kind) {
            (Err(_), _) => held.not_utf8.push(String::from_utf8_lossy(&record[tab + 1..]).into_owned()),
            (Ok(path), Some("commit")) => held.submodules.push((path.to_string(), object.unwrap_or_default().to_string())),
            (Ok(path), _) => held.files.push((path.to_string(), size.and_then(|size| size.parse().ok()).unwrap_or(0))),
        }
    }
    held
}

/// Reads a listing to its end. `Err` holds what git said.
pub(super) fn finish_listing(child: Child) -> Result<Listing, String> {
    /// One unreadable folder explains as much as a thousand.
    const WARNINGS: usize = 3;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(said.lines().next().unwrap_or("it gave no reason").trim().to_string());
    }
    let mut listing = parse_listing(&output.stdout);
    listing.warnings = said.lines().take(WARNINGS).map(|line| format!("git: {}", line.trim())).collect();
    Ok(listing)
}

/// Records are `H MODE BLOB STAGE\tPATH` for what is in the index (other letters mark its state) and `? PATH` for what is not.
fn parse_listing(bytes: &[u8]) -> Listing {
    let mut listing = Listing::default();
    for record in bytes.split(|b| *b == 0).filter(|record| record.len() > 2) {
        let (path, index) = match record {
            [b'?', b' ', path @ ..] => (path, None),
            _ => {
                let Some(tab) = record.iter().position(|b| *b == b'\t') else {
                    continue;
                };
                (&record[tab + 1..], Some(&record[2..tab]))
            }
        };
        let Ok(path) = std::str::from_utf8(path) else {
            listing.not_utf8.push(String::from_utf8_lossy(path).into_owned());
            continue;
        };
        match index.map(|fields| String::from_utf8_lossy(fields)) {
            Some(fields) if fields.starts_with("160000 ") => {
                let commit = fields.split(' ').nth(1).unwrap_or_default().to_string();
                // An unmerged submodule is there once a side.
                if listing.submodules.last().is_none_or(|(last, _)| last != path) {
                    listing.submodules.push((path.to_string(), commit));
                }
            }
            None if path.ends_with('/') => listing.embedded.push(path.trim_end_matches('/').to_string()),
            tracked => listing.files.push(Listed { path: path.to_string(), tracked: tracked.is_some() }),
        }
    }
    listing
}

/// A SHA-1 or SHA-256 in hexadecimal.
fn object_name(text: &str) -> Option<String> {
    let text = text.trim();
    (matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_whatever_the_names_are() {
        let sha = "0".repeat(40);
        let text = format!("? a\tb\0? nested/\0H 100644 {sha} 0\tsp ace\n\0M 160000 {sha} 1\tsub\0M 160000 {sha} 2\tsub\0H\0garbage\0");
        let mut bytes = text.into_bytes();
        bytes.extend(b"? \xff\0");
        let listing = parse_listing(&bytes);
        let files: Vec<(&str, bool)> = listing.files.iter().map(|file| (file.path.as_str(), file.tracked)).collect();
        assert_eq!(files, [("a\tb", false), ("sp ace\n", true)]);
        assert_eq!(listing.submodules, [("sub".to_string(), sha)]);
        assert_eq!(listing.embedded, ["nested"]);
        assert_eq!(listing.not_utf8.len(), 1);
    }
}
