//! The argument that a process sees is the value, in every context, in real shells.

use neronet_model::launch::Awaited;
use neronet_model::{Params, RunId, Value};
use neronet_spec::render::{Context, Mode};
use neronet_spec::{parse, render};
use proptest::prelude::*;
use std::process::Command;

pub(crate) const CONTEXT: Context<'static> = Context {
    seed: Some(7),
    checkpoint: Some("it's.npz"),
    best_checkpoint: Some("best.npz"),
    ..Context::of(RunId(42), "/home/a user/runs/42")
};

/// What a process of this command gets: it prints its arguments, each ended by a NUL.
pub(crate) fn seen(argv: &[String]) -> Vec<String> {
    let output = Command::new(&argv[0]).args(&argv[1..]).env("V", "v v").env("N", "n").env("HOME", "/h").output();
    let output = output.expect("the shell starts");
    assert!(output.status.success(), "{argv:?}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8 comes back as UTF-8");
    let mut words: Vec<String> = text.split('\0').map(str::to_string).collect();
    assert_eq!(words.pop().as_deref(), Some(""), "every argument ends in a NUL");
    words
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quotes {
    Bare,
    Single,
    Double,
    DollarDouble,
    Ansi,
}

/// Texts for around a placeholder, as written and as the shell reads them.
fn around(quotes: Quotes) -> &'static [(&'static str, &'static str)] {
    match quotes {
        Quotes::Bare => &[
            ("", ""),
            ("--x=", "--x="),
            ("a", "a"),
            ("$N", "n"),
            ("${N}", "n"),
            (r"\ ", " "),
            ("'q q'", "q q"),
            ("\"$V\"", "v v"),
            ("é", "é"),
            ("7", "7"),
            ("{{b}}", "{b}"),
            ("x=$(echo ')'\")\")", "x=))"),
        ],
        Quotes::Single => &[("", ""), ("a b", "a b"), ("$V", "$V"), (r"\", r"\"), ("\"", "\""), ("\n#", "\n#"), ("{1..3}", "{1..3}")],
        Quotes::Double | Quotes::DollarDouble => &[
            ("", ""),
            ("a b", "a b"),
            ("$V", "v v"),
            ("${V}", "v v"),
            ("${V:-\"}\"}", "v v"),
            (r"\\", r"\"),
            (r"\n", r"\n"),
            (r#"\""#, "\""),
            (r"\$x", "$x"),
            ("'", "'"),
            ("`echo \"x\"`", "x"),
            ("$(echo '\"' \"y\")", "\" y"),
            ("$((1 << 2))", "4"),
            ("#", "#"),
        ],
        Quotes::Ansi => &[("", ""), (r"\n", "\n"), (r"\\", r"\"), (r"\x41", "A"), (r"\'", "'"), ("$V", "$V"), ("\"", "\"")],
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ '\"$`\\\\!*?{}()<>|;&#~=\\[\\]\n\t\r-]{0,6}",
        2 => "\\PC{0,10}",
        1 => "[a-z0-9.]{0,6}",
        1 => prop::sample::select(vec!["", "-n", "--", "$(touch x)", "'", "\\", "\\'", "~", "\n", "!!", "if", "%s\\n", "é 漢 🙂", "{lr}", "}}", "\u{1b}[0m"])
            .prop_map(str::to_string),
    ]
}

fn quotes() -> impl Strategy<Value = Quotes> {
    prop::sample::select(vec![Quotes::Bare, Quotes::Single, Quotes::Double, Quotes::DollarDouble, Quotes::Ansi])
}

fn choice(quotes: Quotes) -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(around(quotes))
}

fn argument() -> impl Strategy<Value = (Quotes, (&'static str, &'static str), (&'static str, &'static str), String)> {
    quotes().prop_flat_map(|quotes| (Just(quotes), choice(quotes), choice(quotes), value()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_process_sees_the_value_in_every_context(
        arguments in prop::collection::vec(argument(), 1..5),
        backslash in any::<bool>(),
        dash in any::<bool>(),
    ) {
        let shell = if dash { "dash" } else { "bash" };
        let mut command = String::from("# {p0} it's \" all quiet\nprintf '%s\\0'");
        let mut expected = Vec::new();
        let mut params = Params::new();
        for (n, (quotes, before, after, value)) in arguments.into_iter().enumerate() {
            let quotes = if dash && quotes == Quotes::Ansi { Quotes::Double } else { quotes };
            let (before, after) = if dash && before.0 == r"\x41" { (("", ""), ("", "")) } else { (before, after) };
            // Double quotes read what is written for $'…' otherwise: keep to what both agree on.
            let agreed = |text: (&'static str, &'static str)| around(quotes).contains(&text);
            let (before, after) = (if agreed(before) { before } else { ("", "") }, if agreed(after) { after } else { ("", "") });
            let after = if after.0.ends_with('\\') { ("", "") } else { after };
            let (open, close) = match quotes {
                Quotes::Bare => ("", ""),
                Quotes::Single => ("'", "'"),
                Quotes::Double => ("\"", "\""),
                Quotes::DollarDouble => ("$\"", "\""),
                Quotes::Ansi => ("$'", "'"),
            };
            // A backslash that is itself, right before the placeholder.
            let slash = if backslash && !matches!(quotes, Quotes::Bare) { r"\" } else { "" };
            let dollar = if dash && quotes == Quotes::DollarDouble { "$" } else { "" };
            command.push_str(&format!(" {open}{}{slash}{{p{n}}}{}{close}", before.0, after.0));
            expected.push(format!("{dollar}{}{slash}{value}{}", before.1, after.1));
            params.set(&format!("p{n}"), Value::Str(value));
        }
        let text = toml_text(&command, shell, &params);
        let plan = parse(&text, "neronet.toml", None, &[]).map_err(|problems| TestCaseError::fail(format!("{command}\n{problems}")))?;
        let experiment = &plan.experiments[0];
        let run = experiment.runs().next().expect("one run");
        prop_assert_eq!(&run, &params);
        let rendered = render::command(&experiment.settings, &run, &CONTEXT, Mode::First, "false").map_err(TestCaseError::fail)?;
        prop_assert_eq!(&rendered.argv[..2], [shell.to_string(), "-c".to_string()]);
        prop_assert_eq!(seen(&rendered.argv), expected, "{}", rendered.argv[2]);
        // What people are shown is a command that does the same.
        let shown = [shell.to_string(), "-c".to_string(), rendered.shown];
        prop_assert_eq!(seen(&shown), seen(&rendered.argv), "{}", shown[2]);

        // A checkpoint that is known only when the step starts is in its variable by then.
        let step = text.replace("{p0}", "{checkpoint}").replacen("command = ", "command = 'true'\n[[then]]\nname = 'step'\ncommand = ", 1);
        let plan = parse(&step, "neronet.toml", None, &[]).map_err(|problems| TestCaseError::fail(format!("{step}\n{problems}")))?;
        let settings = &plan.experiments[0].settings;
        let step = render::step(settings, &run, &CONTEXT, &settings.then[0], "false").map_err(TestCaseError::fail)?;
        prop_assert_eq!(&step.awaits, &[Awaited::Latest]);
        let value = run.get("p0").map(Value::to_string).unwrap_or_default();
        let set = ["env".to_string(), format!("{}={value}", Awaited::Latest.variable())];
        prop_assert_eq!(seen(&[&set, step.argv.as_slice()].concat()), seen(&rendered.argv), "{}", step.argv[2]);
    }

    #[test]
    fn flags_are_the_same_with_and_without_a_shell(values in prop::collection::vec(value(), 1..5), setup in any::<bool>()) {
        let params: Params = values.into_iter().enumerate().map(|(n, value)| (format!("p{n}"), Value::Str(value))).collect();
        let setup = if setup { "\n[environment]\nsetup = [\"true\", \"cd / # it's\"]" } else { "" };
        let by_shell = toml_text("printf '%s\\0' {flags}", "bash", &params).replace("[environment]", "[environment]\nsetup = [\"V=1\"]");
        let by_list = format!("command = [\"printf\", '%s\\0', \"{{flags}}\"]\n{}{setup}\n", toml_params(&params));
        let mut both = Vec::new();
        for text in [by_shell, by_list] {
            let plan = parse(&text, "neronet.toml", None, &[]).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
            let rendered = render::command(&plan.experiments[0].settings, &params, &CONTEXT, Mode::First, "sh").map_err(TestCaseError::fail)?;
            both.push(seen(&rendered.argv));
        }
        prop_assert_eq!(&both[0], &both[1]);
        // Each value is there, alone or behind its name.
        for (name, value) in params.iter() {
            let joined = format!("--{name}={value}");
            let at = both[0].iter().position(|word| *word == joined || *word == format!("--{name}"));
            let at = at.ok_or_else(|| TestCaseError::fail(format!("--{name} is missing in {:?}", both[0])))?;
            prop_assert!(both[0][at] == joined || both[0].get(at + 1) == Some(&value.to_string()));
        }
    }

    #[test]
    fn a_bare_command_line_stays_as_typed(words in prop::collection::vec("[a-z]{1,3}[{}$\\\\ a-c'\"]{0,8}|\\PC{1,10}", 1..5)) {
        let plan = neronet_spec::of_command(&words, &[]).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        let rendered = render::command(&plan.experiments[0].settings, &Params::new(), &CONTEXT, Mode::First, "sh").map_err(TestCaseError::fail)?;
        prop_assert_eq!(rendered.argv, words);
    }

    #[test]
    fn a_quote_in_front_of_what_is_no_escape_is_taken(word in "[\"'][a-z]?\\\\[xuU]\\PC{0,9} ?[a-z.]{0,3}") {
        let words = vec!["true".to_string(), word];
        let plan = neronet_spec::of_command(&words, &[]).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        prop_assert_eq!(plan.experiments.len(), 1);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}|([a-z.]{1,6} ?= ?[\\[\\]{}\"'0-9a-z,. ]{0,12}\n|\\[{1,2}[a-z.]{1,10}\\]{1,2}\n){0,6}") {
        let _ = parse(&text, "neronet.toml", None, &[]);
        let _ = parse(&format!("command = '''{text} {{flags}}'''\n[params]\nlr = 1\n"), "neronet.toml", None, std::slice::from_ref(&text));
    }
}

fn toml_params(params: &Params) -> String {
    let lines = params.iter().map(|(name, value)| format!("{name} = {}\n", toml_string(&value.to_string())));
    format!("[params]\n{}", lines.collect::<String>())
}

fn toml_text(command: &str, shell: &str, params: &Params) -> String {
    format!("command = {}\n[environment]\nshell = \"{shell}\"\n{}", toml_string(command), toml_params(params))
}

/// A basic string with everything unusual escaped, so that places in it are hard to find.
fn toml_string(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_string(),
        c if c.is_ascii_alphanumeric() || " {}'$%#.-_=".contains(c) => c.to_string(),
        c => format!("\\U{:08X}", c as u32),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// What bash says of a script without running it.
fn bash_reads(script: &str) -> Result<(), String> {
    let output = Command::new("bash").args(["-n", "-c", script]).env("LC_ALL", "C").output().expect("bash starts");
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    if output.status.success() && said.is_empty() { Ok(()) } else { Err(said) }
}

#[test]
fn ordinary_scripts_are_taken() {
    for command in [
        "for s in 1 2; do python t.py --seed $s --lr {n}; done",
        "cat <<'EOF' > c.txt\nit's $x\nEOF\npython t.py {n}",
        "if [ \"$(ls | wc -l)\" -gt 3 ]; then t {n}; fi",
        "t {n}; x=$(case a in a) echo 1;; esac); echo done",
        "python t.py {n} 2>&1 | tee \"log-{n}.txt\"",
        "awk '{print $1}' f | head -n {n}",
        "echo $((1 << 2)) {n}",
        "(( i = 1 << 2 )); t {n}",
        "a=(1 2); echo ${#a[@]} $# $$ {n}",
        "echo \"${x:-'a}'}\" {n}",
        "echo ${x//\\//_} ${x%\"}\"} {n}",
        "[[ $x =~ ^(a|b)$ ]] && t {n}",
        "diff <(sort a) <(sort {n})",
        "t {n} <<< \"x y\"",
        "echo a#b {n} # it's",
        "f() { t \"$@\"; }; f {n}",
        "echo \\' \"\\\"\" {n}",
        "x=$(( $(echo 1) + 2 )) t {n}",
        "cat <<-A <<B\n\tx's\n\tA\ny\"\nB\nt {n}",
        "echo $'it\\'s' {n}",
        "case {n} in 1) echo one;; *) echo \"it's\";; esac",
        "for ((i = 0; i < 3; i++)); do t {n}; done",
        "cat <<E\na \\\\\nE\nt {n}",
        "cat <<E\na \\\nE\nE\nt {n}",
        "echo ${x:+\"a } b\"} {n}",
        "echo `echo \\`echo 1\\`` {n}",
        "x=$(cat <<E\nit's )\nE\n) t {n}",
        "x=$(echo a # it's )\n) t {n}",
        "python t.py \\\n{flags}",
        "\n\n  python t.py {flags} && echo 'done'\n",
    ] {
        let text = format!("command = {}\nparams.n = 3\n[environment]\nshell = \"bash\"\n", toml_string(command));
        let plan = parse(&text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{command}\n{problems}"));
        let run = plan.experiments[0].runs().next().expect("a run");
        let rendered = render::command(&plan.experiments[0].settings, &run, &CONTEXT, Mode::First, "sh").expect("renders");
        assert_eq!(bash_reads(&rendered.argv[2]), Ok(()), "{}", rendered.argv[2]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_scanner_and_the_shell_agree_on_what_is_left_open(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "'", "\"", "\\", "`", "$(", ")", "$((", "))", "${x", "}", "$'", "$\"", "a", " ", "#", "\n", "echo ", "$x", "'", "\"", "${x:-", "}", "<<E\n", "\nE\n", "<<<",
                ";", "{{a}}", "[", "]", "=",
            ]),
            0..9,
        ),
    ) {
        // Two closing braces are one outside of `${…}` and two within: kept apart, they are what they look like.
        let apart = |script: String, part: &&str| {
            let between = if script.ends_with('}') && part.starts_with('}') { " " } else { "" };
            script + between + part
        };
        let script = parts.iter().fold("true ".to_string(), apart);
        let plain = script.replace("{{", "{").replace("}}", "}");
        let text = format!("command = {}\n", toml_string(&script));
        let open = |text: &str| text.contains("never closed") || text.contains("never ends");
        let ours = match parse(&text, "neronet.toml", None, &[]) {
            Ok(_) => false,
            // Shells differ about it, so it is refused before anything else is looked at.
            Err(problems) if problems.to_string().contains("a line that a backslash joins") => return Ok(()),
            Err(problems) => open(&problems.to_string()),
        };
        let bash = bash_reads(&plain);
        let theirs = bash.as_ref().is_err_and(|said| said.contains("looking for matching") || said.contains("delimited by end-of-file"));
        // Bash may find another mistake first; what it takes whole must be whole here too.
        let subscript = bash.as_ref().is_err_and(|said| said.contains("matching `]'"));
        // Arithmetic is read only when it is carried out: there bash takes with -n what it refuses later.
        let later = bash.is_ok() && ours && plain.contains("$((");
        if (bash.is_ok() || theirs) && !subscript && !later {
            prop_assert_eq!(ours, theirs, "{}\n{:?}", plain, bash);
        }
    }
}
