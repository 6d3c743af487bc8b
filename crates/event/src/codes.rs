//! Every rule that can produce a finding: its stable code, severity, help and source.
//!
//! The table below is the catalogue; `docs/findings.md` is written from it.

use std::fmt;

use crate::finding::Severity::{self, Error, Hint, Repaired, Warning};

/// A rule, known by its stable name.
#[derive(Clone, Copy)]
pub struct Code(&'static Rule);

struct Rule {
    name: &'static str,
    severity: Severity,
    help: &'static str,
    source: &'static str,
}

impl Code {
    /// The stable name, such as `purchase_currency_missing`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How much a finding of this rule matters.
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// What would be right.
    pub fn help(self) -> &'static str {
        self.0.help
    }

    /// Where the rule comes from: a page of Meta's documentation, an RFC, or `Sluice`.
    pub fn source(self) -> &'static str {
        self.0.source
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Code {}

impl std::hash::Hash for Code {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

const SERVER_EVENT: &str = "Meta, Conversions API: Server Event Parameters";
const USER_DATA: &str = "Meta, Conversions API: Customer Information Parameters";
const CUSTOM_DATA: &str = "Meta, Conversions API: Standard Parameters";
const USING: &str = "Meta, Conversions API: Using the API";
const CLICK_IDS: &str = "Meta, Conversions API: fbp and fbc Parameters";
const APP_DATA: &str = "Meta, Conversions API: App Data Parameters";
const MESSAGING: &str = "Meta, Conversions API for Business Messaging";
const CRM: &str = "Meta, Conversions API: Conversion Leads payload specification";
const DPO: &str = "Meta, Marketing API: Data Processing Options";
const DEDUP: &str = "Meta, Conversions API: Deduplicate Pixel and Server Events";
const PIXEL: &str = "Meta, Meta Pixel reference";
const ATTRIBUTION: &str = "Meta, Conversions API: AppendAttribution reference";
const TERMS: &str = "Meta Business Tools Terms: no contact data in clear";
const BUILDER: &str = "Meta, Parameter Builder Library";
const JSON: &str = "RFC 8259";
const SLUICE: &str = "Sluice";

macro_rules! codes {
    ($($constant:ident = $name:literal, $severity:expr, $source:expr, $help:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $help)]
            pub const $constant: Code = {
                static RULE: Rule =
                    Rule { name: $name, severity: $severity, help: $help, source: $source };
                Code(&RULE)
            };
        )*

        /// Every rule, in the order of the way of an event.
        pub const ALL: &[Code] = &[$($constant),*];
    };
}

