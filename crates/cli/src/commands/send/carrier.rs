//! The two ways out: straight to a dataset, or through a gateway.

use std::time::Duration;

use serde::Deserialize;
use sluice_graph::{
    AccessToken, Answer, BaseUrl, Client, Destination, Exchange, Posted, Reason, UseCase, Verdict,
    verdict, wire,
};

use super::load::Outgoing;
use super::refusal::Refusal;
use crate::remark::Remark;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Carried {
    /// The other side took it.
    Taken(Taken),
    /// It was refused for the sake of some events; their places, if they are named.
    Refused { places: Vec<usize>, why: Refusal },
    /// It is too large for the other side.
    TooLarge(Refusal),
    /// The same may go through later.
    Later {
        /// How long the other side asks to wait.
        asked: Option<Duration>,
        why: String,
    },
    /// Nothing goes through until a person changes something.
    Never { why: String, help: String },
}

/// What became of the events of a request that was taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) count: usize,
    /// Copies of events that a gateway knew already.
    pub(super) duplicates: usize,
    /// Events that Meta does not count, of those that were sent.
    pub(super) missing: usize,
    /// Places in the request, and why.
    pub(super) rejected: Vec<(usize, Vec<Remark<'static>>)>,
    /// What a gateway says about the events that it took.
    pub(super) warnings: Vec<ReceiptWarning>,
    pub(super) fbtrace_id: Option<String>,
}

/// A way to send a request of events, once.
pub(super) trait Carrier {
    async fn carry(&self, events: &[&Outgoing]) -> Carried;
}

/// Straight to a dataset.
pub(super) struct ToDataset {
    pub(super) client: Client,
    pub(super) to: Destination,
    pub(super) test_code: Option<String>,
}

impl Carrier for ToDataset {
    async fn carry(&self, events: &[&Outgoing]) -> Carried {
        let jsons = events.iter().map(|event| event.json.as_str());
        let body = wire::body(jsons, self.test_code.as_deref(), None);
        of_exchange(&self.client.send(&self.to, body).await, events.len())
    }
}

fn of_exchange(exchange: &Exchange, sent: usize) -> Carried {
    let fbtrace_id = match &exchange.answer {
        Answer::Success(success) => success.fbtrace_id.clone(),
        _ => None,
    };
    let asked = exchange.retry_after_s.map(Duration::from_secs);
    match verdict(&exchange.answer, sent) {
        Verdict::Delivered => Carried::Taken(Taken {
            count: sent,
            fbtrace_id,
            ..Taken::default()
        }),
        Verdict::Fewer { received } => {
            let taken = usize::try_from(received).unwrap_or(sent).min(sent);
            Carried::Taken(Taken {
                count: taken,
                missing: sent - taken,
                fbtrace_id,
                ..Taken::default()
            })
        }
        Verdict::Refused { reason, indexes } => Carried::Refused {
            places: indexes,
            why: refusal(reason),
        },
        Verdict::TooLarge(reason) => Carried::TooLarge(refusal(reason)),
        Verdict::Transient(reason) => Carried::Later {
            asked,
            why: words(&reason),
        },
        Verdict::Throttled(reason) => Carried::Later {
            asked: asked.max(
                exchange
                    .usage
                    .of(UseCase::Events)
                    .regain_s
                    .map(Duration::from_secs),
            ),
            why: words(&reason),
        },
        Verdict::Operator(reason) | Verdict::Mismatch(reason) => Carried::Never {
            why: words(&reason),
            help: reason.help,
        },
    }
}

/// `the access token has expired (error 190/463)`
fn words(reason: &Reason) -> String {
    let Reason { meaning, .. } = reason;
    let said = reason.meta_said.as_deref().filter(|said| !said.is_empty());
    let said = said.map(|said| format!("; Meta said: {said}"));
    let said = said.unwrap_or_default();
    match (reason.code, reason.status) {
        (Some((code, Some(subcode))), _) => format!("{meaning} (error {code}/{subcode}){said}"),
        (Some((code, None)), _) => format!("{meaning} (error {code}){said}"),
        (None, 0) => format!("{meaning}{said}"),
        (None, status) => format!("{meaning} (HTTP {status}){said}"),
    }
}

fn refusal(reason: Reason) -> Refusal {
    Refusal {
        code: reason.code.map(|(code, _)| code),
        subcode: reason.code.and_then(|(_, subcode)| subcode),
        meaning: reason.meaning,
        help: reason.help,
        meta_said: reason.meta_said.filter(|said| !said.is_empty()),
        fbtrace_id: reason.fbtrace_id,
        is_vague: reason.is_vague,
    }
}

