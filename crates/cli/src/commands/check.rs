use crate::args::Check;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn check(_session: &Session, _words: &Check) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
