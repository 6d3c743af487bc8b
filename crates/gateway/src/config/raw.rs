//! The configuration as it is written: every key that was found, in its own type, with its place.
//!
//! What the values mean is not known here; see `resolve`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::keys::{self, ADMIN, DATASET, GRAPH, JOURNAL, LOG, SECTIONS, SERVER, SOURCE, Section};
use super::problem::Severity;
use super::raw_secret;
use super::secret::SecretRef;
use super::written::{Found, Layers, Notes, Origin, Reader, Variables, Written, unknown};

type Text = Option<Written<String>>;
type Number = Option<Written<u64>>;
type Flag = Option<Written<bool>>;
type AnySecret = Option<Written<SecretRef>>;

/// What a secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    AccessToken,
    AppSecret,
    SourceKey,
    EncryptionKey,
}

pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) admin: RawAdmin,
    pub(super) journal: RawJournal,
    pub(super) graph: RawGraph,
    pub(super) datasets: Vec<RawDataset>,
    pub(super) sources: Vec<RawSource>,
    pub(super) log: RawLog,
}

pub(super) struct RawServer {
    pub(super) listen: Text,
    pub(super) body_bytes_max: Number,
    pub(super) decoded_bytes_max: Number,
    pub(super) events_per_request_max: Number,
    pub(super) read_timeout_s: Number,
    pub(super) idle_timeout_s: Number,
    pub(super) connections_max: Number,
    pub(super) drain_s: Number,
    pub(super) shutdown_grace_s: Number,
}

pub(super) struct RawAdmin {
    pub(super) listen: Text,
}

pub(super) struct RawJournal {
    pub(super) path: Text,
    pub(super) retention_days: Number,
    pub(super) encryption_key: AnySecret,
    pub(super) encryption_key_previous: AnySecret,
}

pub(super) struct RawGraph {
    pub(super) base_url: Text,
    pub(super) timeout_s: Number,
    pub(super) connect_timeout_s: Number,
    pub(super) token_placement: Text,
    pub(super) messaging_after_lost_answer: Text,
    pub(super) partner_agent: Text,
    pub(super) delivery: RawDelivery,
}

/// The keys that a dataset has, and `[graph]` for all of them.
pub(super) struct RawDelivery {
    pub(super) version: Text,
    pub(super) linger_ms: Number,
    pub(super) batch_events_max: Number,
    pub(super) batch_bytes_max: Number,
    pub(super) in_flight_max: Number,
    pub(super) events_per_hour_max: Number,
}

pub(super) struct RawDataset {
    /// The table, for what is missing in it.
    pub(super) place: Written<()>,
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) access_token: AnySecret,
    pub(super) app_secret: AnySecret,
    pub(super) test_event_code: Option<RawTestCode>,
    pub(super) delivery: RawDelivery,
}

pub(super) struct RawTestCode {
    pub(super) code: Text,
    pub(super) until: Text,
}

pub(super) struct RawSource {
    pub(super) name: Text,
    pub(super) kind: Text,
    pub(super) key: AnySecret,
    pub(super) datasets: Option<Written<Vec<Written<String>>>>,
    pub(super) default_country: Text,
    pub(super) default_action_source: Text,
    pub(super) hash_external_id: Flag,
    pub(super) variants: Flag,
    pub(super) allow_test_codes: Flag,
}

/// The layers, from which each section takes its own.
struct Sections<'a, 'n, 't> {
    environment: &'a dyn Environment,
    file: &'a DeTable<'a>,
    defaults: &'a DeTable<'a>,
    notes: &'n mut Notes<'t>,
}

impl RawConfig {
    /// Reads everything that is written. Environment variables win over the file, the file over the
    /// defaults.
    pub(super) fn read(
        file: &DeTable<'_>,
        defaults: &DeTable<'_>,
        environment: &dyn Environment,
        notes: &mut Notes<'_>,
    ) -> Self {
        top_level(file, notes);
        let mut sections = Sections {
            environment,
            file,
            defaults,
            notes,
        };
        let server = sections.single(SERVER, RawServer::read);
        let admin = sections.single(ADMIN, RawAdmin::read);
        let journal = sections.single(JOURNAL, RawJournal::read);
        let graph = sections.single(GRAPH, RawGraph::read);
        let log = sections.single(LOG, RawLog::read);
        let datasets = sections.repeated(DATASET, RawDataset::read);
        let sources = sections.repeated(SOURCE, RawSource::read);
        Self {
            server,
            admin,
            journal,
            graph,
            datasets,
            sources,
            log,
        }
    }

    /// What tells the tables of a section from each other.
    pub(super) fn ids(&self, section: &Section) -> impl Iterator<Item = &Written<String>> {
        let datasets = self.datasets.iter().map(|it| (DATASET.name, &it.id));
        let sources = self.sources.iter().map(|it| (SOURCE.name, &it.name));
        let of_section = datasets.chain(sources);
        of_section
            .filter(|(name, _)| *name == section.name)
            .filter_map(|(_, id)| id.as_ref())
    }

