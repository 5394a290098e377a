//! Why a target did not answer, as far as ssh and the machine said.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It wants a password, a code or another key: only the user can give that.
    NeedsLogin(String),
    /// The key by which the host is known is not known, or another one.
    HostKey(String),
    /// Its sshd takes no more sessions on the connection that is open: it is there, and its user is logged in.
    Busy(String),
    Unreachable(String),
    /// It was reached and said something else than what was asked.
    Garbled(String),
    /// It said nothing for so many seconds.
    Silent(u64),
    /// Its folder lies in a home of neronet, this one, which is nobody else's to write to.
    NoPlace(String),
    /// What was asked could not be done there.
    Failed(String),
    /// No ssh on this machine.
    NoSsh(String),
}

/// What ssh ends with where it was not the command that failed.
pub(crate) const OWN: i32 = 255;
/// It tells nothing of why something failed.
const ADDED: &str = "Warning: Permanently added";

impl Trouble {
    /// Of an answer to another question.
    pub fn odd() -> Trouble {
        Trouble::Failed("its agent answered something that was not asked".into())
    }

    /// From the last words on standard error, and how ssh ended.
    pub(crate) fn of(said: &str, noise: &str, code: Option<i32>) -> Trouble {
        let lower = said.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let lines = || said.lines().rev().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(ADDED));
        let line = |words: &[&str]| {
            let telling = |line: &&str| words.iter().any(|word| line.to_ascii_lowercase().contains(word));
            lines().find(telling).or(lines().next()).unwrap_or("ssh said nothing").to_string()
        };
        let busy = ["session open refused", "session request failed"];
        let keys = ["host key verification failed", "remote host identification has changed", "no matching host key"];
        let refused = ["permission denied (", "too many authentication failures", "authentication failed", "no supported authentication"];
        let away = [
            "timed out",
            "could not resolve",
            "no route to host",
            "connection refused",
            "network is unreachable",
            "connection closed",
            "connection reset",
            "not responding",
            "broken pipe",
            "kex_exchange_identification",
            "stdio forwarding failed",
        ];
        if code == Some(OWN) || code.is_none() {
            if has(&keys) {
                return Trouble::HostKey(line(&keys));
            }
            if has(&refused) {
                return Trouble::NeedsLogin(line(&refused));
            }
            if has(&busy) {
                return Trouble::Busy(line(&busy));
            }
            if has(&away) || code == Some(OWN) {
                return Trouble::Unreachable(line(&away));
            }
        }
        let last = lines().chain(noise.lines().rev().map(str::trim)).find(|line| !line.is_empty());
        match (last, code) {
            (Some(last), _) => Trouble::Garbled(last.to_string()),
            (None, Some(code)) => Trouble::Garbled(format!("it ended with exit code {code}, and said nothing")),
            (None, None) => Trouble::Garbled("it ended, and said nothing".to_string()),
        }
    }

    /// What to do about it, for the target of this name.
    pub fn advice(&self, target: &str) -> String {
        match self {
            Trouble::NeedsLogin(_) => format!("neronet target login {target}"),
            Trouble::HostKey(_) => "ssh to it once by hand, and look whether the new key is right before you accept it".into(),
            Trouble::Busy(_) => "end a shell or a transfer there, or raise MaxSessions in its sshd_config".into(),
            Trouble::Unreachable(_) => "is it up, and does ssh reach it by hand?".into(),
            Trouble::Garbled(_) => "does a file such as .bashrc there end the shell, or start another one?".into(),
            Trouble::Silent(_) => "it took the connection and did nothing: is it overloaded, or does its home hang?".into(),
            Trouble::NoPlace(_) => format!("write another `folder` of [targets.{target}] into targets.toml"),
            Trouble::Failed(_) => "see what it said".into(),
            Trouble::NoSsh(_) => "install OpenSSH's client".into(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NeedsLogin(said) => write!(f, "needs login: {said}"),
            Trouble::HostKey(said) => write!(f, "its host key is not the known one: {said}"),
            Trouble::Busy(said) => write!(f, "busy: its sshd takes no more sessions on one connection (MaxSessions): {said}"),
            Trouble::Unreachable(said) => write!(f, "unreachable: {said}"),
            Trouble::Garbled(said) => write!(f, "it did not answer what was asked: {said}"),
            Trouble::Silent(seconds) => write!(f, "no answer within {seconds} s"),
            Trouble::NoPlace(home) => write!(f, "its folder lies in {home}, which is a home of neronet"),
            Trouble::Failed(said) => f.write_str(said),
            Trouble::NoSsh(said) => write!(f, "ssh cannot be started: {said}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_told_apart() {
        let of = |said: &str| Trouble::of(said, "", Some(255));
        assert!(matches!(of("me@gpu1: Permission denied (publickey,password)."), Trouble::NeedsLogin(_)));
        assert!(matches!(of("@@@\nHost key verification failed."), Trouble::HostKey(_)));
        assert!(matches!(of("ssh: connect to host gpu1 port 22: Connection timed out"), Trouble::Unreachable(_)));
        assert!(matches!(of("ssh: Could not resolve hostname gpu9: Name or service not known"), Trouble::Unreachable(_)));
        assert_eq!(of("\n").to_string(), "unreachable: ssh said nothing");
        let said = "Warning: Permanently added 'gpu1' (ED25519) to the list of known hosts.\n";
        assert_eq!(of(said), of(""));
        let garbled = Trouble::of(said, "This account is currently not available.\n", Some(1));
        assert_eq!(garbled, Trouble::Garbled("This account is currently not available.".into()));
        let full = "mux_client_request_session: session request failed: Session open refused by peer";
        // What ssh tries then, over a connection that is not ours, is another one.
        let then = |then: &str| of(&format!("{full}\r\n{then}\r\n"));
        assert_eq!(then("kex_exchange_identification: Connection closed by remote host"), Trouble::Busy(full.into()));
        // Where it was refused there, nobody is to try that again and again.
        assert!(matches!(then("me@gpu1: Permission denied (password)."), Trouble::NeedsLogin(_)));
        // What a script there says of permissions is not ssh's word.
        assert!(matches!(Trouble::of("sh: Permission denied (publickey)", "", Some(1)), Trouble::Garbled(_)));
    }
}
