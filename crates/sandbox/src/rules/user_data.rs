//! Who the event is about: hashes where Meta wants hashes, and enough to tell people apart.

use std::net::IpAddr;

use super::{Remarks, unexpected, wrong};
use crate::answer::GraphError;
use crate::value::Value;

/// Keys whose values have to be SHA-256 in lower hex.
const HASHED: [&str; 16] = [
    "country", "ct", "db", "dobd", "dobm", "doby", "em", "f5first", "f5last", "fi", "fn", "ge",
    "ln", "ph", "st", "zp",
];

/// Keys whose values stay as they are.
const CLEAR: [&str; 18] = [
    "anon_id",
    "app_user_id",
    "client_ip_address",
    "client_user_agent",
    "ctwa_clid",
    "external_id",
    "fb_login_id",
    "fbc",
    "fbp",
    "ig_account_id",
    "ig_sid",
    "instagram_business_account_id",
    "lead_id",
    "madid",
    "page_id",
    "page_scoped_user_id",
    "subscription_id",
    "whatsapp_business_account_id",
];

/// Sets that fit too many people: an event with nothing outside one of them is refused.
const OVER_BROAD: [&[&str]; 4] = [
    &["ct", "country", "st", "zp", "ge", "client_user_agent"],
    &["db", "client_user_agent"],
    &["fn", "ge"],
    &["ln", "ge"],
];

/// SHA-256 of nothing at all: somebody hashed an empty field.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How a value of `user_data` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Hashed,
    /// 32 hex characters. Whether Meta takes MD5 is not known.
    Md5,
    /// In the clear, as it should be.
    Clear,
    /// In the clear where a hash has to be.
    NotHashed,
    Empty,
    /// A key that Meta does not know.
    Unknown,
}

impl Look {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Look::Hashed => "hashed",
            Look::Md5 => "md5",
            Look::Clear => "clear",
            Look::NotHashed => "not hashed",
            Look::Empty => "empty",
            Look::Unknown => "unknown key",
        }
    }
}

/// How one value of a key looks.
pub(crate) fn look(key: &str, value: &Value<'_>) -> Look {
    let text = value.text_or_number();
    let text = text.as_deref().unwrap_or_default();
    let is_given = matches!(value, Value::Bool(_) | Value::Float(_) | Value::Object(_));
    if text.is_empty() && !is_given {
        return Look::Empty;
    }
    if HASHED.contains(&key) {
        match hash_length(text) {
            Some(64) => Look::Hashed,
            Some(32) => Look::Md5,
            _ => Look::NotHashed,
        }
    } else if key == "external_id" && hash_length(text) == Some(64) {
        Look::Hashed
    } else if CLEAR.binary_search(&key).is_ok() {
        Look::Clear
    } else {
        Look::Unknown
    }
}

/// The length of a hash in lower hex, with or without the appendix of Meta's parameter builder.
fn hash_length(text: &str) -> Option<usize> {
    let (hash, appendix) = text.split_once('.').unwrap_or((text, "AA"));
    let is_hex = hash
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && is_appendix(appendix)).then_some(hash.len())
}

/// Two or eight characters of base64url.
fn is_appendix(text: &str) -> bool {
    let is_url_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    matches!(text.len(), 2 | 8) && text.bytes().all(is_url_safe)
}

/// Whether a key has a value, and not only null, an empty text or an empty list.
fn is_given(value: &Value<'_>) -> bool {
    let is_empty = |item: &Value<'_>| match item {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    !value.items().iter().all(is_empty)
}

pub(super) fn check(
    user_data: &Value<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let Value::Object(entries) = user_data else {
        return Ok(());
    };
    let mut fits = [true; OVER_BROAD.len()];
    for (key, value) in entries.iter().filter(|(_, value)| is_given(value)) {
        for (fits, set) in fits.iter_mut().zip(OVER_BROAD) {
            *fits &= set.contains(&key.as_ref());
        }
        for item in value.items() {
            check_item(key, item, index, remarks)?;
        }
    }
    if fits.contains(&true) {
        return Err(GraphError::refused(
            2_804_050,
            "Not Enough Customer Information",
            "The customer information of this event is missing or fits too many people: add for \
             example an e-mail address, a phone number, fbp or fbc.",
        ));
    }
    lead_id(user_data)
}

fn check_item(
    key: &str,
    item: &Value<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let path = ["user_data", key];
    if matches!(item, Value::Object(_) | Value::List(_)) {
        return Err(wrong(index, &path, "must be a string or a list of strings"));
    }
    match look(key, item) {
        Look::NotHashed => {
            let text = format!(
                "The {key} parameter isn't hashed: it must be SHA-256 in lower-case hex. All user parameters \
                 have to be, but for client user agent, click id and browser id."
            );
            let title = "User Parameter Not Hashed";
            return Err(GraphError::refused(2_804_016, title, text));
        }
        Look::Md5 => remarks.add(|| format!("{key} is an MD5 hash: Meta documents SHA-256")),
        Look::Empty => remarks.add(|| format!("{key} is empty")),
        Look::Unknown => return Err(unexpected(index, &["user_data"], key)),
        Look::Hashed | Look::Clear => return shape(key, item, remarks),
    }
    Ok(())
}

