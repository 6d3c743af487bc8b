//! Yes, no and nothing, as senders write them.

use crate::json::{Kind, Raw};
use crate::nothing;

/// What a switch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Yes or no.
    Said(bool),
    /// It is empty, or holds a word for nothing: as good as absent.
    Nothing,
    /// Something else.
    Unclear,
}

/// A switch as senders write it: `true`, `1`, `"on"`, `"ja"` and their opposites, alone or in a list.
pub(crate) fn switch(raw: Raw<'_>) -> Switch {
    match raw.kind() {
        Kind::Null => Switch::Nothing,
        Kind::Bool => Switch::Said(raw.text() == "true"),
        Kind::Number => match raw.text().parse::<f64>() {
            Ok(0.0) => Switch::Said(false),
            Ok(1.0) => Switch::Said(true),
            _ => Switch::Unclear,
        },
        Kind::Text => switch_of(&raw.as_text().unwrap_or_default()),
        Kind::Array => {
            let mut items = raw.items();
            match (items.next(), items.next()) {
                (None, _) => Switch::Nothing,
                (Some(only), None) => switch(only),
                _ => Switch::Unclear,
            }
        }
        Kind::Object if raw.members().next().is_none() => Switch::Nothing,
        Kind::Object => Switch::Unclear,
    }
}

/// The same in a text.
pub(crate) fn switch_of(text: &str) -> Switch {
    const YES: [&str; 18] = [
        "true", "1", "1.0", "yes", "y", "t", "on", "enabled", "ja", "oui", "si", "sí", "sim", "da",
        "да", "evet", "はい", "是",
    ];
    const NO: [&str; 21] = [
        "false",
        "0",
        "0.0",
        "no",
        "n",
        "f",
        "off",
        "disabled",
        "nein",
        "non",
        "não",
        "nao",
        "nej",
        "nei",
        "nee",
        "nie",
        "нет",
        "hayır",
        "hayir",
        "いいえ",
        "否",
    ];
    let text = text.trim();
    let folded = text.to_lowercase();
    if YES.contains(&&*folded) {
        Switch::Said(true)
    } else if NO.contains(&&*folded) {
        Switch::Said(false)
    } else if text.is_empty()
        || nothing::is_word(text)
        || matches!(&*folded, "none" | "nan" | "nil")
    {
        Switch::Nothing
    } else {
        Switch::Unclear
    }
}
