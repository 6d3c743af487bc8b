//! Lenient reading of one event: JSON → [`Event`], with findings on the way.
//!
//! Lenient in form: scalars or lists, other names, flat events, times in several shapes. Strict in
//! meaning: what is not understood is left out and said, never guessed. Nothing here stops an event;
//! whether it can be sent is decided when it is sealed.

mod misplaced;
mod nested;
mod other_names;
mod scalar;
mod section;

use std::borrow::Cow;

use crate::alias::Target;
use crate::beside;
use crate::browser::{self, ClickId};
use crate::code::Code;
use crate::finding::{Findings, Path};
use crate::json::{Kind, Raw, Reader, SyntaxError};
use crate::limits::EVENT_BYTES_MAX;
use crate::model::{Event, Origin, UserValue};
use crate::nothing;
use crate::plain::Plain;
use crate::shape;
use crate::user_field::{FieldSet, UserField};
use scalar::Scalar;
use section::Section;

impl<'a> Event<'a> {
    /// Reads one event from JSON: an object, or a string that holds one.
    ///
    /// `None` when the text is not JSON or no object; `findings` says why, and everything else that
    /// is worth saying about how the event was written.
    pub fn parse(text: &'a str, findings: &mut Findings) -> Option<Self> {
        Self::parse_at(1, text, findings)
    }

    /// The same of a text that begins in this line of a larger one.
    pub(crate) fn parse_at(
        first_line: usize,
        text: &'a str,
        findings: &mut Findings,
    ) -> Option<Self> {
        let mut reader = Reader::new(text);
        let mut slot = None;
        let parsed = event(&mut reader, findings, &mut slot).and_then(|()| reader.end());
        match parsed {
            Ok(()) => slot,
            Err(error) => {
                let (line, column) = error.line_column(text);
                let line = first_line - 1 + line;
                findings.add(
                    Code::JsonInvalid,
                    Path::root(),
                    format!(
                        "line {line}, column {column}: expected {}",
                        error.expected()
                    ),
                );
                None
            }
        }
    }
}

/// Reads the event that comes next into `slot`, which stays empty, with a finding, when it is
/// something else. It is filled where it will be used: an event is too large to be handed on and on.
pub(crate) fn event<'a>(
    reader: &mut Reader<'a>,
    findings: &mut Findings,
    slot: &mut Option<Event<'a>>,
) -> Result<(), SyntaxError> {
    match reader.kind()? {
        Kind::Object => object(reader, findings, slot)?,
        Kind::Text => {
            let raw = reader.value()?;
            if raw.text().len() > EVENT_BYTES_MAX {
                too_large(raw.text().len(), findings);
                return Ok(());
            }
            *slot = match raw.as_text().unwrap_or_default() {
                Cow::Borrowed(text) => Event::parse(text, findings),
                Cow::Owned(text) => Event::parse(&text, findings).map(Event::into_owned),
            };
        }
        kind => {
            reader.value()?;
            findings.add(Code::EventNotObject, Path::root(), format!("found {kind}"));
        }
    }
    Ok(())
}

fn object<'a>(
    reader: &mut Reader<'a>,
    findings: &mut Findings,
    slot: &mut Option<Event<'a>>,
) -> Result<(), SyntaxError> {
    reader.kind()?;
    let start = reader.offset();
    let unread = *reader;
    let mut parser = Parser {
        event: slot.insert(Event::default()),
        findings,
        end_max: start + EVENT_BYTES_MAX,
        met: [false; Section::COUNT],
        later: Vec::new(),
        seen: FieldSet::default(),
        misplaced: Vec::new(),
        fbclid: None,
    };
    reader.members(|reader, key| parser.member(reader, key))?;
    if reader.offset() > parser.end_max {
        too_large(reader.offset() - start, findings);
        *slot = None;
        return Ok(());
    }
    parser.finish();
    let event = parser.event;
    event.is_for_all =
        event.event_name.is_none() && event.has_switches() && beside::has_only_switches(unread);
    Ok(())
}

