//! Reading a response and everything before it, in one statement.

use std::cmp::Reverse;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use gateway_actors::protocol::{CHAIN_BYTES, Chain, ResponseId, StoredResponse};

use super::Connection;
use crate::store::error::QueryError;
use crate::store::models::ResponseRow;
use crate::store::schema::responses;

type Backend = <Connection as AsyncConnectionCore>::Backend;

/// The response of this id and those before it, at most `most` of them. `now` is in microseconds since 1970.
pub(in super::super) async fn response_chain(
    connection: &mut Connection,
    id: &ResponseId,
    most: u32,
    now: i64,
) -> Result<Chain, QueryError> {
    let limits = Limits {
        responses: most.into(),
        bytes: i64::try_from(CHAIN_BYTES).unwrap_or(i64::MAX),
    };
    let links = Links {
        id: id.as_str(),
        now,
        limits,
    };
    let mut rows: Vec<(i64, i64, ResponseRow)> = links.load(connection).await?;
    // Not by the database, which would write many large rows to a temporary file to sort them.
    rows.sort_unstable_by_key(|&(place, _, _)| Reverse(place));
    // The place and the bytes of the oldest are those of all.
    let Some(&(place, bytes, ref oldest)) = rows.as_slice().first() else {
        return Ok(Chain::Broken { missing: id.clone() });
    };
    if place > limits.responses {
        return Ok(Chain::TooLong);
    }
    if bytes > limits.bytes {
        return Ok(Chain::TooLarge);
    }
    if let Some(missing) = oldest.previous()? {
        return Ok(Chain::Broken { missing });
    }
    let links = rows.into_iter().map(|(_, _, row)| StoredResponse::try_from(row));
    Ok(Chain::Whole(links.collect::<Result<_, _>>()?))
}

/// What is read at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    responses: i64,
    bytes: i64,
}

/// The statement. Its rows are the place of a response, from 1 for the one asked for, the bytes up to there and the
/// response, in any order. It ends behind the first response over a limit, whose texts are left out.
#[derive(Debug)]
struct Links<'a> {
    id: &'a str,
    now: i64,
    limits: Limits,
}

impl QueryFragment<Backend> for Links<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        let Limits { responses, bytes } = &self.limits;
        // Found by id alone: the texts are no part of what goes from one step to the next, only their lengths are,
        // which both databases know without reading them.
        pass.push_sql(
            "WITH RECURSIVE chain (place, bytes, id, previous_id) AS (
                SELECT CAST(1 AS BIGINT), CAST(octet_length(input) AS BIGINT) + octet_length(body), id, previous_id
                FROM responses WHERE id = ",
        );
        pass.push_bind_param::<Text, _>(self.id)?;
        pass.push_sql(" AND expires_at > ");
        pass.push_bind_param::<BigInt, _>(&self.now)?;
        pass.push_sql(
            " UNION ALL
                SELECT chain.place + 1, chain.bytes + octet_length(older.input) + octet_length(older.body),
                    older.id, older.previous_id
                FROM chain CROSS JOIN responses AS older
                WHERE older.id = chain.previous_id AND older.expires_at > ",
        );
        pass.push_bind_param::<BigInt, _>(&self.now)?;
        pass.push_sql(" AND chain.place <= ");
        pass.push_bind_param::<BigInt, _>(responses)?;
        pass.push_sql(" AND chain.bytes <= ");
        pass.push_bind_param::<BigInt, _>(bytes)?;
        // SQLite reads a cross join in the order in which it is written: each link is looked up by its id.
        pass.push_sql(
            ") SELECT place, bytes, one.id, one.previous_id, one.request_id, one.model,
                CASE WHEN fits THEN one.input ELSE '' END, CASE WHEN fits THEN one.body ELSE '' END,
                one.created_at, one.expires_at
            FROM (SELECT place, bytes, id, place <= ",
        );
        pass.push_bind_param::<BigInt, _>(responses)?;
        pass.push_sql(" AND bytes <= ");
        pass.push_bind_param::<BigInt, _>(bytes)?;
        pass.push_sql(" AS fits FROM chain) AS link CROSS JOIN responses AS one WHERE one.id = link.id");
        Ok(())
    }
}

impl Query for Links<'_> {
    type SqlType = (BigInt, BigInt, responses::SqlType);
}

impl QueryId for Links<'_> {
    type QueryId = Links<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
