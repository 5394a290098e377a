//! What people get wrong in commands and what belongs to them, and the whole message that they read.

use crate::malformed::refused;

#[test]
fn no_command_but_one_in_a_table() {
    insta::assert_snapshot!(refused(
        r#"name = "x"
[params]
lr = 0.1
command = "python train.py {lr}"
"#
    ));
}

#[test]
fn an_unknown_placeholder() {
    insta::assert_snapshot!(refused(
        r#"command = "python train.py --lr {lrr} --out {out} {flags}"
[params]
lr = 0.1
wd = 1
"#
    ));
}

#[test]
fn an_unknown_placeholder_behind_escapes() {
    insta::assert_snapshot!(refused(
        r#"command = "printf \"\\t\u00e9\" {nope}"
"#
    ));
}

#[test]
fn an_unknown_placeholder_on_the_second_line() {
    insta::assert_snapshot!(refused(
        r#"command = '''
cd src
python train.py {nope}
'''
"#
    ));
}

#[test]
fn a_checkpoint_outside_resume() {
    insta::assert_snapshot!(refused(
        r#"command = "python train.py --resume {checkpoint}"
[env]
C = "{checkpoint.best}"
F = "{flags}"
"#
    ));
}

#[test]
fn a_placeholder_in_a_substitution() {
    insta::assert_snapshot!(refused(
        r#"command = "echo $(cat {file}) {flags}"
[params]
file = "x"
"#
    ));
}

#[test]
fn a_placeholder_in_quotes_in_backticks() {
    insta::assert_snapshot!(refused(
        r#"command = 'echo "`cat {data.file}`"'
[params]
data.file = "x"
"#
    ));
}

#[test]
fn a_placeholder_in_an_expansion_and_arithmetic() {
    insta::assert_snapshot!(refused(
        r#"[params]
a = 1
[[experiment]]
name = "one"
command = 'echo ${X:-{a}}'
[[experiment]]
name = "two"
command = 'echo $(( {a} + 1 ))'
"#
    ));
}

#[test]
fn a_placeholder_in_a_here_document() {
    insta::assert_snapshot!(refused(
        r#"command = '''
cat <<EOF
lr: {lr}
EOF
'''
[params]
lr = 1
"#
    ));
}

#[test]
fn a_placeholder_where_the_shell_is_still_in_a_here_document() {
    insta::assert_snapshot!(refused("command = \"cat <<EOF\\nfoo \\\\\\nEOF\\n'{a}'\\nEOF\\n\"\nparams.a = 1\n"));
    insta::assert_snapshot!(refused("command = \"cat <<'EOF'\\nfoo \\\\\\n'{a}'\\nEOF\\n\"\nparams.a = 1\n"));
    insta::assert_snapshot!(refused("command = \"cat <<EOF\\nEO\\\\\\nF\\n t '{a}'\"\nparams.a = 1\n"));
}

#[test]
fn a_placeholder_behind_what_may_be_two_subshells() {
    for command in [
        "echo $((case x in x) echo a;; y) echo b;; z) echo '{a}';; esac) )",
        "echo $((case x in x) case y in y) echo '{a}' ; esac ; esac) )",
        "echo $((echo a # )) b\n) ) '{a}'",
    ] {
        let said = refused(&format!("command = \"\"\"{command}\"\"\"\nparams.a = 1\n"));
        assert!(said.contains("a placeholder cannot stand in"), "{command}: {said}");
    }
}

#[test]
fn the_corrected_line_leaves_other_placeholders_and_the_variables_of_the_system_alone() {
    insta::assert_snapshot!(refused(
        "command = \"\"\"python3 x.py '{PATH}' $(echo {PATH}y) $(echo {b})\"\"\"\nparams.PATH = 1\nparams.b = 1\n"
    ));
}

#[test]
fn a_slip_is_told_without_what_follows_from_it() {
    insta::assert_snapshot!(refused("comand = \"t {x}\"\nparams.x = 1\n"));
    insta::assert_snapshot!(refused("command = \"t {X}\"\nparams.x = 1\n"));
    insta::assert_snapshot!(refused("command = \"t {run.id}\"\nparams.run.id = 1\n"));
    insta::assert_snapshot!(refused("command = \"t\"\nobjective = [\"loss min\", 3]\n"));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = "command = \"t {x:02d} {flags}\"\n[params]\nx = [1, 1, 1]\n[resume]\narguments = \"--resume\"\n";
    let plan = neronet_spec::parse(text, "neronet.toml", None, &[]).expect("a plan");
    let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"));
}

/// The warnings of a specification that is otherwise good.
fn warnings(text: &str) -> String {
    let plan = neronet_spec::parse(text, "neronet.toml", None, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_value_that_a_second_shell_reads_is_a_warning() {
    let warned = |command: &str| warnings(&format!("command = {command}\nparams.x = 1\n")).contains("once more");
    for command in [
        "eval 'echo {x}'",
        "eval echo {x}",
        "cd a; bash -c 'echo {x}'",
        "/bin/sh -lc 'echo {x}' b",
        "A=1 ssh host 'train {x}'",
        "ssh -p 22 -t me@host python train.py {x}",
        "timeout 60 ssh host train {x}",
        "env bash -c \"echo {x}\"",
        "srun --pty bash -l -c 'echo {x}'",
        "docker run --rm -it image:1 /bin/bash -o pipefail -c 'echo {x}'",
        "true && timeout 5 sh -c 'echo {x}' # 'at last'",
    ] {
        assert!(warned(&format!("'''{command} '''")), "{command}");
    }
    for command in [
        "bash -c 'echo $1' - {x}",
        "bash t.sh '{x}'",
        "echo '{x}'",
        "eval 'a'; t '{x}'",
        "bash -c 'echo $1' - '{x}'",
        "ssh host-{x} true",
        "python train.py --mode eval --env ssh --lr {x}",
        "bash --norc train.sh -c '{x}'",
        "bash -c {x}",
    ] {
        assert!(!warned(&format!("'''{command} '''")), "{command}");
    }
    for list in ["['bash', '-c', 'echo {x}']", "['srun', '-n', '1', '/bin/sh', '-ec', 'echo {x}']", "['ssh', 'host', 'echo', '{x}']"] {
        assert!(warned(list), "{list}");
    }
    for list in ["['bash', '-c', 'echo $1', '-', '{x}']", "['python', '-c', 'print({x})']", "['bash', '-c', '{x}']"] {
        assert!(!warned(list), "{list}");
    }
    assert!(warned("'t {x}'\nresume.command = ['bash', '-c', 't {checkpoint}']"));
}

#[test]
fn resume_arguments_that_would_go_to_another_program() {
    let resumed = |command: &str| format!("command = '''{command}'''\n[resume]\narguments = \"--resume {{checkpoint}}\"\n");
    insta::assert_snapshot!(refused(&resumed("set -o pipefail; cd src && python train.py 2>&1 | tee 'log.txt'")));
    for command in
        ["python train.py && python eval.py", "python train.py || echo failed", "python a.py\npython b.py", "for i in 1 2; do x; done; y"]
    {
        assert!(warnings(&resumed(command)).contains("the last program of the command"), "{command}");
    }
    for command in [
        "cd src && python train.py",
        "cd src || exit 1; source .venv/bin/activate; . ./x.sh; module load cuda\nexport A=1 B='x y'; X=\"$(cmd | tail)\" python train.py",
        "if [ -d x ]; then mkdir -p out; fi; conda activate lab && ulimit -n 4096 && set -e && python train.py > log 2>&1",
        "# first && second\npython train.py --x 'a | b; c' \\\n  --y 1",
        "OMP_NUM_THREADS=4; python train.py",
    ] {
        assert_eq!(warnings(&resumed(command)), "", "{command}");
    }
}

#[test]
fn a_pipe_whose_end_hides_a_failure_is_a_warning() {
    insta::assert_snapshot!(warnings("command = \"cd src; python train.py 2>&1 | tee log.txt\"\n"));
    for command in ["python t.py |& tee log", "python t.py | grep -v x | tee log && python eval.py", "a=1 python t.py | tail"] {
        assert!(warnings(&format!("command = \"{command}\"\n")).contains("nobody learns of it"), "{command}");
    }
    for text in [
        "command = \"set -o pipefail; python t.py | tee log\"\n",
        "command = \"python t.py | tee log\"\nenvironment.setup = [\"set -euo pipefail\"]\n",
        "command = \"yes | python t.py\"\n",
        "command = \"python a.py | wc -l; python t.py || true\"\n",
        "command = \"python t.py --x 'a | b' # | tee\"\n",
        "command = [\"python\", \"t.py\", \"|\", \"tee\"]\n",
        "command = \"python t.py > >(tee log)\"\n",
    ] {
        assert_eq!(warnings(text), "", "{text}");
    }
}

#[test]
fn what_a_shell_would_fill_in_is_taken_as_it_is_written_in_env() {
    insta::assert_snapshot!(warnings("command = \"t\"\n[env]\nPATH = \"/opt/bin:$PATH\"\nDATA = \"${HOME}/data\"\nCACHE = \"~/.cache\"\n"));
    assert_eq!(warnings("command = \"t {x}\"\nparams.x = 1\n[env]\nA = \"5$\"\nB = \"$5 ${x\"\nC = \"a~b\"\nD = \"~0.5 {x}\"\n"), "");
}

#[test]
fn a_quote_that_is_never_closed() {
    insta::assert_snapshot!(refused(
        r#"command = "echo it's {flags}"
"#
    ));
}

#[test]
fn flags_in_quotes() {
    insta::assert_snapshot!(refused(
        r#"command = 'python train.py "{flags}" x{flags}'
[params]
lr = 1
"#
    ));
}

#[test]
fn flags_glued_in_a_list() {
    insta::assert_snapshot!(refused(
        r#"command = ["python", "train.py", "--x={flags}"]
[params]
lr = 1
"#
    ));
}

#[test]
fn two_ways_to_resume() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[resume]
arguments = "--resume {checkpoint}"
automatic = true
"#
    ));
}

#[test]
fn an_empty_resume() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[resume]
"#
    ));
}

#[test]
fn resume_arguments_behind_a_comment() {
    insta::assert_snapshot!(refused(
        r#"command = "python train.py # for now"
[resume]
arguments = "--resume {checkpoint}"
"#
    ));
}

#[test]
fn bad_variables() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[env]
"A-B" = 1
NERONET_RUN = 3
"#
    ));
}

#[test]
fn bad_setup() {
    insta::assert_snapshot!(refused(
        r#"command = "true"
[environment]
setup = ["module load cuda", "echo 'open", "cd x \\"]
"#
    ));
}

#[test]
fn sh_and_ansi_quotes() {
    insta::assert_snapshot!(refused(
        r#"command = "printf $'{x}'"
[params]
x = 1
[environment]
shell = "sh"
"#
    ));
}

#[test]
fn a_backslash_before_a_placeholder() {
    insta::assert_snapshot!(refused(
        r#"command = 'echo \{x}'
[params]
x = 1
"#
    ));
}

#[test]
fn the_words_of_later_versions() {
    insta::assert_snapshot!(refused(
        r#"command = "python train.py {flags} --out ckpt {run.gpus} {inputs.cifar} {cifar.checkpoint.best}"
target = ["gpu", "triton"]
[params]
depth = [2, 4]
[sweep]
only_if = 'optimizer == "sgd"'
samples = 20
[inputs.cifar]
path = "{target.data}/cifar"
[[file]]
template = "solver.prototxt.in"
[resources]
cpus = 4
slot = "24h"
[stop]
before = "10 min"
[metrics]
tensorboard = "runs/"
[checkpoints]
fetch = "best"
[outputs]
max = "2 GB"
[[rule]]
when = "val_error > 0.5"
[notify]
email = "me@example.org"
[[experiment]]
name = "finetune"
after = "cifar"
match = ["seed"]
unset = ["params.depth"]
"#
    ));
}
