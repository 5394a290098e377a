//! `targets.toml`: the machines that runs may execute on. Read with the words, places and hints that a specification is read with.

use crate::hours;
use crate::keys;
use crate::problem::{Problems, quoted};
use crate::read::Reader;
use crate::settings;
use crate::source::{Found, Sources};
use crate::suggest::did_you_mean;
use crate::syntax;
use crate::tree::{Key, Node, Table, Tree};
use neronet_model::Value;
use neronet_model::target::{Address, LOCAL, NICEST, NoAddress, Scheduler, Target, Targets, Transport, refused_folder, refused_name};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the text of `targets.toml`; `path` is what messages call it.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn targets(written: &str, path: &str) -> Result<Targets, Problems> {
    let text = syntax::normal(written);
    let mut found = Found::new(Sources::of_file(path, &text, &[]));
    let mut read = Targets::default();
    if let Some(table) = syntax::read(0, &mut found) {
        keys::check_targets(&table, &mut found);
        read = all(&table, &mut Reader { found: &mut found });
    }
    let (errors, _) = found.finish();
    if errors.is_empty() { Ok(read) } else { Err(Problems(errors)) }
}

fn all(table: &Table, reader: &mut Reader<'_, '_>) -> Targets {
    let mut targets = Vec::new();
    for (key, own) in reader.named(table, "targets") {
        if key.name != LOCAL {
            named(key, "a target", reader);
        }
        targets.extend(target(key, own, reader).map(|target| (key.name.clone(), target)));
    }
    // Of one that is wrong itself it is known that it is there.
    let known: BTreeSet<&str> = table.table("targets").into_iter().flat_map(|all| &all.entries).map(|(key, _)| key.name.as_str()).collect();
    let groups = groups(table, &known, reader);
    let default = table.get("default").and_then(|node| {
        let name = reader.text(node, "default")?;
        let names = known.iter().copied().chain(groups.keys().map(String::as_str)).chain([LOCAL]);
        is_one_of(&name, node, names, reader).then_some(name)
    });
    Targets { default, groups, targets }
}

fn named(key: &Key, what: &str, reader: &mut Reader<'_, '_>) {
    if let Some(why) = refused_name(&key.name) {
        let message = format!("{} cannot be the name of {what}: {why}", quoted(&key.name));
        reader.found.error(key.span, message, "a short word, such as gpu1".to_string());
    }
}

fn is_one_of<'n>(name: &str, node: &Node, names: impl Iterator<Item = &'n str> + Clone, reader: &mut Reader<'_, '_>) -> bool {
    let is_known = names.clone().any(|known| known == name);
    if !is_known {
        let hint = did_you_mean(name, names).unwrap_or_else(|| format!("write [targets.{name}] and its address below it"));
        reader.found.error(node.span, format!("there is no target {}", quoted(name)), hint);
    }
    is_known
}

fn groups(table: &Table, known: &BTreeSet<&str>, reader: &mut Reader<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::new();
    for (key, node) in reader.section(table, "groups").map(|section| section.entries.as_slice()).unwrap_or_default() {
        named(key, "a group", reader);
        if known.contains(key.name.as_str()) {
            reader.found.error(
                key.span,
                format!("{} is a target and a group", quoted(&key.name)),
                "call one of them otherwise".to_string(),
            );
        }
        let members = reader.texts(node, &format!("groups.{}", key.name));
        let names = known.iter().copied().chain([LOCAL]);
        members.iter().for_each(|(member, span)| {
            let node = Node { span: *span, tree: Tree::Scalar(Value::Str(member.clone())) };
            is_one_of(member, &node, names.clone(), reader);
        });
        groups.insert(key.name.clone(), members.into_iter().map(|(member, _)| member).collect());
    }
    groups
}

