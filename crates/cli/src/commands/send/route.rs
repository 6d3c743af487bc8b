//! Where events go, and with which secret.

use std::path::PathBuf;

use anyhow::Context as _;
use sluice_event::DatasetId;
use sluice_gateway::config::{ProcessEnvironment, SecretRef};
use sluice_graph::{
    AccessToken, AppSecret, BaseUrl, Client, ClientSettings, Destination, Endpoint, InvalidBaseUrl,
    Roots, TokenPlacement, Version,
};
use sluice_journal::TestCode;

use super::carrier::{ToDataset, ToGateway};
use super::load::Form;
use crate::config_file;
use crate::failure::Failure;
use crate::output::note;

/// Holds the access token when no file is named.
const TOKEN_VARIABLE: &str = "META_ACCESS_TOKEN";

/// Holds the source's key when no file is named.
const KEY_VARIABLE: &str = "SLUICE_KEY";

/// Where events go.
#[derive(clap::Args)]
#[command(next_help_heading = "Where to")]
pub(super) struct RouteOptions {
    /// The dataset (or pixel); with --gateway only if not all datasets of its source are meant, and may be
    /// given several times
    #[arg(long = "dataset", value_name = "ID", value_parser = DatasetId::parse)]
    datasets: Vec<DatasetId>,
    /// Through the gateway at this address, such as `http://127.0.0.1:8080`, and not straight to Meta
    #[arg(long, value_name = "URL", value_parser = gateway)]
    gateway: Option<BaseUrl>,
    /// The file with the key of the gateway's source [default: the variable `SLUICE_KEY`]
    #[arg(long, value_name = "FILE", requires = "gateway")]
    key_file: Option<PathBuf>,
    /// The file with the access token [default: the variable `META_ACCESS_TOKEN`]
    #[arg(long, value_name = "FILE", conflicts_with = "gateway")]
    token_file: Option<PathBuf>,
    /// The file with the app's secret; requests then carry `appsecret_proof`
    #[arg(long, value_name = "FILE", conflicts_with = "gateway")]
    app_secret_file: Option<PathBuf>,
    /// The address of what stands in for Meta's Graph API, such as `http://127.0.0.1:8090` of `sluice sandbox`
    #[arg(long, value_name = "URL", conflicts_with = "gateway", value_parser = BaseUrl::parse)]
    graph_url: Option<BaseUrl>,
    /// The version of the Graph API [default: the newest that Sluice knows]
    #[arg(long, value_name = "VERSION", conflicts_with = "gateway", value_parser = version)]
    api_version: Option<Version>,
    /// Send as test events, with this code from Events Manager
    #[arg(long, value_name = "CODE", value_parser = test_code)]
    test_event_code: Option<String>,
}

/// Reads `--gateway`. Who copies the address from a request has the path of the door at its end.
fn gateway(text: &str) -> Result<BaseUrl, String> {
    let text = text.trim().trim_end_matches('/');
    let base = text.strip_suffix("/v1/events").unwrap_or(text);
    BaseUrl::parse(base).map_err(|error| {
        let wrong = match error {
            InvalidBaseUrl::NotAUrl => "it is no URL".to_owned(),
            InvalidBaseUrl::HasVersion => "it ends in a version of the Graph API".to_owned(),
            error => error.to_string(),
        };
        format!("{wrong}; write the gateway's base address, such as http://127.0.0.1:8080")
    })
}

