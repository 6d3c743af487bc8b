//! What the laws are tried on: JSON as it is written, from plain rubbish to nearly good events.

use std::fmt;

use proptest::prelude::*;
use sluice_event::{ActionSource, Country, ExternalId, Moment, Rules};

use crate::support::NOW;

/// A JSON value as text: flaws, odd numbers and repeated keys included.
#[derive(Clone)]
pub(crate) enum Json {
    /// A scalar, as written.
    Token(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn text(text: &str) -> Self {
        Json::Token(serde_json::Value::from(text).to_string())
    }
}

impl fmt::Debug for Json {
    /// As JSON: it is what a failed law shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Token(token) => f.write_str(token),
            Json::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (at, (key, value)) in members.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", Json::text(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Scalars that have broken other programs.
const ODD_TOKENS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1e400",
    "-1E-400",
    "1e2",
    "0.1",
    "12.000000",
    "123456789012345678901234567890",
    "0.000000000000000000000000000001",
    "9007199254740993",
    "-9223372036854775809",
    r#""""#,
    r#"" ""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""a\ud83db""#,
    r#""\u0000""#,
    r#""\b\f\n\r\t\/\\\"""#,
    r#""\u202eabc\u202c""#,
    r#""\u200b\ufeff""#,
    r#""\ufffd""#,
    r#""null""#,
    r#""Null""#,
    r#""None""#,
    r#""NaN""#,
    r#""undefined""#,
    r#""{{x}}""#,
    r#""[1,{\"id\":\"A\"}]""#,
    r#""{\"id\":\"A\",\"quantity\":2}""#,
    r#""[[[[""#,
    r#""john@example.com""#,
    r#""+49 30 1234567""#,
    r#""07911 123456""#,
    r#""%zz%4""#,
    r#""%""#,
    r#""fb.1.1700000000000.AbC""#,
    r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
    r#""62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F.AQQCAQMC""#,
    r#""5f4dcc3b5aa765d61d8327deb882cf99.BA""#,
    r#""1960-01-01T00:00:00Z""#,
    r#""9999-12-31T23:59:59Z""#,
    r#""1.234,56 \u20ac""#,
    r#""İIı\u0307""#,
    r#""\u03a9\u0301ΣΣς""#,
    r#""שלום""#,
];

pub(crate) fn token() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => prop::sample::select(ODD_TOKENS).prop_map(|token| Json::Token(token.to_owned())),
        1 => "\\PC{0,12}".prop_map(|text| Json::text(&text)),
        1 => "[ -~]{0,24}".prop_map(|text| Json::text(&text)),
        1 => any::<String>().prop_map(|text| Json::text(&text)),
        1 => "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?".prop_map(Json::Token),
    ]
}

fn odd_key() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,10}",
        "[a-z_.@+ ]{0,70}",
        prop::sample::select(
            &[
                "",
                "x.y",
                "a\"b",
                "john@example.com",
                "email",
                "\u{202e}k",
                "\0"
            ][..]
        )
        .prop_map(str::to_owned),
        meta_key(),
    ]
}

/// Any key of Meta's, at any place.
fn meta_key() -> impl Strategy<Value = String> {
    let keys = [EVENT, USER, CUSTOM, CONTENT, APP, ORIGINAL, ATTRIBUTION];
    let keys: Vec<_> = keys
        .iter()
        .flat_map(|table| table.iter().map(|(key, _)| *key))
        .collect();
    prop::sample::select(keys).prop_map(str::to_owned)
}

/// JSON of any shape, now and then with one of Meta's keys.
pub(crate) fn any_json() -> impl Strategy<Value = Json> {
    token().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::vec((odd_key(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}

/// Keys, each with values (as JSON) that an honest sender might write.
type Table = &'static [(&'static str, &'static [&'static str])];

