//! `user_data`: who it is, in every form in which senders say it.

use serde_json::{Value, json};
use sluice_event::{Country, ExternalId, Hashed, Rules};

use super::{Row, assert_codes, assert_none, of_person, seal_value, seal_value_by};
use crate::support::Outcome;

/// The hash of Meta's own sample address, `john_smith@gmail.com`.
const EM: &str = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";

fn seal_person(user_data: &str) -> Outcome {
    seal_value(&of_person(user_data))
}

fn hash(text: &str) -> Value {
    Hashed::of(text).as_str().into()
}

/// Meta refuses an event whose fields are all within one of these sets (100/2804050).
#[test]
fn sets_that_fit_too_many_people_are_refused() {
    for user_data in [
        r#"{"ge":"f","ct":"Berlin","st":"Berlin","country":"de"}"#,
        r#"{"ct":"Berlin","country":"de","st":"Berlin","zp":"10115","ge":"f","client_user_agent":"Mozilla/5.0"}"#,
        r#"{"ct":"Berlin"}"#,
        r#"{"country":"de"}"#,
        r#"{"st":"CA"}"#,
        r#"{"zp":"10115"}"#,
        r#"{"ge":"f"}"#,
        r#"{"client_user_agent":"Mozilla/5.0"}"#,
        r#"{"db":"1997-02-16"}"#,
        r#"{"db":"1997-02-16","client_user_agent":"Mozilla/5.0"}"#,
        r#"{"fn":"Mary"}"#,
        r#"{"fn":"Mary","ge":"f"}"#,
        r#"{"ln":"Smith"}"#,
        r#"{"ln":"Smith","ge":"f"}"#,
    ] {
        let outcome = seal_person(user_data);
        assert_eq!(outcome.codes(), ["user_data_too_broad"], "{user_data}");
        assert!(outcome.sealed.is_none(), "{user_data}");
    }
    // What is left counts, not what was sent.
    let outcome = seal_person(r#"{"em":"nobody","ct":"Berlin"}"#);
    assert_eq!(outcome.codes(), ["em_invalid", "user_data_too_broad"]);
    let outcome = seal_person(r#"{"em":"nobody"}"#);
    assert_eq!(outcome.codes(), ["em_invalid", "user_data_missing"]);
}

#[test]
fn one_field_beyond_such_a_set_is_enough() {
    for user_data in [
        r#"{"ct":"Berlin","em":"john@example.com"}"#,
        r#"{"ct":"Berlin","ph":"+49301234567"}"#,
        r#"{"ct":"Berlin","external_id":"42"}"#,
        r#"{"client_user_agent":"Mozilla/5.0","client_ip_address":"203.0.113.7"}"#,
        r#"{"ct":"Berlin","fbp":"fb.1.1700000000000.1098115397"}"#,
        r#"{"ct":"Berlin","fbc":"fb.1.1700000000000.AbC"}"#,
        r#"{"ct":"Berlin","lead_id":"1234567890123456"}"#,
        r#"{"ct":"Berlin","madid":"38400000-8cf0-11bd-b23e-10b96e40000d"}"#,
        r#"{"fn":"Mary","ln":"Smith"}"#,
        r#"{"fn":"Mary","ct":"Berlin"}"#,
        r#"{"db":"1997-02-16","ge":"f"}"#,
    ] {
        let outcome = seal_person(user_data);
        assert!(
            outcome.sealed.is_some(),
            "{user_data}: {:?}",
            outcome.codes()
        );
    }
}

#[test]
fn bad_values_cost_themselves_alone() {
    let rows: &[Row<'_>] = &[
        (r#"{"user_data":{"ph":"12"}}"#, &["ph_invalid"]),
        (r#"{"user_data":{"ph":"07911 123456"}}"#, &["ph_no_country"]),
        (r#"{"user_data":{"fn":"--.."}}"#, &["name_invalid"]),
        (r#"{"user_data":{"ct":"12345"}}"#, &["place_invalid"]),
        (r#"{"user_data":{"db":"31/12/1899"}}"#, &["db_invalid"]),
        (r#"{"user_data":{"db":"05-03-1995"}}"#, &["db_ambiguous"]),
        (r#"{"user_data":{"ge":"other"}}"#, &["ge_unknown"]),
        (r#"{"user_data":{"zp":"1"}}"#, &["zp_invalid"]),
        (
            r#"{"user_data":{"country":"Atlantis"}}"#,
            &["country_unknown"],
        ),
        (r#"{"user_data":{"dobd":"32"}}"#, &["birth_part_invalid"]),
        (r#"{"user_data":{"lead_id":"12345"}}"#, &["lead_id_invalid"]),
        (
            r#"{"user_data":{"client_ip_address":"256.256.256.256"}}"#,
            &["ip_invalid"],
        ),
        (
            r#"{"user_data":{"client_ip_address":"10.0.0.1"}}"#,
            &["ip_not_public"],
        ),
        (r#"{"user_data":{"fbc":"AbCdEfGh"}}"#, &["fbc_invalid"]),
        (r#"{"user_data":{"fbc":"IwAR2F4-dbP0"}}"#, &["key_alias"]),
        (
            r#"{"user_data":{"fn":"M&uuml;ller","ct":"K%C3%B6ln"}}"#,
            &["value_mended"],
        ),
        // A number whose exponent or point says that its digits may be gone, as a number and as text.
        (
            r#"{"user_data":{"ph":4915120000000.0}}"#,
            &["value_damaged"],
        ),
        (r#"{"user_data":{"ph":4.91512e12}}"#, &["value_damaged"]),
        (r#"{"user_data":{"ph":"4.91512E+12"}}"#, &["value_damaged"]),
        (r#"{"user_data":{"ph":491512345678.0}}"#, &["ph_no_country"]),
        (
            r#"{"user_data":{"fbc":"fb.1.1554763741.AbC"}}"#,
            &["fbc_time"],
        ),
        (
            r#"{"user_data":{"fbp":"fb.1.1554763741205.abc"}}"#,
            &["fbp_invalid"],
        ),
        (r#"{"user_data":{"fn":""}}"#, &["value_empty"]),
        (r#"{"user_data":{"fn":"   "}}"#, &["value_empty"]),
        (
            r#"{"user_data":{"fn":"undefined"}}"#,
            &["value_placeholder"],
        ),
        (
            r#"{"user_data":{"fn":"{{first_name}}"}}"#,
            &["value_placeholder"],
        ),
        (r#"{"user_data":{"fn":"Jos\ufffd"}}"#, &["text_damaged"]),
        (r#"{"user_data":{"fn":{"first":"Mary"}}}"#, &["value_type"]),
        (r#"{"user_data":{"fn":true}}"#, &["value_type"]),
        (r#"{"user_data":{"fn":["Mary",["Ann"]]}}"#, &["value_type"]),
        (
            r#"{"user_data":{"subscription_id":"john@example.com"}}"#,
            &["id_contact_data"],
        ),
        (
            r#"{"user_data":{"client_user_agent":"john@example.com"}}"#,
            &["id_contact_data"],
        ),
        (
            r#"{"user_data":{"client_user_agent":"+4915123456789"}}"#,
            &["id_contact_data"],
        ),
        (
            r#"{"user_data":{"client_user_agent":"Bot/1.0 (owner@example.com)"}}"#,
            &[],
        ),
        (
            r#"{"user_data":{"fbp":["fb.1.1700000000000.1","fb.1.1700000000000.2"]}}"#,
            &["too_many"],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"john_smith@gmail.com"}"#), rows);
}

#[test]
fn nulls_inside_user_data_are_no_values() {
    let outcome = seal_person(r#"{"em":[null,"john_smith@gmail.com",null],"ph":null,"fbc":null}"#);
    assert_eq!(outcome.codes(), [""; 0]);
    assert_eq!(outcome.json()["user_data"], json!({ "em": [EM] }));
}

/// S8, S13 and what Meta's libraries and senders do besides.
#[test]
fn hashes_are_recognised() {
    let upper = EM.to_uppercase();
    let md5 = "5f4dcc3b5aa765d61d8327deb882cf99";
    let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (value, expected, codes) in [
        (EM.to_owned(), Some(EM.to_owned()), &[][..]),
        (format!("  {upper} "), Some(EM.to_owned()), &[]),
        (
            format!("{EM}.AQQCAQMC"),
            Some(format!("{EM}.AQQCAQMC")),
            &[],
        ),
        (
            format!("{upper}.AQQCAQMC"),
            Some(format!("{EM}.AQQCAQMC")),
            &[],
        ),
        (format!("{EM}.BA"), Some(format!("{EM}.BA")), &[]),
        (md5.to_owned(), Some(md5.to_owned()), &["hash_md5"]),
        (md5.to_uppercase(), Some(md5.to_owned()), &["hash_md5"]),
        (of_nothing.to_owned(), None, &["hash_of_nothing"]),
        (
            hash("null").as_str().unwrap().to_owned(),
            None,
            &["hash_of_nothing"],
        ),
        (EM[1..].to_owned(), None, &["em_invalid"]),
        (format!("{EM}0"), None, &["em_invalid"]),
    ] {
        let outcome = seal_person(&json!({ "em": value, "madid": "x1" }).to_string());
        assert_eq!(outcome.codes(), codes, "{value}");
        let expected = expected.map_or(Value::Null, |hash| json!([hash]));
        assert_eq!(outcome.json()["user_data"]["em"], expected, "{value}");
    }
}

#[test]
fn equal_values_are_sent_once() {
    let outcome = seal_person(
        &json!({ "em": ["John_Smith@gmail.com", " john_smith@gmail.com", EM], "email": EM })
            .to_string(),
    );
    assert_eq!(outcome.json()["user_data"]["em"], json!([EM]));
}

/// S9 to S12, and the shapes in which proxies write addresses.
#[test]
fn addresses_are_sent_as_meta_wants_them() {
    for (value, expected) in [
        (
            "2001:4860:4860::8888.AQQAAQMC",
            Some("2001:4860:4860::8888.AQQAAQMC"),
        ),
        ("168.212.226.204.AQQAAQMC", Some("168.212.226.204.AQQAAQMC")),
        (" 203.0.113.7 ", Some("203.0.113.7")),
        ("203.0.113.7:51234", Some("203.0.113.7")),
        ("[2001:4860:4860::8888]:443", Some("2001:4860:4860::8888")),
        ("2001:4860:4860:0:0:0:0:8888", Some("2001:4860:4860::8888")),
        ("::ffff:203.0.113.7", Some("203.0.113.7")),
        ("256.256.256.256", None),
        ("10.0.0.1", None),
        ("::1", None),
        ("shop.example", None),
    ] {
        let outcome =
            seal_person(&json!({ "external_id": "1", "client_ip_address": value }).to_string());
        let found = &outcome.json()["user_data"]["client_ip_address"];
        assert_eq!(found.as_str(), expected, "{value}");
    }
}

/// S4 to S7: click ids go as they came, to the last character's case.
#[test]
fn click_ids_go_untouched() {
    for (value, expected, codes) in [
        ("fb.1.1554763741205.AbC", true, &[][..]),
        ("fb.1.1554763741205.AbC.AQQCAQMC", true, &[]),
        ("fb.1.1554763741205.AbC.BA", true, &[]),
        ("fb.1.1554763741205.Ab.C_d-e", true, &[]),
        ("fb.1.1554763741.AbC", true, &["fbc_time"]),
        ("fb.1.1999999999999.AbC", true, &["fbc_time"]),
        ("AbCdEfGh", false, &["fbc_invalid"]),
        ("FB.1.1554763741205.AbC", false, &["fbc_invalid"]),
        ("fb.1.1554763741205.", false, &["fbc_invalid"]),
        (
            "fb.1.1554763741205.john@example.com",
            false,
            &["fbc_invalid"],
        ),
    ] {
        let outcome = seal_person(&json!({ "external_id": "1", "fbc": value }).to_string());
        assert_eq!(outcome.codes(), codes, "{value}");
        let found = &outcome.json()["user_data"]["fbc"];
        assert_eq!(found.as_str(), expected.then_some(value), "{value}");
    }
}

/// S1: without a cookie, the click id is dated by the event and set on the second level.
#[test]
fn a_bare_fbclid_becomes_a_click_id() {
    for event in [
        r#"{"event_time":1789999940,"fbclid":"IwAR2F4-dbP0","user_data":{"external_id":"1"}}"#,
        r#"{"fbclid":"IwAR2F4-dbP0","user_data":{"external_id":"1"},"event_time":1789999940}"#,
        r#"{"event_time":1789999940,"user_data":{"external_id":"1","fbclid":"IwAR2F4-dbP0"}}"#,
        r#"{"user_data":{"external_id":"1","fbc":"IwAR2F4-dbP0"},"event_time":1789999940}"#,
        r#"{"user_data":{"external_id":"1","fbc":["IwAR2F4-dbP0"]},"event_time":1789999940}"#,
        r#"{"user_data":{"external_id":"1"},"event_time":1789999940,"event_source_url":"https://shop.example/?a=1&fbclid=IwAR2F4-dbP0#x"}"#,
        r#"{"user_data":{"external_id":"1"},"event_time":1789999940,"referrer_url":"https://shop.example/?fbclid=IwAR2F4-dbP0"}"#,
    ] {
        let event = event.replacen('{', r#"{"event_name":"Lead","action_source":"email","#, 1);
        let json = crate::support::seal(&event).json();
        assert_eq!(
            json["user_data"]["fbc"], "fb.1.1789999940000.IwAR2F4-dbP0",
            "{event}"
        );
    }
    let mut nothing = of_person(r#"{"external_id":"1"}"#);
    nothing["event_source_url"] = "https://shop.example/?fbclid=undefined".into();
    assert_eq!(seal_value(&nothing).json()["user_data"]["fbc"], json!(null));
    // S2: what a cookie said is older, so it stays.
    let both =
        r#"{"external_id":"1","fbclid":"IwAR2F4-dbP0","fbc":"fb.1.1700000000000.IwAR2F4-dbP0"}"#;
    let mut event = of_person(both);
    event["event_source_url"] = "https://shop.example/?fbclid=IwAR2F4-other".into();
    let json = seal_value(&event).json();
    assert_eq!(json["user_data"]["fbc"], "fb.1.1700000000000.IwAR2F4-dbP0");
}

#[test]
fn external_ids_are_hashed_by_choice() {
    let user_data = json!({ "external_id": ["User-42", 42, "john@example.com", EM] }).to_string();
    let event = of_person(&user_data);
    let hashed = seal_value(&event);
    assert_eq!(hashed.codes(), [""; 0]);
    let expected = json!([hash("User-42"), hash("42"), hash("john@example.com"), EM]);
    assert_eq!(hashed.json()["user_data"]["external_id"], expected);

    let rules = Rules {
        external_id: ExternalId::AsIs,
        ..Rules::default()
    };
    let as_is = seal_value_by(&event, &rules);
    // Whatever the setting, an address does not leave in the clear.
    assert_eq!(as_is.codes(), ["external_id_hashed"]);
    let expected = json!(["User-42", "42", hash("john@example.com"), EM]);
    assert_eq!(as_is.json()["user_data"]["external_id"], expected);
}

#[test]
fn variants_add_the_hash_of_metas_other_libraries() {
    let rules = Rules {
        variants: true,
        ..Rules::default()
    };
    for (field, value, expected) in [
        ("fn", "Mary-Ann", &["maryann", "mary-ann"][..]),
        ("ln", "van der Berg", &["vanderberg", "van der berg"]),
        ("ct", "Zürich", &["zürich", "zrich"]),
        ("zp", "M1 1AE", &["m11ae", "m1 1ae"]),
        ("fn", "Mary", &["mary"]),
        ("em", "John_Smith@gmail.com", &["john_smith@gmail.com"]),
        ("fn", EM, &[]),
    ] {
        let event = of_person(&json!({ "external_id": "1", field: value }).to_string());
        let mut expected: Vec<Value> = expected.iter().map(|text| hash(text)).collect();
        if expected.is_empty() {
            expected.push(EM.into());
        }
        let json = seal_value_by(&event, &rules).json();
        assert_eq!(
            json["user_data"][field],
            Value::Array(expected),
            "{field} {value}"
        );
    }
}

/// A national number needs a country: the person's own, else the source's default, else none.
#[test]
fn national_phone_numbers_take_the_country_from_the_event_or_the_rules() {
    let rules = |country| Rules {
        default_country: Country::parse(country),
        ..Rules::default()
    };
    for (user_data, default, expected, codes) in [
        (json!({ "ph": "030 1234567" }), "de", "49301234567", &[][..]),
        (
            json!({ "ph": "030 1234567", "country": "at" }),
            "de",
            "43301234567",
            &[],
        ),
        (
            json!({ "ph": "07911 123456", "country": "UK" }),
            "",
            "447911123456",
            &[],
        ),
        (json!({ "ph": "+1 650 555 1212" }), "de", "16505551212", &[]),
        (
            json!({ "ph": "030 1234567" }),
            "",
            "301234567",
            &["ph_no_country"],
        ),
        (
            json!({ "ph": "06 12 34 56 78", "country": hash("fr") }),
            "de",
            "33612345678",
            &[],
        ),
        (
            json!({ "ph": "030 1234567", "country": ["null", ""] }),
            "de",
            "49301234567",
            &["value_empty", "value_placeholder"],
        ),
        // Whoever is from somewhere else is not from the default country.
        (
            json!({ "ph": "030 1234567", "country": "Nowhereland" }),
            "de",
            "301234567",
            &["country_unknown", "ph_no_country"],
        ),
        (
            json!({ "ph": "030 1234567", "country": hash("Nowhereland") }),
            "de",
            "301234567",
            &["hash_unmatched", "ph_no_country"],
        ),
    ] {
        let outcome = seal_value_by(&of_person(&user_data.to_string()), &rules(default));
        assert_eq!(outcome.codes(), codes, "{user_data} {default}");
        let expected = json!([hash(expected)]);
        assert_eq!(
            outcome.json()["user_data"]["ph"],
            expected,
            "{user_data} {default}"
        );
    }
}

#[test]
fn postcodes_are_cut_to_five_digits_in_the_us_alone() {
    for (country, value, expected) in [
        ("us", "940351234", "94035"),
        ("us", "94035-1234", "94035"),
        ("de", "940351234", "940351234"),
        ("gb", "M1 1AE", "m11ae"),
    ] {
        let user_data = json!({ "external_id": "1", "zp": value, "country": country });
        let json = seal_person(&user_data.to_string()).json();
        assert_eq!(
            json["user_data"]["zp"],
            json!([hash(expected)]),
            "{country} {value}"
        );
    }
}

/// The keys that only Meta's SDKs know take one hash, not a list.
#[test]
fn sdk_only_fields_are_single_hashes() {
    let user_data = r#"{"external_id":"1","f5first":"George","f5last":"Washington","fi":"Abc",
        "dobd":"1","dobm":2,"doby":"1997","app_user_id":"U-1"}"#;
    let outcome = seal_person(user_data);
    assert_eq!(outcome.codes(), [""; 0]);
    let json = outcome.json();
    for (field, expected) in [
        ("f5first", "georg"),
        ("f5last", "washi"),
        ("fi", "a"),
        ("dobd", "01"),
        ("dobm", "02"),
        ("doby", "1997"),
        ("app_user_id", "U-1"),
    ] {
        assert_eq!(json["user_data"][field], hash(expected), "{field}");
    }
}

/// What Meta forbids to hash goes in the clear, as text, and as a scalar.
#[test]
fn ids_of_other_systems_go_in_the_clear() {
    let user_data = json!({
        "subscription_id": "sub_1", "fb_login_id": 12_345_678_901_234_567_890_u64,
        "lead_id": "l:1234567890123456", "anon_id": "A1", "madid": "38400000-8cf0-11bd-b23e-10b96e40000d",
        "page_id": 1, "page_scoped_user_id": "2", "ctwa_clid": "Clid",
        "whatsapp_business_account_id": "3", "ig_account_id": "4", "ig_sid": ["5"],
    });
    let sent = json!({
        "subscription_id": "sub_1", "fb_login_id": "12345678901234567890",
        "lead_id": "1234567890123456", "anon_id": "A1", "madid": "38400000-8cf0-11bd-b23e-10b96e40000d",
        "page_id": "1", "page_scoped_user_id": "2", "ctwa_clid": "Clid",
        "whatsapp_business_account_id": "3", "ig_account_id": "4", "ig_sid": "5",
    });
    assert_eq!(
        seal_person(&user_data.to_string()).json()["user_data"],
        sent
    );
    // Tracking switched off on the phone: all zeros are nobody's.
    let zeros = r#"{"em":"a@b.de","madid":"00000000-0000-0000-0000-000000000000"}"#;
    assert_eq!(seal_person(zeros).codes(), ["value_placeholder"]);
}

#[test]
fn flat_events_and_other_names_find_their_field() {
    let event = r#"{"event":"Lead","timestamp":1789999940,"unique_event_id":"A-1","channel":"phone_call",
        "customerEmail":"John_Smith@gmail.com","First Name":"Mary","last_name":"Smith","zip_code":"10115",
        "city":"Berlin","country_code":"DE","customer_id":"42","order_id":"O-1","total":"12.50",
        "currency_code":"EUR"}"#;
    let outcome = crate::support::seal(event);
    assert!((outcome.findings.iter()).all(|finding| finding.code.name() == "key_alias"));
    let json = outcome.json();
    assert_eq!(json["event_id"], "A-1");
    assert_eq!(
        json["user_data"],
        json!({
            "em": [EM], "fn": [hash("mary")], "ln": [hash("smith")], "zp": [hash("10115")],
            "ct": [hash("berlin")], "country": [hash("de")], "external_id": [hash("42")],
        })
    );
    assert_eq!(
        json["custom_data"],
        json!({ "order_id": "O-1", "value": 12.50, "currency": "EUR" })
    );
}

/// What a program writes for a missing value, alone or put together with something, and ids of nobody.
#[test]
fn words_for_nothing_are_no_values_wherever_they_stand() {
    let mut wrong = Vec::new();
    for (field, value) in [
        ("external_id", "0"),
        ("external_id", "-1"),
        ("external_id", "00000000-0000-0000-0000-000000000000"),
        ("external_id", "guest"),
        ("external_id", "Anonymous"),
        ("external_id", "false"),
        ("external_id", "[]"),
        ("external_id", "{}"),
        ("external_id", "\"\""),
        ("external_id", "user_undefined"),
        ("external_id", "customer-0"),
        ("fb_login_id", "0"),
        ("subscription_id", "sub_null"),
        ("app_user_id", "guest"),
        ("anon_id", "{{anon_id}}"),
        ("page_id", "0"),
        ("fbc", "fb.1.1596403881668.undefined"),
        ("fbc", "fb.1.1596403881668.null"),
        ("fbc", "fb.1.1596403881668.{{fbclid}}"),
        ("fbp", "fb.1.1596403881668.undefined"),
        ("fbp", "fb.1.1596403881668.0"),
        ("fn", "undefined undefined"),
        ("fn", "null null"),
        ("fn", "nullnull"),
        ("fn", "Jane undefined"),
        ("ln", "NaN NaN"),
        ("ln", "Hello {{name}}"),
        ("ct", "undefined, undefined"),
        ("zp", "undefined-1"),
        ("ph", "+49undefined"),
        ("ph", "undefined6505551212"),
        ("em", "undefined@example.com"),
        ("em", "null@example.com"),
    ] {
        let mut user_data = json!({ "em": "a@b.de" });
        if field == "em" {
            user_data = json!({ "external_id": "7" });
        }
        user_data[field] = json!(value);
        let outcome = seal_person(&user_data.to_string());
        let is_sent = !outcome.json()["user_data"][field].is_null();
        if outcome.codes() != ["value_placeholder"] || is_sent {
            wrong.push(format!("{field} {value}: {:?}", outcome.codes()));
        }
    }
    for (field, value) in [
        ("external_id", "1"),
        ("external_id", "guest_8f3a2"),
        ("external_id", "User-42"),
        ("fn", "Nan"),
        ("fn", "Null"),
        ("ln", "O'Null"),
        ("ln", "Guest"),
        ("ct", "Nan Jing"),
        ("em", "undefined.user@example.com"),
        ("em", "jane.null@example.com"),
        ("fbc", "fb.1.1596403881668.AbC"),
    ] {
        let outcome = seal_person(&json!({ "ph": "+16505551212", field: value }).to_string());
        let is_missing = field != "fn" || value != "Null";
        if is_missing && outcome.json()["user_data"][field].is_null() {
            wrong.push(format!(
                "{field} {value} is left out: {:?}",
                outcome.codes()
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_bare_click_id_that_is_a_word_for_nothing_makes_no_click_id() {
    for value in ["undefined", "null", "{{fbclid}}", "0"] {
        let outcome = seal_person(&json!({ "em": "a@b.de", "fbclid": value }).to_string());
        assert_eq!(outcome.codes(), ["value_placeholder"], "{value}");
        assert!(outcome.json()["user_data"]["fbc"].is_null(), "{value}");
    }
}

/// All values of these fields are known, and so are their hashes.
#[test]
fn a_hash_that_nobody_can_have_is_told() {
    for (field, value, codes) in [
        ("ge", hash("m"), &[][..]),
        ("ge", hash("f"), &[]),
        ("ge", hash("male"), &["hash_unmatched"]),
        ("ge", hash("M"), &["hash_unmatched"]),
        ("country", hash("de"), &[]),
        ("country", hash("DE"), &["hash_unmatched"]),
        ("country", hash("germany"), &["hash_unmatched"]),
        ("external_id", hash("0"), &["hash_of_nothing"]),
        ("external_id", hash("guest"), &["hash_of_nothing"]),
        ("external_id", hash("unknown"), &["hash_of_nothing"]),
        ("external_id", json!("0".repeat(64)), &["hash_of_nothing"]),
        ("external_id", json!("f".repeat(64)), &[]),
        ("fn", hash("unknown"), &["hash_of_nothing"]),
        ("fn", hash("nan"), &[]),
    ] {
        let outcome = seal_person(&json!({ "em": "a@b.de", field: value }).to_string());
        assert_eq!(outcome.codes(), codes, "{field} {value}");
    }
}

/// A hash has digits among its letters. What has none is a name, however long.
#[test]
fn letters_alone_are_no_hash() {
    for value in [
        "abcdefabcdefabcdefabcdefabcdefab",
        "deadbeef".repeat(8).as_str(),
    ] {
        let outcome = seal_person(&json!({ "em": "a@b.de", "fn": value }).to_string());
        assert_eq!(outcome.codes(), [""; 0], "{value}");
        assert_eq!(outcome.json()["user_data"]["fn"], json!([hash(value)]));
    }
}
