//! The two text formats in which metrics are asked for: `OpenMetrics` 1.0.0, and Prometheus' own, version 0.0.4.

use std::collections::HashSet;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' text format, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a client asks for with `Accept`: `OpenMetrics` if it names it and likes nothing better.
    pub(crate) fn wanted(accept: &str) -> Self {
        let (mut text, mut open_metrics) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let weight: f32 = weight.unwrap_or(1.0);
            match media.as_str() {
                "application/openmetrics-text" => open_metrics = weight.max(open_metrics),
                "text/plain" | "text/*" | "*/*" => text = weight.max(text),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// Its content type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Metrics in this format.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Format::Text => text(&open_metrics),
            Format::OpenMetrics => open_metrics,
        }
    }
}

/// `OpenMetrics` as Prometheus' text format: counters are described under the name of their samples, there are no units,
/// and no end.
fn text(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len() + 16 * counters.len());
    for line in open_metrics.lines() {
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (keyword, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((keyword, name, rest))
        });
        match described {
            Some(("UNIT", ..)) => continue,
            Some((keyword, name, rest)) if counters.contains(name) => {
                for part in ["# ", keyword, " ", name, "_total ", rest] {
                    text.push_str(part);
                }
            }
            None if line == "# EOF" => continue,
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_format_that_it_likes_best() {
        // What Prometheus 2.42 and 3.0 send, curl, a browser, and nothing.
        for (accept, expected) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
                Format::Text,
            ),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("", Format::Text),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "application/openmetrics-text; q=0.9, text/*; q=0.8",
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(Format::wanted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_text_format_describes_counters_by_the_name_of_their_samples() {
        let open_metrics = "\
# HELP sluice_commits Transactions of the journal.
# TYPE sluice_commits counter
sluice_commits_total 3
# HELP process_cpu_seconds Time on a processor.
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
process_cpu_seconds_total 0.5
# HELP sluice_connections Open connections.
# TYPE sluice_connections gauge
sluice_connections 1
# HELP sluice_commit_latency_seconds How long.
# TYPE sluice_commit_latency_seconds histogram
# UNIT sluice_commit_latency_seconds seconds
sluice_commit_latency_seconds_bucket{le=\"+Inf\"} 3
# EOF
";
        let expected = "\
# HELP sluice_commits_total Transactions of the journal.
# TYPE sluice_commits_total counter
sluice_commits_total 3
# HELP process_cpu_seconds_total Time on a processor.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 0.5
# HELP sluice_connections Open connections.
# TYPE sluice_connections gauge
sluice_connections 1
# HELP sluice_commit_latency_seconds How long.
# TYPE sluice_commit_latency_seconds histogram
sluice_commit_latency_seconds_bucket{le=\"+Inf\"} 3
";
        assert_eq!(Format::Text.of(open_metrics.to_owned()), expected);
        assert_eq!(
            Format::OpenMetrics.of(open_metrics.to_owned()),
            open_metrics
        );
    }
}
