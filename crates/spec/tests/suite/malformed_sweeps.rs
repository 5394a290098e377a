//! What people get wrong about what varies, and the whole message that they read.

use crate::malformed::{refused, refused_with};
use crate::reading::plan;

fn params(lines: &str) -> String {
    refused(&format!("command = \"t {{flags}}\"\n[params]\n{lines}\n"))
}

fn with(set: &str) -> String {
    refused_with("command = \"t {flags}\"\nparams.x = 1\n", None, &[set])
}

fn all(cases: &[(&str, String)]) -> String {
    cases.iter().map(|(what, said)| format!("== {what}\n{said}")).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn distributions() {
    let sampled = |line: &str| params(&format!("{line}\n[sweep]\nsamples = 3"));
    let said = all(&[
        ("no samples", params("lr = { uniform = [0, 1] }")),
        ("no bounds", sampled("lr = { uniform = [] }")),
        ("one bound", sampled("lr = { log_uniform = [1e-3] }")),
        ("no list", sampled("lr = { uniform = 0.1 }")),
        ("words", sampled("lr = { uniform = [\"a\", \"b\"] }")),
        ("infinite", sampled("lr = { uniform = [0, inf] }")),
        ("turned around", sampled("lr = { uniform = [1, 0] }")),
        ("the same", sampled("lr = { int_uniform = [3, 3] }")),
        ("the logarithm of 0", sampled("lr = { log_uniform = [0, 1] }")),
        ("halves", sampled("lr = { int_uniform = [0.5, 3] }")),
        ("a negative deviation", sampled("lr = { normal = [0, -1] }")),
        ("too wide", sampled("lr = { log_normal = [0, 100] }")),
        ("nothing to choose from", sampled("lr = { choice = [] }")),
        ("a misspelt word", sampled("lr = { unifrom = [0, 1] }")),
        ("min and max", sampled("lr = { min = 0, max = 1 }")),
        ("a word and the samples", sampled("lr = { log_uniform = [1e-6, 1e-2], samples = 3 }")),
        ("a word and the scale", sampled("lr = { log = true, uniform = [1e-6, 1e-2] }")),
        ("two words", sampled("lr = { value = 3, repeat = 2 }")),
        ("further apart than any number", sampled("lr = { uniform = [-1e308, 1e308] }")),
        ("larger than any number", sampled("lr = { normal = [1e308, 1e308] }")),
        ("no samples at all", params("lr = { uniform = [0, 1] }\n[sweep]\nsamples = 0")),
        ("too many samples", params("lr = { uniform = [0, 1] }\n[sweep]\nsamples = 100000000")),
        ("a negative seed", params("lr = { uniform = [0, 1] }\n[sweep]\nsamples = 3\nseed = -1")),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn repeated_and_derived() {
    let said = all(&[
        ("no times", params("seed = { repeat = 0 }")),
        ("a word", params("seed = { repeat = \"five\" }")),
        ("too often", params("seed = { repeat = 99999999 }")),
        ("a division by zero", params("heads = [4, 0]\ndim = { derive = \"64 / heads\" }")),
        ("an unknown name", params("width = 3\nhidden = { derive = \"widht * 4\" }")),
        ("a name with a dash", params("batch-size = 3\nhidden = { derive = \"2 * batch-size * 4\" }")),
        ("itself", params("a = { derive = \"a + 1\" }")),
        ("a circle", params("a = { derive = \"b + 1\" }\nb = { derive = \"c\" }\nc = { derive = \"a\" }")),
        ("no expression", params("a = { derive = 3 }")),
        ("an unfinished one", params("w = 1\na = { derive = \"w *\" }")),
        ("a call", params("a = { derive = \"open('/etc/passwd')\" }")),
        ("a text in a product", params("w = \"x\"\na = { derive = \"w * 2\" }")),
        ("too large", params("w = 10\na = { derive = \"w ** 40\" }")),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn zipped_and_under_a_condition() {
    let said = all(&[
        ("other lengths", params("a = [1, 2]\nb = [1, 2, 3]\n[sweep]\nzip = [[\"a\", \"b\"]]")),
        ("unknown", params("width = [1, 2]\nb = [1, 2]\n[sweep]\nzip = [[\"widht\", \"b\"]]")),
        ("alone", params("a = [1, 2]\n[sweep]\nzip = [[\"a\"]]")),
        ("twice", params("a = [1, 2]\nb = [1, 2]\nc = [1, 2]\n[sweep]\nzip = [[\"a\", \"b\"], [\"a\", \"c\"]]")),
        ("derived", params("a = [1, 2]\nb = { derive = \"a\" }\n[sweep]\nzip = [[\"a\", \"b\"]]")),
        ("a number", params("a = [1, 2]\n[sweep]\nzip = 3")),
        ("all excluded", params("a = [1, 2]\n[sweep]\nonly_if = \"a > 2\"")),
        ("no condition", params("a = [1, 2]\n[sweep]\nonly_if = \"'a'\"")),
        ("assigned", params("a = [1, 2]\n[sweep]\nonly_if = \"a = 1\"")),
        ("the signs of C", params("a = [1, 2]\n[sweep]\nonly_if = \"a > 1 && a < 3\"")),
        ("not closed", params("a = [1, 2]\n[sweep]\nonly_if = \"(a > 1\"")),
        ("a division by zero", params("a = [1, 0]\n[sweep]\nonly_if = \"1 / a > 0\"")),
        (
            "too many",
            params(&format!(
                "{}[sweep]\nonly_if = \"a > 1\"",
                ["a", "b", "c", "d"].map(|name| format!("{name} = {:?}\n", (0..60).collect::<Vec<_>>())).concat()
            )),
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn set_in_the_spelling_of_hydra() {
    let said = all(&[
        ("an empty range", with("x=range(5,1)")),
        ("no step", with("x=range(1,5,0)")),
        ("no numbers", with("x=range(a,b)")),
        ("nothing", with("x=range()")),
        ("too long", with("x=range(1e9)")),
        ("shuffled", with("x=shuffle(1,2)")),
        ("one bound", with("x=interval(1)")),
        ("another tag", with("x=tag(quick, choice(1,2))")),
        ("an empty choice", with("x=choice()")),
        ("a gap", with("x=1,,2")),
        ("never closed", with("x=range(1,10")),
        ("beside another", with("x=0,range(1,10)")),
        ("a whole number over the logarithm", with("x=tag(log, int(interval(1,1000)))")),
        ("added", with("+y=1")),
        ("forced", with("++x=1")),
        ("taken away", with("~x")),
        ("an include", with("include=other.toml")),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn parameters_that_cannot_be_handed_over() {
    let long = "x".repeat(120_000);
    let said = all(&[
        ("one flag for two", refused("command = \"t {flags}\"\nflags.dashes = true\nparams.batch-size = 1\nparams.batch_size = 2\n")),
        ("in a command", refused(&format!("command = \"t {{v}}\"\nparams.v = [1, '{long}']\n"))),
        ("in flags", refused(&format!("command = \"t {{flags}}\"\nparams.v = '{long}'\n"))),
    ]);
    insta::assert_snapshot!(said);
    // By the file with all parameters it is.
    plan(&format!("command = \"t {{lr}}\"\nparams.lr = 1\nparams.v = '{long}'\n"));
    plan("command = \"t {flags} {batch_size}\"\nflags.dashes = true\nparams.batch-size = 1\nparams.batch_size = 2\n");
}

#[test]
fn what_only_some_experiments_make_of_what_they_share() {
    let shared = "params.lr = [1, 2]\nsweep.only_if = \"wd > lr\"\nsetup = 1\n";
    let experiment = |name: &str, params: &str| format!("[[experiment]]\nname = \"{name}\"\n{params}");
    let text = |with: &[(&str, &str)]| {
        let experiments: String = with.iter().map(|(name, params)| experiment(name, params)).collect();
        refused(&format!("command = \"t {{flags}} {{x}}\"\n{shared}{experiments}"))
    };
    let (good, bad) = ("params.wd = 3\nparams.x = 1\n", "params.x = 1\n");
    insta::assert_snapshot!(all(&[
        ("one of two", text(&[("a", good), ("b", bad)])),
        ("all", text(&[("a", bad), ("b", bad)])),
        ("three of four", text(&[("a", bad), ("b", bad), ("c", good), ("d", bad)])),
        ("its own", text(&[("a", good), ("b", "params.x = { derive = \"y\" }\nparams.wd = 3\n")])),
    ]));
}

#[test]
fn experiments() {
    let said = all(&[
        (
            "nothing to unset",
            refused("command = \"t {flags}\"\nparams.depth = 1\n[[experiment]]\nname = \"a\"\nunset = [\"params.dept\", \"resume\"]\n"),
        ),
        ("unset at the top", refused("command = \"t\"\nunset = [\"name\"]\n")),
        (
            "a nested one without a name",
            refused("command = \"t\"\n[[experiment]]\nname = \"a\"\n[[experiment.experiment]]\nparams.x = 1\n"),
        ),
        (
            "the same name deeper",
            refused("command = \"t\"\n[[experiment]]\nname = \"a\"\ninclude_self = true\n[[experiment.experiment]]\nname = \"a\"\n"),
        ),
        ("an include in one", refused("command = \"t\"\n[[experiment]]\nname = \"a\"\ninclude = \"b.toml\"\n")),
        ("an include of a text alone", refused("command = \"t\"\ninclude = \"b.toml\"\n")),
        ("nested tables", refused("command = \"t\"\n[[experiment]]\nname = \"a\"\nexperiment = 3\n")),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn what_deserves_a_word() {
    let warned = |text: &str| {
        let plan = neronet_spec::parse(text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let said = all(&[
        ("a list that is one value", warned("command = \"t {flags}\"\nparams.betas = [0.9, 0.999]\n")),
        ("samples of nothing", warned("command = \"t {flags}\"\nparams.lr = 1\nsweep.samples = 3\n")),
        ("a '=' too many", {
            let plan = neronet_spec::parse("command = \"t {flags}\"\nparams.x = 1\n", "neronet.toml", None, &["x==1".into()]);
            plan.expect("read").warnings.iter().map(ToString::to_string).collect()
        }),
        ("one variable for two", warned("command = \"t {flags}\"\n[params]\nlr = 1\nLR = 2\noptim.lr = 3\noptim_lr = 4\n")),
        ("a table that is none", warned("command = \"t {flags}\"\n[params.lr]\nuniform = [0, 1]\n")),
        ("the same with a scale", warned("command = \"t {flags}\"\n[params.lr]\nuniform = [0, 1]\nscale = \"log\"\n")),
        ("a table with a value", warned("command = \"t {flags}\"\n[params.loss]\nvalue = 1\nweight = 2\n")),
        ("one number written twice", warned("command = \"t {flags}\"\nparams.lr = [0.1, 1e-1]\n")),
        ("equal draws", warned("command = \"t {flags}\"\nparams.lr = { choice = [1, 2] }\nsweep.samples = 6\n")),
        ("draws that differ", warned("command = \"t {flags}\"\nparams.lr = { int_uniform = [1, 99999] }\nsweep.samples = 3\n")),
        ("a text of numbers", warned("command = \"t {flags}\"\nparams.lr = \"0.1, 0.01\"\nparams.of = \"0.1, decay 0.9\"\n")),
    ]);
    insta::assert_snapshot!(said);
}
