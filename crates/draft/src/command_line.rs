//! From a command line as it is typed behind `--`.

use crate::IsSecret;
use crate::batch;
use crate::call::{self, Call};
use crate::hydra;
use crate::known::Known;
use crate::program;
use crate::shell::Word;
use crate::toml::{self, Page};
use neronet_spec::{Piece, template};

pub(crate) fn draft(words: &[String], secret: IsSecret) -> Result<Page, String> {
    let mut page = Page::default();
    page.head.push("Drafted by `neronet init` from a command line.".to_string());
    let call = match words {
        [line] if line.trim().contains(char::is_whitespace) => return batch::of_line(line, page, secret),
        words => of_words(words, secret),
    };
    if call.command().trim().is_empty() {
        return Err("there is no command: write it behind --, as in -- python train.py --lr 0.1".to_string());
    }
    write(&call, &mut page);
    Ok(page)
}

fn of_words(words: &[String], secret: IsSecret) -> Call {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let assigned = |word: &&String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let before = words.iter().take_while(assigned).count();
    let (before, words) = words.split_at(before);
    let mut words: Vec<Word> = words.iter().map(|word| Word::typed(word)).collect();
    let mut known = Known::default();
    let multirun = multirun(&mut words, &mut known);
    let mut call = Call::of(&words, &known, secret);
    if multirun {
        call.notes.push("Hydra's --multirun is left out: its lists are parameters, and each run is one of neronet's".to_string());
    }
    for (name, value) in before.iter().filter_map(|word| word.split_once('=')) {
        if secret(name) {
            call.notes.push(call::unwritten(name));
            call.secrets.push(name.to_string());
        } else {
            call.env.push((name.to_string(), value.to_string()));
        }
    }
    call
}

/// Takes `--multirun` away where Hydra would sweep over lists, which become parameters.
fn multirun(words: &mut Vec<Word>, known: &mut Known) -> bool {
    let head = program::head(words).length.min(words.len());
    let Some(at) = words[head..].iter().position(|word| matches!(word.raw.as_str(), "-m" | "--multirun")) else { return false };
    let mut found = false;
    for (at, word) in words.iter_mut().enumerate().skip(head) {
        let text = word.literal().unwrap_or_default();
        let Some((name, value)) = text.split_once('=').filter(|(name, value)| !name.starts_with('-') && value.contains([',', '('])) else {
            continue;
        };
        if let Some((toml, false)) = hydra::swept(value) {
            let variable = format!("word_{at}");
            known.differ(&variable, name.trim_start_matches('+'), toml);
            *word = Word::with_variable(&format!("{name}="), &variable);
            found = true;
        }
    }
    if found {
        words.remove(head + at);
    }
    found
}

/// A call as the whole of a specification, with the keys that come next.
pub(crate) fn write(call: &Call, page: &mut Page) {
    page.head.push(
        "A list varies, one run for each value: lr = [0.1, 0.01]. `neronet check` shows the runs, `neronet run` starts them.".to_string(),
    );
    page.top.set("", "name", toml::string(&program::stem(&call.program)), "");
    call.write(&mut page.top);
    page.top.propose("", "objective", toml::string("val_loss min"), "what \"best\" means");
    if call.params.is_empty() {
        page.top.remark("params", "lr = [0.1, 0.01]: with {flags} in the command each becomes --name value");
    }
    page.top.remark("checkpoints", "Checkpoints, for `neronet resume`; the command must take the path:");
    page.top.propose("checkpoints", "paths", toml::strings(["ckpt/*.pt"]), "[resume] arguments = \"--resume {checkpoint}\"");
    call.notes.iter().for_each(|note| page.note(note));
}

/// A text that the shell gets as it is.
pub(crate) fn verbatim(text: &str) -> String {
    template(&[Piece::Text(text.to_string())])
}
