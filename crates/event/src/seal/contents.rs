//! Writing `contents`, the list of bought things, and `extinfo`, the description of a device.

use std::borrow::Cow;

use super::object::{PathOf, Unknown, Writer, close, inner_list, is_integer};
use super::scan::has_infinite;
use crate::alias;
use crate::amount;
use crate::code::Code;
use crate::json::{self, Kind, Raw, Reader, SyntaxError};
use crate::limits::CONTENTS_MAX;
use crate::shape;

/// Slots of `extinfo`.
const EXTINFO_SLOTS: usize = 16;

/// The slots that one of Meta's two pages about them calls whole numbers: the screen's width and height, the
/// processor's cores, storage. All others are texts on both.
const EXTINFO_NUMBERS: [usize; 5] = [9, 10, 12, 13, 14];

impl Writer<'_> {
    pub(super) fn contents(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        if let Some(text) = inner_list(raw) {
            return self.contents(Raw::trusted(&text), path, out);
        }
        let start = out.len();
        out.push('[');
        match raw.kind() {
            Kind::Array => {
                let mut count = 0;
                // A `Raw` was read once already, so reading it again cannot fail.
                let _ = raw.reader().items(|reader| {
                    count += 1;
                    if count > CONTENTS_MAX {
                        return reader.value().map(|_| ());
                    }
                    self.content(reader, &|| path().index(count - 1), out)
                });
                if count > CONTENTS_MAX {
                    let message =
                        format!("{count} entries; only the first {CONTENTS_MAX} are sent");
                    self.findings.add(Code::TooMany, path(), message);
                }
            }
            Kind::Object if is_map_of_entries(raw) => {
                let message = "a map of entries, as PHP writes a list with gaps; a list was made";
                self.findings.add(Code::ContentsInvalid, path(), message);
                for (key, entry) in raw.members().take(CONTENTS_MAX) {
                    let _ = self.content(&mut entry.reader(), &|| path().key(&key), out);
                }
            }
            Kind::Object => {
                let message = "one entry stands without its list; a list was made";
                self.findings.add(Code::ContentsInvalid, path(), message);
                let _ = self.content(&mut raw.reader(), path, out);
            }
            kind => {
                let message = format!("expected an array of objects, found {kind}; left out");
                self.findings.add(Code::ContentsInvalid, path(), message);
            }
        }
        close(out, start, ']')
    }

    /// One entry of `contents`: without an id Meta refuses the whole event, so it goes.
    pub(super) fn content(
        &mut self,
        reader: &mut Reader<'_>,
        path: PathOf<'_>,
        out: &mut String,
    ) -> Result<(), SyntaxError> {
        let raw = reader.value()?;
        let text = inner_list(raw);
        let raw = text.as_deref().map_or(raw, Raw::trusted);
        if raw.kind() != Kind::Object {
            let kind = raw.kind();
            let message =
                format!("expected an object with id and quantity, found {kind}; left out");
            self.findings
                .add(Code::ContentsItemInvalid, path(), message);
            return Ok(());
        }
        let start = out.len();
        let is_first = out.ends_with('[');
        if !is_first {
            out.push(',');
        }
        let object_start = out.len();
        out.push('{');
        let names = Names::of(raw);
        let (mut has_id, mut has_quantity, mut names_quantity) = (false, false, false);
        for (written, value) in raw.members() {
            let member_path = || path().key(&written);
            let key = names.meta_name(&written);
            // Once for the list: its entries are alike.
            if is_first && *key != *written {
                let message = format!("read as {key}");
                self.findings.add(Code::KeyAlias, member_path(), message);
            }
            if key == "quantity" && !is_positive(value) {
                names_quantity = true;
                let message = "quantity is no whole number above 0; 1 is sent";
                self.findings
                    .add(Code::ContentsQuantity, member_path(), message);
                continue;
            }
            let table = &shape::CONTENT;
            let place = table.find(key.as_bytes());
            if place.is_none() && self.is_of_event(key, value, &member_path) {
                continue;
            }
            let table = (table, place, Unknown::Pass);
            let is_written = self.member(key, value, table, &member_path, out);
            has_id |= is_written && key == "id";
            has_quantity |= is_written && key == "quantity";
        }
        if !has_id {
            out.truncate(start);
            let message = "the entry has no id; left out";
            self.findings
                .add(Code::ContentsItemInvalid, path(), message);
            return Ok(());
        }
        if !has_quantity {
            out.push_str(",\"quantity\":1");
            if !names_quantity {
                let message = "the entry has no quantity; 1 is sent";
                self.findings.add(Code::ContentsQuantity, path(), message);
            }
        }
        close(out, object_start, '}');
        Ok(())
    }

    /// Whether a key of an entry is a switch or a test code of the event, which is no property of a thing. It was
    /// used and said when the event was read, unless the list stood in a text.
    fn is_of_event(&mut self, key: &str, value: Raw<'_>, path: PathOf<'_>) -> bool {
        let is_meant = alias::is_test_event_code(key) || alias::of_switch(key).is_some();
        if !is_meant || value.kind() == Kind::Null {
            return is_meant;
        }
        let path = path();
        let mut said = self.findings.iter();
        if !said.any(|finding| finding.code == Code::KeyMisplaced && finding.path == path) {
            let message =
                "is no property of a thing, and not looked for in a list that is a text; left out";
            self.findings.add(Code::KeyMisplaced, path, message);
        }
        true
    }

    pub(super) fn extinfo(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        if let Some(text) = inner_list(raw) {
            return self.extinfo(Raw::trusted(&text), path, out);
        }
        let slots = match raw.kind() {
            Kind::Array => raw.items().take(EXTINFO_SLOTS).collect(),
            Kind::Object => numbered_slots(raw),
            _ => Vec::new(),
        };
        if slots.is_empty() && raw.kind() != Kind::Array {
            let message = format!("expected an array of 16 texts, found {}", raw.kind());
            self.findings.add(Code::ExtinfoInvalid, path(), message);
            return false;
        }
        if raw.kind() == Kind::Object {
            let message = "an object with numbered keys; made an array";
            self.findings.add(Code::ExtinfoPadded, path(), message);
        }
        let text = |at: usize| {
            let slot: Option<&Raw<'_>> = slots.get(at);
            slot.and_then(|slot| slot.as_text().or(slot.as_number().map(Into::into)))
                .unwrap_or_default()
        };
        let platform = text(0).trim().to_ascii_lowercase();
        if !matches!(&*platform, "a2" | "i2") {
            let message = "the first slot is neither a2 (Android) nor i2 (iOS)";
            self.findings.add(Code::ExtinfoInvalid, path(), message);
            return false;
        }
        if text(4).trim().is_empty() {
            let message = "the fifth slot, the OS version, is blank";
            self.findings.add(Code::ExtinfoInvalid, path(), message);
            return false;
        }
        let count = match raw.kind() {
            Kind::Array => raw.items().count(),
            _ => slots.len(),
        };
        if count != EXTINFO_SLOTS {
            let message = format!("{count} slots; made 16");
            self.findings.add(Code::ExtinfoPadded, path(), message);
        }
        for at in 0..EXTINFO_SLOTS {
            out.push(if at == 0 { '[' } else { ',' });
            match slots.get(at) {
                _ if at == 0 => json::write_text(out, &platform),
                Some(slot) if slot.kind() == Kind::Text => json::write_clean(out, *slot),
                Some(slot) if slot.kind() == Kind::Number && !has_infinite(*slot) => {
                    let digits = slot.as_digits().unwrap_or_default();
                    if EXTINFO_NUMBERS.contains(&at) && is_integer(&digits) {
                        out.push_str(&digits);
                    } else {
                        json::write_text(out, &digits);
                    }
                }
                _ => out.push_str("\"\""),
            }
        }
        out.push(']');
        true
    }
}

