//! The other normal form of a value, where Meta's two families of libraries disagree.
//!
//! | field | [`super::normalize`] | the other |
//! |---|---|---|
//! | `fn`, `ln` | no spaces, no punctuation (parameter builder) | spaces and punctuation kept (business SDKs) |
//! | `ct` | accents kept (business SDKs) | everything but ASCII letters and digits removed (parameter builder) |
//! | `zp` | no spaces (business SDKs) | inner spaces kept (parameter builder) |

use zeroize::Zeroizing;

use super::text;
use crate::user_field::UserField;

pub(super) fn variants(field: UserField, value: &str, normalized: &str) -> Vec<Zeroizing<String>> {
    let other = match field {
        UserField::Fn | UserField::Ln => text::lower(value).into_owned(),
        UserField::Ct => ascii_city(value),
        UserField::Zp => {
            let before_dash = value.split('-').next().unwrap_or_default();
            text::lower(text::trim(before_dash)).into_owned()
        }
        _ => String::new(),
    };
    let other = Zeroizing::new(other);
    if other.is_empty() || *other == normalized {
        Vec::new()
    } else {
        vec![other]
    }
}

fn ascii_city(value: &str) -> String {
    let ascii: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if ascii.starts_with(|c: char| c.is_ascii_alphabetic()) {
        ascii
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Context, normalize, variants};
    use crate::user_field::UserField;

    #[test]
    fn gives_the_other_form_only_where_there_is_one() {
        let context = Context {
            country: None,
            now_s: 0,
            external_id: super::super::ExternalId::Hash,
        };
        for (field, value, expected) in [
            (UserField::Fn, "Mary-Ann ", Some("mary-ann")),
            (UserField::Fn, "Mary", None),
            (UserField::Ct, "São Paulo", Some("sopaulo")),
            (UserField::Ct, "Paris", None),
            (UserField::Ct, "東京", None),
            (UserField::Zp, "M1 1AE", Some("m1 1ae")),
            (UserField::Zp, "94035-1234", None),
            (UserField::Em, "A@b.c", None),
        ] {
            let normalized = normalize(field, value, &context).ok().unwrap();
            let others = variants(field, value, &normalized.text);
            let others: Vec<&str> = others.iter().map(|other| other.as_str()).collect();
            assert_eq!(
                others,
                expected.into_iter().collect::<Vec<_>>(),
                "{field} {value}"
            );
        }
    }
}