/// Through a gateway.
pub(super) struct ToGateway {
    pub(super) client: Client,
    pub(super) base_url: BaseUrl,
    pub(super) key: AccessToken,
    /// What to do when the gateway does not know the key.
    pub(super) key_help: String,
    pub(super) query: Vec<(&'static str, String)>,
}

impl Carrier for ToGateway {
    async fn carry(&self, events: &[&Outgoing]) -> Carried {
        let jsons: Vec<_> = events.iter().map(|event| event.json.as_str()).collect();
        let body = format!("[{}]", jsons.join(","));
        let query: Vec<_> = self
            .query
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let path = ["v1", "events"];
        let posted = self
            .client
            .post_json(&self.base_url, &path, &query, &self.key, body.into())
            .await;
        match posted {
            Ok(posted) => of_posted(&posted, &self.key_help),
            Err(lost) => Carried::Later {
                asked: None,
                why: lost.to_string(),
            },
        }
    }
}

/// What `POST /v1/events` answers.
#[derive(Deserialize)]
struct Receipt {
    accepted: usize,
    duplicates: usize,
    #[serde(default)]
    rejected: Vec<ReceiptRejected>,
    #[serde(default)]
    warnings: Vec<ReceiptWarning>,
}

#[derive(Deserialize)]
struct ReceiptRejected {
    index: usize,
    #[serde(default)]
    findings: Vec<Remark<'static>>,
}

/// What a gateway says about several events, once for all of them.
#[derive(Debug, Deserialize)]
pub(super) struct ReceiptWarning {
    pub(super) events: usize,
    /// The place in the request of the first of them.
    pub(super) index: usize,
    /// What there is to say about that one.
    #[serde(flatten)]
    pub(super) remark: Remark<'static>,
}

/// An error of the gateway, as RFC 9457 has it.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    detail: String,
    #[serde(default)]
    help: String,
}

const ADDRESS_HELP: &str =
    "name the gateway's base address, without a path of its doors, as in http://127.0.0.1:8080";

fn of_posted(posted: &Posted, key_help: &str) -> Carried {
    let status = posted.status;
    if matches!(status, 200..=299 | 422)
        && let Ok(receipt) = serde_json::from_slice::<Receipt>(&posted.body)
    {
        let rejected = receipt.rejected.into_iter();
        return Carried::Taken(Taken {
            count: receipt.accepted,
            duplicates: receipt.duplicates,
            rejected: rejected
                .map(|rejected| (rejected.index, rejected.findings))
                .collect(),
            warnings: receipt.warnings,
            ..Taken::default()
        });
    }
    let mut problem = serde_json::from_slice::<Problem>(&posted.body).unwrap_or_else(|_| Problem {
        code: String::new(),
        detail: "the answer is not one of a Sluice gateway".to_owned(),
        help: ADDRESS_HELP.to_owned(),
    });
    // What the gateway says of these is for those who write requests.
    match problem.code.as_str() {
        "key_unknown" => key_help.clone_into(&mut problem.help),
        "path_unknown" => ADDRESS_HELP.clone_into(&mut problem.help),
        _ => {}
    }
    let why = format!("{} (HTTP {status})", problem.detail);
    match status {
        413 => Carried::TooLarge(Refusal {
            meaning: problem.detail,
            help: problem.help,
            ..Refusal::default()
        }),
        408 | 429 | 500..=599 => Carried::Later {
            asked: posted.retry_after_s.map(Duration::from_secs),
            why,
        },
        _ => Carried::Never {
            why,
            help: problem.help,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(status: u16, body: &str) -> Carried {
        of_posted(
            &Posted {
                status,
                retry_after_s: None,
                body: body.as_bytes().to_vec(),
            },
            "set SLUICE_KEY",
        )
    }

    #[test]
    fn reads_what_a_gateway_answers() {
        let receipt = r#"{"accepted":1,"duplicates":2,"rejected":[{"index":3,"event_id":null,
            "findings":[{"severity":"error","code":"x","path":"","message":"m","help":"h"}]}],"warnings":[
            {"events":2,"index":1,"severity":"hint","code":"y","path":"","message":"m","help":"h"}]}"#;
        let Carried::Taken(taken) = posted(422, receipt) else {
            panic!("a receipt is an answer");
        };
        assert_eq!((taken.count, taken.duplicates), (1, 2));
        assert_eq!((taken.rejected[0].0, taken.rejected[0].1.len()), (3, 1));
        let warning = &taken.warnings[0];
        assert_eq!(
            (warning.events, warning.index, warning.remark.code()),
            (2, 1, "y")
        );
        let problem =
            r#"{"code":"key_unknown","detail":"no source has this key","help":"send one"}"#;
        for (status, expected) in [
            (401, "Never"),
            (413, "TooLarge"),
            (503, "Later"),
            (404, "Never"),
        ] {
            let outcome = format!("{:?}", posted(status, problem));
            assert!(outcome.starts_with(expected), "{status}: {outcome}");
        }
        let Carried::Never { help, .. } = posted(401, problem) else {
            panic!("without a key nothing goes");
        };
        assert_eq!(help, "set SLUICE_KEY");
        let Carried::Never { why, help } = posted(200, "<html>") else {
            panic!("a page is no receipt");
        };
        assert_eq!(why, "the answer is not one of a Sluice gateway (HTTP 200)");
        assert!(help.starts_with("name the gateway's base address"));
    }
}
