use crate::args::Compare;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn compare(_session: &Session, _words: &Compare) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
