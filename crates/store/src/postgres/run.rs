//! Statements on a connection, and what PostgreSQL's errors mean.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error};

use crate::ROWS_MAX;
use crate::error::{Fault, StoreError};
use crate::statement::{Outcome, Row, Statement};
use crate::value::Value;

/// Statements that are on their way before the first one's answer is awaited.
const PIPELINED_MAX: usize = 256;

/// A value that cannot be read, by its type.
type Unread = Box<dyn StdError + Sync + Send>;

impl Value {
    /// The type under which a parameter is sent. The server finds that of a null by itself.
    fn postgres_type(&self) -> Type {
        match self {
            Self::Null => Type::UNKNOWN,
            Self::Integer(_) => Type::INT8,
            Self::Real(_) => Type::FLOAT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Unread> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Real(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Unread> {
        Ok(match *ty {
            Type::INT8 => Self::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Integer(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Integer(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Self::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::Real(f32::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Bytes(Vec::from_sql(ty, raw)?),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unread> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        let numbers = [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::FLOAT8,
            Type::FLOAT4,
        ];
        *ty == Type::BYTEA || numbers.contains(ty) || <String as FromSql>::accepts(ty)
    }
}

/// Runs statements one after another, up to the first that fails, and waits for the answers together.
pub(super) async fn run_all(
    client: &Client,
    owner: &'static str,
    statements: &[Statement],
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Vec::with_capacity(statements.len());
    for together in statements.chunks(PIPELINED_MAX) {
        let mut running = Vec::with_capacity(together.len());
        for statement in together {
            // The client sends statements in the order in which they are polled first.
            let mut answer = Box::pin(run(client, owner, statement));
            let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
            running.push((answer, first));
        }
        for (answer, first) in running {
            outcomes.push(match first {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => answer.await?,
            });
        }
    }
    Ok(outcomes)
}

/// Runs one statement, in one round trip and without a prepared one that a pooler could lose.
pub(super) async fn run(
    client: &Client,
    owner: &'static str,
    statement: &Statement,
) -> Result<Outcome, StoreError> {
    let failed = |error: Error| fault(owner, statement.name, &error);
    let parameters = statement.parameters.iter();
    let parameters = parameters.map(|value| (value, value.postgres_type()));
    let answered = client.query_typed_raw(statement.text, parameters).await;
    let mut found = pin!(answered.map_err(failed)?);
    let mut rows = Vec::new();
    while let Some(row) = found.next().await {
        if rows.len() == ROWS_MAX {
            return Err(StoreError::too_many_rows(owner, statement.name));
        }
        rows.push(read(owner, statement.name, &row.map_err(failed)?)?);
    }
    let changed = found.rows_affected().unwrap_or_default();
    Ok(Outcome { rows, changed })
}

fn read(
    owner: &'static str,
    statement: &'static str,
    row: &tokio_postgres::Row,
) -> Result<Row, StoreError> {
    let value = |index: usize| {
        row.try_get(index).map_err(|_error| {
            let ty = row.columns()[index].type_().name();
            let said = format!(
                "column {index} is of PostgreSQL's type {ty}: cast it to BIGINT, DOUBLE PRECISION, TEXT or BYTEA"
            );
            StoreError::Broken(Fault::of(owner, statement, None, said))
        })
    };
    let values: Result<Vec<Value>, _> = (0..row.len()).map(value).collect();
    Ok(Row {
        owner,
        statement,
        values: values?,
    })
}

/// What an error means. Of the server's own words only those about a statement that cannot be understood are kept: they
/// are about its text, which holds no value.
pub(super) fn fault(owner: &'static str, statement: &'static str, error: &Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        // Of the network or of TLS, or of a connection that has ended.
        let said = match error.source() {
            Some(source) => format!("no connection: {source}"),
            None => "the connection was lost".to_owned(),
        };
        return StoreError::Unavailable(Fault::of(owner, statement, None, said));
    };
    let code = told.code().code();
    let at =
        |said: &'static str| Fault::of(owner, statement, Some(format!("SQLSTATE {code}")), said);
    let refused =
        |said: &str| StoreError::Refused(format!("{owner}, {statement}: {said} (SQLSTATE {code})"));
    match (&code[..2], code) {
        (_, "23505") => StoreError::Conflict(at("there is a row with this key already")),
        (_, "23503") => StoreError::Conflict(at("a row that others point to is missing")),
        (_, "23502") => StoreError::Broken(at("a column may not be null")),
        ("23", _) => StoreError::Broken(at("a rule of the table is broken")),
        ("40", _) => StoreError::Conflict(at("another transaction was in the way")),
        (_, "08P01") => StoreError::Broken(at("PostgreSQL refuses it")),
        (_, "25006") => StoreError::Unavailable(at("the server is a standby")),
        (_, "53100") => StoreError::Unavailable(at("the server's disk is full")),
        (_, "53300") => StoreError::Unavailable(at("the server has too many connections")),
        (_, "57014" | "55P03" | "25P03") => StoreError::Unavailable(at("it took too long")),
        ("08" | "53" | "57" | "58", _) => {
            StoreError::Unavailable(at("the server cannot do it now"))
        }
        ("28", _) => refused("the server does not take this user or its password"),
        (_, "3D000") => refused("the server has no such database"),
        (_, "42501") => refused("the server's user may not do this"),
        ("42", _) => {
            let said = told.message().to_owned();
            StoreError::Broken(Fault::of(
                owner,
                statement,
                Some(format!("SQLSTATE {code}")),
                said,
            ))
        }
        _ => StoreError::Broken(at("PostgreSQL refuses it")),
    }
}
