use crate::args::Show;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn show(_session: &Session, _words: &Show) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