fn test_code(text: &str) -> Result<String, String> {
    let code =
        TestCode::parse(text).map_err(|_| "no test code of Events Manager, such as TEST123")?;
    Ok(code.as_str().to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    let newest = Version::NEWEST;
    Version::parse(text)
        .ok_or_else(|| format!("no version of the Graph API; use one such as {newest}"))
}

/// A way out that is ready.
pub(super) enum Route {
    Dataset(ToDataset),
    Gateway(ToGateway),
}

impl RouteOptions {
    /// Whether a test code is given.
    pub(super) fn has_test_code(&self) -> bool {
        self.test_event_code.is_some()
    }

    /// Whether they go through a gateway.
    pub(super) fn is_gateway(&self) -> bool {
        self.gateway.is_some()
    }

    /// In which form events travel.
    pub(super) fn form(&self) -> Form {
        match self.gateway {
            Some(_) => Form::AsWritten,
            None => Form::Sealed,
        }
    }

    /// The other end, in words.
    pub(super) fn shown(&self) -> String {
        match (&self.gateway, self.datasets.as_slice()) {
            (Some(gateway), _) => format!("the gateway at {gateway}"),
            (None, [dataset]) => format!("dataset {dataset}"),
            (None, _) => "a dataset".to_owned(),
        }
    }

    /// Reads the secrets and makes the way ready. `in_body` is the test code that the body names.
    pub(super) fn open(&self, in_body: Option<&str>) -> Result<Route, Failure> {
        let test_code = self.test_event_code.as_deref().or(in_body);
        let test_code = test_code.map(str::to_owned);
        match (&self.gateway, self.datasets.as_slice()) {
            (Some(gateway), _) => self.open_gateway(gateway, test_code),
            (None, [dataset]) => self.open_dataset(dataset, test_code),
            (None, []) => Err(Failure::with_help(
                "it is not said where the events go",
                "use --dataset ID for Meta, or --gateway URL for a gateway",
            )),
            (None, _) => Err(Failure::with_help(
                "events go straight to one dataset at a time",
                "name one dataset, or a --gateway whose source sends to several",
            )),
        }
    }

    fn open_dataset(
        &self,
        dataset: &DatasetId,
        test_code: Option<String>,
    ) -> Result<Route, Failure> {
        let (token, place) = secret(
            self.token_file.as_ref(),
            Some(TOKEN_VARIABLE),
            "--token-file",
        )?;
        let token = AccessToken::new(token).map_err(|error| {
            Failure::from(anyhow::anyhow!("the access token in {place}: {error}"))
        })?;
        let app_secret = match &self.app_secret_file {
            None => None,
            Some(file) => {
                let (text, place) = secret(Some(file), None, "--app-secret-file")?;
                let secret = AppSecret::new(text);
                Some(secret.map_err(|error| {
                    Failure::from(anyhow::anyhow!("the app's secret in {place}: {error}"))
                })?)
            }
        };
        let version = self.api_version.unwrap_or(Version::NEWEST);
        if let Some(warning) = version.warning(config_file::now_s()) {
            note(&format!("warning: {warning}"));
        }
        let base_url = self.graph_url.clone().unwrap_or_else(BaseUrl::meta);
        warn_about_clear_text(&base_url);
        Ok(Route::Dataset(ToDataset {
            client: client()?,
            to: Destination {
                endpoint: Endpoint {
                    base_url,
                    version,
                    token,
                    app_secret,
                    placement: TokenPlacement::default(),
                },
                dataset: dataset.clone(),
            },
            test_code,
        }))
    }

    fn open_gateway(&self, gateway: &BaseUrl, test_code: Option<String>) -> Result<Route, Failure> {
        let (key, place) = secret(self.key_file.as_ref(), Some(KEY_VARIABLE), "--key-file")?;
        let key = AccessToken::new(key)
            .map_err(|error| Failure::from(anyhow::anyhow!("the key in {place}: {error}")))?;
        warn_about_clear_text(gateway);
        let datasets = self.datasets.iter();
        let mut query: Vec<_> = datasets
            .map(|dataset| ("dataset", dataset.to_string()))
            .collect();
        query.extend(test_code.map(|code| ("test_event_code", code)));
        Ok(Route::Gateway(ToGateway {
            client: client()?,
            base_url: gateway.clone(),
            key,
            key_help: format!(
                "put the key of one of the gateway's sources into the variable {KEY_VARIABLE}, or into a file for --key-file; this one came from {place}"
            ),
            query,
        }))
    }
}

fn client() -> Result<Client, Failure> {
    let client = Client::new(&ClientSettings::default()).context("preparing connections")?;
    if client.roots() == Roots::Bundled {
        note(&format!("warning: trusting {}", client.roots()));
    }
    Ok(client)
}

fn warn_about_clear_text(base_url: &BaseUrl) {
    if base_url.is_in_the_clear() {
        note(&format!(
            "warning: events and the secret go to {base_url} unencrypted; use https"
        ));
    }
}

/// Reads a secret from its file or else its variable; also says which it was. No message holds any
/// part of the secret.
fn secret(
    file: Option<&PathBuf>,
    variable: Option<&str>,
    option: &str,
) -> Result<(String, String), Failure> {
    let place = match (file, variable) {
        (Some(file), _) => SecretRef::File(file.clone()),
        (None, variable) => SecretRef::Env(variable.unwrap_or_default().to_owned()),
    };
    let secret = place.read(&ProcessEnvironment).map_err(|error| {
        let help = match variable {
            Some(variable) => format!(
                "put it into the variable {variable}, or into a file for {option}; as an option it would be seen in the shell's history and the list of processes"
            ),
            None => format!("put it into a file for {option}"),
        };
        Failure::with_help(place.explain(&error), help)
    })?;
    Ok((secret.expose().to_owned(), place.to_string()))
}
