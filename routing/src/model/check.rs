//! What is checked of every number of the fitted file, and what may be wrong with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why a fitted file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Not JSON, or a member is missing, unknown or of another type.
    #[error(
        "the routing model is not of this form (line {line}, column {column}): write it with scripts/fit_routing.py"
    )]
    Form {
        /// Where, from 1 on.
        line: usize,
        /// Where, from 1 on.
        column: usize,
    },
    /// Adjustments that are not JSON, or have a member that is unknown or of another type.
    #[error(
        "adjustments must be of the form {{\"layers\":{{\"L0\":0.1}},\"models\":{{\"name\":0.1}}}} (line {line}, column {column})"
    )]
    Adjustments {
        /// Where, from 1 on.
        line: usize,
        /// Where, from 1 on.
        column: usize,
    },
    /// Written for another version of this code, or with other constants.
    #[error(
        "`{field}` of the routing model is for another version of the gateway: fit it anew with the script of this version"
    )]
    Version {
        /// The member.
        field: &'static str,
    },
    /// A list that is too long or too short.
    #[error("`{field}` of the routing model has {found} values instead of {expected}")]
    Length {
        /// The member.
        field: &'static str,
        /// How many it needs.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A number out of its range.
    #[error("`{field}` of the routing model has a number that is not between {least} and {most}")]
    Number {
        /// The member.
        field: &'static str,
        /// The least it may be.
        least: &'static str,
        /// The most it may be.
        most: &'static str,
    },
    /// A name that nothing has.
    #[error("`{field}` of the routing model names something that is not there, or names it twice")]
    Name {
        /// The member.
        field: &'static str,
    },
    /// Not base64.
    #[error("`{field}` of the routing model is not base64")]
    Base64 {
        /// The member.
        field: &'static str,
    },
}

/// The size that no weight reaches.
const MOST: f64 = 1000.0;

/// As many numbers as the code reads, none of them large.
pub(crate) fn weights<const N: usize>(field: &'static str, values: &[f64]) -> Result<[f64; N], ModelError> {
    if let Some(value) = values.iter().find(|value| value.is_nan() || value.abs() >= MOST) {
        within(field, *value, -MOST, MOST, "-1000", "1000")?;
    }
    exactly(field, values)
}

/// As many values as the code reads.
pub(crate) fn exactly<T: Copy, const N: usize>(field: &'static str, values: &[T]) -> Result<[T; N], ModelError> {
    <[T; N]>::try_from(values).ok().ok_or(ModelError::Length {
        field,
        expected: N,
        found: values.len(),
    })
}

/// Between two numbers, which are named in the error.
pub(crate) fn within(
    field: &'static str,
    value: f64,
    least: f64,
    most: f64,
    least_text: &'static str,
    most_text: &'static str,
) -> Result<f64, ModelError> {
    if value > least && value < most {
        Ok(value)
    } else {
        Err(ModelError::Number {
            field,
            least: least_text,
            most: most_text,
        })
    }
}

/// A chance, neither impossible nor certain.
pub(crate) fn chance(field: &'static str, value: f64) -> Result<f64, ModelError> {
    within(field, value, 0.0, 1.0, "0", "1")
}

/// Above 0.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<f64, ModelError> {
    within(field, value, 0.0, MOST, "0", "1000")
}

/// A mean and how far values lie from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// Means beside their deviations.
pub(crate) fn scales<const N: usize>(
    field: &'static str,
    means: &[f64],
    deviations: &[f64],
) -> Result<[Scale; N], ModelError> {
    let means = weights::<N>(field, means)?;
    let deviations = weights::<N>(field, deviations)?;
    let mut scales = [Scale {
        mean: 0.0,
        deviation: 1.0,
    }; N];
    for (scale, (mean, deviation)) in scales.iter_mut().zip(means.into_iter().zip(deviations)) {
        let deviation = positive(field, deviation)?;
        *scale = Scale { mean, deviation };
    }
    Ok(scales)
}

/// Exactly these names.
pub(crate) fn names<'a>(
    field: &'static str,
    found: &[String],
    expected: impl Iterator<Item = &'a str>,
) -> Result<(), ModelError> {
    if found.iter().map(String::as_str).eq(expected) {
        Ok(())
    } else {
        Err(ModelError::Version { field })
    }
}

/// So many bytes.
pub(crate) fn bytes(field: &'static str, text: &str, expected: usize) -> Result<Vec<u8>, ModelError> {
    let bytes = STANDARD.decode(text).ok().ok_or(ModelError::Base64 { field })?;
    if bytes.len() == expected {
        Ok(bytes)
    } else {
        Err(ModelError::Length {
            field,
            expected,
            found: bytes.len(),
        })
    }
}

/// A constant of the code that the file repeats.
pub(crate) fn same<T: PartialEq>(field: &'static str, found: &T, expected: &T) -> Result<(), ModelError> {
    if found == expected {
        Ok(())
    } else {
        Err(ModelError::Version { field })
    }
}
