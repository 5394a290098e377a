//! How a channel begins: a script looks for the agent's binary on the machine, takes it where it is not there, and becomes it.

use crate::binary::{Binary, FILES, OLDEST_LIBC};
use crate::channel::{Over, Place, Word};
use crate::shell::quoted;
use crate::trouble::Trouble;
use crate::wire::Hello;
use std::io::Write;
use std::path::Path;
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

const CHUNK: usize = 256 << 10;
/// A machine is called nothing longer.
const LONGEST_WORD: usize = 32;

pub(crate) fn script(place: &Place<'_>, mark: &str) -> String {
    let folder = quoted(place.folder);
    let each = |(at, binary): (usize, &Binary)| {
        let Binary { name, size, sum, arch, needs: (major, minor), .. } = binary;
        format!("may {at} {} {major} {minor} {} '{sum} {size}' {size}\n", quoted(arch), quoted(name))
    };
    let each: String = place.binaries.iter().enumerate().map(each).collect();
    // In braces, so that all of it is read before any of it is carried out: what follows is the binary's, or the agent's. Nothing of ours
    // stands behind them: bash reads no further than it carries out.
    format!(
        r#"{{
LC_ALL=C; export LC_ALL; umask 077
d={folder}/bin; while [ -n "$d" ] && [ ! -d "$d" ]; do d=${{d%/*}}; done
h=$(cd "${{d:-/}}" 2>/dev/null && pwd -P)
while [ -n "$h" ]; do
  if [ -f "$h/home.json" ] && [ -d "$h/journal" ]; then printf '\n%s home %s\n' {mark} "$h"; exit 0; fi
  h=${{h%/*}}
done
m=$(uname -sm); l=$(getconf GNU_LIBC_VERSION 2>/dev/null); l=${{l##* }}
major=${{l%%.*}}; minor=${{l#*.}}; minor=${{minor%%.*}}
case $major:$minor in :* | *: | *[!0-9:]*) major=0; minor=0 ;; esac
n=
may() {{
  [ -z "$n" ] && [ "$m" = "Linux $2" ] || return
  [ "$major" -gt "$3" ] || {{ [ "$major" -eq "$3" ] && [ "$minor" -ge "$4" ]; }} || return
  n=$1; b={folder}/bin/$5; sum=$6; size=$7
}}
{each}if [ -z "$n" ]; then printf '\n%s none %s %s\n' {mark} "$m" "$l"; exit 0; fi
if [ -x "$b" ]; then printf '\n%s run %s\n' {mark} "$n"; exec "$b" agent; exit 1; fi
printf '\n%s absent %s\n' {mark} "$n"
IFS= read -r go && [ "$go" = copy ] || exit 0
t="$b.part.$$"
if mkdir -p {folder}/bin && head -c "$size" >"$t" && [ "$(cksum <"$t")" = "$sum" ] && chmod 700 "$t" && mv -f "$t" "$b"; then
  printf '\n%s run %s\n' {mark} "$n"; exec "$b" agent; exit 1
fi
rm -f "$t"
# What was made for it goes, up to what was there.
p={folder}/bin
while [ "$p" != "$d" ] && rmdir "$p" 2>/dev/null; do p=${{p%/*}}; done
printf '\n%s failed\n' {mark}
exit 1
}}
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

    /// With the binary that it took.
    pub(crate) fn greeted<'b>(
        &mut self,
        script: &str,
        binaries: &'b [Binary],
        copied: &dyn Fn(u64, u64),
    ) -> Result<(Hello, &'b Binary), Stop> {
        self.input.write_all(script.as_bytes()).ok();
        let odd = || Stop::Trouble(Trouble::Garbled("it took a binary that it was not offered".into()));
        let (mut taken, mut is_sent) = (None, false);
        loop {
            let line = match self.next()? {
                Word::Hello(hello) => return Ok((*hello, taken.ok_or_else(odd)?)),
                Word::Line(line) => line,
                Word::End(over) => return Err(over.into()),
            };
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let meant = || rest.parse().ok().and_then(|at: usize| binaries.get(at)).ok_or_else(odd);
            match word {
                "run" => taken = Some(meant()?),
                "home" => return Err(Stop::Trouble(Trouble::NoPlace(rest.to_string()))),
                "none" => return Err(Stop::Trouble(none_fits(binaries, rest))),
                "absent" if !is_sent => {
                    self.send(meant()?, copied)?;
                    is_sent = true;
                }
                _ => return Err(Stop::NotBrought),
            }
        }
    }

    fn send(&mut self, binary: &Binary, copied: &dyn Fn(u64, u64)) -> Result<(), Stop> {
        let unread = |e| Stop::Trouble(Trouble::Failed(format!("{} cannot be read: {e}", binary.path.display())));
        let bytes = std::fs::read(&binary.path).map_err(unread)?;
        self.input.write_all(b"copy\n").ok();
        let mut sent = 0;
        for chunk in bytes.chunks(CHUNK) {
            if self.input.write_all(chunk).is_err() {
                // What it said tells why.
                break;
            }
            sent += chunk.len() as u64;
            copied(sent, binary.size);
        }
        Ok(())
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

/// Why no binary starts on a machine that says of itself `Linux x86_64 2.36`, and what would.
fn none_fits(binaries: &[Binary], machine: &str) -> Trouble {
    let mut words = machine.split_whitespace();
    let (os, arch, libc) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    let is_plain = |word: &str| (1..=LONGEST_WORD).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_plain(os) || !is_plain(arch) {
        return Trouble::Failed("it does not say what machine it is".into());
    }
    if os != "Linux" {
        return Trouble::Failed(format!("it is {os} {arch}, and neronet executes on Linux alone"));
    }
    let beside = || {
        let own = binaries.first().and_then(|own| own.path.parent()).unwrap_or(Path::new(""));
        format!("beside this one, as {}", own.join(format!("{FILES}{arch}")).display())
    };
    let Some((major, minor)) = binaries.iter().filter(|binary| binary.arch == arch).map(|binary| binary.needs).min() else {
        return Trouble::Failed(format!("it is Linux {arch}, and there is no neronet for that here: put one built for it {}", beside()));
    };
    let version = libc.and_then(|libc| libc.split_once('.')).and_then(|(major, minor)| {
        let minor = minor.split('.').next()?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    });
    Trouble::Failed(match version {
        Some((has, of)) if (has, of) >= OLDEST_LIBC => format!(
            "it has glibc {has}.{of}, and this binary asks for {major}.{minor}: put the released one (`make dist`, which asks for 2.17) {}",
            beside()
        ),
        Some((has, of)) => format!("it has glibc {has}.{of}, and neronet asks for 2.17 at least"),
        None => format!("it has no glibc, which neronet asks for ({major}.{minor} or later)"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_that_it_is_is_told_only_if_it_may_be_so() {
        let binary =
            |arch: &str, needs| Binary { path: "/opt/neronet".into(), name: "n".into(), size: 1, sum: 1, arch: arch.into(), needs };
        let all = [binary("x86_64", (2, 34)), binary("x86_64", (2, 28))];
        let said = |machine: &str| none_fits(&all, machine).to_string();
        assert!(said("Linux aarch64 2.36").ends_with("beside this one, as /opt/neronet-linux-aarch64"));
        assert!(said("Linux x86_64 2.17.9").starts_with("it has glibc 2.17, and this binary asks for 2.28: put the released one"));
        assert_eq!(said("Linux x86_64 2.12"), "it has glibc 2.12, and neronet asks for 2.17 at least");
        assert!(said("Linux x86_64").starts_with("it has no glibc"));
        assert!(said("Linux x86_64 99999999999.1").starts_with("it has no glibc"));
        assert_eq!(said("Darwin arm64 "), "it is Darwin arm64, and neronet executes on Linux alone");
        for odd in ["", "Linux", "Linux ../../etc 2.36", "Linux a;b 2.36", "Li\u{1b}nux x86_64", &format!("Linux {}", "x".repeat(40))] {
            assert_eq!(said(odd), "it does not say what machine it is", "{odd}");
        }
    }
}
