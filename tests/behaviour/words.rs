//! The argument that a process sees is the value that was written, whatever is in it.

use crate::world::World;
use serde_json::{Value, json};

const NASTY: [&str; 18] = [
    "plain",
    "",
    "two words",
    "it's",
    "say \"hi\"",
    "a\nb",
    "tab\there",
    "$(touch pwned) `touch pwned`",
    "$HOME ${HOME} \\ \\n",
    "--lr=0.1",
    "-",
    "* ? [a-z] ~",
    "naïve 学習 🧠",
    "{not} {{a}} placeholder}",
    "semi; colon & pipe | > out #",
    "!history",
    " trailing ",
    "%s\\0",
];

/// Leaves its arguments where the test finds them.
const DUMP: &str = "import json, os, sys\njson.dump(sys.argv[1:], open(os.environ['WORLD'] + '/argv-' + os.environ['NERONET_RUN'], 'w'))\n";

fn argv(world: &World, run: usize) -> Value {
    serde_json::from_str(&world.told(&format!("argv-{run}")).expect("it was called")).expect("JSON")
}

/// As a basic string of TOML.
fn toml(text: &str) -> String {
    let escaped =
        text.chars().map(|c| if c.is_control() || "\"\\".contains(c) { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() });
    format!("\"{}\"", escaped.collect::<String>())
}

fn sees(command: &str, expected: impl Fn(&str) -> Value) {
    let world = World::new();
    let values: Vec<String> = NASTY.iter().map(|value| toml(value)).collect();
    world.write("dump.py", DUMP);
    world.run_spec(&format!("command = {command}\n[params]\nvalue = [{}]\n[sweep]\nparallel = 4\n", values.join(", "))).with_code(0);
    for (i, value) in NASTY.iter().enumerate() {
        assert_eq!(argv(&world, i + 1), expected(value), "{value:?}");
        assert!(!world.home().join(format!("runs/{}/work/pwned", i + 1)).exists());
    }
}

#[test]
fn in_every_quote_of_a_shell_command() {
    sees("'''python3 dump.py {value} '{value}' \"{value}\" pre{value}post --x={value} '{{x}}' ${WORLD:+set}'''", |value| {
        json!([value, value, value, format!("pre{value}post"), format!("--x={value}"), "{x}", "set"])
    });
}

#[test]
fn in_a_command_that_is_a_list() {
    sees("['python3', 'dump.py', '{value}', 'a{value}b', '$HOME', 'two words']", |value| {
        json!([value, format!("a{value}b"), "$HOME", "two words"])
    });
}

#[test]
fn as_flags() {
    // A value that looks like a flag must not be taken for one.
    let like_a_flag = |value: &str| value.starts_with('-');
    sees(
        "'python3 dump.py {flags}'",
        |value| {
            if like_a_flag(value) { json!([format!("--value={value}")]) } else { json!(["--value", value]) }
        },
    );
}

#[test]
fn behind_two_dashes_every_word_arrives_as_it_is() {
    let world = World::new();
    world.write("dump.py", DUMP);
    let words: Vec<&str> =
        ["run", "--", "python3", "dump.py"].into_iter().chain(NASTY).chain(["{flags", "{lr}", "${x}", "--", "--detach"]).collect();
    world.say(&words).with_code(0);
    assert_eq!(argv(&world, 1), json!(words[4..]));
}

#[test]
fn behind_two_dashes_set_fills_what_it_names() {
    let world = World::new();
    world.write("dump.py", DUMP);
    world.say(&["run", "--set", "lr=0.1,0.01", "--", "python3", "dump.py", "--rate={lr}", "{other}", "{flags}"]).with_code(0);
    assert_eq!(argv(&world, 1), json!(["--rate=0.1", "{other}"]));
    assert_eq!(argv(&world, 2), json!(["--rate=0.01", "{other}"]));
}

#[test]
fn a_file_of_the_values_lies_beside_the_run() {
    let world = World::new();
    let spec = format!("command = 'true {{text}} {{n}} {{x}} {{on}}'\n[params]\ntext = {}\nn = 3\nx = 1e-3\non = true\n", toml(NASTY[7]));
    world.run_spec(&spec).with_code(0);
    let params: Value = serde_json::from_slice(&std::fs::read(world.home().join("runs/1/params.json")).expect("there")).expect("JSON");
    assert_eq!(params, json!({"text": NASTY[7], "n": 3, "x": 1e-3, "on": true}));
}
