//! Access tokens, and what is wrong with them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::answer::GraphError;

/// How many tokens may be listed.
const TOKENS_MAX: usize = 10_000;

/// What a token is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TokenState {
    /// It may do everything.
    #[default]
    Valid,
    /// 190/463
    Expired,
    /// 190/460: the user changed the password.
    Revoked,
    /// 190 without subcode: no such token.
    Unknown,
    /// 200: a permission is missing.
    WrongPermission,
    /// 10: permission denied.
    PermissionDenied,
    /// 100/33: no access to the dataset.
    NoAccess,
}

/// A token that the sandbox knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The token itself.
    pub token: String,
    /// What it is good for.
    #[serde(default)]
    pub state: TokenState,
    /// The datasets it may write to; `None`: all.
    #[serde(default)]
    pub datasets: Option<Vec<String>>,
    /// The secret of its app: from now on `appsecret_proof` has to come with it.
    #[serde(default)]
    pub app_secret: Option<String>,
    /// When it expires, in Unix seconds.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

/// Which tokens there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// What a token that is not listed is: [`TokenState::Valid`] unless changed.
    pub unlisted: TokenState,
    /// The tokens that are listed.
    pub listed: Vec<Token>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            unlisted: TokenState::Valid,
            listed: Vec::new(),
        }
    }
}

impl Tokens {
    /// Only these tokens are valid.
    pub fn only<T: Into<String>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let listed = tokens.into_iter().map(|token| Token {
            token: token.into(),
            ..Token::default()
        });
        Self {
            unlisted: TokenState::Unknown,
            listed: listed.collect(),
        }
    }
}

/// What `POST /sandbox/tokens` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default)]
    pub(crate) unlisted: Option<TokenState>,
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
}

/// The tokens of a running sandbox.
pub(crate) struct Wallet {
    tokens: Mutex<Tokens>,
    first: Tokens,
}

impl Wallet {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self {
            tokens: Mutex::new(tokens.clone()),
            first: tokens,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a token, in place of what was said about it before.
    pub(crate) fn set(&self, token: Token) {
        let mut tokens = self.lock();
        tokens.listed.retain(|listed| listed.token != token.token);
        if tokens.listed.len() < TOKENS_MAX {
            tokens.listed.push(token);
        }
    }

    pub(crate) fn set_unlisted(&self, state: TokenState) {
        self.lock().unlisted = state;
    }

    /// Back to what the sandbox was started with.
    pub(crate) fn reset(&self) {
        *self.lock() = self.first.clone();
    }

    fn find(&self, token: &str) -> Token {
        let tokens = self.lock();
        let listed = tokens.listed.iter().find(|listed| listed.token == token);
        listed.cloned().unwrap_or_else(|| Token {
            token: token.to_owned(),
            state: tokens.unlisted,
            ..Token::default()
        })
    }

    /// Whether a request with this token and proof may write to the dataset.
    pub(crate) fn check(
        &self,
        token: Option<&str>,
        proof: Option<&str>,
        dataset: &str,
        now_s: i64,
    ) -> Result<(), GraphError> {
        let Some(token) = token else {
            let text = "An access token is required to request this resource.";
            return Err(GraphError::new(400, 104, text));
        };
        let token = self.find(token);
        let is_known = token.state != TokenState::Unknown;
        if let Some(secret) = token.app_secret.as_deref().filter(|_| is_known) {
            check_proof(&token.token, secret, proof)?;
        }
        token_error(&token, now_s).map_or(Ok(()), Err)?;
        let has_access = token
            .datasets
            .as_ref()
            .is_none_or(|datasets| datasets.iter().any(|listed| listed == dataset));
        let has_access = has_access && token.state != TokenState::NoAccess;
        has_access
            .then_some(())
            .ok_or_else(|| no_object("post", dataset))
    }

