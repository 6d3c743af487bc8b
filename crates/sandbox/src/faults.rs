//! Which fault hits which request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::answer::{GraphError, Reply};
use crate::chance::Chance;
use crate::fault::{Effect, Fault, minutes};
use crate::tokens::{expired, revoked};

/// How many faults may be in force.
const FAULTS_MAX: usize = 1_000;

struct Armed {
    fault: Fault,
    begins_ms: i64,
    ends_ms: Option<i64>,
    left: Option<u64>,
    hits: u64,
}

/// A fault and how it has done so far.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FaultState {
    fault: String,
    active: bool,
    hits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

/// The faults in force.
pub(crate) struct Faults {
    inner: Mutex<(Vec<Armed>, Chance)>,
}

/// What the faults do to one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) effect: Option<Effect>,
    pub(crate) late: bool,
    /// When the effect ends, for the headers of throttling.
    pub(crate) ends_ms: Option<i64>,
    pub(crate) slow_ms: u64,
    /// How long the body takes to come in.
    pub(crate) upload_us: u64,
    pub(crate) usage_percent: Option<u32>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            inner: Mutex::new((Vec::new(), Chance::new(seed))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Armed>, Chance)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds faults; their times begin now. What has run out makes room.
    pub(crate) fn add(&self, faults: Vec<Fault>, now_ms: i64) {
        let mut inner = self.lock();
        if inner.0.len() + faults.len() > FAULTS_MAX {
            inner
                .0
                .retain(|armed| armed.is_active(now_ms) || armed.begins_ms > now_ms);
        }
        let room = FAULTS_MAX.saturating_sub(inner.0.len());
        let armed = faults.into_iter().take(room).map(|fault| {
            let begins_ms = now_ms.saturating_add(fault.in_ms);
            Armed {
                begins_ms,
                ends_ms: fault.for_ms.map(|for_ms| begins_ms.saturating_add(for_ms)),
                left: fault.times,
                hits: 0,
                fault,
            }
        });
        inner.0.extend(armed);
    }

    pub(crate) fn clear(&self) {
        self.lock().0.clear();
    }

    pub(crate) fn list(&self, now_ms: i64) -> Vec<FaultState> {
        let inner = self.lock();
        inner.0.iter().map(|armed| armed.state(now_ms)).collect()
    }

    /// What happens to a request whose body has so many bytes. Of faults that change the answer the first one acts; those that
    /// slow it or add headers join it.
    pub(crate) fn plan(&self, id: &str, bytes: u64, is_events: bool, now_ms: i64) -> Plan {
        let mut plan = Plan::default();
        let mut inner = self.lock();
        let (armed, chance) = &mut *inner;
        for armed in armed {
            let is_meant = (is_events || armed.fault.everywhere)
                && armed.fault.on.as_deref().is_none_or(|on| on == id)
                && armed.fault.over.is_none_or(|over| bytes > over)
                && armed.is_active(now_ms);
            let is_taken = plan.effect.is_some() && !armed.fault.effect.joins();
            if !is_meant || is_taken || !chance.happens(armed.fault.per_million) {
                continue;
            }
            armed.hits += 1;
            if let Some(left) = &mut armed.left {
                *left -= 1;
            }
            match &armed.fault.effect {
                Effect::Slow { by_ms } => plan.slow_ms += by_ms,
                Effect::SlowPerByte { by_us } => {
                    plan.upload_us = plan.upload_us.saturating_add(by_us.saturating_mul(bytes));
                }
                Effect::Usage { percent } => plan.usage_percent = Some(*percent),
                effect => {
                    plan.effect = Some(effect.clone());
                    plan.late = armed.fault.late;
                    plan.ends_ms = armed.ends_ms;
                }
            }
        }
        plan
    }

    /// A new `fbtrace_id`.
    pub(crate) fn trace_id(&self) -> String {
        self.lock().1.trace_id()
    }
}

impl Armed {
    fn is_active(&self, now_ms: i64) -> bool {
        self.left != Some(0)
            && now_ms >= self.begins_ms
            && self.ends_ms.is_none_or(|ends_ms| now_ms < ends_ms)
    }

    fn state(&self, now_ms: i64) -> FaultState {
        FaultState {
            fault: self.fault.to_string(),
            active: self.is_active(now_ms),
            hits: self.hits,
            left: self.left,
        }
    }
}

impl Plan {
    /// The answer in place of the real one, for effects that are an answer.
    pub(crate) fn reply(&self, dataset: &str, trace_id: &str, now_ms: i64) -> Option<Reply> {
        let error = |error: GraphError| Reply::error(&error, trace_id);
        Some(match self.effect.as_ref()? {
            Effect::Status(status) => error(unwell(*status)),
            Effect::ErrorWith200 => error(unwell(200)),
            Effect::Empty(status) => Reply::new(*status, "text/plain", ""),
            Effect::Html(status) => Reply::html(*status),
            Effect::Error {
                code,
                subcode,
                status,
            } => {
                let text = format!("(#{code}) This error was asked for");
                let mut asked = GraphError::new(*status, *code, text);
                asked.subcode = *subcode;
                error(asked)
            }
            Effect::TokenExpired => error(expired()),
            Effect::TokenRevoked => error(revoked()),
            Effect::Throttle { code, regain_min } => {
                let left_ms = self.ends_ms.map_or(0, |ends_ms| ends_ms - now_ms);
                let regain_min = regain_min.unwrap_or_else(|| minutes(left_ms));
                throttled(*code, dataset, regain_min, trace_id)
            }
            _ => return None,
        })
    }
}

