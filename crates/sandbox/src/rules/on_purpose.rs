//! Events that ask to be refused, to test with: `custom_data.sandbox_refuse`. Meta has no such key.

use super::wrong;
use crate::answer::GraphError;
use crate::value::Value;

const KEY: &str = "sandbox_refuse";

/// Meta's subcodes begin here, and its codes end below: a number alone says which of them it is.
const SUBCODE_MIN: i64 = 1_000_000;

/// What `sandbox_refuse` may be, for the error about anything else.
const FORMS: &str = "must be \"blind\", \"index\", a code such as 190, a subcode such as 2804087, or \
    both as in \"100/2804087\"";

/// How an event wants to be refused.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// With an error that does not say which event it is about.
    Blind,
    /// With one that does.
    Index,
    /// With this one.
    Code { code: i64, subcode: Option<i64> },
}

/// Refuses an event that asks for it, and one that asks in words that nobody understands.
pub(super) fn check(event: &Value<'_>, index: usize) -> Result<(), GraphError> {
    let asked = event
        .get("custom_data")
        .and_then(|data| data.given(KEY))
        .filter(|asked| **asked != Value::Bool(false));
    let Some(asked) = asked else {
        return Ok(());
    };
    let path = ["custom_data", KEY];
    let Some(wish) = wish(asked) else {
        return Err(wrong(index, &path, FORMS));
    };
    Err(match wish {
        Wish::Index => wrong(index, &path, "asks to be refused"),
        Wish::Blind => refusal(100, None),
        Wish::Code { code, subcode } => refusal(code, subcode),
    })
}

fn refusal(code: i64, subcode: Option<i64>) -> GraphError {
    let status = if code == 190 { 401 } else { 400 };
    GraphError {
        subcode,
        ..GraphError::new(status, code, "Invalid parameter")
    }
}

fn wish(asked: &Value<'_>) -> Option<Wish> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let text = asked.text_or_number()?;
    Some(match text.as_ref() {
        "blind" => Wish::Blind,
        "index" => Wish::Index,
        text => match text.split_once('/') {
            Some((code, subcode)) => Wish::Code {
                code: number(code)?,
                subcode: Some(number(subcode)?),
            },
            None => match number(text)? {
                subcode if subcode >= SUBCODE_MIN => Wish::Code {
                    code: 100,
                    subcode: Some(subcode),
                },
                code => Wish::Code {
                    code,
                    subcode: None,
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(asked: &str) -> Result<(), GraphError> {
        let event = format!(r#"{{"custom_data":{{"sandbox_refuse":{asked}}}}}"#);
        check(&Value::parse(event.as_bytes()).unwrap(), 1)
    }

    /// Each row: the value, and status, code and subcode of the answer; 0 for no subcode.
    const ASKED: [(&str, (u16, i64, i64)); 8] = [
        (r#""blind""#, (400, 100, 0)),
        (r#""index""#, (400, 100, 2_804_019)),
        (r#""100/2804087""#, (400, 100, 2_804_087)),
        (r#""190/463""#, (401, 190, 463)),
        (r#""190""#, (401, 190, 0)),
        ("80004", (400, 80_004, 0)),
        ("2804087", (400, 100, 2_804_087)),
        (r#""2804087""#, (400, 100, 2_804_087)),
    ];

    #[test]
    fn an_event_gets_the_error_that_it_asks_for() {
        for (asked, expected) in ASKED {
            let error = checked(asked).unwrap_err();
            let found = (error.status, error.code, error.subcode.unwrap_or(0));
            assert_eq!(found, expected, "{asked}");
        }
        let place = checked(r#""index""#).unwrap_err().for_user.unwrap().1;
        assert!(place.contains("$['data'][1]"), "{place}");
        assert_eq!(checked(r#""blind""#).unwrap_err().for_user, None);
    }

    #[test]
    fn what_is_not_asked_passes() {
        for asked in ["null", "false"] {
            assert_eq!(checked(asked), Ok(()), "{asked}");
        }
        assert_eq!(check(&Value::Null, 1), Ok(()));
    }

    #[test]
    fn what_nobody_understands_is_refused_and_says_what_would_be_right() {
        for asked in [
            "true",
            "1.5",
            "0",
            "-3",
            "[]",
            r#"{"code":100}"#,
            r#""""#,
            r#""yes""#,
            r#""100/""#,
            r#""100/abc""#,
            r#""/2804087""#,
        ] {
            let error = checked(asked).unwrap_err();
            assert_eq!((error.code, error.subcode), (100, Some(2_804_019)));
            let text = error.for_user.unwrap().1;
            let place = "$['data'][1]['custom_data']['sandbox_refuse']";
            assert!(
                text.contains(place) && text.contains(FORMS),
                "{asked}: {text}"
            );
        }
    }
}
