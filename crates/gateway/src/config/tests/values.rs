//! What is used.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use sluice_event::{ActionSource, Country, ExternalId};
use sluice_graph::{BaseUrl, TokenPlacement, Version};

use super::*;
use crate::config::keys::SECTIONS;
use crate::config::{AfterLostAnswer, LogFormat, Secret, SecretRef};

#[test]
fn what_is_not_set_is_the_default() {
    let Loaded {
        config, warnings, ..
    } = parse(LEAST).unwrap();
    assert!(warnings.is_empty(), "{warnings}");

    let server = &config.server;
    assert_eq!(server.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
    let admin = config.admin.listen;
    assert_eq!(admin, SocketAddr::from(([127, 0, 0, 1], 8081)));
    assert_eq!(server.body_bytes_max, 8 << 20);
    assert_eq!(server.decoded_bytes_max, 32 << 20);
    assert_eq!(server.events_per_request_max, 10_000);
    assert_eq!(server.read_timeout, Duration::from_secs(30));
    assert_eq!(server.idle_timeout, Duration::from_secs(75));
    assert_eq!(server.connections_max, 20_000);
    assert_eq!(server.drain, Duration::from_secs(5));
    assert_eq!(server.shutdown_grace, Duration::from_secs(10));

    assert_eq!(config.journal.path, Path::new("./sluice-data"));
    assert_eq!(config.journal.retention, Duration::from_hours(30 * 24));
    assert_eq!(config.journal.history, Duration::from_hours(400 * 24));

    assert_eq!(config.graph.base_url, BaseUrl::meta());
    assert_eq!(config.graph.timeout, Duration::from_secs(10));
    assert_eq!(config.graph.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.graph.token_placement, TokenPlacement::Query);
    assert_eq!(
        config.graph.messaging_after_lost_answer,
        AfterLostAnswer::Withhold
    );
    assert_eq!(config.graph.partner_agent, None);
    assert_eq!(config.log.format, LogFormat::Human);
    assert_eq!(config.log.filter, "info");

    let dataset = &config.datasets[0];
    assert_eq!(
        dataset.access_token,
        SecretRef::Env("META_ACCESS_TOKEN".to_owned())
    );
    assert!(dataset.name.is_none() && dataset.app_secret.is_none());
    assert!(dataset.test_event_code.is_none());
    let delivery = &dataset.delivery;
    assert_eq!(delivery.version, Version::NEWEST);
    assert_eq!(delivery.linger, Duration::from_millis(200));
    assert_eq!(delivery.batch_events_max, 1_000);
    assert_eq!(delivery.batch_bytes_max, 1_000_000);
    assert_eq!(delivery.in_flight_max, 4);
    assert_eq!(delivery.events_per_hour_max.map(u64::from), Some(200_000));

    let source = &config.sources[0];
    assert_eq!(source.datasets, std::slice::from_ref(&dataset.id));
    assert_eq!(source.rules.default_country, None);
    assert_eq!(source.rules.default_action_source, ActionSource::Website);
    assert_eq!(source.rules.external_id, ExternalId::Hash);
    assert!(!source.rules.variants && source.allows_test_codes());
}

#[test]
fn everything_can_be_set() {
    let text = r#"
[server]
listen = "[::1]:9000"
body_bytes_max = 0x10_0000
[journal]
path = "/var/lib/sluice"
retention_days = 0
encryption_key = { file = "/etc/sluice/key" }
encryption_key_previous = { env = "OLD_KEY" }
[graph]
base_url = "http://127.0.0.1:9100/"
token_placement = "header"
messaging_after_lost_answer = "resend"
partner_agent = "my-platform"
in_flight_max = 2
events_per_hour_max = 0
[log]
format = "json"
filter = "warn,sluice_gateway=debug"
[[dataset]]
id = "1234567890123456"
name = "Shop"
access_token.file = "/run/secrets/token"
app_secret = { command = ["pass", "meta"] }
test_event_code = { code = "TEST123", until = 2026-11-24T00:00:00+01:00 }
version = "v25.0"
linger_ms = 0
[[dataset]]
id = "6543210"
access_token = { env = "OTHER" }
in_flight_max = 8
events_per_hour_max = 5000
[[source]]
name = "shop"
kind = "api"
key = { env = "KEY" }
datasets = ["6543210", "1234567890123456"]
default_country = "Deutschland"
default_action_source = "pos"
hash_external_id = false
variants = true
allow_test_codes = false
"#;
    let config = parse(text).unwrap().config;
    assert_eq!(config.server.listen.to_string(), "[::1]:9000");
    assert_eq!(config.server.body_bytes_max, 1 << 20);
    assert_eq!(config.journal.path, Path::new("/var/lib/sluice"));
    assert_eq!(config.journal.retention, Duration::ZERO);
    let key = SecretRef::File("/etc/sluice/key".into());
    assert_eq!(config.journal.encryption_key, Some(key));
    let previous = SecretRef::Env("OLD_KEY".to_owned());
    assert_eq!(config.journal.encryption_key_previous, Some(previous));
    assert_eq!(config.graph.base_url.to_string(), "http://127.0.0.1:9100");
    assert_eq!(config.graph.token_placement, TokenPlacement::Header);
    assert_eq!(
        config.graph.messaging_after_lost_answer,
        AfterLostAnswer::Resend
    );
    assert_eq!(config.graph.partner_agent.as_deref(), Some("my-platform"));
    assert_eq!(config.log.format, LogFormat::Json);

    let [first, second] = config.datasets.as_slice() else {
        panic!("two datasets were given");
    };
    assert_eq!(first.name.as_deref(), Some("Shop"));
    assert_eq!(
        first.access_token,
        SecretRef::File("/run/secrets/token".into())
    );
    let command = ["pass", "meta"].map(str::to_owned).to_vec();
    assert_eq!(first.app_secret, Some(SecretRef::Command(command)));
    let code = first.test_event_code.as_ref().unwrap();
    assert_eq!(
        (code.code.as_str(), code.until_s),
        ("TEST123", 1_795_474_800)
    );
    assert_eq!(first.delivery.version.to_string(), "v25.0");
    assert_eq!(first.delivery.linger, Duration::ZERO);
    // What a dataset does not set is taken from [graph].
    assert_eq!(
        (first.delivery.in_flight_max, second.delivery.in_flight_max),
        (2, 8)
    );
    assert_eq!(first.delivery.events_per_hour_max, None);
    assert_eq!(
        second.delivery.events_per_hour_max.map(u64::from),
        Some(5_000)
    );
    assert_eq!(second.delivery.version, Version::NEWEST);

    let source = &config.sources[0];
    assert_eq!(source.datasets, [second.id.clone(), first.id.clone()]);
    assert_eq!(
        source
            .rules
            .default_country
            .map(|country| country.code().to_owned()),
        Some("de".to_owned())
    );
    assert_eq!(
        source.rules.default_action_source,
        ActionSource::PhysicalStore
    );
    assert_eq!(source.rules.external_id, ExternalId::AsIs);
    assert!(source.rules.variants && !source.allows_test_codes());
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = FixedEnvironment::new()
        .with("SLUICE_SERVER_LISTEN", "127.0.0.1:9999")
        .with("SLUICE_SERVER_CONNECTIONS_MAX", "1_000")
        .with("SLUICE_JOURNAL_PATH", "/data")
        .with("SLUICE_GRAPH_BASE_URL", "")
        .with("SLUICE_LOG_FORMAT", "json");
    let text =
        with("[server]\nlisten = \"127.0.0.1:1\"\n[graph]\nbase_url = \"https://proxy.example\"\n");
    let Loaded {
        config, warnings, ..
    } = parse_with(&text, &environment).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(config.server.listen.port(), 9999);
    assert_eq!(config.server.connections_max, 1_000);
    assert_eq!(config.journal.path, Path::new("/data"));
    // An empty variable is one that is not set.
    assert_eq!(config.graph.base_url.to_string(), "https://proxy.example");
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn every_key_has_a_variable() {
    for section in SECTIONS {
        let (prefix, id) = match section.name {
            "dataset" => ("SLUICE_DATASET_1234567890123456".to_owned(), "id"),
            "source" => ("SLUICE_SOURCE_SHOP".to_owned(), "name"),
            name => (format!("SLUICE_{}", name.to_ascii_uppercase()), ""),
        };
        for key in section.names() {
            let variable = format!("{prefix}_{}", key.to_ascii_uppercase());
            let environment = FixedEnvironment::new().with(&variable, "\u{1}");
            let is_read = match parse_with(LEAST, &environment) {
                // A text of one control letter is right for a few, such as a path or a name.
                Ok(loaded) => !loaded.warnings.to_string().contains("sets nothing"),
                Err(_) => true,
            };
            assert_eq!(is_read, key != id, "{variable}");
        }
    }
}

#[test]
fn variables_set_keys_of_datasets_and_sources() {
    let text = format!("{LEAST}default_country = \"fr\"\n");
    let environment = FixedEnvironment::new()
        .with("SLUICE_DATASET_1234567890123456_LINGER_MS", "50")
        .with("SLUICE_DATASET_1234567890123456_ACCESS_TOKEN", "EAABtoken")
        .with(
            "SLUICE_DATASET_1234567890123456_TEST_EVENT_CODE",
            "TEST123 2026-11-23T13:00:00Z",
        )
        .with("SLUICE_SOURCE_SHOP_DEFAULT_COUNTRY", "de")
        .with("SLUICE_SOURCE_SHOP_VARIANTS", "true")
        .with("SLUICE_SOURCE_SHOP_DATASETS", "1234567890123456,")
        .with("SLUICE_SOURCE_OTHER_VARIANTS", "true")
        .with("SLUICE_SERVER_listen", "127.0.0.1:9");
    let Loaded {
        config, warnings, ..
    } = parse_with(&text, &environment).unwrap();
    let warnings = warnings.to_string();
    assert!(
        warnings.contains("SLUICE_SOURCE_OTHER_VARIANTS sets nothing"),
        "{warnings}"
    );
    // Names of variables have capitals.
    assert!(
        warnings.contains("SLUICE_SERVER_listen sets nothing"),
        "{warnings}"
    );
    assert!(!warnings.contains("EAAB"), "{warnings}");
    let dataset = &config.datasets[0];
    assert_eq!(dataset.delivery.linger, Duration::from_millis(50));
    let token = dataset.access_token.read(&environment).unwrap();
    assert_eq!(token.expose(), "EAABtoken");
    let code = dataset.test_event_code.as_ref().unwrap();
    assert_eq!(
        (code.code.as_str(), code.until_s),
        ("TEST123", NOW_S + 3_600)
    );
    let variable = "SLUICE_DATASET_1234567890123456_TEST_EVENT_CODE";
    for (code, said) in [
        ("TEST123", "until is a moment with its zone, found nothing"),
        (
            "TEST123 2026-11-23T13:00:00Z or so",
            "found \"2026-11-23T13:00:00Z or so\"",
        ),
    ] {
        let problems = parse_with(&text, &environment.clone().with(variable, code)).unwrap_err();
        assert!(problems.to_string().contains(said), "{problems}");
    }
    let source = &config.sources[0];
    assert_eq!(source.rules.default_country, Country::parse("de"));
    assert!(source.rules.variants);
    assert_eq!(source.datasets, std::slice::from_ref(&dataset.id));
}

#[test]
fn runs_without_a_file() {
    let base_url = BaseUrl::parse("http://127.0.0.1:4000").unwrap();
    let environment = FixedEnvironment::new().with("SLUICE_SERVER_LISTEN", "127.0.0.1:0");
    let (token, key) = (Secret::new("token"), Secret::new("a-key-of-some-length"));
    let loaded = Config::trial(&base_url, token.clone(), key.clone(), &environment, NOW_S).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let config = &loaded.config;
    assert_eq!(config.server.listen.port(), 0);
    assert_eq!(config.graph.base_url, base_url);
    assert_eq!(config.datasets[0].id.as_str(), "1234567890123456");
    assert_eq!(
        config.datasets[0].access_token.read(&environment).unwrap(),
        token
    );
    assert_eq!(config.sources[0].name.as_str(), "default");
    assert_eq!(config.sources[0].keys()[0].read(&environment).unwrap(), key);
    assert_eq!(config.journal.path, Path::new("./sluice-trial"));

    let name = "SLUICE_SOURCE_DEFAULT_KEY";
    let environment = FixedEnvironment::new().with(name, "another-key");
    let loaded = Config::trial(&base_url, token.clone(), key.clone(), &environment, NOW_S).unwrap();
    let set = &loaded.config.sources[0].keys()[0];
    assert_eq!(set.read(&environment).unwrap().expose(), "another-key");

    let environment = FixedEnvironment::new().with("SLUICE_SERVER_LISTEN", "8080");
    let problems = Config::trial(&base_url, token, key, &environment, NOW_S).unwrap_err();
    assert_eq!(problems.iter().count(), 1);
}

#[test]
fn how_the_log_looks_is_known_of_a_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    let format = |text: &str, environment: &FixedEnvironment| {
        std::fs::write(&path, text).unwrap();
        Config::log_format(Some(&path), environment)
    };
    let none = FixedEnvironment::new();
    let json = none.clone().with("SLUICE_LOG_FORMAT", "json");
    for (text, environment, expected) in [
        ("log.format = \"json\"\n", &none, LogFormat::Json),
        (
            "[log]\nformat = \"json\"\n[server\n",
            &none,
            LogFormat::Json,
        ),
        ("[sever]\n", &none, LogFormat::Human),
        ("log.format = \"jsno\"\n", &none, LogFormat::Human),
        ("[[nonsense", &json, LogFormat::Json),
        ("log.format = \"human\"\n", &json, LogFormat::Json),
    ] {
        assert_eq!(format(text, environment), expected, "{text}");
    }
    assert_eq!(Config::log_format(None, &none), LogFormat::Human);
    assert_eq!(Config::log_format(None, &json), LogFormat::Json);
}

#[test]
fn where_the_journal_is_is_known_of_a_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    let none = FixedEnvironment::new();
    let variable = none.clone().with("SLUICE_JOURNAL_PATH", "/elsewhere");
    assert_eq!(Config::journal_path(&path, &none), None);
    for (text, environment, expected) in [
        ("journal.path = \"/here\"\n[sever]\n", &none, Some("/here")),
        (
            "[journal]\npath = \"/here\"\n[server\n",
            &none,
            Some("/here"),
        ),
        ("[sever]\n", &none, Some("./sluice-data")),
        ("journal.path = 7\n", &none, None),
        ("journal.path = \"/here\"\n", &variable, Some("/elsewhere")),
    ] {
        std::fs::write(&path, text).unwrap();
        let found = Config::journal_path(&path, environment);
        assert_eq!(found.as_deref(), expected.map(Path::new), "{text}");
    }
}

