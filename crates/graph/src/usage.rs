//! How much of its allowance a caller has used: Meta's usage headers.
//!
//! They appear only once enough calls were made, in several shapes with several units; what they have
//! in common is a percentage and, when it is over, a time to wait.

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
    pub fn read(self, value: &str) -> Usage {
        let Ok(value) = serde_json::from_str::<Value>(value) else {
            return Usage::default();
        };
        match self {
            UsageHeader::App | UsageHeader::InsightsThrottle => percentages(&value),
            UsageHeader::AdAccount => {
                let usage = percentages(&value);
                usage.waiting(seconds(&value, "reset_time_duration", 1))
            }
            UsageHeader::BusinessUseCase => {
                let objects = value
                    .as_object()
                    .into_iter()
                    .flat_map(|objects| objects.values());
                objects
                    .filter_map(Value::as_array)
                    .flatten()
                    .map(|entry| {
                        let wait = seconds(entry, "estimated_time_to_regain_access", 60);
                        percentages(entry).waiting(wait)
                    })
                    .fold(Usage::default(), Usage::worse)
            }
        }
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
            (
                UsageHeader::InsightsThrottle,
                r#"{"app_id_util_pct":100,"acc_id_util_pct":10}"#,
                100,
                None,
            ),
            (UsageHeader::App, "", 0, None),
            (UsageHeader::App, "[]", 0, None),
            (UsageHeader::BusinessUseCase, r#"{"1":{}}"#, 0, None),
            (UsageHeader::App, r#"{"call_count":-5}"#, 0, None),
        ] {
            assert_eq!(header.read(value), Usage { percent, regain_s }, "{value}");
        }
    }
}
