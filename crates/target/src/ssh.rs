//! The system's ssh as the user would call it: their configuration, keys, agents and jumps. Nobody is asked anything, but by `login`.

use crate::ciphers;
use neronet_model::target::{Address, Transport};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What is the same for all targets of a home.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Another configuration than the user's (`NERONET_SSH_CONFIG`).
    pub config: Option<PathBuf>,
    /// Where the sockets of master connections are, which `login` opens: a folder of ours alone.
    pub sockets: PathBuf,
    /// Sets those of this home apart from another's, which may call another machine the same.
    pub home: String,
    /// Connections are for files.
    pub carries_files: bool,
}

/// Seconds until a host that does not answer counts as unreachable, and between signs of life: three missed ones end a connection.
const CONNECT: u32 = 15;
const ALIVE: u32 = 15;

impl Ssh {
    /// Executes `/bin/sh` on the machine, which reads what it is told from its input: whatever the login shell there is, it can
    /// start this.
    pub fn shell(&self, target: &str, address: &Address) -> Command {
        let Transport::Ssh { user, host, port } = &address.transport else { return Command::new("/bin/sh") };
        let mut command = self.ssh();
        let socket = self.socket(target);
        if serves(&socket) {
            through(&mut command, &socket);
        } else if self.carries_files {
            let mut asked = self.ssh();
            to(&mut asked, user.as_deref(), host, *port);
            if let Some(ciphers) = ciphers::quick_first(&asked) {
                command.args(["-o", &format!("Ciphers={ciphers}")]);
            }
        }
        // What a quiet ssh does not say of a refused login would look like a machine that is away, which is asked again and again.
        command.args(["-T", "-o", "BatchMode=yes", "-o", "LogLevel=INFO"]);
        ours_alone(&mut command);
        command.args(["-o", &format!("ConnectTimeout={CONNECT}"), "-o", "ServerAliveCountMax=3"]);
        to(&mut command, user.as_deref(), host, *port);
        command.arg("/bin/sh");
        command
    }

    /// Executes words of plain letters on the machine, on the user's terminal if `terminal`: only there may their ssh ask them for what
    /// it needs.
    pub fn execute(&self, target: &str, address: &Address, words: &[&str], terminal: bool) -> Command {
        let Transport::Ssh { user, host, port } = &address.transport else {
            let mut command = Command::new(words.first().unwrap_or(&"/bin/sh"));
            command.args(words.iter().skip(1));
            return command;
        };
        let mut command = self.ssh();
        let socket = self.socket(target);
        if serves(&socket) {
            through(&mut command, &socket);
        }
        command.args(if terminal { &["-t"][..] } else { &["-T", "-o", "BatchMode=yes"] });
        command.args(["-o", "LogLevel=ERROR", "-o", &format!("ConnectTimeout={CONNECT}")]);
        ours_alone(&mut command);
        to(&mut command, user.as_deref(), host, *port);
        command.arg(words.join(" "));
        command
    }

    /// Opens a master connection on the user's terminal, which stays when this ends. Passwords and one-time codes are the user's. What one
    /// that was killed left behind is removed: the next would serve nobody.
    pub fn login(&self, target: &str, address: &Address) -> Option<Command> {
        let Transport::Ssh { user, host, port } = &address.transport else { return None };
        let socket = self.socket(target);
        if !serves(&socket) {
            std::fs::remove_file(&socket).ok();
        }
        let mut command = self.ssh();
        command.args(["-M", "-N", "-f", "-o", "LogLevel=INFO", "-o", "ControlPersist=yes", "-o"]).arg(control(&socket));
        command.args(["-o", "ServerAliveCountMax=3"]);
        ours_alone(&mut command);
        to(&mut command, user.as_deref(), host, *port);
        Some(command)
    }

    /// Ends the master connection of a target, if there is one.
    pub fn logout(&self, target: &str, address: &Address) -> Option<Command> {
        let Transport::Ssh { user, host, port } = &address.transport else { return None };
        let socket = self.socket(target);
        if !socket.exists() {
            return None;
        }
        let mut command = self.ssh();
        command.args(["-O", "exit", "-o"]).arg(control(&socket));
        to(&mut command, user.as_deref(), host, *port);
        Some(command)
    }

    /// Whether a master connection of ours serves.
    pub fn is_open(&self, target: &str) -> bool {
        serves(&self.socket(target))
    }

