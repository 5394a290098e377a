//! Asking before something is taken away.

use crate::output;
use neronet_home::HomeError;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether to go on. Where nobody can be asked, `--yes` must have said so; `what` is the sentence in which that is asked for.
pub(crate) fn confirmed(yes: bool, question: &str, what: &str) -> Result<bool, HomeError> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(HomeError::Words(format!("{what}; nobody can be asked here, so say --yes")));
    }
    write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stderr().flush()).ok();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| HomeError::Failed(format!("the answer cannot be read: {e}")))?;
    let agreed = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !agreed {
        output::notice("nothing was done");
    }
    Ok(agreed)
}
