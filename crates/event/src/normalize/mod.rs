//! Normalising: one value of one `user_data` field into the text that is hashed or sent.
//!
//! One file per kind of value; the rules, and every place where we depart from one of Meta's
//! libraries, are listed with reasons in `docs/normalisation.md`.
//!
//! [`normalize`] is the only way in: sealing, `sluice hash` and `sluice check --explain` all call it,
//! so what is explained is what is sent.

mod birth;
mod country;
mod email;
mod gender;
mod id;
mod mend;
mod name;
mod phone;
mod place;
mod region;
mod text;
mod variants;

use std::sync::LazyLock;

use zeroize::Zeroizing;

pub use country::Country;
pub(crate) use text::is_invisible;

use crate::code::Code;
use crate::contact;
use crate::digest::{self, Hashed, Prehashed};
use crate::finding::of_length;
use crate::limits::{USER_AGENT_BYTES_MAX, USER_VALUE_BYTES_MAX};
use crate::nothing;
use crate::user_field::{Form, UserField};

/// What a value is normalised with besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The person's country, for phone numbers without a country code and US postcodes.
    pub country: Option<Country>,
    /// Now, in Unix seconds; no birth and no click lies after it.
    pub now_s: i64,
    /// What to do with a raw external id.
    pub external_id: ExternalId,
}

/// What to do with a raw `external_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExternalId {
    /// Hash it, as Meta recommends.
    #[default]
    Hash,
    /// Send it as it is, because the site's pixel does. One that is contact data is hashed anyway.
    AsIs,
}

/// Whether a normalised text goes to Meta in the clear, and a remark where that was not the choice.
pub(crate) fn goes_clear(field: UserField, text: &str, context: &Context) -> (bool, Option<Code>) {
    let is_as_is = field == UserField::ExternalId && context.external_id == ExternalId::AsIs;
    if is_as_is && contact::holds_contact(text) {
        return (false, Some(Code::ExternalIdHashed));
    }
    (is_as_is || field.form() == Form::Clear, None)
}

/// What became of a value.
pub struct Normalized {
    /// The normalised text: clear for raw values, the hash itself for values hashed before.
    pub text: Zeroizing<String>,
    /// The hash that goes to Meta; `None` for fields that go in the clear.
    pub hash: Option<Hashed>,
    /// A remark about the value, which is sent all the same.
    pub note: Option<Code>,
}

/// What becomes of `value` as a value of `field`, or the rule by which it is left out.
pub fn normalize(field: UserField, value: &str, context: &Context) -> Result<Normalized, Code> {
    let mut text = Zeroizing::new(String::new());
    let outcome = normalize_into(field, value, context, &mut text)?;
    Ok(match outcome {
        Outcome::Prehashed(hash, note) => {
            text.push_str(hash.as_str());
            Normalized {
                text,
                hash: Some(hash),
                note,
            }
        }
        Outcome::Text(note) => {
            let (is_clear, remark) = goes_clear(field, &text, context);
            Normalized {
                hash: (!is_clear).then(|| Hashed::of(&text)),
                text,
                note: remark.or(note),
            }
        }
    })
}

/// The other hashes for a value on which Meta's own libraries disagree, in clear normalised form.
///
/// For names (hyphens, inner spaces), cities (accents) and postcodes (spaces); empty where the
/// libraries agree with [`normalize`].
pub fn variants(field: UserField, value: &str, normalized: &str) -> Vec<Zeroizing<String>> {
    let value = text::trim(value);
    if digest::recognize(value).is_some() {
        return Vec::new();
    }
    match mend::mended(field, value) {
        Ok(Some(mended)) => variants::variants(field, text::trim(&mended), normalized),
        _ => variants::variants(field, value, normalized),
    }
}

/// What there is to say about a value, without showing it: `code` is what [`normalize`] gave as a
/// note or a reason.
pub fn remark(field: UserField, value: &str, code: Code) -> String {
    let said = match code {
        Code::ValueEmpty => "is empty; left out",
        Code::ValuePlaceholder => "is a word for nothing; left out",
        Code::HashOfNothing => "is the hash of nothing; left out",
        Code::HashUnmatched => {
            "is the hash of none of its values (f and m, or the two-letter code of a country, in lower case), \
             so it matches nobody; sent as it is"
        }
        Code::HashMd5 => "is an MD5 hash; sent as it is",
        Code::ExternalIdHashed => "is contact data; it was hashed",
        Code::PhNoCountry => {
            "has no + and no country is known; the digits were hashed as they are, which is right \
             only if they begin with the country code"
        }
        Code::ValueMended => "was encoded or damaged on its way; read as it was before",
        Code::ValueDamaged => "lost a part of it on its way; left out",
        Code::DbAmbiguous => "could have day and month swapped; the month was taken first",
        Code::FbcTime => "has a time in seconds or in the future; sent as it is",
        _ => {
            return format!(
                "{field} holds {} that cannot be used; left out",
                of_length(value)
            );
        }
    };
    format!("{field} {said}")
}

pub(crate) enum Outcome {
    /// The value was hashed before it came here.
    Prehashed(Hashed, Option<Code>),
    /// The normalised text was appended to the buffer.
    Text(Option<Code>),
}

