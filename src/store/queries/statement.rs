//! Statements that are put together from pieces: each value is bound where it stands.

use diesel::query_builder::BoxedSqlQuery;
use diesel::query_builder::SqlQuery;
use diesel::sql_types::{BigInt, Text};
use diesel_async::AsyncConnectionCore;

use super::Connection;

type Backend = <Connection as AsyncConnectionCore>::Backend;

/// A statement so far.
#[derive(Debug, Default)]
pub(super) struct Statement {
    sql: String,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Number(i64),
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    /// More of it: our own words only.
    pub(super) fn sql(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// A text in this place.
    pub(super) fn text(self, value: impl Into<String>) -> Self {
        self.value(Value::Text(value.into()))
    }

    /// A number in this place.
    pub(super) fn number(self, value: i64) -> Self {
        self.value(Value::Number(value))
    }

    /// Both databases number their values by `$1`, `$2` and so on; each is used once, in this order.
    fn value(mut self, value: Value) -> Self {
        self.values.push(value);
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    /// The statement as diesel runs it.
    pub(super) fn build(self) -> BoxedSqlQuery<'static, Backend, SqlQuery> {
        let mut query = diesel::sql_query(self.sql).into_boxed::<Backend>();
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind::<Text, _>(text),
                Value::Number(number) => query.bind::<BigInt, _>(number),
            };
        }
        query
    }
}
