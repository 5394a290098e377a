//! What runs get besides flags: configuration files of their own, data that is looked at first, a port, variables of the machine.

use crate::world::{Said, World};

fn refused(world: &World, expected: &str) -> Said {
    let said = world.say(&["run", "--quiet"]).with_code(2);
    assert!(said.err.contains(expected), "{said:#?}");
    assert!(!world.home().join("runs").exists());
    said
}

#[test]
fn a_template_is_filled_in_for_each_run_and_kept_with_it() {
    let world = World::new();
    world.write("solver.prototxt.in", "# {{not a name}}\nbase_lr: {lr}\nnet { name: \"{name}\" }\nout: \"{run.dir}\"\nawk '{print $1}'\n");
    world.write("neronet.toml", "command = \"cat conf/solver.prototxt; echo {flags}\"\n[params]\nlr = [0.1, 1e-3]\nname = \"a b\"\nleft = 1\n[[file]]\ntemplate = \"solver.prototxt.in\"\nto = \"conf/solver.prototxt\"\n");
    world.say(&["run", "--quiet"]).with_code(0);
    for (run, lr) in [(1, "0.1"), (2, "1e-3")] {
        let expected = format!(
            "# {{not a name}}\nbase_lr: {lr}\nnet {{ name: \"a b\" }}\nout: \"{}\"\nawk '{{print $1}}'\n",
            world.home().join(format!("runs/{run}")).display()
        );
        assert_eq!(world.output(run, 1), format!("{expected}--left 1\n"), "what the file takes is no flag any more");
        let kept = world.home().join(format!("runs/{run}/files/conf/solver.prototxt"));
        assert_eq!(std::fs::read_to_string(kept).expect("kept"), expected);
    }
    assert!(!world.project().join("conf").exists());
    let said = world.say(&["check"]).with_code(0);
    assert!(said.out.contains("conf/solver.prototxt of the first run:") && said.out.contains("base_lr: 0.1"), "{said:#?}");
}

#[test]
fn values_are_set_in_a_configuration_file_and_all_else_stays() {
    let world = World::new();
    let yaml = "# the model\nmodel: {name: resnet, depth: 50}  # deep\noptim:\n    lr: 0.1   # tuned\n    betas: [0.9, 0.999]\n";
    world
        .write("config.yaml", yaml)
        .write("args.json", "{\n  \"epochs\": 3, \"amp\": false\n}\n")
        .write("old.ini", "[train]\n; how long\nepochs = 3\n");
    world.write(
        "neronet.toml",
        "command = \"cat config.yaml args.json new.ini\"\nparams.lr = 0.05\nparams.n = 7\n\
         [[file]]\nedit = \"config.yaml\"\nset = { \"optim.lr\" = \"{lr}\", \"model.name\" = \"vgg-{n}\" }\n\
         [[file]]\nedit = \"args.json\"\nset = { epochs = \"{n}\", amp = true }\n\
         [[file]]\nedit = \"old.ini\"\nto = \"new.ini\"\nset = { \"train.epochs\" = \"{n}\" }\n",
    );
    world.say(&["run", "--quiet"]).with_code(0);
    let expected = yaml.replace("resnet", "vgg-7").replace("lr: 0.1 ", "lr: 0.05 ");
    assert_eq!(world.output(1, 1), format!("{expected}{{\n  \"epochs\": 7, \"amp\": true\n}}\n[train]\n; how long\nepochs = 7\n"));
    assert_eq!(std::fs::read_to_string(world.project().join("config.yaml")).expect("there"), yaml);
}

