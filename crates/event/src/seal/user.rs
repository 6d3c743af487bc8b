//! Sealing `user_data`: normalise, hash, write. The last place that sees personal data in the clear.

use zeroize::Zeroize as _;

use super::Rules;
use crate::codes::{self, Code};
use crate::contact;
use crate::digest::Hashed;
use crate::finding::Findings;
use crate::json;
use crate::model::{UserData, UserValue};
use crate::normalize::{self, Context, Country, Outcome};
use crate::user_field::{FieldSet, Form, UserField};

/// Room for most clear values, so that growing leaves no copies behind.
const CLEAR_BYTES: usize = 1_024;

/// Appends the members of `user_data` and tells which fields have a value.
pub(super) fn write(
    user_data: &UserData<'_>,
    rules: &Rules,
    context: Context,
    findings: &mut Findings,
    out: &mut String,
) -> FieldSet {
    let mut present = FieldSet::default();
    for value in &user_data.0 {
        present.insert(value.field);
    }
    let mut sealer = Sealer {
        rules,
        context: Context {
            country: country(user_data).or(rules.default_country),
            ..context
        },
        findings,
        clear: String::with_capacity(CLEAR_BYTES),
        hashes: Vec::with_capacity(1),
    };
    let mut written = FieldSet::default();
    for field in present.iter() {
        if sealer.field(user_data, field, out) {
            written.insert(field);
        }
    }
    sealer.clear.zeroize();
    written
}

/// The person's country, if `user_data` names one that we know.
fn country(user_data: &UserData<'_>) -> Option<Country> {
    user_data
        .iter()
        .filter(|(field, _)| *field == UserField::Country)
        .find_map(|(_, value)| Country::parse(value.expose()))
}

struct Sealer<'r, 'f> {
    rules: &'r Rules,
    context: Context,
    findings: &'f mut Findings,
    /// Clear text on its way to the hash: one buffer for all values, wiped at the end.
    clear: String,
    hashes: Vec<Hashed>,
}

impl Sealer<'_, '_> {
    /// Writes one field with all its values; tells whether there was any.
    fn field(&mut self, user_data: &UserData<'_>, field: UserField, out: &mut String) -> bool {
        let values = user_data.0.iter().filter(|value| value.field == field);
        let is_as_is =
            field == UserField::ExternalId && self.rules.external_id == super::ExternalId::AsIs;
        if field.form() == Form::Clear || is_as_is {
            return self.clear_field(values, field, out);
        }
        self.hashes.clear();
        for value in values {
            self.hash(value);
        }
        let is_list = field.form() == Form::HashedList;
        let count = if is_list {
            self.hashes.len()
        } else {
            self.hashes.len().min(1)
        };
        for (at, hash) in self.hashes[..count].iter().enumerate() {
            if at == 0 {
                open(out, field);
            }
            if is_list {
                out.push(if at == 0 { '[' } else { ',' });
            }
            out.push('"');
            out.push_str(hash.as_str());
            out.push('"');
        }
        if is_list && count > 0 {
            out.push(']');
        }
        count > 0
    }

    fn hash(&mut self, value: &UserValue<'_>) {
        self.clear.clear();
        let text = value.value.expose();
        match normalize::normalize_into(value.field, text, &self.context, &mut self.clear) {
            Ok(Outcome::Prehashed(hash, note)) => {
                self.push_hash(hash);
                self.note(value, note);
            }
            Ok(Outcome::Text(note)) => {
                let hash = normalize::hash_of(value.field, &self.clear);
                self.push_hash(hash);
                if self.rules.variants {
                    for variant in normalize::variants(value.field, text, &self.clear) {
                        self.push_hash(Hashed::of(&variant));
                    }
                }
                self.note(value, note);
            }
            Err(code) => self.note(value, Some(code)),
        }
    }

    fn push_hash(&mut self, hash: Hashed) {
        if !self.hashes.contains(&hash) {
            self.hashes.push(hash);
        }
    }

    /// A field that goes in the clear: the first good value, or all for an external id.
    fn clear_field<'v>(
        &mut self,
        values: impl Iterator<Item = &'v UserValue<'v>>,
        field: UserField,
        out: &mut String,
    ) -> bool {
        let is_list = field.form() == Form::HashedList;
        let mut count = 0;
        for value in values {
            self.clear.clear();
            let outcome = normalize::normalize_into(
                field,
                value.value.expose(),
                &self.context,
                &mut self.clear,
            );
            let note = match outcome {
                Err(code) => {
                    self.note(value, Some(code));
                    continue;
                }
                Ok(_) if count > 0 && !is_list => {
                    let message = format!("{field} takes one value; the first is sent");
                    self.findings.add(codes::TOO_MANY, value.path(), message);
                    continue;
                }
                Ok(Outcome::Prehashed(hash, note)) => {
                    self.clear.push_str(hash.as_str());
                    note
                }
                Ok(Outcome::Text(note)) => note,
            };
            if count == 0 {
                open(out, field);
            }
            if is_list {
                out.push(if count == 0 { '[' } else { ',' });
            }
            if is_list && contact::is_contact(&self.clear) {
                self.note(value, Some(codes::EXTERNAL_ID_HASHED));
                json::write_text(out, Hashed::of(&self.clear).as_str());
            } else {
                json::write_text(out, &self.clear);
            }
            self.note(value, note);
            count += 1;
        }
        if is_list && count > 0 {
            out.push(']');
        }
        count > 0
    }

    fn note(&mut self, value: &UserValue<'_>, code: Option<Code>) {
        if let Some(code) = code {
            self.findings.add(code, value.path(), message(value, code));
        }
    }
}

fn open(out: &mut String, field: UserField) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(field.name());
    out.push_str("\":");
}

/// What was found, without the value.
fn message(value: &UserValue<'_>, code: Code) -> String {
    let field = value.field;
    let length = value.value.expose().chars().count();
    let text = format!("a text of {length} characters");
    if code == codes::VALUE_EMPTY {
        format!("{field} is empty; left out")
    } else if code == codes::VALUE_PLACEHOLDER {
        format!("{field} is a word for nothing; left out")
    } else if code == codes::HASH_OF_NOTHING {
        format!("{field} is the hash of nothing; left out")
    } else if code == codes::HASH_MD5 {
        format!("{field} is an MD5 hash; sent as it is")
    } else if code == codes::VALUE_TOO_LONG {
        format!("{field} has {length} characters; left out")
    } else if code == codes::PH_NO_COUNTRY {
        "no country code and no country are known; the digits were hashed as they are".to_owned()
    } else if code == codes::DB_AMBIGUOUS {
        "day and month could be swapped; the month was taken first".to_owned()
    } else if code == codes::FBC_TIME {
        "the time in fbc is in seconds or in the future; sent as it is".to_owned()
    } else if code == codes::EXTERNAL_ID_HASHED {
        "external_id is contact data; it was hashed".to_owned()
    } else {
        format!("{field} holds {text} that cannot be used; left out")
    }
}
