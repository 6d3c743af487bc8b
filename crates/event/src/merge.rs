//! Two sealed events that tell of one conversion, made one.
//!
//! A browser, a shop and a payment provider may all tell of one sale. Meta takes the first event of a name and id and
//! drops the second with all it knows, so what waits is completed before it goes.
//!
//! The time goes with the action source, because that says for how long Meta takes the event: an earlier time of a
//! store's sale, which is good for 62 days, would make a website's event too old at once.
//!
//! The result is sealed from the two, and reopened: there is no way in for what sealing would not write.

use std::fmt;

use crate::code::Code;
use crate::digest;
use crate::finding::{Findings, Path};
use crate::limits::{EVENT_BYTES_MAX, PROPERTIES_MAX, USER_VALUES_MAX};
use crate::model::{DataProcessing, Event, UserData, UserValue};
use crate::properties::Properties;
use crate::reopen::{self, NotSealed};
use crate::seal::SealedEvent;
use crate::user_field::{FieldSet, Form, UserField};

/// A sealed event, and how much its word counts beside another's.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<'e> {
    /// The event.
    pub event: &'e SealedEvent,
    /// Its rank: the higher one leads.
    pub rank: u8,
}

/// Why two events were not merged. Each of them is as good as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotMerged {
    /// They differ in `event_name` or `event_id`, so they are two conversions.
    OtherEvent,
    /// They do not fit into one event, even without the other one's properties.
    TooLarge {
        /// How many bytes the event would have.
        bytes: usize,
    },
    /// One of them, or what they make, is no sealed event.
    NotSealed(NotSealed),
}

impl fmt::Display for NotMerged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotMerged::OtherEvent => f.write_str("the events differ in event_name or event_id"),
            NotMerged::TooLarge { bytes } => write!(
                f,
                "the merged event would have {bytes} bytes, more than {EVENT_BYTES_MAX}"
            ),
            NotMerged::NotSealed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotMerged {}

impl From<NotSealed> for NotMerged {
    fn from(error: NotSealed) -> Self {
        NotMerged::NotSealed(error)
    }
}

/// Makes one event of two that have one name and id.
///
/// Each of the two has a rank. The higher one *leads*; of equal ones it is the first. What the two say differently is
/// taken from the leading event, and what it lacks is filled in from the other:
///
/// | what | from which |
/// |---|---|
/// | hashed lists (`em`, `ph`, …) | both: the leading event's values first, each value once |
/// | single values (`fbc`, `fbp`, ids) | the leading event, else the other. An `fbc` is taken whole, so a click keeps its time |
/// | address and user agent; ids of one messaging account; parts of a date of birth | all of them from one event: the leading one, unless it has none, or not all and the other has all |
/// | the sale: value, currency, contents, order … | all of it from one event: the leading one, unless it has none |
/// | other properties | the leading event, else the other |
/// | `event_time`, `action_source`, `messaging_channel` | the leading event |
/// | page: `event_source_url`, `referrer_url` | both from one event: the leading one, unless only the other has a page |
/// | `app_data`, `original_event_data`, `attribution_data` | each as a whole: the leading event, else the other |
/// | `opt_out`, `data_processing_options` | the stricter one |
///
/// Merging an event with itself changes nothing. Which one is given first matters between equal ranks only. Three and
/// more events may be merged in any grouping, if they are in the order of their ranks. Lists of hashes and properties
/// keep to the limits of this crate; `findings` says what is left out for it.
///
/// That both have the same test code, or both have none, is for the caller to see to: of what was kept, the bytes do not
/// tell it.
///
/// ```
/// use sluice_event::{Event, Findings, Moment, Ranked, Rules, SealedEvent, UserField, merge};
///
/// let seal = |event: Event<'_>| {
///     let moment = Moment { unix_ms: 1_790_000_000_000, in_doubt: false, entropy: [0; 10] };
///     event.seal(&Rules::default(), moment, &mut Findings::new()).unwrap()
/// };
/// let sale = || {
///     let mut event = Event::new("Purchase", 1_789_999_940).custom("value", 10).custom("currency", "EUR");
///     event.event_id = Some("A1".into());
///     event
/// };
/// let browser = seal(sale().user(UserField::Fbp, "fb.1.1789999900000.42"));
/// let shop = seal(sale().user(UserField::Em, "john@example.com"));
/// // The journal keeps the bytes of an event.
/// let waiting = SealedEvent::reopen(browser.json()).unwrap();
/// let waiting = Ranked { event: &waiting, rank: 1 };
/// let shop = Ranked { event: &shop, rank: 2 };
/// let merged = merge(waiting, shop, &mut Findings::new()).unwrap();
/// assert!(merged.facts().identifiers.contains(UserField::Em));
/// assert!(merged.facts().identifiers.contains(UserField::Fbp));
/// ```
///
/// # Errors
///
/// [`NotMerged`] if the two are no events of one conversion, or do not fit into one.
pub fn merge(
    one: Ranked<'_>,
    other: Ranked<'_>,
    findings: &mut Findings,
) -> Result<SealedEvent, NotMerged> {
    let (leading, filling) = if other.rank > one.rank {
        (other.event, one.event)
    } else {
        (one.event, other.event)
    };
    let is_one =
        leading.event_name() == filling.event_name() && leading.event_id() == filling.event_id();
    if !is_one {
        return Err(NotMerged::OtherEvent);
    }
    let code = leading.test_event_code().or(filling.test_event_code());
    let mut told = Findings::new();
    let mut merged = sealed(leading, filling, WithProperties(true), &mut told)?;
    if merged.json().len() > EVENT_BYTES_MAX {
        told = Findings::new();
        merged = sealed(leading, filling, WithProperties(false), &mut told)?;
        let message =
            "both events' properties do not fit; those that only the other has are left out";
        told.add(Code::TooMany, Path::root().key("custom_data"), message);
    }
    let bytes = merged.json().len();
    if bytes > EVENT_BYTES_MAX {
        return Err(NotMerged::TooLarge { bytes });
    }
    let reopened = SealedEvent::reopen(merged.json())?;
    for finding in &told {
        findings.add(finding.code, finding.path.clone(), finding.message.clone());
    }
    Ok(reopened.with_test_event_code(code))
}