#[test]
fn a_word_without_quotes_reaches_hydra_and_configuration_files_as_it_was_meant() {
    let world = World::new();
    world.write("config.yaml", "sched: cos\namp: false\nlr: 1\nname: x\n");
    world.write(
        "neronet.yaml",
        "command: 'echo {overrides}; cat config.yaml; cat $NERONET_PARAMS'\n\
         params:\n  sched: null\n  amp: True\n  lr: .5\n  name: 'null'\n\
         file:\n- edit: config.yaml\n  set: {sched: '{sched}', amp: '{amp}', lr: '{lr}', name: '{name}'}\n",
    );
    let file = "sched: null\namp: true\nlr: 0.5\nname: \"null\"\n";
    let params = |amp: &str| format!("{{\"sched\":\"null\",\"amp\":{amp},\"lr\":\".5\",\"name\":\"null\"}}");
    world.say(&["run", "--quiet"]).with_code(0);
    // Its placeholders in the file use all of them, so `{overrides}` has none left.
    assert_eq!(world.output(1, 1).replace([' ', '\n'], ""), format!("{file}{}", params("true")).replace([' ', '\n'], ""));
    world
        .say(&["run", "--quiet", "--set", "sched=null", "--set", "amp=False", "--set", "tag='null'", "--", "echo", "{overrides}"])
        .with_code(0);
    assert_eq!(world.output(2, 1), "sched=null amp=False tag='null'\n");
    // Again, from what is on record.
    world.say(&["retry", "2"]).with_code(0);
    assert_eq!(world.output(2, 2), "sched=null amp=False tag='null'\n");
}

#[test]
fn a_long_value_that_the_command_does_not_take_keeps_no_run_from_starting() {
    let world = World::new();
    world.write(
        "neronet.toml",
        format!(
            "command = \"printenv NERONET_PARAM_V NERONET_PARAM_LR; wc -c <$NERONET_PARAMS\"\nparams.lr = 1\nparams.v = '{}'\n",
            "x".repeat(200_000)
        ),
    );
    world.say(&["run", "--quiet"]).with_code(0);
    assert!(world.output(1, 1).starts_with("1\n200"), "{}", world.output(1, 1));
}

#[test]
fn a_configuration_file_whose_name_tells_nothing_is_what_its_format_says() {
    let world = World::new();
    world.write("solver.in", "[train]\nlr = 0.1\n").write("model.cfg", "lr: 0.1\n");
    world.write(
        "neronet.toml",
        "command = \"cat solver.in model.cfg\"\nparams.lr = 1e-3\n\
         [[file]]\nedit = \"solver.in\"\nformat = \"ini\"\nset = { \"train.lr\" = \"{lr}\" }\n\
         [[file]]\nedit = \"model.cfg\"\nformat = \"yaml\"\nset = { lr = \"{lr}\" }\n",
    );
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 1), "[train]\nlr = 1e-3\nlr: 1.0e-3\n");
}

#[test]
fn a_configuration_file_that_the_build_makes_is_read_when_the_run_starts() {
    let world = World::new();
    let spec = "command = \"cat gen.yaml out.txt {flags}\"\nparams.lr = 3\n\
                [[file]]\nedit = \"gen.yaml\"\nset = { lr = \"{lr}\" }\n\
                [[file]]\ntemplate = \"gen.txt\"\nto = \"out.txt\"\n";
    let build = "[code]\nbuild = \"echo 'lr: 9' > gen.yaml; cp gen.in gen.txt\"\n";
    world.write("gen.in", "rate {lr}\n").write("neronet.toml", format!("{spec}{build}"));
    let said = world.say(&["check"]).with_code(0);
    for file in ["gen.yaml", "gen.txt"] {
        assert!(said.out.contains(&format!("{file} is not there yet: the build has to make it")), "{said:#?}");
    }
    world.say(&["check", "--json"]).with_code(0);
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 1), "lr: 3\nrate 3\n");
    // Where it does not, the run says so.
    world.write("neronet.toml", format!("{spec}[code]\nbuild = \"true\"\n"));
    assert!(world.say(&["run", "--quiet"]).with_code(1).err.contains("gen.yaml is not there"));
    let world = World::new();
    world.write("neronet.toml", spec);
    refused(&world, "gen.yaml is not there");
}

