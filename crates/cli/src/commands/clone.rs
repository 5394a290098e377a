use crate::args::Clone;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn clone(_session: &Session, _words: &Clone) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
