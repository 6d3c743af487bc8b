//! Other names under which senders send Meta's fields.
//!
//! The table is what flat senders really use (Zapier, Make, n8n, CSV columns, form posts, tag
//! managers). A key is compared after folding: lower snake case, without the prefixes that such
//! senders put in front.

use crate::objection;
use crate::shape;
use crate::user_field::UserField;

/// Where a key of a flat event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Beside `event_name`.
    Event(&'static str),
    /// Into `user_data`.
    User(UserField),
    /// Into `custom_data`.
    Custom(&'static str),
    /// Into `app_data`.
    App(&'static str),
}

/// Where a key that stands beside `event_name` belongs, after folding.
pub(crate) fn of_event_key(key: &str) -> Option<Target> {
    let key = fold(key);
    let event = match &*key {
        "event_name" | "event" | "e_n" => Some("event_name"),
        "event_time" | "timestamp" | "date" | "transaction_date" | "created_at" => {
            Some("event_time")
        }
        "event_id" | "unique_event_id" => Some("event_id"),
        "event_source_url" | "page_location" | "url" | "href" | "landing_page" => {
            Some("event_source_url")
        }
        "referrer_url" | "referrer" | "referer" | "page_referrer" => Some("referrer_url"),
        "action_source" | "channel" => Some("action_source"),
        "data_processing_options" | "dpo" => Some("data_processing_options"),
        "data_processing_options_country" | "dpo_country" | "dpoco" => {
            Some("data_processing_options_country")
        }
        "data_processing_options_state" | "dpo_state" | "dpost" => {
            Some("data_processing_options_state")
        }
        "ldu" | "limited_data_use" => Some("ldu"),
        "opt_out" => Some("opt_out"),
        "messaging_channel" => Some("messaging_channel"),
        "user_data" | "match_keys" => Some("user_data"),
        "custom_data" => Some("custom_data"),
        "app_data" => Some("app_data"),
        _ => None,
    };
    let app = match &*key {
        "advertiser_tracking_enabled" => Some("advertiser_tracking_enabled"),
        "application_tracking_enabled" => Some("application_tracking_enabled"),
        "extinfo" => Some("extinfo"),
        _ => None,
    };
    event
        .map(Target::Event)
        .or_else(|| app.map(Target::App))
        .or_else(|| user_field(without_hash_marks(&key)).map(Target::User))
        .or_else(|| custom_key(&key).map(Target::Custom))
}

/// Names of switches, beside which one spelt wrong is looked for.
const SWITCHES: [&str; 5] = [
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
    "limited_data_use",
    "opt_out",
];

/// The switch of an event that a key in one of its objects means, also spelt wrong by a letter or two: nothing
/// else is called so.
pub(crate) fn of_switch(key: &str) -> Option<&'static str> {
    if objection::is_opt_out(key) {
        return Some("opt_out");
    }
    // Every property of a sender's own is asked, and nearly none begins so.
    let is_first = |first: &str| {
        (key.get(..first.len())).is_some_and(|start| start.eq_ignore_ascii_case(first))
    };
    if !["dat", "dpo", "ldu", "lim", "opt"]
        .into_iter()
        .any(is_first)
    {
        return None;
    }
    match of_event_key(key) {
        Some(Target::Event(name)) => match name {
            "ldu" | "opt_out" => Some(name),
            _ => name.starts_with("data_processing_options").then_some(name),
        },
        Some(_) => None,
        None => shape::did_you_mean(SWITCHES, key).map(|name| match name {
            "limited_data_use" => "ldu",
            _ => name,
        }),
    }
}

/// Whether a key means `test_event_code`, also spelt wrong by a letter or two.
pub(crate) fn is_test_event_code(key: &str) -> bool {
    const NAME: &str = "testeventcode";
    const TYPING_ERRORS_MAX: usize = 2;
    if key.len() < "testcode".len() || key.len() > 2 * NAME.len() {
        return false;
    }
    let is_first =
        |byte: &u8| matches!(byte.to_ascii_lowercase(), b't' | b'e' | b'f' | b'm' | b'c');
    if !key.as_bytes().first().is_some_and(is_first) {
        return false;
    }
    let has_test = (key.as_bytes().windows(2)).any(|pair| pair.eq_ignore_ascii_case(b"te"));
    if !has_test {
        return false;
    }
    let letters = key.chars().filter(|c| c.is_alphanumeric());
    let folded: String = letters.flat_map(char::to_lowercase).collect();
    let own = (["facebook", "meta", "fb", "capi"].into_iter())
        .find_map(|owner| folded.strip_prefix(owner))
        .unwrap_or(&folded);
    matches!(
        own,
        "testcode" | "eventtestcode" | "testevent" | "testeventid"
    ) || own.len().abs_diff(NAME.len()) <= TYPING_ERRORS_MAX
        && strsim::damerau_levenshtein(own, NAME) <= TYPING_ERRORS_MAX
}

/// The field that a key inside `user_data` means, after folding.
pub(crate) fn of_user_key(key: &str) -> Option<UserField> {
    let key = fold(key);
    let key = without_hash_marks(&key);
    // Beside `event_name` an `id` is that of the order or the event.
    user_field(key).or((key == "id").then_some(UserField::ExternalId))
}

/// Whether a key of `user_data` is that of an object with fields of the person in it.
pub(crate) fn is_person(key: &str) -> bool {
    matches!(
        &*fold(key),
        "address"
            | "addresses"
            | "home_address"
            | "billing_address"
            | "shipping_address"
            | "billing"
            | "shipping"
            | "location"
            | "contact"
            | "customer"
            | "person"
            | "profile"
            | "traits"
    )
}

/// What an object of `custom_data` is, that is called otherwise or that Meta's libraries do not send as one.
pub(crate) fn of_custom_object(key: &str) -> Option<&'static str> {
    Some(match key {
        "items" | "products" | "line_items" | "lineItems" | "cart_items" | "cartItems" => {
            "contents"
        }
        "custom_properties" | "customProperties" => "custom_properties",
        _ => return None,
    })
}

