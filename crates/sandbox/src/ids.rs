//! Which events came, how often, and which of them Meta would count once.
//!
//! One entry an event id, 150 to 200 bytes; the oldest are forgotten above a limit. An entry is found
//! by a 128-bit hash of dataset, name and id, so that a batch looks up without copying texts.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::value::Value;

/// How long Meta remembers an event id, from the first event with it.
const WINDOW_MS: i64 = 48 * 3_600_000;
/// The same for events of `physical_store`.
const WINDOW_STORE_MS: i64 = 7 * 86_400_000;
/// How many pairs of dataset and event name are counted apart.
const GROUPS_MAX: usize = 10_000;

/// How often one event came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdCount {
    /// The dataset.
    pub dataset: String,
    /// `event_name`
    pub event_name: String,
    /// `event_id`
    pub event_id: String,
    /// How often it was received.
    pub received: u32,
    /// How often Meta would count it: once, unless the window for duplicates passed in between.
    pub distinct: u32,
}

/// The counts of one event name of one dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Events received.
    pub received: u64,
    /// Events that Meta would count.
    pub distinct: u64,
    /// Events that Meta would take for copies.
    pub deduplicated: u64,
}

/// The event that another one is a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Original {
    /// Its number in the list of what arrived.
    pub number: u64,
    /// When it came, in milliseconds since 1970.
    pub received_ms: i64,
    /// What the two have in common.
    pub by: Sameness,
}

/// By what Meta takes an event for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sameness {
    /// The same dataset, `event_name` and `event_id`.
    EventId,
    /// The rule of stores: the same time, name and item, and the same order or else person.
    Sale,
}

/// When something came first, and as which event.
#[derive(Debug, Clone, Copy)]
struct First {
    number: u64,
    ms: i64,
}

impl First {
    fn is_within(self, window_ms: i64, now_ms: i64) -> bool {
        now_ms < self.ms.saturating_add(window_ms)
    }

    fn original(self, by: Sameness) -> Original {
        Original {
            number: self.number,
            received_ms: self.ms,
            by,
        }
    }
}

#[derive(Debug)]
struct KnownId {
    group: u32,
    received: u32,
    distinct: u32,
    first: First,
    event_id: Box<str>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) dataset: String,
    pub(crate) event_name: String,
    pub(crate) tally: Tally,
}

#[derive(Debug)]
pub(crate) struct Ids {
    keep_max: usize,
    entries: HashMap<u128, KnownId>,
    order: VecDeque<u128>,
    /// Sales of stores by what makes them equal, with the first.
    sales: HashMap<u128, First>,
    sales_order: VecDeque<u128>,
    by_name: HashMap<String, HashMap<String, u32>>,
    groups: Vec<Group>,
    /// How many ids were forgotten to stay within the limit.
    pub(crate) forgotten: u64,
    pub(crate) without_event_id: u64,
}

