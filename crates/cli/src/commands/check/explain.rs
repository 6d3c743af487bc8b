//! `--explain`: what becomes of every value of `user_data`, and what is sent in the end.
//!
//! A value is described by kind and length. Clear text is taken into an explanation only for
//! `--show-values`, so without it there is nothing here that could be printed by mistake.

use jiff::Timestamp;
use serde::Serialize;
use sluice_event::{
    Code, Country, ExternalId, Form, Hashed, Moment, Rules, SealedEvent, UserData, UserField,
};

use crate::field::Field;
use crate::output::counted;
use crate::value::{Judged, judge};

/// What becomes of an event.
#[derive(Serialize)]
pub(super) struct Explanation {
    /// Every value, in the order in which they came.
    pub(super) user_data: Vec<Explained>,
    /// What is sent; `None` if nothing is.
    pub(super) payload: Option<Payload>,
}

/// What becomes of one value.
#[derive(Serialize)]
pub(super) struct Explained {
    pub(super) field: &'static str,
    /// Kind and length of what came.
    pub(super) came: String,
    /// What came, in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// What it became, in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) normalized: Option<String>,
    pub(super) sent: Sent,
    /// The hashes that are sent; more than one with `--variants`.
    pub(super) sha256: Vec<String>,
    /// The rule by which it is left out or remarked upon; the findings say more.
    pub(super) note: Option<&'static str>,
}

/// How a value is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sent {
    /// As its hash.
    Hashed,
    /// As it is, because Meta wants it so.
    Clear,
    /// Not at all.
    LeftOut,
}

/// What is sent of an event.
#[derive(Serialize)]
pub(super) struct Payload {
    pub(super) bytes: usize,
    pub(super) event_id: String,
    /// The last moment at which Meta takes the event, by RFC 3339.
    pub(super) expires_at: String,
}

impl Explanation {
    /// Explains values as they will be sealed at that moment.
    pub(super) fn new(
        user_data: &UserData<'_>,
        rules: &Rules,
        moment: Moment,
        shows_values: bool,
    ) -> Self {
        let rules = Rules {
            default_country: country(user_data).or(rules.default_country),
            ..*rules
        };
        let mut explainer = Explainer {
            rules,
            unix_ms: moment.unix_ms,
            shows_values,
            sent: Vec::new(),
        };
        let values = user_data
            .iter()
            .map(|(field, value)| explainer.value(field, value.expose()))
            .collect();
        Self {
            user_data: values,
            payload: None,
        }
    }

    /// Adds what sealing made.
    pub(super) fn add_payload(&mut self, sealed: &SealedEvent) {
        let expires_at = Timestamp::from_second(sealed.expires_at());
        self.payload = Some(Payload {
            bytes: sealed.json().len(),
            event_id: sealed.event_id().to_owned(),
            // No time that a clock shows is beyond the years that this writes.
            expires_at: expires_at.map_or_else(|_| String::new(), |time| time.to_string()),
        });
    }
}

/// The country by which sealing reads phone numbers and postcodes.
fn country(user_data: &UserData<'_>) -> Option<Country> {
    user_data
        .iter()
        .filter(|(field, _)| *field == UserField::Country)
        .find_map(|(_, value)| Country::parse(value.expose()))
}

struct Explainer {
    rules: Rules,
    unix_ms: u64,
    shows_values: bool,
    /// What is sent already, because a field takes each hash once, and some take one value only.
    sent: Vec<(UserField, Option<Hashed>)>,
}

impl Explainer {
    fn value(&mut self, field: UserField, clear: &str) -> Explained {
        let judged = judge(Field::User(field), clear, &self.rules, self.unix_ms);
        let came = came(&judged, clear);
        let normalized = judged.normalized.as_ref();
        let shown = |text: &str| self.shows_values.then(|| text.to_owned());
        let (value, text) = (shown(clear), normalized.and_then(|it| shown(&it.text)));
        let (hashes, note) = self.send(field, &judged);
        let sent = match &hashes {
            None => Sent::LeftOut,
            Some(hashes) if hashes.is_empty() => Sent::Clear,
            Some(_) => Sent::Hashed,
        };
        let hashes = hashes.unwrap_or_default();
        Explained {
            field: field.name(),
            came,
            value,
            normalized: text,
            sent,
            sha256: hashes.iter().map(|hash| hash.as_str().to_owned()).collect(),
            note,
        }
    }

