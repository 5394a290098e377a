//! Spreadsheets: one row a run on the way in, one run a row on the way out.

use crate::world::{Said, World};
use neronet_model::Value;
use neronet_sheet::{read, write_xlsx};
use serde_json::json;

const TRAIN: &str = "import sys\nprint('args', *sys.argv[1:])\nprint('loss', 1)\n";
const BASE: &str = "command = \"python3 train.py {flags}\"\nobjective = \"loss min\"\n";

fn world() -> World {
    let world = World::new();
    world.write("train.py", TRAIN).write("neronet.toml", BASE);
    world
}

/// A workbook whose first row is the header. Words that are numbers are numbers.
fn workbook(world: &World, name: &str, rows: &[&[&str]]) {
    let columns: Vec<String> = rows[0].iter().map(ToString::to_string).collect();
    let cells = |row: &&[&str]| row.iter().map(|word| (!word.is_empty()).then(|| Value::as_typed(word))).collect::<Vec<_>>();
    world.write(name, write_xlsx(name, &columns, rows[1..].iter().map(cells)).expect("a workbook"));
}

fn git(world: &World, words: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    world.settle(&mut command);
    let output = command.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(words).output().expect("git starts");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn printed(world: &World, run: u64) -> String {
    world.say(&["logs", &run.to_string()]).with_code(0).out.lines().next().unwrap_or_default().to_string()
}

fn submit(world: &World, words: &[&str]) -> Said {
    world.say(&[&["submit", "--wait", "--quiet"], words].concat())
}

#[test]
fn rows_that_are_to_do_run_with_their_tags_and_notes() {
    let world = world();
    world.write("neronet.toml", "command = \"python3 train.py {lr} {act}\"\n[params]\nlr = 0.5\nact = \"relu\"\n");
    workbook(
        &world,
        "runs.xlsx",
        &[
            &["Status", "Name", "lr", "act", "who", "hub_token", "comments"],
            &["TODO", "first try", "0.1", "", "Ada L.", "abcdef123456", "look closer"],
            &["done", "", "0.2", "none", "", "", ""],
            &["todo", "", "", "none", "", "", ""],
        ],
    );
    submit(&world, &["runs.xlsx"]).with_code(0);
    let runs = world.list();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["experiment"], &runs[0]["params"]), (&json!("first-try"), &json!({"lr": 0.1, "act": "relu"})));
    assert_eq!((&runs[1]["experiment"], &runs[1]["params"]), (&json!("train"), &json!({"lr": 0.5, "act": "none"})));
    assert_eq!(runs[0]["tags"], json!(["hub_token=***", "who=Ada_L."]));
    assert_eq!(world.show(1)["note"], "look closer");
    assert_eq!(printed(&world, 2), "args 0.5 none");
    let found = world.say(&["ls", "@who=Ada_L.", "--json"]).with_code(0).json();
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    // Tags and notes are as good as any: they can go.
    world.say(&["tag", "1", "who=Ada_L.", "--remove"]).with_code(0);
    assert_eq!(world.list()[0]["tags"], json!(["hub_token=***"]));
}

#[test]
fn a_sheet_that_is_submitted_again_starts_what_is_new() {
    let world = world();
    world.write("runs.csv", "lr;act\n0,1;relu\n0,2;relu\n");
    git(&world, &["init", "-q", "-b", "main"]);
    git(&world, &["add", "-A"]);
    git(&world, &["commit", "-q", "-m", "one"]);
    submit(&world, &["runs.csv"]).with_code(0);
    assert_eq!(printed(&world, 2), "args --lr 0.2 --act relu");
    // The sheet is a file of the code too: that it was edited makes no other code.
    world.write("runs.csv", "lr;act\n0,2;relu\n0,3;relu\n0,1;relu\n").write(".~lock.runs.csv#", "ada");
    let said = submit(&world, &["runs.csv"]).with_code(0);
    assert!(said.err.contains("1 new of 3; 2 runs are there already: 2 finished"), "{said:#?}");
    assert_eq!(world.list().len(), 3);
    world.write("train.py", format!("{TRAIN}\n"));
    let said = submit(&world, &["runs.csv"]).with_code(1);
    assert!(said.err.contains("train.py differs in 1 line"), "{said:#?}");
    submit(&world, &["runs.csv", "--keep"]).with_code(0);
    world.say(&["run", "--quiet", "runs.csv"]).with_code(0);
    assert_eq!(world.list().len(), 6);
}

