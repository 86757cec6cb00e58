//! To-do lists of conversations.

use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{ConversationId, RequestId, TodoList};

use super::{Connection, lock};
use crate::store::error::{Fault, QueryError};
use crate::store::notebook_row::{list_of, list_text};
use crate::store::schema::{messages, todo_lists};

/// The conversation's newest list, if a step of it is open.
pub(in super::super) async fn open_list(
    connection: &mut Connection,
    conversation: &ConversationId,
) -> Result<Option<TodoList>, QueryError> {
    let newest: Option<String> = todo_lists::table
        .filter(todo_lists::conversation_id.eq(conversation.as_str()))
        .order((todo_lists::created_at.desc(), todo_lists::id.desc()))
        .select(todo_lists::todo_data)
        .first(connection)
        .await
        .optional()?;
    let newest = newest.as_deref().map(list_of).transpose()?;
    Ok(newest.filter(TodoList::is_open))
}

/// Stores a list of this request over the one with its id, inside the running transaction. A list of another conversation
/// is never replaced. The request must have written in the conversation: one whose conversation was deleted has not,
/// whether or not another has begun under its id.
pub(in super::super) async fn put_list(
    connection: &mut Connection,
    conversation: &ConversationId,
    request: RequestId,
    list: &TodoList,
    now: i64,
) -> Result<(), QueryError> {
    lock::conversation(connection, conversation.as_str()).await?;
    let written: Option<i64> = messages::table
        .filter(messages::conversation_id.eq(conversation.as_str()))
        .filter(messages::request_id.eq(request.to_string()))
        .order(messages::seq.desc())
        .select(messages::seq)
        .first(connection)
        .await
        .optional()?;
    if written.is_none() {
        return Err(QueryError::Deleted);
    }
    let text = list_text(list)?;
    let put = diesel::insert_into(todo_lists::table)
        .values((
            todo_lists::id.eq(&*list.id),
            todo_lists::conversation_id.eq(conversation.as_str()),
            todo_lists::todo_data.eq(&text),
            todo_lists::created_at.eq(now),
            todo_lists::updated_at.eq(now),
        ))
        .on_conflict(todo_lists::id)
        .do_update()
        .set((todo_lists::todo_data.eq(&text), todo_lists::updated_at.eq(now)));
    let its_own = todo_lists::conversation_id.eq(conversation.as_str());
    let put = methods::FilterDsl::filter(put, its_own);
    match put.execute(connection).await? {
        0 => Err(Fault::failed("a to-do list's id belongs to another conversation").into()),
        _ => Ok(()),
    }
}