fn too_large(size: usize, findings: &mut Findings) {
    let message = format!("the event has {size} bytes");
    findings.add(Code::EventTooLarge, Path::root(), message);
}

struct Parser<'a, 'f> {
    event: &'f mut Event<'a>,
    findings: &'f mut Findings,
    /// The last offset in the text at which the event may end.
    end_max: usize,
    /// The objects that were met, by [`Section`].
    met: [bool; Section::COUNT],
    /// The fields that have a value already.
    seen: FieldSet,
    /// Other names for scalars and properties, which wait for Meta's own.
    later: Vec<(Target, Cow<'a, str>, Raw<'a>)>,
    /// Switches of the event that were met in one of its objects, and where.
    misplaced: Vec<(Scalar, Path, Raw<'a>)>,
    /// A bare `fbclid`, which becomes an `fbc` when the event has none.
    fbclid: Option<UserValue<'a>>,
}

impl<'a> Parser<'a, '_> {
    fn member(&mut self, reader: &mut Reader<'a>, key: Cow<'a, str>) -> Result<(), SyntaxError> {
        if let Some(scalar) = Scalar::from_name(&key).filter(|it| *it != Scalar::LimitedDataUse) {
            if let Some(raw) = self.value(reader)? {
                self.scalar(scalar, raw, || Path::root().key(&key));
            }
            return Ok(());
        }
        if let Some(section) = Section::from_name(&key) {
            return self.section(reader, section, key);
        }
        if matches!(&*key, "advertiser_tracking_enabled" | "extinfo") {
            if let Some(raw) = self.value(reader)? {
                self.app_property(key.clone(), key, raw);
            }
            return Ok(());
        }
        self.alias(reader, key)
    }

