//! Statements, their parameters, and what they answer.

use crate::error::{Fault, StoreError};
use crate::value::{FromValue, Value};

/// One statement of SQL with `N` parameters, written `$1` to `$N`, in the dialect that both databases understand.
///
/// The text is a constant: nothing that a program is told can become SQL. That its parameters are `$1` to `$N` is
/// checked when the constant is compiled.
#[derive(Debug, Clone, Copy)]
pub struct Sql<const N: usize> {
    name: &'static str,
    text: &'static str,
}

impl<const N: usize> Sql<N> {
    /// A statement, and its name in errors.
    ///
    /// # Panics
    ///
    /// When the parameters in the text are not `$1` to `$N`; of a constant, the compiler says so.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        assert!(
            parameters(text) == (1 << N) - 1,
            "the parameters of a statement are $1 to $N"
        );
        Self { name, text }
    }

    /// The statement with its parameters.
    #[must_use]
    pub fn with(self, parameters: [Value; N]) -> Statement {
        Statement {
            name: self.name,
            text: self.text,
            parameters: parameters.into(),
        }
    }
}

/// The parameters in a statement, a bit for each, the lowest for `$1`. A text literal must not look like one.
const fn parameters(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut found = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let mut number: u64 = 0;
            while at + 1 < bytes.len() && bytes[at + 1].is_ascii_digit() {
                number = number * 10 + (bytes[at + 1] - b'0') as u64;
                at += 1;
            }
            assert!(
                number >= 1 && number <= 60,
                "a parameter is one of $1 to $60"
            );
            found |= 1 << (number - 1);
        }
        at += 1;
    }
    found
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) parameters: Vec<Value>,
}

/// Finds a value that not both databases can store.
pub(crate) fn check(owner: &'static str, statements: &[Statement]) -> Result<(), StoreError> {
    for statement in statements {
        for (index, value) in statement.parameters.iter().enumerate() {
            if let Some(flaw) = value.flaw() {
                let said = format!("parameter ${} {flaw}", index + 1);
                return Err(StoreError::Broken(Fault::of(
                    owner,
                    statement.name,
                    None,
                    said,
                )));
            }
        }
    }
    Ok(())
}

/// What a statement came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The rows that it returned.
    pub rows: Vec<Row>,
    /// How many rows it changed; of a statement that returns rows, how many those are.
    pub changed: u64,
}

/// A row that a statement returned.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) owner: &'static str,
    pub(crate) statement: &'static str,
    pub(crate) values: Vec<Value>,
}

impl Row {
    /// The value of a column, counted from 0.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`] when there is no such column, or its value is of another kind.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, StoreError> {
        let value = self.values.get(column);
        if let Some(read) = value.and_then(T::from_value) {
            return Ok(read);
        }
        let found = value.map_or("missing", Value::kind);
        let said = format!("column {column} is {found} where {} is read", T::KIND);
        Err(StoreError::Broken(Fault::of(
            self.owner,
            self.statement,
            None,
            said,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_wherever_they_stand() {
        assert_eq!(parameters("SELECT 1"), 0);
        assert_eq!(parameters("SELECT $2, $1, $2"), 0b11);
        assert_eq!(parameters("SELECT $1+$12"), 0b1000_0000_0001);
    }

    #[test]
    #[should_panic(expected = "$1 to $N")]
    fn a_gap_in_the_parameters_is_refused() {
        let _gap = Sql::<2>::new("gap", "SELECT $1, $3");
    }

    #[test]
    fn a_value_of_another_kind_is_told_without_it() {
        let row = Row {
            owner: "shop",
            statement: "find",
            values: vec![Value::from("4477001")],
        };
        let error = row.get::<i64>(0).unwrap_err().to_string();
        assert!(
            error.contains("column 0 is text where an integer is read"),
            "{error}"
        );
        assert!(!error.contains("4477001"), "{error}");
        assert!(row.get::<String>(1).is_err());
    }
}