fn target(key: &Key, own: &Table, reader: &mut Reader<'_, '_>) -> Option<Target> {
    let name = &key.name;
    let path = |inner: &str| format!("targets.{name}.{inner}");
    let address = address(key, own, reader)?;
    let folder = own.get("folder").and_then(|node| {
        let folder = reader.filled(node, &path("folder"))?;
        let Some(why) = refused_folder(&folder) else { return Some(folder) };
        let message = format!("{} cannot be '{}': {why}", quoted(&folder), path("folder"));
        reader.found.error(node.span, message, "write the whole path, as \"/data/me/neronet\"".to_string());
        None
    });
    if address.scheduler == Scheduler::Direct {
        for (key, node) in ["account", "partition", "queue", "options"].into_iter().filter_map(|key| Some((key, own.get(key)?))) {
            let hint = format!("write address = \"{address}?scheduler=slurm\", or take {key} out");
            reader.found.error(node.span, format!("'{key}' is said to a scheduler, and [targets.{name}] has none"), hint);
        }
    }
    let nice = own.get("nice").and_then(|node| {
        let nice = reader.whole(node, &path("nice"), 0)?;
        let within = i32::try_from(nice).ok().filter(|nice| *nice <= NICEST);
        if within.is_none() {
            reader.found.error(
                node.span,
                format!("nice = {nice} is not between 0 and {NICEST}"),
                "10 yields to whoever works there".to_string(),
            );
        }
        within
    });
    let mut named = BTreeMap::new();
    for (key, node) in reader.section(own, "named").map(|section| section.entries.as_slice()).unwrap_or_default() {
        named.extend(reader.whole(node, &path(&format!("named.{}", key.name)), 0).map(|count| (key.name.clone(), count)));
    }
    let mut vars = Vec::new();
    for (key, node) in reader.section(own, "vars").map(|section| section.entries.as_slice()).unwrap_or_default() {
        vars.extend(reader.written_scalar(node, &path(&format!("vars.{}", key.name))).map(|text| (key.name.clone(), text)));
    }
    let (hours, maintenance) = (hours::hours(own, name, reader), hours::maintenance(own, name, reader));
    let mut of = Keys { own, name, reader };
    Some(Target {
        folder,
        max_runs: of.read("max_runs", |reader, node, key| reader.whole(node, key, 1)),
        leave_cores: of.read("leave_cores", |reader, node, key| reader.count(node, key, 0)),
        leave_memory: of.read("leave_memory", Reader::size),
        leave_gpus: of.read("leave_gpus", |reader, node, key| reader.count(node, key, 0)),
        named,
        nice,
        idle_disk: of.read("idle_disk", Reader::flag),
        pause_on_battery: of.read("pause_on_battery", Reader::flag),
        hours,
        maintenance,
        vars,
        account: of.read("account", Reader::text),
        partition: of.read("partition", Reader::text).or_else(|| of.read("queue", Reader::text)),
        options: of
            .read("options", |reader, node, key| Some(reader.texts(node, key)))
            .unwrap_or_default()
            .into_iter()
            .map(|(text, _)| text)
            .collect(),
        environment: settings::environment_of_target(own, reader),
        address,
    })
}

/// The keys of one target.
struct Keys<'t, 'r, 'f, 's> {
    own: &'t Table,
    name: &'t str,
    reader: &'r mut Reader<'f, 's>,
}

impl<'f, 's> Keys<'_, '_, 'f, 's> {
    fn read<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'f, 's>, &Node, &str) -> Option<T>) -> Option<T> {
        read(self.reader, self.own.get(key)?, &format!("targets.{}.{key}", self.name))
    }
}

