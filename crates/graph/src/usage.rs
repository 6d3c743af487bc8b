//! How much of its allowances a caller has used: Meta's usage headers.
//!
//! They appear only once enough calls were made, in several shapes with several units; what they have
//! in common is a percentage and, when it is over, a time to wait.
//!
//! Meta counts kinds of calls apart, and an answer to one kind may tell of others. An upload of an audience that is
//! throttled must not slow events down.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A header that Meta reports usage in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageHeader {
    /// `X-App-Usage` and `X-Page-Usage`: percentages.
    App,
    /// `X-Ad-Account-Usage`: a percentage and seconds.
    AdAccount,
    /// `X-Business-Use-Case-Usage`: percentages and minutes, per business object.
    BusinessUseCase,
    /// `X-FB-Ads-Insights-Throttle`: percentages.
    InsightsThrottle,
}

/// A kind of calls that Meta counts apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseCase {
    /// Events, and everything that is none of the others: counts of a dataset, its quality, tokens.
    Events,
    /// Users of custom audiences (`custom_audience`).
    Audiences,
    /// Reports on ads (`ads_insights`).
    Insights,
    /// Leads of Lead Ads (`leadgen`).
    Leads,
}

impl UseCase {
    const COUNT: usize = 4;

    /// The use case of a `type`.
    fn of(name: &str) -> Self {
        match name {
            "custom_audience" => UseCase::Audiences,
            "ads_insights" => UseCase::Insights,
            "leadgen" => UseCase::Leads,
            _ => UseCase::Events,
        }
    }
}

/// How much was used of each allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usages {
    /// Of what counts all calls: those of an app, an ad account or a page.
    shared: Usage,
    by_case: [Usage; UseCase::COUNT],
}

impl Usages {
    /// What counts for calls of this kind.
    pub fn of(&self, case: UseCase) -> Usage {
        self.shared.worse(self.by_case[case as usize])
    }

    fn shared(usage: Usage) -> Self {
        Self {
            shared: usage,
            ..Self::default()
        }
    }

    fn of_case(case: UseCase, usage: Usage) -> Self {
        let mut usages = Self::default();
        usages.by_case[case as usize] = usage;
        usages
    }

    /// The worse of two in every respect.
    #[must_use]
    pub(crate) fn worse(mut self, other: Self) -> Self {
        self.shared = self.shared.worse(other.shared);
        for (mine, others) in self.by_case.iter_mut().zip(other.by_case) {
            *mine = mine.worse(others);
        }
        self
    }
}

/// How much was used, the worst of all that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Percent of the allowance; 100 and more: throttled.
    pub percent: u32,
    /// How long to wait, in seconds, if Meta says.
    pub regain_s: Option<u64>,
}

impl UsageHeader {
    /// Every header.
    pub const ALL: [(UsageHeader, &'static str); 5] = [
        (UsageHeader::App, "x-app-usage"),
        (UsageHeader::App, "x-page-usage"),
        (UsageHeader::AdAccount, "x-ad-account-usage"),
        (UsageHeader::BusinessUseCase, "x-business-use-case-usage"),
        (UsageHeader::InsightsThrottle, "x-fb-ads-insights-throttle"),
    ];

    /// Reads the header's value; what cannot be read counts as nothing used.
    pub fn read(self, value: &str) -> Usages {
        if self == UsageHeader::BusinessUseCase {
            return serde_json::from_str(value).map_or(Usages::default(), |Objects(usages)| usages);
        }
        let Ok(value) = serde_json::from_str::<Value>(value) else {
            return Usages::default();
        };
        let usage = percentages(&value);
        match self {
            UsageHeader::AdAccount => {
                Usages::shared(usage.waiting(seconds(&value, "reset_time_duration", 1)))
            }
            UsageHeader::InsightsThrottle => Usages::of_case(UseCase::Insights, usage),
            UsageHeader::App | UsageHeader::BusinessUseCase => Usages::shared(usage),
        }
    }
}

/// The worst of all business objects. Their ids may repeat, as in Meta's own sample, so they are not read
/// into a map, of which the last would win.
struct Objects(Usages);

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Objects(Usages::default()))
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usage by business object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut objects: A) -> Result<Self, A::Error> {
        while let Some((_, entries)) = objects.next_entry::<String, Value>()? {
            self.0 = entries
                .as_array()
                .into_iter()
                .flatten()
                .map(|entry| {
                    let wait = seconds(entry, "estimated_time_to_regain_access", 60);
                    let name = entry.get("type").and_then(Value::as_str);
                    let case = UseCase::of(name.unwrap_or_default());
                    Usages::of_case(case, percentages(entry).waiting(wait))
                })
                .fold(self.0, Usages::worse);
        }
        Ok(self)
    }
}

