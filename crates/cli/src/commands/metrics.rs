use crate::args::Metrics;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn metrics(_session: &Session, _words: &Metrics) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