fn unwell(status: u16) -> GraphError {
    match status {
        429 => GraphError::new(429, 4, "(#4) Application request limit reached").transient(),
        503 | 504 => GraphError::new(status, 2, "Service temporarily unavailable").transient(),
        _ => GraphError::new(status, 1, "An unknown error has occurred."),
    }
}

/// A refusal because of too many calls, with the headers that belong to its code.
pub(crate) fn throttled(code: i64, dataset: &str, regain_min: u64, trace_id: &str) -> Reply {
    let text = match code {
        4 => "(#4) Application request limit reached".to_owned(),
        17 => "(#17) User request limit reached".to_owned(),
        code => format!("(#{code}) There have been too many calls: wait a little and try again"),
    };
    let mut error = GraphError::new(400, code, text);
    // As Meta writes these two, which mislead whoever takes the flag for "try again at once".
    error.is_transient = matches!(code, 4 | 17);
    if code == 80_004 {
        error.subcode = Some(2_446_079);
    }
    let mut reply = Reply::error(&error, trace_id);
    let is_business = (80_000..=80_014).contains(&code);
    reply.headers.extend(usage_headers(
        dataset,
        if is_business { None } else { Some(100) },
        if is_business { 100 } else { 0 },
        regain_min,
    ));
    reply
}

/// `X-App-Usage` and `X-Business-Use-Case-Usage`. The second counts the time to wait in minutes.
pub(crate) fn usage_headers(
    dataset: &str,
    app_percent: Option<u32>,
    business_percent: u32,
    regain_min: u64,
) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(percent) = app_percent {
        let shape = serde_json::json!({
            "call_count": percent, "total_time": percent / 4, "total_cputime": percent / 5,
        });
        headers.push(("x-app-usage", shape.to_string()));
    }
    let shape = serde_json::json!({ dataset: [{
        "type": "ads_management",
        "call_count": business_percent,
        "total_cputime": business_percent / 5,
        "total_time": business_percent / 4,
        "estimated_time_to_regain_access": regain_min,
        "ads_api_access_tier": "standard_access",
    }]});
    headers.push(("x-business-use-case-usage", shape.to_string()));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse_script;

    fn faults(script: &str) -> Faults {
        let faults = Faults::new(1);
        faults.add(parse_script(script).unwrap(), 0);
        faults
    }

    fn effect(faults: &Faults, id: &str, now_ms: i64) -> Option<String> {
        let plan = faults.plan(id, 0, true, now_ms);
        plan.effect.map(|effect| effect.to_string())
    }

    #[test]
    fn a_thin_uplink_takes_its_time_for_each_byte() {
        let faults = faults("slow 20us/byte; slow 1s; 500");
        let plan = faults.plan("1", 50_000, true, 0);
        assert_eq!((plan.upload_us, plan.slow_ms), (1_000_000, 1_000));
        assert_eq!(plan.effect, Some(Effect::Status(500)));
    }

    #[test]
    fn the_first_active_fault_acts() {
        let faults = faults("500 x 2\nhang for 10s\nreset in 20s");
        let seen: Vec<_> = [0, 0, 0, 9_999, 10_000, 20_000]
            .map(|now_ms| effect(&faults, "1", now_ms))
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        assert_eq!(seen, ["500", "500", "hang", "hang", "", "reset"]);
        faults.clear();
        assert_eq!(effect(&faults, "1", 0), None);
    }

    #[test]
    fn slowness_and_usage_join() {
        let faults = faults("slow 2s; usage 80; 500 x 1; slow 1s x 1");
        let plan = faults.plan("1", 0, true, 0);
        assert_eq!(plan.effect, Some(Effect::Status(500)));
        assert_eq!((plan.slow_ms, plan.usage_percent), (3_000, Some(80)));
        let plan = faults.plan("1", 0, true, 0);
        assert_eq!((plan.effect, plan.slow_ms), (None, 2_000));
    }

    #[test]
    fn selects_by_dataset_and_path() {
        let faults = faults("500 on 1; 503 everywhere");
        assert_eq!(effect(&faults, "1", 0).as_deref(), Some("500"));
        assert_eq!(effect(&faults, "2", 0).as_deref(), Some("503"));
        let elsewhere = faults.plan("1", 0, false, 0).effect;
        assert_eq!(elsewhere, Some(Effect::Status(503)));
    }

    #[test]
    fn chance_hits_about_as_often_as_it_says() {
        let faults = faults("500 p=0.1");
        let hits = (0..10_000)
            .filter(|_| effect(&faults, "1", 0).is_some())
            .count();
        assert!((900..1_100).contains(&hits), "{hits}");
    }

    #[test]
    fn throttling_says_how_long_to_wait() {
        let faults = faults("throttle for 61s");
        let plan = faults.plan("77", 0, true, 0);
        let reply = plan.reply("77", "A1", 0).unwrap();
        let (name, value) = &reply.headers[0];
        assert_eq!(*name, "x-business-use-case-usage");
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(value["77"][0]["estimated_time_to_regain_access"], 2);
        assert_eq!(reply.label, "400 80004/2446079");
    }
}
