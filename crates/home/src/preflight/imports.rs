//! What Python would not find of what the scripts import, as problems with a way out.

use super::outside::{Report, Scene};
use super::programs::{Script, environments};
use neronet_capture::imports::{self, Answer, Finding, Held, Kind, Question, Silence};
use neronet_spec::{Entry, Excerpt, Problem, Severity};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A disk that hangs keeps nobody longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Different scripts of one plan that are looked at.
const MOST: usize = 8;

/// Packages that are not called as their modules are.
const PACKAGES: [(&str, &str); 28] = [
    ("Bio", "biopython"),
    ("Crypto", "pycryptodome"),
    ("OpenGL", "PyOpenGL"),
    ("PIL", "pillow"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("community", "python-louvain"),
    ("cv2", "opencv-python"),
    ("dateutil", "python-dateutil"),
    ("distutils", "setuptools"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("faiss", "faiss-cpu"),
    ("fitz", "pymupdf"),
    ("git", "gitpython"),
    ("google", "protobuf"),
    ("hydra", "hydra-core"),
    ("jwt", "pyjwt"),
    ("magic", "python-magic"),
    ("mpl_toolkits", "matplotlib"),
    ("pkg_resources", "setuptools"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("skopt", "scikit-optimize"),
    ("umap", "umap-learn"),
    ("usb", "pyusb"),
    ("yaml", "pyyaml"),
];

/// Asks the Pythons, each different question once and all at a time.
pub(super) fn look(scripts: &[Script<'_>], cache: &Path, report: &mut Report) {
    let mut asked: Vec<(&Script<'_>, Asked)> = Vec::new();
    for script in scripts {
        if let Some(own) = Asked::of(script)
            && !asked.iter().any(|(_, known)| *known == own)
        {
            asked.push((script, own));
        }
    }
    if asked.len() > MOST {
        report.notes.push(format!("the imports of {} scripts are looked at, not those of {} more", MOST, asked.len() - MOST));
        asked.truncate(MOST);
    }
    let answers: Vec<_> = std::thread::scope(|scope| {
        let waiting: Vec<_> = asked.iter().map(|(script, own)| scope.spawn(|| own.ask(script, cache))).collect();
        waiting.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Silence::Failed("it gave no answer".into())))).collect()
    });
    for ((script, _), answer) in asked.iter().zip(answers) {
        let python = script.python.interpreter.display();
        match answer {
            Ok(answer) => told(script, &answer, report),
            Err(Silence::NotStarted(why)) => {
                let (message, hint) = (format!("{python} cannot be started: {why}"), "name a Python that can, or install this one");
                let told = if script.sure {
                    script.place.error(message, Some(hint.into()))
                } else {
                    script.place.warning(message, Some(hint.into()))
                };
                report.add(told);
            }
            Err(Silence::TooSlow) => report.notes.push(format!(
                "the imports could not be looked at: {python} did not answer within {} s (a network disk that hangs?)",
                PATIENCE.as_secs()
            )),
            Err(Silence::Failed(why)) => report.notes.push(format!("the imports could not be looked at: {python}: {why}")),
        }
    }
}

/// What makes one question different from another.
#[derive(PartialEq)]
struct Asked {
    interpreter: PathBuf,
    options: String,
    folder: PathBuf,
    top: PathBuf,
    env: Vec<(String, String)>,
    python_path: Vec<String>,
    entries: Vec<(&'static str, String)>,
    linked: Vec<String>,
    frozen: bool,
}

impl Asked {
    /// Nothing where a parameter decides where Python looks.
    fn of(script: &Script<'_>) -> Option<Asked> {
        let scene = script.scene;
        if scene.unknown.iter().any(|name| name.starts_with("PYTHON")) {
            return None;
        }
        let mut env = scene.env.clone();
        for (name, value) in &script.call.variables {
            env.retain(|(known, _)| known != name);
            env.push((name.clone(), value.clone()?));
        }
        let python_path = env.iter().find(|(name, _)| name == "PYTHONPATH").map(|(_, value)| value.clone()).unwrap_or_default();
        let entries = script.entries.iter().map(|entry| match entry {
            Entry::Script(path) => ("script", path.clone()),
            Entry::Module(name) => ("module", name.clone()),
        });
        Some(Asked {
            interpreter: script.python.interpreter.clone(),
            options: script.call.options.clone(),
            folder: script.folder.canonicalize().ok()?,
            top: scene.survey.place().to_path_buf(),
            env,
            python_path: python_path.split(':').filter(|place| !place.is_empty()).map(str::to_string).collect(),
            entries: entries.collect(),
            linked: linked(scene),
            frozen: scene.frozen,
        })
    }

    fn ask(&self, script: &Script<'_>, cache: &Path) -> Result<Answer, Silence> {
        let is_module = |path: &str| [".py", ".so", ".pyc", ".pyd"].iter().any(|ending| path.ends_with(ending));
        let files = script.scene.survey.files.iter().filter(|file| is_module(&file.path));
        let mut files: Vec<(&str, &str)> = files.map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
        files.sort_unstable();
        let question = Question {
            interpreter: &self.interpreter,
            options: &self.options,
            env: &self.env,
            python_path: &self.python_path,
            top: &self.top,
            folder: &self.folder,
            held: self.frozen.then_some(Held { files: &files, beginnings: &self.linked }),
            entries: self.entries.clone(),
        };
        imports::ask(&question, cache, PATIENCE)
    }
}

/// Where a run's copy leads elsewhere: all that lies there is there too.
fn linked(scene: &Scene<'_>) -> Vec<String> {
    let survey = scene.survey;
    let below = Path::new(&survey.below);
    let asked = scene.experiment.settings.code.link.iter().map(|link| below.join(link).display().to_string());
    let links = survey.links.iter().map(|link| link.path.clone()).chain(survey.large.iter().map(|large| large.path.clone()));
    asked.chain(links).map(|path| path.trim_end_matches('/').to_string()).collect()
}

fn told(script: &Script<'_>, answer: &Answer, report: &mut Report) {
    let scene = script.scene;
    let python = format!("{} ({})", script.python.interpreter.display(), answer.version);
    let asked = report.programs.iter_mut().filter(|program| program.python.as_ref() == Some(&script.python));
    asked.for_each(|program| program.version = Some(answer.version.clone()));
    let mut perhaps = Vec::new();
    for finding in &answer.findings {
        if finding.kind == Kind::Missing && finding.detail == "weak" {
            perhaps.push(finding);
            continue;
        }
        // A build may make it.
        if finding.kind == Kind::NoScript && !script.sure && scene.experiment.settings.code.build.is_some() {
            continue;
        }
        report.add(problem(script, finding, &python, answer));
    }
    let Some((first, others)) = perhaps.split_first() else { return };
    let mut told = problem(script, first, &python, answer);
    let also: Vec<String> =
        others.iter().take(4).map(|finding| format!("{} ({}:{})", finding.name, scene.shown(&finding.file), finding.line)).collect();
    let more = others.len().saturating_sub(4);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let also = if also.is_empty() { String::new() } else { format!("; also {}{more}", also.join(", ")) };
    told.severity = Severity::Warning;
    told.message = format!("imported in a function or under a condition, and not there for {python}: {}{also}", first.name);
    report.add(told);
}

fn problem(script: &Script<'_>, finding: &Finding, python: &str, answer: &Answer) -> Problem {
    let scene = script.scene;
    let name = &finding.name;
    let (message, hint) = match finding.kind {
        Kind::Missing => {
            let doubt = if finding.detail == "unsure" {
                "; the script changes where modules are looked for, so it may be found all the same"
            } else {
                ""
            };
            (format!("no module named '{name}' in {python}{doubt}"), Some(way_out(script, finding, answer)))
        }
        Kind::Empty => {
            let folder = scene.shown(Path::new(&finding.detail));
            let package = name.split('.').next().unwrap_or(name);
            let message = format!("'{name}' is not there for {python}: {package} is only the folder {folder}");
            (message, Some(format!("if a library is meant, {}", install(script, package))))
        }
        Kind::Syntax => {
            let version = &answer.version;
            let why = if finding.needs.is_empty() {
                format!("Python {version} cannot read this: {}", finding.detail)
            } else {
                format!("{}, this is {version}", finding.needs)
            };
            (why, None)
        }
        Kind::Relative => {
            let message = "a script that is called by its path is in no package, so it can import nothing relative to it";
            (message.to_string(), Some("call it as a module: python -m PACKAGE.MODULE".to_string()))
        }
        Kind::NoScript => (format!("there is no script {name}"), near_script(script, name)),
        Kind::NoModule => (format!("no module named '{name}' in {python}"), Some(way_out(script, finding, answer))),
        Kind::NoMain => (format!("'{name}' is a package without __main__.py, which python -m cannot run"), None),
        Kind::Hides => {
            (format!("this hides the module '{name}' that Python or a library brings"), Some("give the file another name".to_string()))
        }
    };
    let severity = if finding.certain && script.sure { Severity::Error } else { Severity::Warning };
    let of_program = || Problem { severity, ..script.place.error(message.clone(), hint.clone()) };
    let of_file = || {
        // The name itself, where the line has it.
        let rest = finding.text.get(finding.column..).unwrap_or_default();
        let first = name.split('.').next().unwrap_or(name);
        let (start, length) = match rest.find(first).filter(|_| matches!(finding.kind, Kind::Missing | Kind::Empty)) {
            Some(at) => (finding.column + at, if rest[at..].starts_with(name.as_str()) { name.len() } else { first.len() }),
            None => (finding.column, rest.trim_end().len()),
        };
        let path = if finding.kind == Kind::Hides { Path::new(&finding.detail) } else { finding.file.as_path() };
        Problem {
            severity,
            path: scene.shown(path),
            line: finding.line,
            column: finding.text.get(..start).map_or(start, |before| before.chars().count()) + 1,
            message: message.clone(),
            excerpt: (finding.line > 0 && !finding.text.trim().is_empty()).then(|| Excerpt::of(&finding.text, start, start + length)),
            hint: hint.clone(),
        }
    };
    match finding.kind {
        Kind::NoScript | Kind::NoModule | Kind::NoMain => of_program(),
        _ => of_file(),
    }
}

/// What to do about a module that is not there.
fn way_out(script: &Script<'_>, finding: &Finding, answer: &Answer) -> String {
    let scene = script.scene;
    let module = finding.name.split('.').next().unwrap_or(&finding.name);
    if !finding.ignored.is_empty() {
        let path = Path::new(&finding.ignored);
        let whole = if path.ends_with("__init__.py") { path.parent().unwrap_or(path) } else { path };
        let link = whole.strip_prefix(&scene.start).map(|below| below.display().to_string());
        let shown = scene.shown(whole);
        return match link {
            Ok(link) => {
                format!("{shown} is not in the snapshot that the runs work in; write [code] link = [\"{link}\"], or let git know it")
            }
            Err(_) => format!("{shown} is not in the snapshot that the runs work in; let git know it"),
        };
    }
    let here = |folder: &Path| folder.join(module).join("__init__.py").is_file() || folder.join(format!("{module}.py")).is_file();
    let places = [scene.start.join("src"), scene.survey.top.join("src"), scene.start.clone(), scene.survey.top.clone()];
    if let Some(folder) = places.iter().find(|folder| here(folder)) {
        let relative = folder
            .strip_prefix(&script.folder)
            .map(|below| if below.as_os_str().is_empty() { ".".to_string() } else { below.display().to_string() });
        if let Ok(relative) = relative {
            return format!("it lies in {}: write [env] PYTHONPATH = \"{relative}\"", scene.shown(folder));
        }
    }
    let other = |folder: &PathBuf| folder.canonicalize().ok() != Path::new(&answer.prefix).canonicalize().ok() && has(folder, module);
    if let Some(folder) = environments(scene).into_iter().find(other) {
        let shown = scene.shown(&folder);
        return format!("{shown} has it, and this is another Python: write [environment] python = \"{shown}\"");
    }
    install(script, module)
}

fn install(script: &Script<'_>, module: &str) -> String {
    let package = PACKAGES.iter().find(|(known, _)| *known == module).map_or(module, |(_, package)| package);
    format!("install it: {} -m pip install {package}", script.python.interpreter.display())
}

/// Whether an environment has a module of this name.
fn has(environment: &Path, module: &str) -> bool {
    let libraries = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    libraries.take(20).any(|library| {
        let site = library.path().join("site-packages");
        site.join(module).is_dir() || site.join(format!("{module}.py")).is_file()
    })
}

fn near_script(script: &Script<'_>, name: &str) -> Option<String> {
    let path = script.folder.join(name);
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let names: Vec<String> = entries.flatten().take(1000).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let guess = crate::nearest::nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(format!("did you mean '{guess}'?"))
}
