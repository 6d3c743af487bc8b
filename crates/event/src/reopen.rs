//! Reading a sealed event again from its bytes, as they lie in a journal.
//!
//! What sealing wrote, sealing again changes by no byte; the laws of the crate hold it to that. So the bytes are sealed
//! once more, and are taken if they are the same. Clear text in a field that is hashed comes out as its hash, contact
//! data in a property is left out, an unknown key is not written: whatever sealing would not have written is refused,
//! and the way from clear text to a [`SealedEvent`] stays the one through the hash.

use std::fmt;

use crate::code::Code;
use crate::finding::Findings;
use crate::model::Event;
use crate::normalize::ExternalId;
use crate::seal::{Moment, Rules, SealedEvent};
use crate::severity::Severity;

/// Why bytes are no sealed event. It names no value of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSealed {
    /// They are no event in JSON.
    Unreadable,
    /// Sealing refuses such an event, by this rule.
    Refused(Code),
    /// Sealing would have written something else from this byte on, counted from 0.
    Different {
        /// The first byte that differs.
        at: usize,
    },
}

impl fmt::Display for NotSealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotSealed::Unreadable => f.write_str("no event in JSON"),
            NotSealed::Refused(code) => write!(f, "sealing refuses such an event: {code}"),
            NotSealed::Different { at } => {
                write!(f, "sealing would have written something else at byte {at}")
            }
        }
    }
}

impl std::error::Error for NotSealed {}

/// An external id is taken as it is: the source that sealed the event may have wanted it so. No time is mended.
const RULES: Rules = Rules {
    default_country: None,
    default_action_source: crate::ActionSource::Other,
    external_id: ExternalId::AsIs,
    variants: false,
    future_skew_s: -1,
};

impl SealedEvent {
    /// The sealed event whose [`json`](SealedEvent::json) this is.
    ///
    /// Its facts are those of the first sealing, but for [`worst`](crate::Facts::worst): what was repaired then cannot
    /// be seen any more. It has no [`test_event_code`](SealedEvent::test_event_code), which is not in the bytes.
    ///
    /// # Errors
    ///
    /// [`NotSealed`] if sealing would not have written these bytes.
    pub fn reopen(json: &str) -> Result<Self, NotSealed> {
        let event = read(json).ok_or(NotSealed::Unreadable)?;
        let sealed = seal(event).map_err(NotSealed::Refused)?;
        match difference(sealed.json(), json) {
            None => Ok(sealed),
            Some(at) => Err(NotSealed::Different { at }),
        }
    }
}

/// The event that these bytes of a sealed one say.
pub(crate) fn read(json: &str) -> Option<Event<'_>> {
    let mut event = Event::parse(json, &mut Findings::new())?;
    // A click id is made of an address that holds an `fbclid`, if the event had none. Sealing left that one out.
    let is_written =
        |origin: Option<&crate::model::Origin<'_>>| origin.is_none_or(|origin| !origin.is_flat);
    (event.user_data.0).retain(|value| is_written(value.origin.as_deref()));
    Some(event)
}

/// Seals an event of hashes at the moment at which it happened.
///
/// # Errors
///
/// The rule by which it cannot be sent.
pub(crate) fn seal(event: Event<'_>) -> Result<SealedEvent, Code> {
    let unix_s = event.event_time.and_then(|time| u64::try_from(time).ok());
    let moment = Moment {
        unix_ms: unix_s.unwrap_or_default().saturating_mul(1_000),
        in_doubt: true,
        entropy: [0; 10],
    };
    let mut findings = Findings::new();
    event.seal(&RULES, moment, &mut findings).ok_or_else(|| {
        let mut errors = findings
            .iter()
            .filter(|it| it.severity() == Severity::Error);
        // An event that is refused has an error.
        errors.next().map_or(Code::EventNotObject, |it| it.code)
    })
}

fn difference(one: &str, other: &str) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let length = one.len().min(other.len());
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    differs.or((one.len() != other.len()).then_some(length))
}