/// As [`normalize`], into a buffer that the caller clears, reuses and wipes.
pub(crate) fn normalize_into(
    field: UserField,
    value: &str,
    context: &Context,
    out: &mut String,
) -> Result<Outcome, Code> {
    let bytes_max = match field {
        UserField::ClientUserAgent => USER_AGENT_BYTES_MAX,
        _ => USER_VALUE_BYTES_MAX,
    };
    if value.len() > bytes_max {
        return Err(Code::ValueTooLong);
    }
    let value = text::trim(value);
    let Some(mended) = mend::mended(field, value)? else {
        return normalize_whole(field, value, context, out);
    };
    let outcome = normalize_whole(field, text::trim(&mended), context, out)?;
    Ok(match outcome {
        Outcome::Prehashed(hash, note) => {
            Outcome::Prehashed(hash, note.or(Some(Code::ValueMended)))
        }
        Outcome::Text(note) => Outcome::Text(note.or(Some(Code::ValueMended))),
    })
}

/// As [`normalize_into`], of a value that nothing was done to, and that has nothing round it.
fn normalize_whole(
    field: UserField,
    value: &str,
    context: &Context,
    out: &mut String,
) -> Result<Outcome, Code> {
    if value.is_empty() {
        return Err(Code::ValueEmpty);
    }
    if nothing::is_word(value) {
        return Err(Code::ValuePlaceholder);
    }
    if !value.is_ascii() && value.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Code::TextDamaged);
    }
    if field.form() != Form::Clear {
        match digest::recognize(value) {
            Some(Prehashed::Sha256(hash)) if is_hash_of_nobody(field, &hash) => {
                return Err(Code::HashOfNothing);
            }
            Some(Prehashed::Sha256(hash)) => {
                let note = (!may_be_hash(field, &hash)).then_some(Code::HashUnmatched);
                return Ok(Outcome::Prehashed(hash, note));
            }
            Some(Prehashed::Md5(hash)) => {
                return Ok(Outcome::Prehashed(hash, Some(Code::HashMd5)));
            }
            Some(Prehashed::Nothing) => return Err(Code::HashOfNothing),
            None => {}
        }
    }
    if is_composed_of_nothing(field, value) {
        return Err(Code::ValuePlaceholder);
    }
    let start = out.len();
    let note = normalize_clear(field, value, context, out)?;
    // Otherwise the hash of `N'ull` would be taken for that of nothing when it comes back.
    if field.form() != Form::Clear && digest::is_nothing(&out[start..]) {
        return Err(Code::ValuePlaceholder);
    }
    Ok(Outcome::Text(note))
}

fn normalize_clear(
    field: UserField,
    value: &str,
    context: &Context,
    out: &mut String,
) -> Result<Option<Code>, Code> {
    match field {
        UserField::Em => email::normalize(value, out).map(|()| None),
        UserField::Ph => phone::normalize(value, context.country, out),
        UserField::Fn | UserField::Ln => name::normalize(value, out).map(|()| None),
        UserField::F5first | UserField::F5last => name::initials(value, 5, out).map(|()| None),
        UserField::Fi => name::initials(value, 1, out).map(|()| None),
        UserField::Db => birth::date(value, context.now_s, out),
        UserField::Dobd => birth::part(value, birth::Part::Day, out).map(|()| None),
        UserField::Dobm => birth::part(value, birth::Part::Month, out).map(|()| None),
        UserField::Doby => birth::part(value, birth::Part::Year, out).map(|()| None),
        UserField::Ge => gender::normalize(value, out).map(|()| None),
        UserField::Ct => place::city(value, out).map(|()| None),
        UserField::St => region::normalize(value, context.country, out).map(|()| None),
        UserField::Zp => place::postcode(value, context.country, out),
        UserField::Country => match Country::parse(value) {
            Some(country) => {
                out.push_str(country.code());
                Ok(None)
            }
            None => Err(Code::CountryUnknown),
        },
        UserField::ExternalId | UserField::AppUserId => {
            out.push_str(value);
            Ok(None)
        }
        UserField::ClientIpAddress => id::ip(value, out).map(|()| None),
        UserField::ClientUserAgent => id::user_agent(value, out).map(|()| None),
        UserField::Fbc => id::click_id(value, context.now_s, out),
        UserField::Fbp => id::browser_id(value, out).map(|()| None),
        UserField::LeadId => id::lead_id(value, out).map(|()| None),
        UserField::Madid => id::mobile_ad_id(value, out).map(|()| None),
        _ => id::opaque(value, out).map(|()| None),
    }
}

/// The hash of a normalised value, where it was made before.
pub(crate) fn known_hash(field: UserField, normalized: &str) -> Option<&'static Hashed> {
    match (field, normalized.as_bytes()) {
        (UserField::Country, [first, second]) => country::hash(Country::of_code([*first, *second])),
        _ => None,
    }
}

/// Whether a text is no value: empty, what programs write where there is none, or the hash of that.
pub(crate) fn is_nothing(text: &str) -> bool {
    let text = text::trim(text);
    text.is_empty()
        || nothing::is_word(text)
        || matches!(digest::recognize(text), Some(Prehashed::Nothing))
}