#[test]
fn configuration_files_that_cannot_be_made_stop_everything() {
    let world = World::new();
    world.write("in.txt", "lr: {lr}\nwd: {wdd}\n").write("c.yaml", "optim:\n  lr: 1\n").write("broken.yaml", "a: [1\n");
    let with = |file: &str| {
        world.write("neronet.toml", format!("command = \"true {{lr}} {{wd}}\"\nparams.lr = 1\nparams.wd = 2\n[[file]]\n{file}\n"))
    };
    with("template = \"in.txt\"\nto = \"out.txt\"");
    refused(&world, "neronet.toml:5:12: in.txt, line 2: unknown placeholder '{wdd}'");
    with("template = \"no.txt\"\nto = \"out.txt\"");
    refused(&world, "no.txt is not there");
    with("edit = \"c.yaml\"\nset = { \"optim.learning\" = \"{lr}\" }");
    let said = refused(&world, "neronet.toml:6:9: c.yaml:2:3: ");
    assert!(!said.err.contains("braces"), "{said:#?}");
    with("edit = \"c.yaml\"\nset = { optim.learning = 1, optim.rate = \"{lr}\" }\n[[file]]\ntemplate = \"in.txt\"\nto = \"o\"");
    let said = refused(&world, "neronet.toml:6:15: c.yaml:2:3: there is no 'optim.learning'");
    for finding in ["error: neronet.toml:6:35: c.yaml", "error: neronet.toml:8:12: in.txt, line 2: unknown placeholder '{wdd}'"] {
        assert!(said.err.contains(finding), "{said:#?}");
    }
    with("edit = \"broken.yaml\"\nset = { a = \"{lr}\" }");
    refused(&world, "broken.yaml:2:1: ");
    with("edit = \"c.yaml\"\nset = { \"optim.lr\" = \"{lr}\" }\nto = \"d.yaml\"\n[code]\nin_place = true");
    refused(&world, "[[file]] writes into a run's own copy of the code");
}

#[test]
fn a_configuration_file_is_never_written_through_a_link() {
    let world = World::new();
    std::fs::create_dir(world.path("shared")).expect("made");
    let shared = world.path("shared").display().to_string();
    world.write("in.txt", "{x}\n");
    world.write(
        "neronet.toml",
        format!("command = \"true\"\nparams.x = 1\ncode.link = [\"{shared}\"]\n[[file]]\ntemplate = \"in.txt\"\nto = \"shared/out.txt\"\n"),
    );
    world.say(&["run", "--quiet"]).with_code(1);
    assert!(world.show(1)["reason"].as_str().is_some_and(|reason| reason.contains("lies behind a link")), "{:#}", world.show(1));
    assert_eq!(std::fs::read_dir(world.path("shared")).expect("there").count(), 0);
}

#[test]
fn where_a_configuration_file_cannot_be_put_nothing_starts() {
    let world = World::new();
    world.write("t.in", "{lr}").write("out/x", "").write("data/x", "").write("../elsewhere/x", "");
    std::os::unix::fs::symlink(world.path("elsewhere"), world.project().join("lnk")).expect("linked");
    for (to, expected) in [
        ("out", "out is a folder, where a file is to be written"),
        ("t.in/x", "t.in is a file"),
        ("lnk/o.txt", "lies behind a link out of the run's own copy"),
        ("data/o.txt", "would be written into data/, which [code] link shares"),
    ] {
        let spec = format!("command = \"true\"\nparams.lr = 1\ncode.link = [\"data/\"]\n[[file]]\ntemplate = \"t.in\"\nto = \"{to}\"\n");
        world.write("neronet.toml", spec);
        refused(&world, expected);
    }
}

#[test]
fn configuration_files_are_those_of_the_commit_that_runs() {
    let world = World::new();
    world.write("t.in", "old {lr}\n").write("c.yaml", "lr: 1\n");
    world.git(&["init", "-q"]);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "old"]);
    world.git(&["tag", "x"]);
    std::fs::remove_file(world.project().join("t.in")).expect("removed");
    world.write("c.yaml", "lr: 1\nnew: 2\n");
    let spec = "command = \"cat t.txt c.yaml\"\nparams.lr = 0.1\ncode.commit = \"x\"\n\
        [[file]]\ntemplate = \"t.in\"\nto = \"t.txt\"\n[[file]]\nedit = \"c.yaml\"\nset = { lr = \"{lr}\" }\n";
    world.write("neronet.toml", spec);
    let checked = world.say(&["check"]).with_code(0);
    assert!(checked.out.contains("old 0.1") && !checked.out.contains("new: 2"), "{checked:#?}");
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 1), "old 0.1\nlr: 0.1\n");
}

