//! BudgetActor: holds and what was spent.
//!
//! * **Owns** the cell's open holds and the sum of what its attempts cost. No limit is enforced yet; every attempt
//!   goes through a hold all the same, so that a limit has one place to stand.
//! * **Talks to** nobody. The pipeline asks it for a [`Hold`](crate::protocol::Hold); the hold tells it what became
//!   of the attempt, also when it is dropped.
//! * **On a restart** the open holds are read back from the cell's journal (attempts that were sent and have no end),
//!   and the sum is the last published one plus the journalled attempts after it. A hold whose attempt was not sent
//!   yet is not in the journal: it is forgotten, and giving it back later changes nothing.

mod actor;
mod core;

pub use actor::BudgetActor;
