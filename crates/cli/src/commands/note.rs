use crate::args::Note;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn note(_session: &Session, _words: &Note) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
