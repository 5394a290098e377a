//! The other end of a channel to this machine: `neronet agent`, which whoever is at home speaks to. It answers, and decides nothing; it
//! lives as long as the connection.

use neronet_machine::{Watch, elsewhere};
use neronet_schedule::Place;
use neronet_supervise::os::{clock, process};
use neronet_target::frame;
use neronet_target::wire::{Answer, Ask, Hello, OLDEST, PROTOCOL, Question, Reply};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};

/// Until the input ends. The exit code.
pub fn serve(version: &str) -> i32 {
    match answer(&mut io::stdin().lock(), &mut io::stdout().lock(), version) {
        Ok(()) => 0,
        Err(why) => {
            writeln!(io::stderr(), "neronet agent: {why}").ok();
            1
        }
    }
}

fn answer(input: &mut impl Read, output: &mut impl Write, version: &str) -> Result<(), String> {
    let me = process::myself();
    let hello = Hello { protocol: PROTOCOL, oldest: OLDEST, version: version.to_string(), host: me.host, boot: me.boot };
    let gone = |e: io::Error| format!("nobody listens: {e}");
    frame::write(output, &hello, &[]).map_err(gone)?;
    while let Some((Question { id, ask }, _)) = frame::read(input).map_err(|e| e.to_string())? {
        let reply = match ask {
            Ask::Machine => machine(),
        };
        frame::write(output, &Answer { id, reply }, &[]).map_err(gone)?;
    }
    Ok(())
}

fn machine() -> Reply {
    let mut watch = Watch::open();
    let (machine, looked) = (watch.machine(), watch.look());
    let place = Place {
        memory_elsewhere: machine.memory.saturating_sub(looked.memory_available),
        gpus_elsewhere: elsewhere(&looked, &BTreeSet::new(), &BTreeSet::new()),
        machine,
        ..Place::default()
    };
    Reply::Machine { now: clock::unix_now(), place: Box::new(place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets_and_answers_under_the_number_of_the_question() {
        let mut asked = Vec::new();
        frame::write(&mut asked, &Question { id: 7, ask: Ask::Machine }, &[]).expect("into memory");
        let mut said = Vec::new();
        answer(&mut &asked[..], &mut said, "1.2.3").expect("answered");
        let mut said = &said[..];
        let (hello, _) = frame::read::<Hello>(&mut said).expect("a frame").expect("a greeting");
        assert_eq!((hello.version.as_str(), hello.common()), ("1.2.3", Some(PROTOCOL)));
        let (answer, _) = frame::read::<Answer>(&mut said).expect("a frame").expect("an answer");
        assert!(answer.id == 7 && matches!(answer.reply, Reply::Machine { .. }));
        // What it does not understand ends it.
        assert!(super::answer(&mut &b"\x02\0\0\0\0\0\0\0{}"[..], &mut Vec::new(), "1").is_err());
    }
}
