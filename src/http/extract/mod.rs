//! Reads what a client sent: the body, the headers that bear on it, and the fields of the gateway's own requests.

mod body;
mod budget;
mod deadline;
mod query;

pub(crate) use body::{read_any_json, read_json};
pub(crate) use budget::BodyBudget;
pub(crate) use deadline::deadline;
pub(crate) use query::Query;

pub(crate) use crate::fields::Fields;
