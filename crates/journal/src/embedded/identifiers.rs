//! The identifiers of a sealed event by which people look for it.

use std::borrow::Cow;

use sluice_event::json::Raw;
use sluice_event::{Hashed, Prehashed, UserField, recognize};

/// The fields that stand for one person.
const SEARCHED: [UserField; 3] = [UserField::Em, UserField::Ph, UserField::ExternalId];

/// Calls `each` with the hash of every value of `em`, `ph` and `external_id` in the JSON of an event. An
/// `external_id` that goes to Meta as it is counts by its hash.
pub(super) fn each(json: &str, mut each: impl FnMut(&Hashed)) {
    let Ok(event) = Raw::parse(json) else {
        return;
    };
    let user_data = event.members().filter(|(name, _)| name == "user_data");
    for (name, value) in user_data.flat_map(|(_, user_data)| user_data.members()) {
        if SEARCHED.iter().any(|field| field.name() == name) {
            match value.as_text() {
                Some(text) => each(&hash(&text)),
                None => value
                    .items()
                    .filter_map(Raw::as_text)
                    .for_each(|text: Cow<'_, str>| each(&hash(&text))),
            }
        }
    }
}

/// Whether an event has this value among its identifiers, whatever appendix it goes with.
pub(super) fn has(json: &str, wanted: &Hashed) -> bool {
    let mut has = false;
    each(json, |hash| has |= hash.hex() == wanted.hex());
    has
}

fn hash(value: &str) -> Hashed {
    match recognize(value) {
        Some(Prehashed::Sha256(hash)) => hash,
        _ => Hashed::of(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_every_form_in_which_they_are_sent() {
        let em = Hashed::of("john@example.com");
        let ph = Hashed::of("4930123456");
        let json = format!(
            r#"{{"event_name":"Purchase","user_data":{{"em":["{}","{}"],"fn":"{}","ph":"{}.AQ","external_id":["c-17"]}},
                "custom_data":{{"note":"\"user_data\":{{\"em\":\"x\"}}"}}}}"#,
            Hashed::of("other").as_str(),
            em.as_str(),
            Hashed::of("john").as_str(),
            ph.as_str(),
        );
        let of = |text: &str| Hashed::of(text);
        for (hash, expected) in [
            (em, true),
            (ph, true),
            (of("c-17"), true),
            (of("other"), true),
            (of("john"), false),
            (of("x"), false),
        ] {
            assert_eq!(has(&json, &hash), expected, "{}", hash.as_str());
        }
        assert!(!has("not json", &em));
    }
}
