//! Where a conversion happened, and what follows from it.

use std::fmt;

/// Where the conversion happened (`action_source`).
///
/// Source: Conversions API, "Server Event Parameters". There is no `offline`, `web` or `crm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionSource {
    /// `email`
    Email,
    /// `website`
    Website,
    /// `app`
    App,
    /// `phone_call`
    PhoneCall,
    /// `chat`
    Chat,
    /// `physical_store`
    PhysicalStore,
    /// `system_generated`
    SystemGenerated,
    /// `business_messaging`
    BusinessMessaging,
    /// `other`
    Other,
}

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

impl ActionSource {
    /// All nine.
    pub const ALL: [ActionSource; 9] = [
        ActionSource::Email,
        ActionSource::Website,
        ActionSource::App,
        ActionSource::PhoneCall,
        ActionSource::Chat,
        ActionSource::PhysicalStore,
        ActionSource::SystemGenerated,
        ActionSource::BusinessMessaging,
        ActionSource::Other,
    ];

    /// Meta's name.
    pub fn name(self) -> &'static str {
        match self {
            ActionSource::Email => "email",
            ActionSource::Website => "website",
            ActionSource::App => "app",
            ActionSource::PhoneCall => "phone_call",
            ActionSource::Chat => "chat",
            ActionSource::PhysicalStore => "physical_store",
            ActionSource::SystemGenerated => "system_generated",
            ActionSource::BusinessMessaging => "business_messaging",
            ActionSource::Other => "other",
        }
    }

    /// The action source of exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.as_bytes() {
            b"email" => ActionSource::Email,
            b"website" => ActionSource::Website,
            b"app" => ActionSource::App,
            b"phone_call" => ActionSource::PhoneCall,
            b"chat" => ActionSource::Chat,
            b"physical_store" => ActionSource::PhysicalStore,
            b"system_generated" => ActionSource::SystemGenerated,
            b"business_messaging" => ActionSource::BusinessMessaging,
            b"other" => ActionSource::Other,
            _ => return None,
        })
    }

    /// The action source that a word in common use stands for: `web`, `offline`, `POS`, `crm` …
    pub fn from_alias(word: &str) -> Option<Self> {
        let word: String = word
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let by_name = Self::ALL
            .into_iter()
            .find(|source| source.name().replace('_', "") == word);
        by_name.or(match word.as_str() {
            "web" | "site" | "online" | "onlinestore" | "browser" | "webshop" => {
                Some(ActionSource::Website)
            }
            "mobile" | "mobileapp" | "ios" | "android" | "application" | "inapp" => {
                Some(ActionSource::App)
            }
            "offline" | "instore" | "store" | "pos" | "pointofsale" | "retail" => {
                Some(ActionSource::PhysicalStore)
            }
            "phone" | "call" | "telephone" => Some(ActionSource::PhoneCall),
            "crm" | "system" | "server" | "backend" | "automatic" => {
                Some(ActionSource::SystemGenerated)
            }
            "mail" => Some(ActionSource::Email),
            "whatsapp" | "messenger" | "messaging" => Some(ActionSource::BusinessMessaging),
            "livechat" => Some(ActionSource::Chat),
            _ => None,
        })
    }

    /// How long after `event_time` Meta takes the event, in seconds: 7 days, 62 for
    /// `physical_store` (Conversions API, "Using the API" and "Offline events").
    pub fn age_s_max(self) -> i64 {
        match self {
            ActionSource::PhysicalStore => 62 * DAY_S,
            _ => 7 * DAY_S,
        }
    }

    /// Whether Meta recognises an event that comes twice by its `event_id`. It does not for
    /// `business_messaging` (Conversions API, "Conversions API for business messaging"): such an event counts
    /// as often as it arrives.
    pub fn is_deduplicated(self) -> bool {
        self != ActionSource::BusinessMessaging
    }

    /// How long a second event of the same name and id counts as a copy, in seconds: 48 hours,
    /// 7 days where Meta deduplicates late (`physical_store`) or not at all (`business_messaging`).
    pub fn dedup_window_s(self) -> i64 {
        match self {
            ActionSource::PhysicalStore | ActionSource::BusinessMessaging => 7 * DAY_S,
            _ => 48 * HOUR_S,
        }
    }
}

impl fmt::Display for ActionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The channel of a business-messaging event (`messaging_channel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessagingChannel {
    /// `whatsapp`
    Whatsapp,
    /// `messenger`
    Messenger,
    /// `instagram`
    Instagram,
}

impl MessagingChannel {
    /// All three.
    pub const ALL: [MessagingChannel; 3] = [
        MessagingChannel::Whatsapp,
        MessagingChannel::Messenger,
        MessagingChannel::Instagram,
    ];

    /// Meta's name.
    pub fn name(self) -> &'static str {
        match self {
            MessagingChannel::Whatsapp => "whatsapp",
            MessagingChannel::Messenger => "messenger",
            MessagingChannel::Instagram => "instagram",
        }
    }

    /// The channel of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name().eq_ignore_ascii_case(name.trim()))
    }
}

impl fmt::Display for MessagingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_source() {
        for source in ActionSource::ALL {
            assert_eq!(ActionSource::from_name(source.name()), Some(source));
        }
    }

    #[test]
    fn common_words_find_their_source() {
        for (word, expected) in [
            ("website", Some(ActionSource::Website)),
            ("Web", Some(ActionSource::Website)),
            ("offline", Some(ActionSource::PhysicalStore)),
            ("in-store", Some(ActionSource::PhysicalStore)),
            ("PHONE_CALL", Some(ActionSource::PhoneCall)),
            ("crm", Some(ActionSource::SystemGenerated)),
            ("teapot", None),
            ("", None),
        ] {
            assert_eq!(ActionSource::from_alias(word), expected, "{word}");
        }
    }
}
