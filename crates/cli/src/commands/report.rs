use crate::args::Report;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn report(_session: &Session, _words: &Report) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