/// A name without the words that say of a value that it is hashed: `sha256_email_address`, `email_hash`.
fn without_hash_marks(key: &str) -> &str {
    const BEFORE: [&str; 4] = ["sha256_", "hashed_", "hash_", "sha_256_"];
    const BEHIND: [&str; 6] = [
        "_sha256",
        "_hashed",
        "_hash",
        "_sha_256",
        "_md5",
        "_encrypted",
    ];
    let before = BEFORE.iter().find_map(|mark| key.strip_prefix(mark));
    let behind = BEHIND.iter().find_map(|mark| key.strip_suffix(mark));
    before
        .or(behind)
        .filter(|rest| !rest.is_empty())
        .unwrap_or(key)
}

fn user_field(key: &str) -> Option<UserField> {
    Some(match key {
        "email" | "mail" | "email_address" | "e_mail" | "contact_email" | "emails" | "mails"
        | "email_addresses" | "billing_email" | "email_id" => UserField::Em,
        "phone" | "phone_number" | "mobile" | "telephone" | "tel" | "phones" | "phone_numbers"
        | "mobile_phone" | "mobile_number" | "cell" | "cell_phone" | "cellphone" | "phone_no"
        | "telephone_number" | "billing_phone" | "contact_phone" | "msisdn" => UserField::Ph,
        "first_name" | "firstname" | "given_name" | "fname" | "first_names" | "givenname"
        | "billing_first_name" | "forename" => UserField::Fn,
        "last_name" | "lastname" | "surname" | "family_name" | "lname" | "last_names"
        | "familyname" | "billing_last_name" => UserField::Ln,
        "city" | "town" | "locality" | "city_name" | "billing_city" | "address_city" => {
            UserField::Ct
        }
        "state"
        | "region"
        | "province"
        | "state_code"
        | "region_code"
        | "province_code"
        | "billing_state"
        | "address_state"
        | "administrative_area" => UserField::St,
        "zip" | "postal_code" | "zip_code" | "postcode" | "zipcode" | "postalcode"
        | "post_code" | "postal" | "billing_postcode" | "billing_zip" | "address_zip" => {
            UserField::Zp
        }
        "country_code" | "countrycode" | "country_iso" | "country_iso_code" | "iso_country"
        | "country_name" | "billing_country" | "address_country" | "countryiso" => {
            UserField::Country
        }
        "gender" | "gen" | "sex" => UserField::Ge,
        "dob" | "date_of_birth" | "birthday" | "birthdate" | "birth_date" | "bday" => UserField::Db,
        "customer_id" | "user_id" | "extern_id" | "externalid" | "userid" | "customerid"
        | "external_ids" | "externalids" | "id_customer" => UserField::ExternalId,
        "ip" | "ip_override" | "client_ip" | "ip_address" | "browser_ip" | "ipaddress"
        | "remote_ip" | "remote_addr" => UserField::ClientIpAddress,
        "ua" | "user_agent" | "useragent" | "browser_user_agent" | "http_user_agent" => {
            UserField::ClientUserAgent
        }
        "click_id" | "_fbc" | "fb_click_id" | "fbc_cookie" => UserField::Fbc,
        "browser_id" | "_fbp" | "fb_browser_id" | "fbp_cookie" => UserField::Fbp,
        "leadgen_id" | "facebook_lead_id" => UserField::LeadId,
        "idfa" | "gaid" | "mobile_ad_id" => UserField::Madid,
        "$fb_anon_id" => UserField::AnonId,
        _ => return UserField::from_name(key),
    })
}

