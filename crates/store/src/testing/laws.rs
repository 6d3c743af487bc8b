//! Laws of one program.

use super::{ADD, COUNT, Fresh, INSERT, all, count};
use crate::{ROWS_MAX, Sql, Statement, StoreError, Value};

const VALUE: Sql<4> = Sql::new(
    "value",
    "INSERT INTO law_value (whole, part, words, raw) VALUES ($1, $2, $3, $4) RETURNING whole, part, words, raw, id",
);
const NEW_ID: Sql<0> = Sql::new(
    "new id",
    "INSERT INTO law_value (whole) VALUES (1) RETURNING id",
);
const NUMBERS: Sql<1> = Sql::new(
    "numbers",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n",
);

pub(super) async fn values_come_back(place: &Fresh) {
    let tables = place.law().await;
    let whole = [i64::MIN, -1, 0, i64::MAX];
    let part = [f64::MIN, 0.1, f64::INFINITY, f64::MIN_POSITIVE];
    let words = ["", "Größe 'x' \"y\" \\ $1 \u{1f600}", "a\tb\r\n", "ǅ"];
    let raw: [&[u8]; 4] = [b"", b"\0\xff\0", b"'\\x00", &[7; 5_000]];
    for (((whole, part), words), raw) in whole.into_iter().zip(part).zip(words).zip(raw) {
        let given: [Value; 4] = [whole.into(), part.into(), words.into(), raw.into()];
        let found = tables.write(vec![VALUE.with(given)]).await.unwrap();
        let row = &found[0].rows[0];
        assert_eq!(row.get::<i64>(0).unwrap(), whole);
        assert_eq!(row.get::<f64>(1).unwrap().to_bits(), part.to_bits());
        assert_eq!(row.get::<String>(2).unwrap(), words);
        assert_eq!(row.get::<Vec<u8>>(3).unwrap(), raw);
    }
    let nulls = [Value::Null, Value::Null, Value::Null, Value::Null];
    let found = tables.write(vec![VALUE.with(nulls)]).await.unwrap();
    let row = &found[0].rows[0];
    assert_eq!(row.get::<Option<i64>>(0).unwrap(), None);
    assert_eq!(row.get::<Option<f64>>(1).unwrap(), None);
    assert_eq!(row.get::<Option<String>>(2).unwrap(), None);
    assert_eq!(row.get::<Option<Vec<u8>>>(3).unwrap(), None);
    assert!(matches!(row.get::<i64>(0), Err(StoreError::Broken(_))));
}

pub(super) async fn what_one_of_them_cannot_store_is_refused(place: &Fresh) {
    let tables = place.law().await;
    for flawed in [Value::from("a\0b"), Value::from(f64::NAN)] {
        let find = COUNT.with([flawed]);
        let read = tables.read(vec![find.clone()]).await;
        assert!(matches!(read, Err(StoreError::Broken(_))), "{read:?}");
        let write = tables.write(vec![find.clone()]).await;
        assert!(matches!(write, Err(StoreError::Broken(_))), "{write:?}");
        let decide = move |_: Vec<_>| ((), vec![find.clone()]);
        let change = tables.change(Vec::new(), decide).await;
        assert!(matches!(change, Err(StoreError::Broken(_))), "{change:?}");
    }
}

/// Statements that fail, and whether it is a conflict.
fn failures(marker: &str) -> Vec<(Statement, bool)> {
    const NO_TABLE: Sql<1> = Sql::new("no table", "SELECT 1 FROM law_nothing WHERE key = $1");
    const NO_SQL: Sql<0> = Sql::new("no sql", "SELEKT 1");
    const TWO: Sql<0> = Sql::new("two", "SELECT 1; SELECT 2");
    const OTHER_KIND: Sql<1> = Sql::new("kind", "INSERT INTO law_value (whole) VALUES ($1)");
    const PART: Sql<1> = Sql::new("part", "INSERT INTO law_part (of, at) VALUES ($1, 1)");
    vec![
        (INSERT.with([marker.into(), 1.into()]), true),
        (PART.with([format!("{marker}-other").into()]), true),
        (INSERT.with(["null".into(), Value::Null]), false),
        (
            INSERT.with([format!("{marker}-low").into(), (-44_770_011).into()]),
            false,
        ),
        (OTHER_KIND.with([marker.into()]), false),
        (NO_TABLE.with([marker.into()]), false),
        (NO_SQL.with([]), false),
        (TWO.with([]), false),
    ]
}

