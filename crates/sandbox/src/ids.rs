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

#[derive(Debug)]
struct Entry {
    group: u32,
    received: u32,
    distinct: u32,
    first_ms: i64,
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
    entries: HashMap<u128, Entry>,
    order: VecDeque<u128>,
    /// Sales of stores by what makes them equal, with the time of the first.
    sales: HashMap<u128, i64>,
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

    /// Counts an event; says whether Meta would take it for a copy.
    pub(crate) fn count(&mut self, dataset: &str, event: &Value<'_>, now_ms: i64) -> bool {
        let name = event.given("event_name").and_then(Value::text_or_number);
        let name = name.as_deref().unwrap_or_default();
        let group = self.group(dataset, name);
        let id = event.given("event_id").and_then(Value::text_or_number);
        let id = id.as_deref().filter(|id| !id.is_empty());
        let source = event.given("action_source").and_then(Value::text);
        let is_sale = source == Some("physical_store");
        let is_copied_sale = is_sale && self.is_copied_sale(dataset, name, event, now_ms);
        let is_copy = match id {
            None => {
                self.without_event_id += 1;
                is_copied_sale
            }
            Some(id) => {
                // Meta never deduplicates messages; stores have a window of their own.
                let window_ms = match source {
                    Some("business_messaging") => 0,
                    Some("physical_store") => WINDOW_STORE_MS,
                    _ => WINDOW_MS,
                };
                self.entry(
                    hash(&[dataset, name, id]),
                    group,
                    id,
                    window_ms,
                    now_ms,
                    is_copied_sale,
                )
            }
        };
        let tally = &mut self.groups[group as usize].tally;
        tally.received += 1;
        if is_copy {
            tally.deduplicated += 1;
        } else {
            tally.distinct += 1;
        }
        is_copy
    }

    fn entry(
        &mut self,
        key: u128,
        group: u32,
        id: &str,
        window_ms: i64,
        now_ms: i64,
        is_copied_sale: bool,
    ) -> bool {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.received += 1;
            let is_copy = is_copied_sale || now_ms < entry.first_ms.saturating_add(window_ms);
            if !is_copy {
                entry.distinct += 1;
                entry.first_ms = now_ms;
            }
            return is_copy;
        }
        let entry = Entry {
            group,
            received: 1,
            distinct: u32::from(!is_copied_sale),
            first_ms: now_ms,
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
        is_copied_sale
    }

    /// Meta's rule for stores: the same time, name and item, and the same order or else person.
    fn is_copied_sale(
        &mut self,
        dataset: &str,
        name: &str,
        event: &Value<'_>,
        now_ms: i64,
    ) -> bool {
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
            Some(first_ms) if now_ms < first_ms.saturating_add(WINDOW_STORE_MS) => return true,
            Some(_) => {}
            None => self.sales_order.push_back(key),
        }
        self.sales.insert(key, now_ms);
        if self.keep_max > 0 && self.sales.len() > self.keep_max {
            let oldest = self.sales_order.pop_front();
            oldest.and_then(|oldest| self.sales.remove(&oldest));
        }
        false
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

    fn counted(&self, entry: &Entry) -> IdCount {
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
        ids.count("1", &event, now_ms)
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
        assert!(!ids.count("2", &other, NOW_MS));
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
