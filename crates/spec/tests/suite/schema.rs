//! The published schema against the reader: what is good passes both, and of what is malformed the schema refuses all that a
//! schema can see.

use boon::{Compiler, SchemaIndex, Schemas};
use neronet_spec::{parse, schema};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Why no schema can see what is wrong with a specification, and the tests that hold such ones.
const UNSEEN: &[(&str, &[&str])] = &[
    (
        "it is no TOML, so it never gets so far",
        &[
            "a_colon_for_an_equals_sign",
            "a_bare_key_with_other_letters",
            "a_duplicate_key",
            "a_duplicate_table",
            "a_file_cut_off_after_a_key",
            "a_file_cut_off_in_a_list",
            "a_file_cut_off_in_a_string",
            "a_text_without_quotes",
            "bad_parameters",
            "python_booleans_and_odd_numbers",
            "windows_paths_in_double_quotes",
        ],
    ),
    (
        "what a placeholder stands for is not a matter of shape",
        &[
            "a_checkpoint_of_another_experiment",
            "a_checkpoint_outside_resume",
            "a_placeholder_in_a_build",
            "a_placeholder_where_none_is_filled_in",
            "a_slip_is_told_without_what_follows_from_it",
            "an_input_that_is_not_there",
            "an_unknown_placeholder",
            "an_unknown_placeholder_behind_escapes",
            "an_unknown_placeholder_on_the_second_line",
            "flags_glued_in_a_list",
            "flags_in_quotes",
            "the_number_of_gpus_where_nobody_says_it",
        ],
    ),
    (
        "the quotes and the grammar of a shell",
        &[
            "a_backslash_before_a_placeholder",
            "a_build_with_an_open_quote",
            "a_placeholder_in_a_here_document",
            "a_placeholder_in_a_substitution",
            "a_placeholder_in_an_expansion_and_arithmetic",
            "a_placeholder_in_quotes_in_backticks",
            "a_placeholder_where_the_shell_is_still_in_a_here_document",
            "a_quote_that_is_never_closed",
            "bad_setup",
            "resume_arguments_behind_a_comment",
            "sh_and_ansi_quotes",
            "the_corrected_line_leaves_other_placeholders_and_the_variables_of_the_system_alone",
        ],
    ),
    (
        "two keys that contradict each other",
        &[
            "a_secret_that_is_a_variable_too",
            "an_edit_of_another_kind_of_file",
            "an_edit_of_the_users_own_file",
            "parameters_that_cannot_be_handed_over",
            "two_files_in_one_place",
            "what_keep_may_not_delete",
        ],
    ),
    ("whether an experiment has inherited it, or another one has it", &["an_experiment_without_a_command", "experiments"]),
];

struct Checker {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Checker {
    fn new() -> Checker {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.add_resource("neronet.json", schema()).expect("a resource");
        let index = compiler.compile("neronet.json", &mut schemas).expect("a schema of its draft");
        Checker { schemas, index }
    }

    fn refuses(&self, text: &str) -> Option<String> {
        match toml::from_str::<toml::Table>(text) {
            Ok(table) => self.schemas.validate(&in_json(toml::Value::Table(table)), self.index).err().map(|error| format!("{error:#}")),
            Err(error) => panic!("no TOML: {error}\n{text}"),
        }
    }
}

fn in_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(int) => json!(int),
        // What JSON has no number for is a number all the same.
        toml::Value::Float(float) => json!(if float.is_finite() { float } else { 0.5 }),
        toml::Value::Boolean(bool) => json!(bool),
        toml::Value::Datetime(date) => json!(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(in_json).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, in_json(value))).collect()),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The examples of the manual, and the files in `examples/`.
fn examples() -> Vec<(String, String)> {
    let manual = std::fs::read_to_string(root().join("docs/specification.md")).expect("the manual");
    let blocks = manual.split("```toml\n").skip(1).enumerate();
    let mut examples: Vec<(String, String)> = blocks
        .map(|(at, rest)| (format!("example {} of the manual", at + 1), rest.split("```").next().unwrap_or("").to_string()))
        .collect();
    let folders = std::fs::read_dir(root().join("examples")).expect("examples");
    for folder in folders.flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                examples.push((path.display().to_string(), std::fs::read_to_string(&path).expect("readable")));
            }
        }
    }
    examples
}