#[test]
fn check_tells_row_by_row_what_would_run_and_why_not() {
    let world = world();
    let rows: &[&[&str]] = &[&["status", "lr"], &["todo", "0.1"], &["TODO", "0.2"], &["done", "0.3"], &["", "0.4"], &["todo", "1e-1"]];
    workbook(&world, "runs.xlsx", rows);
    let said = world.say(&["check", "runs.xlsx", "--no-preflight"]).with_code(0);
    let table = said.out.split("\n\n").next().unwrap_or_default();
    let expected = "runs.xlsx, sheet 'Sheet1': 5 rows\n  row  status\n    2  todo    python3 train.py --lr 0.1\n    3  TODO    python3 train.py --lr 0.2\n    \
                    4  done    its status is 'done'\n    5          its status is blank\n    6  todo    it is the same run as row 2";
    assert_eq!(table.trim_end(), expected, "{said:#?}");
    assert!(said.out.contains("2 runs; `neronet submit runs.xlsx` starts them"), "{said:#?}");
    assert!(world.list().is_empty());
    submit(&world, &["runs.xlsx"]).with_code(0);
    let said = world.say(&["check", "runs.xlsx", "--json", "--no-preflight"]).with_code(0).json();
    assert_eq!(said["count"], 2);
    assert_eq!(
        said["rows"][0],
        json!({"row": 2, "status": "todo", "runs": false, "why": "exists already as run 1", "params": {"lr": 0.1}})
    );
    assert_eq!(said["rows"][3]["why"], "its status is blank");

    workbook(&world, "runs.xlsx", &[&["status", "lr"], &["todo", "#DIV/0!"], &["todo", "0.7"]]);
    // As text it is none: an error is what a formula leaves.
    world.write("bad.csv", "status,lr\ntodo,#DIV/0!\ntodo,0.7\ndone,#N/A\n");
    let said = world.say(&["check", "bad.csv"]).with_code(2);
    assert!(said.out.contains("    2  todo    B2: the cell holds an error: '#DIV/0!'\n    3  todo    good by itself\n"), "{said:#?}");
    assert!(said.err.starts_with("error: bad.csv, B2: the cell holds an error: '#DIV/0!'\n = mend the formula"), "{said:#?}");
    let said = submit(&world, &["bad.csv"]).with_code(2);
    assert!(said.err.contains("bad.csv, B2"), "{said:#?}");
    let said = world.say(&["check", "bad.csv", "--json"]).with_code(2).json();
    assert_eq!((&said["count"], &said["rows"][1]["runs"], &said["runs"]), (&json!(0), &json!(false), &json!([])));
    assert_eq!(world.list().len(), 2);
}

#[test]
fn of_many_rows_a_sample_is_shown_and_the_rest_is_counted() {
    let world = world();
    let rows = (0..1500).map(|n| format!("{},{n}\n", if n % 3 == 0 { "done" } else { "todo" })).collect::<String>();
    world.write("runs.csv", format!("status,lr\n{rows}"));
    let said = world.say(&["check", "runs.csv", "--no-preflight"]).with_code(0);
    assert!(said.out.contains("  and 1,480 more\n  1,000 would run\n  500: its status is 'done'\n"), "{said:#?}");
    world.write("runs.csv", format!("status,lr\n{rows}todo,x\n"));
    let said = submit(&world, &["runs.csv"]).with_code(2);
    assert!(said.err.contains("this makes 1,001 runs"), "{said:#?}");
}

