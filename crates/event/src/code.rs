//! Every rule that can produce a finding: its stable code, severity, help and source.
//!
//! The table below is the catalogue; `docs/findings.md` is written from it.

use std::fmt;

use crate::severity::Severity::{self, Error, Hint, Repaired, Warning};

impl Code {
    /// The stable name, such as `purchase_currency_missing`.
    pub const fn name(self) -> &'static str {
        self.rule().0
    }

    /// The rule of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// How much a finding of this rule matters.
    pub const fn severity(self) -> Severity {
        self.rule().1
    }

    /// What would be right.
    pub const fn help(self) -> &'static str {
        self.rule().2
    }

    /// Where the rule comes from: a page of Meta's documentation, an RFC, or `Sluice`.
    pub const fn source(self) -> &'static str {
        self.rule().3
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
const JSON: &str = "RFC 8259";
const SLUICE: &str = "Sluice";

macro_rules! codes {
    ($($variant:ident = $name:literal, $severity:expr, $source:expr, $help:literal;)*) => {
        /// A rule, known by its stable name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(
                #[doc = concat!("`", $name, "`: ", $help)]
                $variant,
            )*
        }

        impl Code {
            /// Every rule, in the order of the way of an event.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            const fn rule(self) -> (&'static str, Severity, &'static str, &'static str) {
                match self {
                    $(Code::$variant => ($name, $severity, $help, $source),)*
                }
            }
        }
    };
}

