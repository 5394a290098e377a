//! What a real Python says of the imports of scripts that it only reads.

use neronet_capture::imports::{Answer, Held, Kind, Question, Silence, ask};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(60);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(place.top()).expect("made");
        place
    }
    fn top(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("there").join("code")
    }
    fn put(&self, below: &str, content: &str) -> &Place {
        let path = self.top().join(below);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(&path, content).expect("a file");
        self
    }
    fn ask(&self, what: &'static str, entry: &str) -> Answer {
        self.ask_with(what, entry, "", &[], None)
    }
    fn ask_with(&self, what: &'static str, entry: &str, options: &str, python_path: &[String], held: Option<Held<'_>>) -> Answer {
        let top = self.top();
        let env = [("PATH".to_string(), "/usr/bin:/bin".to_string()), ("PYTHONNOUSERSITE".to_string(), "1".to_string())];
        let question = Question {
            interpreter: &python(),
            options,
            env: &env,
            python_path,
            top: &top,
            folder: &top,
            held,
            entries: vec![(what, entry.to_string())],
        };
        ask(&question, &self.folder.path().join("cache"), LONG).expect("an answer")
    }
}

/// The system's own.
fn python() -> PathBuf {
    let known = ["/usr/bin/python3", "/usr/local/bin/python3"].iter().map(PathBuf::from).find(|path| path.exists());
    known.expect("a python3 in /usr/bin or /usr/local/bin")
}

