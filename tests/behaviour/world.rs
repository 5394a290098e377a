//! A user's home, a project and a neronet home of their own, and the ways to look at what became of them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Reached only when something is broken.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// What a command that has ended said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Said {
    pub(crate) fn with_code(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

impl World {
    pub(crate) fn new() -> World {
        let world = World { folder: tempfile::Builder::new().prefix("neronet-behaviour-").tempdir().expect("a folder") };
        std::fs::create_dir(world.project()).expect("made");
        std::fs::create_dir(world.path("user")).expect("made");
        std::fs::create_dir(world.path("runtime")).expect("made");
        world
    }

    /// A place for what scripts and tests tell each other, outside project and home. Scripts find it in `$WORLD`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }
    pub(crate) fn attempt(&self, run: u64, n: u64) -> PathBuf {
        self.home().join(format!("runs/{run}/attempts/{n}"))
    }

    /// A file of the project.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &World {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().expect("in the project")).expect("made");
        std::fs::write(path, content).expect("written");
        self
    }
    pub(crate) fn script(&self, name: &str, content: &str) -> &World {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().expect("in the project")).expect("made");
        // Not by this process: what a test beside this one starts holds what is open here, and what is open for writing cannot be executed.
        let mut written = Command::new("sh");
        let written = written.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(path).stdin(Stdio::piped()).spawn();
        let mut written = written.expect("sh");
        written.stdin.take().expect("a pipe").write_all(content.as_bytes()).expect("written");
        assert!(written.wait().expect("sh").success());
        self
    }

    /// Gives this world a driver, a stand-in, which tells of these GPUs (see its source for the lines). Given again, it changes them.
    pub(crate) fn gpus(&self, told: &str) -> &World {
        let library = self.path("libnvidia-ml.so.1");
        if !library.exists() {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/nvml/stand_in.c");
            let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
            assert!(built.expect("a C compiler, `cc`, which Rust needs too").success());
        }
        // At once: it is read at any moment.
        std::fs::write(self.path("gpus"), told).expect("written");
        std::fs::rename(self.path("gpus"), self.path("libnvidia-ml.so.1.conf")).expect("in place");
        self
    }

    /// Lets scripts that wait for `name` go on.
    pub(crate) fn tell(&self, name: &str) {
        std::fs::write(self.path(name), "").expect("written");
    }
    pub(crate) fn told(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }
    /// What a script left under this name, once it has.
    pub(crate) fn wait_told(&self, name: &str) -> String {
        wait_for(name, || self.told(name))
    }

    /// `neronet` in the project.
    pub(crate) fn neronet<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neronet"));
        self.settle(&mut command);
        command.args(words);
        command
    }

    /// Gives a command this world's folders and variables, and nothing of an outer neronet's.
    pub(crate) fn settle(&self, command: &mut Command) {
        let outer = std::env::vars_os().map(|(name, _)| name);
        for name in outer.filter(|name| name.to_string_lossy().starts_with("NERONET_") || name.to_string_lossy().starts_with("XDG_")) {
            command.env_remove(name);
        }
        command.env("HOME", self.path("user")).env("NERONET_HOME", self.home()).env("WORLD", self.folder.path());
        command.env("NERONET", env!("CARGO_BIN_EXE_neronet")).env("PATH", search_path());
        command.env("XDG_RUNTIME_DIR", self.path("runtime"));
        if self.path("libnvidia-ml.so.1").exists() {
            command.env("LD_LIBRARY_PATH", self.folder.path()).env_remove("CUDA_VISIBLE_DEVICES");
        }
        if self.path("ssh_config").exists() {
            command.env("NERONET_SSH_CONFIG", self.path("ssh_config")).env_remove("SSH_AUTH_SOCK");
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.current_dir(self.project()).stdin(Stdio::null());
    }

    pub(crate) fn say<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Said {
        self.neronet(words).output().expect("neronet starts").into()
    }

    /// In the background, its words piped.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Child {
        self.neronet(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts")
    }

    pub(crate) fn show(&self, run: u64) -> Value {
        let mut shown = self.say(&["show", &run.to_string(), "--json"]).with_code(0).json();
        // Hundreds of packages would hide what a failed test has to say.
        shown["environment"].take();
        shown
    }
    pub(crate) fn list(&self) -> Vec<Value> {
        self.say(&["ls", "-a", "--json"]).with_code(0).json().as_array().expect("an array").clone()
    }
    /// A run once it has ended.
    pub(crate) fn ended(&self, run: u64) -> Value {
        wait_for(&format!("the end of run {run}"), || Some(self.show(run)).filter(|run| run["state"] == "ended"))
    }

    /// Runs a command to its end: what `show` says of it, and what neronet said.
    pub(crate) fn run(&self, words: &[&str]) -> (Value, Said) {
        let said = self.say(&[&["run", "--"], words].concat());
        (self.show(1), said)
    }
    /// Runs `neronet.toml` with this text.
    pub(crate) fn run_spec(&self, spec: &str) -> Said {
        self.write("neronet.toml", spec);
        self.say(&["run"])
    }

    pub(crate) fn git(&self, words: &[&str]) {
        self.git_in(&self.project(), words);
    }
    pub(crate) fn git_in(&self, folder: &Path, words: &[&str]) {
        let mut command = Command::new("git");
        self.settle(&mut command);
        let me = [
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.org",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "init.defaultBranch=main",
        ];
        let said: Said = command.current_dir(folder).args(me).args(words).output().expect("git starts").into();
        said.with_code(0);
    }

    /// What an attempt printed on both streams, as the spool has it.
    pub(crate) fn output(&self, run: u64, n: u64) -> String {
        let mut text = String::new();
        for segment in segments(&self.attempt(run, n), "output.") {
            for chunk in json_lines(&segment) {
                text += chunk["text"].as_str().expect("a text");
            }
        }
        text
    }

    /// The rows of metrics as the spool has them.
    pub(crate) fn rows(&self, run: u64, n: u64) -> Vec<Value> {
        segments(&self.attempt(run, n), "metrics.").iter().flat_map(|segment| json_lines(segment)).collect()
    }

    /// All events of an attempt, as they lie on the disk.
    pub(crate) fn record(&self, run: u64, n: u64) -> String {
        let attempt = self.attempt(run, n);
        let files = [attempt.join("keeper.jsonl")].into_iter().chain(segments(&attempt, "events."));
        files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// The keeper's events, whose only key says which they are.
    pub(crate) fn keeper_events(&self, run: u64, n: u64) -> Vec<Value> {
        json_lines(&self.attempt(run, n).join("keeper.jsonl")).into_iter().map(|mut line| line["event"].take()).collect()
    }
    /// The pid of the keeper (`begun`), of its supervisor (`watched`) or of the command (`started`), once it is there.
    pub(crate) fn pid(&self, run: u64, event: &str, role: &str) -> i32 {
        wait_for(&format!("{event} of run {run}"), || {
            self.keeper_events(run, 1).iter().rev().find_map(|known| known[event][role]["pid"].as_i64()).map(|pid| pid as i32)
        })
    }
}

impl Drop for World {
    /// Whatever a failed test left running ends with its world: everything that has our folder in its environment.
    fn drop(&mut self) {
        let marker = self.folder.path().display().to_string();
        for pid in all_pids() {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if pid != std::process::id() as i32 && environment.windows(marker.len()).any(|window| window == marker.as_bytes()) {
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
        }
    }
}

/// Looks until there is something to be found.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// A child's end and words. Its output must be small enough for a pipe until then.
pub(crate) fn end_of(mut child: Child) -> Said {
    wait_until("the end of a command", || child.try_wait().expect("it is ours").is_some());
    child.wait_with_output().expect("it is ours").into()
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("it is there");
}

/// The process of this name in a world, once it is there.
pub(crate) fn process_named(name: &str, world: &World) -> i32 {
    let marker = world.path("").display().to_string();
    let marker = marker.trim_end_matches('/').as_bytes();
    let is = |pid: &i32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        comm.trim() == name && environment.windows(marker.len()).any(|window| window == marker)
    };
    wait_for(name, || all_pids().into_iter().find(is))
}

fn all_pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// The search path with the real `python3` first: a version manager's stand-in for it takes longer than many a test.
fn search_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let inherited = std::env::var("PATH").expect("a search path");
        let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3 is needed");
        let python = String::from_utf8(found.stdout).expect("UTF-8");
        let folder = Path::new(python.trim()).parent().expect("in a folder").display().to_string();
        format!("{folder}:{inherited}")
    })
}

fn segments(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u64>, PathBuf)> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| (entry.file_name().to_string_lossy().split('.').filter_map(|part| part.parse().ok()).collect(), entry.path()))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whole lines; a last one without its newline is no line yet.
fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", path.display()))).collect()
}

/// Every file and folder below, symlinks not followed.
pub(crate) fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be read").flatten() {
            if entry.file_type().expect("known").is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Bytes that a folder takes on the disk, holes not counted.
pub(crate) fn disk_use(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    all_below(folder).iter().filter_map(|path| path.symlink_metadata().ok()).map(|meta| meta.blocks() * 512).sum()
}

/// For what this machine does not let be tested: said aloud, and no success where everything has to be there.
pub(crate) fn cannot_be_tested(what: &str, missing: &str) {
    eprintln!("NOT TESTED: {what}: {missing}");
    assert!(std::env::var_os("CI").is_none(), "{what} must be tested here: {missing}");
}

/// As text, for `contains`.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