#[test]
fn a_sheet_is_chosen_by_its_name() {
    let world = world();
    workbook(&world, "runs.xlsx", &[&["lr"], &["0.1"]]);
    world.say(&["check", "runs.xlsx:Sheet1"]).with_code(0);
    world.say(&["check", "runs.xlsx:1"]).with_code(0);
    let said = world.say(&["check", "runs.xlsx:none"]).with_code(2);
    assert!(said.err.contains("there is no sheet 'none'") && said.err.contains("its sheets are 'Sheet1'"), "{said:#?}");
    let said = world.say(&["submit", "none.xlsx"]).with_code(2);
    assert!(said.err.contains("none.xlsx: there is no such file"), "{said:#?}");
    world.write("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").write("no.xlsx", "PK\x03\x04");
    assert!(world.say(&["check", "old.xls"]).with_code(2).err.contains(".xlsx"));
    world.say(&["check", "no.xlsx"]).with_code(2);
}

#[test]
fn nothing_to_do_is_said_and_no_failure() {
    let world = world();
    world.write("runs.csv", "status,lr\ndone,0.1\n");
    let said = submit(&world, &["runs.csv"]).with_code(0);
    assert!(said.err.contains("nothing is to run in runs.csv: `neronet check` says why, row by row"), "{said:#?}");
    let said = world.say(&["check", "runs.csv"]).with_code(0);
    assert!(said.out.contains("nothing is to run"), "{said:#?}");
    assert_eq!(world.say(&["run", "runs.csv", "--json"]).with_code(0).json(), json!([]));
}

#[test]
fn a_row_runs_the_code_of_its_commit() {
    let world = world();
    git(&world, &["init", "-q", "-b", "main"]);
    world.write(".gitignore", "data/\n").write("data/x", "linked").write("train.py", "print('old')\nprint('loss', 2)\n");
    git(&world, &["add", "-A"]);
    git(&world, &["commit", "-q", "-m", "one"]);
    let old = git(&world, &["rev-parse", "HEAD"]);
    world.write("train.py", "print('new')\nprint('loss', 1)\n");
    git(&world, &["commit", "-q", "-a", "-m", "two"]);
    world.write("train.py", "print('uncommitted')\nprint('loss', 0)\n").write("staged.py", "");
    git(&world, &["add", "staged.py"]);
    let state = || (git(&world, &["status", "--porcelain"]), git(&world, &["worktree", "list"]), git(&world, &["stash", "list"]));
    let before = state();
    let command = "sh -c 'python3 train.py; cat data/x'";
    world.write("neronet.toml", format!("command = \"{command}\"\n[code]\nlink = [\"data\"]\n[params]\nlr = 1\n"));
    world.write("runs.csv", format!("git,lr\n{},1\n,1\nmain,1\n", &old[..9]));
    let before_status = state();
    submit(&world, &["runs.csv"]).with_code(0);
    assert_eq!(state(), before_status);
    assert_eq!((before.1, before.2), (state().1, state().2));
    let log = |run: u64| world.say(&["logs", &run.to_string()]).with_code(0).out;
    assert_eq!([log(1), log(2), log(3)].map(|log| log.lines().next().unwrap_or_default().to_string()), ["old", "uncommitted", "new"]);
    assert!(log(1).contains("linked"), "{}", log(1));
    assert_eq!(world.show(1)["git"], json!({"commit": old, "branch": "", "dirty": false}));
    assert_eq!(world.show(2)["git"]["dirty"], true);
    // Each is known again by its commit.
    let said = submit(&world, &["runs.csv"]).with_code(0);
    assert!(said.err.contains("nothing is new: 3 runs are there already: 3 finished"), "{said:#?}");
    assert_eq!(world.list().len(), 3);
    // A copy of the run has the commit's files, and needs no repository.
    let copy = world.path("copy");
    let said = world.say(&["clone", "1", &copy.display().to_string()]).with_code(0);
    let again = said.out.lines().chain(said.err.lines()).find_map(|line| line.split_once("neronet run ")).expect("how").1.to_string();
    assert_eq!(again, "runs.csv.toml --set code.commit=");
    let mut words = vec!["run", "--quiet"];
    words.extend(again.split(' '));
    let ran: Said = world.neronet(&words).current_dir(&copy).output().expect("neronet starts").into();
    ran.with_code(0);
    assert_eq!(log(4).lines().next(), Some("old"));

    world.write("runs.csv", "git,lr\n0000000,1\n--help,2\n");
    let said = submit(&world, &["runs.csv"]).with_code(2);
    assert!(said.err.contains("runs.csv, A3: '--help' is no commit"), "{said:#?}");
    world.write("runs.csv", "git,lr\nmain,7\n0000000,1\n");
    let said = submit(&world, &["runs.csv"]).with_code(2);
    assert!(said.err.contains("error: runs.csv, A3: git knows no commit '0000000'"), "{said:#?}");
    // It is wrong for all rows that share it.
    world.write("runs.csv", "git,lr\nmain,7\n0000000,1\n0000000,2\n");
    let said = world.say(&["check", "runs.csv"]).with_code(2);
    assert_eq!(said.out.matches("A3: git knows no commit '0000000'").count(), 2, "{said:#?}");
    assert!(said.out.contains("    2  good by itself"), "{said:#?}");
    assert_eq!(world.list().len(), 4);
}

