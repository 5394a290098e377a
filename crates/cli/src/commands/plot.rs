use crate::args::Plot;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn plot(_session: &Session, _words: &Plot) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