    /// The next value, if the event is not too large with it. Then nothing more of the event is kept: a value
    /// of two bytes may take a hundred times as many in a list of values.
    #[inline]
    fn value(&self, reader: &mut Reader<'a>) -> Result<Option<Raw<'a>>, SyntaxError> {
        let raw = reader.value()?;
        Ok((reader.offset() <= self.end_max).then_some(raw))
    }

    #[inline]
    fn set<T>(
        &mut self,
        value: Option<T>,
        path: impl Fn() -> Path,
        slot: impl for<'e> Fn(&'e mut Event<'a>) -> &'e mut Option<T>,
    ) {
        if value.is_none() {
            return;
        }
        if slot(self.event).is_some() {
            let message = "the field stands here twice; the last value is used";
            self.findings.add(Code::KeyDuplicate, path(), message);
        }
        *slot(self.event) = value;
    }

    fn text(&mut self, raw: Raw<'a>, path: impl Fn() -> Path) -> Option<Cow<'a, str>> {
        if let Some(text) = raw.plain_text().filter(|text| text.is_ascii()) {
            return Some(Cow::Borrowed(text));
        }
        match raw.kind() {
            Kind::Text => {
                let text = raw.as_text();
                if text.as_deref().is_some_and(is_damaged) {
                    let message = "the text is damaged; what was lost stands as U+FFFD";
                    self.findings.add(Code::TextDamaged, path(), message);
                }
                text
            }
            Kind::Number => raw.as_digits(),
            kind => {
                self.wrong_type(path(), "a string", kind);
                None
            }
        }
    }

    fn wrong_type(&mut self, path: Path, expected: &str, found: Kind) {
        let message = format!("expected {expected}, found {found}; left out");
        self.findings.add(Code::ValueType, path, message);
    }

    fn note_alias(&mut self, path: Path, name: &str) {
        let message = format!("read as {name}");
        self.findings.add(Code::KeyAlias, path, message);
    }

    /// The key that is probably meant, as long as anybody will read it.
    fn meant(
        &self,
        known: impl IntoIterator<Item = &'static str>,
        key: &str,
    ) -> Option<&'static str> {
        if self.findings.is_full() {
            return None;
        }
        shape::did_you_mean(known, key)
    }

    fn unknown_key(&mut self, parent: Path, key: &str, meant: Option<&str>) {
        let message = match meant {
            Some(meant) => format!("unknown key, not sent; did you mean {meant}?"),
            None => "unknown key, not sent".to_owned(),
        };
        self.findings
            .add(Code::KeyUnknown, parent.key(key), message);
    }

    fn finish(&mut self) {
        for (target, key, raw) in std::mem::take(&mut self.later) {
            self.use_alias(target, key, raw);
        }
        self.read_usual_names();
        self.take_misplaced_in_contents();
        for (scalar, path, raw) in std::mem::take(&mut self.misplaced) {
            self.use_misplaced(scalar, path, raw);
        }
        if let Some(event_time) = self.event.event_time {
            self.click_id(event_time);
        }
    }

    /// Makes an `fbc` of a bare `fbclid`, which stood in its place, under its own name, or in the page's
    /// address, where Meta's parameter builder looks for it, too.
    fn click_id(&mut self, event_time: i64) {
        let created_ms = event_time.unsigned_abs() * 1_000;
        let build = |fbclid: &str| Some(ClickId::build(fbclid, 1, created_ms)?.to_string());
        if self.seen.contains(UserField::Fbc) {
            self.bare_fbc(build);
            return;
        }
        if let Some(fbclid) = self.fbclid.take() {
            let path = fbclid.path(self.event.written("user_data"));
            if nothing::is_no_id(fbclid.value.expose()) {
                let message = "the fbclid is a word for nothing; left out";
                self.findings.add(Code::ValuePlaceholder, path, message);
            } else if let Some(click) = build(fbclid.value.expose()) {
                self.findings.add(Code::KeyAlias, path, BARE_FBCLID);
                let value = Plain::from(click);
                self.event.user_data.0.push(UserValue { value, ..fbclid });
            } else {
                let message = "the fbclid cannot be one; left out";
                self.findings.add(Code::FbcInvalid, path, message);
            }
            return;
        }
        let event = &*self.event;
        let in_address = [
            ("event_source_url", event.event_source_url.as_deref()),
            ("referrer_url", event.referrer_url.as_deref()),
        ]
        .into_iter()
        .find_map(|(key, url)| {
            let fbclid = browser::fbclid_of(url, None).filter(|id| !nothing::is_no_id(id))?;
            Some((key, build(&fbclid)?))
        });
        if let Some((key, click)) = in_address {
            let message = "an fbc was built from the fbclid in the address";
            self.findings
                .add(Code::KeyAlias, self.event.path(key), message);
            let origin = Origin {
                key: Some(Cow::Owned(self.event.written(key).to_owned())),
                is_flat: true,
                ..Origin::default()
            };
            self.event.user_data.0.push(UserValue {
                field: UserField::Fbc,
                value: Plain::from(click),
                origin: Some(Box::new(origin)),
            });
        }
    }

    /// Makes an `fbc` of each bare `fbclid` that stands in its place.
    fn bare_fbc(&mut self, build: impl Fn(&str) -> Option<String>) {
        let is_bare = |value: &UserValue<'_>| {
            value.field == UserField::Fbc && is_bare_fbclid(value.value.expose().trim())
        };
        let values = self.event.user_data.0.iter().enumerate();
        let places: Vec<usize> = (values.filter(|(_, value)| is_bare(value)))
            .map(|(place, _)| place)
            .collect();
        for place in places {
            let value = &self.event.user_data.0[place];
            if let Some(click) = build(value.value.expose().trim()) {
                let path = value.path(self.event.written("user_data"));
                self.findings.add(Code::KeyAlias, path, BARE_FBCLID);
                self.event.user_data.0[place].value = Plain::from(click);
            }
        }
    }
}

const BARE_FBCLID: &str = "a bare fbclid is no fbc; one was built from it";

/// Whether a text in the place of `fbc` is the `fbclid` alone, which Meta begins with these letters.
fn is_bare_fbclid(text: &str) -> bool {
    ["IwAR", "IwY2", "IwZX", "PAAR", "PAZX", "PAY2"]
        .iter()
        .any(|start| text.starts_with(start))
}

fn is_damaged(text: &str) -> bool {
    !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER)
}
