//! What every request passes before its handler runs. There is one wrapper, [`Guard`], made from the route's rule:
//! request id, access, admission, panics, error bodies, headers and the log line of a request that failed.

mod access;
mod admission;
mod expect;
mod guard;
mod span;
mod target;

pub(crate) use access::Access;
pub(crate) use admission::{Admission, Place, Unanswered};
pub(crate) use expect::before_continue;
pub(crate) use guard::{Asker, Guard, Incoming};
pub(crate) use span::GatewaySpan;
pub(crate) use target::check_text;