/// The shape of values in the clear, which Meta takes whatever they are, but for a click id.
fn shape(key: &str, item: &Value<'_>, remarks: &mut Remarks<'_>) -> Result<(), GraphError> {
    let text = item.text_or_number().unwrap_or_default();
    match key {
        "fbc" if !is_click_id(&text) => {
            return Err(GraphError::refused(
                2_804_001,
                "Click ID Incorrectly Formatted",
                "The click id (fbc) is not formatted correctly: fb.<index>.<milliseconds>.<fbclid>.",
            ));
        }
        "client_ip_address" if !is_address(&text) => {
            remarks.add(|| format!("client_ip_address is no IP address: {text}"));
        }
        "fbc" | "fbp" if !is_cookie(&text) => {
            remarks.add(|| format!("{key} does not look like fb.1.<milliseconds>.<id>: {text}"));
        }
        _ if text.starts_with(EMPTY_HASH) => {
            remarks.add(|| format!("{key} is the hash of an empty text"));
        }
        _ => {}
    }
    Ok(())
}

/// Whether a click id has all its parts. Whether Meta minds a time in seconds is not known.
fn is_click_id(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(4, '.').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], ["fb", index, time, id] if is_number(index) && is_number(time) && !id.is_empty())
}

fn is_address(text: &str) -> bool {
    let is_one = |text: &str| text.parse::<IpAddr>().is_ok();
    let with_appendix = text
        .rsplit_once('.')
        .filter(|(_, appendix)| is_appendix(appendix));
    is_one(text) || with_appendix.is_some_and(|(address, _)| is_one(address))
}

