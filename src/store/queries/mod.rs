//! What is done to conversations and to responses, in diesel's own language.
//!
//! A conversation is a row with the place of its next message and, while a turn runs, that turn's lease. Its messages
//! alternate: the user's at odd places, the answers at even ones, without gaps. Only the newest turn can be open
//! (`pending`); a turn that came to nothing keeps its two places, the answer being empty.
//!
//! What was answered under an idempotency key is a row, too, which is claimed before there is an answer.
//!
//! A response is a row that is written once. It names the one that it went on from, and nothing ties them together.
//!
//! Reports, audits and repricings are statements in SQL that both databases understand.
//!
//! Offers, outcomes and the notebook are rows, too; of an offer one decision alone is taken.
//!
//! The ledger (`ledger`) is what was spent and is held of budgets.
//!
//! This module is compiled once inside each database's module. What it takes from there is all that the databases
//! differ in: `Connection` is the connection's type, `lock` makes others wait who want to change the same conversation
//! or to put a change into the order that processes look by, `books` locks and writes rows of the ledger,
//! `new_outcomes` inserts many rows, and `dialect` has the words of SQL that are not the same.

mod amend;
mod audit;
mod chain;
mod close;
mod escalations;
mod events;
mod forget;
mod idempotency;
mod keys;
pub(super) mod ledger;
mod notebook;
mod open;
mod outcome_sums;
mod outcomes;
mod page;
mod release;
mod reports;
mod reprice;
mod responses;
mod stamps;
mod statement;
mod todos;

pub(super) use amend::amend;
pub(super) use audit::audit;
pub(super) use chain::response_chain;
pub(super) use close::close;
pub(super) use escalations::{decide, find_offer, offer, purge_offers};
pub(super) use events::{
    claim_events, event_delivered, present_events, purge_events, put_off_event, raise_event, spent_today,
};
pub(super) use forget::forget;
pub(super) use idempotency::{abandon_work_of, claim_work, give_up_work, keep_answer, prolong_work, purge_answers};
pub(super) use keys::{
    ESCALATION, KEY_HASH, create_key, delete_limits, find_key, find_limits, key_changes, list_keys, revoke_key,
    rotate_key, secret, set_limits, update_key,
};
pub(super) use notebook::{
    calibration, delete_experiment, delete_improvement, delete_model_edit, list_experiments, list_improvements,
    list_model_edits, put_calibration, put_experiment, put_improvement, put_model_edit, revert_calibration,
    stop_experiment,
};
pub(super) use open::open;
pub(super) use outcome_sums::{experiment_sums, successes};
pub(super) use outcomes::{
    insert_outcomes, note_feedback, note_tests, outcome_page, outcomes_of_experiment, purge_outcomes,
};
pub(super) use page::read;
pub(super) use release::release;
pub(super) use reports::{dearest_calls, report};
pub(super) use reprice::reprice;
pub(super) use responses::{delete_response, find_response, purge_responses, put_response};
pub(super) use todos::{open_list, put_list};

use super::{Connection, books, dialect, lock, new_outcomes};
