//! From what is written to what is used: every value becomes what it means.
//!
//! Values were checked when they were read, so nothing is noted here.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use sluice_event::{ActionSource, Country, DatasetId, ExternalId, Rules};
use sluice_graph::{BaseUrl, TokenPlacement, Version};
use sluice_journal::{SourceName, TestCode};

use super::changes::Settings;
use super::network::Network;
use super::resolved::{
    Admin, AfterLostAnswer, Api, Config, Dataset, Delivery, Graph, Journal, Log, LogFormat, Rates,
    Server, Source, SourceKind, TestEventCode,
};
use super::table::{Table, Tables};

const DAY_S: u64 = 24 * 60 * 60;

/// What everything means. `None` if a value is missing or wrong, which was noted then.
pub(super) fn resolve(tables: &Tables) -> Option<Config> {
    let datasets = tables.datasets.iter();
    let datasets = datasets.map(|table| dataset(table, &tables.graph));
    Some(Config {
        server: server(&tables.server)?,
        admin: Admin {
            listen: tables.admin.parsed("listen")?,
        },
        journal: journal(&tables.journal)?,
        graph: graph(&tables.graph)?,
        datasets: datasets.collect::<Option<_>>()?,
        sources: tables.sources.iter().map(source).collect::<Option<_>>()?,
        log: log(&tables.log)?,
        settings: Settings::of(tables),
    })
}

fn server(table: &Table) -> Option<Server> {
    Some(Server {
        listen: table.parsed("listen")?,
        body_bytes_max: table.parsed("body_bytes_max")?,
        decoded_bytes_max: table.parsed("decoded_bytes_max")?,
        events_per_request_max: table.parsed("events_per_request_max")?,
        read_timeout: table.seconds("read_timeout_s")?,
        idle_timeout: table.seconds("idle_timeout_s")?,
        connections_max: table.parsed("connections_max")?,
        trusted_proxies: networks(table, "trusted_proxies")?,
        unknown_requests_per_second_max: rate(table, "unknown_requests_per_second_max")?,
        drain: table.seconds("drain_s")?,
        shutdown_grace: table.seconds("shutdown_grace_s")?,
    })
}

/// A list of networks; none, if the key is not set.
fn networks(table: &Table, key: &str) -> Option<Vec<Network>> {
    let texts = table.texts(key).unwrap_or_default().iter();
    texts.map(|text| text.value.parse().ok()).collect()
}

/// Something a second; `Some(None)` for no limit.
#[expect(
    clippy::option_option,
    reason = "the outer one is for what is wrong, as everywhere here"
)]
fn rate(table: &Table, key: &str) -> Option<Option<NonZeroU32>> {
    table.parsed(key).map(NonZeroU32::new)
}

fn journal(table: &Table) -> Option<Journal> {
    Some(Journal {
        path: PathBuf::from(table.text("path")?),
        retention: Duration::from_secs(table.parsed::<u64>("retention_days")? * DAY_S),
        history: Duration::from_secs(table.parsed::<u64>("history_days")? * DAY_S),
        encryption_key: table.secret("encryption_key").cloned(),
        encryption_key_previous: table.secret("encryption_key_previous").cloned(),
    })
}

fn graph(table: &Table) -> Option<Graph> {
    Some(Graph {
        base_url: BaseUrl::parse(table.text("base_url")?).ok()?,
        timeout: table.seconds("timeout_s")?,
        connect_timeout: table.seconds("connect_timeout_s")?,
        token_placement: match table.text("token_placement")? {
            "query" => TokenPlacement::Query,
            "header" => TokenPlacement::Header,
            _ => return None,
        },
        messaging_after_lost_answer: match table.text("messaging_after_lost_answer")? {
            "withhold" => AfterLostAnswer::Withhold,
            "resend" => AfterLostAnswer::Resend,
            _ => return None,
        },
        partner_agent: table.text("partner_agent").map(str::to_owned),
    })
}

/// How events are delivered, as a table says that has all of these keys.
fn delivery(table: &Table) -> Option<Delivery> {
    Some(Delivery {
        version: Version::parse(table.text("version")?)?,
        linger: Duration::from_millis(table.parsed("linger_ms")?),
        batch_events_max: table.parsed("batch_events_max")?,
        batch_bytes_max: table.parsed("batch_bytes_max")?,
        in_flight_max: table.parsed("in_flight_max")?,
        events_per_hour_max: NonZeroU64::new(table.parsed("events_per_hour_max")?),
    })
}

/// What is logged, and how.
pub(super) fn log(table: &Table) -> Option<Log> {
    Some(Log {
        format: match table.text("format")? {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => return None,
        },
        filter: table.text("filter")?.to_owned(),
    })
}

fn dataset(table: &Table, graph: &Table) -> Option<Dataset> {
    Some(Dataset {
        id: DatasetId::parse(table.text("id")?).ok()?,
        name: table.text("name").map(str::to_owned),
        access_token: table.secret("access_token")?.clone(),
        app_secret: table.secret("app_secret").cloned(),
        test_event_code: match table.table("test_event_code") {
            Some(code) => Some(test_event_code(code)?),
            None => None,
        },
        delivery: delivery(&table.over(graph))?,
    })
}

fn test_event_code(table: &Table) -> Option<TestEventCode> {
    let until: Timestamp = table.parsed("until")?;
    Some(TestEventCode {
        code: TestCode::parse(table.text("code")?).ok()?,
        until_s: until.as_second(),
    })
}

fn source(table: &Table) -> Option<Source> {
    Some(Source {
        name: SourceName::parse(table.text("name")?).ok()?,
        kind: match table.text("kind")? {
            "api" => SourceKind::Api(api(table)?),
            _ => return None,
        },
        datasets: targets(table)?,
        rules: Rules {
            default_country: match table.text("default_country") {
                Some(name) => Some(Country::parse(name)?),
                None => None,
            },
            default_action_source: ActionSource::from_alias(table.text("default_action_source")?)?,
            external_id: if table.parsed("hash_external_id")? {
                ExternalId::Hash
            } else {
                ExternalId::AsIs
            },
            variants: table.parsed("variants")?,
            ..Rules::default()
        },
        rates: Rates {
            requests: rate(table, "requests_per_second_max")?,
            events: rate(table, "events_per_second_max")?,
        },
    })
}

fn api(table: &Table) -> Option<Api> {
    let keys = table.secrets("key")?.iter();
    Some(Api {
        keys: keys.map(|key| key.value.clone()).collect(),
        allow_test_codes: table.parsed("allow_test_codes")?,
    })
}

/// The datasets that a source sends to, each once.
fn targets(source: &Table) -> Option<Vec<DatasetId>> {
    let mut ids = Vec::new();
    for text in source.texts("datasets")? {
        let id = DatasetId::parse(text.value.trim()).ok()?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Some(ids)
}