fn is_cookie(text: &str) -> bool {
    let mut parts = text.splitn(4, '.');
    let is_number = |part: Option<&str>, digits_min| {
        part.is_some_and(|part| {
            part.len() >= digits_min && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    parts.next() == Some("fb")
        && is_number(parts.next(), 1)
        && is_number(parts.next(), 13)
        && parts.next().is_some_and(|id| !id.is_empty())
}

fn lead_id(user_data: &Value<'_>) -> Result<(), GraphError> {
    let Some(value) = user_data.given("lead_id") else {
        return Ok(());
    };
    let is_one = value.items().iter().all(|item| {
        item.text_or_number().is_some_and(|id| {
            (15..=17).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
        })
    });
    if is_one {
        return Ok(());
    }
    Err(GraphError::refused(
        2_804_036,
        "Invalid Lead Id",
        "lead_id is not the id of a lead: it has 15 to 17 digits.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{refusal, remarks_of, table, with};
    use super::*;

    const HASH: &str = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";

    fn user(user_data: &str) -> String {
        format!(r#"{{"user_data":{}}}"#, user_data.replace("HASH", HASH))
    }

    fn subcodes(rows: &[(&str, i64)]) {
        for (user_data, subcode) in rows {
            table(&[(&user(user_data), *subcode)]);
        }
    }

    #[test]
    fn hashed_fields_are_hashed() {
        subcodes(&[
            (r#"{"em":"HASH"}"#, 0),
            (r#"{"em":["HASH","HASH"],"ph":["HASH"]}"#, 0),
            (r#"{"em":"HASH.AQQCAQMC"}"#, 0),
            (r#"{"em":"HASH.BA"}"#, 0),
            (r#"{"em":"d41d8cd98f00b204e9800998ecf8427e"}"#, 0),
            (r#"{"em":"john_smith@gmail.com"}"#, 2_804_016),
            (r#"{"em":["HASH","john_smith@gmail.com"]}"#, 2_804_016),
            (r#"{"em":"HASH ","fbp":"x"}"#, 2_804_016),
            (r#"{"em":"HASH.appendix!"}"#, 2_804_016),
            (r#"{"ph":16505551212}"#, 2_804_016),
            (r#"{"fbp":"x","ge":"f"}"#, 2_804_016),
            (r#"{"fbp":"x","country":"us"}"#, 2_804_016),
            (r#"{"fbp":"x","ct":"zurich"}"#, 2_804_016),
            (r#"{"em":{"a":1}}"#, 2_804_019),
            (r#"{"external_id":"customer-17"}"#, 0),
            (r#"{"external_id":[17,"18"]}"#, 0),
        ]);
        let upper = HASH.to_uppercase();
        subcodes(&[(&format!(r#"{{"em":"{upper}"}}"#), 2_804_016)]);
        let (_, text) = refusal(&with(&user(r#"{"em":"a@b.c"}"#))).unwrap();
        assert!(text.starts_with("The em parameter isn't hashed"), "{text}");
        // The text must not repeat what should not have been sent.
        assert!(!text.contains("a@b.c"), "{text}");
    }

    #[test]
    fn over_broad_sets() {
        subcodes(&[
            ("{}", 2_804_050),
            (r#"{"em":null,"ph":[],"fn":""}"#, 2_804_050),
            (
                r#"{"ge":"HASH","ct":"HASH","st":"HASH","country":"HASH"}"#,
                2_804_050,
            ),
            (r#"{"client_user_agent":"Mozilla"}"#, 2_804_050),
            (r#"{"db":"HASH","client_user_agent":"Mozilla"}"#, 2_804_050),
            (r#"{"fn":"HASH","ge":"HASH"}"#, 2_804_050),
            (r#"{"ln":"HASH","ge":"HASH"}"#, 2_804_050),
            (r#"{"fn":"HASH","ln":"HASH"}"#, 0),
            (r#"{"fn":"HASH","ct":"HASH"}"#, 0),
            (
                r#"{"client_user_agent":"Mozilla","client_ip_address":"1.2.3.4"}"#,
                0,
            ),
            (r#"{"madid":"x"}"#, 0),
        ]);
    }

    /// As Meta did with a shop's plugin, which sent `click_id`.
    #[test]
    fn keys_that_meta_does_not_know_are_refused() {
        subcodes(&[
            (r#"{"em":"HASH","click_id":"x"}"#, 2_804_019),
            (r#"{"em":"HASH","email":"a@b.c"}"#, 2_804_019),
            (r#"{"em":"HASH","click_id":null}"#, 0),
        ]);
        let (_, text) = refusal(&with(&user(r#"{"em":"HASH","click_id":"x"}"#))).unwrap();
        let expected = r#"Unexpected key "click_id" on param "$['data'][1]['user_data']"."#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_click_id_has_all_its_parts() {
        subcodes(&[
            (r#"{"fbc":"fb.1.1554763741205.AbC"}"#, 0),
            (r#"{"fbc":"fb.1.1554763741205.AbC.AQQCAQMC"}"#, 0),
            (r#"{"fbc":"fb.1.1554763741.AbC"}"#, 0),
            (r#"{"fbc":"fb.1.1554763741205."}"#, 2_804_001),
            (r#"{"fbc":"fb.1.1554763741205"}"#, 2_804_001),
            (r#"{"fbc":"IwAR2F4-dbP0"}"#, 2_804_001),
        ]);
    }

    #[test]
    fn lead_ids() {
        subcodes(&[
            (r#"{"lead_id":1234567890123456}"#, 0),
            (r#"{"lead_id":"123456789012345"}"#, 0),
            (r#"{"lead_id":12345}"#, 2_804_036),
            (r#"{"lead_id":"123456789012345678"}"#, 2_804_036),
            (r#"{"lead_id":"l:1234567890123456"}"#, 2_804_036),
        ]);
    }

    #[test]
    fn what_a_person_should_see() {
        for (user_data, expected) in [
            (r#"{"em":"d41d8cd98f00b204e9800998ecf8427e"}"#, "MD5"),
            (
                r#"{"em":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
                "empty text",
            ),
            (r#"{"fbp":"fb.1.1795435100.AbC"}"#, "fb.1."),
            (r#"{"fbc":"fb.1.1554763741.AbC"}"#, "fb.1."),
            (r#"{"fbc":"IwAR2F4-dbP0"}"#, "Click ID"),
            (
                r#"{"client_ip_address":"256.256.256.256"}"#,
                "no IP address",
            ),
            (r#"{"em":"a@b.c"}"#, "isn't hashed"),
            (r#"{"email":"a@b.c"}"#, "Unexpected key \"email\""),
        ] {
            let text = remarks_of(&user(user_data));
            assert!(text.contains(expected), "{user_data}: {text}");
        }
        for user_data in [
            r#"{"client_ip_address":"2001:4860:4860::8888.AQQAAQMC"}"#,
            r#"{"client_ip_address":"168.212.226.204.AQQAAQMC"}"#,
            r#"{"fbc":"fb.1.1554763741205.AbC.AQQCAQMC"}"#,
        ] {
            let text = remarks_of(&user(user_data));
            assert!(
                !text.contains("fb.1.") && !text.contains("address"),
                "{text}"
            );
        }
    }

    #[test]
    fn looks() {
        let text = |text: &'static str| Value::Text(text.into());
        for (key, value, expected) in [
            ("em", text(HASH), Look::Hashed),
            ("em", text("a@b.c"), Look::NotHashed),
            ("em", text(""), Look::Empty),
            ("em", Value::Bool(true), Look::NotHashed),
            ("external_id", text(HASH), Look::Hashed),
            ("external_id", Value::Integer(17), Look::Clear),
            ("fbp", text("fb.1.1.1"), Look::Clear),
            ("email", text("a@b.c"), Look::Unknown),
        ] {
            assert_eq!(look(key, &value), expected, "{key} {value:?}");
        }
        assert!(CLEAR.is_sorted());
    }
}