/// Whether a field can have a value with this hash, where all of its values are known.
fn may_be_hash(field: UserField, hash: &Hashed) -> bool {
    static GENDERS: LazyLock<[Hashed; 2]> = LazyLock::new(|| ["f", "m"].map(Hashed::of));
    match field {
        UserField::Ge => GENDERS.iter().any(|known| known.hex() == hash.hex()),
        UserField::Country => Country::of_hash(hash).is_some(),
        _ => true,
    }
}

/// Whether the hash of a person's id is that of a word for nobody, which all guests of a shop would share.
fn is_hash_of_nobody(field: UserField, hash: &Hashed) -> bool {
    const NOBODY: [&str; 12] = [
        "0",
        "-1",
        "false",
        "none",
        "None",
        "nan",
        "NaN",
        "guest",
        "Guest",
        "anonymous",
        "unknown",
        "00000000-0000-0000-0000-000000000000",
    ];
    static HASHES: LazyLock<[Hashed; 12]> = LazyLock::new(|| NOBODY.map(Hashed::of));
    matches!(field, UserField::ExternalId | UserField::AppUserId)
        && HASHES.iter().any(|known| known.hex() == hash.hex())
}

/// Whether a value of the field is put together with a word for nothing, or is an id that names nobody.
fn is_composed_of_nothing(field: UserField, value: &str) -> bool {
    match field {
        UserField::Fn
        | UserField::Ln
        | UserField::F5first
        | UserField::F5last
        | UserField::Ph
        | UserField::Ct
        | UserField::St
        | UserField::Zp => nothing::is_composed(value),
        UserField::Em => (value.split_once('@')).is_some_and(|(name, _)| nothing::is_trace(name)),
        UserField::Fbc | UserField::Fbp => {
            /// Longer than what is put together of words, shorter than any `fbclid`.
            const BYTES_MAX: usize = 30;
            let last = value.splitn(4, '.').nth(3);
            last.is_some_and(|last| {
                (1..=BYTES_MAX).contains(&last.len()) && nothing::is_no_id(last)
            })
        }
        UserField::ClientIpAddress | UserField::ClientUserAgent | UserField::Madid => false,
        _ if matches!(field.form(), Form::Clear) => nothing::is_no_id(value),
        UserField::ExternalId | UserField::AppUserId => nothing::is_no_id(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context = Context {
        country: None,
        external_id: ExternalId::Hash,
        now_s: 1_790_000_000,
    };

    /// Every row of the vector files: field, country, value as JSON, expected text and hash (or `-`).
    #[test]
    fn vectors() {
        let mut rows = 0;
        let lines = [
            include_str!("../../tests/vectors/normalize.tsv"),
            include_str!("../../tests/vectors/regions.tsv"),
            include_str!("../../tests/vectors/damaged.tsv"),
        ];
        for line in lines.into_iter().flat_map(str::lines) {
            if line.starts_with("# ") || line.is_empty() {
                continue;
            }
            let [row, field, country, value, expected, sha256] =
                line.split('\t').collect::<Vec<_>>()[..]
            else {
                panic!("six columns, please: {line}");
            };
            let value: String = serde_json::from_str(value).unwrap();
            let context = Context {
                country: Country::parse(country),
                ..CONTEXT
            };
            let field = UserField::from_name(field).unwrap();
            let result = normalize(field, &value, &context).ok();
            let text = result
                .as_ref()
                .map(|normalized| normalized.text.to_string());
            let expected =
                (expected != "-").then(|| serde_json::from_str::<String>(expected).unwrap());
            assert_eq!(text, expected, "row {row}: {field} {value:?}");
            let hash = result.and_then(|normalized| normalized.hash);
            let hash = hash.as_ref().map(Hashed::as_str);
            assert_eq!(
                hash,
                (sha256 != "-").then_some(sha256),
                "row {row}: {field} {value:?}"
            );
            rows += 1;
        }
        assert!(rows >= 285, "{rows} rows");
    }

    #[test]
    fn words_for_nothing_are_no_values() {
        for word in [
            "null",
            "undefined",
            "None",
            "NaN",
            "[object Object]",
            "{{email}}",
            "${mail}",
        ] {
            for field in [
                UserField::Em,
                UserField::Fn,
                UserField::ExternalId,
                UserField::Fbp,
            ] {
                assert_eq!(
                    normalize(field, word, &CONTEXT).err(),
                    Some(Code::ValuePlaceholder),
                    "{field} {word}"
                );
            }
        }
        assert!(normalize(UserField::Fn, "Nan", &CONTEXT).is_ok());
    }

    #[test]
    fn damaged_and_overlong_text_is_left_out() {
        assert_eq!(
            normalize(UserField::Fn, "Jos\u{fffd}", &CONTEXT).err(),
            Some(Code::TextDamaged)
        );
        assert_eq!(
            normalize(UserField::Fn, &"x".repeat(1_000_000), &CONTEXT).err(),
            Some(Code::ValueTooLong)
        );
    }
}
