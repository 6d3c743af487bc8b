//! Everything that can be set: one row, one key.
//!
//! The reader, the defaults, the bounds, the environment variables, the JSON Schema and the tables of
//! `docs/configuration.md` all come from these rows. A row whose name ends in a unit is a number of it: `_s` seconds,
//! `_ms` milliseconds, `_days` days, `_bytes_max` bytes. The meaning is Markdown, as the documentation shows it.
//!
//! A new key is a row here, a field in `resolved`, and the line in `resolve` that fills it.

use super::key::Kind::{Command, Flag, Ids, Networks, Number, Secret, Secrets, Table, Text, Words};
use super::key::{Form, Key, SecretKind, Section, Shape, at_start, needed, optional, set};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Every section, in the order of the documentation.
pub(super) static SECTIONS: [&Section; 7] =
    [&SERVER, &ADMIN, &JOURNAL, &GRAPH, &LOG, &DATASET, &SOURCE];

#[rustfmt::skip]
pub(super) static SERVER: Section = Section {
    name: "server",
    shape: Shape::Single,
    about: "Where requests come in, and how much of them is taken",
    keys: &[
        at_start(set("listen", Text(Form::Address), "127.0.0.1:8080",
            "where requests come in. Sluice speaks plain HTTP: for anything but this machine, put a reverse proxy with TLS in front")),
        set("body_bytes_max", Number(KIB, GIB), "8_388_608",
            "bytes of a request body, as it comes over the wire"),
        at_start(set("decoded_bytes_max", Number(KIB, GIB), "33_554_432",
            "bytes of a request body once gzip or zstd is unpacked; not below `body_bytes_max`")),
        set("events_per_request_max", Number(1, 1_000_000), "10_000",
            "events in one request"),
        set("read_timeout_s", Number(1, 3_600), "30",
            "seconds a client may take to send the body of a request"),
        set("idle_timeout_s", Number(1, 3_600), "75",
            "seconds a connection is kept open between requests"),
        at_start(set("connections_max", Number(1, 1_000_000), "20_000",
            "connections at the same time, further ones wait. Fewer where the limit of open files is lower")),
        optional("trusted_proxies", Networks,
            "the reverse proxies in front, as in `[\"10.0.0.0/8\"]`. Of these the client's address is taken from \
             `X-Forwarded-For` or `Forwarded`, [from its right end](doors.md#behind-a-proxy); of all others no header is \
             believed"),
        set("unknown_requests_per_second_max", Number(0, 1_000_000), "0",
            "requests a second with a wrong key or with none, of one address; 0 is for no limit"),
        set("drain_s", Number(0, 3_600), "5",
            "seconds for which a gateway that gets SIGTERM goes on taking events while `/readyz` says 503, so that load \
             balancers send clients elsewhere. Skipped when no request with events came in the last minute, and with \
             [sockets from systemd](operations.md#a-systemd-unit)"),
        set("shutdown_grace_s", Number(0, 3_600), "10",
            "seconds that running requests may take to finish when the gateway stops"),
    ],
    kinds: &[],
    common: &[],
};

#[rustfmt::skip]
pub(super) static ADMIN: Section = Section {
    name: "admin",
    shape: Shape::Single,
    about: "Where those who run the gateway see how it is doing",
    keys: &[
        at_start(set("listen", Text(Form::Address), "127.0.0.1:8081",
            "where [metrics and the state of the lanes](operations.md#the-admin-listener) are shown. It asks for no key")),
    ],
    kinds: &[],
    common: &[],
};

#[rustfmt::skip]
pub(super) static JOURNAL: Section = Section {
    name: "journal",
    shape: Shape::Single,
    about: "Where events are kept",
    keys: &[
        at_start(set("path", Text(Form::Folder), "./sluice-data",
            "the folder; it is made when it is not there")),
        at_start(set("retention_days", Number(0, 3_650), "30",
            "days for which the bodies of finished events are kept. With 0 a body goes [when its event is \
             delivered](operations.md#growth-and-retention)")),
        set("history_days", Number(1, 3_650), "400",
            "days for which it is kept what became of a finished event. It never goes before the body, and the counts of \
             `sluice audit` never do"),
        at_start(optional("encryption_key", Secret(SecretKind::EncryptionKey),
            "where the key is that bodies are encrypted with on disk: 32 bytes, as 64 hexadecimal digits (`openssl rand \
             -hex 32`) or in base64. Without one they are in the clear. See [what it covers](operations.md#encryption)")),
        at_start(optional("encryption_key_previous", Secret(SecretKind::EncryptionKey),
            "where the key before that one is: bodies that were encrypted with it are still read")),
    ],
    kinds: &[],
    common: &[],
};