codes! {
    JsonInvalid = "json_invalid", Error, JSON, "send one JSON object per event";
    EventNotObject = "event_not_object", Error, SERVER_EVENT,
        "an event is a JSON object, or a string that holds one";
    EventsMisplaced = "events_misplaced", Warning, USING,
        "send one event, a list of events, {\"data\": [...]}, or one event a line";
    EventTooLarge = "event_too_large", Error, SLUICE, "an event may have at most 256 KiB";
    KeyUnknown = "key_unknown", Warning, SLUICE,
        "use Meta's field name; put properties of your own into custom_data";
    KeyAlias = "key_alias", Hint, SLUICE, "use Meta's field name to be explicit";
    KeyMisplaced = "key_misplaced", Warning, SLUICE,
        "write switches such as data_processing_options and opt_out beside event_name, in Meta's spelling, and test_event_code beside data";
    KeyDuplicate = "key_duplicate", Warning, JSON, "write each key once";
    ValueType = "value_type", Repaired, SERVER_EVENT, "see the expected type in the message";
    ValueTooLong = "value_too_long", Repaired, SLUICE, "see docs/limits.md for every limit";
    TooMany = "too_many", Repaired, SLUICE, "see docs/limits.md for every limit";
    TextDamaged = "text_damaged", Repaired, JSON,
        "send UTF-8; the text was damaged (U+FFFD, half a surrogate pair) before it came here";

    EventNameMissing = "event_name_missing", Error, SERVER_EVENT,
        "add \"event_name\", for example \"Purchase\"";
    EventNameInvalid = "event_name_invalid", Error, SERVER_EVENT,
        "use a standard event or a custom name of at most 50 characters, in UTF-8";
    EventNameCase = "event_name_case", Warning, PIXEL,
        "names are case-sensitive: as written this is a custom event";
    EventNameLong = "event_name_long", Warning, PIXEL,
        "keep custom event names at 50 characters or less";
    EventTimeMissing = "event_time_missing", Error, SERVER_EVENT,
        "add \"event_time\": Unix seconds (UTC) or ISO 8601 with a zone";
    EventTimeInvalid = "event_time_invalid", Error, SERVER_EVENT,
        "use Unix seconds (UTC), such as 1701234567, or ISO 8601 with a zone, such as 2023-11-29T05:09:27Z";
    EventTimeNoZone = "event_time_no_zone", Error, SERVER_EVENT,
        "add the zone: Z for UTC or an offset such as +01:00";
    EventTimeUnit = "event_time_unit", Repaired, SERVER_EVENT,
        "send whole Unix seconds: neither milliseconds nor a fraction";
    EventTimeFuture = "event_time_future", Error, USING,
        "send Unix seconds in UTC; local time sent as UTC, or a wrong clock, ends up in the future";
    EventTimeClamped = "event_time_clamped", Repaired, USING,
        "check the sender's clock: the event lies slightly in the future";
    EventTimeTooOld = "event_time_too_old", Error, USING,
        "Meta takes events for 7 days, for 62 with action_source physical_store";
    EventTimeLate = "event_time_late", Hint, USING,
        "send events as they happen: after a day they hardly help delivery";
    EventTimeUnproven = "event_time_unproven", Warning, SLUICE,
        "set the gateway's clock (NTP), or the sender's: one of the two is wrong, and Meta may refuse the event";
    EventIdMissing = "event_id_missing", Warning, DEDUP,
        "send the same event_id from pixel and server, for example the order id; without it Meta cannot match the two";
    EventIdHashed = "event_id_hashed", Repaired, DEDUP,
        "use an id without contact data and of at most 512 bytes";
    CopyDiffers = "copy_differs", Warning, DEDUP,
        "give every sale an event_id of its own, for example the order id: of two events with one name and id only the first counts";
    OrderRepeated = "order_repeated", Warning, DEDUP,
        "send one event_id for one order, from pixel and server and whenever it is sent again";
    ActionSourceMissing = "action_source_missing", Repaired, SERVER_EVENT,
        "add \"action_source\": email, website, app, phone_call, chat, physical_store, system_generated, business_messaging or other";
    ActionSourceUnknown = "action_source_unknown", Repaired, SERVER_EVENT,
        "use email, website, app, phone_call, chat, physical_store, system_generated, business_messaging or other";
    EventSourceUrlMissing = "event_source_url_missing", Warning, SERVER_EVENT,
        "website events need event_source_url, the page's address";
    ClientUserAgentMissing = "client_user_agent_missing", Warning, SERVER_EVENT,
        "website events need user_data.client_user_agent, the browser's own";
    UrlInvalid = "url_invalid", Repaired, SERVER_EVENT, "send the full address with its scheme";
    UrlNotPublic = "url_not_public", Warning, SERVER_EVENT,
        "send the address that the browser showed: Meta compares its domain with those that you verified";
    UrlContactData = "url_contact_data", Repaired, TERMS,
        "keep e-mail addresses, phone numbers and names out of URLs";

    UserDataMissing = "user_data_missing", Error, USER_DATA,
        "send at least one of em, ph, external_id, fbc, fbp, client_ip_address with client_user_agent …";
    UserDataTooBroad = "user_data_too_broad", Error, USER_DATA,
        "these fields fit too many people: add em, ph, external_id, fbc, fbp or client_ip_address";
    ValueEmpty = "value_empty", Hint, USER_DATA, "leave the field out when there is no value";
    ValuePlaceholder = "value_placeholder", Repaired, SLUICE,
        "leave the field out when there is no value, instead of sending the word for nothing";
    ValueMended = "value_mended", Repaired, SLUICE,
        "send the value itself: as text and in UTF-8, not encoded for HTML or a URL, not formatted by a spreadsheet";
    ValueDamaged = "value_damaged", Repaired, SLUICE,
        "what is missing cannot be known: send the value as text, not as a number of a spreadsheet, and in UTF-8";
    HashOfNothing = "hash_of_nothing", Repaired, USER_DATA,
        "this is the hash of an empty text or of a word like null: leave the field out";
    HashMd5 = "hash_md5", Warning, USER_DATA,
        "Meta documents SHA-256 only: send SHA-256, or the clear value";
    HashUnmatched = "hash_unmatched", Warning, USER_DATA,
        "hash the value that Meta documents (f or m for ge, the two-letter code in lower case for country), or send it in the clear";
    EmInvalid = "em_invalid", Repaired, USER_DATA, "an e-mail address looks like name@domain.tld";
    PhInvalid = "ph_invalid", Repaired, USER_DATA,
        "send the number with its country code, 7 to 15 digits, such as +16505551212";
    PhNoCountry = "ph_no_country", Warning, USER_DATA,
        "write + and the country code (+49 …), send user_data.country, or set a default country for the source";
    NameInvalid = "name_invalid", Repaired, USER_DATA, "a name has more than spaces and punctuation";
    DbInvalid = "db_invalid", Repaired, USER_DATA,
        "use YYYYMMDD, a real day between 1900 and today";
    DbAmbiguous = "db_ambiguous", Warning, USER_DATA,
        "day and month could be swapped, the month was taken first: use YYYYMMDD";
    GeUnknown = "ge_unknown", Repaired, USER_DATA, "use f or m";
    PlaceInvalid = "place_invalid", Repaired, USER_DATA, "a place name has more than digits, spaces and punctuation; of a region send the name, or the code in letters";
    ZpInvalid = "zp_invalid", Repaired, USER_DATA, "a postcode has at least two characters";
    CountryUnknown = "country_unknown", Repaired, USER_DATA,
        "use the ISO 3166-1 alpha-2 code, such as de";
    BirthPartInvalid = "birth_part_invalid", Repaired, USER_DATA,
        "use DD (01-31), MM (01-12) or YYYY";
    IpInvalid = "ip_invalid", Repaired, USER_DATA, "send the browser's IPv4 or IPv6 address";
    IpNotPublic = "ip_not_public", Repaired, USER_DATA,
        "send the browser's public address, not that of a proxy or of your own network";
    FbcInvalid = "fbc_invalid", Repaired, CLICK_IDS,
        "use the _fbc cookie as it is: fb.<index>.<milliseconds>.<fbclid>";
    FbcTime = "fbc_time", Warning, CLICK_IDS, "the time inside fbc is in milliseconds and in the past";
    FbpInvalid = "fbp_invalid", Repaired, CLICK_IDS,
        "use the _fbp cookie as it is: fb.<index>.<milliseconds>.<random number>";
    LeadIdInvalid = "lead_id_invalid", Repaired, CRM, "a lead id has 15 to 17 digits";
    IdInvalid = "id_invalid", Repaired, USER_DATA, "send the id alone, in the clear";
    IdContactData = "id_contact_data", Repaired, TERMS,
        "this field goes to Meta in the clear: put contact data into em or ph";
    ExternalIdHashed = "external_id_hashed", Repaired, TERMS,
        "an external id that is contact data is hashed whatever the setting";

    CustomDataContact = "custom_data_contact", Repaired, TERMS,
        "contact data belongs into user_data, where it is hashed";
    CustomKeyClose = "custom_key_close", Hint, CUSTOM_DATA,
        "sent as a custom property: is it meant to be the standard one?";
    ValueInvalid = "value_invalid", Repaired, CUSTOM_DATA, "send a plain number, such as 129.99";
    ValueCleaned = "value_cleaned", Repaired, CUSTOM_DATA, "send a plain number, such as 129.99";
    ValueAmbiguous = "value_ambiguous", Warning, CUSTOM_DATA,
        "send a plain number with the decimals of its currency, such as 1299.00";
    ValueSign = "value_sign", Warning, CUSTOM_DATA,
        "the sign beside the amount is that of another currency: one of the two is wrong";
    ValueNegative = "value_negative", Warning, CUSTOM_DATA,
        "Meta expects what was earned; a refund is no negative Purchase";
    ValueCurrencyMissing = "value_currency_missing", Repaired, CUSTOM_DATA,
        "a value needs its currency, or Meta refuses the event";
    CurrencyUnknown = "currency_unknown", Repaired, CUSTOM_DATA, "use an ISO 4217 code, such as EUR";
    CurrencyWithdrawn = "currency_withdrawn", Warning, CUSTOM_DATA,
        "the currency is no longer in use: check the source's setting";
    PurchaseValueMissing = "purchase_value_missing", Error, CUSTOM_DATA,
        "add \"value\" to custom_data: a Purchase without it is refused by Meta (2804009)";
    PurchaseCurrencyMissing = "purchase_currency_missing", Error, CUSTOM_DATA,
        "add \"currency\" to custom_data: a Purchase without it is refused by Meta (2804010)";
    ContentsInvalid = "contents_invalid", Repaired, CUSTOM_DATA,
        "contents is an array of objects with id and quantity";
    ContentsItemInvalid = "contents_item_invalid", Repaired, CUSTOM_DATA,
        "each entry of contents needs an id and a quantity";
    ContentsQuantity = "contents_quantity", Repaired, CUSTOM_DATA,
        "quantity is a whole number above 0";
    ListInText = "list_in_text", Hint, CUSTOM_DATA,
        "send a list, such as [\"SKU-1\", \"SKU-2\"]: an id may hold a comma, so a text is not cut";
    EnumUnknown = "enum_unknown", Repaired, CUSTOM_DATA, "use one of the values in the message";

    AppDataMissing = "app_data_missing", Error, APP_DATA,
        "app events need app_data with advertiser_tracking_enabled and extinfo";
    AppTrackingMissing = "app_tracking_missing", Error, APP_DATA,
        "add app_data.advertiser_tracking_enabled, true or false: an app event without it is refused by Meta";
    ExtinfoMissing = "extinfo_missing", Error, APP_DATA, "add app_data.extinfo, an array of 16 texts";
    ExtinfoInvalid = "extinfo_invalid", Error, APP_DATA,
        "extinfo has 16 slots: the first is a2 or i2, the fifth is the OS version";
    ExtinfoPadded = "extinfo_padded", Repaired, APP_DATA,
        "extinfo has exactly 16 slots; leave a slot empty instead of leaving it out";

    MessagingChannelMissing = "messaging_channel_missing", Error, MESSAGING,
        "add \"messaging_channel\": whatsapp, messenger or instagram";
    MessagingEventName = "messaging_event_name", Error, MESSAGING,
        "use one of the 14 business-messaging events, such as Purchase or LeadSubmitted";
    MessagingPageMissing = "messaging_page_missing", Error, MESSAGING,
        "add the page_id of the Page that the person wrote to, or for WhatsApp the whatsapp_business_account_id";
    MessagingAccountMissing = "messaging_account_missing", Error, MESSAGING,
        "add the ig_account_id of the account that the person wrote to";
    MessagingIdsMissing = "messaging_ids_missing", Error, MESSAGING,
        "add the person's id in the channel: page_scoped_user_id for messenger, ctwa_clid for whatsapp, ig_sid for instagram";
    MessagingChannelUnused = "messaging_channel_unused", Warning, MESSAGING,
        "messaging_channel belongs to action_source business_messaging";
    CrmFieldsMissing = "crm_fields_missing", Warning, CRM,
        "CRM events count as Conversion Leads only with custom_data.event_source crm and lead_event_source";
    CrmPurchaseName = "crm_purchase_name", Hint, CRM,
        "name a CRM stage freely: the name Purchase brings the rules of a purchase";

    ObjectionUnused = "objection_unused", Warning, DPO,
        "Meta knows opt_out and data_processing_options beside event_name: send what the law asks for, or leave the event out";
    LduStateUnknown = "ldu_state_unknown", Repaired, DPO,
        "use country 1 with a state code of 1000 to 1013, or 0 and 0 to let Meta locate the person";
    LduOptionUnknown = "ldu_option_unknown", Repaired, DPO,
        "data_processing_options is [\"LDU\"] or []";
    LduNoLocation = "ldu_no_location", Warning, DPO,
        "with country 0 and state 0 Meta locates the person by client_ip_address: add it, or the state";
    AttributionIncomplete = "attribution_incomplete", Error, ATTRIBUTION,
        "AppendAttribution needs attribution_data (ad_id, touchpoint_ts, attribution_share, attribution_value), original_event_data (event_name, event_time) and custom_data.currency";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stable_in_form() {
        let is_form = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(names.iter().all(|name| name.bytes().all(is_form)));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
