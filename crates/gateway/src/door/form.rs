//! The forms in which clients of the Graph API send the same thing: JSON, urlencoded, multipart.
//!
//! In the forms each field is text; `data` is JSON text then, a list of objects or of JSON strings, or it is
//! written in [`nested`] fields.

use bytes::Bytes;
use futures_util::FutureExt as _;
use sluice_event::batch::{Beside, is_asked_for};

use super::nested;

/// Fields of a form. An event in fields of its own has some twenty.
const FIELDS_MAX: usize = 10_000;

/// What a field takes in memory beside its texts, in bytes, with its place in the tree of nested ones.
const FIELD_BYTES: usize = 256;

/// A request body of the Graph API.
pub(crate) enum Form {
    /// One JSON document.
    Json(Vec<u8>),
    /// Fields with texts.
    Fields(Vec<(String, String)>),
}

/// Why a body is no form of the Graph API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    #[error(
        "the multipart body cannot be read; each part needs a name, and the boundary has to be that of Content-Type"
    )]
    Multipart,
    #[error("the form has more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error("(#100) The parameter data is required: a list of events as JSON")]
    NoData,
}

impl Form {
    /// Reads a body by its content type; without a known one by how it begins.
    pub(crate) fn read(content_type: &str, body: Vec<u8>) -> Result<Self, FormError> {
        if is_multipart(content_type) {
            // The whole body is here, so there is nothing to wait for.
            let read = multipart(content_type, body).now_or_never();
            return read.unwrap_or(Err(FormError::Multipart));
        }
        if is_json(content_type, &body) {
            return Ok(Form::Json(body));
        }
        within_limit(pairs(&body))
    }

    /// A form that has its `data` in the query, if it has none itself: a request without a body, as it can be
    /// typed into Graph tools.
    pub(crate) fn or_data_of(mut self, query: &str) -> Self {
        if let Form::Fields(fields) = &mut self
            && !fields.iter().any(|(name, _)| is_data(name))
        {
            let named = pairs(query.as_bytes()).into_iter();
            fields.extend(named.filter(|(name, _)| is_data(name)));
        }
        self
    }

    /// The text of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match self {
            Form::Json(_) => None,
            Form::Fields(fields) => fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str()),
        }
    }

    /// The body, if it is JSON.
    pub(crate) fn json(&self) -> Option<&[u8]> {
        match self {
            Form::Json(body) => Some(body),
            Form::Fields(_) => None,
        }
    }

    /// The test code, if it is a field: as it is, or as JSON text, in which some clients write every field.
    pub(crate) fn test_event_code(&self) -> Option<String> {
        let code = (self.fields().iter())
            .find(|(key, _)| Beside::of(key) == Some(Beside::TestEventCode))
            .map(|(_, code)| code.as_str())?;
        Some(serde_json::from_str(code).unwrap_or_else(|_| code.to_owned()))
    }

    /// Whether a field asks for what only an event can ask for, as a switch beside `data` would in JSON.
    pub(crate) fn has_switch(&self) -> bool {
        (self.fields().iter())
            .any(|(key, value)| Beside::of(key) == Some(Beside::Switch) && is_asked_for(value))
    }

    fn fields(&self) -> &[(String, String)] {
        match self {
            Form::Json(_) => &[],
            Form::Fields(fields) => fields,
        }
    }

    /// The JSON text that holds the events. Python's `requests` writes a list as one field for each
    /// entry, so several `data` are the entries of one list.
    pub(crate) fn into_events(self) -> Result<Vec<u8>, FormError> {
        let fields = match self {
            Form::Json(body) => return Ok(body),
            Form::Fields(fields) => fields,
        };
        let (data, others): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(key, _)| key == "data");
        let mut texts: Vec<_> = data.into_iter().map(|(_, text)| text).collect();
        match texts.len() {
            0 => nested::json_of("data", others).ok_or(FormError::NoData),
            1 => Ok(texts.remove(0).into_bytes()),
            _ => Ok(list_of(texts)),
        }
    }
}

/// A JSON list of the entries. Each is gone when it is written, so a large body is in memory twice at most.
fn list_of(entries: Vec<String>) -> Vec<u8> {
    let bytes: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    let mut list = Vec::with_capacity(bytes + 1);
    for entry in entries {
        list.push(if list.is_empty() { b'[' } else { b',' });
        list.extend_from_slice(entry.as_bytes());
    }
    list.push(b']');
    list
}

/// Whether a field is `data`, or a part of it.
fn is_data(name: &str) -> bool {
    name == "data" || nested::is_below("data", name)
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .take(FIELDS_MAX + 1)
        .collect()
}

/// What the fields of a form take beside their texts, at most.
pub(crate) fn fields_bytes(body: &[u8]) -> usize {
    // A field ends with `&`, or with the line of a boundary.
    let ends = body.iter().filter(|byte| matches!(byte, b'&' | b'\n'));
    (ends.count() + 1).min(FIELDS_MAX) * FIELD_BYTES
}

