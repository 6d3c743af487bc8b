//! What becomes of one value, and what there is to say about it.
//!
//! The text, the hash and the words come from the event library, as in sealing: what is shown here is
//! what would be sent.

use sluice_event::{
    ActionSource, Code, Context, Currency, Event, Finding, Findings, Hashed, JsonText, Moment,
    Normalized, Path, Rules, UserField, normalize, remark, variants,
};

use crate::field::Field;

/// What became of a value.
pub(crate) struct Judged {
    /// The normalised text and its hash; `None` when the value is left out.
    pub(crate) normalized: Option<Normalized>,
    /// Why it is left out, or a remark.
    pub(crate) finding: Option<Finding>,
    /// The other forms, if the rules ask for them.
    pub(crate) variants: Vec<Normalized>,
}

impl Judged {
    /// Whether the value was a hash before it came here.
    pub(crate) fn is_prehashed(&self) -> bool {
        match &self.normalized {
            Some(Normalized { text, hash, .. }) => {
                hash.is_some_and(|hash| hash.as_str() == text.as_str())
            }
            None => self.finding.as_ref().map(|finding| finding.code) == Some(Code::HashOfNothing),
        }
    }
}

/// Normalises a value at a time in milliseconds since 1970.
pub(crate) fn judge(field: Field, value: &str, rules: &Rules, unix_ms: u64) -> Judged {
    match field {
        Field::User(field) => user_value(field, value, rules, unix_ms),
        Field::Currency => currency(value, rules, unix_ms),
    }
}

fn user_value(field: UserField, value: &str, rules: &Rules, unix_ms: u64) -> Judged {
    let context = Context {
        country: rules.default_country,
        now_s: moment(unix_ms).unix_s(),
        external_id: rules.external_id,
    };
    let result = normalize(field, value, &context);
    let code = match &result {
        Ok(normalized) => normalized.note,
        Err(code) => Some(*code),
    };
    let mut judged = Judged {
        normalized: result.ok(),
        finding: code.map(|code| Finding {
            code,
            path: Path::root(),
            message: remark(field, value, code),
        }),
        variants: Vec::new(),
    };
    let is_prehashed = judged.is_prehashed();
    if let Some(normalized) = &judged.normalized
        && rules.variants
        && !is_prehashed
    {
        judged.variants = variants(field, value, &normalized.text)
            .into_iter()
            .map(|text| Normalized {
                hash: Some(Hashed::of(&text)),
                text,
                note: None,
            })
            .collect();
    }
    judged
}

/// The words about a currency come from sealing an event that holds nothing else.
fn currency(value: &str, rules: &Rules, unix_ms: u64) -> Judged {
    let event = Event::default()
        .custom("currency", JsonText::from(value))
        .source(ActionSource::Other);
    let mut said = Findings::new();
    event.seal(rules, moment(unix_ms), &mut said);
    let path = Path::root().key("custom_data").key("currency");
    let finding = said.into_iter().find(|finding| finding.path == path);
    let is_left_out = finding
        .as_ref()
        .is_some_and(|finding| finding.code != Code::CurrencyWithdrawn);
    Judged {
        normalized: Currency::parse(value)
            .filter(|_| !is_left_out)
            .map(|currency| Normalized {
                text: currency.code().to_owned().into(),
                hash: None,
                note: None,
            }),
        finding,
        variants: Vec::new(),
    }
}

fn moment(unix_ms: u64) -> Moment {
    Moment {
        unix_ms,
        in_doubt: false,
        entropy: [0; 10],
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::ExternalId;

    use super::*;

    const NOW_MS: u64 = 1_701_234_600_000;

    fn judged(field: &str, value: &str, rules: &Rules) -> Judged {
        judge(Field::parse(field).unwrap(), value, rules, NOW_MS)
    }

    #[test]
    fn words_are_those_of_sealing() {
        let rules = Rules::default();
        for (field, value, expected) in [
            (
                "em",
                "nope",
                "em holds a text of 4 characters that cannot be used; left out",
            ),
            ("em", "", "em is empty; left out"),
            (
                "ph",
                "030 1234567",
                "ph has no + and no country is known; the digits were hashed as they are, which is right only \
                 if they begin with the country code",
            ),
            (
                "currency",
                "EURO",
                "found `EURO`, no currency of ISO 4217; left out",
            ),
            (
                "currency",
                "john@example.com",
                "holds contact data in the clear; left out",
            ),
            ("currency", "HRK", "HRK was withdrawn"),
        ] {
            let finding = judged(field, value, &rules).finding.unwrap();
            assert_eq!(finding.message, expected, "{field} {value}");
        }
        assert!(judged("em", "john@example.com", &rules).finding.is_none());
    }

    #[test]
    fn external_ids_go_as_they_are_unless_they_are_contact_data() {
        let rules = Rules {
            external_id: ExternalId::AsIs,
            ..Rules::default()
        };
        let hash = |value| {
            judged("external_id", value, &rules)
                .normalized
                .unwrap()
                .hash
        };
        assert_eq!(hash("customer-17"), None);
        assert_eq!(
            hash("john@example.com"),
            Some(Hashed::of("john@example.com"))
        );
        let earlier = Hashed::of("customer-17");
        assert_eq!(hash(earlier.as_str()), Some(earlier));
    }
}
