//! What a caller proves itself with: the access token and the app's secret.
//!
//! Neither can be printed: no `Display`, and a `Debug` that says nothing. Both are wiped when dropped.
//! What is meant for logs is [`AccessToken::fingerprint`].

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

/// The longest token or secret that is taken, in bytes. Meta's are a few hundred.
pub const SECRET_BYTES_MAX: usize = 4_096;

/// An access token of the Graph API.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Zeroizing<String>);

/// The secret of the app that the token belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct AppSecret(Zeroizing<String>);

/// Where the token is put in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenPlacement {
    /// The query parameter `access_token`, as Meta documents it.
    #[default]
    Query,
    /// The header `Authorization: Bearer …`, which proxies do not write into their logs. Meta takes it,
    /// but does not document it for this endpoint.
    Header,
}

/// The text is no access token or app secret. Says what is wrong, never what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Nothing but whitespace.
    #[error("it is empty")]
    Empty,
    /// Longer than [`SECRET_BYTES_MAX`].
    #[error("it is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// A character that neither Meta nor an HTTP header uses, such as a space or a quote that was
    /// copied along.
    #[error("character {place} is a space, a quote, a control character or not ASCII")]
    Character {
        /// Which one, counted from 1, after the whitespace at the start.
        place: usize,
    },
}

impl AccessToken {
    /// Takes a token, without the whitespace around it.
    pub fn new(token: String) -> Result<Self, InvalidToken> {
        clean(token).map(Self)
    }

    /// The first 8 hexadecimal digits of its SHA-256: for logs, and to see whether it changed.
    pub fn fingerprint(&self) -> String {
        let mut digits = lower_hex(&Sha256::digest(self.0.as_bytes()));
        digits.truncate(8);
        digits
    }

    /// The token itself, for the request. The caller is responsible for the copy.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A text without the token: Meta repeats a token that it cannot read in its message.
    pub(crate) fn strike_from(&self, text: &mut String) {
        if text.contains(self.0.as_str()) {
            let struck = text.replace(self.0.as_str(), "(the token)");
            text.zeroize();
            *text = struck;
        }
    }
}

impl AppSecret {
    /// Takes a secret, without the whitespace around it.
    pub fn new(secret: String) -> Result<Self, InvalidToken> {
        clean(secret).map(Self)
    }

    /// `appsecret_proof` for a token: the HMAC-SHA256 of the token with the secret as key, in lower-case
    /// hexadecimal digits (Graph API, "Securing Requests").
    #[expect(
        clippy::missing_panics_doc,
        reason = "HMAC pads or hashes a key of any length"
    )]
    pub fn appsecret_proof(&self, token: &AccessToken) -> String {
        #[expect(
            clippy::expect_used,
            reason = "HMAC pads or hashes a key of any length"
        )]
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes any key");
        mac.update(token.0.as_bytes());
        lower_hex(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(…)")
    }
}

fn clean(text: String) -> Result<Zeroizing<String>, InvalidToken> {
    let text = Zeroizing::new(text);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(InvalidToken::Empty);
    }
    if trimmed.len() > SECRET_BYTES_MAX {
        return Err(InvalidToken::TooLong);
    }
    let is_wrong = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '`');
    if let Some(at) = trimmed.chars().position(is_wrong) {
        return Err(InvalidToken::Character { place: at + 1 });
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}

fn lower_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<AccessToken, InvalidToken> {
        AccessToken::new(text.to_owned())
    }

    #[test]
    fn takes_a_token_without_the_whitespace_around_it() {
        assert_eq!(token(" EAAB12|x-_.\r\n"), token("EAAB12|x-_."));
        assert_eq!(token("EAAB").unwrap().expose(), "EAAB");
    }

    #[test]
    fn refuses_what_is_no_token_and_does_not_repeat_it() {
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        for (text, expected) in [
            ("", InvalidToken::Empty),
            (" \t\n", InvalidToken::Empty),
            (long.as_str(), InvalidToken::TooLong),
            ("EA AB", InvalidToken::Character { place: 3 }),
            ("\"EAAB\"", InvalidToken::Character { place: 1 }),
            ("EAAB\nEAAC", InvalidToken::Character { place: 5 }),
            ("EAAB\u{7f}", InvalidToken::Character { place: 5 }),
            ("EAÄB", InvalidToken::Character { place: 3 }),
        ] {
            assert_eq!(token(text), Err(expected), "{text:?}");
            assert!(!expected.to_string().contains("EA"));
        }
    }

    /// Computed with `printf EAABtoken | openssl dgst -sha256 -hmac key` and `sha256sum`.
    #[test]
    fn proof_and_fingerprint_are_those_of_other_tools() {
        let token = token("EAABtoken").unwrap();
        let secret = AppSecret::new("key".to_owned()).unwrap();
        assert_eq!(
            secret.appsecret_proof(&token),
            "f3b9cede6cdc5b548d59d0ddf7aaab66a6d6f85a304ad910f66c2aa75dc470f7"
        );
        assert_eq!(token.fingerprint(), "bf0662c6");
    }

    #[test]
    fn cannot_be_printed() {
        let secret = AppSecret::new("s3cret".to_owned()).unwrap();
        let printed = format!("{:?} {secret:?}", token("EAAB").unwrap());
        assert_eq!(printed, "AccessToken(…) AppSecret(…)");
    }

    #[test]
    fn is_struck_from_texts() {
        let mut text = "Malformed access token EAAB, EAAB".to_owned();
        token("EAAB").unwrap().strike_from(&mut text);
        assert_eq!(text, "Malformed access token (the token), (the token)");
    }
}