    pub fn socket(&self, target: &str) -> PathBuf {
        self.sockets.join(format!("{}-{target}.ssh", self.home))
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        command
    }
}

/// Not for what the user's configuration wants of their own connections: a connection of ours stays for days, and whoever rules the
/// machine could use their agent and their screen meanwhile.
fn ours_alone(command: &mut Command) {
    command.args(["-a", "-x", "-o", "ClearAllForwardings=yes", "-o", &format!("ServerAliveInterval={ALIVE}")]);
    if knows_remote_command() {
        command.args(["-o", "RemoteCommand=none"]);
    }
}

/// Whether this ssh could be told to execute another command than ours, which one before 7.6 cannot: it refuses the very word.
fn knows_remote_command() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| {
        let mut asked = Command::new("ssh");
        asked.args(["-o", "RemoteCommand=none", "-V"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|ended| ended.success())
    })
}

/// Whether somebody is behind it: a master connection that was killed leaves its socket. One that hangs is not waited for.
fn serves(socket: &Path) -> bool {
    let connected = || {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let end = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        socket::connect(end.as_raw_fd(), &UnixAddr::new(socket)?)
    };
    matches!(connected(), Ok(()) | Err(Errno::EAGAIN))
}

/// Over the connection that is open, and no other: where that takes no more sessions, ssh would open one of its own, for which nobody is
/// there to log in. That is what the proxy stands in the way of; being first, it counts more than the configuration's proxies and jumps.
fn through(command: &mut Command, socket: &Path) {
    command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o"]).arg(control(socket));
}

/// ssh fills in what stands behind a percent sign.
fn control(socket: &Path) -> OsString {
    let mut option = OsString::from("ControlPath=");
    option.push(socket.to_string_lossy().replace('%', "%%"));
    option
}

/// What is behind `--` is no option, whatever it begins with.
fn to(command: &mut Command, user: Option<&str>, host: &str, port: Option<u16>) {
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", host]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_open_is_gone_through_and_nothing_opened_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let ssh = Ssh { config: None, sockets: folder.path().into(), home: "h".into(), carries_files: false };
        let address = "ssh://gpu1".parse().expect("an address");
        let alone = || {
            let both = [ssh.shell("gpu1", &address), ssh.execute("gpu1", &address, &["true"], true)];
            both.map(|command| words(&command).contains(&"ProxyCommand=false".to_string()))
        };
        assert_eq!(alone(), [false, false]);
        let master = std::os::unix::net::UnixListener::bind(ssh.socket("gpu1")).expect("a socket");
        assert_eq!(alone(), [true, true]);
        // It was killed.
        drop(master);
        assert!(ssh.socket("gpu1").exists());
        assert_eq!(alone(), [false, false]);
    }

    #[test]
    fn the_host_comes_behind_all_options() {
        let ssh = Ssh { config: Some("/etc/my config".into()), sockets: "/nowhere/50%".into(), home: "h".into(), carries_files: false };
        let address = "ssh://me@gpu1:2222".parse().expect("an address");
        let shell = words(&ssh.shell("gpu1", &address));
        assert_eq!(shell[..2], ["-F", "/etc/my config"]);
        assert!(shell.contains(&"BatchMode=yes".to_string()));
        assert_eq!(shell[shell.len() - 7..], ["-l", "me", "-p", "2222", "--", "gpu1", "/bin/sh"]);
        assert!(["-a", "-x", "LogLevel=INFO"].iter().all(|word| shell.contains(&word.to_string())), "{shell:?}");
        for (terminal, asks_nobody) in [(true, false), (false, true)] {
            let executed = words(&ssh.execute("gpu1", &address, &["true"], terminal));
            assert!(executed.contains(&"-a".to_string()) && executed.contains(&"-x".to_string()), "{executed:?}");
            assert_eq!(executed.contains(&"BatchMode=yes".to_string()), asks_nobody, "{executed:?}");
        }
        let login = words(&ssh.login("gpu1", &address).expect("a command"));
        assert!(login.contains(&"ControlPath=/nowhere/50%%/h-gpu1.ssh".to_string()) && !login.contains(&"BatchMode=yes".to_string()));
        assert!(ssh.logout("gpu1", &address).is_none());
        let local = ssh.shell("local", &"local://".parse().expect("an address"));
        assert_eq!((local.get_program().to_str(), words(&local)), (Some("/bin/sh"), Vec::new()));
    }
}