#[test]
fn a_specification_names_a_commit_too() {
    let world = world();
    git(&world, &["init", "-q", "-b", "main"]);
    world.write("train.py", "print('old')\n");
    git(&world, &["add", "-A"]);
    git(&world, &["commit", "-q", "-m", "one"]);
    world.write("train.py", "print('new')\n").write("new.py", "");
    world.write("neronet.toml", "command = \"python3 train.py\"\ncode.commit = \"HEAD\"\n");
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(printed(&world, 1), "old");
    world.write("neronet.toml", "command = \"python3 new.py\"\ncode.commit = \"HEAD\"\n");
    let said = world.say(&["check"]);
    assert!(format!("{}{}", said.out, said.err).contains("commit HEAD does not have it"), "{said:#?}");
    world.write("neronet.toml", "command = \"python3 train.py\"\ncode.commit = \"nope\"\n");
    let said = world.say(&["run"]).with_code(2);
    assert!(said.err.starts_with("error: neronet.toml:2:15: git knows no commit 'nope'"), "{said:#?}");
}

#[test]
fn runs_are_written_to_sheets_and_read_back_as_they_were() {
    let world = world();
    world.write("runs.csv", "lr,act,x,comments\n1e-3,relu,=1+1,\"a, b\"\n0.25,@none,-5,\n");
    submit(&world, &["runs.csv"]).with_code(0);
    world.say(&["tag", "2", "keep"]).with_code(0);
    for name in ["out.xlsx", "out.csv"] {
        let said = world.say(&["export", "-o", name]).with_code(0);
        assert_eq!(said.err, format!("2 runs written to {name}\n"));
        let bytes = std::fs::read(world.project().join(name)).expect("written");
        let sheet = read(&bytes, name, None).expect("a sheet");
        let columns: Vec<&str> = sheet.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            columns,
            ["run@id", "name", "status", "date", "run@duration", "commit", "lr", "act", "x", "loss@best", "run@tags", "comments"]
        );
        let cell = |row: usize, name: &str| {
            let at = columns.iter().position(|column| *column == name).expect("a column");
            sheet.rows[row].cells[at].as_ref().map(|cell| cell.value.clone())
        };
        let text = |text: &str| Some(Value::Str(text.into()));
        assert_eq!((cell(0, "run@id"), cell(1, "run@id")), (Some(Value::Int(1)), Some(Value::Int(2))));
        assert_eq!((cell(0, "lr"), cell(1, "lr")), (Value::float("0.001"), Value::float("0.25")));
        assert_eq!((cell(1, "x"), cell(0, "loss@best")), (Some(Value::Int(-5)), Some(Value::Int(1))));
        assert_eq!((cell(0, "status"), cell(0, "comments"), cell(1, "run@tags")), (text("finished"), text("a, b"), text("keep")));
        assert_eq!((cell(0, "x"), cell(1, "act")), (text("=1+1"), text("@none")));
        // What has run is left alone, and once more to do it is what is there already.
        let said = submit(&world, &[name]).with_code(0);
        assert!(said.err.contains("nothing is to run"), "{said:#?}");
        assert!(world.say(&["export", "-o", name]).with_code(2).err.contains("is there already; --force writes over it"));
        world.say(&["export", "-o", name, "--force", "2"]).with_code(0);
        let bytes = std::fs::read(world.project().join(name)).expect("written");
        assert_eq!(read(&bytes, name, None).expect("a sheet").rows.len(), 1);
    }
    let names = std::fs::read_dir(world.project()).expect("a folder").flatten().map(|entry| entry.file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".new")));
    let said = world.say(&["export", "lr < 0.1", "-o", "-", "--fields", "id,lr,loss,attempts"]).with_code(0);
    assert_eq!(said.out, "run@id,lr,loss@best,run@attempts\n1,1e-3,1,1\n");
    // Other sheets would be code that is new.
    for name in ["out.xlsx", "out.csv"] {
        std::fs::remove_file(world.project().join(name)).expect("it is there");
    }
    for fields in [&[][..], &["--fields", "id,experiment,created,duration,params,loss,tags"]] {
        world.say(&[&["export", "-o", "again.csv"], fields].concat()).with_code(0);
        let written = std::fs::read_to_string(world.project().join("again.csv")).expect("written");
        world.write("again.csv", written.replace("finished", "TODO"));
        let said = submit(&world, &["again.csv"]).with_code(0);
        assert!(said.err.contains("nothing is new"), "{said:#?}");
        std::fs::remove_file(world.project().join("again.csv")).expect("it is there");
    }
    assert_eq!(world.list().len(), 2);
    assert!(world.say(&["export", "-o", "x.pdf"]).with_code(2).err.contains("must end in .xlsx, .csv"));
    assert!(world.say(&["export", "-o", "-", "--fields", "nope"]).with_code(2).err.contains("no field is called 'nope'"));
    world.say(&["export", "lr > 5", "-o", "none.csv"]).with_code(1);
    assert!(!world.project().join("none.csv").exists());
}

