//! What the runs themselves wrote, against what neronet says of them.

use crate::load::{AT_A_TIME, DESKS, Load, parallel_of, retries_of};
use crate::record::{json_lines, segments, unfinished, verify_segments};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Of so many runs one page is read, besides those of all runs that were tried more often than twice.
const PAGES: u64 = 20;

/// What one attempt wrote of itself. Moments are lines of the file that all of them write.
#[derive(Debug, Default)]
struct Pages {
    starts: u64,
    pids: BTreeSet<i64>,
    /// The step behind which it began.
    from: u64,
    first: usize,
    last: usize,
    /// The last step that it was about to print, and that it had printed.
    prints: u64,
    printed: u64,
    saves: u64,
    saved: u64,
    end: Option<i64>,
}

type Diary = BTreeMap<(u64, u64), Pages>;

/// What people did to runs, in the same file: `asked` when a stop was acknowledged, `again` before another attempt was asked for.
type Marks = BTreeMap<u64, BTreeMap<usize, String>>;

fn read(path: &Path) -> (Diary, Marks) {
    let (mut diary, mut marks) = (Diary::new(), Marks::new());
    for (at, line) in std::fs::read_to_string(path).unwrap_or_default().lines().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| words.get(i).and_then(|word| word.parse::<i64>().ok()).unwrap_or_else(|| panic!("half a line: {line}"));
        if number(1) == 0 {
            marks.entry(number(0) as u64).or_default().insert(at, words[3].to_string());
            continue;
        }
        let pages = diary.entry((number(0) as u64, number(1) as u64)).or_insert_with(|| Pages { first: at, ..Pages::default() });
        pages.last = at;
        pages.pids.insert(number(2));
        assert!(pages.end.is_none(), "something was done after the end: {line}");
        let n = number(4);
        match words[3] {
            "start" => (pages.starts, pages.from) = (pages.starts + 1, n as u64),
            "prints" => pages.prints = n as u64,
            "printed" => pages.printed = n as u64,
            "saves" => pages.saves = n as u64,
            "saved" => pages.saved = n as u64,
            "end" => pages.end = Some(n),
            _ => panic!("no word of the diary: {line}"),
        }
    }
    (diary, marks)
}

/// What the spool says of an attempt.
#[derive(Debug, Default)]
struct Told {
    keeper: Option<i32>,
    command: Option<i64>,
    code: Option<i64>,
    signal: Option<i64>,
    outcome: Option<String>,
    steps: Vec<u64>,
}

impl Told {
    fn of(attempt: &Path, context: &str) -> Told {
        let mut told = Told::default();
        let mut damage = Vec::new();
        let files = [attempt.join("keeper.jsonl")].into_iter().chain(segments(attempt, "events."));
        let mut ends = 0;
        for event in files.flat_map(|file| json_lines(&file, &mut damage)).map(|mut line| line["event"].take()) {
            told.keeper = told.keeper.or(event["begun"]["keeper"]["pid"].as_i64().map(|pid| pid as i32));
            told.command = told.command.or(event["started"]["command"]["pid"].as_i64());
            told.code = told.code.or(event["exited"]["code"].as_i64());
            told.signal = told.signal.or(event["exited"]["signal"].as_i64());
            if let Some(outcome) = event["ended"]["outcome"].as_str() {
                ends += 1;
                told.outcome = Some(outcome.to_string());
                verify_segments(attempt, &event["ended"], context);
            }
        }
        assert!(ends <= 1, "{context}: ended {ends} times");
        for row in segments(attempt, "metrics.").iter().flat_map(|file| json_lines(file, &mut damage)) {
            let step = row["step"].as_u64().unwrap_or_else(|| panic!("{context}: no step: {row}"));
            assert_eq!(row["m"]["loss"].as_f64(), format!("0.{}", 1000 + step).parse().ok(), "{context}: {row}");
            told.steps.push(step);
        }
        assert!(damage.is_empty(), "{context}: {damage:?}");
        told
    }
}