#[rustfmt::skip]
pub(super) static GRAPH: Section = Section {
    name: "graph",
    shape: Shape::Single,
    about: "How Meta is reached. The keys from `version` on hold for every dataset that does not set them itself.",
    keys: &[
        at_start(set("base_url", Text(Form::BaseUrl), "https://graph.facebook.com",
            "the Graph API, or what stands in for it; without the version")),
        at_start(set("timeout_s", Number(1, 300), "10",
            "seconds a request may take")),
        at_start(set("connect_timeout_s", Number(1, 60), "3",
            "seconds a connection may take; never more than three quarters of `timeout_s`")),
        set("token_placement", Words(&["query", "header"]), "query",
            "where the access token goes: `\"query\"`, as Meta documents it, or `\"header\"`, into `Authorization`. No log \
             shows it either way"),
        set("messaging_after_lost_answer", Words(&["withhold", "resend"]), "withhold",
            "what becomes of `business_messaging` events when the answer to their request was lost: Meta recognises no \
             copies of them. `\"withhold\"`: they are kept back for [`sluice dead replay`](operations.md#dead-events), so \
             none counts twice. `\"resend\"`: they are sent again like all others, and some may count twice"),
        optional("partner_agent", Text(Form::PartnerAgent),
            "who delivers, for platforms that do it for others"),
    ],
    kinds: &[],
    common: DELIVERY,
};

/// What holds for every dataset, in `[graph]`, or for one, in its table.
#[rustfmt::skip]
const DELIVERY: &[Key] = &[
    set("version", Text(Form::Version), "v27.0",
        "the version of the Graph API"),
    set("linger_ms", Number(0, 60_000), "200",
        "milliseconds to wait for more events before a batch that is not full leaves"),
    set("batch_events_max", Number(1, 1_000), "1_000",
        "events in one request to Meta, which takes no more than 1,000"),
    set("batch_bytes_max", Number(KIB, 100 * MIB), "1_000_000",
        "bytes of events in one request to Meta; an event that is larger goes alone"),
    set("in_flight_max", Number(1, 64), "4",
        "requests to Meta at the same time"),
    set("events_per_hour_max", Number(0, 1_000_000_000), "200_000",
        "events that are sent in any hour with one access token; 0 is for no limit but Meta's"),
];

#[rustfmt::skip]
pub(super) static LOG: Section = Section {
    name: "log",
    shape: Shape::Single,
    about: "What is logged, and how",
    keys: &[
        at_start(set("format", Words(&["human", "json"]), "human",
            "for people, or one JSON object a line")),
        set("filter", Text(Form::Filter), "info",
            "which lines: `error`, `warn`, `info`, `debug`, `trace` or `off`, or a filter such as `info,sluice_gateway=debug`"),
    ],
    kinds: &[],
    common: &[],
};

#[rustfmt::skip]
pub(super) static DATASET: Section = Section {
    name: "dataset",
    shape: Shape::Repeated,
    about: "Where events go",
    keys: &[
        needed("id", Text(Form::DatasetId),
            "Meta's id of the dataset or pixel, as in id = \"1234567890123456\"",
            "Meta's id of the dataset, which is also the id of the pixel"),
        optional("name", Text(Form::DatasetName),
            "a name for people"),
        needed("access_token", Secret(SecretKind::AccessToken),
            "say where it is, as in access_token = { env = \"META_ACCESS_TOKEN\" }",
            "where the access token is"),
        optional("app_secret", Secret(SecretKind::AppSecret),
            "where the secret of the token's app is, if Meta demands `appsecret_proof`"),
        optional("test_event_code", Table(&TEST_CODE),
            "sends all its events as test events until then. Meta uses them as it uses others, and shows them under Test \
             Events; the end is needed, so that none is forgotten"),
    ],
    kinds: &[],
    common: DELIVERY,
};

