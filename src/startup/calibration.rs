//! What models and questions are judged by: the shipped file, or the one that the settings name.

use std::path::PathBuf;
use std::sync::Arc;

use gateway_actors::protocol::Calibration;
use gateway_routing::{ModelError, RoutingModel};

use crate::config::Settings;

/// The calibration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file cannot be read.
    #[error("routing.calibration: {} cannot be read; name a file that scripts/fit_routing.py wrote", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not of the form that this build reads.
    #[error("routing.calibration: {} cannot be used: {source}; let scripts/fit_routing.py write it again", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The file that this build was made with is not of the form that it reads.
    #[error("the calibration that this program was built with cannot be used: {0}; build it again")]
    Shipped(ModelError),
}

/// Reads the calibration of the settings.
///
/// # Errors
/// When its file cannot be read or used.
pub fn calibration(settings: &Settings) -> Result<Calibration, CalibrationError> {
    let Some(path) = &settings.routing.calibration else {
        let shipped = RoutingModel::shipped().map_err(CalibrationError::Shipped)?;
        return Ok(Calibration::Shipped(shipped));
    };
    let text = std::fs::read_to_string(path).map_err(|source| CalibrationError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let model = RoutingModel::read(&text).map_err(|source| CalibrationError::Unusable {
        path: path.clone(),
        source,
    })?;
    Ok(Calibration::Own(Arc::new(model)))
}