#[test]
fn the_example_can_be_used() {
    let text = include_str!("../../../../../sluice.example.toml");
    let loaded = parse(text).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn proxies_are_a_list_of_networks_and_limits_are_off_at_zero() {
    let config = parse(LEAST).unwrap().config;
    assert!(config.server.trusted_proxies.is_empty());
    assert_eq!(config.server.unknown_requests_per_second_max, None);
    let rates = config.sources[0].rates;
    assert_eq!((rates.requests, rates.events), (None, None));

    let text = with("server.trusted_proxies = [\"10.0.0.0/8\", \" 2001:db8::1 \"]\n");
    let environment = FixedEnvironment::new()
        .with("SLUICE_SERVER_UNKNOWN_REQUESTS_PER_SECOND_MAX", "5")
        .with("SLUICE_SOURCE_SHOP_REQUESTS_PER_SECOND_MAX", "20")
        .with("SLUICE_SOURCE_SHOP_EVENTS_PER_SECOND_MAX", "1_000");
    let config = parse_with(&text, &environment).unwrap().config;
    let networks = ["10.0.0.0/8", "2001:db8::1"].map(|text| text.parse().unwrap());
    assert_eq!(config.server.trusted_proxies, networks);
    let in_variable = environment.with("SLUICE_SERVER_TRUSTED_PROXIES", "192.168.0.1, fd00::/8");
    let of_variable = parse_with(&text, &in_variable).unwrap().config;
    let networks = ["192.168.0.1", "fd00::/8"].map(|text| text.parse().unwrap());
    assert_eq!(of_variable.server.trusted_proxies, networks);
    let limit = config.server.unknown_requests_per_second_max;
    assert_eq!(limit.map(NonZeroU32::get), Some(5));
    let rates = config.sources[0].rates;
    let rates = [rates.requests, rates.events].map(|rate| rate.map(NonZeroU32::get));
    assert_eq!(rates, [Some(20), Some(1_000)]);
}