#[rustfmt::skip]
pub(super) static SOURCE: Section = Section {
    name: "source",
    shape: Shape::Repeated,
    about: "Where events come from",
    keys: &[
        needed("name", Text(Form::ShortName),
            "a name for logs and reports, as in name = \"shop-backend\"",
            "its name in logs, metrics and reports"),
        needed("kind", Words(&["api"]),
            "what it speaks, as in kind = \"api\"",
            "what it speaks: `\"api\"` is Meta's server events over HTTP"),
        needed("datasets", Ids,
            "where its events go, as in datasets = [\"1234567890123456\"]",
            "the datasets that it may send to"),
        optional("default_country", Text(Form::Country),
            "the country of phone numbers that name none, when the event names none either"),
        set("default_action_source", Text(Form::ActionSource), "website",
            "the action source of events that name none and show none"),
        set("hash_external_id", Flag, "true",
            "whether raw external ids are hashed; it has to be the same on every channel, the pixel included"),
        set("variants", Flag, "false",
            "whether to send a second hash where Meta's own libraries disagree about the first"),
        set("requests_per_second_max", Number(0, 1_000_000), "0",
            "requests a second; 0 is for no limit"),
        set("events_per_second_max", Number(0, 1_000_000), "0",
            "events a second; 0 is for no limit. A larger request is taken, and the next one waits so much longer, at most a minute"),
    ],
    kinds: &[("api", API)],
    common: &[],
};

/// What only a source has whose clients show a key and send Meta's server events.
#[rustfmt::skip]
const API: &[Key] = &[
    needed("key", Secrets(SecretKind::SourceKey),
        "say where it is, as in key = { env = \"SLUICE_KEY\" }",
        "where the key is that it shows with each request, or a list of up to 8 keys, each of which lets it in, to \
         [change one without a pause](operations.md#secrets-and-their-rotation). No two sources have the same, and it is \
         no one's access token or app secret"),
    set("allow_test_codes", Flag, "true",
        "whether its requests may name a `test_event_code`"),
];

/// Where a secret is; one of these keys is given.
#[rustfmt::skip]
pub(super) static SECRET: Section = Section {
    name: "a secret",
    shape: Shape::Inline,
    about: "{ env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }",
    keys: &[
        optional("env", Text(Form::Variable), "an environment variable"),
        optional("file", Text(Form::File), "a file"),
        optional("command", Command, "what a program prints; no shell is in between"),
    ],
    kinds: &[],
    common: &[],
};

#[rustfmt::skip]
pub(super) static TEST_CODE: Section = Section {
    name: "test_event_code",
    shape: Shape::Inline,
    about: "{ code = \"TEST123\", until = \"2026-12-01T12:00:00Z\" }",
    keys: &[
        needed("code", Text(Form::ShortName),
            "take it from the Test Events tab of Meta's Events Manager",
            "the code, from Test Events in Meta's Events Manager"),
        needed("until", Text(Form::Moment),
            "a code that is forgotten stays with every event, so it needs an end",
            "when it ends"),
    ],
    kinds: &[],
    common: &[],
};

/// Whether values of this key may be shown to people: it is known, and nowhere a secret.
pub(super) fn is_plain(name: &str) -> bool {
    let sections = SECTIONS.into_iter().chain([&SECRET, &TEST_CODE]);
    let keys = sections.flat_map(Section::all_keys);
    let mut same = keys.filter(|key| key.name == name).peekable();
    same.peek().is_some() && same.all(Key::is_plain)
}

/// The section that has a key, if just one has it. Who writes `listen` alone means that of the doors.
pub(super) fn home(key: &str) -> Option<&'static Section> {
    let mut homes = SECTIONS
        .into_iter()
        .filter(|section| section.name != ADMIN.name && section.names().any(|name| name == key));
    homes.next().filter(|_| homes.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_one_section_has_a_home() {
        assert_eq!(home("listen").map(|section| section.name), Some("server"));
        assert!(home("name").is_none());
        assert!(home("nothing").is_none());
    }

    #[test]
    fn secrets_are_not_plain() {
        assert!(is_plain("listen") && is_plain("env") && is_plain("until"));
        for key in [
            "access_token",
            "app_secret",
            "key",
            "encryption_key",
            "encryption_key_previous",
            "command",
            "acess_token",
            "",
        ] {
            assert!(!is_plain(key), "{key}");
        }
    }
}
