//! Writing `custom_data`.

use super::Sealing;
use super::id::in_the_clear;
use super::object::{Members, PathOf, Unknown};
use crate::action_source::ActionSource;
use crate::check;
use crate::code::Code;
use crate::facts::Facts;
use crate::finding::Findings;
use crate::json::Raw;
use crate::money::Currency;
use crate::properties::Properties;
use crate::shape::{self, Keys};

impl Sealing<'_, '_> {
    pub(super) fn custom_data(&mut self, event_name: &str, action_source: ActionSource) -> Keys {
        let custom_data = &self.event.custom_data;
        // A Purchase without currency is an error of its own, so there the value may stay.
        let may_have_value = event_name == "Purchase" || has_currency(custom_data, action_source);
        let table = (&shape::CUSTOM_DATA, Unknown::Pass);
        let mut members = Custom {
            may_have_value,
            currency: self.currency,
            facts: std::mem::take(&mut self.facts),
        };
        let keys = self.object("custom_data", custom_data, table, &mut members);
        self.facts = members.facts;
        keys
    }

    /// The currency of the event's amounts; none if it names two.
    pub(super) fn currency_of(&self, action_source: ActionSource) -> Option<Currency> {
        let mut named = currencies(&self.event.custom_data, action_source);
        let first = named.next()?;
        named.all(|currency| currency == first).then_some(first)
    }
}

/// The members of `custom_data`.
struct Custom {
    /// Whether the event names a currency, or has to.
    may_have_value: bool,
    currency: Option<Currency>,
    facts: Facts,
}

impl Members for Custom {
    fn wants(&self, findings: &mut Findings, key: &str, path: PathOf<'_>) -> bool {
        let is_wanted = self.may_have_value || !matches!(key, "value" | "_valueToSum");
        if !is_wanted {
            let message = "the value has no currency; left out";
            findings.add(Code::ValueCurrencyMissing, path(), message);
        }
        is_wanted
    }

    fn written(&mut self, key: &str, value: &str) {
        match key {
            "order_id" => {
                let written = Raw::parse(value).ok().and_then(Raw::as_text);
                self.facts.order_id = written.map(|id| in_the_clear(&id).into());
            }
            "value" | "_valueToSum" => self.facts.note_value(value, self.currency),
            _ => {}
        }
    }
}

fn has_currency(custom_data: &Properties<'_>, action_source: ActionSource) -> bool {
    currencies(custom_data, action_source).next().is_some()
}

/// The currencies that an event names, as its source has them.
fn currencies(
    custom_data: &Properties<'_>,
    action_source: ActionSource,
) -> impl Iterator<Item = Currency> {
    check::currency_keys(action_source)
        .iter()
        .filter_map(|key| {
            let text = custom_data.get(key)?.raw().as_text()?;
            Currency::parse(&text)
        })
}