fn address(key: &Key, own: &Table, reader: &mut Reader<'_, '_>) -> Option<Address> {
    let name = &key.name;
    let here = Address { transport: Transport::Local, scheduler: Scheduler::Direct };
    let Some(node) = own.get("address") else {
        if name == LOCAL {
            return Some(here);
        }
        let hint = format!("add address = \"ssh://{name}\", as you would type ssh {name}");
        reader.found.error(key.span, format!("[targets.{name}] has no address"), hint);
        return None;
    };
    let address: Address = match reader.text(node, &format!("targets.{name}.address"))?.parse() {
        Ok(address) => address,
        Err(NoAddress { why, hint }) => {
            reader.found.error(node.span, why, hint.to_string());
            return None;
        }
    };
    if name == LOCAL && address.transport != Transport::Local {
        reader.found.error(node.span, format!("[targets.{LOCAL}] is this machine, and {address} is not"), "call it otherwise".to_string());
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"
default = "gpu"
[groups]
gpu = ["gpu1", "local"]
[targets.gpu1]
address = "ssh://me@gpu1"
folder = "/data/me/neronet"
max_runs = 3
leave_gpus = 1
vars = { data = "/data/me/sets", n = 3 }
[targets.triton]
address = "ssh://me@triton?scheduler=slurm"
account = "dl"
partition = "gpu"
options = ["--constraint=a100"]
setup = ["module load mamba"]
[targets.local]
leave_memory = "4 GB"
named = { matlab = 2 }
nice = 10
idle_disk = true
hours = ["mon-fri 18:00-08:00", "sat-sun"]
maintenance = [{ from = "2026-12-01 08:00", until = 2026-12-01T12:00:00, why = "new disks" }, { from = "2026-12-24" }]
"#;

    #[test]
    fn all_keys_are_read() {
        let known = targets(ALL, "targets.toml").expect("right");
        assert_eq!((known.default.as_deref(), known.groups["gpu"].len(), known.targets.len()), (Some("gpu"), 2, 3));
        let gpu1 = known.get("gpu1").expect("there");
        assert_eq!((gpu1.max_runs, gpu1.leave_gpus, gpu1.folder.as_deref()), (Some(3), Some(1), Some("/data/me/neronet")));
        assert_eq!(gpu1.vars, [("data".to_string(), "/data/me/sets".to_string()), ("n".to_string(), "3".to_string())]);
        let triton = known.get("triton").expect("there");
        assert_eq!((triton.address.scheduler, triton.partition.as_deref()), (Scheduler::Slurm, Some("gpu")));
        assert_eq!((triton.options.len(), triton.environment.setup.len()), (1, 1));
        let local = known.get("local").expect("there");
        assert_eq!((local.address.transport.clone(), local.leave_memory, local.nice), (Transport::Local, Some(4_000_000_000), Some(10)));
        let hours: Vec<String> = local.hours.iter().map(ToString::to_string).collect();
        assert_eq!(hours, ["mon-fri 18:00-08:00", "sat-sun"]);
        let told =
            |one: &neronet_model::hours::Maintenance| (one.from.to_string(), one.until.map(|until| until.to_string()), one.why.clone());
        let disks = ("2026-12-01 08:00:00".to_string(), Some("2026-12-01 12:00:00".to_string()), Some("new disks".to_string()));
        assert_eq!(local.maintenance.iter().map(told).collect::<Vec<_>>(), [disks, ("2026-12-24 00:00:00".into(), None, None)]);
        let one = targets("[targets.local]\nhours = '22:00-06:00'\n[[targets.local.maintenance]]\nfrom = 2026-12-01\n", "targets.toml");
        let one = one.expect("right").targets.remove(0).1;
        assert_eq!((one.hours.len(), one.maintenance.len()), (1, 1));
        assert_eq!(targets("", "targets.toml"), Ok(Targets::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, said) in [
            ("[targets.a]\nadress = \"ssh://a\"\n", "targets.toml:2:1: unknown key 'adress' in [targets.NAME]"),
            ("[targets.a]\n", "targets.toml:1:10: [targets.a] has no address"),
            ("[targets.a]\naddress = \"ssh://-x\"\n", "targets.toml:2:11: '-x' cannot be the name of a host"),
            ("[targets.\"a b\"]\naddress = \"ssh://a\"\n", "cannot be the name of a target"),
            ("default = \"gpu\"\n", "targets.toml:1:11: there is no target 'gpu'"),
            ("[groups]\nlab = [\"x\"]\n", "targets.toml:2:8: there is no target 'x'"),
            ("[groups]\na = []\n[targets.a]\naddress = \"ssh://a\"\n", "'a' is a target and a group"),
            (
                "[targets.a]\naddress = \"ssh://a\"\nfolder = \"data\"\n",
                "targets.toml:3:10: 'data' cannot be 'targets.a.folder': it is not absolute",
            ),
            ("[targets.a]\naddress = \"ssh://a\"\nfolder = \"$HOME/n\"\n", "'~' and '$' mean nothing in it"),
            ("[targets.a]\naddress = \"ssh://a\"\nfolder = \"/\"\n", "it is the root"),
            ("[targets.a]\naddress = \"ssh://a\"\npartition = \"x\"\n", "is said to a scheduler"),
            ("[targets.local]\naddress = \"ssh://a\"\n", "[targets.local] is this machine"),
            ("[targets.local]\nnice = 20\n", "nice = 20 is not between 0 and 19"),
            ("[targets.local]\nmax_runs = 0\n", "targets.toml:2:12: "),
            ("targets = 3\n", "expected a table"),
            (
                "[targets.local]\nhours = [\"mon 18:00-08:00\", \"mon-fir\"]\n",
                "targets.toml:2:29: expected hours for 'targets.local.hours', found 'mon-fir': 'fir' is no day of the week",
            ),
            ("[targets.local]\nhours = []\n", "targets.toml:2:9: 'targets.local.hours' is empty: nothing would ever start there"),
            ("[targets.local]\nhours = 8\n", "targets.toml:2:9: expected a list of strings"),
            ("[targets.local]\nmaintenance = [{ why = 'x' }]\n", "targets.toml:2:16: 'targets.local.maintenance.from' is missing"),
            ("[targets.local]\nmaintenance = [{ from = '22:00' }]\n", "targets.toml:2:25: expected a date with a time"),
            ("[targets.local]\nmaintenance = [{ from = 'in 2h' }]\n", "found 'in 2h'"),
            ("[targets.local]\nmaintenance = [{ from = '2026-02-30' }]\n", "expected a time"),
            (
                "[targets.local]\nmaintenance = [{ from = '2026-12-02', until = '2026-12-01' }]\n",
                "targets.toml:2:47: 'targets.local.maintenance.until' is not later than its begin",
            ),
            ("[targets.local]\nmaintenance = [{ from = '2026-12-02', why = \"a\\u001b[2J\" }]\n", "has a character that is none"),
            ("[targets.local]\nmaintenance = [{ from = '2026-12-02', unitl = '2026-12-03' }]\n", "unknown key 'unitl'"),
            ("[targets.local]\nmaintenance = '2026-12-02'\n", "expected [[maintenance]]"),
        ] {
            let problems = targets(text, "targets.toml").expect_err(text).to_string();
            assert!(problems.contains(said), "{text}: {problems}");
        }
    }
}
