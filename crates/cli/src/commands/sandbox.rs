//! `sluice sandbox`: a Graph API on this machine, to develop and test against.

use std::net::SocketAddr;

use sluice_sandbox::{Fault, Sandbox, Settings, Token, TokenState, Tokens, parse_id, parse_script};

use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Output, painted};
use crate::runtime;

/// What `sandbox` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where to listen, an IP address and a port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090", value_parser = listen)]
    listen: SocketAddr,
    /// What goes wrong, such as "500 for 10s"; may be given several times
    #[arg(long = "fault", value_name = "FAULT", value_parser = script)]
    faults: Vec<Script>,
    /// A token, and what it is good for (see below) [default: valid]; may be given several times
    #[arg(long = "token", value_name = "TOKEN[=STATE]", value_parser = token)]
    tokens: Vec<Token>,
    /// What tokens are that --token does not list [default: valid; unknown once --token lists a valid one]
    #[arg(long, value_name = "STATE", value_parser = token_state)]
    other_tokens: Option<TokenState>,
    /// A dataset that exists; may be given several times. Without it every number is one
    #[arg(long = "dataset", value_name = "ID", value_parser = id)]
    datasets: Vec<String>,
    /// The id of a business: it exists but takes no events; may be given several times
    #[arg(long = "business-id", value_name = "ID", value_parser = id)]
    business_ids: Vec<String>,
    /// How many of the newest events are kept as they came
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().keep_events_max)]
    keep_events: usize,
    /// How many event ids are remembered; 0: all of them
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().keep_ids_max)]
    keep_ids: usize,
    /// Calls an hour and token above which it throttles; 0: no limit
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().calls_per_hour)]
    calls_per_hour: u32,
    /// The seed of all that is left to chance, for runs that repeat
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  sluice sandbox
      Takes what Meta would take, from any token for any dataset
  sluice sandbox --fault '500 for 10s' --fault 'reset x 5 late'
      Has a bad start: ten seconds of errors, and five answers that get lost
  sluice sandbox --token good --token old=expired --dataset 1234567890
      Knows two tokens and one dataset, and refuses all others as Meta does

Faults, one an option or several between semicolons:
  500              an error of the Graph API with this HTTP status, 400 to 599
  html 502, empty 502
                   a page as a proxy sends it; no body at all
  error 100/33     an error of the Graph API by its code and subcode
  200-error        an error of the Graph API with HTTP status 200
  throttle 80004   a call limit is reached (regain 5m: for so long, says the answer)
  token-expired, token-revoked
                   the token is no longer good
  reset            the connection is torn down
  hang             no answer comes for ten minutes, then the connection ends
  half-body        the events are taken, and the answer breaks off
  partial 3        three events less are taken than were sent
  slow 2s          the answer comes later (also: delay 2s), beside other faults
  usage 80%        the usage headers say so, beside other faults
After the fault, each once: in 5s (begins then), for 10s (so long), x 3 (so often), first (x 1),
late (the events are taken, the answer is lost), on DATASET (its id), everywhere (not only for
posted events), p=0.01 (one request in a hundred). Of several faults that fit, the first acts.

An event, and with it its request, is refused when its custom_data.sandbox_refuse is \"blind\",
\"index\" (the error says which event), a code (190), a subcode (2804087), or both (\"100/2804087\").

States of tokens: valid, expired, revoked, unknown, wrong-permission, permission-denied,
no-access. These are play tokens: the sandbox never talks to Meta.

While it runs, POST /sandbox/faults and POST /sandbox/tokens change faults and tokens. Its page,
/sandbox, shows what arrived.

SIGTERM and SIGINT stop it. Exit codes: 0, or 2 when it cannot listen.";

/// The faults of one `--fault`.
#[derive(Debug, Clone)]
struct Script(Vec<Fault>);

fn script(text: &str) -> Result<Script, String> {
    // The line of the error says nothing here: an option has one.
    parse_script(text)
        .map(Script)
        .map_err(|error| error.problem.to_string())
}

/// The words for the states, as the sandbox's own interface has them.
const STATES: [(&str, TokenState); 7] = [
    ("valid", TokenState::Valid),
    ("expired", TokenState::Expired),
    ("revoked", TokenState::Revoked),
    ("unknown", TokenState::Unknown),
    ("wrong-permission", TokenState::WrongPermission),
    ("permission-denied", TokenState::PermissionDenied),
    ("no-access", TokenState::NoAccess),
];

fn token_state(text: &str) -> Result<TokenState, String> {
    let known = STATES.iter().find(|(name, _)| *name == text);
    known.map(|(_, state)| *state).ok_or_else(|| {
        let names = STATES.map(|(name, _)| name);
        format!("use one of {}", names.join(", "))
    })
}

/// Reads `TOKEN` or `TOKEN=STATE`.
fn token(text: &str) -> Result<Token, String> {
    let (token, state) = match text.rsplit_once('=') {
        Some((token, state)) => (token, token_state(state)?),
        None => (text, TokenState::Valid),
    };
    if token.is_empty() {
        return Err("the token is missing".to_owned());
    }
    Ok(Token {
        token: token.to_owned(),
        state,
        ..Token::default()
    })
}

fn id(text: &str) -> Result<String, &'static str> {
    parse_id(text).ok_or("ids of Meta are numbers: write digits alone, such as 1234567890")
}

