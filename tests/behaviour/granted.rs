//! What a run is given of the machine, and what is on record of what it used.

use crate::world::{World, wait_for};
use neronet_model::launch::Launch;
use neronet_store::spool;
use neronet_supervise::{Nursery, Secrets, start};
use std::process::Command;

#[test]
fn a_run_is_bound_to_as_many_processors_as_it_asked_for() {
    let world = World::new();
    world.write("train.py", "import os\nprint('cores', len(os.sched_getaffinity(0)), 'sees', os.environ.get('NERONET_GPUS'))\n");
    world.run_spec("command = 'python3 train.py'\nresources.cpus = 1\n").with_code(0);
    assert_eq!(world.output(1, 1), "cores 1 sees None\n");
    world.run_spec("command = 'python3 train.py'\nresources = { cpus = 1, gpus = 0 }\n").with_code(0);
    assert_eq!(world.output(2, 1), "cores 1 sees \n");
}

#[test]
fn the_most_that_all_processes_held_together_is_on_record_and_what_they_held_of_gpus() {
    let world = World::new();
    let library = world.path("libnvidia-ml.so.1");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/nvml/stand_in.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(built.expect("a C compiler, `cc`, which Rust needs too").success());
    // Three processes of 60 MB each, which hold 100 MB and then less of the GPU; another user's does not count.
    let script = "import os, time\nworld, attempt = os.environ['WORLD'], os.path.dirname(os.environ['NERONET_METRICS'])\n\
                  def gpu(*lines):\n    open(world + '/new', 'w').write('\\n'.join(('gpu A 1000 900 1 1 1 1',) + lines) + '\\n')\n    \
                  os.rename(world + '/new', world + '/libnvidia-ml.so.1.conf')\n\
                  def hold():\n    held = bytearray(60 << 20)\n    for at in range(0, len(held), 4096): held[at] = 1\n    return held\n\
                  pids = []\nfor _ in range(2):\n    pid = os.fork()\n    if pid == 0:\n        held = hold()\n        time.sleep(3600)\n    \
                  pids.append(pid)\nheld = hold()\ngpu(f'proc {os.getpid()} 70', f'proc {pids[0]} 30', 'proc 1 700')\n\
                  def told(what): return what in ''.join(open(f'{attempt}/{n}').read() for n in os.listdir(attempt) if n.startswith('events'))\n\
                  while not told('\"gpu_memory\":104857600'): time.sleep(0.1)\n\
                  gpu(f'proc {os.getpid()} 10')\nfor pid in pids: os.kill(pid, 9)\n";
    world.write("train.py", script).write("neronet.toml", "command = 'exec python3 train.py'\n");
    world.write("nothing.toml", "command = 'true'\n");
    world.say(&["run", "nothing.toml"]).with_code(0);
    // What the queue would give it on a machine that has a GPU.
    let (first, second) = (world.attempt(1, 1), world.attempt(1, 2));
    let launch = std::fs::read_to_string(first.join("launch.json")).expect("there").replace("attempts/1", "attempts/2");
    let mut launch: Launch = serde_json::from_str(&launch).expect("a launch");
    launch.attempt.0 = 2;
    launch.argv = vec!["python3".into(), world.project().join("train.py").display().to_string()];
    let gpu = r#"{"machine": "local", "gpus": [{"id": "GPU-fa6e0000-0000-0000-0000-000000000000", "share": 500}]}"#;
    launch.grant = serde_json::from_str(gpu).expect("a grant");
    let mut environment = world.neronet(&["nothing"]);
    environment.env("LD_LIBRARY_PATH", world.path(""));
    let environment: Vec<_> = environment.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect();
    let nursery = Nursery::open(env!("CARGO_BIN_EXE_neronet").as_ref(), &environment).expect("a nursery");
    let _started = start::start(&nursery, &second, &launch, &Secrets::default()).expect("a keeper");
    let attempt = wait_for("the end", || spool::attempt(&second, launch.attempt).ok().filter(|attempt| attempt.end.is_some()));
    assert_eq!(attempt.exit_code, Some(0), "{attempt:?}");
    assert_eq!(attempt.peak_gpu_memory, Some(100 << 20));
    let memory = attempt.peak_memory_kb.expect("measured");
    assert!((180 << 10..280 << 10).contains(&memory), "all three together: {memory} kB");
}
