//! Writing `custom_data`.

use super::Sealing;
use super::object::Unknown;
use crate::action_source::ActionSource;
use crate::amount::named_currency;
use crate::check;
use crate::code::Code;
use crate::money::Currency;
use crate::properties::Properties;
use crate::shape::{self, Keys};

impl Sealing<'_, '_> {
    pub(super) fn custom_data(&mut self, event_name: &str, action_source: ActionSource) -> Keys {
        let custom_data = &self.event.custom_data;
        // A Purchase without currency is an error of its own, so there the value may stay.
        let may_have_value = event_name == "Purchase" || has_currency(custom_data, action_source);
        let table = (&shape::CUSTOM_DATA, Unknown::Pass);
        self.object("custom_data", custom_data, table, |findings, key, path| {
            if !matches!(key, "value" | "_valueToSum") {
                return true;
            }
            if !may_have_value {
                let message = "the value has no currency; left out";
                findings.add(Code::ValueCurrencyMissing, path(), message);
                return false;
            }
            if let Some(other) = other_currency(custom_data, key, action_source) {
                let message = format!(
                    "found an amount in {}, not in the currency; left out",
                    other.code()
                );
                findings.add(Code::ValueInvalid, path(), message);
                return false;
            }
            true
        })
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

/// The currency that the text of an amount names, if it is another than the event's.
fn other_currency(
    custom_data: &Properties<'_>,
    key: &str,
    action_source: ActionSource,
) -> Option<Currency> {
    let text = custom_data.get(key)?.raw().as_text()?;
    let named = named_currency(&text)?;
    let mut own = currencies(custom_data, action_source).peekable();
    (own.peek().is_some() && own.all(|currency| currency != named)).then_some(named)
}
