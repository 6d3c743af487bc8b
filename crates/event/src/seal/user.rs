//! Sealing `user_data`: normalise, hash, write. The last place that sees personal data in the clear.

use zeroize::Zeroize as _;

use super::Rules;
use crate::codes::{self, Code};
use crate::contact;
use crate::digest::Hashed;
use crate::finding::{Findings, of_length};
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
    let mut places = [Place::default(); UserField::ALL.len()];
    for (at, value) in user_data.0.iter().enumerate() {
        let place = &mut places[value.field as usize];
        if !present.contains(value.field) {
            present.insert(value.field);
            place.first = at;
        }
        place.count += 1;
    }
    let mut sealer = Sealer {
        rules,
        context: Context {
            country: country(user_data, present).or(rules.default_country),
            ..context
        },
        findings,
        clear: String::with_capacity(CLEAR_BYTES),
    };
    let mut written = FieldSet::default();
    for field in present.iter() {
        let Place { first, count } = places[field as usize];
        let values = user_data.0[first..]
            .iter()
            .filter(|value| value.field == field);
        if sealer.field(values.take(count), field, out) {
            written.insert(field);
        }
    }
    sealer.clear.zeroize();
    written
}

/// Where the values of one field are.
#[derive(Clone, Copy, Default)]
struct Place {
    first: usize,
    count: usize,
}

/// The person's country, if `user_data` names one that we know.
fn country(user_data: &UserData<'_>, present: FieldSet) -> Option<Country> {
    if !present.contains(UserField::Country) {
        return None;
    }
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
}

/// The member of `user_data` that is being written.
struct Member {
    field: UserField,
    is_list: bool,
    /// Where it begins in the output.
    start: usize,
    count: usize,
}

impl Member {
    /// Appends a hash, unless it is there already.
    fn push(&mut self, hash: &Hashed, out: &mut String) {
        if self.count == 0 {
            open(out, self.field);
            out.push_str(if self.is_list { "[\"" } else { "\"" });
        } else if out[self.start..].contains(hash.as_str()) {
            return;
        } else {
            out.push_str(",\"");
        }
        out.push_str(hash.as_str());
        out.push('"');
        self.count += 1;
    }
}

impl Sealer<'_, '_> {
    /// Writes one field with all its values; tells whether there was any.
    fn field<'v>(
        &mut self,
        values: impl Iterator<Item = &'v UserValue<'v>>,
        field: UserField,
        out: &mut String,
    ) -> bool {
        let is_as_is =
            field == UserField::ExternalId && self.rules.external_id == super::ExternalId::AsIs;
        if field.form() == Form::Clear || is_as_is {
            return self.clear_field(values, field, out);
        }
        let mut member = Member {
            field,
            is_list: field.form() == Form::HashedList,
            start: out.len(),
            count: 0,
        };
        for value in values {
            self.hash(value, &mut member, out);
        }
        if member.is_list && member.count > 0 {
            out.push(']');
        }
        member.count > 0
    }

    fn hash(&mut self, value: &UserValue<'_>, member: &mut Member, out: &mut String) {
        if member.count > 0 && !member.is_list {
            self.only_one(value);
            return;
        }
        self.clear.clear();
        let text = value.value.expose();
        let note =
            match normalize::normalize_into(value.field, text, &self.context, &mut self.clear) {
                Ok(Outcome::Prehashed(hash, note)) => {
                    member.push(&hash, out);
                    note
                }
                Ok(Outcome::Text(note)) => {
                    member.push(&normalize::hash_of(value.field, &self.clear), out);
                    if self.rules.variants {
                        for variant in normalize::variants(value.field, text, &self.clear) {
                            member.push(&Hashed::of(&variant), out);
                        }
                    }
                    note
                }
                Err(code) => Some(code),
            };
        self.note(value, note);
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
                    self.only_one(value);
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

    fn only_one(&mut self, value: &UserValue<'_>) {
        let message = format!("{} takes one value; the first is sent", value.field);
        self.findings.add(codes::TOO_MANY, value.path(), message);
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
    let text = of_length(value.value.expose());
    if code == codes::VALUE_EMPTY {
        format!("{field} is empty; left out")
    } else if code == codes::VALUE_PLACEHOLDER {
        format!("{field} is a word for nothing; left out")
    } else if code == codes::HASH_OF_NOTHING {
        format!("{field} is the hash of nothing; left out")
    } else if code == codes::HASH_MD5 {
        format!("{field} is an MD5 hash; sent as it is")
    } else if code == codes::VALUE_TOO_LONG {
        format!("{field} is {text}; left out")
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
