//! What Meta's keys hold: the tables behind `custom_data`, `contents`, `app_data` and their like.
//!
//! Sources: Conversions API, "Standard Parameters" (website, app and offline columns), "App Data
//! Parameters", "Original Event Data"; `attribution_data` as Meta's SDKs have it.

/// What a key's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anything: Meta's documents disagree, or do not say.
    Any,
    /// A string; a number is written as one.
    Text,
    /// As text, and by which events are told apart: a damaged one is left out.
    Id,
    /// A number, kept as written; decimal text is read as one.
    Number,
    /// As a number, in the event's currency.
    Money,
    /// The same of one piece: many shops compute it, so half a cent is nothing to wonder at.
    Price,
    /// A whole number.
    Integer,
    /// A boolean; 0 and 1 pass.
    Flag,
    /// A currency code.
    Currency,
    /// Unix seconds.
    Time,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A list of strings or numbers.
    List,
    /// The list of bought things.
    Contents,
    /// The 16 slots that describe a device.
    Extinfo,
    /// `store_data`.
    StoreData,
    /// `attribution_setting`.
    AttributionSetting,
}

use Shape::{
    Any, AttributionSetting, Contents, Currency, Enum, Extinfo, Flag, Id, Integer, List, Money,
    Number, Price, StoreData, Text, Time,
};

const DELIVERY: &[&str] = &["in_store", "curbside", "home_delivery"];
/// The values of `customer_segmentation`, which Meta shows at two places.
pub(crate) const SEGMENTATION: &[&str] = &[
    "new_customer_to_business",
    "new_customer_to_business_line",
    "new_customer_to_product_area",
    "new_customer_to_medium",
    "existing_customer_to_business",
    "existing_customer_to_business_line",
    "existing_customer_to_product_area",
    "existing_customer_to_medium",
    "customer_in_loyalty_program",
];

/// A table: each key with its shape, and a way to find it that costs one comparison.
pub(crate) struct Table {
    entries: &'static [(&'static str, Shape)],
    /// Places plus one, by [`slot_of`]; 0 is free. Every key of every event is looked up here, and a
    /// binary search through ninety strings took a fifth of the time of sealing.
    slots: [u8; SLOTS],
}

const SLOTS: usize = 512;

#[inline]
const fn slot_of(key: &[u8]) -> usize {
    let [first, .., last] = *key else {
        return key.len();
    };
    let middle = key[key.len() / 2];
    let mixed = first as usize * 31 + middle as usize * 3 + last as usize * 7;
    (mixed + key.len() * 61) % SLOTS
}

impl Table {
    /// Places every key in the first free slot from its own on.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the assertion holds places below 128"
    )]
    const fn new(entries: &'static [(&'static str, Shape)]) -> Self {
        assert!(entries.len() <= 128, "a place is a bit of `Keys`");
        let mut slots = [0; SLOTS];
        let mut place = 0;
        while place < entries.len() {
            let mut slot = slot_of(entries[place].0.as_bytes());
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            place += 1;
            slots[slot] = place as u8;
        }
        Self { entries, slots }
    }

    /// The place of a key.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        let mut slot = slot_of(key);
        loop {
            let place = usize::from(self.slots[slot]).checked_sub(1)?;
            if self.entries[place].0.as_bytes() == key {
                return Some(place);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The shape of the key at a place.
    pub(crate) fn shape(&self, place: usize) -> Shape {
        self.entries[place].1
    }

    /// All keys, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|(key, _)| *key)
    }
}

/// `custom_data`. Keys that are not here are custom properties and pass unchanged.
pub(crate) static CUSTOM_DATA: Table = Table::new(CUSTOM_DATA_KEYS);

