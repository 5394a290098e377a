//! The programs that a command calls, and what is known of each before it runs.

use neronet_spec::{Call, Entry, calls};

fn of(spec: &str) -> Vec<Call> {
    let plan = neronet_spec::parse(spec, "f", None, &[]).expect("a plan");
    calls(&plan.experiments[0].settings)
}

/// Each program with what it runs; a question mark behind what is not sure.
fn shown(calls: &[Call]) -> String {
    let entry = |entry: &Entry| match entry {
        Entry::Script(path) => format!(" {path}"),
        Entry::Module(name) => format!(" -m {name}"),
    };
    let of_call = |call: &Call| {
        let folder = match &call.folder {
            None => " in ?".to_string(),
            Some(folder) if folder.is_empty() => String::new(),
            Some(folder) => format!(" in {folder}"),
        };
        let variables = call.variables.iter().map(|(name, value)| format!(" {name}={}", value.as_deref().unwrap_or("?")));
        let options = if call.options.is_empty() { String::new() } else { format!(" -{}", call.options) };
        let (entries, variables) = (call.entries.iter().map(entry).collect::<String>(), variables.collect::<String>());
        format!("{}{options}{entries}{folder}{variables}{}", call.program, if call.sure { "" } else { "?" })
    };
    calls.iter().map(of_call).collect::<Vec<_>>().join(", ")
}

fn line(command: &str) -> String {
    shown(&of(&format!("command = '''{command}'''\nparams.lr = 1\nparams.who = 'x'\n")))
}

#[test]
fn a_python_is_seen_with_its_script_and_its_options() {
    assert_eq!(line("python train.py --lr {lr}"), "python train.py");
    assert_eq!(line("python3 -u -W ignore -X dev train.py {flags}"), "python3 train.py");
    assert_eq!(line("python -uEsm pkg.train {flags}"), "python -Es -m pkg.train");
    assert_eq!(line("python -mpkg {flags}"), "python -m pkg");
    assert_eq!(line("python 'my script.py' {flags}"), "python my script.py");
    for none in ["python -c 'import x' {flags}", "python - {flags}", "python {who} {lr}", "python $SCRIPT {flags}", "python {flags}"] {
        assert_eq!(line(none), "python", "{none}");
    }
    assert_eq!(line("{who} train.py {lr}"), "");
    assert_eq!(line("pythonish train.py {flags}"), "pythonish");
}

#[test]
fn launchers_hand_over_to_what_they_start() {
    assert_eq!(line("nice -n 10 nohup python t.py {flags}"), "nice, nohup, python t.py");
    assert_eq!(line("nice -10 timeout -k 5 --signal INT 2h python t.py {flags}"), "nice, timeout, python t.py");
    assert_eq!(line("env -u X PYTHONPATH=src A=1 python t.py {flags}"), "env, python t.py PYTHONPATH=src A=1");
    assert_eq!(line("env PATH=/x python t.py {flags}"), "env");
    assert_eq!(line("env -i python t.py {flags}"), "env");
    assert_eq!(line("srun --gres=gpu:1 -n 2 python t.py {flags}"), "srun, python t.py?");
    assert_eq!(line("torchrun --nproc_per_node 2 t.py {flags}"), "torchrun t.py");
    assert_eq!(line("torchrun -m pkg.train {flags}"), "torchrun -m pkg.train");
    assert_eq!(line("accelerate launch --config_file a.yaml t.py {flags}"), "accelerate t.py");
    assert_eq!(line("python -m torch.distributed.run --nproc_per_node=2 t.py {flags}"), "python -m torch.distributed.run t.py");
    assert_eq!(line("exec python t.py {flags}"), "python t.py");
    for other in ["poetry run python t.py {flags}", "sudo python t.py {flags}", "conda run -n x python t.py {flags}"] {
        assert!(!line(other).contains("python"), "{other}");
    }
    let list = of("command = ['env', 'A=b c', 'python', '-m', 'pkg', '{flags}']\nparams.lr = 1\n");
    assert_eq!(shown(&list), "env, python -m pkg A=b c");
}

#[test]
fn the_shell_is_followed_as_far_as_it_can_be() {
    assert_eq!(line("cd src && mkdir -p out; python t.py {flags}"), "mkdir in src?, python t.py in src");
    assert_eq!(line("cd $X && python t.py {flags}"), "python t.py in ?");
    assert_eq!(line("export PYTHONPATH=a:b; PYTHONPATH=$HOME python t.py {flags}"), "python t.py PYTHONPATH=?");
    assert_eq!(line("export PYTHONPATH=a; python t.py {flags} && python e.py"), "python t.py PYTHONPATH=a, python e.py PYTHONPATH=a?");
    assert_eq!(line("python t.py {flags} || ./mend"), "python t.py?, ./mend?");
    assert_eq!(line("cd src || exit 1; python t.py {flags}"), "python t.py in src");
    assert_eq!(line("test -f x && python t.py {flags}"), "python t.py?");
    assert_eq!(line("command -v tool && python t.py {flags}"), "python t.py?");
    assert_eq!(line("if grep -q x y; then python t.py {flags}; fi"), "grep?, python t.py?");
    assert_eq!(line("python t.py {flags} 2>&1 | tee log"), "python t.py, tee?");
    assert_eq!(line("pip install x && python t.py {flags}"), "pip");
    assert_eq!(line("python -m pip install x && python t.py {flags}"), "python -m pip");
    // What the shell does without is never sure.
    assert_eq!(line("nvidia-smi || true; ./run {flags}"), "nvidia-smi?, ./run");
    assert_eq!(line("x {flags} || true"), "x?");
    assert_eq!(line("x {flags}; y"), "x?, y?");
    assert_eq!(line("x {flags}\n"), "x");
    assert_eq!(line("x {flags} && y || z"), "x?, y?, z?");
    assert_eq!(line("x {flags} && y; z"), "x?, y?, z?");
    assert_eq!(line("! x {flags}"), "x?");
    assert_eq!(line("(cd src && x {flags})"), "x in src");
    assert_eq!(line("(x {flags}) || true"), "x?");
    assert_eq!(line("set -euo pipefail; x {flags}; y"), "x, y?");
    assert_eq!(line("set -o errexit; x {flags} && y; z"), "x?, y?, z?");
    assert_eq!(line("set -e; set +e; x {flags}; y"), "x?, y?");
    assert_eq!(line("cd -- sub && ./x {flags}"), "./x in sub");
    assert_eq!(line("cd -P sub && ./x {flags}"), "./x in sub");
    assert_eq!(line("cd sub && cd - && ./x {flags}"), "./x in ?");
    assert_eq!(line("PYTHONPATH+=:x A[0]=1 python t.py {flags}"), "python t.py PYTHONPATH=?");
    for lost in [
        "PATH+=:$PWD/sub; x {flags}",
        "source a; python t.py {flags}",
        "PATH=x:$PATH; t {flags}",
        "f() {{ x; }}; f {flags}",
        "eval x; y {flags}",
        "$X {flags}",
    ] {
        assert_eq!(line(lost), "", "{lost}");
    }
}

#[test]
fn lines_of_the_setup_count_for_what_comes_behind_them() {
    let with = |setup: &str| shown(&of(&format!("command = 'python t.py'\nenvironment.setup = ['{setup}']\n")));
    assert_eq!(with("export OMP_NUM_THREADS=4"), "python t.py");
    assert_eq!(with("cd sub"), "python t.py in sub");
    assert_eq!(with("gcc x.c"), "python t.py?");
    assert_eq!(with("module load cuda"), "");
    assert_eq!(with("source ~/x/bin/activate"), "");
}
