//! A sheet of runs: which rows run, what they are written down as, and where a mistake in a cell is told.

use neronet_model::Value;
use neronet_sheet::{read, write_xlsx};
use neronet_spec::rows::Rows;
use neronet_spec::{Plan, parse_sheet, recorded};
use proptest::prelude::*;

const BASE: (&str, &str) =
    ("neronet.toml", "command = \"python train.py {flags}\"\nobjective = \"val_error min\"\n[params]\nlr = 0.1\nact = \"relu\"\n");

fn rows_with(csv: &str, files: &[(&str, &str)], set: &[&str]) -> Rows {
    let sheet = read(csv.as_bytes(), "runs.csv", None).expect("a sheet");
    parse_sheet(&sheet, "runs.csv", files, &set.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn rows(csv: &str) -> Rows {
    rows_with(csv, &[BASE], &[])
}

/// Every run: its experiment and parameters, and what its row says beside them.
fn runs(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for experiment in &plan.experiments {
        assert_eq!(experiment.rows.len() as u64, experiment.count());
        for (params, row) in experiment.runs().zip(&experiment.rows) {
            let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let tags: String = row.tags.iter().map(|tag| format!(" @{tag}")).collect();
            let note = row.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            lines.push(format!("{}: {} {}{tags}{note}", row.number, experiment.name, params.join(" ")));
        }
    }
    lines.join("\n")
}

/// What becomes of every row.
fn fates(rows: &Rows) -> String {
    rows.rows.iter().map(|row| format!("{}: {}", row.number, row.why.as_deref().unwrap_or("runs"))).collect::<Vec<_>>().join("\n")
}

/// The whole message, and what becomes of the rows.
fn refused(csv: &str, files: &[(&str, &str)]) -> String {
    let rows = rows_with(csv, files, &[]);
    let said = rows.plan.as_ref().map(runs).expect_err("refused").to_string();
    assert!(!said.contains(".toml:") || said.contains("neronet.toml:"), "no line of what nobody wrote: {said}");
    format!("{said}\n\n{}", fates(&rows))
}

fn texts(plan: &Plan) -> String {
    let texts = plan.experiments.iter().map(|experiment| experiment.source.as_ref().expect("a specification").text.clone());
    texts.collect::<Vec<_>>().join("---\n")
}

#[test]
fn rows_become_runs_and_blank_cells_leave_what_the_base_says() {
    let rows = rows("lr,act,width\n0.10,none,32\n1e-3,,64\n,,\n0.2,none,128\n");
    let plan = rows.plan.expect("a plan");
    insta::assert_snapshot!(runs(&plan), @r"
    2: train lr=0.10 act=none width=32
    5: train lr=0.2 act=none width=128
    3: train lr=1e-3 act=relu width=64
    ");
    insta::assert_snapshot!(texts(&plan), @r#"
    # Made of 'runs.csv': 2 rows from 2 on
    include = ["neronet.toml"]
    [params]
    lr = [
      0.10,
      0.2,
    ]
    act = [
      "none",
      "none",
    ]
    width = [
      32,
      128,
    ]
    [sweep]
    zip = [["lr", "act", "width"]]
    ---
    # Made of 'runs.csv': row 3
    include = ["neronet.toml"]
    [params]
    lr = 1e-3
    width = 64
    "#);
    assert!(plan.warnings.is_empty() && rows.notes.is_empty(), "{:?} {:?}", plan.warnings, rows.notes);
}

#[test]
fn what_was_recorded_of_a_group_makes_the_same_runs() {
    let plan = rows("lr,act,größe.x y\n0.10,none,32\n1e-3,\"a \"\"b\"\"\\\",64\n-0,true,007\n5,+5,\n.5,True,null\n1_000,no,0xff\n")
        .plan
        .expect("a plan");
    for experiment in &plan.experiments {
        let again = recorded(experiment.source.as_ref().expect("recorded"), None, &[]).expect("a plan");
        let shown = |plan: &neronet_spec::Experiment| plan.runs().map(|params| format!("{params:?}")).collect::<Vec<_>>();
        assert_eq!(shown(&again.experiments[0]), shown(experiment));
        assert_eq!(again.experiments[0].settings, experiment.settings);
    }
    insta::assert_snapshot!(runs(&plan), @r#"
    2: train lr=0.10 act=none größe.x_y=32
    3: train lr=1e-3 act=a "b"\ größe.x_y=64
    4: train lr=-0 act=true größe.x_y=007
    6: train lr=.5 act=True größe.x_y=null
    7: train lr=1_000 act=no größe.x_y=0xff
    5: train lr=5 act=+5
    "#);
}

proptest! {
    #[test]
    fn every_row_is_one_run_or_tells_why_not(
        header in proptest::collection::vec("[a-c. (]{1,3}|status|name|cmd|git|python|notes|seed|flags", 1..5),
        cells in proptest::collection::vec(proptest::collection::vec("|todo|done|-?[0-9]{1,2}|1e-[0-9]|[a-b{} '\"\\\\=-]{0,6}|#N/A|t [{]a[}]", 5), 0..6),
        base in 0usize..4,
    ) {
        let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |row: &[String]| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let csv: String = std::iter::once(&header).chain(&cells).map(|row| line(row) + "\n").collect();
        let bases = ["", "command = \"t {flags}\"", "command = \"t\"\nparams.a = [1, 2]", "[params.a]\nb = 1\n[sweep]\nzip = []"];
        let file = [("neronet.toml", bases[base])];
        let Ok(sheet) = read(csv.as_bytes(), "runs.csv", None) else { return Ok(()) };
        let rows = parse_sheet(&sheet, "runs.csv", if base == 0 { &[] } else { &file }, &[]);
        prop_assert_eq!(rows.rows.len(), sheet.rows.len());
        if let Ok(plan) = &rows.plan {
            let mut told: Vec<u32> = plan.experiments.iter().flat_map(|experiment| &experiment.rows).map(|row| row.number).collect();
            told.sort_unstable();
            let run: Vec<u32> = rows.rows.iter().filter(|row| row.why.is_none()).map(|row| row.number).collect();
            prop_assert_eq!(told, run);
            prop_assert!(plan.experiments.iter().all(|experiment| experiment.count() == experiment.rows.len() as u64));
        }
    }
}

#[test]
fn usual_columns_mean_what_they_say() {
    let csv = "Date,Status,Name,Python,Git,Comments,lr,who,test_error@epoch=10,val_error\n\
               2026-01-01,TODO,first try,train.py --lr {lr},3f2c1a0,look  closer,0.1,Ada L.,,\n\
               2026-01-02,done,second,train.py --lr {lr},3f2c1a0,,0.2,Bob,0.1,0.3\n\
               2026-01-03, todo ,first try,train.py --lr {lr},3f2c1a0,,0.3,a@b,,0.5\n\
               2026-01-04,,,,,,0.4,,,\n\
               2026-01-05,todo,third,python3 other.py,1234567,,0.5,,,\n";
    let rows = rows(csv);
    insta::assert_snapshot!(fates(&rows), @r"
    2: runs
    3: its status is 'done'
    4: runs
    5: its status is blank
    6: runs
    ");
    let plan = rows.plan.expect("a plan");
    insta::assert_snapshot!(runs(&plan), @r"
    2: first-try lr=0.1 act=relu @who=Ada_L. (look  closer)
    4: first-try lr=0.3 act=relu @who=a_b
    6: third lr=0.5 act=relu
    ");
    insta::assert_snapshot!(texts(&plan), @r#"
    # Made of 'runs.csv': 2 rows from 2 on
    include = ["neronet.toml"]
    name = "first-try"
    command = "python train.py --lr {lr}"
    [code]
    commit = "3f2c1a0"
    [params]
    lr = [
      0.1,
      0.3,
    ]
    ---
    # Made of 'runs.csv': row 6
    include = ["neronet.toml"]
    name = "third"
    command = "python3 other.py"
    [code]
    commit = "1234567"
    [params]
    lr = 0.5
    "#);
    let notes: Vec<String> = rows.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    note: runs.csv: the command does not need 'who': it becomes a tag of the runs
    note: runs.csv: what is in 'test_error@epoch=10', 'val_error' looks like results, and is left alone
    ");
    assert_eq!(rows.rows[1].params.get("lr"), Some(&Value::float("0.2").expect("a number")));
}

#[test]
fn a_command_takes_what_it_names_and_the_rest_are_tags() {
    let csv =
        "command,lr,learning rate,optim.lr,machine name\nt {lr} {learning_rate},1,2,3,big one\nt {optim.lr},1,2,3,\nt {flags},1,2,3,x\n";
    let rows = rows_with(csv, &[], &[]);
    insta::assert_snapshot!(runs(rows.plan.as_ref().expect("a plan")), @r"
    2: t lr=1 learning_rate=2 @optim.lr=3 @machine_name=big_one
    3: t optim.lr=3 @lr=1 @learning_rate=2
    4: t lr=1 learning_rate=2 optim.lr=3 machine_name=x
    ");
    let notes: Vec<String> = rows.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    note: runs.csv: column 'learning rate' is parameter 'learning_rate'
    note: runs.csv: column 'machine name' is parameter 'machine_name'
    note: runs.csv: the command does not need 'lr', 'learning rate', 'optim.lr', 'machine name': they become tags of the runs
    ");
}

#[test]
fn a_name_of_a_group_is_the_part_before_the_dot() {
    let bytes = "optim,,data,\nlr,wd,lr,width\n1,2,3,4\n5,6,7,8\n";
    let base = ("neronet.toml", "command = \"t {optim.lr} {optim.wd} {data.lr} {width}\"\n");
    let rows = rows_with(bytes, &[base], &[]);
    insta::assert_snapshot!(runs(rows.plan.as_ref().expect("a plan")), @r"
    3: t optim.lr=1 optim.wd=2 data.lr=3 width=4
    4: t optim.lr=5 optim.wd=6 data.lr=7 width=8
    ");
}

#[test]
fn what_other_parts_of_the_base_use_is_a_parameter() {
    let base = (
        "neronet.toml",
        "command = \"t {lr} {hidden}\"\nenv.WIDTH = \"{width}\"\n[params]\nhidden = { derive = \"depth * 4\" }\n\
         [sweep]\nonly_if = \"depth < 4\"\nzip = [[\"lr\", \"hidden\"]]\n",
    );
    let rows = rows_with("lr,width,depth,seed,other\n1,2,3,4,5\n1,2,4,4,5\n2,2,2,4,5\n", &[base], &[]);
    insta::assert_snapshot!(fates(&rows), @r"
    2: runs
    3: only_if leaves it out
    4: runs
    ");
    insta::assert_snapshot!(runs(rows.plan.as_ref().expect("a plan")), @r"
    2: t hidden=12 lr=1 width=2 depth=3 seed=4 @other=5
    4: t hidden=8 lr=2 width=2 depth=2 seed=4 @other=5
    ");
}

#[test]
fn the_same_row_twice_is_one_run() {
    let rows = rows("lr,act\n0.1,a\n0.2,a\n1e-1,a\n0.1,a\n");
    insta::assert_snapshot!(fates(&rows), @r"
    2: runs
    3: runs
    4: it is the same run as row 2
    5: it is the same run as row 2
    ");
    assert_eq!(rows.plan.expect("a plan").experiments[0].count(), 2);
}

#[test]
fn set_stands_instead_of_a_column() {
    let rows = rows_with("lr,act\n0.1,a\n0.2,b\n", &[BASE], &["lr=5", "resources.time=1h"]);
    insta::assert_snapshot!(runs(rows.plan.as_ref().expect("a plan")), @r"
    2: train lr=5 act=a
    3: train lr=5 act=b
    ");
    let notes: Vec<String> = rows.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @"note: runs.csv: --set stands instead of 'lr'");
    let said = rows_with("act\na\nb\n", &[BASE], &["lr=1,2"]).plan.expect_err("refused").to_string();
    insta::assert_snapshot!(said, @r"
    error: runs.csv: a row is one run, and --set gives 'lr' several values
     = give it one: --set lr=VALUE
    ");
}

#[test]
fn nothing_to_do_is_no_mistake() {
    let rows = rows("status,lr\ndone,0.1\n,0.2\n");
    insta::assert_snapshot!(fates(&rows), @r"
    2: its status is 'done'
    3: its status is blank
    ");
    assert_eq!(rows.plan.expect("a plan").experiments.len(), 0);
    assert_eq!(self::rows("lr,act\n").plan.expect("a plan").experiments.len(), 0);
}

#[test]
fn a_plan_knows_the_files_that_are_its_own() {
    let files = [BASE, ("other.toml", "")];
    let source = rows_with("lr\n0.1\n", &files, &[]).plan.expect("a plan").source.expect("known");
    assert_eq!((source.path.as_str(), source.included.len()), ("runs.csv", 1));
    assert_eq!(source.included[0].path, "neronet.toml");
}

#[test]
fn a_cell_without_a_value_is_named_where_a_run_needs_it() {
    insta::assert_snapshot!(refused("status,lr,act,who\ntodo,#DIV/0!,a,b\ndone,#N/A,a,b\ntodo,1,a,#REF!\n", &[BASE]), @r"
    error: runs.csv, B2: the cell holds an error: '#DIV/0!'
     = mend the formula, or write a value
    error: runs.csv, D4: the cell holds an error: '#REF!'
     = mend the formula, or write a value

    2: B2: the cell holds an error: '#DIV/0!'
    3: its status is 'done'
    4: D4: the cell holds an error: '#REF!'
    ");
}

#[test]
fn a_command_that_names_an_unknown_parameter() {
    insta::assert_snapshot!(refused("command,lr\nt {lrr},1\nt {lr},2\nt '{lr,3\n", &[]), @r#"
    error: runs.csv, A2: unknown placeholder '{lrr}': no parameter has this name (did you mean 'lr'?)
    error: runs.csv, A4: the quote ' opened here is never closed
     = an apostrophe in a text is written '\'' or stands in "…"

    2: A2: unknown placeholder '{lrr}': no parameter has this name
    3: runs
    4: A4: the quote ' opened here is never closed
    "#);
}

#[test]
fn nothing_says_what_to_run() {
    insta::assert_snapshot!(refused("lr,act\n1,a\n", &[]), @r"
    error: runs.csv, row 2: nothing says what to run
     = write a command in a column called command, or for all rows in a neronet.toml beside the sheet

    2: nothing says what to run
    ");
    insta::assert_snapshot!(refused("command,lr\nt {lr},1\n,2\n", &[]), @r"
    error: runs.csv, row 3: nothing says what to run
     = write a command in a column called command, or for all rows in a neronet.toml beside the sheet

    2: runs
    3: nothing says what to run
    ");
}

#[test]
fn what_holds_for_all_rows_is_said_once() {
    insta::assert_snapshot!(refused("lr,act\n1,a\n2,b\n3,c\n", &[]), @r"
    error: runs.csv: nothing says what to run
     = write a command in a column called command, or for all rows in a neronet.toml beside the sheet

    2: nothing says what to run
    3: nothing says what to run
    4: nothing says what to run
    ");
}

#[test]
fn rows_that_nobody_sees_are_counted() {
    let mut sheet = read(b"status,lr\ntodo,0.1\ntodo,0.2\ndone,0.3\n", "runs.csv", None).expect("a sheet");
    sheet.rows[1..].iter_mut().for_each(|row| row.hidden = true);
    let rows = parse_sheet(&sheet, "runs.csv", &[BASE], &[]);
    let notes: Vec<String> = rows.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["note: runs.csv: 1 of the 2 rows that run is hidden in the sheet"]);
}

#[test]
fn a_second_table_gives_its_rows_names_of_their_own() {
    let rows = rows("lr,n\n0.1,3\n\nwidth,depth,lr\n64,3,0.2\n");
    insta::assert_snapshot!(runs(&rows.plan.expect("a plan")), @r"
    2: train lr=0.1 act=relu n=3
    5: train lr=0.2 act=relu width=64 depth=3
    ");
    // A mistake is told with the letter that the column has there.
    insta::assert_snapshot!(refused("lr,n\n0.1,3\n\nwidth,depth,lr\n64,3,#N/A\n", &[BASE]), @r"
    error: runs.csv, C5: the cell holds an error: '#N/A'
     = mend the formula, or write a value

    2: runs
    5: C5: the cell holds an error: '#N/A'
    ");
}

#[test]
fn a_column_called_python_holds_a_script_or_the_whole_command() {
    let rows = rows_with("python,lr\npython_train.py {lr},1\npython3.11 t.py {lr},1\npython t.py {lr},1\n", &[], &[]);
    let texts = texts(&rows.plan.expect("a plan"));
    let commands: Vec<&str> = texts.lines().filter_map(|line| line.strip_prefix("command = ")).collect();
    assert_eq!(commands, [r#""python python_train.py {lr}""#, r#""python3.11 t.py {lr}""#, r#""python t.py {lr}""#]);
}

#[test]
fn a_name_that_is_none() {
    insta::assert_snapshot!(refused("name,lr\n42,1\nlast,2\na/b,3\n", &[BASE]), @r"
    error: runs.csv, A2: '42' cannot be a name: it looks like the id of a run
     = write 'run-42', for instance
    error: runs.csv, A3: 'last' cannot be a name: it means the last run
     = write 'run-last', for instance
    error: runs.csv, A4: 'a/b' cannot be a name: letters, digits, '-', '_', '.', '+', '=' and ',' are allowed
     = write 'a-b', for instance

    2: A2: '42' cannot be a name: it looks like the id of a run
    3: A3: 'last' cannot be a name: it means the last run
    4: A4: 'a/b' cannot be a name: letters, digits, '-', '_', '.', '+', '=' and ',' are allowed
    ");
}

#[test]
fn a_commit_that_is_none() {
    insta::assert_snapshot!(refused("git,lr\n--upload-pack=x,1\na b,2\nmain..dev,3\n3f2c1a0,4\n", &[BASE]), @r"
    error: runs.csv, A2: '--upload-pack=x' is no commit
     = write its hash, a tag or a branch: 3f2c1a0
    error: runs.csv, A3: 'a b' is no commit
     = write its hash, a tag or a branch: 3f2c1a0
    error: runs.csv, A4: 'main..dev' is no commit
     = write its hash, a tag or a branch: 3f2c1a0

    2: A2: '--upload-pack=x' is no commit
    3: A3: 'a b' is no commit
    4: A4: 'main..dev' is no commit
    5: runs
    ");
}

#[test]
fn two_columns_that_become_one_parameter() {
    insta::assert_snapshot!(refused("lr (a),lr [a]\n1,2\n", &[("neronet.toml", "command = \"t {flags}\"\n")]), @r"
    error: runs.csv, column B: columns A ('lr (a)') and this one are both parameter 'lr_a'
     = give one of the columns another name

    2: runs
    ");
}

#[test]
fn the_base_varies_what_the_sheet_does_not_say() {
    let base = ("neronet.toml", "command = \"t {flags}\"\n[params]\nlr = [0.1, 0.2]\nseed = { repeat = 3 }\n");
    insta::assert_snapshot!(refused("lr\n1\n2\n", &[base]), @r"
    error: runs.csv: a row is one run, and neronet.toml gives 'seed' several values
     = give the sheet a column 'seed', or say which: --set seed=VALUE

    2: runs.csv: a row is one run, and neronet.toml gives 'seed' several values
    3: runs.csv: a row is one run, and neronet.toml gives 'seed' several values
    ");
    insta::assert_snapshot!(refused("lr,seed,x\n1,1,1\n,2,2\n", &[base]), @r"
    error: runs.csv, A3: the cell is blank; a row is one run, and neronet.toml gives 'lr' several values
     = write the value of this run here

    2: runs
    3: A3: the cell is blank; a row is one run, and neronet.toml gives 'lr' several values
    ");
}

#[test]
fn the_base_has_experiments() {
    let base = ("neronet.toml", "command = \"t {flags}\"\n[[experiment]]\nname = \"a\"\n");
    insta::assert_snapshot!(refused("lr\n1\n", &[base]), @r"
    error: neronet.toml: it holds experiments of its own, and so do the rows of the sheet
     = what holds for the sheet alone goes into NAME.toml, where NAME is the sheet's: it is taken instead
    ");
}

#[test]
fn the_base_is_wrong_itself() {
    insta::assert_snapshot!(refused("lr\n1\n", &[("neronet.toml", "command = \"t {flags}\n")]), @r#"
    error: neronet.toml:1:21: the string is not closed on its line
    1 | command = "t {flags}
      |                     ^
      = a " is missing; a text of several lines stands in """
    "#);
    insta::assert_snapshot!(refused("name,lr\na,1\nb,2\n", &[("neronet.toml", "command = \"t {flags}\"\ngpu = 1\n")]), @r"
    error: neronet.toml:2:1: unknown key 'gpu'
    2 | gpu = 1
      | ^^^
      = if it is a parameter, write it below [params], or as params.gpu

    2: neronet.toml:2: unknown key 'gpu'
    3: neronet.toml:2: unknown key 'gpu'
    ");
    insta::assert_snapshot!(refused("lr\n1\n", &[("neronet.toml", "include = [\"none.toml\"]\n")]), @r#"
    error: neronet.toml:1:12: 'none.toml' cannot be included: it is not at hand
    1 | include = ["none.toml"]
      |            ^^^^^^^^^^^
      = a path in include is relative to the file that it stands in
    "#);
}

#[test]
fn parameters_that_are_in_each_others_way() {
    insta::assert_snapshot!(refused("optim,optim.lr\nadam,1\nsgd,2\n", &[("neronet.toml", "command = \"t {flags}\"\n")]), @r"
    error: runs.csv, column B: parameter 'optim.lr' is part of 'optim', which column A gives a value of its own
     = give one of the columns another name

    2: runs
    3: runs
    ");
}

#[test]
fn all_runs_are_left_out() {
    let base = ("neronet.toml", "command = \"t {flags}\"\n[sweep]\nonly_if = \"lr > 5\"\n");
    insta::assert_snapshot!(refused("lr\n1\n2\n", &[base]), @r#"
    error: neronet.toml:3:11: only_if excludes all 2 combinations, so there is no run
    3 | only_if = "lr > 5"
      |           ^^^^^^^^
      = it keeps the runs for which it is true

    2: neronet.toml:3: only_if excludes all 2 combinations, so there is no run
    3: neronet.toml:3: only_if excludes all 2 combinations, so there is no run
    "#);
}

#[test]
fn a_condition_that_cannot_be_worked_out() {
    let base = ("neronet.toml", "command = \"t {flags}\"\n[params]\nx = { derive = \"1 / lr\" }\n");
    insta::assert_snapshot!(refused("lr\n1\n0\n", &[base]), @r#"
    error: neronet.toml:3:5: parameter 'x' cannot be worked out for lr=0: division by zero
    3 | x = { derive = "1 / lr" }
      |     ^^^^^^^^^^^^^^^^^^^^^
      = exclude such runs by only_if in [sweep], or write … if … else …

    2: neronet.toml:3: parameter 'x' cannot be worked out for lr=0: division by zero
    3: neronet.toml:3: parameter 'x' cannot be worked out for lr=0: division by zero
    "#);
}

#[test]
fn too_many_experiments() {
    let csv = (0..1003).fold("name,lr\n".to_string(), |csv, n| format!("{csv}a{n},1\n"));
    let said = rows(&csv).plan.expect_err("refused").to_string();
    insta::assert_snapshot!(said, @r"
    error: runs.csv, row 1002: names, commands and commits make more than 1000 experiments
     = runs of one experiment have the same name; what tells them apart is a parameter
    ");
}

#[test]
fn a_workbook_is_named_with_its_sheet() {
    let cell = |text: &str| Some(Value::Str(text.into()));
    let table = [vec![cell("t {lrr}"), Some(Value::Int(1))], vec![cell("t {lr}"), Some(Value::from_f64(1e-3))]];
    let bytes = write_xlsx("runs.xlsx", &["command".into(), "lr".into()], table.into_iter()).expect("written");
    let sheet = read(&bytes, "lab/runs.xlsx", None).expect("a sheet");
    let said = parse_sheet(&sheet, "lab/runs.xlsx", &[], &[]).plan.expect_err("refused").to_string();
    insta::assert_snapshot!(said, @"error: lab/runs.xlsx, sheet 'Sheet1', A2: unknown placeholder '{lrr}': no parameter has this name (did you mean 'lr'?)");
}
