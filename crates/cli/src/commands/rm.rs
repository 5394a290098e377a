use crate::args::{Rm, Which};
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn rm(_session: &Session, _words: &Rm) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
pub(crate) fn restore(_session: &Session, _words: &Which) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
