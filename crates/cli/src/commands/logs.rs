use crate::args::Logs;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn logs(_session: &Session, _words: &Logs) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
