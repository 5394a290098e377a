//! `neronet schema`: the language of specifications for editors.

use crate::output;
use neronet_home::HomeError;
use std::process::ExitCode;

pub(crate) fn schema() -> Result<ExitCode, HomeError> {
    output::json(&neronet_spec::schema());
    Ok(ExitCode::SUCCESS)
}
