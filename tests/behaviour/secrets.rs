//! What must never be on record: values of secret variables, passwords in addresses, files that hold keys.

use crate::world::{World, all_below};
use std::os::unix::fs::PermissionsExt;

const CANARIES: [&str; 5] = ["canary-token-91f3", "canary-password-27c8", "canary-address-5d10", "canary-dotenv-aa64", "canary-word-77e1"];

#[test]
fn secrets_are_on_no_record_but_the_submitters_own_environment() {
    let world = World::new();
    let script = r#"
import os, sys
for name in ("MY_API_TOKEN", "DB_PASSWORD", "DATABASE_URL"): print("using", name, os.environ[name])
print("connecting to", os.environ["DATABASE_URL"].split("@")[0].split(":")[-1], file=sys.stderr)
print(dict(os.environ))
print("epoch 1 loss 0.5")
sys.exit("cannot log in with " + os.environ["MY_API_TOKEN"] + " at " + os.environ["DATABASE_URL"])
"#;
    world.write("train.py", script).write(".env", format!("API_KEY={}\n", CANARIES[3])).write("notes.txt", "nothing to hide");
    world.git(&["init", "-q"]);
    let mut command = world.neronet(&["run", "--", "python3", "train.py"]);
    command.env("MY_API_TOKEN", CANARIES[0]).env("DB_PASSWORD", CANARIES[1]);
    command.env("DATABASE_URL", format!("postgres://ada:{}@db.example.org/runs", CANARIES[2]));
    command.env("SSH_KEY_PASSPHRASE", CANARIES[4]);
    let said = command.output().expect("neronet starts");
    assert_eq!(said.status.code(), Some(1));
    let output = world.output(1, 1);
    assert!(output.contains("using MY_API_TOKEN ***") && output.contains("epoch 1 loss 0.5"), "{output}");
    let mut in_private = 0;
    let mut found = Vec::new();
    for path in all_below(&world.home()) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let holds = |canary: &str| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        let here: Vec<&str> = CANARIES.into_iter().filter(|canary| holds(canary)).collect();
        if path.starts_with(world.home().join("private")) {
            in_private += here.len();
            let mode = path.metadata().expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        } else if !here.is_empty() {
            found.push((path, here));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(in_private, 4, "a retry needs them");
    for words in [&["show", "1"][..], &["show", "1", "--json"], &["ls", "-a"], &["ls", "-a", "--json"], &["logs", "1"]] {
        let said = world.say(words);
        let told = said.out + &said.err;
        assert!(!CANARIES.iter().any(|canary| told.contains(canary)), "{words:?}: {told}");
    }
}

#[test]
fn a_secret_that_the_specification_sets_is_not_on_the_record_of_what_was_printed() {
    let world = World::new();
    world.run_spec("command = 'echo using $MY_API_KEY'\n[env]\nMY_API_KEY = 'canary-key-10d7'\n").with_code(0);
    assert_eq!(world.output(1, 1), "using ***\n");
}

#[test]
fn a_secret_is_on_no_record_when_it_is_a_tag_a_setting_or_has_several_lines() {
    let world = World::new();
    let script = r#"
import json, os
print(os.environ["DEPLOY_KEY"])
open(os.environ["NERONET_METRICS"], "a").write(json.dumps({"step": 1, "loss": 1, "note": "at " + os.environ["MY_API_TOKEN"]}) + "\n")
open("hparams.yaml", "w").write("lr: 0.1\nremote: https://x/" + os.environ["MY_API_TOKEN"] + "/y\n")
"#;
    world.write("train.py", script);
    let mut command = world.neronet(&["run", "--", "python3", "train.py"]);
    command.env("MY_API_TOKEN", CANARIES[0]).env("DEPLOY_KEY", format!("begin\n{}\nend", CANARIES[1]));
    assert_eq!(command.output().expect("neronet starts").status.code(), Some(0));
    let record = world.record(1, 1);
    assert!(record.contains("at ***") && record.contains("https://x/***/y") && !record.contains("canary"), "{record}");
    assert_eq!(world.output(1, 1), "begin\n***\nend\n");
}

#[test]
fn what_is_shown_of_commands_parameters_and_tags_has_no_secrets() {
    let world = World::new();
    world.write(
        "t.py",
        "import os\nopen(os.environ['NERONET_METRICS'], 'a').write('{\"step\": 1, \"loss\": 1, \"api_key\": \"canary-tag\"}\\n')\n",
    );
    let spec = "command = \"python3 t.py {flags} --auth=canary-d\"\n[params]\n\
        n = [1, 2]\ntoken = \"canary-e\"\nurl = \"https://u:canary-g@h\"\nhf = \"hf_canary12345678901234567890\"\nplain = \"from-variable\"\n";
    world.write("neronet.toml", spec);
    world
        .say(&["run", "-q", "--", "python3", "t.py", "--api-key", "canary-a b", "--password=canary-b", "https://u:canary-c@h/x"])
        .with_code(0);
    world.run_spec(spec).with_code(0);
    let from_variable =
        world.neronet(&["run", "-q", "--set", "hub=canary-variable", "--", "true", "{hub}"]).env("HUB_TOKEN", "canary-variable").status();
    assert!(from_variable.expect("neronet starts").success());
    world.run_spec("command = \"true --auth=canary-d\"\nname = \"later\"\n").with_code(0);
    for words in [
        &["ls", "-a"][..],
        &["ls", "-a", "--json"],
        &["ls", "-a", "--fields", "params,token"],
        &["ls", "--sort", "nothing"],
        &["show", "1"],
        &["show", "2"],
        &["show", "2", "--json"],
        &["show", "4", "--json"],
        &["compare", "1-4", "--same"],
        &["compare", "1", "2", "--json", "--same"],
        &["plot", "2-3", "-m", "loss"],
        &["compare", "4-5"],
        &["report", "1-5", "-o", "report.html"],
        &["clone", "1", "one"],
        &["clone", "2", "two"],
        &["clone", "4", "four"],
    ] {
        let said = world.say(words);
        assert!(!said.out.is_empty() || !said.err.is_empty(), "{words:?}");
        let told = format!("{}{}{}", said.out, said.err, std::fs::read_to_string(world.project().join("report.html")).unwrap_or_default());
        assert!(!told.contains("canary"), "{words:?}: {told}");
    }
    let params = std::fs::read_to_string(world.home().join("runs/2/params.json")).expect("there");
    assert!(params.contains("canary-e") && params.contains("canary-g"), "the run itself gets the true values: {params}");
}

#[test]
fn the_command_of_a_queued_run_is_shown_without_its_secrets() {
    let world = World::new();
    world.write(
        "neronet.toml",
        "command = \"until [ -e $WORLD/go ]; do sleep 0.05; done; echo --api-key canary-a\"\n[params]\nn = [1, 2]\n",
    );
    world.say(&["run", "--detach"]).with_code(0);
    let shown = world.say(&["show", "2"]).with_code(0);
    world.tell("go");
    assert!(shown.out.contains("queued") && !shown.out.contains("canary"), "{}", shown.out);
    world.say(&["logs", "-f", "2"]).with_code(0);
}

#[test]
fn a_secret_in_a_command_is_not_on_the_record_of_what_was_printed() {
    let world = World::new();
    let print = "import sys; print('using', sys.argv[-1]); print('epoch 1 loss 0.5')";
    world.run(&["python3", "-c", print, "--api_key", "canary-key-10d7"]);
    assert_eq!(world.output(1, 1), "using ***\nepoch 1 loss 0.5\n");
    world.run_spec("command = 'echo using canary-key-10d8; true --api-key canary-key-10d8'\n").with_code(0);
    assert_eq!(world.output(2, 1), "using ***\n");
    assert!(!world.say(&["logs", "1"]).out.contains("canary"));
}

#[test]
fn a_check_shows_no_secrets() {
    let world = World::new();
    let spec = "command = \"python3 t.py {flags} --auth=canary-d $HUB_TOKEN\"\n[params]\n\
        api_key = \"sk-canary-a\"\ntoken = \"canary-e\"\nhub = \"canary-variable\"\n";
    world.write("neronet.toml", spec).write("t.py", "");
    for words in [&["check"][..], &["check", "--json"]] {
        let said = world.neronet(words).env("HUB_TOKEN", "canary-variable").output().expect("neronet starts");
        let told = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && told.contains("api_key") && told.contains("***") && !told.contains("canary"), "{told}");
    }
}

