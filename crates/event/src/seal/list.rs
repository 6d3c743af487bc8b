//! Writing lists of ids, in whatever form they came.

use super::object::{PathOf, Writer, close, inner_list, is_integer};
use super::scan::has_infinite;
use crate::code::Code;
use crate::json::{self, Kind, Raw};
use crate::nothing;

impl Writer<'_> {
    /// Strings and numbers; a single one is a list of one, and so are the values of a map with numbered keys.
    pub(super) fn list(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        if let Some(text) = inner_list(raw) {
            return self.list(Raw::trusted(&text), path, out);
        }
        let start = out.len();
        out.push('[');
        match raw.kind() {
            Kind::Array => {
                for (index, item) in raw.items().enumerate() {
                    self.item(item, &|| path().index(index), out);
                }
            }
            Kind::Object if raw.is_numbered() => {
                for (key, item) in raw.members() {
                    self.item(item, &|| path().key(&key), out);
                }
            }
            Kind::Text | Kind::Number => {
                if raw.as_text().is_some_and(|text| text.contains(", ")) {
                    let message = "one text with commas where a list belongs; sent as one entry";
                    self.findings.add(Code::ListInText, path(), message);
                }
                self.item(raw, path, out);
            }
            _ => {
                out.truncate(start);
                return self.wrong_type("a list of strings", raw, path);
            }
        }
        close(out, start, ']')
    }

    /// An entry of a list of ids.
    fn item(&mut self, item: Raw<'_>, path: PathOf<'_>, out: &mut String) {
        match item.kind() {
            Kind::Null => return,
            Kind::Text if !self.says(item, nothing::is_missing, path) => return,
            Kind::Number if has_infinite(item) => {
                self.wrong_type("numbers that a computer can hold", item, path);
                return;
            }
            Kind::Text | Kind::Number => {}
            _ => {
                self.wrong_type("a string or a number", item, path);
                return;
            }
        }
        if !out.ends_with('[') {
            out.push(',');
        }
        write_id(item, out);
    }
}

/// Writes an id of a list: a text, or a whole number that every reader holds. Another number is written as
/// text, because Meta takes strings and integers only.
fn write_id(raw: Raw<'_>, out: &mut String) {
    if raw.kind() == Kind::Number && !is_integer(raw.text()) {
        json::write_text(out, &raw.as_digits().unwrap_or_default());
    } else {
        json::write_clean(out, raw);
    }
}