/// Whether a body is one JSON document, and no form. An empty one is an empty form, whatever it is called.
pub(crate) fn is_json(content_type: &str, body: &[u8]) -> bool {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return false;
    };
    let looks_like_json = matches!(first, b'{' | b'[');
    !is_multipart(content_type)
        && (looks_like_json || kind(content_type).eq_ignore_ascii_case("application/json"))
}

fn is_multipart(content_type: &str) -> bool {
    kind(content_type).eq_ignore_ascii_case("multipart/form-data")
}

/// A content type without its parameters.
fn kind(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn within_limit(fields: Vec<(String, String)>) -> Result<Form, FormError> {
    if fields.len() > FIELDS_MAX {
        return Err(FormError::TooManyFields);
    }
    Ok(Form::Fields(fields))
}

/// PHP labels its parts with content types of its own, which say nothing here.
async fn multipart(content_type: &str, body: Vec<u8>) -> Result<Form, FormError> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| FormError::Multipart)?;
    let body = Bytes::from(body);
    let stream = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>(body) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| FormError::Multipart)? {
        let name = part.name().ok_or(FormError::Multipart)?.to_owned();
        let value = part.bytes().await.map_err(|_| FormError::Multipart)?;
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
        if fields.len() > FIELDS_MAX {
            return Err(FormError::TooManyFields);
        }
    }
    within_limit(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(content_type: &str, body: &str) -> Result<String, FormError> {
        let form = Form::read(content_type, body.as_bytes().to_vec())?;
        Ok(String::from_utf8(form.into_events()?).unwrap())
    }

    #[test]
    fn reads_every_form() {
        let multipart = "--X\r\nContent-Disposition: form-data; name=\"data\"\r\n\
            Content-Type: multipart/form-data\r\n\r\n[{}]\r\n\
            --X\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\nkey\r\n--X--\r\n";
        for (content_type, body, expected) in [
            ("application/json", r#"{"data":[{}]}"#, r#"{"data":[{}]}"#),
            ("", r#" {"data":[{}]}"#, r#" {"data":[{}]}"#),
            ("text/plain", "[{}]", "[{}]"),
            (
                "application/x-www-form-urlencoded; charset=utf-8",
                "data=%5B%7B%7D%5D&access_token=key",
                "[{}]",
            ),
            (
                "application/x-www-form-urlencoded",
                "data=%7B%7D&access_token=key&data=%7B%7D",
                "[{},{}]",
            ),
            (
                "application/x-www-form-urlencoded",
                "data[0][event_name]=Lead&access_token=key",
                r#"[{"event_name":"Lead"}]"#,
            ),
            (
                "application/x-www-form-urlencoded",
                "data[0][event_name]=Lead&data=%5B%7B%7D%5D",
                "[{}]",
            ),
            ("multipart/form-data; boundary=X", multipart, "[{}]"),
        ] {
            assert_eq!(
                data(content_type, body).as_deref(),
                Ok(expected),
                "{content_type}"
            );
        }
    }

    #[test]
    fn data_may_stand_in_the_query() {
        let read = |content_type, body: &str, query| {
            let form = Form::read(content_type, body.as_bytes().to_vec()).unwrap();
            let events = form.or_data_of(query).into_events();
            events.map(|events| String::from_utf8(events).unwrap())
        };
        let nested = "access_token=k&data[0][event_name]=Lead";
        for (content_type, body, query, expected) in [
            ("application/json", "", "data=%5B%7B%7D%5D", Ok("[{}]")),
            ("", "access_token=k", "data=[1]", Ok("[1]")),
            ("", "", nested, Ok(r#"[{"event_name":"Lead"}]"#)),
            ("", "data=[2]", "data=[1]", Ok("[2]")),
            ("", r#"{"data":[]}"#, "data=[1]", Ok(r#"{"data":[]}"#)),
            ("", "", "access_token=k", Err(FormError::NoData)),
        ] {
            let found = read(content_type, body, query);
            assert_eq!(
                found.as_deref(),
                expected.as_ref().copied(),
                "{body} {query}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_form() {
        let form = "application/x-www-form-urlencoded";
        let many = "a=1&".repeat(FIELDS_MAX + 1);
        for (content_type, body, error) in [
            (form, "access_token=key", FormError::NoData),
            (form, many.as_str(), FormError::TooManyFields),
            ("multipart/form-data", "--X", FormError::Multipart),
            (
                "multipart/form-data; boundary=X",
                "nothing",
                FormError::Multipart,
            ),
        ] {
            assert_eq!(data(content_type, body), Err(error), "{body}");
        }
    }

    #[test]
    fn fields_are_found_by_name() {
        let form = Form::read("", b"test_event_code=TEST1&access_token=a%20b".to_vec());
        let form = form.unwrap();
        assert_eq!(form.test_event_code().as_deref(), Some("TEST1"));
        assert_eq!(form.field("access_token"), Some("a b"));
        assert_eq!(form.json(), None);
        let form = Form::read("", b"test_event_code=%22TEST1%22".to_vec());
        let form = form.unwrap();
        assert_eq!(form.test_event_code().as_deref(), Some("TEST1"));
    }
}
