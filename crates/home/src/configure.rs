//! `[[file]]`: the configuration files of a run, from templates and from files in which values are set.

use crate::context::Context;
use crate::filling::Filling;
use neronet_capture::code::Survey;
use neronet_edit::Format;
use neronet_model::settings::FileEdit;
use neronet_model::{Params, RunId, Settings};
use neronet_spec::{Plan, Problem, Wanted, What, plain, render};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// More is data, not configuration.
const LARGEST: u64 = 16 << 20;

/// A configuration file as a run gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Relative to the specification's folder.
    pub path: String,
    pub text: String,
}

/// Whether `[code] build` has to make this file first.
pub(crate) fn is_to_come(settings: &Settings, code: &[&Path], name: &str) -> bool {
    settings.code.build.is_some() && !code.iter().any(|place| place.join(name).exists())
}

/// Reads a configuration file from the first of the places that has it. The error continues a sentence that begins with its name.
pub(crate) fn read(places: &[&Path], name: &str) -> Result<String, String> {
    let path = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    if path.as_deref().is_some_and(|path| !path.is_file() && !path.is_dir()) {
        return Err("is no regular file".to_string());
    }
    let mut bytes = Vec::new();
    let file = path.ok_or(ErrorKind::NotFound.into()).and_then(File::open).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    file.map_err(|e| match e.kind() {
        ErrorKind::NotFound => "is not there".to_string(),
        ErrorKind::IsADirectory => "is a folder".to_string(),
        _ => format!("cannot be read: {e}"),
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("is larger than {} MB", LARGEST >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "is no text in UTF-8".to_string())
}

/// Why a configuration file cannot be made.
struct Unfit {
    /// The one that is read.
    source: String,
    /// The path of a value that cannot be set; none where the file itself is wrong.
    set: Option<String>,
    /// Begins with the name of the file.
    message: String,
    hint: Option<String>,
}

/// All configuration files of a run, from what lies in `code`: places of the specification's folder, the first that has a file counts.
pub fn made(settings: &Settings, params: &Params, context: &render::Context<'_>, code: &[&Path]) -> Result<Vec<Made>, String> {
    all(&settings.files, settings, params, context, code).map_err(|unfit| in_words(&unfit))
}

/// The same from code that is not built yet, without the files that the build has to make.
pub fn foreseen(settings: &Settings, params: &Params, context: &render::Context<'_>, code: &[&Path]) -> Result<Vec<Made>, String> {
    all(&there(settings, code).0, settings, params, context, code).map_err(|unfit| in_words(&unfit))
}

fn in_words(unfit: &[Unfit]) -> String {
    let said = |unfit: &Unfit| format!("{}{}", unfit.message, unfit.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default());
    unfit.iter().map(said).collect::<Vec<_>>().join("; ")
}

/// The files that can be made now, and those that wait for the build.
fn there(settings: &Settings, code: &[&Path]) -> (Vec<FileEdit>, Vec<FileEdit>) {
    let (mut now, mut later): (Vec<FileEdit>, Vec<FileEdit>) = (Vec::new(), Vec::new());
    for file in &settings.files {
        let made = now.iter().any(|before| before.destination() == file.source());
        let list = if made || !is_to_come(settings, code, file.source()) { &mut now } else { &mut later };
        list.push(file.clone());
    }
    (now, later)
}

fn all(
    files: &[FileEdit],
    settings: &Settings,
    params: &Params,
    context: &render::Context<'_>,
    code: &[&Path],
) -> Result<Vec<Made>, Vec<Unfit>> {
    let mut all: Vec<Made> = Vec::new();
    let mut wrong: Vec<Unfit> = Vec::new();
    for file in files {
        let source = file.source();
        // A file that was made just now may be set values in.
        let before = all.iter().find(|made| made.path == source).map(|made| Ok(made.text.clone()));
        let text = before.unwrap_or_else(|| read(code, source)).map_err(|why| vec![absent(source, &why)]);
        match text.and_then(|text| one(file, &text, settings, params, context)) {
            Ok(text) => {
                let path = file.destination().to_string();
                all.retain(|made| made.path != path);
                all.push(Made { path, text });
            }
            Err(unfit) => wrong.extend(unfit),
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

fn absent(source: &str, why: &str) -> Unfit {
    let hint = "the paths of a [[file]] are relative to the specification".to_string();
    Unfit { source: source.to_string(), set: None, message: format!("{source} {why}"), hint: Some(hint) }
}

fn one(file: &FileEdit, text: &str, settings: &Settings, params: &Params, context: &render::Context<'_>) -> Result<String, Vec<Unfit>> {
    let source = file.source();
    let unfit = |set: Option<&str>, message: String, hint: Option<String>| Unfit {
        source: source.to_string(),
        set: set.map(str::to_string),
        message,
        hint,
    };
    match file {
        FileEdit::Template { .. } => render::text(text, settings, params, context).map_err(|why| {
            let hint = "a template's braces stand for parameters; {{ and }} are braces themselves".to_string();
            vec![unfit(None, format!("{source}, {why}"), Some(hint))]
        }),
        FileEdit::Edit { edit, set, format, .. } => {
            let format = format.map(Format::from).or_else(|| Format::of(edit));
            let format = format.ok_or_else(|| vec![unfit(None, format!("{source}: its ending tells no format"), None)])?;
            let (mut changes, mut wrong) = (Vec::new(), Vec::new());
            for (path, value) in set {
                match render::value(value, settings, params, context) {
                    Ok(value) => changes.push((path.clone(), value)),
                    Err(why) => wrong.push(unfit(Some(path), format!("{source}: {why}"), None)),
                }
            }
            let edited = neronet_edit::set(text, format, &changes).map_err(|mistakes| {
                wrong.extend(mistakes.into_iter().map(|mistake| {
                    let place = if mistake.line > 0 { format!(":{}:{}", mistake.line, mistake.column) } else { String::new() };
                    let set = Some(mistake.path.as_str()).filter(|path| !path.is_empty());
                    unfit(set, format!("{source}{place}: {}", mistake.message), mistake.hint.clone())
                }));
            });
            edited.ok().filter(|_| wrong.is_empty()).ok_or(wrong)
        }
    }
}

/// What is wrong with the configuration files of a plan, seen in the code as it lies; else what deserves a word.
pub fn check(context: &Context, plan: &Plan, survey: &Survey) -> Result<Vec<Problem>, Vec<Problem>> {
    let (mut problems, mut warnings): (Vec<Problem>, Vec<Problem>) = (Vec::new(), Vec::new());
    let start = survey.top.join(&survey.below);
    let code: &Path = &survey.place().join(&survey.below);
    for experiment in plan.experiments.iter().filter(|experiment| !experiment.settings.files.is_empty()) {
        let named = |source: &str| experiment.wanted.iter().find(|wanted| matches!(&wanted.what, What::Template(path) if path == source));
        let Some(first) = experiment.settings.files.first().and_then(|file| named(file.source())) else { continue };
        if experiment.settings.code.in_place || survey.in_place_because.is_some() {
            let why = survey.in_place_because.as_deref().unwrap_or("in_place = true");
            let message =
                format!("[[file]] writes into a run's own copy of the code, and these runs execute in the work tree itself: {why}");
            problems.push(first.error(message, Some("let the command take its settings as flags, or freeze the code".to_string())));
            continue;
        }
        for file in &experiment.settings.files {
            let place = Destination { path: file.destination(), code, top: survey.place(), links: &experiment.settings.code.link };
            if let Err(why) = place.is_fit() {
                let at = named(file.source()).unwrap_or(first);
                problems.push(at.error(why, Some("name a file in the run's own copy of the code".to_string())));
            }
        }
        let Some(params) = experiment.runs().next() else { continue };
        let filling =
            Filling::without_files(context, &experiment.settings, &params, RunId(0), &start).map(|filling| filling.with_port(Some(0)));
        let (now, later) = there(&experiment.settings, &[code]);
        for file in later {
            let at = named(file.source()).unwrap_or(first);
            let warning = at.warning(format!("{} is not there yet: the build has to make it", file.source()), None);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let unfit = match filling {
            Ok(filling) => all(&now, &experiment.settings, &params, &filling.context(), &[code]).err().unwrap_or_default(),
            Err(why) => {
                problems.push(first.error(why, None));
                continue;
            }
        };
        for Unfit { source, set, message, hint } in unfit {
            let is_set = |wanted: &&Wanted| matches!(&wanted.what, What::Set(file, path) if *file == source && Some(path) == set.as_ref());
            let at = experiment.wanted.iter().find(is_set).or_else(|| named(&source)).unwrap_or(first);
            let problem = at.error(message, hint);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(warnings) } else { Err(problems) }
}

/// Where a file is to be put, seen in the code as it lies.
struct Destination<'a> {
    path: &'a str,
    code: &'a Path,
    top: &'a Path,
    /// `[code] link`
    links: &'a [String],
}

impl Destination<'_> {
    /// Else every run would fail when it starts.
    fn is_fit(&self) -> Result<(), String> {
        let place = self.code.join(self.path);
        if place.is_dir() {
            return Err(format!("{} is a folder, where a file is to be written", self.path));
        }
        let mut above = place.ancestors().skip(1).take_while(|folder| folder.starts_with(self.code));
        if let Some(file) = above.find(|folder| folder.is_file()) {
            return Err(format!("{} cannot be written: {} is a file", self.path, file.display()));
        }
        let linked = |link: &&String| Path::new(self.path).starts_with(plain(Path::new(link)));
        if let Some(link) = self.links.iter().find(linked) {
            return Err(format!("{} would be written into {link}, which [code] link shares with the work tree and all runs", self.path));
        }
        inside(&place, self.top).map(drop)
    }
}

/// Writes them into a run's own copy, and once more into `kept`, where nothing changes them.
pub(crate) fn write(made: &[Made], code: &Path, work: &Path, kept: &Path) -> Result<(), String> {
    for file in made {
        let place = inside(&code.join(&file.path), work)?;
        put(&place, &file.text)?;
        put(&kept.join(&file.path), &file.text)?;
    }
    Ok(())
}

/// The place of a file whose folder must lie in `work`: a link on the way would lead to files that all runs share.
fn inside(place: &Path, work: &Path) -> Result<PathBuf, String> {
    let folder = place.parent().unwrap_or(work);
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(work);
    let real = |path: &Path| std::fs::canonicalize(path).map_err(|e| format!("{} cannot be found: {e}", path.display()));
    if real(there)?.starts_with(real(work)?) {
        return Ok(place.to_path_buf());
    }
    Err(format!("{} lies behind a link out of the run's own copy of the code: choose another place for it", place.display()))
}

fn put(place: &Path, text: &str) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{} cannot be written: {e}", place.display());
    let folder = place.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mode = std::fs::metadata(place).map(|meta| meta.permissions()).ok();
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        mode.map_or(Ok(()), |mode| file.set_permissions(mode))
    });
    written.and_then(|()| std::fs::rename(&draft, place)).map_err(|e| {
        std::fs::remove_file(&draft).ok();
        failed(e)
    })
}