impl Usage {
    /// The worse of two in every respect.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        Self {
            percent: self.percent.max(other.percent),
            regain_s: self.regain_s.max(other.regain_s),
        }
    }

    fn waiting(self, regain_s: Option<u64>) -> Self {
        Self { regain_s, ..self }
    }
}

/// The largest percentage among the fields of an object.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits before"
)]
fn percentages(entry: &Value) -> Usage {
    const FIELDS: [&str; 5] = [
        "call_count",
        "total_time",
        "total_cputime",
        "acc_id_util_pct",
        "app_id_util_pct",
    ];
    let percent = FIELDS
        .iter()
        .filter_map(|field| entry.get(field)?.as_f64())
        .fold(0.0, f64::max);
    Usage {
        // Rounded up, so 99.5 % counts as full.
        percent: percent.clamp(0.0, 10_000.0).ceil() as u32,
        regain_s: None,
    }
}

fn seconds(entry: &Value, field: &str, unit_s: u64) -> Option<u64> {
    let count = entry.get(field)?.as_u64().filter(|count| *count > 0)?;
    Some(count.saturating_mul(unit_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_shape_in_its_own_units() {
        for (header, value, percent, regain_s) in [
            (
                UsageHeader::App,
                r#"{"call_count":28,"total_time":75,"total_cputime":25}"#,
                75,
                None,
            ),
            (
                UsageHeader::AdAccount,
                r#"{"acc_id_util_pct":9.67,"reset_time_duration":100,"ads_api_access_tier":"standard_access"}"#,
                10,
                Some(100),
            ),
            (
                UsageHeader::BusinessUseCase,
                r#"{"1":[{"type":"ads_management","call_count":95,"total_cputime":20,"total_time":20,"estimated_time_to_regain_access":0}],
                    "2":[{"type":"pages","call_count":100,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":19}]}"#,
                100,
                Some(19 * 60),
            ),
            // As in Meta's sample, an id is there twice.
            (
                UsageHeader::BusinessUseCase,
                r#"{"1":[{"call_count":100,"estimated_time_to_regain_access":20}],"1":[{"call_count":1}]}"#,
                100,
                Some(20 * 60),
            ),
            (UsageHeader::BusinessUseCase, "[]", 0, None),
            (UsageHeader::App, "", 0, None),
            (UsageHeader::App, "[]", 0, None),
            (UsageHeader::BusinessUseCase, r#"{"1":{}}"#, 0, None),
            (UsageHeader::App, r#"{"call_count":-5}"#, 0, None),
        ] {
            let usage = header.read(value).of(UseCase::Events);
            assert_eq!(usage, Usage { percent, regain_s }, "{value}");
        }
    }

    /// The types are those of Meta's page about rate limits.
    #[test]
    fn kinds_of_calls_are_counted_apart() {
        for (name, of_events, case) in [
            ("ads_management", 80, UseCase::Events),
            ("pages", 80, UseCase::Events),
            ("messenger", 80, UseCase::Events),
            ("instagram", 80, UseCase::Events),
            ("something_new", 80, UseCase::Events),
            ("custom_audience", 0, UseCase::Audiences),
            ("ads_insights", 0, UseCase::Insights),
            ("leadgen", 0, UseCase::Leads),
        ] {
            let value = format!(r#"{{"1":[{{"type":"{name}","call_count":80}}]}}"#);
            let usages = UsageHeader::BusinessUseCase.read(&value);
            assert_eq!(usages.of(UseCase::Events).percent, of_events, "{name}");
            assert_eq!(usages.of(case).percent, 80, "{name}");
        }
        let insights = r#"{"app_id_util_pct":100,"acc_id_util_pct":10}"#;
        let insights = UsageHeader::InsightsThrottle.read(insights);
        let app = UsageHeader::App.read(r#"{"call_count":28}"#);
        let both = insights.worse(app);
        let percents = [
            UseCase::Events,
            UseCase::Audiences,
            UseCase::Insights,
            UseCase::Leads,
        ]
        .map(|case| both.of(case).percent);
        assert_eq!(
            percents,
            [28, 28, 100, 28],
            "an app's calls are all of them"
        );
    }
}
