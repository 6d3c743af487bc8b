//! What the sandbox answers: the shapes of Meta's successes and errors.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

/// `Content-Type` of whatever the Graph API answers.
const JSON: &str = "application/json; charset=UTF-8";

/// An error of the Graph API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) code: i64,
    pub(crate) subcode: Option<i64>,
    pub(crate) message: Cow<'static, str>,
    /// `error_user_title` and `error_user_msg`.
    pub(crate) for_user: Option<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) is_transient: bool,
}

impl GraphError {
    /// The general form: `OAuthException`, as nearly every error of Meta's calls itself.
    pub(crate) fn new(status: u16, code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            kind: "OAuthException",
            code,
            subcode: None,
            message: message.into(),
            for_user: None,
            is_transient: false,
        }
    }

    /// A refusal of the events themselves: code 100 and a subcode that says why.
    pub(crate) fn refused(
        subcode: i64,
        title: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            subcode: Some(subcode),
            for_user: Some((title.into(), text.into())),
            ..Self::new(400, 100, "Invalid parameter")
        }
    }

    /// A parameter is missing or of the wrong type; `path` begins with `$['data'][3]`.
    pub(crate) fn parameter(path: &str, wrong: &str) -> Self {
        let text = format!("The parameter {path} {wrong}.");
        Self::refused(2_804_019, "Server Side Api Parameter Error", text)
    }

    pub(crate) fn with_subcode(self, subcode: i64) -> Self {
        Self {
            subcode: Some(subcode),
            ..self
        }
    }

    pub(crate) fn with_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn transient(self) -> Self {
        Self {
            is_transient: true,
            ..self
        }
    }

    /// How the statistics call it: status, code and subcode.
    pub(crate) fn label(&self) -> String {
        let (status, code) = (self.status, self.code);
        match self.subcode {
            Some(subcode) => format!("{status} {code}/{subcode}"),
            None => format!("{status} {code}"),
        }
    }

    fn body(&self, trace_id: &str) -> Bytes {
        #[derive(Serialize)]
        struct Outer<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            message: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            code: i64,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_subcode: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            is_transient: Option<bool>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_user_title: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_user_msg: Option<&'a str>,
            fbtrace_id: &'a str,
        }
        let tells_transience = self.is_transient || self.for_user.is_some();
        json(&Outer {
            error: Inner {
                message: &self.message,
                kind: self.kind,
                code: self.code,
                error_subcode: self.subcode,
                is_transient: tells_transience.then_some(self.is_transient),
                error_user_title: self.for_user.as_ref().map(|(title, _)| title.as_ref()),
                error_user_msg: self.for_user.as_ref().map(|(_, text)| text.as_ref()),
                fbtrace_id: trace_id,
            },
        })
    }
}

/// JSON text of something that is ours, so that it cannot fail to be written.
pub(crate) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// An answer before it becomes HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// How the statistics call it.
    pub(crate) label: String,
    /// Whether the connection breaks off in the middle of the body.
    pub(crate) torn: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type,
            body: body.into(),
            label: status.to_string(),
            torn: false,
        }
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        Self::new(status, JSON, json(value))
    }

    /// The way to another path.
    pub(crate) fn to(path: &'static str) -> Self {
        let mut reply = Self::new(302, "text/plain; charset=utf-8", path);
        reply.headers.push(("location", path.to_owned()));
        reply
    }

    /// An error of the Graph API. With 401 comes the challenge that OAuth asks for.
    pub(crate) fn error(error: &GraphError, trace_id: &str) -> Self {
        let mut reply = Self::new(error.status, JSON, error.body(trace_id));
        reply.label = error.label();
        if error.status == 401 {
            let challenge = r#"OAuth "Facebook Platform" "invalid_token" "#;
            let text = error.message.replace(['"', '\\'], "'");
            let challenge = format!("{challenge}\"{text}\"");
            reply.headers.push(("www-authenticate", challenge));
        }
        reply
    }

    /// What Meta answers to events that it took.
    pub(crate) fn taken(events_received: usize, trace_id: &str) -> Self {
        #[derive(Serialize)]
        struct Taken<'a> {
            events_received: usize,
            messages: [&'a str; 0],
            fbtrace_id: &'a str,
        }
        Self::json(
            200,
            &Taken {
                events_received,
                messages: [],
                fbtrace_id: trace_id,
            },
        )
    }

    /// A page of a proxy in front of Meta: no JSON at all.
    pub(crate) fn html(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Error</title></head>\
             <body><h1>Sorry, something went wrong.</h1><p>{status}</p></body></html>\n"
        );
        let mut reply = Self::new(status, "text/html; charset=utf-8", body);
        reply.label = format!("{status} html");
        reply
    }
}

/// What comes of a request.
#[derive(Debug)]
pub(crate) enum Reaction {
    Reply(Reply),
    /// Every known event id as one JSON line, written while it is read.
    Ids,
    /// The connection is torn down by a TCP reset.
    Reset,
    /// Nothing is ever answered.
    Hang,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_metas_to_the_byte() {
        let reply = Reply::taken(3, "A1");
        let expected = r#"{"events_received":3,"messages":[],"fbtrace_id":"A1"}"#;
        assert_eq!((reply.status, &reply.body[..]), (200, expected.as_bytes()));
    }

    #[test]
    fn errors_are_read_as_graph_errors_by_the_client() {
        let error = GraphError::parameter("$['data'][7]['user_data']", "is required");
        let reply = Reply::error(&error, "A1");
        let sluice_graph::Answer::Error(read) = sluice_graph::Answer::read(400, &reply.body) else {
            panic!("{:?}", reply.body)
        };
        assert_eq!((read.code, read.subcode), (100, Some(2_804_019)));
        assert_eq!((read.indexes, read.is_transient), (vec![7], false));
        assert_eq!(read.fbtrace_id.as_deref(), Some("A1"));
    }

    #[test]
    fn a_bad_token_is_challenged() {
        let reply = Reply::error(&GraphError::new(401, 190, "a \"bad\" token"), "A1");
        assert_eq!(
            reply.headers[0],
            (
                "www-authenticate",
                r#"OAuth "Facebook Platform" "invalid_token" "a 'bad' token""#.to_owned()
            )
        );
    }
}