#[test]
fn a_further_attempt_gets_its_configuration_from_the_code_and_a_step_leaves_it_alone() {
    let world = World::new();
    world.write("c.yaml", "lr: 1\n").write("a.in", "{{lr}} is {lr}\n");
    // What the training makes of it is no YAML any more.
    let spec = "command = \"cat c.yaml b; echo '[' >> c.yaml; [ $NERONET_ATTEMPT != 1 ]\"\nparams.lr = 0.1\n\
        [[file]]\nedit = \"c.yaml\"\nset = { lr = \"{lr}\" }\n\
        [[file]]\ntemplate = \"a.in\"\nto = \"a\"\n[[file]]\ntemplate = \"a\"\nto = \"b\"\n\
        [[then]]\nname = \"ev\"\ncommand = \"cat c.yaml; [ $NERONET_ATTEMPT = 3 ]\"\n";
    world.run_spec(spec).with_code(1);
    world.say(&["retry", "1", "--quiet"]).with_code(1);
    assert_eq!(world.output(1, 2), "lr: 0.1\n0.1 is 0.1\nlr: 0.1\n[\n", "made anew for the training, as it left it for the step");
    world.say(&["retry", "1", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 3), "lr: 0.1\n[\n");
    assert!(world.say(&["show", "1"]).out.contains("attempt 3 went on with step ev"));
}

#[test]
fn inputs_are_looked_at_before_anything_starts() {
    let world = World::new();
    world.write("data/train.bin", [0; 100]).write("data/test.bin", [0; 50]).write(".gitignore", "data/\n");
    let spec = |keys: &str| {
        world.write(
            "neronet.toml",
            format!("command = \"ls {{inputs.set}}; echo {{inputs.set}}\"\n[inputs.set]\npath = \"./data\"\n{keys}\n"),
        )
    };
    spec("files = [\"train.bin\", \"valid.bin\"]");
    refused(&world, "input 'set': valid.bin is not in ");
    spec("needs = \"1 kB\"");
    refused(&world, "data has 150 B, and 1 kB are needed");
    spec("needs = \"3 files\"");
    refused(&world, "data has 2 files, and 3 are needed");
    world.write("neronet.toml", "command = \"ls {inputs.set}\"\n[inputs.set]\npath = \"nowhere\"\n");
    refused(&world, "nowhere is not there");
    spec("files = [\"train.bin\"]\nneeds = \"150 B\"");
    let said = world.say(&["check"]).with_code(0);
    assert!(said.out.contains("(2 files, 150 B)"), "{said:#?}");
    world.say(&["run", "--quiet"]).with_code(0);
    let place = world.project().canonicalize().expect("there").join("data");
    assert_eq!(world.output(1, 1), format!("test.bin\ntrain.bin\n{}\n", place.display()));
}

#[test]
fn an_input_that_is_another_one_than_before_is_told_and_holds_a_set_back() {
    let world = World::new();
    world.write("../sets/train.bin", [0; 100]);
    world.write("neronet.toml", "command = \"true {inputs.set}\"\n[inputs.set]\npath = \"../sets\"\nfingerprint = \"hash\"\n");
    world.say(&["submit", "--wait", "--quiet"]).with_code(0);
    let said = world.say(&["submit", "--wait", "--quiet"]).with_code(0);
    assert!(said.err.contains("nothing is new") && !said.err.contains("is not what"), "{said:#?}");
    world.write("../sets/train.bin", [1; 120]);
    let said = world.say(&["submit", "--wait"]).with_code(1);
    assert!(said.err.contains("1 run exists from sweep 1; input 'set' differs (100 B then, 120 B now): --again runs it anew"), "{said:#?}");
    let said = world.say(&["run", "--quiet"]).with_code(0);
    assert!(said.err.contains("neronet.toml:3:8: input 'set' is not what run 1 read: 100 B then, 120 B now"), "{said:#?}");
    let input = &world.show(2)["inputs"][0];
    let place = world.path("sets").canonicalize().expect("there").display().to_string();
    assert_eq!((&input["name"], &input["path"], &input["files"], &input["bytes"]), (&"set".into(), &place.into(), &1.into(), &120.into()));
    assert_ne!(input["fingerprint"], world.show(1)["inputs"][0]["fingerprint"]);
    let shown = world.say(&["show", "2"]).with_code(0).out;
    assert!(shown.contains("Inputs") && shown.contains("sets, 1 file, 120 B, "), "{shown}");
    let compared = world.say(&["compare", "1", "2"]).with_code(0).out;
    assert!(compared.contains("input set") && compared.contains("100 B"), "{compared}");
}