#[test]
fn a_secret_in_the_name_of_a_metric_a_checkpoint_or_a_file_is_not_on_record() {
    let world = World::new();
    let script = r#"
import json, os
name = os.environ["MY_API_TOKEN"]
open(os.environ["NERONET_METRICS"], "w").write(json.dumps({"step": 1, "loss of " + name: 0.5}) + "\n")
open("log.csv", "w").write(f"step,acc {name}\n1,0.9\n")
for path in (f"m-{name}.pt", f"{name}.png", f"{name}.txt"): open(path, "w").write("x")
"#;
    world.write("train.py", script);
    world.write(
        "neronet.toml",
        "command = \"python3 train.py\"\nmetrics.files = [\"log.csv\"]\ncheckpoints.paths = [\"*.pt\"]\noutputs.keep = [\"*.png\"]\n",
    );
    let said = world.neronet(&["run", "--quiet"]).env("MY_API_TOKEN", CANARIES[0]).output().expect("neronet starts");
    assert!(said.status.success(), "{said:?}");
    let run = world.show(1);
    assert!(run["metrics"]["loss of ***"]["last"] == 0.5 && run["metrics"]["acc ***"]["last"] == 0.9, "{run:#}");
    assert_eq!((&run["artifacts"][0]["path"], run["checkpoints"].as_array().map(Vec::len)), (&"***.png".into(), Some(0)));
    assert!(run["attempts"][0]["notices"].to_string().contains("checkpoint m-***.pt skipped: its name holds a secret"), "{run:#}");
    let ours =
        |path: &std::path::PathBuf| !path.starts_with(world.home().join("private")) && !path.starts_with(world.home().join("runs/1/work"));
    for path in all_below(&world.home()).into_iter().filter(ours) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
        // What the script itself wrote is the script's.
        assert!(path.ends_with("metrics-in.jsonl") || !text.contains(CANARIES[0]), "{}: {text}", path.display());
    }
}
