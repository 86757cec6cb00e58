//! A code agent's task as both edges know it: what may be asked, the message that is made of it, and what is told of the
//! answer.

mod answer;
mod dialect;
mod fields;
mod message;
mod request;

pub(crate) use self::answer::{Quality, Todo};
pub(crate) use self::dialect::AgentText;
pub(crate) use self::request::{Accepts, AgentRequest, schema};

#[cfg(test)]
#[path = "samples_tests.rs"]
pub(crate) mod samples;
