//! What Meta says of a dataset and a token: what an id is, and how a token stands.

use std::{fmt, iter};

use serde_json::Value;

use crate::answer::{Answer, text};
use crate::call::AskError;
use crate::client::Client;
use crate::destination::{Destination, Endpoint};
use crate::verdict::Reason;
use crate::version::Version;
use crate::wire;

/// What the id of a destination is, as far as its token can see.
///
/// Made for the error 100/33 ("does not exist, cannot be loaded due to missing permissions, or does not
/// support this operation"), which is Meta's answer to three different mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// A dataset or pixel, and the token can read it.
    Dataset {
        /// Its name.
        name: Option<String>,
    },
    /// A business: the id at the top of Business settings, which many take for the dataset's.
    Business {
        /// Its name.
        name: Option<String>,
    },
    /// Something else.
    Other {
        /// What, in Meta's word (`page`, `adaccount`); `None` when Meta does not say.
        node_type: Option<String>,
        /// Its name.
        name: Option<String>,
    },
    /// There is something of this id, and the token lacks the permission to read it.
    NoAccess(Reason),
    /// There is nothing of this id.
    NoSuchId(Reason),
    /// There is nothing of this id, or the token has no access: Meta does not say which.
    Unseen(Reason),
    /// The token itself is the problem.
    Token(Reason),
    /// The question was not answered.
    Unknown(AskError),
}

impl Explanation {
    /// Why there is no better answer, if Meta said so.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Explanation::NoAccess(reason)
            | Explanation::NoSuchId(reason)
            | Explanation::Unseen(reason)
            | Explanation::Token(reason) => Some(reason),
            Explanation::Unknown(AskError::Refused { reason, .. }) => Some(reason),
            Explanation::Dataset { .. }
            | Explanation::Business { .. }
            | Explanation::Other { .. }
            | Explanation::Unknown(AskError::Lost(_) | AskError::Strange) => None,
        }
    }

    /// The HTTP status of the answer; 0 when there was none.
    pub fn status(&self) -> u16 {
        match self {
            Explanation::Unknown(AskError::Lost(_)) => 0,
            other => other.reason().map_or(200, |reason| reason.status),
        }
    }
}

/// How a token stands, by Meta's `debug_token`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenState {
    /// Whether it can be used now.
    pub is_valid: bool,
    /// Why not, in Meta's words.
    pub problem: Option<String>,
    /// Whose it is, in Meta's word: `USER`, `SYSTEM_USER`, `PAGE`, `APP`.
    pub kind: Option<String>,
    /// The app it belongs to.
    pub app_id: Option<String>,
    /// The app's name.
    pub application: Option<String>,
    /// When it ends, in Unix seconds; `None`: never.
    pub expires_at_s: Option<i64>,
    /// When its access to data ends, in Unix seconds; `None`: never.
    pub data_access_expires_at_s: Option<i64>,
    /// What it may do: `ads_management` and the like. The tokens of Events Manager have none and may
    /// send all the same.
    pub scopes: Vec<String>,
    /// The version that answered: another one than was asked for when that has ended.
    pub served: Option<Version>,
}

impl Client {
    /// Asks what the destination's id is: for the error 100/33, and for setting up.
    ///
    /// A token that was made in Events Manager may send and not read, so [`Explanation::Unseen`] and
    /// [`Explanation::NoAccess`] are no proof that sending fails too; [`Client::can_send`] tells.
    pub async fn explain(&self, to: &Destination) -> Explanation {
        // `metadata=1` adds the node's type (Graph API, "Introspection").
        let query = [("fields", "id,name"), ("metadata", "1")];
        let asked = self.get(&to.endpoint, &[to.dataset.as_str()], &query).await;
        match asked.answer {
            Ok(node) => explain_node(&node).unwrap_or(Explanation::Unknown(AskError::Strange)),
            Err(AskError::Refused { class, reason }) => match reason.code {
                Some((100, Some(33))) => Explanation::Unseen(*reason),
                Some((803, _)) => Explanation::NoSuchId(*reason),
                Some((3 | 10 | 200..=299, _)) => Explanation::NoAccess(*reason),
                Some((102 | 104 | 190, _)) => Explanation::Token(*reason),
                _ => Explanation::Unknown(AskError::Refused { class, reason }),
            },
            Err(error) => Explanation::Unknown(error),
        }
    }

