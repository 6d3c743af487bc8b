//! Calls to the Graph API beside `/events`: reading what Meta knows, and telling it what is no event.
//!
//! The limits are those of events: one call sends one request, answers are read up to their limit, and the token is
//! struck from every text. What an error means stands in the same table.

use bytes::Bytes;
use serde_json::Value;

use crate::answer::Answer;
use crate::client::Client;
use crate::destination::Endpoint;
use crate::error_table::Class;
use crate::exchange::{Exchange, Received, any_answer};
use crate::lost::Lost;
use crate::token::AccessToken;
use crate::verdict::{Reason, verdict};

/// A call has no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No answer came.
    #[error("{0}")]
    Lost(#[from] Lost),
    /// The Graph API, or something in its place, says no.
    #[error("{reason}")]
    Refused {
        /// What has to happen: [`Class::Refused`] comes again with the same call.
        class: Class,
        /// Why.
        reason: Box<Reason>,
    },
    /// An answer came, and it is none to this question. Nothing is concluded from it.
    #[error("the answer has another shape than Meta documents")]
    Strange,
}

/// What a call was answered: an object, without the token in any of its texts.
pub type Asked = Exchange<Result<Value, AskError>>;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is on it (`data`).
    pub items: Vec<Value>,
    /// Where the next page begins, for the parameter `after`; `None` on the last one. Meta gives a cursor with the last
    /// page, too, so `next` decides; the address in that holds a token, and is not used.
    pub after: Option<String>,
}

impl Page {
    fn of(mut answer: Value) -> Result<Self, AskError> {
        let Some(Value::Array(items)) = answer.get_mut("data").map(Value::take) else {
            return Err(AskError::Strange);
        };
        let paging = answer.get("paging");
        let has_next = paging.and_then(|paging| paging.get("next")).is_some();
        let after = paging.and_then(|paging| paging.get("cursors")?.get("after")?.as_str());
        let after = after.filter(|_| has_next).map(str::to_owned);
        if has_next && after.is_none() {
            // Paged by time or by number: it goes on, and nothing here can follow.
            return Err(AskError::Strange);
        }
        Ok(Self { items, after })
    }
}

impl Client {
    /// Reads what is at `path` below the version, once.
    pub async fn get(&self, endpoint: &Endpoint, path: &[&str], query: &[(&str, &str)]) -> Asked {
        let request = self.get_from(endpoint, path, query);
        self.exchange(request, |received| asked(received, &endpoint.token))
            .await
    }

    /// Reads a page of the list at `path`, once: the first one, or the one that begins `after` a cursor.
    pub async fn page(
        &self,
        endpoint: &Endpoint,
        path: &[&str],
        query: &[(&str, &str)],
        after: Option<&str>,
    ) -> Exchange<Result<Page, AskError>> {
        let after = after.map(|cursor| ("after", cursor));
        let query: Vec<_> = query.iter().copied().chain(after).collect();
        let request = self.get_from(endpoint, path, &query);
        self.exchange(request, |received| {
            asked(received, &endpoint.token).and_then(Page::of)
        })
        .await
    }

    /// Brings JSON to what is at `path` below the version, once.
    pub async fn post(&self, endpoint: &Endpoint, path: &[&str], body: Bytes) -> Asked {
        let request = self.post_to(endpoint, path, body);
        self.exchange(request, |received| asked(received, &endpoint.token))
            .await
    }
}

/// What an answer says.
fn asked(received: Result<&Received, Lost>, token: &AccessToken) -> Result<Value, AskError> {
    let answer = any_answer(received, token);
    if let Answer::Lost(lost) = answer {
        return Err(lost.into());
    }
    // A call carries no events, so none can be missing.
    if let Some((class, reason)) = verdict(&answer, 0).into_refusal() {
        let reason = Box::new(reason);
        return Err(AskError::Refused { class, reason });
    }
    let body = received?.body.as_deref().map_err(|lost| *lost)?;
    let mut value = serde_json::from_slice(body).map_err(|_| AskError::Strange)?;
    strike(&mut value, token);
    Ok(value)
}

/// Takes the token out of every text of an answer.
fn strike(value: &mut Value, token: &AccessToken) {
    match value {
        Value::String(text) => token.strike_from(text),
        Value::Array(values) => values.iter_mut().for_each(|value| strike(value, token)),
        Value::Object(fields) => fields.values_mut().for_each(|value| strike(value, token)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As the Graph API's page about paginated results has it.
    #[test]
    fn a_list_ends_where_meta_names_no_next_page() {
        let cursors = json!({"before": "QVFI", "after": "QVFJ"});
        let next = "https://graph.facebook.com/v26.0/1/stats?access_token=x&after=QVFJ";
        for (answer, expected) in [
            (
                json!({"data": [1], "paging": {"cursors": cursors, "next": next}}),
                Some("QVFJ"),
            ),
            (json!({"data": [1], "paging": {"cursors": cursors}}), None),
            (json!({"data": [1]}), None),
        ] {
            let page = Page::of(answer.clone()).unwrap();
            assert_eq!(page.items, [json!(1)], "{answer}");
            assert_eq!(page.after.as_deref(), expected, "{answer}");
        }
        for strange in [
            json!({}),
            json!({"data": {}}),
            json!([]),
            json!({"data": [1], "paging": {"next": next}}),
        ] {
            assert_eq!(
                Page::of(strange.clone()),
                Err(AskError::Strange),
                "{strange}"
            );
        }
    }
}