/// When nothing runs any more.
pub(crate) fn compare(load: &mut Load, runs: &[Value], context: &str) {
    let (diary, marks) = read(&load.world.path("diary"));
    journal_is_whole(&load.world.home(), context);
    let log = std::fs::read_to_string(load.world.home().join("daemon.log")).unwrap_or_default();
    assert!(!log.contains("panicked"), "{context}: {log}");
    all_or_none_of_each_submission(load, runs, context);
    let known: BTreeMap<u64, &Value> = runs.iter().filter_map(|run| Some((run["id"].as_u64()?, run))).collect();
    for (run, attempt) in diary.keys() {
        let attempts = known.get(run).and_then(|run| run["attempts"].as_u64());
        assert!(attempts.is_some_and(|attempts| attempt <= &attempts), "{context}: run {run}, attempt {attempt} is not on record");
    }
    let mut came_to: BTreeMap<String, u64> = BTreeMap::new();
    for (id, run) in &known {
        let context = format!("{context}: run {id}");
        let all = one_run(load, *id, run, &diary, &context);
        what_was_stopped_stays_so(*id, &all, &diary, marks.get(id), &context);
        for told in all {
            *came_to.entry(told.outcome.unwrap_or_else(|| "nothing, it never began".into())).or_default() += 1;
        }
    }
    load.counts.retain(|what, _| !what.starts_with("attempt: ") && !what.starts_with("run: "));
    load.counts.extend(came_to.into_iter().map(|(what, count)| (format!("attempt: {what}"), count)));
    for run in known.values() {
        load.count(&format!("run: {}", run["outcome"].as_str().unwrap_or_default()));
    }
    starts_after_what_it_goes_on_from(load, &known, &diary, context);
    never_more_than("in all", AT_A_TIME, |_| true, &diary, context);
    never_more_than("with a desk", DESKS, |run| known.get(&run).is_some_and(|run| run["experiment"] == "desk"), &diary, context);
    for sweep in known.values().filter_map(|run| run["sweep"].as_u64()).collect::<BTreeSet<u64>>() {
        let most = known
            .values()
            .find(|run| run["sweep"].as_u64() == Some(sweep))
            .map_or(6, |run| parallel_of(run["experiment"].as_str().unwrap_or_default()));
        let of_it = |run: u64| known.get(&run).is_some_and(|run| run["sweep"].as_u64() == Some(sweep));
        never_more_than(&format!("of sweep {sweep}"), most, of_it, &diary, context);
    }
    // Of one run, never two attempts at once.
    for run in known.keys() {
        never_more_than("of one run", 1, |other| other == *run, &diary, &format!("{context}: run {run}"));
    }
}

/// All attempts of a run.
fn one_run(load: &mut Load, id: u64, run: &Value, diary: &Diary, context: &str) -> Vec<Told> {
    let mut all = Vec::new();
    for n in 1..=run["attempts"].as_u64().expect("a number") {
        let folder = load.world.home().join(format!("runs/{id}/attempts/{n}"));
        let context = format!("{context}, attempt {n}");
        let told = Told::of(&folder, &context);
        one_attempt(load, (id, &folder), diary.get(&(id, n)), &told, &context);
        all.push(told);
    }
    let last = all.last().expect("each has one");
    let context = format!("{context}, {last:?}: {run:#}");
    agrees_with_its_last_attempt(run, last, &context);
    // What was compared at an earlier rest has not changed: an attempt's end is final.
    if (all.len() > 2 || id.is_multiple_of(PAGES)) && load.pages_seen.insert((id, all.len())) {
        page_agrees(load, id, &all, &context);
    }
    resumes_where_it_was(load, id, diary, &context);
    let retries = retries_of(run["experiment"].as_str().unwrap_or_default());
    let not_started = run["reason"].as_str().is_some_and(|reason| reason.starts_with("could not be started"));
    // A `desk` is begun again where it was lost alone.
    if !load.asked.contains(&id) && !load.again.contains(&id) && !not_started && run["experiment"] != "desk" {
        let failed = all.iter().filter(|told| matches!(told.outcome.as_deref(), Some("failed" | "unknown"))).count() as u64;
        let given_up = run["outcome"] != "finished";
        assert!(failed <= retries + 1 && (!given_up || failed == retries + 1), "{context}: {failed} failures, {retries} retries");
    }
    all
}