const TIMES: &[&str] = &[
    "1789999940",
    "1789999940",
    "1789500000",
    "1790000100",
    r#""1789999940""#,
    "1789999940123",
    "1789999940.5",
    r#""2026-09-21T14:12:20Z""#,
    r#""2026-09-21T14:12:20""#,
];
const TEXTS: &[&str] = &[
    r#""Shoes, red""#,
    r#""Größe 43""#,
    "43",
    r#""a b\nc""#,
    "true",
];
const NUMBERS: &[&str] = &[
    "129.90",
    r#""129.90""#,
    r#""1.234,56 €""#,
    "-3",
    "0",
    r#""12,50""#,
    "1e2",
];
const COUNTS: &[&str] = &["1", "2.0", r#""3""#, "0", "-1", "1.5"];
const FLAGS: &[&str] = &["true", "0", "1", r#""yes""#, r#""maybe""#];
const URLS: &[&str] = &[
    r#""https://shop.example/ok?o=7#top""#,
    r#""https://shop.example/ok?email=john%40example.com&o=7""#,
    r#""https://shop.example/u/john@example.com/x""#,
    r#""shop.example/a b""#,
    r#""//shop.example?x""#,
    r#""https://john:secret@shop.example/""#,
    r#""http://host/p?x=1.AQQCAQMC""#,
    r#""/thanks""#,
];

const EVENT: Table = &[
    (
        "event_name",
        &[
            r#""Purchase""#,
            r#""Lead""#,
            r#""LeadSubmitted""#,
            r#""purchase""#,
            r#""SalonBooked""#,
            r#""AppendAttribution""#,
        ],
    ),
    ("event_time", TIMES),
    ("event_id", &[r#""A-1""#, "42", r#"" x ""#]),
    (
        "action_source",
        &[
            r#""website""#,
            r#""app""#,
            r#""physical_store""#,
            r#""business_messaging""#,
            r#""system_generated""#,
            r#""web""#,
        ],
    ),
    ("event_source_url", URLS),
    ("referrer_url", URLS),
    ("opt_out", FLAGS),
    (
        "data_processing_options",
        &[r#"["LDU"]"#, "[]", r#""LDU""#, r#"["GDPR"]"#],
    ),
    ("data_processing_options_country", &["0", "1", "49"]),
    (
        "data_processing_options_state",
        &["0", "1000", r#""1013""#, "7"],
    ),
    (
        "messaging_channel",
        &[
            r#""whatsapp""#,
            r#""Messenger""#,
            r#""instagram""#,
            r#""telegram""#,
        ],
    ),
    (
        "customer_segmentation",
        &[r#""new_customer_to_business""#, r#""regular""#],
    ),
    ("advanced_measurement_table", TEXTS),
    ("advertiser_tracking_enabled", FLAGS),
    ("extinfo", &[r#"["a2",null,"","","14"]"#]),
    // Other names, and flat events.
    ("event", &[r#""Lead""#]),
    ("timestamp", TIMES),
    ("email", &[r#""john@example.com""#, r#"["a@b.de","x"]"#]),
    ("phone_number", &[r#""+49 30 1234567""#]),
    ("First Name", &[r#""Mary-Ann""#]),
    ("city", &[r#""Zürich""#]),
    ("customer_id", &["42"]),
    ("fbclid", &[r#""IwAR2F4-dbP0""#]),
    ("total", NUMBERS),
    ("currency_code", &[r#""eur""#, r#""EURO""#]),
    ("transaction_id", &[r#""T-1""#]),
    ("items", &[r#"[{"id":"A"}]"#]),
    ("ldu", FLAGS),
    ("name", &[r#""Lead""#, r#""Mary""#]),
    ("event_nam", TEXTS),
    ("favourite_colour", TEXTS),
];

const USER: Table = &[
    (
        "em",
        &[
            r#""john@example.com""#,
            r#"["JOHN@example.com"," a@b.de "]"#,
            r#""nobody""#,
        ],
    ),
    (
        "ph",
        &[
            r#""+49 30 1234567""#,
            r#""07911 123456""#,
            "16505551212",
            r#""12""#,
        ],
    ),
    (
        "fn",
        &[r#""Mary-Ann""#, r#"["José","Jose\u0301"]"#, r#""--""#],
    ),
    ("ln", &[r#""van der Berg""#, r#""O'Brien""#]),
    (
        "db",
        &[
            r#""1997-02-16""#,
            "19970216",
            r#""05-03-1995""#,
            r#""31.12.1899""#,
        ],
    ),
    ("ge", &[r#""F""#, r#""Herr""#, r#""other""#]),
    ("ct", &[r#""São Paulo""#, r#""12""#]),
    ("st", &[r#""California""#, r#""Bayern""#]),
    ("zp", &[r#""94035-1234""#, "10115", r#""M1 1AE""#, r#""1""#]),
    (
        "country",
        &[r#""DE""#, r#""United States""#, r#""Atlantis""#],
    ),
    (
        "external_id",
        &[r#""User-42""#, "42", r#"["a","b","a"]"#, r#""a@b.de""#],
    ),
    ("f5first", &[r#""George""#]),
    ("f5last", &[r#"["Washington","Smith"]"#]),
    ("fi", &[r#""A""#]),
    ("dobd", &["1", r#""32""#]),
    ("dobm", &[r#""02""#]),
    ("doby", &["1997", r#""97""#]),
    ("app_user_id", &[r#""U-1""#]),
    (
        "client_ip_address",
        &[
            r#""203.0.113.7""#,
            r#""::ffff:203.0.113.7""#,
            r#""2001:4860:4860::8888.AQQAAQMC""#,
            r#""10.0.0.1""#,
        ],
    ),
    ("client_user_agent", &[r#""Mozilla/5.0 (X11; \"quoted\")""#]),
    (
        "fbc",
        &[
            r#""fb.1.1700000000000.AbC""#,
            r#""fb.1.1700000000.AbC.BA""#,
            r#""IwAR2F4-dbP0""#,
        ],
    ),
    (
        "fbp",
        &[
            r#""fb.1.1700000000000.1098115397""#,
            r#"["fb.1.1700000000000.1","fb.1.1700000000000.2"]"#,
        ],
    ),
    ("subscription_id", &[r#""sub_1""#, r#""a@b.de""#]),
    ("fb_login_id", &["12345678901234567890"]),
    (
        "lead_id",
        &["1234567890123456", r#""l:1234567890123456""#, r#""12""#],
    ),
    ("anon_id", &[r#""XZ1""#]),
    (
        "madid",
        &[
            r#""38400000-8cf0-11bd-b23e-10b96e40000d""#,
            r#""00000000-0000-0000-0000-000000000000""#,
        ],
    ),
    ("page_id", &["1"]),
    ("page_scoped_user_id", &[r#""2""#]),
    ("ctwa_clid", &[r#""Clid""#]),
    ("whatsapp_business_account_id", &[r#""3""#]),
    ("ig_account_id", &[r#""4""#]),
    ("instagram_business_account_id", &[r#""4""#]),
    ("ig_sid", &[r#""5""#]),
    ("email", &[r#""john@example.com""#]),
    ("phone_number", &[r#""030 1234567""#]),
    ("customerEmail", &[r#""a@b.de""#]),
    ("fbclid", &[r#""IwAR2F4-dbP0""#]),
    ("client_user_agnt", TEXTS),
    ("shoe_size", TEXTS),
];

const CUSTOM: Table = &[
    ("value", NUMBERS),
    (
        "currency",
        &[r#""EUR""#, r#""usd""#, r#""HRK""#, r#""EURO""#],
    ),
    ("content_ids", &[r#"["A",7]"#, r#""A""#, r#""[\"A\"]""#]),
    (
        "contents",
        &[
            r#"[{"id":"A","quantity":1}]"#,
            r#"{"id":7}"#,
            r#""[{\"id\":\"A\"}]""#,
        ],
    ),
    ("content_type", TEXTS),
    ("content_name", TEXTS),
    ("delivery_category", &[r#""Home Delivery""#, r#""drone""#]),
    (
        "customer_segmentation",
        &[r#""new_customer_to_business""#, r#""regular""#],
    ),
    ("order_id", &[r#""O-1""#, "7", r#""john@example.com""#]),
    ("num_items", COUNTS),
    ("predicted_ltv", NUMBERS),
    ("net_revenue", NUMBERS),
    ("search_string", TEXTS),
    ("status", FLAGS),
    ("event_source", &[r#""crm""#]),
    ("lead_event_source", TEXTS),
    (
        "store_data",
        &[r#"{"store_code":"B1","own":[1]}"#, r#""B1""#],
    ),
    ("success", FLAGS),
    ("mileage", &[r#"{"value":10,"unit":"km"}"#]),
    ("checkin_date", &[r#""20260921""#]),
    ("_valueToSum", NUMBERS),
    ("fb_currency", &[r#""eur""#]),
    ("currancy", TEXTS),
    (
        "own",
        &[r#"{"a":[1,{"b":"c"}],"d":null}"#, r#""john%40example.com""#],
    ),
    ("email", &[r#""john@example.com""#]),
    ("x.y", TEXTS),
];

const CONTENT: Table = &[
    ("id", TEXTS),
    ("quantity", COUNTS),
    ("item_price", NUMBERS),
    ("delivery_category", &[r#""curbside""#, r#""drone""#]),
    ("title", TEXTS),
    ("engraving", &[r#""john@example.com""#, r#""For you""#]),
];

const APP: Table = &[
    ("advertiser_tracking_enabled", FLAGS),
    ("application_tracking_enabled", FLAGS),
    (
        "extinfo",
        &[
            r#"["i2","com.example","1.0","1.0","17.1","","de_DE","CET","",390,844,"3",6,128,64,"Europe/Berlin"]"#,
            r#"["a2","","","","14"]"#,
            r#"["b2"]"#,
        ],
    ),
    ("campaign_ids", TEXTS),
    ("url_schemes", &[r#"["shop://"]"#]),
    ("vendor_idd", TEXTS),
];

const ORIGINAL: Table = &[
    ("event_name", TEXTS),
    ("event_time", TIMES),
    ("event_id", TEXTS),
    ("order_id", TEXTS),
    ("original_order_id", TEXTS),
];

const ATTRIBUTION: Table = &[
    ("ad_id", &["6123456789", r#""6""#]),
    ("touchpoint_ts", TIMES),
    ("visit_time", TIMES),
    ("attribution_share", NUMBERS),
    ("attribution_value", NUMBERS),
    ("attribution_model", &[r#""Last Click""#, r#""guess""#]),
    ("attr_window", COUNTS),
    (
        "attribution_setting",
        &[r#"{"inactivity_window_hours":12.0,"x":1}"#],
    ),
];

/// Members with keys of `table`; one value in `odds` is anything at all.
fn members(
    table: Table,
    count: std::ops::Range<usize>,
    odds: u32,
) -> impl Strategy<Value = Vec<(String, Json)>> {
    let member = prop::sample::select(table).prop_flat_map(move |(key, values)| {
        let honest = prop::sample::select(values).prop_map(|value| Json::Token(value.to_owned()));
        let value = prop_oneof![odds => honest, 1 => any_json()];
        (Just(key.to_owned()), value)
    });
    prop::collection::vec(member, count)
}

/// An event in Meta's keys. The first two members make it likely that it can be sent; `odds` to one
/// every other value is one that an honest sender might write.
pub(crate) fn event(odds: u32) -> impl Strategy<Value = Json> {
    let section = |key: &'static str, table: Table, count: usize| {
        members(table, 0..count, odds)
            .prop_map(move |members| (key.to_owned(), Json::Object(members)))
    };
    let contents = prop::collection::vec(members(CONTENT, 0..5, odds).prop_map(Json::Object), 0..4);
    let custom = (
        section("custom_data", CUSTOM, 8),
        prop::option::weighted(0.3, contents),
    )
        .prop_map(|((key, custom), contents)| match (custom, contents) {
            (Json::Object(mut members), Some(contents)) => {
                members.push(("contents".to_owned(), Json::List(contents)));
                (key, Json::Object(members))
            }
            (custom, _) => (key, custom),
        });
    let sections = (
        members(EVENT, 0..6, odds),
        section("user_data", USER, 8),
        prop::option::weighted(0.05, section("match_keys", USER, 3)),
        prop::option::weighted(0.7, custom),
        prop::option::weighted(0.2, section("app_data", APP, 5)),
        prop::option::weighted(0.2, section("original_event_data", ORIGINAL, 4)),
        prop::option::weighted(0.2, section("attribution_data", ATTRIBUTION, 6)),
        prop::option::weighted(0.1, (odd_key(), any_json())),
    );
    sections.prop_map(
        |(mut members, user, other_user, custom, app, original, attribution, odd)| {
            let name = ("event_name".to_owned(), Json::text("Lead"));
            let time = (
                "event_time".to_owned(),
                Json::Token("1789999940".to_owned()),
            );
            members.splice(0..0, [name, time]);
            members.push(user);
            members.extend(
                [other_user, custom, app, original, attribution, odd]
                    .into_iter()
                    .flatten(),
            );
            Json::Object(members)
        },
    )
}

/// The value with each key once, the last one winning, at every depth.
pub(crate) fn without_repetitions(json: Json) -> Json {
    match json {
        Json::Object(members) => {
            let mut kept: Vec<(String, Json)> = Vec::new();
            for (key, value) in members {
                kept.retain(|(known, _)| *known != key);
                kept.push((key, without_repetitions(value)));
            }
            Json::Object(kept)
        }
        Json::List(items) => Json::List(items.into_iter().map(without_repetitions).collect()),
        // Honest values are written out whole, so they may hold objects; none repeats a key.
        token @ Json::Token(_) => token,
    }
}

/// Every choice that a source has.
pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    (
        prop::sample::select(&["", "de", "us", "gb", "br", "jp"][..]),
        prop::sample::select(&ActionSource::ALL[..]),
        any::<bool>(),
        any::<bool>(),
        0..100_000_i64,
    )
        .prop_map(
            |(country, source, is_hashed, variants, future_skew_s)| Rules {
                default_country: Country::parse(country),
                default_action_source: source,
                external_id: if is_hashed {
                    ExternalId::Hash
                } else {
                    ExternalId::AsIs
                },
                variants,
                future_skew_s,
            },
        )
}

/// Mostly now, else any moment at all.
pub(crate) fn moment() -> impl Strategy<Value = Moment> {
    let unix_ms =
        prop_oneof![3 => Just(NOW.unix_ms), 1 => any::<u64>(), 1 => Just(u64::MAX), 1 => Just(0)];
    (unix_ms, any::<bool>(), any::<[u8; 10]>()).prop_map(|(unix_ms, in_doubt, entropy)| Moment {
        unix_ms,
        in_doubt,
        entropy,
    })
}
