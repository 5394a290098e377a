//! What a run is given of the machine, and what is on record of what it used.

use crate::world::World;
use neronet_model::AttemptNo;
use neronet_store::spool;

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
    world.write("train.py", script).gpus("gpu A 1000 0 1 1 1 1\n");
    world.run_spec("command = 'exec python3 train.py'\nresources.gpu_memory = '500 MB'\n").with_code(0);
    let attempt = spool::attempt(&world.attempt(1, 1), AttemptNo(1)).expect("read");
    assert_eq!(attempt.exit_code, Some(0), "{attempt:?}");
    assert_eq!(attempt.peak_gpu_memory, Some(100 << 20));
    let memory = attempt.peak_memory_kb.expect("measured");
    assert!((180 << 10..280 << 10).contains(&memory), "all three together: {memory} kB");
}