    /// Every secret, with what it is and its place.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (SecretKind, &Written<SecretRef>)> {
        let datasets = self.datasets.iter().flat_map(|dataset| {
            [
                (SecretKind::AccessToken, &dataset.access_token),
                (SecretKind::AppSecret, &dataset.app_secret),
            ]
        });
        let sources = self.sources.iter();
        let sources = sources.map(|source| (SecretKind::SourceKey, &source.key));
        let journal = [
            &self.journal.encryption_key,
            &self.journal.encryption_key_previous,
        ];
        let journal = journal.map(|key| (SecretKind::EncryptionKey, key));
        let all = datasets.chain(sources).chain(journal);
        all.filter_map(|(kind, secret)| Some((kind, secret.as_ref()?)))
    }
}

/// Notes what is no section.
fn top_level(file: &DeTable<'_>, notes: &mut Notes<'_>) {
    let names = || SECTIONS.iter().map(|section| section.name);
    for (key, value) in file {
        let name = key.get_ref().as_ref();
        if names().any(|known| known == name) {
            continue;
        }
        let is_key = !value.get_ref().is_table() && !value.get_ref().is_array();
        let help = match (keys::suggestion(name, names()), keys::home(name)) {
            (_, Some(home)) => format!("it belongs into {}", home.header()),
            (Some(meant), None) => format!("did you mean {meant}?"),
            (None, None) => {
                let headers: Vec<_> = SECTIONS.iter().map(Section::header).collect();
                format!("there are {}", headers.join(", "))
            }
        };
        let message = |name: &str| {
            if is_key {
                format!("{name} stands in no section")
            } else {
                format!("there is no section {name}")
            }
        };
        unknown(notes, key, "", message, &help);
    }
}

impl<'a> Sections<'a, '_, '_> {
    /// A section that there is once.
    fn single<T>(&mut self, section: Section, read: fn(&mut Reader<'a, '_, '_>) -> T) -> T {
        let written = self.file.get(section.name);
        let (file, span) = match written.map(|value| (value.get_ref(), value.span())) {
            None => (None, Origin::Default),
            Some((DeValue::Table(table), span)) => (Some(table), Origin::File(span)),
            Some((_, span)) => {
                let origin = Origin::File(span);
                let header = section.header();
                let message = format!("{} is a table, of which there is one", section.name);
                let help = format!("write {header}, and its keys below it");
                self.notes
                    .note(Severity::Error, &origin, section.name, &message, &help);
                (None, origin)
            }
        };
        let defaults = self.defaults.get(section.name);
        let layers = Layers {
            variables: Some(Variables {
                environment: self.environment,
                prefix: section.variable_prefix(),
            }),
            file,
            defaults: defaults.and_then(|value| value.get_ref().as_table()),
        };
        let mut reader = Reader::new(section, section.name, span, layers, self.notes);
        let values = read(&mut reader);
        reader.finish();
        values
    }

    /// A section that there can be several of.
    fn repeated<T>(&mut self, section: Section, read: fn(&mut Reader<'a, '_, '_>) -> T) -> Vec<T> {
        let defaults = self.defaults.get(section.name);
        let defaults = defaults.and_then(|value| value.get_ref().as_array()?.first());
        let defaults = defaults.and_then(|value| value.get_ref().as_table());
        let tables = self.tables(section);
        let mut all = Vec::new();
        for (index, (table, span)) in tables.into_iter().enumerate() {
            let id = section
                .id_key()
                .and_then(|key| table.get(key)?.get_ref().as_str());
            let layers = Layers {
                variables: id.map(|id| Variables {
                    environment: self.environment,
                    prefix: section.variable_prefix_of(id),
                }),
                file: Some(table),
                defaults,
            };
            let path = format!("{}[{index}]", section.name);
            let mut reader = Reader::new(section, path, span, layers, self.notes);
            all.push(read(&mut reader));
            reader.finish();
        }
        all
    }

    /// The tables of a repeated section.
    fn tables(&mut self, section: Section) -> Vec<(&'a DeTable<'a>, Origin)> {
        let header = section.header();
        let Some(written) = self.file.get(section.name) else {
            let message = format!("there is no {header}; at least one is needed");
            let help = match section.name {
                "dataset" => "add where events go: id and access_token",
                _ => "add where events come from: name, kind, key and datasets",
            };
            let origin = Origin::Default;
            self.notes
                .note(Severity::Error, &origin, section.name, &message, help);
            return Vec::new();
        };
        let table = |value: &'a Spanned<DeValue<'a>>| {
            let table = value.get_ref().as_table()?;
            Some((table, Origin::File(value.span())))
        };
        let values = written.get_ref().as_array();
        let tables: Option<Vec<_>> = values.and_then(|values| values.iter().map(table).collect());
        if let Some(tables) = tables.filter(|tables| !tables.is_empty()) {
            return tables;
        }
        let origin = Origin::File(written.span());
        let message = format!("there can be several of {}", section.name);
        let help = format!("write {header} with two brackets, and its keys below it");
        self.notes
            .note(Severity::Error, &origin, section.name, &message, &help);
        table(written).into_iter().collect()
    }
}

impl RawServer {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            listen: reader.text("listen"),
            body_bytes_max: reader.number("body_bytes_max"),
            decoded_bytes_max: reader.number("decoded_bytes_max"),
            events_per_request_max: reader.number("events_per_request_max"),
            read_timeout_s: reader.number("read_timeout_s"),
            idle_timeout_s: reader.number("idle_timeout_s"),
            connections_max: reader.number("connections_max"),
            drain_s: reader.number("drain_s"),
            shutdown_grace_s: reader.number("shutdown_grace_s"),
        }
    }
}