codes! {
    JSON_INVALID = "json_invalid", Error, JSON, "send one JSON object per event";
    EVENT_NOT_OBJECT = "event_not_object", Error, SERVER_EVENT,
        "an event is a JSON object, or a string that holds one";
    EVENT_TOO_LARGE = "event_too_large", Error, SLUICE, "an event may have at most 256 KiB";
    KEY_UNKNOWN = "key_unknown", Warning, SLUICE,
        "use Meta's field name; put properties of your own into custom_data";
    KEY_ALIAS = "key_alias", Hint, SLUICE, "use Meta's field name to be explicit";
    KEY_DUPLICATE = "key_duplicate", Warning, JSON, "write each key once";
    VALUE_TYPE = "value_type", Repaired, SERVER_EVENT, "see the expected type in the message";
    VALUE_TOO_LONG = "value_too_long", Repaired, SLUICE, "see docs/limits.md for every limit";
    TOO_MANY = "too_many", Repaired, SLUICE, "see docs/limits.md for every limit";
    TEXT_DAMAGED = "text_damaged", Repaired, JSON,
        "send UTF-8; the text was damaged (U+FFFD, half a surrogate pair) before it came here";

    EVENT_NAME_MISSING = "event_name_missing", Error, SERVER_EVENT,
        "add \"event_name\", for example \"Purchase\"";
    EVENT_NAME_INVALID = "event_name_invalid", Error, SERVER_EVENT,
        "use a standard event or a custom name of at most 50 characters";
    EVENT_NAME_CASE = "event_name_case", Warning, PIXEL,
        "names are case-sensitive: as written this is a custom event";
    EVENT_NAME_LONG = "event_name_long", Warning, PIXEL,
        "keep custom event names at 50 characters or less";
    EVENT_TIME_MISSING = "event_time_missing", Error, SERVER_EVENT,
        "add \"event_time\": Unix seconds (UTC) or ISO 8601 with a zone";
    EVENT_TIME_INVALID = "event_time_invalid", Error, SERVER_EVENT,
        "use Unix seconds (UTC), such as 1701234567, or ISO 8601 with a zone, such as 2023-11-29T05:09:27Z";
    EVENT_TIME_NO_ZONE = "event_time_no_zone", Error, SERVER_EVENT,
        "add the zone: Z for UTC or an offset such as +01:00";
    EVENT_TIME_UNIT = "event_time_unit", Repaired, SERVER_EVENT, "send seconds, not milliseconds";
    EVENT_TIME_FUTURE = "event_time_future", Error, USING,
        "send Unix seconds in UTC; local time sent as UTC, or a wrong clock, ends up in the future";
    EVENT_TIME_CLAMPED = "event_time_clamped", Repaired, USING,
        "check the sender's clock: the event lies slightly in the future";
    EVENT_TIME_TOO_OLD = "event_time_too_old", Error, USING,
        "Meta takes events for 7 days, for 62 with action_source physical_store";
    EVENT_TIME_LATE = "event_time_late", Hint, USING,
        "send events as they happen: after a day they hardly help delivery";
    EVENT_ID_MISSING = "event_id_missing", Warning, DEDUP,
        "send the same event_id from pixel and server, for example the order id; without it Meta cannot match the two";
    EVENT_ID_HASHED = "event_id_hashed", Repaired, DEDUP,
        "use an id without contact data and of at most 512 bytes";
    ACTION_SOURCE_MISSING = "action_source_missing", Repaired, SERVER_EVENT,
        "add \"action_source\": email, website, app, phone_call, chat, physical_store, system_generated, business_messaging or other";
    ACTION_SOURCE_UNKNOWN = "action_source_unknown", Repaired, SERVER_EVENT,
        "use email, website, app, phone_call, chat, physical_store, system_generated, business_messaging or other";
    EVENT_SOURCE_URL_MISSING = "event_source_url_missing", Warning, SERVER_EVENT,
        "website events need event_source_url, the page's address";
    CLIENT_USER_AGENT_MISSING = "client_user_agent_missing", Warning, SERVER_EVENT,
        "website events need user_data.client_user_agent, the browser's own";
    URL_INVALID = "url_invalid", Repaired, SERVER_EVENT, "send the full address with its scheme";
    URL_CONTACT_DATA = "url_contact_data", Repaired, TERMS,
        "keep e-mail addresses, phone numbers and names out of URLs";

    USER_DATA_MISSING = "user_data_missing", Error, USER_DATA,
        "send at least one of em, ph, external_id, fbc, fbp, client_ip_address with client_user_agent …";
    USER_DATA_TOO_BROAD = "user_data_too_broad", Error, USER_DATA,
        "these fields fit too many people: add em, ph, external_id, fbc, fbp or client_ip_address";
    VALUE_EMPTY = "value_empty", Hint, USER_DATA, "leave the field out when there is no value";
    VALUE_PLACEHOLDER = "value_placeholder", Repaired, SLUICE,
        "leave the field out when there is no value, instead of sending the word for nothing";
    HASH_OF_NOTHING = "hash_of_nothing", Repaired, USER_DATA,
        "this is the hash of an empty text or of a word like null: leave the field out";
    HASH_MD5 = "hash_md5", Warning, USER_DATA,
        "Meta documents SHA-256 only: send SHA-256, or the clear value";
    EM_INVALID = "em_invalid", Repaired, USER_DATA, "an e-mail address looks like name@domain.tld";
    PH_INVALID = "ph_invalid", Repaired, USER_DATA,
        "send the number with its country code, 7 to 15 digits, such as +16505551212";
    PH_NO_COUNTRY = "ph_no_country", Warning, USER_DATA,
        "add the country code (+49 …), user_data.country, or a default country for the source";
    NAME_INVALID = "name_invalid", Repaired, USER_DATA, "a name has at least one letter";
    DB_INVALID = "db_invalid", Repaired, USER_DATA,
        "use YYYYMMDD, a real day between 1900 and today";
    DB_AMBIGUOUS = "db_ambiguous", Warning, USER_DATA,
        "day and month could be swapped, the month was taken first: use YYYYMMDD";
    GE_UNKNOWN = "ge_unknown", Repaired, USER_DATA, "use f or m";
    PLACE_INVALID = "place_invalid", Repaired, USER_DATA, "a place name has at least one letter";
    ZP_INVALID = "zp_invalid", Repaired, USER_DATA, "a postcode has at least two characters";
    COUNTRY_UNKNOWN = "country_unknown", Repaired, USER_DATA,
        "use the ISO 3166-1 alpha-2 code, such as de";
    BIRTH_PART_INVALID = "birth_part_invalid", Repaired, USER_DATA,
        "use DD (01-31), MM (01-12) or YYYY";
    IP_INVALID = "ip_invalid", Repaired, USER_DATA, "send the browser's IPv4 or IPv6 address";
    IP_NOT_PUBLIC = "ip_not_public", Repaired, USER_DATA,
        "send the browser's public address, not that of a proxy or of your own network";
    FBC_INVALID = "fbc_invalid", Repaired, CLICK_IDS,
        "use the _fbc cookie as it is: fb.<index>.<milliseconds>.<fbclid>";
    FBC_TIME = "fbc_time", Warning, CLICK_IDS, "the time inside fbc is in milliseconds and in the past";
    FBP_INVALID = "fbp_invalid", Repaired, CLICK_IDS,
        "use the _fbp cookie as it is: fb.<index>.<milliseconds>.<random number>";
    LEAD_ID_INVALID = "lead_id_invalid", Repaired, CRM, "a lead id has 15 to 17 digits";
    ID_INVALID = "id_invalid", Repaired, USER_DATA, "send the id alone, in the clear";
    ID_CONTACT_DATA = "id_contact_data", Repaired, TERMS,
        "this field goes to Meta in the clear: put contact data into em or ph";
    EXTERNAL_ID_HASHED = "external_id_hashed", Repaired, TERMS,
        "an external id that is contact data is hashed whatever the setting";

    CUSTOM_DATA_CONTACT = "custom_data_contact", Repaired, TERMS,
        "contact data belongs into user_data, where it is hashed";
    CUSTOM_KEY_CLOSE = "custom_key_close", Hint, CUSTOM_DATA,
        "sent as a custom property: is it meant to be the standard one?";
    VALUE_INVALID = "value_invalid", Repaired, CUSTOM_DATA, "send a plain number, such as 129.99";
    VALUE_CLEANED = "value_cleaned", Repaired, CUSTOM_DATA, "send a plain number, such as 129.99";
    VALUE_NEGATIVE = "value_negative", Warning, CUSTOM_DATA,
        "Meta expects what was earned; a refund is no negative Purchase";
    VALUE_CURRENCY_MISSING = "value_currency_missing", Repaired, CUSTOM_DATA,
        "a value needs its currency, or Meta refuses the event";
    CURRENCY_UNKNOWN = "currency_unknown", Repaired, CUSTOM_DATA, "use an ISO 4217 code, such as EUR";
    CURRENCY_WITHDRAWN = "currency_withdrawn", Warning, CUSTOM_DATA,
        "the currency is no longer in use: check the source's setting";
    PURCHASE_VALUE_MISSING = "purchase_value_missing", Error, CUSTOM_DATA,
        "add \"value\" to custom_data: a Purchase without it is refused by Meta (2804009)";
    PURCHASE_CURRENCY_MISSING = "purchase_currency_missing", Error, CUSTOM_DATA,
        "add \"currency\" to custom_data: a Purchase without it is refused by Meta (2804010)";
    CONTENTS_INVALID = "contents_invalid", Repaired, CUSTOM_DATA,
        "contents is an array of objects with id and quantity";
    CONTENTS_ITEM_INVALID = "contents_item_invalid", Repaired, CUSTOM_DATA,
        "each entry of contents needs an id and a quantity";
    CONTENTS_QUANTITY = "contents_quantity", Repaired, CUSTOM_DATA,
        "quantity is a whole number above 0";
    ENUM_UNKNOWN = "enum_unknown", Repaired, CUSTOM_DATA, "use one of the values in the message";

    APP_DATA_MISSING = "app_data_missing", Error, APP_DATA,
        "app events need app_data with advertiser_tracking_enabled and extinfo";
    APP_TRACKING_MISSING = "app_tracking_missing", Warning, APP_DATA,
        "add app_data.advertiser_tracking_enabled, true or false";
    EXTINFO_MISSING = "extinfo_missing", Error, APP_DATA, "add app_data.extinfo, an array of 16 texts";
    EXTINFO_INVALID = "extinfo_invalid", Error, APP_DATA,
        "extinfo has 16 slots: the first is a2 or i2, the fifth is the OS version";
    EXTINFO_PADDED = "extinfo_padded", Repaired, APP_DATA,
        "extinfo has exactly 16 slots; leave a slot empty instead of leaving it out";

    MESSAGING_CHANNEL_MISSING = "messaging_channel_missing", Error, MESSAGING,
        "add \"messaging_channel\": whatsapp, messenger or instagram";
    MESSAGING_EVENT_NAME = "messaging_event_name", Error, MESSAGING,
        "use one of the 14 business-messaging events, such as Purchase or LeadSubmitted";
    MESSAGING_IDS_MISSING = "messaging_ids_missing", Error, MESSAGING,
        "messenger: page_id and page_scoped_user_id; whatsapp: ctwa_clid and page_id or whatsapp_business_account_id; instagram: ig_account_id and ig_sid";
    MESSAGING_CHANNEL_UNUSED = "messaging_channel_unused", Warning, MESSAGING,
        "messaging_channel belongs to action_source business_messaging";
    CRM_FIELDS_MISSING = "crm_fields_missing", Warning, CRM,
        "CRM events count as Conversion Leads only with custom_data.event_source crm and lead_event_source";
    CRM_PURCHASE_NAME = "crm_purchase_name", Hint, CRM,
        "name a CRM stage freely: the name Purchase brings the rules of a purchase";

    LDU_STATE_UNKNOWN = "ldu_state_unknown", Repaired, DPO,
        "use country 1 with a state code of 1000 to 1013, or 0 and 0 to let Meta locate the person";
    LDU_OPTION_UNKNOWN = "ldu_option_unknown", Repaired, DPO,
        "data_processing_options is [\"LDU\"] or []";
    LDU_NO_LOCATION = "ldu_no_location", Warning, DPO,
        "with country 0 and state 0 Meta locates the person by client_ip_address: add it, or the state";
    ATTRIBUTION_INCOMPLETE = "attribution_incomplete", Error, ATTRIBUTION,
        "AppendAttribution needs attribution_data (ad_id, touchpoint_ts, attribution_share, attribution_value), original_event_data (event_name, event_time) and custom_data.currency";

    APPENDIX_UNKNOWN = "appendix_unknown", Hint, BUILDER,
        "a suffix that Meta's parameter builder does not write today is passed on as it is";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stable_in_form() {
        let mut names: Vec<_> = ALL.iter().map(|code| code.name()).collect();
        assert!(names.iter().all(|name| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
        }));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_code_equals_itself_only() {
        assert_eq!(EM_INVALID, EM_INVALID);
        assert_ne!(EM_INVALID, PH_INVALID);
    }
}