/// Whether properties that only the other event has are filled in.
#[derive(Clone, Copy)]
struct WithProperties(bool);

/// Seals what two events say together.
fn sealed(
    leading: &SealedEvent,
    filling: &SealedEvent,
    with_properties: WithProperties,
    findings: &mut Findings,
) -> Result<SealedEvent, NotSealed> {
    let mut event = reopen::read(leading.json()).ok_or(NotSealed::Unreadable)?;
    let other = reopen::read(filling.json()).ok_or(NotSealed::Unreadable)?;
    fill(&mut event, other, with_properties, findings);
    reopen::seal(event).map_err(NotSealed::Refused)
}

/// Fills in what an event lacks and another has.
fn fill<'a>(
    event: &mut Event<'a>,
    other: Event<'a>,
    with_properties: WithProperties,
    findings: &mut Findings,
) {
    fill_user_data(&mut event.user_data, other.user_data, findings);
    fill_custom_data(
        &mut event.custom_data,
        other.custom_data,
        with_properties,
        findings,
    );
    for (mine, others) in [
        (&mut event.app_data, other.app_data),
        (&mut event.original_event_data, other.original_event_data),
        (&mut event.attribution_data, other.attribution_data),
    ] {
        if mine.is_empty() {
            *mine = others;
        }
    }
    let has_page = event.event_source_url.is_some();
    let is_page_of_other = other.event_source_url.is_some() || event.referrer_url.is_none();
    if !has_page && is_page_of_other {
        event.event_source_url = other.event_source_url;
        event.referrer_url = other.referrer_url;
    }
    event.opt_out = match (event.opt_out, other.opt_out) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (mine, others) => mine.or(others),
    };
    if strictness(other.data_processing.as_ref()) > strictness(event.data_processing.as_ref()) {
        event.data_processing = other.data_processing;
    }
    let segmentation = &mut event.customer_segmentation;
    *segmentation = segmentation.take().or(other.customer_segmentation);
    let table = &mut event.advanced_measurement_table;
    *table = table.take().or(other.advanced_measurement_table);
}

/// How much an event's options of data processing limit. A state that is named counts wherever Meta would locate the
/// person by the address.
fn strictness(options: Option<&DataProcessing<'_>>) -> u8 {
    let Some(options) = options else { return 0 };
    let names = |code: Option<i64>| code.is_some_and(|code| code != 0);
    match (
        options.limits(),
        names(options.country),
        names(options.state),
    ) {
        (false, ..) => 1,
        (true, false, false) => 2,
        (true, true, false) => 3,
        (true, _, true) => 4,
    }
}

