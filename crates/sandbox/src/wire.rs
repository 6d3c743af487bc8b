//! The forms in which a request to `/events` may come: JSON, urlencoded or multipart; `data` as a
//! list, or as a text that holds one; each event as an object, or as a text that holds one.

use std::borrow::Cow;
use std::convert::Infallible;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answer::GraphError;
use crate::value::Value;

/// How many fields a form may have, so that a hostile one costs little.
const FORM_FIELDS_MAX: usize = 1_000;

/// A request's parameters, owned.
#[derive(Debug)]
pub(crate) struct Posted {
    query: Vec<(String, String)>,
    body: Form,
}

#[derive(Debug)]
enum Form {
    Json(Bytes),
    Fields(Vec<(String, String)>),
}

/// A request's parameters, read.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    posted: &'a Posted,
    json: Value<'a>,
}

/// The `data` of a request as it came, kept for people to look at.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    text: Bytes,
    /// Whether the text is a whole body with `data` in it, or only the list.
    is_whole: bool,
}

/// The pairs of a query or a urlencoded body.
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded)
        .take(FORM_FIELDS_MAX)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

/// The value of a key, unless it is empty.
pub(crate) fn pick<'p>(pairs: &'p [(String, String)], key: &str) -> Option<&'p str> {
    let found = pairs.iter().rev().find(|(name, _)| name == key);
    found
        .map(|(_, value)| value.as_str())
        .filter(|v| !v.is_empty())
}

/// The number under a key.
///
/// # Errors
///
/// What was found, if it is no number.
pub(crate) fn pick_number<N: FromStr>(
    pairs: &[(String, String)],
    key: &str,
) -> Result<Option<N>, String> {
    let Some(text) = pick(pairs, key) else {
        return Ok(None);
    };
    let number = text.parse().map(Some);
    number.map_err(|_| format!("{key} is a whole number, found {text:?}"))
}

/// Whether there are no other keys than these: one that is spelt wrong would be without effect.
///
/// # Errors
///
/// Which key does not exist, and which do.
pub(crate) fn only(pairs: &[(String, String)], known: &[&str]) -> Result<(), String> {
    match pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some((key, _)) => Err(format!(
            "there is no {key:?}; there are {}",
            known.join(", ")
        )),
    }
}

impl Posted {
    /// Takes a body apart by its content type. A body without one is JSON if it looks like JSON.
    pub(crate) async fn read(content_type: &str, query: &str, body: Bytes) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        let looks_like_json = body.trim_ascii_start().starts_with(b"{");
        let body = if kind == "multipart/form-data" {
            Form::Fields(multipart(content_type, body).await)
        } else if kind.ends_with("/json") || kind.ends_with("+json") || looks_like_json {
            Form::Json(body)
        } else {
            Form::Fields(pairs(&body))
        };
        Self {
            query: pairs(query.as_bytes()),
            body,
        }
    }

    /// The parameters. A JSON body is parsed here, once.
    pub(crate) fn parameters(&self) -> Result<Parameters<'_>, GraphError> {
        let json = match &self.body {
            Form::Json(body) if body.trim_ascii().is_empty() => Value::Null,
            Form::Json(body) => Value::parse(body).map_err(|error| {
                GraphError::new(400, 100, format!("(#100) The body is no JSON: {error}"))
            })?,
            Form::Fields(_) => Value::Null,
        };
        Ok(Parameters { posted: self, json })
    }

    fn field(&self, key: &str) -> Option<&str> {
        let fields: &[_] = match &self.body {
            Form::Fields(fields) => fields,
            Form::Json(_) => &[],
        };
        pick(fields, key).or_else(|| pick(&self.query, key))
    }

    /// What to keep of the events.
    pub(crate) fn keep(&self) -> Kept {
        match (&self.body, self.field("data")) {
            (Form::Json(body), _) => Kept {
                text: body.clone(),
                is_whole: true,
            },
            (_, data) => Kept {
                text: Bytes::from(data.unwrap_or("[]").to_owned()),
                is_whole: false,
            },
        }
    }
}

/// The parts of a multipart body. What `Content-Type` a part claims does not matter: SDKs write junk
/// there. A torn body gives the parts that are whole.
async fn multipart(content_type: &str, body: Bytes) -> Vec<(String, String)> {
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return Vec::new();
    };
    let body = stream::once(async { Ok::<_, Infallible>(body) });
    let mut parts = multer::Multipart::new(body, boundary);
    let mut fields = Vec::new();
    while let Ok(Some(part)) = parts.next_field().await {
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        let Ok(content) = part.bytes().await else {
            break;
        };
        fields.push((name, String::from_utf8_lossy(&content).into_owned()));
        if fields.len() == FORM_FIELDS_MAX {
            break;
        }
    }
    fields
}

impl<'a> Parameters<'a> {
    /// A parameter that is a text, wherever it came: body first, then query.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        let in_json = self.json.given(key).and_then(Value::text_or_number);
        let in_json = in_json.filter(|text| !text.is_empty());
        in_json.or_else(|| self.posted.field(key).map(Cow::Borrowed))
    }

    /// The events of `data`.
    pub(crate) fn events(self) -> Result<Vec<Value<'a>>, GraphError> {
        let data = match self.json {
            Value::Object(entries) => {
                let found = entries.into_iter().rev().find(|(key, _)| key == "data");
                found.map_or(Value::Null, |(_, value)| value)
            }
            _ => Value::Null,
        };
        let data = match (data, self.posted.field("data")) {
            (Value::Null, Some(text)) => parse(text)?,
            (Value::Text(text), _) => parse(&text)?.into_owned(),
            (data, _) => data,
        };
        match data {
            Value::Null => Err(GraphError::new(
                400,
                100,
                "(#100) The parameter data is required",
            )),
            Value::List(items) => Ok(items.into_iter().map(event).collect()),
            _ => Err(GraphError::new(
                400,
                100,
                "(#100) The parameter data must be an array",
            )),
        }
    }
}