impl RawAdmin {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            listen: reader.text("listen"),
        }
    }
}

impl RawJournal {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            path: reader.text("path"),
            retention_days: reader.number("retention_days"),
            encryption_key: raw_secret::read(reader, "encryption_key"),
            encryption_key_previous: raw_secret::read(reader, "encryption_key_previous"),
        }
    }
}

impl RawGraph {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            base_url: reader.text("base_url"),
            timeout_s: reader.number("timeout_s"),
            connect_timeout_s: reader.number("connect_timeout_s"),
            token_placement: reader.text("token_placement"),
            messaging_after_lost_answer: reader.text("messaging_after_lost_answer"),
            partner_agent: reader.text("partner_agent"),
            delivery: RawDelivery::read(reader),
        }
    }
}

impl RawDelivery {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            version: reader.text("version"),
            linger_ms: reader.number("linger_ms"),
            batch_events_max: reader.number("batch_events_max"),
            batch_bytes_max: reader.number("batch_bytes_max"),
            in_flight_max: reader.number("in_flight_max"),
            events_per_hour_max: reader.number("events_per_hour_max"),
        }
    }
}

pub(super) struct RawLog {
    pub(super) format: Text,
    pub(super) filter: Text,
}

impl RawLog {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            format: reader.text("format"),
            filter: reader.text("filter"),
        }
    }
}

impl RawDataset {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        reader.require(
            "id",
            "Meta's id of the dataset or pixel, as in id = \"1234567890123456\"",
        );
        reader.require(
            "access_token",
            "say where it is, as in access_token = { env = \"META_ACCESS_TOKEN\" }",
        );
        Self {
            place: reader.place(),
            id: reader.text("id"),
            name: reader.text("name"),
            access_token: raw_secret::read(reader, "access_token"),
            app_secret: raw_secret::read(reader, "app_secret"),
            test_event_code: RawTestCode::read(reader),
            delivery: RawDelivery::read(reader),
        }
    }
}

impl RawTestCode {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Self> {
        let found = reader.find("test_event_code")?;
        if let Found::Variable(text) = &found.value {
            let (code, until) = text.trim().split_once(' ').unwrap_or((text, ""));
            return Some(Self {
                code: Some(found.with(code.to_owned())),
                until: Some(found.with(until.trim().to_owned())),
            });
        }
        let Found::Value(DeValue::Table(table)) = found.value else {
            let message = "test_event_code needs the code and an end";
            let help = "write { code = \"TEST123\", until = \"2026-12-01T12:00:00Z\" }: events with \
                        a test code show up as tests";
            reader.notes.error(&found, message, help);
            return None;
        };
        let layers = Layers {
            file: Some(table),
            ..Layers::default()
        };
        let (path, span) = (found.path, found.origin);
        let mut reader = Reader::new(keys::TEST_CODE, path, span, layers, reader.notes);
        reader.require(
            "code",
            "take it from the Test Events tab of Meta's Events Manager",
        );
        reader.require(
            "until",
            "a code that is forgotten stays with every event, so it needs an end",
        );
        let code = Self {
            code: reader.text("code"),
            until: reader.moment("until"),
        };
        reader.finish();
        Some(code)
    }
}

impl RawSource {
    fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        reader.require(
            "name",
            "a name for logs and reports, as in name = \"shop-backend\"",
        );
        reader.require("kind", "what it speaks, as in kind = \"api\"");
        reader.require(
            "key",
            "say where it is, as in key = { env = \"SLUICE_KEY\" }",
        );
        reader.require(
            "datasets",
            "where its events go, as in datasets = [\"1234567890123456\"]",
        );
        Self {
            name: reader.text("name"),
            kind: reader.text("kind"),
            key: raw_secret::read(reader, "key"),
            datasets: reader.texts("datasets"),
            default_country: reader.text("default_country"),
            default_action_source: reader.text("default_action_source"),
            hash_external_id: reader.flag("hash_external_id"),
            variants: reader.flag("variants"),
            allow_test_codes: reader.flag("allow_test_codes"),
        }
    }
}