pub(super) async fn errors_say_what_is_to_be_done(place: &Fresh) {
    let tables = place.law().await;
    tables
        .write(vec![INSERT.with(["a".into(), 1.into()])])
        .await
        .unwrap();
    for (statement, is_conflict) in failures("a") {
        let error = tables.write(vec![statement]).await.unwrap_err();
        let is_right = match error {
            StoreError::Conflict(_) => is_conflict,
            StoreError::Broken(_) => !is_conflict,
            _ => false,
        };
        assert!(is_right, "{error}");
    }
    assert_eq!(all(&tables).await, (1, 1));
}

pub(super) async fn errors_hold_no_value(place: &Fresh) {
    let tables = place.law().await;
    let marker = "kim@example.com";
    tables
        .write(vec![INSERT.with([marker.into(), 1.into()])])
        .await
        .unwrap();
    for (statement, _) in failures(marker) {
        let told = format!("{statement:?}");
        let error = tables.write(vec![statement.clone()]).await.unwrap_err();
        let reading = tables.read(vec![statement]).await.unwrap_err();
        for said in [
            told,
            format!("{error} {error:?}"),
            format!("{reading} {reading:?}"),
        ] {
            assert!(
                !said.contains("kim@") && !said.contains("44770011"),
                "{said}"
            );
        }
        assert!(error.to_string().contains("law, "), "{error}");
    }
}

pub(super) async fn a_write_is_done_wholly_or_not(place: &Fresh) {
    let tables = place.law().await;
    let add = |key: &str| ADD.with([key.into(), 1.into()]);
    tables.write(vec![add("a")]).await.unwrap();
    let taken = INSERT.with(["a".into(), 7.into()]);
    let failed = tables
        .write(vec![add("b"), add("a"), taken.clone(), add("c")])
        .await;
    assert!(matches!(failed, Err(StoreError::Conflict(_))), "{failed:?}");
    let decide = move |_: Vec<_>| ((), vec![ADD.with(["b".into(), 1.into()]), taken.clone()]);
    let failed = tables.change(Vec::new(), decide).await;
    assert!(matches!(failed, Err(StoreError::Conflict(_))), "{failed:?}");
    assert_eq!(all(&tables).await, (1, 1));
    let done = tables.write(vec![add("b"), add("a")]).await.unwrap();
    assert_eq!(done.len(), 2);
    assert_eq!(all(&tables).await, (2, 3));
}

pub(super) async fn changed_rows_are_counted(place: &Fresh) {
    const OR_NOT: Sql<1> = Sql::new(
        "or not",
        "INSERT INTO law_count (key, n) VALUES ($1, 5) ON CONFLICT DO NOTHING",
    );
    const ONLY_MORE: Sql<2> = Sql::new(
        "only more",
        "INSERT INTO law_count AS c (key, n) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET n = excluded.n
         WHERE c.n < excluded.n RETURNING key, n",
    );
    const DELETE: Sql<0> = Sql::new("delete", "DELETE FROM law_count");
    let tables = place.law().await;
    let done = tables
        .write(vec![
            OR_NOT.with(["a".into()]),
            OR_NOT.with(["a".into()]),
            ADD.with(["a".into(), 1.into()]),
            ADD.with(["b".into(), 1.into()]),
            ONLY_MORE.with(["a".into(), 6.into()]),
            ONLY_MORE.with(["a".into(), 7.into()]),
            DELETE.with([]),
            DELETE.with([]),
        ])
        .await
        .unwrap();
    let changed: Vec<u64> = done.iter().map(|outcome| outcome.changed).collect();
    assert_eq!(changed, [1, 0, 1, 1, 0, 1, 2, 0]);
    assert_eq!(done[5].rows[0].get::<i64>(1).unwrap(), 7);
}