fn parse(text: &str) -> Result<Value<'_>, GraphError> {
    Value::parse(text.as_bytes()).map_err(|error| {
        GraphError::new(
            400,
            100,
            format!("(#100) The parameter data is no JSON: {error}"),
        )
    })
}

/// An event that came as a text becomes an object; a text that holds none stays what it is, and the
/// rules refuse it.
fn event(item: Value<'_>) -> Value<'_> {
    match item {
        Value::Text(text) => match Value::parse(text.as_bytes()) {
            Ok(event) => event.into_owned(),
            Err(_) => Value::Text(text),
        },
        item => item,
    }
}

impl Kept {
    /// One event alone.
    pub(crate) fn one(event: &str) -> Self {
        Self {
            text: format!("[{event}]").into(),
            is_whole: false,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The events as they were written, byte by byte.
    pub(crate) fn events(&self) -> Vec<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(borrow)]
            data: &'a RawValue,
        }
        let list = if self.is_whole {
            serde_json::from_slice::<Whole<'_>>(&self.text).map(|whole| whole.data.get())
        } else {
            Ok(std::str::from_utf8(&self.text).unwrap_or("[]"))
        };
        let list = list.unwrap_or("[]");
        if let Ok(inner) = serde_json::from_str::<String>(list) {
            return raw_events(&inner)
                .into_iter()
                .map(|event| Cow::Owned(event.into_owned()))
                .collect();
        }
        raw_events(list)
    }
}

fn raw_events(list: &str) -> Vec<Cow<'_, str>> {
    let items: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
    let in_text = |item: &RawValue| serde_json::from_str::<String>(item.get()).ok();
    items
        .into_iter()
        .map(|item| in_text(item).map_or(Cow::Borrowed(item.get()), Cow::Owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTIPART: &str = "--b\r\nContent-Disposition: form-data; name=\"data\"\r\n\
        Content-Type: multipart/form-data\r\n\r\n[{\"event_name\":\"A\"},{\"event_name\":\"B\"}]\r\n\
        --b\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\nT\r\n--b--\r\n";

    /// Every form an SDK or a person sends, each with the same two events and the same token.
    const FORMS: [(&str, &str, &str); 8] = [
        (
            "application/json",
            "access_token=T",
            r#"{"data":[{"event_name":"A"},{"event_name":"B"}],"id":"1","namespace_id":null}"#,
        ),
        (
            "application/json; charset=utf-8",
            "",
            r#"{"data":["{\"event_name\":\"A\"}",{"event_name":"B"}],"access_token":"T"}"#,
        ),
        (
            "application/json",
            "",
            r#"{"data":"[{\"event_name\":\"A\"},\"{\\\"event_name\\\":\\\"B\\\"}\"]","access_token":"T"}"#,
        ),
        (
            "",
            "access_token=T",
            r#" {"data":[{"event_name":"A"},{"event_name":"B"}]}"#,
        ),
        (
            "application/x-www-form-urlencoded",
            "access_token=T",
            "data=%5B%7B%22event_name%22%3A%22A%22%7D%2C%7B%22event_name%22:%22B%22%7D%5D",
        ),
        (
            "application/x-www-form-urlencoded",
            "",
            r#"access_token=T&data=["{\"event_name\":\"A\"}","{\"event_name\":\"B\"}"]"#,
        ),
        ("multipart/form-data; boundary=b", "", MULTIPART),
        (
            "",
            r#"access_token=T&data=[{"event_name":"A"},{"event_name":"B"}]"#,
            "",
        ),
    ];

    #[tokio::test]
    async fn every_form_is_read_alike() {
        for (content_type, query, body) in FORMS {
            let posted = Posted::read(content_type, query, Bytes::from(body)).await;
            let parameters = posted.parameters().unwrap();
            assert_eq!(
                parameters.text("access_token").as_deref(),
                Some("T"),
                "{body}"
            );
            let events = parameters.events().unwrap();
            let names: Vec<_> = events
                .iter()
                .map(|event| event.get("event_name").and_then(Value::text))
                .collect();
            assert_eq!(names, [Some("A"), Some("B")], "{body}");
            let kept = posted.keep();
            let kept: Vec<_> = kept.events().into_iter().map(Cow::into_owned).collect();
            assert_eq!(
                kept,
                [r#"{"event_name":"A"}"#, r#"{"event_name":"B"}"#],
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_data() {
        for (body, expected) in [
            ("", "is required"),
            ("{}", "is required"),
            (r#"{"data":null}"#, "is required"),
            (r#"{"data":{}}"#, "must be an array"),
            (r#"{"data":"[{"}"#, "no JSON"),
            (r#"{"data":[{]}"#, "no JSON"),
        ] {
            let posted = Posted::read("application/json", "", Bytes::from(body)).await;
            let error = posted
                .parameters()
                .and_then(Parameters::events)
                .unwrap_err();
            assert!(error.message.contains(expected), "{body}: {error:?}");
        }
        let posted = Posted::read("multipart/form-data", "", Bytes::from("x")).await;
        assert!(posted.parameters().and_then(Parameters::events).is_err());
    }
}