#[test]
fn every_example_is_good_for_the_reader_and_for_the_schema() {
    let checker = Checker::new();
    let examples = examples();
    assert!(examples.len() > 5);
    for (name, text) in examples {
        assert_eq!(checker.refuses(&text), None, "{name}");
        assert!(parse(&text, &name, None, &[]).is_ok_and(|plan| !plan.experiments.is_empty()), "{name}");
    }
}

/// The texts that the tests of malformed specifications hand to `refused`, by the name of the test.
fn malformed() -> BTreeMap<String, Vec<String>> {
    let sources = [
        include_str!("malformed.rs"),
        include_str!("malformed_commands.rs"),
        include_str!("malformed_files.rs"),
        include_str!("malformed_keys.rs"),
        include_str!("malformed_stages.rs"),
        include_str!("malformed_sweeps.rs"),
    ];
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for test in sources.iter().flat_map(|source| source.split("#[test]\nfn ").skip(1)) {
        let name = test.split('(').next().unwrap_or("").to_string();
        for call in test.split("refused(").skip(1) {
            let literal = call.trim_start();
            let text = if let Some(raw) = literal.strip_prefix("r#\"") {
                raw.split("\"#").next().map(str::to_string)
            } else {
                let end = literal.char_indices().skip(1).find(|(at, c)| *c == '"' && !literal[..*at].ends_with('\\'));
                // A plain literal of Rust is one of JSON, as far as these go.
                end.filter(|_| literal.starts_with('"')).and_then(|(end, _)| serde_json::from_str(&literal[..=end]).ok())
            };
            texts.entry(name.clone()).or_default().extend(text);
        }
    }
    texts
}