    /// Asks how the endpoint's token stands.
    ///
    /// Meta documents that the asking token must be the app's own or a developer's; a token may mostly
    /// ask about itself, and that is what this does. The token that is asked about is in the query
    /// whatever the placement: Meta knows no other way.
    pub async fn debug_token(&self, endpoint: &Endpoint) -> Result<TokenState, AskError> {
        let query = [("input_token", endpoint.token.expose())];
        let asked = self.get(endpoint, &["debug_token"], &query).await;
        let state = asked.answer?.get("data").and_then(token_state);
        Ok(TokenState {
            served: asked.served,
            ..state.ok_or(AskError::Strange)?
        })
    }

    /// Asks whether the destination's dataset takes events from its token; `None` when the answer does not tell.
    ///
    /// The question is a request without events, which Meta always refuses. When it complains about the empty
    /// list it has found the dataset and let the token in; the error 100/33, or one of permissions, says that a
    /// request with events would fail as well.
    pub async fn can_send(&self, to: &Destination) -> Option<bool> {
        let nothing = wire::body(iter::empty(), None, None);
        match self.send(to, nothing).await.answer {
            Answer::Error(error) => match (error.code, error.subcode) {
                (100, Some(33)) | (3 | 10 | 200..=299 | 803, _) => Some(false),
                (100, _) => Some(true),
                _ => None,
            },
            Answer::Success(_) => Some(true),
            Answer::Other { .. } | Answer::Lost(_) => None,
        }
    }
}

fn explain_node(node: &Value) -> Option<Explanation> {
    node.get("id")?;
    let name = text(node, "name");
    let node_type = node.get("metadata").and_then(|data| text(data, "type"));
    let plain = node_type.as_deref().unwrap_or_default().to_lowercase();
    Some(if plain.contains("pixel") || plain.contains("dataset") {
        Explanation::Dataset { name }
    } else if plain == "business" {
        Explanation::Business { name }
    } else {
        Explanation::Other { node_type, name }
    })
}

fn token_state(data: &Value) -> Option<TokenState> {
    // 0 stands for never.
    let moment = |key| data.get(key)?.as_i64().filter(|moment| *moment != 0);
    let scopes = data.get("scopes").and_then(Value::as_array);
    Some(TokenState {
        is_valid: data.get("is_valid")?.as_bool()?,
        problem: data.get("error").and_then(|error| text(error, "message")),
        kind: text(data, "type"),
        app_id: text(data, "app_id"),
        application: text(data, "application"),
        expires_at_s: moment("expires_at"),
        data_access_expires_at_s: moment("data_access_expires_at"),
        scopes: scopes
            .into_iter()
            .flatten()
            .filter_map(|scope| scope.as_str().map(str::to_owned))
            .collect(),
        served: None,
    })
}

const WHERE: &str = "the dataset's id is in Events Manager, under Data sources, Settings";

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Quoted and escaped: names are other people's texts.
        let named = |name: &Option<String>| {
            let quoted = name.as_ref().map(|name| format!(" {name:?}"));
            quoted.unwrap_or_default()
        };
        match self {
            Explanation::Dataset { name } => write!(
                f,
                "the id is that of the dataset{}, and the token can read it",
                named(name)
            ),
            Explanation::Business { name } => write!(
                f,
                "the id is that of the business{}, not of a dataset; {WHERE}",
                named(name)
            ),
            Explanation::Other { node_type: Some(node_type), name } => write!(
                f,
                "the id is that of {}{}, not of a dataset; {WHERE}",
                spoken(node_type),
                named(name)
            ),
            Explanation::Other { node_type: None, name } => write!(
                f,
                "the id exists{}, but Meta does not say what it is; {WHERE}",
                named(name)
            ),
            Explanation::NoAccess(_) => f.write_str(
                "the id exists, but the token may not read it; give the token's system user access to \
                 the dataset, in Business settings under Data sources (a token made in Events Manager \
                 can send without being able to read)",
            ),
            Explanation::NoSuchId(_) => write!(f, "nothing at Meta has this id; {WHERE}"),
            Explanation::Unseen(_) => write!(
                f,
                "nothing at Meta has this id, or the token has no access to it: Meta does not say \
                 which; {WHERE}; access is given in Business settings under Data sources"
            ),
            Explanation::Token(reason) => write!(f, "{}; {}", reason.meaning, reason.help),
            Explanation::Unknown(error) => write!(f, "Meta could not be asked: {error}"),
        }
    }
}

/// Meta's word for a type of node, as people say it.
fn spoken(node_type: &str) -> String {
    match node_type.to_lowercase().as_str() {
        "page" => "the Page".to_owned(),
        "adaccount" => "the ad account".to_owned(),
        "application" => "the app".to_owned(),
        "user" => "the person".to_owned(),
        "systemuser" => "the system user".to_owned(),
        "campaign" => "the campaign".to_owned(),
        _ => format!("something else (Meta calls it {node_type:?})"),
    }
}
