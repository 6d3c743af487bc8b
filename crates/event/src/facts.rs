//! What is known of a sealed event, so that lists and reports need not read its body.

use std::fmt;

use crate::finding::{Finding, Findings};
use crate::money::Currency;
use crate::severity::Severity;
use crate::user_field::FieldSet;

/// What is known of a sealed event. Nothing in it is contact data in the clear.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The fields of `user_data` that are sent.
    pub identifiers: FieldSet,
    /// `custom_data.order_id` as it is sent; its hash, if it is longer than an id may be.
    pub order_id: Option<Box<str>>,
    /// The event's value, if it has one in a currency.
    pub amount: Option<Amount>,
    /// How bad the worst finding is; `None` if there is nothing to say about the event.
    pub worst: Option<Severity>,
}

/// A sum of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// In units of the currency's smallest part: cents, yen. Parts of one are rounded, a half away from zero.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Facts {
    /// How many bytes of memory they take.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.order_id.as_ref().map_or(0, |id| id.len())
    }

    /// Notes the value that was written, in JSON. An app event may have it under two names; the first counts.
    pub(crate) fn note_value(&mut self, json: &str, currency: Option<Currency>) {
        if self.amount.is_none() {
            self.amount = currency.and_then(|currency| Amount::of(json, currency));
        }
    }

    /// Notes how bad it is what was found.
    pub(crate) fn note_findings(&mut self, findings: &Findings) {
        self.worst = findings.iter().map(Finding::severity).min();
    }
}

impl fmt::Debug for Facts {
    /// Without the order, which shops may put other things into.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("identifiers", &self.identifiers)
            .field("amount", &self.amount)
            .field("worst", &self.worst)
            .finish_non_exhaustive()
    }
}

