//! `sluice config check --online`: what Meta says of the tokens and the datasets.

use anyhow::Context as _;
use serde::Serialize;
use sluice_event::DatasetId;
use sluice_gateway::config::{Config, Dataset, ProcessEnvironment, SecretRef, Severity};
use sluice_graph::{
    AccessToken, AppSecret, AskError, Client, ClientSettings, Destination, Endpoint, Explanation,
    TokenState, Version,
};

use crate::clock;
use crate::failure::Failure;
use crate::runtime;

/// Before a token ends there should be time to make another one.
const WARN_BEFORE_S: i64 = 14 * 24 * 60 * 60;

/// What one of these lets a token of one's own app send events. Tokens of Events Manager have neither.
const SCOPES: [&str; 2] = ["ads_management", "business_management"];

/// What Meta says of a dataset and its token.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    pub(super) dataset: String,
    /// How the token stands, in a line.
    pub(super) token: String,
    /// What the id is, in a line.
    pub(super) id: String,
    pub(super) remarks: Vec<Remark>,
}

/// What is wrong or doubtful.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remark {
    #[serde(serialize_with = "name_of")]
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) help: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn name_of<S: serde::Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(severity.name())
}

impl Remark {
    fn new(severity: Severity, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Asks for every dataset, one after the other.
pub(super) fn ask(config: &Config, now_s: i64) -> Result<Vec<Standing>, Failure> {
    let client = Client::new(&ClientSettings {
        timeout: config.graph.timeout,
        connect_timeout: config.graph.connect_timeout,
        ..ClientSettings::default()
    });
    let client = client.context("preparing connections")?;
    runtime::block_on(async {
        let mut answers = Vec::new();
        for dataset in &config.datasets {
            let to = destination(config, dataset)?;
            let (state, explanation) = (
                client.debug_token(&to.endpoint).await,
                client.explain(&to).await,
            );
            // Who may send need not be able to read. Only then it takes one more question.
            let can_send = match explanation {
                Explanation::Unseen(_) | Explanation::NoAccess(_) => client.can_send(&to).await,
                _ => None,
            };
            let heard = Heard {
                state,
                explanation,
                can_send,
            };
            answers.push(answer(&to, &heard, now_s));
        }
        Ok(answers)
    })
}

fn destination(config: &Config, dataset: &Dataset) -> Result<Destination, Failure> {
    let read = |secret: &SecretRef| {
        let read = secret.read(&ProcessEnvironment);
        read.map_err(|error| Failure::from(anyhow::anyhow!(secret.explain(&error))))
    };
    let token = read(&dataset.access_token)?;
    let token = AccessToken::new(token.expose().to_owned()).context("the access token")?;
    let app_secret = match &dataset.app_secret {
        None => None,
        Some(secret) => {
            let secret = read(secret)?;
            Some(AppSecret::new(secret.expose().to_owned()).context("the app secret")?)
        }
    };
    Ok(Destination {
        endpoint: Endpoint {
            base_url: config.graph.base_url.clone(),
            version: dataset.delivery.version,
            token,
            app_secret,
            placement: config.graph.token_placement,
        },
        dataset: dataset.id.clone(),
    })
}

/// What Meta said about a destination.
struct Heard {
    state: Result<TokenState, AskError>,
    explanation: Explanation,
    /// Asked only when the token cannot read the id.
    can_send: Option<bool>,
}

impl Heard {
    /// Whether the token is let in, to read or to send.
    fn is_let_in(&self) -> bool {
        self.can_send == Some(true) || matches!(self.explanation, Explanation::Dataset { .. })
    }

    /// What the id is.
    fn id(&self) -> String {
        match self.can_send {
            Some(true) => "the token cannot read the id, and can send to it".to_owned(),
            _ => self.explanation.to_string(),
        }
    }
}

/// What the answers mean.
fn answer(to: &Destination, heard: &Heard, now_s: i64) -> Standing {
    let mut remarks = Vec::new();
    let token = match &heard.state {
        Ok(state) => {
            of_token(state, now_s, &mut remarks);
            of_version(to.endpoint.version, state.served, &mut remarks);
            standing(state)
        }
        // Meta tells some tokens nothing of themselves. Whether it may send, the first event shows.
        Err(AskError::Refused { .. }) if heard.is_let_in() => {
            "Meta does not say how it stands, but it can be used".to_owned()
        }
        Err(error) => {
            if !matches!(heard.explanation, Explanation::Token(_)) {
                let message = format!("Meta does not say how the token stands: {error}");
                remarks.push(Remark::new(severity_of(error), message, SEND_ONE));
            }
            "not known".to_owned()
        }
    };
    let is_told = remarks.iter().any(|it| it.severity == Severity::Error);
    of_id(&to.dataset, heard, is_told, &mut remarks);
    remarks.sort_by_key(|remark| remark.severity != Severity::Error);
    Standing {
        dataset: to.dataset.to_string(),
        token,
        id: heard.id(),
        remarks,
    }
}

const COMPARE: &str = "compare the id with the one in Events Manager, under Data sources, Settings; if it is right, \
    give the token's system user access to the dataset in Business settings, or generate the token on the \
    dataset's own page";

const SEND_ONE: &str = "a test event shows whether it can send: `sluice send --test-event-code`";

/// Without an answer nothing is proven; a refused question alone proves nothing against the token.
fn severity_of(error: &AskError) -> Severity {
    match error {
        AskError::Lost(_) => Severity::Error,
        AskError::Refused { .. } | AskError::Strange => Severity::Warning,
    }
}

fn of_token(state: &TokenState, now_s: i64, remarks: &mut Vec<Remark>) {
    const NEW: &str =
        "generate a new one in Events Manager, and put it where the configuration says";
    if !state.is_valid {
        let why = state.problem.as_deref().map(|why| format!(": {why}"));
        let message = format!("the access token is not valid{}", why.unwrap_or_default());
        remarks.push(Remark::new(Severity::Error, message, NEW));
        return;
    }
    if let Some(ends_s) = ends(state).filter(|ends_s| *ends_s < now_s + WARN_BEFORE_S) {
        let message = format!("the access token ends on {}", moment(ends_s));
        remarks.push(Remark::new(Severity::Warning, message, NEW));
    }
    let may_send = state.scopes.iter().any(|it| SCOPES.contains(&it.as_str()));
    if !state.scopes.is_empty() && !may_send {
        let message = format!(
            "the access token has neither {} nor {}",
            SCOPES[0], SCOPES[1]
        );
        let help = "give the app the permission ads_management when you generate the token";
        remarks.push(Remark::new(Severity::Warning, message, help));
    }
}

fn of_version(asked: Version, served: Option<Version>, remarks: &mut Vec<Remark>) {
    if let Some(served) = served.filter(|served| *served != asked) {
        let message = format!("Meta answers with version {served}, and not {asked}");
        let help = format!("set version = \"{}\"", Version::NEWEST);
        remarks.push(Remark::new(Severity::Warning, message, help));
    }
}

fn of_id(dataset: &DatasetId, heard: &Heard, is_told: bool, remarks: &mut Vec<Remark>) {
    let message = heard.explanation.to_string();
    let (severity, help) = match &heard.explanation {
        Explanation::Dataset { .. } => return,
        Explanation::NoAccess(_) | Explanation::Unseen(_) if heard.can_send == Some(true) => return,
        Explanation::NoAccess(_) | Explanation::Unseen(_) if heard.can_send == Some(false) => {
            let message = format!(
                "Meta takes no events for {dataset} from this token: it knows no dataset with this id, or the \
                 token has no access to it"
            );
            remarks.push(Remark::new(Severity::Error, message, COMPARE));
            return;
        }
        // The id itself is another thing's, or the token cannot be used at all.
        Explanation::Business { .. } | Explanation::Other { .. } | Explanation::NoSuchId(_) => (
            Severity::Error,
            "set the id of the dataset; in Events Manager it is also that of the pixel",
        ),
        // What is wrong with the token was said by the other answer, or here.
        Explanation::Token(_) | Explanation::Unknown(_) if is_told => return,
        Explanation::Token(_) | Explanation::Unknown(AskError::Lost(_)) => (Severity::Error, ""),
        Explanation::NoAccess(_) | Explanation::Unseen(_) | Explanation::Unknown(_) => {
            (Severity::Warning, SEND_ONE)
        }
    };
    remarks.push(Remark::new(severity, message, help));
}

/// The earlier of its two ends.
fn ends(state: &TokenState) -> Option<i64> {
    let both = [state.expires_at_s, state.data_access_expires_at_s];
    both.into_iter().flatten().min()
}

fn standing(state: &TokenState) -> String {
    if !state.is_valid {
        return "not valid".to_owned();
    }
    let until = match ends(state) {
        Some(ends_s) => format!("until {}", moment(ends_s)),
        None => "without an end".to_owned(),
    };
    let kind = state.kind.as_deref().map(|kind| format!(" of kind {kind}"));
    let scopes = if state.scopes.is_empty() {
        // As those of Events Manager have it.
        "no scopes".to_owned()
    } else {
        state.scopes.join(", ")
    };
    format!("valid{} {until}; {scopes}", kind.unwrap_or_default())
}

fn moment(unix_s: i64) -> String {
    clock::shown(
        u64::try_from(unix_s)
            .unwrap_or_default()
            .saturating_mul(1_000),
    )
}

#[cfg(test)]
mod tests {
    use sluice_graph::{BaseUrl, TokenPlacement};

    use super::*;

    const NOW_S: i64 = 1_795_435_200;
    const DAY_S: i64 = 86_400;

    fn of(state: TokenState) -> Standing {
        let to = Destination {
            endpoint: Endpoint {
                base_url: BaseUrl::meta(),
                version: Version::NEWEST,
                token: AccessToken::new("EAABtoken".to_owned()).unwrap(),
                app_secret: None,
                placement: TokenPlacement::default(),
            },
            dataset: DatasetId::parse("1234567890123456").unwrap(),
        };
        let heard = Heard {
            state: Ok(state),
            explanation: Explanation::Dataset {
                name: Some("Shop".to_owned()),
            },
            can_send: None,
        };
        answer(&to, &heard, NOW_S)
    }

    fn valid() -> TokenState {
        TokenState {
            is_valid: true,
            ..TokenState::default()
        }
    }

    #[test]
    fn a_token_of_events_manager_is_fine() {
        let answer = of(valid());
        assert_eq!(answer.remarks, []);
        assert_eq!(answer.token, "valid without an end; no scopes");
    }

    #[test]
    fn warns_of_an_end_that_is_near_and_of_either_of_the_two() {
        for (expires_s, data_s, warns) in [
            (None, None, false),
            (Some(NOW_S + 15 * DAY_S), None, false),
            (Some(NOW_S + 13 * DAY_S), None, true),
            (Some(NOW_S + 60 * DAY_S), Some(NOW_S + DAY_S), true),
        ] {
            let answer = of(TokenState {
                expires_at_s: expires_s,
                data_access_expires_at_s: data_s,
                ..valid()
            });
            assert_eq!(
                !answer.remarks.is_empty(),
                warns,
                "{expires_s:?} {data_s:?}"
            );
        }
    }

    #[test]
    fn warns_of_scopes_that_do_not_let_it_send_and_of_another_version() {
        let scopes = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let answer = of(TokenState {
            scopes: scopes(&["public_profile"]),
            served: Version::parse("v21.0"),
            ..valid()
        });
        let said: Vec<_> = answer
            .remarks
            .iter()
            .map(|it| it.message.as_str())
            .collect();
        assert!(said[0].contains("ads_management"), "{said:?}");
        assert!(said[1].contains("v21.0"), "{said:?}");
        let answer = of(TokenState {
            scopes: scopes(&["public_profile", "ads_management"]),
            served: Some(Version::NEWEST),
            ..valid()
        });
        assert_eq!(answer.remarks, []);
    }
}