const CUSTOM_DATA_KEYS: &[(&str, Shape)] = &[
    ("_valueToSum", Money),
    ("ad_type", Text),
    ("availability", Text),
    ("body_style", Text),
    ("checkin_date", Text),
    ("city", Text),
    ("condition_of_vehicle", Text),
    ("content_category", Text),
    ("content_ids", List),
    ("content_name", Text),
    ("content_type", Text),
    ("contents", Contents),
    ("country", Text),
    ("currency", Currency),
    ("customer_segmentation", Enum(SEGMENTATION)),
    ("delivery_category", Enum(DELIVERY)),
    ("departing_arrival_date", Text),
    ("departing_departure_date", Text),
    ("description", Text),
    ("destination_airport", Text),
    ("destination_ids", List),
    ("dma_code", Text),
    ("drivetrain", Text),
    ("event_source", Text),
    ("exterior_color", Text),
    ("fb_content", Any),
    ("fb_content_id", Any),
    ("fb_content_ids", List),
    ("fb_currency", Currency),
    ("fb_description", Text),
    ("fb_level", Text),
    ("fb_max_rating_value", Number),
    ("fb_payment_info_available", Flag),
    ("fb_registration_method", Text),
    ("fb_success", Flag),
    ("fuel_type", Text),
    ("hotel_score", Any),
    ("interior_color", Text),
    ("item_number", Id),
    ("lead_event_source", Text),
    ("lease_end_date", Text),
    ("lease_start_date", Text),
    ("level", Text),
    ("listing_type", Text),
    ("make", Text),
    ("max_rating_value", Number),
    ("mileage", Any),
    ("model", Text),
    ("neighborhood", Text),
    ("net_revenue", Money),
    ("num_adults", Integer),
    ("num_children", Integer),
    ("num_infants", Integer),
    ("num_items", Integer),
    ("order_id", Id),
    ("origin_airport", Text),
    ("postal_code", Text),
    ("predicted_ltv", Money),
    ("preferred_baths_range", Any),
    ("preferred_beds_range", Any),
    ("preferred_neighborhoods", Any),
    ("preferred_num_stops", Any),
    ("preferred_price_range", Any),
    ("preferred_star_ratings", Any),
    ("price", Text),
    ("product_catalog_id", Text),
    ("property_type", Text),
    ("region", Text),
    ("returning_arrival_date", Text),
    ("returning_departure_date", Text),
    ("search_string", Text),
    ("state_of_vehicle", Text),
    ("status", Any),
    ("store_data", StoreData),
    ("success", Flag),
    ("suggested_destinations", Any),
    ("suggested_home_listings", Any),
    ("suggested_hotels", Any),
    ("suggested_jobs", Any),
    ("suggested_local_service_businesses", Any),
    ("suggested_location_based_items", Any),
    ("suggested_vehicles", Any),
    ("transmission", Text),
    ("travel_class", Text),
    ("travel_end", Text),
    ("travel_start", Text),
    ("trim", Text),
    ("user_bucket", Any),
    ("value", Money),
    ("vin", Text),
    ("year", Any),
];

/// An entry of `contents`. Further keys pass unchanged.
pub(crate) static CONTENT: Table = Table::new(CONTENT_KEYS);

const CONTENT_KEYS: &[(&str, Shape)] = &[
    ("brand", Text),
    ("category", Text),
    ("delivery_category", Enum(DELIVERY)),
    ("description", Text),
    ("id", Text),
    ("item_price", Price),
    ("price", Price),
    ("quantity", Integer),
    ("title", Text),
];

/// `store_data` of offline events.
pub(crate) static STORE_DATA: Table = Table::new(STORE_DATA_KEYS);

const STORE_DATA_KEYS: &[(&str, Shape)] = &[
    ("brand_page_id", Text),
    ("store_code", Text),
    ("store_page_id", Text),
];

/// `app_data`.
pub(crate) static APP_DATA: Table = Table::new(APP_DATA_KEYS);

const APP_DATA_KEYS: &[(&str, Shape)] = &[
    ("advertiser_tracking_enabled", Flag),
    ("application_tracking_enabled", Flag),
    ("campaign_ids", Text),
    ("consider_views", Flag),
    ("extinfo", Extinfo),
    ("include_dwell_data", Flag),
    ("include_video_data", Flag),
    ("install_referrer", Text),
    ("installer_package", Text),
    ("receipt_data", Text),
    ("url_schemes", Any),
    ("vendor_id", Text),
    ("windows_attribution_id", Text),
];

/// `original_event_data`.
pub(crate) static ORIGINAL_EVENT_DATA: Table = Table::new(ORIGINAL_EVENT_DATA_KEYS);

const ORIGINAL_EVENT_DATA_KEYS: &[(&str, Shape)] = &[
    ("event_id", Id),
    ("event_name", Id),
    ("event_time", Time),
    ("order_id", Id),
];

/// `attribution_data`.
pub(crate) static ATTRIBUTION_DATA: Table = Table::new(ATTRIBUTION_DATA_KEYS);

