//! The configuration as the gateway uses it: every value read, checked and filled in.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use sluice_event::{DatasetId, Rules};
use sluice_graph::{BaseUrl, TokenPlacement, Version};
use sluice_journal::{SourceName, TestCode};

use super::changes::Settings;
use super::network::Network;
use super::secret::SecretRef;

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where requests come in, and how much of them is taken.
    pub server: Server,
    /// Where those who run the gateway see how it is doing.
    pub admin: Admin,
    /// Where events are kept.
    pub journal: Journal,
    /// How Meta is reached.
    pub graph: Graph,
    /// Where events go; never empty, no id twice.
    pub datasets: Vec<Dataset>,
    /// Where events come from; never empty, no name twice.
    pub sources: Vec<Source>,
    /// What is logged, and how.
    pub log: Log,
    /// The same, key by key, to compare it with another configuration.
    pub(crate) settings: Settings,
}

/// Where requests come in, and how much of them is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address of the doors.
    pub listen: SocketAddr,
    /// Bytes of a request body, as it comes over the wire.
    pub body_bytes_max: usize,
    /// Bytes of a request body once it is unpacked.
    pub decoded_bytes_max: usize,
    /// Events in one request.
    pub events_per_request_max: usize,
    /// How long a client may take to send a request.
    pub read_timeout: Duration,
    /// How long a connection is kept open between requests.
    pub idle_timeout: Duration,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Proxies that are believed whom they speak for.
    pub trusted_proxies: Vec<Network>,
    /// Requests a second with a wrong key or with none, of one address; `None` for no limit.
    pub unknown_requests_per_second_max: Option<NonZeroU32>,
    /// How long a stop on SIGTERM goes on taking events while `/readyz` says that it is stopping.
    pub drain: Duration,
    /// How long running requests may take to finish when the gateway stops.
    pub shutdown_grace: Duration,
}

/// Where those who run the gateway see how it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address of metrics and of the state of the lanes.
    pub listen: SocketAddr,
}

/// Where events are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The folder.
    pub path: PathBuf,
    /// How long the bodies of finished events are kept. Zero: until they are delivered or Meta takes them no more.
    pub retention: Duration,
    /// How long it is kept what became of finished events.
    pub history: Duration,
    /// Where the key is that bodies are encrypted with on disk; without one they are in the clear.
    pub encryption_key: Option<SecretRef>,
    /// Where the key before this one is, for bodies that it was used for.
    pub encryption_key_previous: Option<SecretRef>,
}

/// How Meta is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The Graph API, or what stands in for it.
    pub base_url: BaseUrl,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Where the access token goes in a request.
    pub token_placement: TokenPlacement,
    /// What becomes of business messaging events whose request got no clear answer.
    pub messaging_after_lost_answer: AfterLostAnswer,
    /// `partner_agent`, which names a platform to Meta.
    pub partner_agent: Option<String>,
}

/// What becomes of events that Meta does not deduplicate when they may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterLostAnswer {
    /// They are withheld until a person sends them again: none counts twice, some may not count.
    Withhold,
    /// They are sent again like all others: all count, some may count twice.
    Resend,
}

/// How the events of one dataset are delivered: what `[graph]` says, unless the dataset says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The version of the Graph API.
    pub version: Version,
    /// How long to wait for more events before a batch that is not full leaves.
    pub linger: Duration,
    /// Events in one request to Meta, at most 1,000.
    pub batch_events_max: usize,
    /// Bytes of events in one request to Meta; an event that is larger goes alone.
    pub batch_bytes_max: usize,
    /// Requests to Meta at the same time.
    pub in_flight_max: usize,
    /// Events in any hour; `None` for no limit.
    pub events_per_hour_max: Option<NonZeroU64>,
}

/// Where events go.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Meta's id of it.
    pub id: DatasetId,
    /// A name for people.
    pub name: Option<String>,
    /// Where its access token is.
    pub access_token: SecretRef,
    /// Where the secret of the app is to which the token belongs, if requests are to be proven with it.
    pub app_secret: Option<SecretRef>,
    /// The test code that all its events are sent with, and until when.
    pub test_event_code: Option<TestEventCode>,
    /// How its events are delivered.
    pub delivery: Delivery,
}

/// A test code for all events of a dataset. It has an end, because one that is forgotten would stay with
/// every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestEventCode {
    /// The code, from Meta's Events Manager.
    pub code: TestCode,
    /// The Unix second from which on it is not used any more.
    pub until_s: i64,
}

/// Where events come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in logs, metrics and reports.
    pub name: SourceName,
    /// What it speaks, and what is set for that.
    pub kind: SourceKind,
    /// Where its events go: ids of configured datasets; never empty, none twice.
    pub datasets: Vec<DatasetId>,
    /// How its events are sealed.
    pub rules: Rules,
    /// How much it may bring in a second.
    pub rates: Rates,
}

/// What a source speaks, and what is set for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Meta's server events over HTTP, by a backend that holds a key.
    Api(Api),
}

/// What is set for a source of kind `api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where the keys are, each of which lets it in; never empty.
    pub keys: Vec<SecretRef>,
    /// Whether its requests may name a test code.
    pub allow_test_codes: bool,
}

/// How much a source may bring in a second; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests.
    pub requests: Option<NonZeroU32>,
    /// Events.
    pub events: Option<NonZeroU32>,
}

impl SourceKind {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            SourceKind::Api(_) => "api",
        }
    }
}

impl Source {
    /// Where the keys are with which its clients come in.
    pub fn keys(&self) -> &[SecretRef] {
        let SourceKind::Api(api) = &self.kind;
        &api.keys
    }

    /// Whether its requests may name a test code.
    pub fn allows_test_codes(&self) -> bool {
        let SourceKind::Api(api) = &self.kind;
        api.allow_test_codes
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines: a level, or a filter such as `info,sluice_gateway=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// The dataset of this id.
    pub fn dataset(&self, id: &DatasetId) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.id == *id)
    }

    /// The source of this name.
    pub fn source(&self, name: &SourceName) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == *name)
    }
}