/// Fields that are of one device, one account or one date, so that all of them come from one event.
const TOGETHER: [&[UserField]; 3] = [
    &[UserField::ClientIpAddress, UserField::ClientUserAgent],
    &[
        UserField::PageId,
        UserField::PageScopedUserId,
        UserField::CtwaClid,
        UserField::WhatsappBusinessAccountId,
        UserField::IgAccountId,
        UserField::InstagramBusinessAccountId,
        UserField::IgSid,
    ],
    &[UserField::Dobd, UserField::Dobm, UserField::Doby],
];

/// Adds the other's values to the lists, and takes of it the single values that are missing.
fn fill_user_data<'a>(mine: &mut UserData<'a>, others: UserData<'a>, findings: &mut Findings) {
    let (my_fields, other_fields) = (fields(mine), fields(&others));
    let is_of_other = |field| {
        let own = [field];
        let group = TOGETHER.into_iter().find(|group| group.contains(&field));
        let group = group.unwrap_or(&own);
        how_many(group, other_fields) > how_many(group, my_fields)
    };
    let is_list = |field: UserField| field.form() == Form::HashedList;
    (mine.0).retain(|value| is_list(value.field) || !is_of_other(value.field));
    let of_both = mine.0.len();
    for value in others.0 {
        let is_wanted = if is_list(value.field) {
            !mine.0[..of_both].iter().any(|known| covers(known, &value))
        } else {
            is_of_other(value.field)
        };
        if is_wanted {
            mine.0.push(value);
        }
    }
    for field in other_fields.iter().filter(|field| is_list(*field)) {
        keep_to_limit(mine, field, findings);
    }
}

fn fields(user_data: &UserData<'_>) -> FieldSet {
    let mut fields = FieldSet::default();
    for (field, _) in user_data.iter() {
        fields.insert(field);
    }
    fields
}

/// How much of a group is there.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    None,
    Some,
    All,
}

fn how_many(group: &[UserField], fields: FieldSet) -> Part {
    let mut there = group.iter().map(|field| fields.contains(*field));
    match (there.clone().all(|is| is), there.any(|is| is)) {
        (true, _) => Part::All,
        (_, true) => Part::Some,
        _ => Part::None,
    }
}

/// Whether one value says all that another one says: it is the same, or the same hash with Meta's appendix.
fn covers(known: &UserValue<'_>, value: &UserValue<'_>) -> bool {
    let (known_text, text) = (known.value.expose(), value.value.expose());
    known.field == value.field
        && (known_text == text
            || digest::recognize(text).is_some()
                && known_text
                    .strip_prefix(text)
                    .is_some_and(|rest| rest.starts_with('.')))
}

/// Keeps as many values of a list as an event may have.
fn keep_to_limit(user_data: &mut UserData<'_>, field: UserField, findings: &mut Findings) {
    let mut count = 0;
    user_data.0.retain(|value| {
        count += usize::from(value.field == field);
        value.field != field || count <= USER_VALUES_MAX
    });
    if count > USER_VALUES_MAX {
        let message =
            format!("both events have {count} values; the first {USER_VALUES_MAX} are sent");
        let path = Path::root().key("user_data").key(field.name());
        findings.add(Code::TooMany, path, message);
    }
}

/// The properties that say what was bought, for how much and by which order. Values of two sources do not add up: one
/// may hold the tax or the shipping that the other leaves out.
const SALE: [&str; 15] = [
    "_valueToSum",
    "content_ids",
    "content_type",
    "contents",
    "currency",
    "fb_content",
    "fb_content_id",
    "fb_content_ids",
    "fb_currency",
    "item_number",
    "net_revenue",
    "num_items",
    "order_id",
    "predicted_ltv",
    "value",
];

/// Takes of the other the sale, if there is none here, and the properties that are missing.
fn fill_custom_data<'a>(
    mine: &mut Properties<'a>,
    others: Properties<'a>,
    WithProperties(with_properties): WithProperties,
    findings: &mut Findings,
) {
    let is_of_sale = |key: &str| SALE.contains(&key);
    let has_sale = mine.iter().any(|(key, _)| is_of_sale(key));
    let mut left_out = 0;
    for property in others.0 {
        let is_wanted = if is_of_sale(&property.key) {
            !has_sale
        } else {
            with_properties && mine.find(&property.key).is_none()
        };
        if is_wanted && mine.0.len() < PROPERTIES_MAX {
            mine.0.push(property);
        } else if is_wanted {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let message =
            format!("both events have more than {PROPERTIES_MAX} properties; {left_out} left out");
        findings.add(Code::TooMany, Path::root().key("custom_data"), message);
    }
}