/// The slots of `{"0": "a2", "1": "", …}`, as Meta's Node SDK writes the list; none if that is not what it is.
fn numbered_slots(raw: Raw<'_>) -> Vec<Raw<'_>> {
    let mut slots = Vec::new();
    for (key, slot) in raw.members() {
        match key.parse::<usize>() {
            Ok(at) if at < EXTINFO_SLOTS => {
                let blanks = (at + 1).max(slots.len());
                slots.resize(blanks, Raw::trusted("\"\""));
                slots[at] = slot;
            }
            _ => return Vec::new(),
        }
    }
    slots
}

/// Whether an object holds the entries of a list: as values of numbered keys, or of the keys of a cart.
fn is_map_of_entries(raw: Raw<'_>) -> bool {
    raw.is_numbered()
        || raw.members().next().is_some()
            && raw.members().all(|(_, entry)| entry.kind() == Kind::Object)
}

/// Names that shops and other analytics have for Meta's keys of an entry, those that come first in use first.
const OTHER_NAMES: [(&str, &[&str]); 6] = [
    (
        "id",
        &[
            "item_id",
            "itemId",
            "product_id",
            "productId",
            "content_id",
            "contentId",
            "variant_id",
            "variantId",
            "sku",
            "SKU",
            "item_sku",
            "product_sku",
            "productSku",
            "retailer_id",
            "offer_id",
            "article_id",
            "ID",
        ],
    ),
    (
        "quantity",
        &[
            "qty",
            "Qty",
            "Quantity",
            "item_quantity",
            "product_quantity",
            "count",
        ],
    ),
    (
        "item_price",
        &[
            "itemPrice",
            "unit_price",
            "unitPrice",
            "product_price",
            "price",
        ],
    ),
    (
        "title",
        &[
            "item_name",
            "itemName",
            "product_name",
            "productName",
            "name",
        ],
    ),
    ("brand", &["item_brand", "itemBrand", "product_brand"]),
    (
        "category",
        &[
            "item_category",
            "itemCategory",
            "product_category",
            "productCategory",
        ],
    ),
];

/// Which keys of an entry are read as which of Meta's.
struct Names<'a> {
    /// For each of Meta's keys the one that stands for it.
    used: [Option<Cow<'a, str>>; OTHER_NAMES.len()],
}

impl<'a> Names<'a> {
    fn of(entry: Raw<'a>) -> Self {
        let mut used = [const { None }; OTHER_NAMES.len()];
        let find = |name: &str| {
            let mut members = entry.members();
            members.find(|(key, value)| key == name && value.kind() != Kind::Null)
        };
        let has_own_id = find("id").is_some();
        for (slot, (own, others)) in used.iter_mut().zip(OTHER_NAMES) {
            // Meta knows a `price` as well, and a `name` may be a property of one's own: beside an `id` of Meta's they
            // stay what they are.
            let is_asked = !has_own_id || matches!(own, "quantity" | "item_price");
            if is_asked && find(own).is_none() {
                let mut others = others
                    .iter()
                    .filter(|other| !(has_own_id && **other == "price"));
                *slot = others.find_map(|other| find(other)).map(|(key, _)| key);
            }
        }
        Self { used }
    }

    /// Meta's name for a key of the entry.
    fn meta_name<'k>(&self, key: &'k str) -> &'k str {
        let place = self
            .used
            .iter()
            .position(|used| used.as_deref() == Some(key));
        place.map_or(key, |place| OTHER_NAMES[place].0)
    }
}

fn is_positive(raw: Raw<'_>) -> bool {
    let text = raw.as_text().or(raw.as_digits()).unwrap_or_default();
    amount::whole_number(&text).is_some_and(|number| !number.starts_with(['-', '0']))
}
