//! What a machine says of itself before anything of ours is there: asked by a script that any `/bin/sh` carries out.

use crate::shell::{self, Said};
use crate::trouble::Trouble;
use neronet_model::UnixMs;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One fact a line: its name, a blank, the rest. What is not there is left out. Commands that may hang on a dead file system get a
/// few seconds.
const SCRIPT: &str = r#"
LC_ALL=C; export LC_ALL; unset CDPATH
few() { if command -v timeout >/dev/null 2>&1; then timeout 5 "$@"; else "$@"; fi </dev/null 2>/dev/null; }
# The home of neronet that a folder lies in.
home_of() {
  h=$(cd "$1" 2>/dev/null && pwd -P)
  while [ -n "$h" ]; do
    if [ -f "$h/home.json" ] && [ -d "$h/journal" ]; then printf '%s' "$h"; return 0; fi
    h=${h%/*}
  done
}
say() { printf '%s %s\n' "$1" "$(printf '%s' "$2" | tr '\n\r' '  ')"; }
say clock "$(date +%s.%N)"
say os "$(uname -s)"
say arch "$(uname -m)"
say kernel "$(uname -r)"
say host "$(uname -n)"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
if [ -r /etc/os-release ]; then say system "$(. /etc/os-release; printf '%s' "$PRETTY_NAME")"; fi
say user "$(id -un)"
say home "$HOME"
say shell "$SHELL"
say cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
say memory "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo 2>/dev/null)"
for p in python3 python; do
  if command -v "$p" >/dev/null 2>&1; then say python "$(command -v "$p") $("$p" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null </dev/null)"; break; fi
done
environments() {
  cat "$HOME/.conda/environments.txt" 2>/dev/null
  for e in "$HOME"/venv "$HOME"/.venv "$HOME"/venvs/* "$HOME"/.venvs/* "$HOME"/envs/* "$HOME"/.virtualenvs/* "$HOME"/.pyenv/versions/*; do
    printf '%s\n' "$e"
  done
}
environments | sort -u | while IFS= read -r e; do if [ -x "$e/bin/python" ]; then say environment "$e"; fi; done | head -n 40
if command -v nvidia-smi >/dev/null 2>&1; then
  few nvidia-smi --query-gpu=name,memory.total,memory.used --format=csv,noheader,nounits | while IFS= read -r line; do say gpu "$line"; done
fi
for tool in sbatch qsub; do command -v "$tool" >/dev/null 2>&1 && say scheduler "$tool"; done
kills=$(few busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses)
if [ -z "$kills" ]; then
  files="/usr/lib/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf /run/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf.d/*.conf"
  kills=$(cat $files 2>/dev/null | sed -n 's/^ *KillUserProcesses *= *//p' | tail -n 1)
fi
case $kills in 'b true' | [Yy]es | [Tt]rue | 1 | [Oo]n)
  say kills yes
  [ -e "/var/lib/systemd/linger/$(id -un)" ] && say lingers yes
esac
# Before the share in use stand all, used and free: what is mounted and where may have blanks in their names.
room() { awk -v all="$1" 'NR > 1 { for (i = 5; i <= NF; i++) if ($i ~ /^([0-9]+%|-)$/) { print (all > 0 ? $(i - all) " " : "") $(i - 1); exit } }'; }
device() { awk 'NR > 1 { for (i = 5; i <= NF; i++) if ($i ~ /^([0-9]+%|-)$/) { for (j = 1; j < i - 3; j++) printf "%s%s", (j > 1 ? " " : ""), $j; exit } }'; }
place() {
  [ -n "$1" ] && [ -d "$1" ] && [ -w "$1" ] && [ -z "$(home_of "$1")" ] || return 0
  df=$(few df -Pk "$1")
  kb=$(printf '%s\n' "$df" | room 3)
  device=$(printf '%s\n' "$df" | device)
  files=$(few df -Pi "$1" | room -1)
  kind=$(few stat -f -c %T "$1")
  say folder "${kb:-0 0} ${files:--} ${kind:-unknown} $1"
  say device "$device"
  say mark "$(few stat -c '%i %.9Z' "$1")"
  if [ -n "$(home_of "$1/neronet")" ]; then say taken yes; fi
  if [ "$kind" = lustre ]; then say quota "$device $(few lfs quota -q -u "$(id -un)" "$1" | tr '\n' ' ' | sed 's/^ *[^ ]* *//')"; fi
}
if [ -n "$folder" ]; then
  d=$folder
  while [ -n "$d" ] && [ ! -d "$d" ]; do d=${d%/*}; done
  place "${d:-/}"
fi
place "$WRKDIR"; place "$SCRATCH"; place "$WORK"
for top in /scratch /data /work /l /local; do place "$top/$(id -un)"; done
place "$HOME"
few quota -w 2>/dev/null | sed -n '3,$p' | while IFS= read -r line; do say quota "$line"; done
"#;

/// What is known of a machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub os: String,
    pub arch: String,
    pub kernel: String,
    pub host: String,
    /// As it calls itself: `Debian GNU/Linux 12 (bookworm)`.
    pub system: String,
    /// Of glibc: none where it has another C library.
    pub libc: Option<(u32, u32)>,
    pub user: String,
    pub home: String,
    pub shell: String,
    pub cores: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Path and version.
    pub python: Option<String>,
    /// Folders of virtual environments and those of conda.
    pub environments: Vec<String>,
    /// Name, MB of memory, MB in use, as the driver writes them.
    pub gpus: Vec<String>,
    /// Commands of schedulers.
    pub schedulers: Vec<String>,
    /// What a user leaves behind is killed when the last session ends.
    pub kills_what_is_left: bool,
    pub folders: Vec<Folder>,
    pub quota: Vec<String>,
    /// Its clock minus ours, where it can tell.
    pub clock_ms: Option<i64>,
    /// From question to answer: the connection is made in that time too.
    pub answered: Duration,
}

/// A folder that the user may write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub path: String,
    /// Bytes of its file system.
    pub all: u64,
    pub free: u64,
    /// Files that can still be made, where that is counted.
    pub files: Option<u64>,
    /// `ext2/ext3`, `nfs`, `lustre`.
    pub kind: String,
    /// What is mounted there: `server:/export`.
    pub device: String,
    /// Of the folder itself: another machine that says the same of one has the same folder. As `mark` gives it here.
    pub mark: Option<String>,
    /// A quota leaves less room or fewer files than there are: they are counted in.
    pub by_quota: bool,
    /// `neronet` in it is a home.
    pub has_home: bool,
}

/// The number of a folder and the moment at which it last changed: no file system of another machine has both by chance, and nothing has
/// to be written for it. Where an old state of it is in some machine's memory, that it is shared goes unnoticed for a minute.
pub fn mark(folder: &Path) -> Option<String> {
    let meta = folder.metadata().ok()?;
    Some(format!("{} {}.{:09}", meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a machine. `shell` is one that reads from its input; `folder` is looked at beside those that it proposes; `now` is our clock.
///
/// # Errors
/// It was not reached, or did not answer.
pub fn probe(shell: Command, folder: Option<&str>, now: impl Fn() -> UnixMs) -> Result<Found, Trouble> {
    let begun = std::time::Instant::now();
    let script = format!("folder={}\n{SCRIPT}", shell::quoted(folder.unwrap_or_default()));
    let said = shell::run(shell, &script, PATIENCE)?;
    let since = said.at.elapsed();
    let first = UnixMs(now().0 - since.as_millis() as i64);
    let found = read(&said, first);
    let found = Found { answered: said.at.duration_since(begun), ..found };
    if found.os.is_empty() {
        return Err(Trouble::Garbled("its /bin/sh carried out nothing".into()));
    }
    Ok(found)
}

/// Of a number that others write.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

fn read(said: &Said, first: UnixMs) -> Found {
    let mut found = Found::default();
    for (name, rest) in said.text.lines().filter_map(|line| line.split_once(' ')) {
        let rest: String = rest.chars().filter(|c| !c.is_control()).take(4_096).collect();
        let text = rest.trim().to_string();
        if text.is_empty() {
            continue;
        }
        match name {
            "clock" => {
                // Where the system writes no parts of a second, half of one is as likely as any other.
                let seconds = text.split_once('.').filter(|(_, part)| part.chars().all(|c| c.is_ascii_digit()));
                let at = match seconds {
                    Some(_) => number::<f64>(&text).map(|at| (at * 1000.0) as i64),
                    None => number::<i64>(text.trim_end_matches(|c: char| !c.is_ascii_digit())).map(|at| at.saturating_mul(1000) + 500),
                };
                found.clock_ms = at.map(|at| at.saturating_sub(first.0));
            }
            "os" => found.os = text,
            "arch" => found.arch = text,
            "kernel" => found.kernel = text,
            "host" => found.host = text,
            "system" => found.system = text,
            "libc" => {
                let version = text.strip_prefix("glibc ").and_then(|version| version.split_once('.'));
                found.libc = version.and_then(|(major, minor)| Some((number(major)?, number(minor.split('.').next()?)?)));
            }
            "user" => found.user = text,
            "home" => found.home = text,
            "shell" => found.shell = text,
            "cores" => found.cores = number(&text),
            "memory" => found.memory = number::<u64>(&text).map(|kb| kb.saturating_mul(1024)),
            "python" => found.python = Some(text),
            "gpu" => found.gpus.push(text),
            "scheduler" => found.schedulers.push(text),
            "kills" => found.kills_what_is_left = true,
            "lingers" => found.kills_what_is_left = false,
            "environment" => found.environments.push(text),
            "folder" => found.folders.extend(folder(&text)),
            "device" | "mark" | "taken" => {
                if let Some(folder) = found.folders.last_mut() {
                    match name {
                        "device" => folder.device = text,
                        "mark" => folder.mark = Some(text),
                        _ => folder.has_home = true,
                    }
                }
            }
            "quota" => found.quota.push(text),
            _ => {}
        }
    }
    let mut known = BTreeSet::new();
    found.folders.retain(|folder| known.insert(folder.path.clone()));
    for folder in &mut found.folders {
        found.quota.iter().for_each(|line| folder.limit(line));
    }
    found
}

impl Folder {
    /// By a line of `quota -w`: `DEVICE used soft hard [grace] files soft hard [grace]`, kilobytes first. What is over its limit has a star.
    fn limit(&mut self, line: &str) {
        let Some(rest) = line.trim().strip_prefix(self.device.as_str()).filter(|rest| !self.device.is_empty() && rest.starts_with(' '))
        else {
            return;
        };
        let mut numbers = rest.split_whitespace().map(|word| number::<u64>(word.trim_end_matches('*'))).peekable();
        let mut left = || -> Option<u64> {
            let (used, soft, hard) = (numbers.next()??, numbers.next()??, numbers.next()??);
            // How long one may still be over it.
            numbers.next_if(Option::is_none);
            // Zero is no limit.
            [hard, soft].into_iter().find(|limit| *limit > 0).map(|limit| limit.saturating_sub(used))
        };
        if let Some(free) = left().map(|kb| kb.saturating_mul(1024)).filter(|free| *free < self.free) {
            (self.free, self.by_quota) = (free, true);
        }
        if let Some(files) = left().filter(|files| self.files.is_none_or(|known| *files < known)) {
            (self.files, self.by_quota) = (Some(files), true);
        }
    }
}

/// `ALL FREE FILES KIND PATH`, in kB.
fn folder(text: &str) -> Option<Folder> {
    let mut parts = text.splitn(5, ' ');
    let mut kb = || number::<u64>(parts.next()?).map(|kb| kb.saturating_mul(1024));
    let (all, free) = (kb()?, kb()?);
    let (files, kind, path) = (number(parts.next()?), parts.next()?.to_string(), parts.next()?.to_string());
    let folder = Folder { path, all, free, files, kind, device: String::new(), mark: None, by_quota: false, has_home: false };
    folder.path.starts_with('/').then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn said(text: &str) -> Said {
        Said { text: text.into(), first: Duration::ZERO, at: Instant::now() }
    }

    #[test]
    fn this_machine_says_what_it_is() {
        let now = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            UnixMs(since.as_millis() as i64)
        };
        let mut shell = Command::new("/bin/sh");
        shell.env("SCRATCH", "/tmp").env("WRKDIR", "/nowhere at all");
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(home.path().join("neronet/journal")).expect("made");
        std::fs::write(home.path().join("neronet/home.json"), "{}").expect("written");
        std::fs::create_dir_all(home.path().join("neronet/runs")).expect("made");
        std::fs::create_dir_all(home.path().join(".venv/bin")).expect("made");
        std::os::unix::fs::symlink("/bin/sh", home.path().join(".venv/bin/python")).expect("linked");
        shell.env("HOME", home.path()).env("WORK", home.path().join("neronet/runs"));
        let wanted = home.path().join("it's \"wanted\"/not/there $(yet)");
        std::fs::create_dir(home.path().join("it's \"wanted\"")).expect("made");
        let found = probe(shell, wanted.to_str(), now).expect("an answer");
        assert_eq!((found.os.as_str(), found.arch.as_str()), ("Linux", std::env::consts::ARCH));
        assert!(found.cores.is_some_and(|cores| cores > 0) && found.memory.is_some_and(|memory| memory > 1 << 20), "{found:?}");
        assert!(found.clock_ms.is_some_and(|offset| offset.abs() < 10_000), "{found:?}");
        let tmp = found.folders.iter().find(|folder| folder.path == "/tmp").expect("/tmp");
        let there = nix::sys::statvfs::statvfs("/tmp").expect("a file system");
        let all = there.blocks() * there.fragment_size();
        // Others write to it at the same moment.
        assert!(tmp.all.abs_diff(all) <= all / 10 && tmp.free <= tmp.all, "{tmp:?}: {all}");
        let free = there.blocks_available() * there.fragment_size();
        assert!(tmp.free.abs_diff(free) <= all / 10, "{tmp:?}: {free}");
        let files = there.files_available();
        assert!(tmp.files.is_none_or(|left| left.abs_diff(files) <= there.files() / 10), "{tmp:?}: {files}");
        assert!(found.folders.iter().all(|folder| folder.path != "/nowhere at all" && !folder.path.ends_with("runs")), "{found:?}");
        let of = |path: &Path| found.folders.iter().find(|folder| Path::new(&folder.path) == path).expect("a folder");
        let own = of(home.path());
        assert_eq!((own.has_home, &own.mark), (true, &mark(home.path())), "{own:?}");
        assert!(own.mark.is_some() && !own.device.is_empty(), "{own:?}");
        assert!(!of(wanted.ancestors().nth(2).expect("a folder")).has_home);
        assert_eq!(found.environments, [home.path().join(".venv").display().to_string()]);
    }

    #[test]
    fn facts_are_read_whatever_else_is_said() {
        let text = "clock 1795000000.250\nos Linux\nlibc glibc 2.17\nfolder 100 50 - nfs /a b\nfolder x\nfolder 1 2 3 k relative\n\
                    kills yes\nlingers yes\nmotd hello\nhost gpu\u{1b}[31m1\n\ngpu\ngpu A100, 40960, 3\n";
        let found = read(&said(text), UnixMs(1_795_000_000_000));
        assert_eq!((found.clock_ms, found.libc, found.kills_what_is_left), (Some(250), Some((2, 17)), false));
        let folder = super::folder("100 50 - nfs /a b").expect("a folder");
        assert_eq!(
            (folder.path.as_str(), folder.all, folder.free, folder.files, folder.kind.as_str()),
            ("/a b", 102_400, 51_200, None, "nfs")
        );
        assert_eq!((found.folders, found.host.as_str(), found.gpus.len()), (vec![folder], "gpu[31m1", 1));
        assert_eq!(read(&said("clock 1795000000.N\n"), UnixMs(1_795_000_000_000)).clock_ms, Some(500));
        let text = "folder 9000 8000 500 nfs /home/me\ndevice srv:/home\nmark 12 3.4\nfolder 9000 8000 500 nfs /home/me\ndevice other\n\
                    folder 9000 8000 - xfs /data\ndevice /dev/sdb1\ntaken yes\n\
                    quota srv:/home 700* 600 1000 6days 90 0 100\nquota /dev/sdb1 1 0 0 1 0 0\nquota srv:/home2 1 1 1 1 1 1\n";
        let found = read(&said(text), UnixMs(0)).folders;
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].free, found[0].files, found[0].by_quota), (300 * 1024, Some(10), true));
        assert_eq!((found[0].mark.as_deref(), found[0].has_home), (Some("12 3.4"), false));
        assert_eq!((found[1].free, found[1].files, found[1].by_quota, found[1].has_home), (8000 * 1024, None, false, true));
        let kills = |text: &str| read(&said(text), UnixMs(0)).kills_what_is_left;
        assert_eq!((kills("kills yes\n"), kills("kills yes\nlingers yes\n"), kills("os Linux\n")), (true, false, false));
        assert_eq!(read(&said("clock -\ncores many\nlibc musl\n"), UnixMs(0)), Found::default());
    }
}
