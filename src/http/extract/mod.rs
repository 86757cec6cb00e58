//! Reads what a client sent: the body, the headers that bear on it, and the fields of the gateway's own requests.

mod body;
mod budget;
mod deadline;
mod fields;
mod query;

pub(crate) use body::read_json;
pub(crate) use budget::BodyBudget;
pub(crate) use deadline::deadline;
pub(crate) use fields::Fields;
pub(crate) use query::Query;
