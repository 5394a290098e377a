use crate::args::Ls;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn ls(_session: &Session, _words: &Ls) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
