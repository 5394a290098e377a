//! The environment that a login gives on this machine, for what is started by a command that came without one.

use crate::runner::login_shell;
use neronet_target::shell;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// For a login shell to come to us.
const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const NONE: &str = "where home is, no login shell gives its environment: it ends in its login files, or they take over 20 s; \
                               what is started lacks what they set";
const OURS: [&str; 2] = ["NERONET_BINARY", "NERONET_MARK"];

/// As `name=value`. None where no login shell comes that far.
pub(crate) fn environment(neronet: &Path) -> Option<Vec<(OsString, OsString)>> {
    let login = login_shell()?;
    let mark = shell::mark().ok()?;
    let name = login.file_name()?.to_string_lossy().into_owned();
    let mut command = Command::new(&login);
    // Every shell knows how to put a variable in the place of a word.
    command.arg0(format!("-{name}")).arg("-c").arg(r#"exec "$NERONET_BINARY" environment "$NERONET_MARK""#);
    command.env("NERONET_BINARY", neronet).env("NERONET_MARK", &mark);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut out = child.stdout.take()?;
    let (done, said) = channel();
    let until = mark.clone();
    let read = move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 8 << 10]);
        // What login files leave in the background holds the pipe open.
        while between(&all, &until).is_none()
            && let Ok(n @ 1..) = out.read(&mut buffer)
        {
            all.extend_from_slice(buffer.get(..n).unwrap_or_default());
        }
        done.send(all).ok();
    };
    std::thread::Builder::new().name("login".into()).spawn(read).ok()?;
    let said = said.recv_timeout(PATIENCE).ok();
    child.kill().ok();
    child.wait().ok();
    parsed(&said?, &mark)
}

/// Says the environment of this process behind a mark, for whoever started the login shell.
pub fn say(mark: &str) -> i32 {
    let mut said = mark.as_bytes().to_vec();
    for (name, value) in std::env::vars_os().filter(|(name, _)| OURS.iter().all(|ours| name != ours)) {
        said.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    said.extend(mark.as_bytes());
    i32::from(std::io::stdout().write_all(&said).is_err())
}

/// What stands between two marks; what login files print comes before or behind them.
fn between<'s>(said: &'s [u8], mark: &str) -> Option<&'s [u8]> {
    let find = |said: &[u8]| said.windows(mark.len()).position(|window| window == mark.as_bytes());
    let said = said.get(find(said)? + mark.len()..)?;
    said.get(..find(said)?)
}

fn parsed(said: &[u8], mark: &str) -> Option<Vec<(OsString, OsString)>> {
    let pairs = between(said, mark)?.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
            Some((OsStr::from_bytes(&pair[..at]).to_owned(), OsString::from_vec(pair[at + 1..].to_vec())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_login_files_print_is_no_part_of_the_environment() {
        let said = b"Welcome to gpu1\nmarkA=1\0B=two\nlines=x\0markbye\n";
        let pairs = parsed(said, "mark").expect("an environment");
        assert_eq!(pairs, [("A".into(), "1".into()), ("B".into(), OsString::from("two\nlines=x"))]);
        assert_eq!(parsed(b"Welcome\n", "mark"), None);
        assert_eq!(parsed(b"markA=1\0", "mark"), None);
    }
}
