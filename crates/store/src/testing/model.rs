//! A table of counts held against a map.

use std::collections::BTreeMap;

use super::{ADD, Fresh, INSERT};
use crate::{Sql, Statement, StoreError};

const DELETE: Sql<1> = Sql::new("delete", "DELETE FROM law_count WHERE key = $1");
const ROWS: Sql<0> = Sql::new("rows", "SELECT key, n FROM law_count ORDER BY key");

/// Something that is done with a key.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// A new row. The whole write is refused when there is one.
    Insert(u8, i64),
    /// A new row, or more in the one that is there.
    Add(u8, i64),
    /// No row any more.
    Delete(u8),
}

fn key(number: u8) -> String {
    format!("key {number}")
}

impl Op {
    fn statement(self) -> Statement {
        match self {
            Self::Insert(number, n) => INSERT.with([key(number).into(), n.into()]),
            Self::Add(number, n) => ADD.with([key(number).into(), n.into()]),
            Self::Delete(number) => DELETE.with([key(number).into()]),
        }
    }

    /// Does it to the map; false when it cannot be done.
    fn apply(self, map: &mut BTreeMap<String, i64>) -> bool {
        match self {
            Self::Insert(number, n) => map.insert(key(number), n).is_none(),
            Self::Add(number, n) => {
                *map.entry(key(number)).or_default() += n;
                true
            }
            Self::Delete(number) => {
                map.remove(&key(number));
                true
            }
        }
    }
}

/// After each write the table is what a map would be. Counts are 0 or more.
pub async fn upserts_are_a_map(place: &Fresh, writes: &[Vec<Op>]) {
    let tables = place.law().await;
    let mut map = BTreeMap::new();
    for ops in writes {
        let mut after = map.clone();
        let is_possible = ops.iter().all(|op| op.apply(&mut after));
        let statements = ops.iter().map(|op| op.statement()).collect();
        match tables.write(statements).await {
            Ok(_) => assert!(is_possible, "{ops:?}"),
            Err(StoreError::Conflict(_)) => assert!(!is_possible, "{ops:?}"),
            Err(error) => panic!("{error}"),
        }
        if is_possible {
            map = after;
        }
        let found = tables.read(vec![ROWS.with([])]).await.unwrap();
        let rows = found[0].rows.iter();
        let rows: BTreeMap<String, i64> = rows
            .map(|row| (row.get(0).unwrap(), row.get(1).unwrap()))
            .collect();
        assert_eq!(rows, map);
    }
}