/// Each finding in short: `train.py:3 missing torch`, with a question mark where it is not certain.
fn shown(answer: &Answer) -> Vec<String> {
    let of = |finding: &neronet_capture::imports::Finding| {
        let file = finding.file.file_name().map(|name| format!("{}:{} ", name.to_string_lossy(), finding.line)).unwrap_or_default();
        let name = Path::new(&finding.name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{file}{} {name}{}", format!("{:?}", finding.kind).to_lowercase(), if finding.certain { "" } else { "?" })
    };
    answer.findings.iter().map(of).collect()
}

fn of_script(text: &str) -> Vec<String> {
    shown(&Place::new().put("train.py", text).ask("script", "train.py"))
}

#[test]
fn what_a_script_imports_whatever_happens_is_told_for_certain() {
    assert_eq!(
        of_script("import os, json, no_such_a\nfrom no_such_b.c import d\n"),
        ["train.py:1 missing no_such_a", "train.py:2 missing no_such_b"]
    );
    assert_eq!(
        of_script("import xml.dom, email.mime.text\nfrom os import path\nimport no_such_a.b as c"),
        ["train.py:3 missing no_such_a"]
    );
    assert_eq!(of_script("if __name__ == '__main__':\n    import no_such_a\n"), ["train.py:2 missing no_such_a"]);
    assert_eq!(
        of_script("import sys\nif sys.version_info < (3, 0):\n    import no_such_a\nelse:\n    import no_such_b\n"),
        ["train.py:5 missing no_such_b"]
    );
    assert_eq!(of_script("class A:\n    import no_such_a\n"), ["train.py:2 missing no_such_a"]);
}

#[test]
fn what_a_script_can_do_without_is_left_alone_or_told_with_doubt() {
    for text in [
        "try:\n    import no_such\nexcept ImportError:\n    no_such = None\n",
        "try:\n    import no_such\nexcept (ValueError, ModuleNotFoundError):\n    import also_none\n",
        "try:\n    import no_such\nexcept:\n    pass\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such\n",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import no_such\n",
    ] {
        assert_eq!(of_script(text), [""; 0], "{text}");
    }
    for text in [
        "def f():\n    import no_such\n",
        "if f():\n    import no_such\n",
        "for x in y:\n    import no_such\n",
        "try:\n    f()\nexcept ValueError:\n    import no_such\n",
    ] {
        let told = of_script(text);
        assert!(told.len() == 1 && told[0].ends_with("missing no_such?"), "{text}: {told:?}");
    }
}

#[test]
fn files_of_the_code_are_followed() {
    let place = Place::new();
    place.put("train.py", "import tools\nfrom pkg import inner, name\nfrom pkg.deep.more import x\nimport pkg.none\n");
    place
        .put("tools.py", "import no_such_a\n")
        .put("pkg/__init__.py", "name = 1\n")
        .put("pkg/inner.py", "from . import deep\nfrom .none import x\n");
    place.put("pkg/deep/__init__.py", "from ..inner import y\n").put("pkg/deep/more.py", "def f():\n    import no_such_b\n");
    let answer = place.ask("script", "train.py");
    assert_eq!(
        shown(&answer),
        ["tools.py:1 missing no_such_a", "inner.py:2 missing pkg.none", "more.py:2 missing no_such_b?"],
        "`pkg.none` is told once"
    );
    assert_eq!(answer.files.len(), 6);
}

#[test]
fn what_changes_where_modules_are_found_is_followed_or_makes_it_doubtful() {
    let place = Place::new();
    place.put("src/mine.py", "").put("lib/other.py", "");
    for line in [
        "sys.path.insert(0, 'src')",
        "sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'src'))",
        "sys.path.append(str(Path(__file__).resolve().parent / 'src'))",
        "ROOT = Path(__file__).parents[0]\nsys.path.insert(1, str(ROOT / 'src'))",
        "sys.path.append(os.getcwd() + '/src')",
    ] {
        place.put("train.py", &format!("import os, sys\nfrom pathlib import Path\n{line}\nimport mine\n"));
        assert_eq!(shown(&place.ask("script", "train.py")), [""; 0], "{line}");
    }
    for line in ["sys.path.append(sys.argv[1])", "sys.path += f()", "sys.modules['mine'] = x", "os.system('pip install mine')"] {
        place.put("train.py", &format!("import os, sys\n{line}\nimport mine\n"));
        assert_eq!(shown(&place.ask("script", "train.py")), ["train.py:3 missing mine?"], "{line}");
    }
    place.put("train.py", "import mine, other\n");
    assert_eq!(shown(&place.ask_with("script", "train.py", "", &["src".into(), "lib".into()], None)), [""; 0]);
    assert_eq!(shown(&place.ask_with("script", "train.py", "E", &["src".into(), "lib".into()], None)).len(), 2);
}

#[test]
fn modules_and_scripts_are_found_as_python_finds_them() {
    let place = Place::new();
    place
        .put("pkg/__init__.py", "")
        .put("pkg/train.py", "from . import tools\nimport tools\n")
        .put("pkg/tools.py", "")
        .put("pkg/__main__.py", "");
    // As a module the top is where it looks, as a script the folder of the script.
    assert_eq!(shown(&place.ask("module", "pkg.train")), ["train.py:2 missing tools"]);
    assert_eq!(shown(&place.ask("script", "pkg/train.py")), ["train.py:1 relative train.py"]);
    assert_eq!(shown(&place.ask("module", "pkg")), [""; 0]);
    assert_eq!(shown(&place.ask("module", "json.tool")), [""; 0]);
    assert_eq!(shown(&place.ask("module", "pkg.none")), ["nomodule pkg.none"]);
    assert_eq!(shown(&place.ask("module", "json")), ["nomain json"]);
    assert_eq!(shown(&place.ask("script", "none.py")), ["noscript none.py"]);
}

#[test]
fn a_file_that_python_cannot_read_is_told_with_its_line() {
    let place = Place::new();
    place.put("train.py", "import os\nx = (1,\n").put("old.py", "print 'x'\n");
    let answer = place.ask("script", "train.py");
    assert_eq!((answer.findings[0].kind, answer.findings[0].line, answer.findings[0].certain), (Kind::Syntax, 2, true));
    assert_eq!(place.ask("script", "old.py").findings[0].needs, "this is written for Python 2");
    place.put("bytes.py", "x = '\u{e9}'\0\n");
    assert_eq!(place.ask("script", "bytes.py").findings[0].kind, Kind::Syntax);
}

#[test]
fn nothing_of_the_users_is_run() {
    let place = Place::new();
    let bomb = "import os\nopen(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ran'), 'w')\n";
    for name in
        ["train.py", "ast.py", "json.py", "tokenize.py", "re.py", "sitecustomize.py", "usercustomize.py", "pkg/__init__.py", "pkg/a.py"]
    {
        place.put(name, bomb);
    }
    place.put("train.py", &format!("{bomb}import ast, json, pkg.a\n"));
    let answer = place.ask_with("script", "train.py", "", &[".".into(), place.top().display().to_string()], None);
    assert!(answer.findings.iter().any(|finding| finding.kind == Kind::Hides && finding.name == "tokenize"), "{answer:#?}");
    assert!(!place.top().join("ran").exists() && !place.top().join("pkg/ran").exists() && !place.top().join("__pycache__").exists());
}

#[test]
fn what_a_copy_of_the_code_lacks_is_not_found_there() {
    let place = Place::new();
    place.put("train.py", "import mine\nimport linked.x\n").put("mine.py", "").put("linked/x.py", "");
    let files = [("train.py", "hash")];
    let held = |beginnings| Some(Held { files: &files, beginnings });
    let answer = place.ask_with("script", "train.py", "", &[], held(&[]));
    assert_eq!(shown(&answer), ["train.py:1 missing mine", "train.py:2 missing linked"]);
    assert_eq!(answer.findings[0].ignored, place.top().join("mine.py").display().to_string());
    let linked = ["mine.py".to_string(), "linked".to_string()];
    assert_eq!(shown(&place.ask_with("script", "train.py", "", &[], held(&linked))), [""; 0]);
}

#[test]
fn an_answer_is_remembered_until_what_it_came_from_changes() {
    let place = Place::new();
    place.put("train.py", "import no_such\n");
    // A Python that counts how often it is started.
    let own = place.folder.path().join("python3");
    let count = place.folder.path().join("count");
    let script = format!("#!/bin/sh\necho x >> {}\nexec {} \"$@\"\n", count.display(), python().display());
    std::fs::write(&own, script).expect("written");
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).expect("ours");
    let started = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    let top = place.top();
    let asked = |hash: &str| {
        let files = [("train.py", hash)];
        let held = Some(Held { files: &files, beginnings: &[] });
        let entries = vec![("script", "train.py".to_string())];
        let question = Question { interpreter: &own, options: "", env: &[], python_path: &[], top: &top, folder: &top, held, entries };
        ask(&question, &place.folder.path().join("cache"), LONG).expect("an answer")
    };
    let first = asked("one");
    // Nothing is remembered as long as another change of the interpreter might not show.
    let known = (0..10_000).any(|_| {
        let before = started();
        asked("one");
        started() == before
    });
    assert!(known, "it is remembered");
    let before = started();
    assert_eq!(asked("one"), first);
    assert_eq!(started(), before, "known");
    asked("two");
    assert_eq!(started(), before + 1, "the script has changed");
}

#[test]
fn a_python_that_says_nothing_is_left_alone() {
    let place = Place::new();
    let asked = |script: &str, patience| {
        let own = place.folder.path().join("python3");
        std::fs::write(&own, script).expect("written");
        std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).expect("ours");
        let top = place.top();
        let entries = vec![("script", "train.py".to_string())];
        let question =
            Question { interpreter: &own, options: "", env: &[], python_path: &[], top: &top, folder: &top, held: None, entries };
        // Another test may be forking just now, with our file still open for writing.
        let busy = |said: &Result<Answer, Silence>| matches!(said, Err(Silence::Failed(why)) if why.contains("busy"));
        let mut said = std::iter::repeat_with(|| ask(&question, &place.folder.path().join("cache"), patience));
        said.find(|said| !busy(said)).expect("endless")
    };
    assert_eq!(asked("#!/bin/sh\nexec sleep 1000\n", Duration::from_millis(100)), Err(Silence::TooSlow));
    assert!(matches!(asked("#!/bin/sh\necho hello\n", LONG), Err(Silence::Failed(_))));
    assert!(matches!(asked("#!/no/such\n", LONG), Err(Silence::Failed(_))));
}