/// Reads `--listen`. Names are not looked up: they may stand for several addresses, or for other ones
/// tomorrow.
fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().unwrap_or_default();
        let port = port.parse::<u16>().unwrap_or(8090);
        format!("not an IP address and a port: write 127.0.0.1:{port}, or [::1]:{port}")
    })
}

impl Arguments {
    fn settings(&self) -> Settings {
        let faults = self.faults.iter().flat_map(|Script(faults)| faults);
        Settings {
            listen: self.listen,
            tokens: self.tokens(),
            faults: faults.cloned().collect(),
            datasets: self.datasets.clone(),
            business_ids: self.business_ids.clone(),
            keep_events_max: self.keep_events,
            keep_ids_max: self.keep_ids,
            calls_per_hour: self.calls_per_hour,
            seed: self.seed,
            ..Settings::default()
        }
    }

    fn tokens(&self) -> Tokens {
        let is_valid = |token: &Token| token.state == TokenState::Valid;
        let unlisted = if self.tokens.iter().any(is_valid) {
            TokenState::Unknown
        } else {
            TokenState::Valid
        };
        Tokens {
            unlisted: self.other_tokens.unwrap_or(unlisted),
            listed: self.tokens.clone(),
        }
    }
}

/// Runs the sandbox until a signal stops it.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    runtime::block_on(async {
        let stopped = runtime::stopped()?;
        let started = Sandbox::start(arguments.settings()).await;
        let sandbox = started.map_err(|error| Failure::Told {
            help: error.help().map(str::to_owned),
            error: error.into(),
        })?;
        greet(arguments, &sandbox.base_url())?;
        stopped.await;
        sandbox.stop().await;
        Ok(Ending::Clean)
    })
}

fn greet(arguments: &Arguments, base: &str) -> Result<(), Failure> {
    let dataset = arguments.datasets.first();
    let dataset = dataset.map_or("1234567890", String::as_str);
    let valid = arguments
        .tokens
        .iter()
        .find(|token| token.state == TokenState::Valid);
    let token = valid.map_or("any-token", |token| &token.token);
    let version = Settings::default().version_default;
    let mut output = Output::for_people();
    let head = painted(BOLD, "A sandbox of Meta's Graph API listens");
    writeln!(output, "{head} on {base}")?;
    writeln!(output, "  page    {base}/sandbox")?;
    if !arguments.listen.ip().is_loopback() {
        let warning = painted(BOLD, "  warning");
        writeln!(
            output,
            "{warning} other machines can reach it: whoever does sees all events, and sets faults and tokens"
        )?;
    }
    let count = arguments.settings().faults.len();
    if count > 0 {
        let note = painted(DIM, "(their times run from now on)");
        writeln!(output, "  faults  {count} {note}")?;
    }
    writeln!(output, "\nSend it a purchase:\n")?;
    writeln!(
        output,
        r#"curl '{base}/{version}/{dataset}/events?access_token={token}' -H 'Content-Type: application/json' -d '{{"data": [{{
  "event_name": "Purchase", "event_time": '$(date +%s)', "event_id": "order-1",
  "action_source": "website", "event_source_url": "https://shop.example/thanks",
  "user_data": {{"em": ["'$(printf john@example.com | sha256sum | cut -c-64)'"], "client_user_agent": "Mozilla/5.0"}},
  "custom_data": {{"currency": "USD", "value": 129.99}}
}}]}}'
"#
    )?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens_with_and_without_a_state() {
        for (text, expected) in [
            ("EAAB", Some(("EAAB", TokenState::Valid))),
            ("EAAB=expired", Some(("EAAB", TokenState::Expired))),
            ("EA=AB=no-access", Some(("EA=AB", TokenState::NoAccess))),
            ("EAAB=stale", None),
            ("=valid", None),
            ("", None),
        ] {
            let read = token(text).ok();
            let read = read.as_ref().map(|read| (&*read.token, read.state));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn an_id_is_of_digits_alone() {
        assert_eq!(id("1234567890").as_deref(), Ok("1234567890"));
        for text in ["+1", "-1", " 1", "1x", "", "007", "99999999999999999999"] {
            let error = id(text).unwrap_err();
            assert!(error.contains("digits alone"), "{text}");
        }
    }

    #[test]
    fn a_wrong_address_says_what_would_be_right() {
        for (text, expected) in [
            ("localhost:1", "write 127.0.0.1:1, or [::1]:1"),
            ("shop.example:9000", "write 127.0.0.1:9000, or [::1]:9000"),
            ("9000", "write 127.0.0.1:9000, or [::1]:9000"),
            (":9000", "write 127.0.0.1:9000, or [::1]:9000"),
            ("127.0.0.1", "write 127.0.0.1:8090, or [::1]:8090"),
            ("127.0.0.1:99999", "write 127.0.0.1:8090, or [::1]:8090"),
            ("", "write 127.0.0.1:8090, or [::1]:8090"),
        ] {
            let error = listen(text).unwrap_err();
            let expected = format!("not an IP address and a port: {expected}");
            assert_eq!(error, expected, "{text}");
        }
        assert_eq!(listen("[::1]:0").unwrap().port(), 0);
    }

    #[test]
    fn one_option_may_hold_several_faults() {
        assert_eq!(script("500 for 10s; reset x 5 late").unwrap().0.len(), 2);
        let error = script("teapot").unwrap_err();
        assert!(error.starts_with("there is no fault \"teapot\""), "{error}");
    }
}