    /// The hashes that are sent of a value: none if it goes in the clear, `None` if it does not go.
    fn send(
        &mut self,
        field: UserField,
        judged: &Judged,
    ) -> (Option<Vec<Hashed>>, Option<&'static str>) {
        let note = judged.finding.as_ref().map(|finding| finding.code.name());
        let Some(normalized) = &judged.normalized else {
            return (None, note);
        };
        let is_list = field.form() == Form::HashedList;
        let is_taken = self.sent.iter().any(|(known, _)| *known == field);
        if !is_list && is_taken {
            return (None, Some(Code::TooMany.name()));
        }
        let Some(hash) = normalized.hash.filter(|_| field.form() != Form::Clear) else {
            self.sent.push((field, None));
            return (Some(Vec::new()), note);
        };
        let mut hashes = vec![hash];
        hashes.extend(judged.variants.iter().filter_map(|variant| variant.hash));
        let is_as_is = field == UserField::ExternalId && self.rules.external_id == ExternalId::AsIs;
        hashes.retain(|hash| is_as_is || !self.sent.contains(&(field, Some(*hash))));
        self.sent
            .extend(hashes.iter().map(|hash| (field, Some(*hash))));
        if hashes.is_empty() {
            (None, Some("repeated"))
        } else {
            (Some(hashes), note)
        }
    }
}

fn came(judged: &Judged, clear: &str) -> String {
    let length = clear.chars().count();
    if judged.is_prehashed() {
        "hashed before".to_owned()
    } else if length == 0 {
        "empty text".to_owned()
    } else {
        format!("text of {}", counted(length, "character"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_event::{Event, Findings};

    const EVENT: &str = r#"{"event_name":"Lead","event_time":1701234567,"action_source":"other","user_data":{
        "em":[" John@Example.com ","john@example.com","nope"],"ph":"030 1234567","country":"Germany",
        "fn":["Mary-Ann","maryann","MARY-ANN"],"ct":"São Paulo","fi":["j","k"],"dobd":"7",
        "external_id":["cust-17","cust-17","a@b.co","cust-18"],"client_ip_address":["10.0.0.1","1.2.3.4","1.2.3.5"],
        "fbp":"fb.1.1701234567000.123456789","ln":"6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"}}"#;

    const MOMENT: Moment = Moment {
        unix_ms: 1_701_234_600_000,
        in_doubt: false,
        entropy: [0; 10],
    };

    /// The hashes of every field that sealing wrote.
    fn sealed_hashes(sealed: &SealedEvent) -> Vec<(String, Vec<String>)> {
        let json: serde_json::Value = serde_json::from_str(sealed.json()).unwrap();
        let user_data = json["user_data"].as_object().unwrap();
        let is_hash = |text: &&str| text.len() == 64;
        let mut fields: Vec<_> = user_data
            .iter()
            .map(|(field, value)| {
                let values = value
                    .as_array()
                    .map_or(std::slice::from_ref(value), Vec::as_slice);
                let texts = values.iter().filter_map(serde_json::Value::as_str);
                (
                    field.clone(),
                    texts.filter(is_hash).map(str::to_owned).collect(),
                )
            })
            .collect();
        fields.sort();
        fields
    }

    fn explained_hashes(explanation: &Explanation) -> Vec<(String, Vec<String>)> {
        let mut fields = std::collections::BTreeMap::<_, Vec<String>>::new();
        for value in &explanation.user_data {
            if value.sent != Sent::LeftOut {
                let hashes = fields.entry(value.field.to_owned()).or_default();
                hashes.extend(value.sha256.iter().cloned());
            }
        }
        fields.into_iter().collect()
    }

    #[test]
    fn what_is_explained_is_what_is_sealed() {
        for (variants, external_id) in [
            (false, ExternalId::Hash),
            (true, ExternalId::Hash),
            (true, ExternalId::AsIs),
        ] {
            let rules = Rules {
                variants,
                external_id,
                ..Rules::default()
            };
            let mut findings = Findings::new();
            let event = Event::parse(EVENT, &mut findings).unwrap();
            let explanation = Explanation::new(&event.user_data, &rules, MOMENT, false);
            let sealed = event.seal(&rules, MOMENT, &mut findings).unwrap();
            assert_eq!(explained_hashes(&explanation), sealed_hashes(&sealed));
        }
    }

    #[test]
    fn clear_text_is_taken_only_when_it_may_be_shown() {
        let event = Event::parse(EVENT, &mut Findings::new()).unwrap();
        for shows_values in [false, true] {
            let explanation =
                Explanation::new(&event.user_data, &Rules::default(), MOMENT, shows_values);
            let json = serde_json::to_string(&explanation).unwrap();
            for clear in [
                "John@",
                "john@",
                "030 1234567",
                "49301234567",
                "Mary",
                "1.2.3.4",
                "cust-17",
            ] {
                assert_eq!(json.contains(clear), shows_values, "{clear}");
            }
        }
    }
}
