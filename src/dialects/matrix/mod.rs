//! What of each dialect that clients speak reaches each dialect that providers speak, and back: the tables in
//! `docs/dialects.md` are what these tests saw. With `GATEWAY_WRITE_DOCS=1` they write them anew.

mod answers;
mod page;
mod requests;
mod sides;

pub(in crate::dialects) use page::says;