    /// The answer of `debug_token`.
    pub(crate) fn debug(&self, input: &str, now_s: i64) -> Value {
        let token = self.find(input);
        if let Some(error) = token_error(&token, now_s).filter(|error| error.code == 190) {
            let mut inner = json!({"code": 190, "message": error.message});
            if let Some(subcode) = error.subcode {
                inner["subcode"] = subcode.into();
            }
            return json!({"data": {"error": inner, "is_valid": false, "scopes": []}});
        }
        let scopes = match token.state {
            TokenState::WrongPermission | TokenState::PermissionDenied => vec!["public_profile"],
            _ => vec!["ads_management", "business_management", "public_profile"],
        };
        json!({"data": {
            "app_id": "1000000000000001",
            "type": "SYSTEM_USER",
            "application": "Sluice sandbox",
            "data_access_expires_at": 0,
            "expires_at": token.expires_at.unwrap_or(0),
            "is_valid": true,
            "issued_at": now_s - 86_400,
            "scopes": scopes,
            "user_id": "1000000000000002",
        }})
    }
}

/// The error for an object that is not there, or that the token may not see: Meta does not tell which.
pub(crate) fn no_object(method: &str, id: &str) -> GraphError {
    let text = format!(
        "Unsupported {method} request. Object with ID '{id}' does not exist, or the token has no \
         permission for it, or it has no such operation."
    );
    GraphError::new(400, 100, text)
        .with_subcode(33)
        .with_kind("GraphMethodException")
}

/// What is wrong with a token, whatever it is used for.
fn token_error(token: &Token, now_s: i64) -> Option<GraphError> {
    let has_expired = token
        .expires_at
        .is_some_and(|at_s| at_s != 0 && at_s <= now_s);
    match token.state {
        TokenState::Unknown => Some(GraphError::new(
            401,
            190,
            "Invalid OAuth access token - Cannot parse access token",
        )),
        TokenState::Revoked => Some(revoked()),
        TokenState::Expired => Some(expired()),
        _ if has_expired => Some(expired()),
        TokenState::WrongPermission => Some(GraphError::new(
            403,
            200,
            "(#200) The token lacks a permission for this dataset",
        )),
        TokenState::PermissionDenied => Some(GraphError::new(
            403,
            10,
            "(#10) The application has no permission for this action",
        )),
        TokenState::Valid | TokenState::NoAccess => None,
    }
}

pub(crate) fn expired() -> GraphError {
    let text = "Error validating access token: Session has expired";
    GraphError::new(401, 190, text).with_subcode(463)
}

pub(crate) fn revoked() -> GraphError {
    let text = "Error validating access token: The session was invalidated by its user";
    GraphError::new(401, 190, text).with_subcode(460)
}

/// Meta's answer to a bad proof has code 100 and no subcode: nothing but its type and text tells it
/// from a bad event.
fn check_proof(token: &str, secret: &str, proof: Option<&str>) -> Result<(), GraphError> {
    let refused =
        |text: &'static str| Err(GraphError::new(400, 100, text).with_kind("GraphMethodException"));
    let Some(proof) = proof else {
        return refused("API calls from the server require an appsecret_proof argument");
    };
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let is_right = mac.is_ok_and(|mut mac| {
        mac.update(token.as_bytes());
        from_hex(proof).is_some_and(|proof| mac.verify_slice(&proof).is_ok())
    });
    if is_right {
        return Ok(());
    }
    refused("Invalid appsecret_proof provided in the API argument")
}

/// Bytes from lower-case hex.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_795_435_200;

    fn listed(state: TokenState) -> Wallet {
        Wallet::new(Tokens {
            unlisted: TokenState::Unknown,
            listed: vec![Token {
                token: "T".to_owned(),
                state,
                ..Token::default()
            }],
        })
    }

    #[test]
    fn each_state_has_its_error() {
        for (state, status, code, subcode) in [
            (TokenState::Expired, 401, 190, Some(463)),
            (TokenState::Revoked, 401, 190, Some(460)),
            (TokenState::Unknown, 401, 190, None),
            (TokenState::WrongPermission, 403, 200, None),
            (TokenState::PermissionDenied, 403, 10, None),
            (TokenState::NoAccess, 400, 100, Some(33)),
        ] {
            let error = listed(state)
                .check(Some("T"), None, "1", NOW_S)
                .unwrap_err();
            assert_eq!(
                (error.status, error.code, error.subcode),
                (status, code, subcode)
            );
        }
        let wallet = listed(TokenState::Valid);
        assert_eq!(wallet.check(Some("T"), None, "1", NOW_S), Ok(()));
        assert_eq!(
            wallet.check(Some("U"), None, "1", NOW_S).unwrap_err().code,
            190
        );
        assert_eq!(wallet.check(None, None, "1", NOW_S).unwrap_err().code, 104);
        let any = Wallet::new(Tokens::default());
        assert_eq!(any.check(Some("anything"), None, "1", NOW_S), Ok(()));
    }

    #[test]
    fn a_token_may_be_for_one_dataset_and_may_expire() {
        let wallet = Wallet::new(Tokens::default());
        wallet.set(Token {
            token: "T".to_owned(),
            datasets: Some(vec!["1".to_owned()]),
            expires_at: Some(NOW_S),
            ..Token::default()
        });
        assert_eq!(wallet.check(Some("T"), None, "1", NOW_S - 1), Ok(()));
        let other = wallet.check(Some("T"), None, "2", NOW_S - 1).unwrap_err();
        assert_eq!((other.code, other.subcode), (100, Some(33)));
        let late = wallet.check(Some("T"), None, "1", NOW_S).unwrap_err();
        assert_eq!((late.code, late.subcode), (190, Some(463)));
        wallet.reset();
        assert_eq!(wallet.check(Some("T"), None, "2", NOW_S), Ok(()));
    }

    #[test]
    fn the_proof_is_checked() {
        let wallet = Wallet::new(Tokens::default());
        wallet.set(Token {
            token: "T".to_owned(),
            app_secret: Some("secret".to_owned()),
            ..Token::default()
        });
        // HMAC-SHA256 of "T" with the key "secret".
        let right = "655096119561f9b0a776ff33acee7583c6d7d243b4e68b2a9bcbf3c6d1071786";
        let check = |proof| wallet.check(Some("T"), proof, "1", NOW_S);
        assert_eq!(check(Some(right)), Ok(()));
        for proof in [None, Some(""), Some(&right[1..])] {
            let error = check(proof).unwrap_err();
            assert_eq!((error.code, error.subcode), (100, None));
            assert_eq!(error.kind, "GraphMethodException");
        }
    }

    #[test]
    fn debug_token_says_what_is_wrong() {
        let debug = |state| listed(state).debug("T", NOW_S)["data"].clone();
        assert_eq!(debug(TokenState::Valid)["is_valid"], true);
        assert_eq!(
            debug(TokenState::WrongPermission)["scopes"],
            json!(["public_profile"])
        );
        let expired = debug(TokenState::Expired);
        assert_eq!(expired["is_valid"], false);
        assert_eq!(expired["error"]["subcode"], 463);
        assert!(debug(TokenState::Unknown)["error"]["subcode"].is_null());
    }
}