impl Ids {
    /// Keeps this many ids; 0 for no limit.
    pub(crate) fn new(keep_max: usize) -> Self {
        Self {
            keep_max,
            entries: HashMap::new(),
            order: VecDeque::new(),
            sales: HashMap::new(),
            sales_order: VecDeque::new(),
            by_name: HashMap::new(),
            groups: Vec::new(),
            forgotten: 0,
            without_event_id: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn keep_max(&self) -> usize {
        self.keep_max
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Counts the event with this number; says of which one Meta would take it for a copy.
    pub(crate) fn count(
        &mut self,
        dataset: &str,
        event: &Value<'_>,
        number: u64,
        now_ms: i64,
    ) -> Option<Original> {
        let name = event.given("event_name").and_then(Value::text_or_number);
        let name = name.as_deref().unwrap_or_default();
        let group = self.group(dataset, name);
        let id = event.given("event_id").and_then(Value::text_or_number);
        let id = id.as_deref().filter(|id| !id.is_empty());
        let source = event.given("action_source").and_then(Value::text);
        let now = First { number, ms: now_ms };
        let sale = match source {
            Some("physical_store") => self.copied_sale(dataset, name, event, now),
            _ => None,
        };
        let original = match id {
            None => {
                self.without_event_id += 1;
                sale
            }
            Some(id) => {
                // Meta never deduplicates messages; stores have a window of their own.
                let window_ms = match source {
                    Some("business_messaging") => 0,
                    Some("physical_store") => WINDOW_STORE_MS,
                    _ => WINDOW_MS,
                };
                self.entry(hash(&[dataset, name, id]), group, id, window_ms, now, sale)
            }
        };
        let tally = &mut self.groups[group as usize].tally;
        tally.received += 1;
        if original.is_some() {
            tally.deduplicated += 1;
        } else {
            tally.distinct += 1;
        }
        original
    }

    fn entry(
        &mut self,
        key: u128,
        group: u32,
        id: &str,
        window_ms: i64,
        now: First,
        sale: Option<Original>,
    ) -> Option<Original> {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.received += 1;
            let is_copy = entry.first.is_within(window_ms, now.ms);
            let original = is_copy.then(|| entry.first.original(Sameness::EventId));
            let original = original.or(sale);
            if original.is_none() {
                entry.distinct += 1;
                entry.first = now;
            }
            return original;
        }
        let entry = KnownId {
            group,
            received: 1,
            distinct: u32::from(sale.is_none()),
            first: now,
            event_id: id.into(),
        };
        self.entries.insert(key, entry);
        self.order.push_back(key);
        if self.keep_max > 0 && self.entries.len() > self.keep_max {
            let oldest = self.order.pop_front();
            if oldest
                .and_then(|oldest| self.entries.remove(&oldest))
                .is_some()
            {
                self.forgotten += 1;
            }
        }
        sale
    }

    /// Meta's rule for stores: the same time, name and item, and the same order or else person.
    fn copied_sale(
        &mut self,
        dataset: &str,
        name: &str,
        event: &Value<'_>,
        now: First,
    ) -> Option<Original> {
        let text = |value: Option<&Value<'_>>| {
            let text = value.and_then(Value::text_or_number);
            text.map(std::borrow::Cow::into_owned).unwrap_or_default()
        };
        let custom = event.given("custom_data").unwrap_or(&Value::Null);
        let order = text(custom.given("order_id"));
        let whose = if order.is_empty() {
            format!("{:?}", event.get("user_data"))
        } else {
            order
        };
        let time = text(event.given("event_time"));
        let item = text(custom.given("item_number"));
        let key = hash(&[dataset, name, &time, &item, &whose]);
        match self.sales.get(&key) {
            Some(first) if first.is_within(WINDOW_STORE_MS, now.ms) => {
                return Some(first.original(Sameness::Sale));
            }
            Some(_) => {}
            None => self.sales_order.push_back(key),
        }
        self.sales.insert(key, now);
        if self.keep_max > 0 && self.sales.len() > self.keep_max {
            let oldest = self.sales_order.pop_front();
            oldest.and_then(|oldest| self.sales.remove(&oldest));
        }
        None
    }

    fn group(&mut self, dataset: &str, name: &str) -> u32 {
        let known = self.by_name.get(dataset).and_then(|names| names.get(name));
        if let Some(group) = known {
            return *group;
        }
        let is_full = self.groups.len() >= GROUPS_MAX;
        if is_full && (dataset, name) != ("(other)", "(other)") {
            return self.group("(other)", "(other)");
        }
        let group = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.groups.push(Group {
            dataset: dataset.to_owned(),
            event_name: name.to_owned(),
            tally: Tally::default(),
        });
        let names = self.by_name.entry(dataset.to_owned()).or_default();
        names.insert(name.to_owned(), group);
        group
    }

    /// Up to `max` counts in the order of arrival, beginning with the given number, and the number to
    /// go on with. Numbers count from the first id ever, so forgetting in between skips, but never
    /// repeats.
    pub(crate) fn page(&self, from: u64, max: usize) -> (Vec<IdCount>, u64) {
        let begins = self.forgotten;
        let skip = usize::try_from(from.saturating_sub(begins)).unwrap_or(usize::MAX);
        let keys = self.order.iter().skip(skip).take(max);
        let page: Vec<_> = keys.filter_map(|key| self.entries.get(key)).collect();
        let next = from.max(begins) + page.len() as u64;
        (
            page.into_iter().map(|entry| self.counted(entry)).collect(),
            next,
        )
    }

    fn counted(&self, entry: &KnownId) -> IdCount {
        let group = &self.groups[entry.group as usize];
        IdCount {
            dataset: group.dataset.clone(),
            event_name: group.event_name.clone(),
            event_id: entry.event_id.to_string(),
            received: entry.received,
            distinct: entry.distinct,
        }
    }
}

/// Two rounds of the standard library's keyed hash, one with a prefix: 128 bits.
fn hash(parts: &[&str]) -> u128 {
    let round = |prefix: u8| {
        let mut hasher = DefaultHasher::new();
        prefix.hash(&mut hasher);
        parts.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (round(0) << 64) | round(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_435_200_000;

    fn count(ids: &mut Ids, event: &str, now_ms: i64) -> bool {
        let event = Value::parse(event.as_bytes()).unwrap();
        ids.count("1", &event, 1, now_ms).is_some()
    }

    #[test]
    fn the_second_of_two_equal_ids_is_a_copy_for_48_hours() {
        let mut ids = Ids::new(0);
        let event = r#"{"event_name":"Lead","event_id":"a"}"#;
        for (after_ms, is_copy) in [
            (0, false),
            (1, true),
            (WINDOW_MS - 1, true),
            (WINDOW_MS, false),
        ] {
            assert_eq!(
                count(&mut ids, event, NOW_MS + after_ms),
                is_copy,
                "{after_ms}"
            );
        }
        assert!(!count(
            &mut ids,
            r#"{"event_name":"lead","event_id":"a"}"#,
            NOW_MS
        ));
        let other = Value::parse(event.as_bytes()).unwrap();
        assert_eq!(ids.count("2", &other, 1, NOW_MS), None);
        let (page, next) = ids.page(0, 10);
        assert_eq!((page.len(), next), (3, 3));
        assert_eq!((page[0].received, page[0].distinct), (4, 2));
        assert_eq!(ids.groups()[0].tally.deduplicated, 2);
    }

    #[test]
    fn messages_are_never_copies_and_events_without_an_id_neither() {
        let mut ids = Ids::new(0);
        let message = r#"{"event_name":"P","event_id":"a","action_source":"business_messaging"}"#;
        let nameless = r#"{"event_name":"P","event_id":null}"#;
        for event in [message, message, nameless, nameless] {
            assert!(!count(&mut ids, event, NOW_MS));
        }
        assert_eq!(ids.without_event_id, 2);
        assert_eq!(ids.groups()[0].tally.distinct, 4);
    }

    #[test]
    fn a_sale_in_a_store_is_known_by_its_order_for_7_days() {
        let mut ids = Ids::new(0);
        let sale = |id: &str, order: &str| {
            format!(
                r#"{{"event_name":"Purchase","event_time":1,"event_id":{id},
                    "action_source":"physical_store","custom_data":{{"order_id":"{order}"}},
                    "user_data":{{"em":"{id}"}}}}"#
            )
        };
        assert!(!count(&mut ids, &sale("1", "o1"), NOW_MS));
        assert!(count(
            &mut ids,
            &sale("2", "o1"),
            NOW_MS + WINDOW_STORE_MS - 1
        ));
        assert!(!count(&mut ids, &sale("3", "o2"), NOW_MS));
        assert!(!count(&mut ids, &sale("4", "o2"), NOW_MS + WINDOW_STORE_MS));
    }

    #[test]
    fn a_copy_says_of_which_event_it_is_one() {
        let mut ids = Ids::new(0);
        let sale = |id: &str| {
            format!(
                r#"{{"event_name":"Purchase","event_time":1,"event_id":"{id}","action_source":
                    "physical_store","custom_data":{{"order_id":"o1"}},"user_data":{{}}}}"#
            )
        };
        let mut seen = Vec::new();
        for (place, (id, after_ms)) in [("a", 0), ("b", 1), ("b", 2), ("a", 3)].iter().enumerate() {
            let event = sale(id);
            let event = Value::parse(event.as_bytes()).unwrap();
            let original = ids.count("1", &event, place as u64 + 1, NOW_MS + after_ms);
            seen.push(original.map(|it| (it.number, it.received_ms - NOW_MS, it.by)));
        }
        // The id says more than the sale: where both fit, it is named.
        let expected = [
            None,
            Some((1, 0, Sameness::Sale)),
            Some((2, 1, Sameness::EventId)),
            Some((1, 0, Sameness::EventId)),
        ];
        assert_eq!(seen, expected);
        let (later, event) = (NOW_MS + WINDOW_MS, r#"{"event_name":"A","event_id":"a"}"#);
        let event = Value::parse(event.as_bytes()).unwrap();
        ids.count("1", &event, 5, NOW_MS);
        assert_eq!(ids.count("1", &event, 6, later), None);
        let original = ids.count("1", &event, 7, later + 1).unwrap();
        assert_eq!((original.number, original.received_ms), (6, later));
    }

    #[test]
    fn the_oldest_ids_are_forgotten_above_the_limit() {
        let mut ids = Ids::new(3);
        for id in 0..5 {
            count(
                &mut ids,
                &format!(r#"{{"event_name":"A","event_id":"{id}"}}"#),
                NOW_MS,
            );
        }
        assert_eq!((ids.len(), ids.forgotten), (3, 2));
        let (page, next) = ids.page(0, 2);
        assert_eq!((page[0].event_id.as_str(), next), ("2", 4));
        let (page, next) = ids.page(next, 2);
        assert_eq!((page[0].event_id.as_str(), page.len(), next), ("4", 1, 5));
        assert_eq!(ids.page(next, 2), (Vec::new(), 5));
    }
}
