//! Writing amounts: read as people write them, in the currency of the event.

use std::borrow::Cow;

use super::object::{PathOf, Writer};
use super::scan::is_small;
use crate::amount;
use crate::code::Code;
use crate::finding::shown;
use crate::json::{Kind, Raw};
use crate::money::Currency;
use crate::shape::Shape;

impl Writer<'_> {
    pub(super) fn number(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        self.amount(None, raw, path, out)
    }

    /// An amount in the event's currency.
    pub(super) fn money(
        &mut self,
        shape: Shape,
        raw: Raw<'_>,
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        let Some(currency) = self.currency else {
            return self.amount(None, raw, path, out);
        };
        if raw.kind() == Kind::Number
            && shape == Shape::Money
            && currency.minor_digits() < 3
            && amount::has_three_decimals(raw.text())
        {
            self.doubtful(currency, "left as it is", path);
        }
        if let Some(text) = raw.as_text()
            && let Some(other) = amount::named_currency(&text)
            && other != currency
        {
            let other = other.code();
            let message = format!("found an amount in {other}, not in the currency; left out");
            self.findings.add(Code::ValueInvalid, path(), message);
            return false;
        }
        let is_written = self.amount(Some(currency), raw, path, out);
        if is_written
            && let Some(text) = raw.as_text()
            && let Some(sign) = amount::other_sign(&text, currency)
        {
            let message = format!("{sign} is no sign of {}; sent as it is", currency.code());
            self.findings.add(Code::ValueSign, path(), message);
        }
        is_written
    }

    fn amount(
        &mut self,
        currency: Option<Currency>,
        raw: Raw<'_>,
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        let text: Cow<'_, str> = match raw.kind() {
            Kind::Number => raw.text().into(),
            Kind::Text => raw.as_text().unwrap_or_default(),
            _ => return self.wrong_type("a number", raw, path),
        };
        if raw.kind() == Kind::Number {
            if is_small(&text) {
                out.push_str(&text);
                return true;
            }
            // A number of JSON says itself what its point means.
            return self.write_amount(amount::amount(&text), &text, path, out);
        }
        let amount = amount::read(&text, currency);
        if let (Some(amount), Some(currency)) = (&amount, currency)
            && amount.is_doubtful
        {
            let read = format!("read as {}", shown(&amount.number));
            self.doubtful(currency, &read, path);
        }
        let number = amount.map(|amount| amount.number);
        self.write_amount(number, &text, path, out)
    }

    /// Says that a dot or a comma could separate thousands or decimals.
    fn doubtful(&mut self, currency: Currency, what: &str, path: PathOf<'_>) {
        let (code, digits) = (currency.code(), currency.minor_digits());
        let message =
            format!("three digits behind the point, and {code} has {digits} decimals; {what}");
        self.findings.add(Code::ValueAmbiguous, path(), message);
    }

    fn write_amount(
        &mut self,
        amount: Option<Cow<'_, str>>,
        text: &str,
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        let Some(amount) = amount else {
            let message = format!("found {}, no number; left out", shown(text));
            self.findings.add(Code::ValueInvalid, path(), message);
            return false;
        };
        if *amount != *text.trim() {
            let message = format!("read as {}", shown(&amount));
            self.findings.add(Code::ValueCleaned, path(), message);
        }
        if amount.starts_with('-') && amount.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
            self.findings
                .add(Code::ValueNegative, path(), "the amount is below zero");
        }
        out.push_str(&amount);
        true
    }
}