impl Amount {
    /// The sum as a decimal, with as many digits behind the point as the currency has: `129.95`, `1500`.
    pub fn decimal(self) -> String {
        let digits = usize::from(self.currency.minor_digits());
        let sign = if self.minor < 0 { "-" } else { "" };
        let figures = format!("{:0>1$}", self.minor.unsigned_abs(), digits + 1);
        let (whole, fraction) = figures.split_at(figures.len() - digits);
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// Reads a number as sealing writes it. `None` if it has an exponent, or more digits than fit.
    fn of(json: &str, currency: Currency) -> Option<Self> {
        let digits = usize::from(currency.minor_digits());
        let (is_negative, number) = match json.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, json),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let (kept, rest) = fraction.split_at(digits.min(fraction.len()));
        let figures = whole.bytes().chain(kept.bytes());
        let zeros = std::iter::repeat_n(b'0', digits - kept.len());
        let mut minor = figures.chain(zeros).try_fold(0_i64, |sum, figure| {
            sum.checked_mul(10)?.checked_add(i64::from(figure - b'0'))
        })?;
        if rest.as_bytes().first().is_some_and(|first| *first >= b'5') {
            minor = minor.checked_add(1)?;
        }
        Some(Self {
            minor: if is_negative { -minor } else { minor },
            currency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_field::UserField;

    #[test]
    fn amounts_are_whole_numbers_of_the_smallest_part() {
        for (json, currency, minor) in [
            ("129.95", "EUR", Some(12_995)),
            ("129.9", "EUR", Some(12_990)),
            ("129", "USD", Some(12_900)),
            ("0", "USD", Some(0)),
            ("0.005", "USD", Some(1)),
            ("0.0049", "USD", Some(0)),
            ("-12.345", "USD", Some(-1_235)),
            ("1500", "JPY", Some(1_500)),
            ("1500.5", "JPY", Some(1_501)),
            ("12.5", "KWD", Some(12_500)),
            ("92233720368547758.07", "EUR", Some(i64::MAX)),
            ("92233720368547758.08", "EUR", None),
            ("92233720368547758.075", "EUR", None),
            ("1e3", "EUR", None),
            ("", "EUR", None),
            ("-", "EUR", None),
            (".5", "EUR", None),
        ] {
            let currency = Currency::parse(currency).unwrap();
            let amount = Amount::of(json, currency).map(|amount| amount.minor);
            assert_eq!(amount, minor, "{json} {}", currency.code());
        }
    }

    #[test]
    fn amounts_are_shown_with_the_digits_of_their_currency() {
        for (minor, currency, shown) in [
            (12_995, "EUR", "129.95"),
            (5, "EUR", "0.05"),
            (0, "EUR", "0.00"),
            (-5, "EUR", "-0.05"),
            (1_500, "JPY", "1500"),
            (0, "JPY", "0"),
            (12_500, "KWD", "12.500"),
            (i64::MIN, "JPY", "-9223372036854775808"),
        ] {
            let currency = Currency::parse(currency).unwrap();
            assert_eq!(Amount { minor, currency }.decimal(), shown);
        }
    }

    /// Files keep these bits.
    #[test]
    fn the_bit_of_a_field_never_changes() {
        let pinned = "em ph fn ln db ge ct st zp country external_id f5first f5last fi dobd dobm doby app_user_id \
                      client_ip_address client_user_agent fbc fbp subscription_id fb_login_id lead_id anon_id madid \
                      page_id page_scoped_user_id ctwa_clid whatsapp_business_account_id ig_account_id \
                      instagram_business_account_id ig_sid";
        for (bit, name) in pinned.split_whitespace().enumerate() {
            let set = FieldSet::from_bits(1 << bit);
            let names: Vec<_> = set.iter().map(UserField::name).collect();
            assert_eq!(names, [name]);
            assert_eq!(set.bits(), 1 << bit);
        }
        let count = pinned.split_whitespace().count();
        assert_eq!(
            count,
            UserField::ALL.len(),
            "a new field goes behind the last one"
        );
        assert!(FieldSet::from_bits(1 << count).is_empty());
    }

    #[test]
    fn facts_are_what_is_sent() {
        let facts = |custom_data: &str| {
            let event = format!(
                r#"{{
                    "event_name": "Purchase", "event_time": 1790000000, "event_id": "1", "action_source": "website",
                    "event_source_url": "https://shop.example/",
                    "user_data": {{
                        "em": ["A@b.example", "c@d.example"], "ph": "5d41402abc4b2a76b9719d911017c592",
                        "external_id": 4711, "fn": "", "client_user_agent": "Mozilla/5.0"
                    }},
                    "custom_data": {custom_data}
                }}"#
            );
            let mut findings = Findings::new();
            let moment = crate::Moment {
                unix_ms: 1_790_000_000_000,
                in_doubt: false,
                entropy: [0; 10],
            };
            let event = crate::Event::parse(&event, &mut findings).unwrap();
            let sealed = event.seal(&crate::Rules::default(), moment, &mut findings);
            sealed.unwrap().facts().clone()
        };
        let known = facts(r#"{"order_id": "A \"1\"", "value": "1.234,565", "currency": "eur"}"#);
        let names: Vec<_> = known.identifiers.iter().map(UserField::name).collect();
        assert_eq!(names, ["em", "ph", "external_id", "client_user_agent"]);
        assert_eq!(known.order_id.as_deref(), Some("A \"1\""));
        let amount = known.amount.unwrap();
        assert_eq!((amount.minor, amount.currency.code()), (123_457, "EUR"));
        assert_eq!(known.worst, Some(Severity::Repaired));
        let shown = format!("{known:?}");
        assert!(!shown.contains("A \\"), "{shown}");

        let basket = "7".repeat(10_000);
        let long = facts(&format!(
            r#"{{"order_id": "{basket}", "value": 1, "currency": "EUR"}}"#
        ));
        assert_eq!(long.order_id.unwrap().len(), 64);
    }

    /// Meta's app SDKs name value and currency otherwise; both count as those of a Purchase.
    #[test]
    fn an_app_event_has_its_value_under_the_names_of_the_app_sdks() {
        let event = r#"{
            "event_name": "Purchase", "event_time": 1790000000, "event_id": "1", "action_source": "app",
            "user_data": {"em": "a@b.example"},
            "app_data": {
                "advertiser_tracking_enabled": 1, "application_tracking_enabled": 1,
                "extinfo": ["a2", "com.example.app", "1.0", "1.0 long", "14", "Pixel 8", "en_US", "GMT-1", "T-Mobile",
                    "1080", "1920", "2.0", "8", "64", "32", "America/New_York"]
            },
            "custom_data": {"_valueToSum": 12.5, "fb_currency": "JPY"}
        }"#;
        let mut findings = Findings::new();
        let moment = crate::Moment {
            unix_ms: 1_790_000_000_000,
            in_doubt: false,
            entropy: [0; 10],
        };
        let event = crate::Event::parse(event, &mut findings).unwrap();
        let sealed = event.seal(&crate::Rules::default(), moment, &mut findings);
        let amount = sealed.unwrap().facts().amount.unwrap();
        assert_eq!((amount.minor, amount.currency.code()), (13, "JPY"));
    }
}
