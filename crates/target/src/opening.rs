//! How a channel begins: a script looks for the agent's binary on the machine, takes it where it is not there, and becomes it.

use crate::binary::Binary;
use crate::channel::{Over, Place, Word};
use crate::shell::quoted;
use crate::trouble::Trouble;
use crate::wire::Hello;
use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

const CHUNK: usize = 256 << 10;

pub(crate) fn script(place: &Place<'_>, mark: &str) -> String {
    let Binary { name, size, sum, .. } = place.binary;
    let (folder, name) = (quoted(place.folder), quoted(name));
    // In braces, so that all of it is read before any of it is carried out: what follows is the binary's, or the agent's.
    format!(
        r#"{{
LC_ALL=C; export LC_ALL; umask 077
d={folder}; while [ -n "$d" ] && [ ! -d "$d" ]; do d=${{d%/*}}; done
h=$(cd "${{d:-/}}" 2>/dev/null && pwd -P)
while [ -n "$h" ]; do
  if [ -f "$h/home.json" ] && [ -d "$h/journal" ]; then printf '\n%s home %s\n' {mark} "$h"; exit 0; fi
  h=${{h%/*}}
done
b={folder}/bin/{name}
if [ -x "$b" ]; then printf '\n%s run\n' {mark}; exec "$b" agent; exit 1; fi
printf '\n%s absent %s %s %s\n' {mark} "$(uname -s)" "$(uname -m)" "$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')"
IFS= read -r go && [ "$go" = copy ] || exit 0
t="$b.part.$$"
if mkdir -p {folder}/bin && head -c {size} >"$t" && [ "$(cksum <"$t")" = '{sum} {size}' ] && chmod 700 "$t" && mv -f "$t" "$b"; then
  printf '\n%s run\n' {mark}; exec "$b" agent; exit 1
fi
rm -f "$t"
# What was made for it goes, up to what was there.
p={folder}/bin
while [ "$p" != "$d" ] && rmdir "$p" 2>/dev/null; do p=${{p%/*}}; done
printf '\n%s failed\n' {mark}
}}
exit 1
"#
    )
}

/// Why there is no channel.
pub(crate) enum Stop {
    Trouble(Trouble),
    Silent,
    /// The binary could not be put there.
    NotBrought,
    /// With what was said without being asked.
    Ended(String),
}

pub(crate) struct Opening {
    pub(crate) input: ChildStdin,
    pub(crate) words: Receiver<Word>,
    pub(crate) until: Instant,
}

impl Opening {
    fn next(&self) -> Result<Word, Stop> {
        match self.words.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
            Ok(Word::End(over)) => Err(over.into()),
            Ok(word) => Ok(word),
            Err(RecvTimeoutError::Timeout) => Err(Stop::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Ended(String::new())),
        }
    }

    pub(crate) fn greeted(&mut self, script: &str, binary: &Binary, copied: &dyn Fn(u64)) -> Result<Hello, Stop> {
        self.input.write_all(script.as_bytes()).ok();
        loop {
            match self.next()? {
                Word::Hello(hello) => return Ok(*hello),
                Word::Line(line) if line == "run" => {}
                Word::Line(line) if line.starts_with("home ") => {
                    return Err(Stop::Trouble(Trouble::NoPlace(line.trim_start_matches("home ").to_string())));
                }
                Word::Line(line) => match line.strip_prefix("absent ") {
                    Some(machine) => {
                        fits(binary, machine).map_err(Stop::Trouble)?;
                        let unread = |e| Stop::Trouble(Trouble::Failed(format!("neronet's own binary cannot be read: {e}")));
                        let bytes = std::fs::read(&binary.path).map_err(unread)?;
                        self.input.write_all(b"copy\n").ok();
                        let mut sent = 0;
                        for chunk in bytes.chunks(CHUNK) {
                            if self.input.write_all(chunk).is_err() {
                                // What it said tells why.
                                break;
                            }
                            sent += chunk.len() as u64;
                            copied(sent);
                        }
                    }
                    None => return Err(Stop::NotBrought),
                },
                Word::End(over) => return Err(over.into()),
            }
        }
    }
}

impl From<Over> for Stop {
    fn from(over: Over) -> Stop {
        match over {
            Over::Closed(noise) => Stop::Ended(noise),
            Over::Broken(what) => Stop::Trouble(Trouble::Garbled(what)),
        }
    }
}

/// Whether the binary starts on a machine that says of itself `Linux x86_64 2.36`.
fn fits(binary: &Binary, machine: &str) -> Result<(), Trouble> {
    let mut words = machine.split_whitespace();
    let (os, arch, libc) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    if os != "Linux" || arch != std::env::consts::ARCH {
        let ours = std::env::consts::ARCH;
        return Err(Trouble::Failed(format!("it is {os} {arch}, and neronet's binary here is for Linux {ours}")));
    }
    let version = libc.and_then(|libc| libc.split_once('.')).and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let (major, minor) = binary.needs;
    match version {
        Some(version) if version >= binary.needs => Ok(()),
        Some((has, of)) => Err(Trouble::Failed(format!(
            "it has glibc {has}.{of}, and this binary asks for {major}.{minor}: use the released one, which asks for 2.17 (`make dist`)"
        ))),
        None => Err(Trouble::Failed(format!("it has no glibc, which this binary asks for ({major}.{minor})"))),
    }
}
