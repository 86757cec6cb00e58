//! The mark of a move that has not ended, in the target: where the data comes from and how far it is copied.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::rows::Key;
use crate::store::schema::moves;

/// The mark's only row.
const ID: i32 = 1;

/// A move that has not ended.
#[derive(Debug)]
pub(super) struct Mark {
    /// The address of the source.
    pub(super) source: String,
    /// What the source held: the text of its totals.
    pub(super) source_totals: String,
    /// The row that was copied last; none before the first.
    pub(super) last: Option<Place>,
}

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) table: String,
    pub(super) key: Key,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = moves, treat_none_as_null = true)]
struct Row {
    id: i32,
    source: String,
    source_totals: String,
    last_table: Option<String>,
    last_key: Option<String>,
    last_number: Option<i64>,
}

/// The mark, if the target has one.
pub(super) async fn read(target: &mut AsyncPgConnection) -> QueryResult<Option<Mark>> {
    let row: Option<Row> = moves::table.find(ID).first(target).await.optional()?;
    Ok(row.map(|row| {
        let last = match (row.last_table, row.last_key, row.last_number) {
            (Some(table), Some(id), Some(number)) => Some(Place {
                table,
                key: Key { id, number },
            }),
            _ => None,
        };
        Mark {
            source: row.source,
            source_totals: row.source_totals,
            last,
        }
    }))
}

/// Makes this the mark.
pub(super) async fn write(target: &mut AsyncPgConnection, mark: &Mark) -> QueryResult<()> {
    let row = Row {
        id: ID,
        source: mark.source.clone(),
        source_totals: mark.source_totals.clone(),
        last_table: mark.last.as_ref().map(|last| last.table.clone()),
        last_key: mark.last.as_ref().map(|last| last.key.id.clone()),
        last_number: mark.last.as_ref().map(|last| last.key.number),
    };
    let write = diesel::insert_into(moves::table)
        .values(&row)
        .on_conflict(moves::id)
        .do_update()
        .set(&row);
    write.execute(target).await.map(drop)
}

/// Notes how far the move is.
pub(super) async fn advance(target: &mut AsyncPgConnection, table: &str, last: &Key) -> QueryResult<()> {
    let advance = diesel::update(moves::table.find(ID)).set((
        moves::last_table.eq(table),
        moves::last_key.eq(&last.id),
        moves::last_number.eq(last.number),
    ));
    advance.execute(target).await.map(drop)
}

/// The move has ended.
pub(super) async fn remove(target: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::delete(moves::table).execute(target).await.map(drop)
}