fn custom_key(key: &str) -> Option<&'static str> {
    Some(match key {
        "value" | "revenue" | "amount" | "total" | "total_price" | "price" => "value",
        "currency" | "currency_code" => "currency",
        "content_ids" | "content_id" | "product_ids" | "sku" => "content_ids",
        "contents" | "items" | "products" | "line_items" | "cart_items" => "contents",
        "num_items" | "item_count" => "num_items",
        "order_id" | "transaction_id" => "order_id",
        "content_name" => "content_name",
        "content_category" => "content_category",
        "content_type" => "content_type",
        "search_string" => "search_string",
        "status" => "status",
        "predicted_ltv" => "predicted_ltv",
        "delivery_category" => "delivery_category",
        "item_number" => "item_number",
        _ => return None,
    })
}

/// Lower snake case without the prefixes of tag managers and form builders.
fn fold(key: &str) -> String {
    let mut folded = String::with_capacity(key.len() + 4);
    let mut was_lower = false;
    for c in key.trim().chars() {
        if c.is_ascii_uppercase() && was_lower {
            folded.push('_');
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        folded.push(match c {
            ' ' | '-' => '_',
            _ => c.to_ascii_lowercase(),
        });
    }
    for prefix in [
        "user.",
        "custom.",
        "match_keys.",
        "properties.",
        "user_",
        "customer_",
        "custom_",
    ] {
        // The prefix is part of the name itself in these.
        if matches!(
            &*folded,
            "user_data" | "custom_data" | "user_id" | "user_agent" | "customer_id"
        ) {
            break;
        }
        if let Some(rest) = folded.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            return rest.to_owned();
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keys_find_their_place() {
        for (key, expected) in [
            ("email", Some(Target::User(UserField::Em))),
            ("customerEmail", Some(Target::User(UserField::Em))),
            ("user.phone_number", Some(Target::User(UserField::Ph))),
            ("First Name", Some(Target::User(UserField::Fn))),
            ("user_id", Some(Target::User(UserField::ExternalId))),
            ("eventTime", Some(Target::Event("event_time"))),
            ("custom_value", Some(Target::Custom("value"))),
            ("transaction_id", Some(Target::Custom("order_id"))),
            ("user_agent", Some(Target::User(UserField::ClientUserAgent))),
            ("fbclid", None),
            ("favourite_colour", None),
        ] {
            assert_eq!(of_event_key(key), expected, "{key}");
        }
    }
}