pub(super) async fn ids_ascend_and_do_not_come_back(place: &Fresh) {
    const FORGET: Sql<1> = Sql::new("forget", "DELETE FROM law_value WHERE id = $1");
    let tables = place.law().await;
    let mut last = 0;
    for _ in 0..3 {
        let made = tables.write(vec![NEW_ID.with([])]).await.unwrap();
        let id: i64 = made[0].rows[0].get(0).unwrap();
        assert!(id > last, "{id} after {last}");
        tables.write(vec![FORGET.with([id.into()])]).await.unwrap();
        last = id;
    }
}

pub(super) async fn pages_go_by_bytes(place: &Fresh) {
    const PAGE: Sql<2> = Sql::new(
        "page",
        "SELECT key FROM law_count WHERE key > $1 ORDER BY key LIMIT $2",
    );
    let tables = place.law().await;
    let keys = [
        "a b",
        "Z",
        "ä",
        "a",
        "é",
        "B",
        "ab",
        "z",
        "-",
        "\u{1f600}",
        "A",
        "a-b",
        "10",
        "9",
    ];
    let insert = keys.map(|key| INSERT.with([key.into(), 1.into()]));
    tables.write(insert.into()).await.unwrap();
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned().unwrap_or_default();
        let page = tables
            .read(vec![PAGE.with([after.into(), 3.into()])])
            .await
            .unwrap();
        if page[0].rows.is_empty() {
            break;
        }
        found.extend(page[0].rows.iter().map(|row| row.get::<String>(0).unwrap()));
    }
    let expected = [
        "-",
        "10",
        "9",
        "A",
        "B",
        "Z",
        "a",
        "a b",
        "a-b",
        "ab",
        "z",
        "ä",
        "é",
        "\u{1f600}",
    ];
    assert_eq!(found, expected);
}

pub(super) async fn a_reading_call_writes_nothing(place: &Fresh) {
    let tables = place.law().await;
    let add = ADD.with(["a".into(), 1.into()]);
    let error = tables.read(vec![add]).await.unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
    assert_eq!(count(&tables, "a").await, None);
}

pub(super) async fn rows_are_bounded(place: &Fresh) {
    let tables = place.law().await;
    let most = i64::try_from(ROWS_MAX).unwrap();
    let found = tables
        .read(vec![NUMBERS.with([most.into()])])
        .await
        .unwrap();
    assert_eq!(found[0].rows.len(), ROWS_MAX);
    let more = NUMBERS.with([(most + 1).into()]);
    let read = tables.read(vec![more.clone()]).await;
    assert!(matches!(read, Err(StoreError::Broken(_))));
    let write = tables
        .write(vec![ADD.with(["a".into(), 1.into()]), more])
        .await;
    assert!(matches!(write, Err(StoreError::Broken(_))));
    assert_eq!(count(&tables, "a").await, None);
}

pub(super) async fn thousands_of_rows_are_one_write(place: &Fresh) {
    let tables = place.law().await;
    let add = |number: i64| ADD.with([format!("key {}", number % 2_000).into(), number.into()]);
    let done = tables.write((0..5_000).map(add).collect()).await.unwrap();
    assert_eq!(done.len(), 5_000);
    assert_eq!(all(&tables).await, (2_000, 4_999 * 2_500));
}

pub(super) async fn a_panic_changes_nothing(place: &Fresh) {
    let tables = place.law().await;
    let theirs = tables.clone();
    let task = tokio::spawn(async move {
        let add = vec![ADD.with(["a".into(), 1.into()])];
        let decide = |_| -> ((), Vec<Statement>) { panic!("the decision's own words") };
        theirs.change(add, decide).await
    });
    let panic = task.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"the decision's own words"));
    tables
        .write(vec![ADD.with(["b".into(), 1.into()])])
        .await
        .unwrap();
    assert_eq!(count(&tables, "a").await, None);
}
