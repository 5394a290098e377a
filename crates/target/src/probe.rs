//! What a machine says of itself before anything of ours is there: asked by a script that any `/bin/sh` carries out.

use crate::shell::{self, Said};
use crate::trouble::Trouble;
use neronet_model::UnixMs;
use std::process::Command;
use std::time::Duration;

/// One fact a line: its name, a blank, the rest. What is not there is left out. Commands that may hang on a dead file system get a
/// few seconds.
const SCRIPT: &str = r#"
LC_ALL=C; export LC_ALL; unset CDPATH
few() { if command -v timeout >/dev/null 2>&1; then timeout 5 "$@"; else "$@"; fi </dev/null 2>/dev/null; }
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
if command -v nvidia-smi >/dev/null 2>&1; then
  few nvidia-smi --query-gpu=name,memory.total,memory.used --format=csv,noheader,nounits | while IFS= read -r line; do say gpu "$line"; done
fi
for tool in sbatch qsub; do command -v "$tool" >/dev/null 2>&1 && say scheduler "$tool"; done
if cat /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf 2>/dev/null | grep -qi '^ *KillUserProcesses *= *\(yes\|true\|1\|on\)'; then
  say kills yes
  [ -e "/var/lib/systemd/linger/$(id -un)" ] && say lingers yes
fi
# Before the share in use stand all, used and free: what is mounted and where may have blanks in their names.
room() { awk -v all="$1" 'NR > 1 { for (i = 5; i <= NF; i++) if ($i ~ /^([0-9]+%|-)$/) { print (all > 0 ? $(i - all) " " : "") $(i - 1); exit } }'; }
place() {
  [ -n "$1" ] && [ -d "$1" ] && [ -w "$1" ] || return 0
  kb=$(few df -Pk "$1" | room 3)
  files=$(few df -Pi "$1" | room -1)
  kind=$(few stat -f -c %T "$1")
  say folder "${kb:-0 0} ${files:--} ${kind:-unknown} $1"
}
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
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a machine. `shell` is one that reads from its input; `now` is our clock.
///
/// # Errors
/// It was not reached, or did not answer.
pub fn probe(shell: Command, now: impl Fn() -> UnixMs) -> Result<Found, Trouble> {
    let begun = std::time::Instant::now();
    let said = shell::run(shell, SCRIPT, PATIENCE)?;
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
            "folder" => found.folders.extend(folder(&text).filter(|new| found.folders.iter().all(|known| known.path != new.path))),
            "quota" => found.quota.push(text),
            _ => {}
        }
    }
    found
}

/// `ALL FREE FILES KIND PATH`, in kB.
fn folder(text: &str) -> Option<Folder> {
    let mut parts = text.splitn(5, ' ');
    let mut kb = || number::<u64>(parts.next()?).map(|kb| kb.saturating_mul(1024));
    let (all, free) = (kb()?, kb()?);
    let (files, kind, path) = (number(parts.next()?), parts.next()?.to_string(), parts.next()?.to_string());
    path.starts_with('/').then_some(Folder { path, all, free, files, kind })
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
        let found = probe(shell, now).expect("an answer");
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
        assert!(found.folders.iter().all(|folder| folder.path != "/nowhere at all"));
    }

    #[test]
    fn facts_are_read_whatever_else_is_said() {
        let text = "clock 1795000000.250\nos Linux\nlibc glibc 2.17\nfolder 100 50 - nfs /a b\nfolder x\nfolder 1 2 3 k relative\n\
                    kills yes\nlingers yes\nmotd hello\nhost gpu\u{1b}[31m1\n\ngpu\ngpu A100, 40960, 3\n";
        let found = read(&said(text), UnixMs(1_795_000_000_000));
        assert_eq!((found.clock_ms, found.libc, found.kills_what_is_left), (Some(250), Some((2, 17)), false));
        let folder = Folder { path: "/a b".into(), all: 102_400, free: 51_200, files: None, kind: "nfs".into() };
        assert_eq!((found.folders, found.host.as_str(), found.gpus.len()), (vec![folder], "gpu[31m1", 1));
        assert_eq!(read(&said("clock 1795000000.N\n"), UnixMs(1_795_000_000_000)).clock_ms, Some(500));
        assert_eq!(read(&said("clock -\ncores many\nlibc musl\n"), UnixMs(0)), Found::default());
    }
}