const ATTRIBUTION_DATA_KEYS: &[(&str, Shape)] = &[
    ("ad_id", Text),
    ("adset_id", Text),
    ("attr_window", Integer),
    (
        "attribution_method",
        Enum(&["ard", "deeplink", "gpir", "invalid_response", "mir", "srn"]),
    ),
    (
        "attribution_model",
        Enum(&[
            "customized_multi_touch",
            "first_touch",
            "last_click",
            "last_touch",
            "linear",
            "position_based",
            "time_decay",
            "unknown",
        ]),
    ),
    ("attribution_setting", AttributionSetting),
    ("attribution_share", Number),
    ("attribution_source", Text),
    ("attribution_value", Money),
    ("auditing_token", Text),
    ("campaign_id", Text),
    (
        "decline_reason",
        Enum(&[
            "attribute_to_other_source",
            "duplicated",
            "fraud_detected",
            "inactive",
            "lookback",
            "min_time_between_re_engagements",
            "not_pmod_match",
            "out_of_lookback_window",
            "pmod_disabled",
            "preload_install",
            "reinstall_attribution_disabled",
            "unknown",
            "validation_rule_detected",
            "view_through_disabled",
            "within_inactive_window",
        ]),
    ),
    ("linkage_key", Text),
    ("partner_client_id", Text),
    ("scope", Text),
    ("total_credit", Number),
    ("touchpoint_id", Text),
    ("touchpoint_ts", Time),
    ("touchpoint_type", Text),
    ("visit_time", Time),
];

/// `attribution_setting` inside `attribution_data`.
pub(crate) static ATTRIBUTION_SETTING: Table = Table::new(ATTRIBUTION_SETTING_KEYS);

const ATTRIBUTION_SETTING_KEYS: &[(&str, Shape)] = &[
    ("inactivity_window_hours", Integer),
    ("reattribution_window_hours", Integer),
];

/// Which keys of a table were written, and whether anything was.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keys {
    known: u128,
    count: usize,
}

impl Keys {
    /// Notes a written key, by its place in the table if it has one.
    pub(crate) fn insert(&mut self, place: Option<usize>) {
        self.known |= place.map_or(0, |place| 1 << place);
        self.count += 1;
    }

    pub(crate) fn has(self, table: &Table, key: &str) -> bool {
        table
            .find(key.as_bytes())
            .is_some_and(|place| self.known & (1 << place) != 0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.count == 0
    }
}

/// The key of a table that `key` is probably meant to be.
pub(crate) fn did_you_mean(
    candidates: impl IntoIterator<Item = &'static str>,
    key: &str,
) -> Option<&'static str> {
    if key.len() > 40 || key.len() < 3 {
        return None;
    }
    let is_separator = |c: char| matches!(c, '_' | '-' | ' ');
    let folded = |text: &str| text.to_ascii_lowercase().replace(is_separator, "");
    let length = |text: &str| text.chars().filter(|c| !is_separator(*c)).count();
    let first = |text: &str| text.chars().next().map(|c| c.to_ascii_lowercase());
    let (wanted, wanted_length, wanted_first) = (folded(key), length(key), first(key));
    candidates
        .into_iter()
        // Custom properties are common and typing errors are not: most candidates are told apart
        // by length and first letter, without comparing the rest.
        .filter(|known| {
            first(known) == wanted_first && length(known).abs_diff(wanted_length) <= known.len() / 4
        })
        .map(|known| (strsim::damerau_levenshtein(&folded(known), &wanted), known))
        .filter(|(distance, known)| *distance <= known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_at_its_place() {
        for table in [
            &CUSTOM_DATA,
            &CONTENT,
            &STORE_DATA,
            &APP_DATA,
            &ORIGINAL_EVENT_DATA,
            &ATTRIBUTION_DATA,
            &ATTRIBUTION_SETTING,
        ] {
            for (place, (key, _)) in table.entries.iter().enumerate() {
                assert_eq!(table.find(key.as_bytes()), Some(place), "{key}");
            }
            for key in ["", "colour", "Value", "values", "é"] {
                assert_eq!(table.find(key.as_bytes()), None, "{key}");
            }
        }
    }

    #[test]
    fn guesses_only_close_keys() {
        let guess = |key| did_you_mean(CUSTOM_DATA.keys(), key);
        assert_eq!(guess("currancy"), Some("currency"));
        assert_eq!(guess("contentIds"), Some("content_ids"));
        assert_eq!(guess("colour"), None);
        assert_eq!(guess("id"), None);
    }
}