/// What is allowed where, of an attempt:
/// - finished or failed with a code: its diary ends with just that, and the other way round;
/// - failed by KILL: its process was killed here, perhaps behind its last line;
/// - failed without code and signal: it was never executed, as whoever was to start it was killed;
/// - stopped: somebody asked for it;
/// - unknown (of the run: lost): its keeper was killed, whatever the diary says; everything that it printed is on record;
/// - no end on record: it was never executed.
fn one_attempt(load: &Load, (run, folder): (u64, &Path), pages: Option<&Pages>, told: &Told, context: &str) {
    let empty = Pages::default();
    let (wrote, pages) = (pages.is_some(), pages.unwrap_or(&empty));
    let context = format!("{context}: {told:?}, in its diary {pages:?}");
    assert!(pages.starts <= 1 && pages.pids.len() <= 1, "{context}: executed twice");
    assert!(!wrote || (pages.starts == 1 && told.command == pages.pids.first().copied()), "{context}: another process is on record");
    let was_killed = told.command.is_some_and(|command| load.killed.contains(&(command as i32)));
    let keeper_killed = told.keeper.is_some_and(|keeper| load.killed.contains(&keeper)) || load.unattended.contains(folder);
    let asked = load.asked.contains(&run);
    match told.outcome.as_deref() {
        Some("finished") => assert_eq!(pages.end, Some(0), "{context}: it did not finish"),
        Some("failed") => match (told.code, told.signal) {
            (Some(code), _) => assert_eq!(pages.end, Some(code), "{context}: it did not fail"),
            (_, Some(9)) => assert!(was_killed, "{context}: nobody killed it"),
            (None, None) => assert!(!wrote && (keeper_killed || !load.killed.is_empty()), "{context}: it was started"),
            other => panic!("{context}: nobody sent this: {other:?}"),
        },
        Some("stopped") => assert!(asked, "{context}: nobody asked for it"),
        Some("unknown") => assert!(keeper_killed, "{context}: its keeper was not killed"),
        None => assert!(!wrote, "{context}: it was executed and has no end"),
        Some(other) => panic!("{context}: no outcome of an attempt: {other}"),
    }
    if let Some(code) = pages.end {
        let ended_so = told.code == Some(code);
        // Between its last line and its end it may be killed, or be asked, which is then the truth.
        let otherwise =
            (told.signal == Some(9) && was_killed) || (told.signal.is_some() && asked) || (told.code.is_none() && keeper_killed);
        assert!(ended_so || otherwise, "{context}: it ended by itself");
    }
    let expected: Vec<u64> = (pages.from + 1..).take(told.steps.len()).collect();
    assert_eq!(told.steps, expected, "{context}: a row was lost or doubled");
    let last = told.steps.last().copied().unwrap_or(0);
    let (least, most) = (pages.printed, pages.prints);
    assert!((least..=most).contains(&last), "{context}: {last} is the last step on record");
}