#[test]
fn what_is_malformed_is_refused_by_the_schema_where_it_can_be_seen() {
    let checker = Checker::new();
    let texts = malformed();
    assert!(texts.values().flatten().count() > 60);
    let mut wrong = Vec::new();
    for (name, texts) in &texts {
        let unseen = texts.iter().filter(|text| toml::from_str::<toml::Table>(text).is_err() || checker.refuses(text).is_none()).count();
        let listed = UNSEEN.iter().any(|(_, names)| names.contains(&name.as_str()));
        match (unseen > 0, listed) {
            (true, false) => wrong.push(format!("the schema takes {name}: refuse it, or list it in UNSEEN with the reason")),
            (false, true) => wrong.push(format!("the schema refuses {name} now: take it out of UNSEEN")),
            _ => {}
        }
    }
    let listed = UNSEEN.iter().flat_map(|(_, names)| *names);
    wrong.extend(listed.filter(|name| !texts.contains_key(**name)).map(|name| format!("there is no test {name}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a table needs besides the key that is looked at.
fn beside(header: &str) -> &'static str {
    match header {
        "inputs.NAME" => "path = \"data\"\n",
        "rule" => "when = \"loss > 1\"\n",
        "file" => "edit = \"conf.txt\"\nset = { x = 1 }\n",
        _ => "",
    }
}

#[test]
fn every_word_of_the_schema_is_one_of_the_reader() {
    let schema = schema();
    let mut seen = 0;
    let words = |key: &Value| -> Vec<String> {
        let alternatives = key["anyOf"].as_array().cloned().unwrap_or_default();
        let all = std::iter::once(key.clone()).chain(alternatives);
        all.filter_map(|one| one["enum"].as_array().cloned()).flatten().filter_map(|word| word.as_str().map(str::to_string)).collect()
    };
    for (header, definition) in schema["definitions"].as_object().expect("definitions") {
        let is_level = ["experiment", "target", "params", "parameter", "value"].contains(&header.as_str());
        for (name, key) in definition["properties"].as_object().into_iter().flatten().filter(|_| !is_level) {
            for word in words(key) {
                let (open, close) = if ["then", "file", "rule"].contains(&header.as_str()) { ("[[", "]]") } else { ("[", "]") };
                let header = header.replace("NAME", "x");
                let text =
                    format!("command = \"t\"\n{open}{header}{close}\n{}{name} = \"{word}\"\n", beside(&header.replace(".x", ".NAME")));
                let read = parse(&text, "f", None, &[]);
                assert!(read.is_ok(), "{text}{}", read.err().map(|problems| problems.to_string()).unwrap_or_default());
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_schema_says_of_every_key_what_it_is() {
    let schema = schema();
    let definitions = schema["definitions"].as_object().expect("definitions");
    let tables = definitions.values().chain([&schema]);
    for (name, key) in tables.filter_map(|table| table["properties"].as_object()).flatten() {
        assert!(key["description"].as_str().is_some_and(|text| text.len() > 10), "{name}");
    }
}

#[test]
fn the_patterns_of_the_schema_take_what_the_reader_takes() {
    let checker = Checker::new();
    let both = |key: &str, value: &str, good: bool| {
        let text = format!("command = \"t {{flags}}\"\nparams.world = 2\n{key} = \"{value}\"\n");
        assert_eq!(parse(&text, "f", None, &[]).is_ok(), good, "the reader: {text}");
        assert_eq!(checker.refuses(&text).is_none(), good, "the schema: {text}");
    };
    for good in ["90", "90s", "10 min", "1.5h", ".5 h", "1h 30min", "2 days", "1-23:59:59", "1:30:00", "5:30", "250ms", " 3 weeks "] {
        both("resources.time", good, true);
    }
    for bad in ["", "h", "5 parsecs", "-3s", "1:2:3:4", "3 4", "soon"] {
        both("resources.time", bad, false);
    }
    for good in ["6 GB", "6GiB", "16G", "16Gi", "1.5 kB", " 500 mb ", "12 B", "12 bytes"] {
        both("outputs.max", good, true);
    }
    for bad in ["", "6", "GB", "6 XB", "6 GBB", "-1 GB", "6 gigabytes"] {
        both("outputs.max", bad, false);
    }
    for (key, good, bad) in [
        ("inputs.a.path = \"d\"\ninputs.a.needs", "1 file", "x files"),
        ("retry.on", "oom", "oops"),
        ("retry.times = 1\nretry.on_oom.world", "world / 2", ""),
        ("sweep.not_before", "2026-11-23 22:00", "tomorrow"),
        ("sweep.not_before", "22:00", "2h"),
        ("sweep.not_before", "in 2h", "in a while"),
        ("secrets.A", "env:B_1", "env:B-1"),
        ("secrets.A", "file:~/key", "file"),
        ("objective", "val error minimize", "val_error low"),
        ("resources.gpus", "max(1, world)", "$(nproc)"),
        ("code.directory", "a/b", "~/a"),
        ("outputs.keep", "*.png", "../*.png"),
        ("stop.signal", "SIGUSR1", "SIGTREM"),
    ] {
        both(key, good, true);
        both(key, bad, false);
    }
}

#[test]
fn ways_to_values_and_names_have_their_shapes_in_the_schema() {
    let checker = Checker::new();
    let both = |line: &str, good: bool| {
        let text =
            format!("command = \"t {{flags}}\"\nparams.w = 1\n{line}\n{}", if line.contains("uniform") { "sweep.samples = 2" } else { "" });
        assert_eq!(parse(&text, "f", None, &[]).is_ok(), good, "the reader: {text}");
        assert_eq!(checker.refuses(&text).is_none(), good, "the schema: {text}");
    };
    let good = ["x = { repeat = 5 }", "x = { uniform = [0, 1] }", "x = { derive = \"w * 2\" }", "x.lr = 1", "x = { low = 1, high = 2 }"];
    let bad = [
        "x = { loguniform = [0.1, 1] }",
        "x = { values = [1, 2] }",
        "x = { uniform = [1] }",
        "x = { repeat = 0 }",
        "x = { repeat = \"5\" }",
        "x = { derive = 3 }",
        "x = { choice = [] }",
        "x = { value = { a = 1 } }",
    ];
    good.iter().for_each(|line| both(&format!("params.{line}"), true));
    bad.iter().for_each(|line| both(&format!("params.{line}"), false));
    for name in ["a-b_c.d+e=f,g", "größe", "3d", "1_2", "lasting", "=a", ",a", "_"] {
        both(&format!("name = \"{name}\""), true);
    }
    for name in ["a b", "", "-a", ".a", "12", "1-2", "last", "a/b", "a:b", "a{b", "a'b", "a~"] {
        both(&format!("name = \"{name}\""), false);
    }
}
