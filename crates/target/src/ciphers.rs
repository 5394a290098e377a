//! Which cipher carries files. Both ends of a fast line spend most of their time on ciphering, and AES in hardware takes about half as
//! long as what ssh offers first. Who chose ciphers, for this host or for the machine, gets those.

use crate::shell;
use std::process::Command;
use std::time::Duration;

const QUICK: &str = "aes128-gcm@openssh.com";
/// It reads files, and executes what the user's configuration says (`Match exec`).
const PATIENCE: Duration = Duration::from_secs(15);

/// What ssh is to offer a host, the quick one first. `ssh` and all that it is called with, but for the command there.
pub(crate) fn quick_first(ssh: &Command) -> Option<String> {
    if !has_aes() {
        return None;
    }
    let words = std::iter::once(ssh.get_program()).chain(ssh.get_args()).map(|word| word.to_str().map(shell::quoted));
    let words: Vec<String> = words.collect::<Option<_>>()?;
    let (program, rest) = words.split_first()?;
    let script = format!("{program} -G {}\n{program} -G -F /dev/null -- x", rest.join(" "));
    reordered(&shell::run(Command::new("/bin/sh"), &script, PATIENCE).ok()?.text)
}

/// From what two `ssh -G` say: for this host, and what ssh does where nobody says anything.
fn reordered(text: &str) -> Option<String> {
    let mut lists = text.lines().filter_map(|line| line.strip_prefix("ciphers "));
    let (of_host, by_itself) = (lists.next()?, lists.next()?);
    let others = of_host.split(',').filter(|cipher| *cipher != QUICK);
    let is_free = of_host == by_itself && of_host.split(',').any(|cipher| cipher == QUICK);
    is_free.then(|| std::iter::once(QUICK).chain(others).collect::<Vec<_>>().join(","))
}

/// Whether this machine's processor has AES in hardware. Where only the target's has not, the line is slower there than it could be.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_one_is_offered_first_where_nobody_chose() {
        let own = "ciphers chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com\n";
        let wanted = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr";
        assert_eq!(reordered(&format!("user me\n{own}port 22\nuser me\n{own}")).as_deref(), Some(wanted));
        let chosen = "ciphers aes256-ctr,aes128-gcm@openssh.com\n";
        let without = "ciphers aes128-ctr\n";
        for text in [format!("{chosen}{own}"), format!("{without}{without}"), own.to_string(), String::new()] {
            assert_eq!(reordered(&text), None, "{text}");
        }
    }
}
