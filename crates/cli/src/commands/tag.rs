use crate::args::Tag;
use crate::session::Session;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn tag(_session: &Session, _words: &Tag) -> Result<ExitCode, HomeError> {
    Err(HomeError::Failed("not there yet".into()))
}
