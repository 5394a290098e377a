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