fn agrees_with_its_last_attempt(run: &Value, told: &Told, context: &str) {
    assert_eq!(run["state"], "ended", "{context}");
    let outcome = run["outcome"].as_str().unwrap_or_default();
    match told.outcome.as_deref() {
        Some("unknown") => assert_eq!(outcome, "lost", "{context}"),
        Some(known) => assert_eq!(outcome, known, "{context}"),
        None => assert!(matches!(outcome, "stopped" | "failed"), "{context}"),
    }
    assert!(outcome == "finished" || run["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{context}: no reason");
    if let Some(step) = told.steps.last() {
        assert_eq!(run["metrics"]["loss"]["last"].as_f64(), format!("0.{}", 1000 + step).parse().ok(), "{context}");
    }
}

/// What begins after a stop was acknowledged was being started then: nothing follows it before somebody asks for that.
fn what_was_stopped_stays_so(run: u64, all: &[Told], diary: &Diary, marks: Option<&BTreeMap<usize, String>>, context: &str) {
    for (n, told) in (1..).zip(all) {
        let Some(pages) = diary.get(&(run, n)) else { continue };
        let last = marks.and_then(|marks| marks.range(..pages.first).next_back());
        let asked = last.is_some_and(|(_, word)| word == "asked");
        let goes_on = asked && matches!(told.outcome.as_deref(), Some("finished" | "failed"));
        assert!(!goes_on, "{context}: attempt {n} began after the run was stopped: {told:?}, {pages:?}, {marks:?}");
    }
}

/// The page of a run says of each attempt what its spool does.
fn page_agrees(load: &Load, run: u64, told: &[Told], context: &str) {
    let said = load.say(&["show", &run.to_string(), "--json"]);
    let page: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{context}: {e}"));
    for attempt in page["attempts"].as_array().into_iter().flatten() {
        let told = &told[attempt["n"].as_u64().expect("a number") as usize - 1];
        // Of one that was stopped before it began the journal alone knows.
        if told.outcome.is_some() {
            assert_eq!(attempt["outcome"].as_str(), told.outcome.as_deref(), "{context}: {attempt:#}");
        }
        assert_eq!((attempt["exit_code"].as_i64(), attempt["signal"].as_i64()), (told.code, told.signal), "{context}: {attempt:#}");
    }
}

/// A further attempt begins behind a step that one before saved, and where nobody who saw to that one was killed, behind the last.
fn resumes_where_it_was(load: &Load, run: u64, diary: &Diary, context: &str) {
    let pages: Vec<(u64, &Pages)> = diary.range((run, 0)..(run + 1, 0)).map(|((_, n), pages)| (*n, pages)).collect();
    for (n, later) in pages.iter().filter(|(_, pages)| pages.from > 0) {
        let before = || pages.iter().filter(|(other, _)| other < n);
        let most = before().map(|(_, pages)| pages.saves).max().unwrap_or(0);
        let attended = |n: u64| !load.unattended.contains(&load.world.home().join(format!("runs/{run}/attempts/{n}")));
        let least = before().filter(|(n, _)| attended(*n)).map(|(_, pages)| pages.saved).max().unwrap_or(1).max(1);
        assert!((least..=most).contains(&later.from), "{context}: attempt {n} went on behind step {}, not {least} to {most}", later.from);
    }
}

fn starts_after_what_it_goes_on_from(load: &Load, known: &BTreeMap<u64, &Value>, diary: &Diary, context: &str) {
    let salts: BTreeMap<u64, u64> = load.submitted.iter().filter_map(|one| Some((one.salt, one.after_ok?))).collect();
    for (id, run) in known {
        let named = run["params"]["salt"].as_u64().and_then(|salt| salts.get(&salt)).copied();
        for before in run["after"].as_u64().into_iter().chain(named) {
            let Some(started) = diary.range((*id, 0)..(*id + 1, 0)).map(|(_, pages)| pages.first).min() else { continue };
            let finished = diary.range((before, 0)..(before + 1, 0)).any(|(_, pages)| pages.end == Some(0) && pages.last < started);
            assert!(finished, "{context}: run {id} started before run {before} had finished");
        }
    }
}

fn all_or_none_of_each_submission(load: &Load, runs: &[Value], context: &str) {
    let mut by_salt: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for run in runs {
        let salt = run["params"]["salt"].as_u64().expect("each has one");
        assert!(by_salt.entry(salt).or_default().insert(run["id"].as_u64().expect("a number")), "{context}: twice in the list");
    }
    for one in &load.submitted {
        let found = by_salt.remove(&one.salt).unwrap_or_default();
        match &one.acknowledged {
            Some(ids) => assert_eq!(&found.iter().copied().collect::<Vec<u64>>(), ids, "{context}: submission {} was forgotten", one.salt),
            None => assert!(found.is_empty() || found.len() == one.runs, "{context}: a part of submission {}: {found:?}", one.salt),
        }
        assert!(one.acknowledged.as_ref().is_none_or(|ids| ids.len() == one.runs), "{context}: submission {}", one.salt);
    }
    assert!(by_salt.is_empty(), "{context}: nobody submitted these: {by_salt:?}");
}

/// So many at the same time for certain: from the first line of an attempt to its last.
fn never_more_than(what: &str, most: usize, of: impl Fn(u64) -> bool, diary: &Diary, context: &str) {
    let mut moments: Vec<(usize, bool, u64)> = Vec::new();
    for ((run, _), pages) in diary.iter().filter(|((run, _), pages)| of(*run) && pages.first < pages.last) {
        moments.extend([(pages.first, true, *run), (pages.last, false, *run)]);
    }
    moments.sort_unstable();
    let mut now = Vec::new();
    for (at, begins, run) in moments {
        if begins {
            now.push(run);
        } else {
            now.retain(|other| *other != run);
        }
        assert!(now.len() <= most, "{context}: more than {most} runs {what} at line {at} of the diary: {now:?}");
    }
}

/// Frame behind frame, read by themselves: mark, length, checksum, JSON.
fn journal_is_whole(home: &Path, context: &str) {
    assert!(unfinished(home).is_empty(), "{context}: {:?}", unfinished(home));
    let journal = std::fs::read(home.join("journal/1.log")).expect("a journal");
    let mut rest = journal.as_slice();
    while !rest.is_empty() {
        let at = journal.len() - rest.len();
        let (head, behind) = rest.split_at_checked(12).unwrap_or_else(|| panic!("{context}: half a frame at {at} of the journal"));
        assert_eq!(&head[..4], b"NRJ1", "{context}: no frame at {at} of the journal");
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (payload, behind) = behind.split_at_checked(length).unwrap_or_else(|| panic!("{context}: half a frame at {at} of the journal"));
        serde_json::from_slice::<Value>(payload).unwrap_or_else(|e| panic!("{context}: the frame at {at} of the journal: {e}"));
        rest = behind;
    }
}