#[test]
fn words_of_a_sheet_are_what_they_are_elsewhere() {
    let world = world();
    world.say(&["run", "--quiet", "--set", "params.lr=.5,1_000,null,True"]).with_code(0);
    world.say(&["export", "-o", "out.csv", "--fields", "experiment,lr"]).with_code(0);
    let said = submit(&world, &["out.csv"]).with_code(0);
    assert!(said.err.contains("nothing is new"), "{said:#?}");
    // They arrive as they are written.
    world.write("neronet.toml", "command = \"python3 train.py {lr} {flags}\"\n");
    world.write("out.csv", "lr,amp\nTrue,FALSE\n.5,true\n");
    submit(&world, &["out.csv", "--keep"]).with_code(0);
    let (first, second) = (printed(&world, 5), printed(&world, 6));
    assert!(first.starts_with("args True") && second.starts_with("args .5"), "{first}, {second}");
    // A row that may be a header starts nothing.
    world.write("out.csv", "lr,n\n0.1,3\n\nwidth,depth\n64,3\n");
    let said = submit(&world, &["out.csv"]).with_code(2);
    assert!(said.err.contains("out.csv: row 4 looks like the header of a second table"), "{said:#?}");
    assert_eq!(world.list().len(), 6);
}

#[test]
fn secrets_are_masked_in_what_is_written() {
    let world = world();
    world.write("neronet.toml", "command = \"true {flags}\"\n[params]\ntoken = \"abcdef123456\"\nlr = [1, 2]\n");
    world.say(&["run", "--quiet"]).with_code(0);
    let said = world.say(&["export", "-o", "-"]).with_code(0);
    assert!(said.out.contains(",***,") && !said.out.contains("abcdef123456"), "{said:#?}");
}