#[test]
fn an_input_is_the_same_wherever_the_target_has_it_and_another_one_is_told() {
    let world = World::new();
    world.write("../one/c/x", "one").write("../copy/c/x", "one").write("../two/c/x", "twotwo");
    world.write("neronet.toml", "command = \"cat {inputs.set}/x\"\n[inputs.set]\npath = \"{target.data}/c\"\nfingerprint = \"hash\"\n");
    std::fs::create_dir_all(world.home()).expect("made");
    let target = |name: &str| {
        let text = format!("[targets.local]\nvars = {{ data = \"{}\" }}\n", world.path(name).display());
        std::fs::write(world.home().join("targets.toml"), text).expect("written");
    };
    target("one");
    world.say(&["submit", "--wait", "--quiet"]).with_code(0);
    target("copy");
    let said = world.say(&["submit", "--wait"]).with_code(0);
    assert!(said.err.contains("nothing is new: 1 run is there already: 1 finished"), "{said:#?}");
    target("two");
    let said = world.say(&["submit", "--wait"]).with_code(1);
    assert!(said.err.contains("input 'set' differs (3 B then, 6 B now)"), "{said:#?}");
    let said = world.say(&["run", "--quiet"]).with_code(0);
    assert!(said.err.contains("input 'set' is not what run 1 read"), "{said:#?}");
}

#[test]
fn an_input_that_changes_while_runs_wait_is_noticed() {
    let world = World::new();
    world.write("../set/x", "1");
    let spec = "command = \"cat {inputs.set}/x; echo {n} >> {inputs.set}/x\"\nparams.n = [1, 2]\n[inputs.set]\npath = \"../set\"\n";
    world.run_spec(spec).with_code(0);
    let notices = |run| world.show(run)["attempts"][0]["notices"].to_string();
    assert!(!notices(1).contains("changed"), "{}", notices(1));
    assert!(notices(2).contains("input 'set' changed after the run was submitted: /"), "{}", notices(2));
}

#[test]
fn an_input_that_goes_away_fails_the_run_that_needs_it() {
    let world = World::new();
    world.write("data/a/x", "").write("data/b/x", "").write(".gitignore", "data/\n");
    world.write("neronet.toml", "command = \"rm -r {inputs.other}\"\nparams.set = [\"a\", \"b\"]\n[inputs.set]\npath = \"data/{set}\"\n[inputs.other]\npath = \"data/b\"\n");
    world.say(&["run", "--quiet"]).with_code(1);
    assert_eq!(world.show(1)["outcome"], "finished");
    assert!(world.show(2)["reason"].as_str().is_some_and(|reason| reason.contains("is not there any more")), "{:#}", world.show(2));
}

#[test]
fn variables_of_this_machine_stand_in_home() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo {inputs.set} {target.scratch}\"\n[inputs.set]\npath = \"{target.data}/cifar\"\n");
    let said = refused(&world, "[inputs.set] path: {target.data}: the target has no such variable");
    assert!(said.err.contains("targets.toml: [targets.local] vars = { data = \"/data\" }"), "{said:#?}");
    std::fs::create_dir_all(world.path("sets/cifar")).expect("made");
    std::fs::create_dir_all(world.home()).expect("made");
    let sets = world.path("sets").display().to_string();
    std::fs::write(world.home().join("targets.toml"), format!("[targets.local]\nvars = {{ data = \"{sets}\", scratch = \"/tmp\" }}\n"))
        .expect("written");
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 1), format!("{sets}/cifar /tmp\n"));
}

#[test]
fn runs_at_the_same_time_get_ports_of_their_own() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo {run.port}\"\nparams.x = [1, 2, 3, 4, 5, 6]\nsweep.parallel = 3\n");
    world.say(&["run", "--quiet"]).with_code(0);
    let ports: std::collections::BTreeSet<String> = (1..=6).map(|run| world.output(run, 1)).collect();
    // Those from there on the kernel gives to whoever asks for any, before the run listens.
    let given = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux");
    let lowest: u16 = given.split_whitespace().next().and_then(|low| low.parse().ok()).expect("a number");
    let most = if lowest > 10_000 { lowest } else { u16::MAX };
    assert!(ports.iter().all(|port| port.trim().parse::<u16>().is_ok_and(|port| port > 1023 && port < most)), "{ports:?}");
    world.say(&["run", "--quiet"]).with_code(0);
    let held = std::fs::read_dir(world.home().join("private/ports")).expect("there").count();
    assert!(held <= 3, "what ended gives its port back: {held}");
}
