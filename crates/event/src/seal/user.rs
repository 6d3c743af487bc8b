//! Sealing `user_data`: normalise, hash, write. The last place that sees personal data in the clear.

use zeroize::Zeroize as _;

use super::Rules;
use crate::code::Code;
use crate::digest::{self, Hashed, Prehashed};
use crate::facts::Facts;
use crate::finding::Findings;
use crate::json;
use crate::limits::USER_VALUES_MAX;
use crate::model::{UserData, UserValue};
use crate::normalize::{self, Context, Country, ExternalId, Outcome};
use crate::user_field::{FieldSet, Form, UserField};

/// Room for most clear values, so that growing leaves no copies behind.
const CLEAR_BYTES: usize = 1_024;

/// Appends the members of `user_data` and notes them.
pub(super) fn write(
    (user_data, section): (&UserData<'_>, &str),
    rules: &Rules,
    context: Context,
    findings: &mut Findings,
    (out, facts): (&mut String, &mut Facts),
) {
    let mut present = FieldSet::default();
    // Where the values of each field begin and end: mostly there is one.
    let mut places = [(0, 0); UserField::ALL.len()];
    for (at, value) in user_data.0.iter().enumerate() {
        let (first, end) = &mut places[value.field as usize];
        if !present.contains(value.field) {
            present.insert(value.field);
            *first = at;
        }
        *end = at + 1;
    }
    let mut sealer = Sealer {
        rules,
        context: Context {
            country: country(user_data, present, context.country),
            ..context
        },
        findings,
        section,
        start: out.len(),
        clear: String::with_capacity(CLEAR_BYTES),
    };
    for field in present.iter() {
        let (first, end) = places[field as usize];
        let values = &user_data.0[first..end];
        if sealer.field(values, field, out) {
            facts.identifiers.insert(field);
        }
    }
    sealer.clear.zeroize();
}

/// The country by whose rules the other values are read: the person's, or the default if `user_data`
/// names none. One that cannot be read is not the default either.
fn country(
    user_data: &UserData<'_>,
    present: FieldSet,
    default: Option<Country>,
) -> Option<Country> {
    if !present.contains(UserField::Country) {
        return default;
    }
    let mut named = user_data
        .iter()
        .filter(|(field, _)| *field == UserField::Country)
        .map(|(_, value)| value.expose().trim())
        .filter(|value| !normalize::is_nothing(value))
        .peekable();
    if named.peek().is_none() {
        return default;
    }
    named.find_map(|value| match digest::recognize(value) {
        Some(Prehashed::Sha256(hash)) => Country::of_hash(&hash),
        Some(_) => None,
        None => Country::parse(value),
    })
}

struct Sealer<'r, 'f> {
    rules: &'r Rules,
    context: Context,
    findings: &'f mut Findings,
    /// The key under which `user_data` stood in the input.
    section: &'r str,
    /// Where the first member begins in the output.
    start: usize,
    /// Clear text on its way to the hash: one buffer for all values, wiped at the end.
    clear: String,
}

/// The member of `user_data` that is being written.
struct Member {
    field: UserField,
    is_list: bool,
    is_first: bool,
    /// Where it begins in the output.
    start: usize,
    count: usize,
}

impl Member {
    /// Appends a hash, unless it is there already.
    fn push(&mut self, hash: &Hashed, out: &mut String) {
        let text = hash.as_str();
        if self.count == 0 {
            self.open(out);
        } else if self.count == USER_VALUES_MAX || out[self.start..].contains(text) {
            return;
        } else {
            out.push_str(",\"");
        }
        out.push_str(text);
        out.push('"');
        self.count += 1;
    }

    /// Appends the hash of a normalised value, unless it is there already.
    fn push_hash_of(&mut self, normalized: &str, out: &mut String) {
        if let Some(known) = normalize::known_hash(self.field, normalized) {
            self.push(known, out);
        } else if self.count > 0 {
            self.push(&Hashed::of(normalized), out);
        } else {
            self.open(out);
            digest::push_hash(normalized, out);
            out.push('"');
            self.count = 1;
        }
    }

    /// Begins the member with its first value.
    fn open(&self, out: &mut String) {
        open(self.field, self.is_first, out);
        if self.is_list {
            out.push('[');
        }
        out.push('"');
    }
}

impl Sealer<'_, '_> {
    /// Writes one field with all its values, which are among `values`; tells whether there was any.
    fn field(&mut self, values: &[UserValue<'_>], field: UserField, out: &mut String) -> bool {
        let may_be_clear =
            field == UserField::ExternalId && self.context.external_id == ExternalId::AsIs;
        if field.form() == Form::Clear || may_be_clear {
            return self.clear_field(values, field, out);
        }
        let mut member = Member {
            field,
            is_list: field.form() == Form::HashedList,
            is_first: out.len() == self.start,
            start: out.len(),
            count: 0,
        };
        for value in values.iter().filter(|value| value.field == field) {
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
                    member.push_hash_of(&self.clear, out);
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
    fn clear_field(
        &mut self,
        values: &[UserValue<'_>],
        field: UserField,
        out: &mut String,
    ) -> bool {
        let is_list = field.form() == Form::HashedList;
        let mut count = 0;
        for value in values.iter().filter(|value| value.field == field) {
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
                open(field, out.len() == self.start, out);
            }
            if is_list {
                out.push(if count == 0 { '[' } else { ',' });
            }
            let (is_clear, remark) = normalize::goes_clear(field, &self.clear, &self.context);
            if is_clear {
                json::write_text(out, &self.clear);
            } else {
                json::write_text(out, Hashed::of(&self.clear).as_str());
            }
            self.note(value, remark);
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
        self.findings
            .add(Code::TooMany, value.path(self.section), message);
    }

    fn note(&mut self, value: &UserValue<'_>, code: Option<Code>) {
        if let Some(code) = code {
            let message = normalize::remark(value.field, value.value.expose(), code);
            self.findings.add(code, value.path(self.section), message);
        }
    }
}

/// Begins a member, behind a comma if it is not the first.
#[inline]
fn open(field: UserField, is_first: bool, out: &mut String) {
    out.push_str(&field.member()[usize::from(is_first)..]);
}
