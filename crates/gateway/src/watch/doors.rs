//! What the doors tell: requests, keys, connections.

use std::net::IpAddr;

use tracing::{debug, warn};

use super::{Watch, is_due, metrics};

/// Wrong keys of a minute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guesses {
    /// Wrong keys since the last time.
    pub(crate) keys: u64,
    /// Addresses that sent them.
    pub(crate) addresses: usize,
    /// The one that sent most of them.
    pub(crate) most_from: IpAddr,
}

impl Watch {
    /// A door answered. A server error that clients can cause is logged once a minute, a defect each time.
    pub(crate) fn answered(
        &self,
        door: &'static str,
        status: u16,
        request_id: &str,
        is_stopping: bool,
        now_ms: u64,
    ) {
        let label = metrics::Door { door, status };
        self.metrics.door_requests.get_or_create(&label).inc();
        if self.is_worth_a_warning(status, is_stopping, now_ms) {
            warn!(door, status, request_id, "answered with a server error");
        } else {
            debug!(door, status, request_id, "answered");
        }
    }

    fn is_worth_a_warning(&self, status: u16, is_stopping: bool, now_ms: u64) -> bool {
        // That the journal takes nothing, and that the gateway stops, was told when it began.
        let is_told = self.is_failing() || is_stopping;
        match status {
            _ if is_told => false,
            503 => is_due(&self.busy_told_ms, now_ms),
            // What the client asks for is not implemented.
            501 => false,
            _ => status >= 500,
        }
    }

    /// A request with a wrong key, or without one, was refused; once a minute the log says how many were.
    pub(crate) fn wrong_key(&self, guesses: Option<&Guesses>) {
        self.metrics.wrong_keys.inc();
        let Some(Guesses {
            keys,
            addresses,
            most_from,
        }) = guesses
        else {
            return;
        };
        warn!(
            requests = keys,
            addresses,
            %most_from,
            "requests were refused for a wrong key, or for none"
        );
    }

    /// All places for connections are taken. This is told once a minute.
    pub(crate) fn is_full(&self, now_ms: u64) {
        if is_due(&self.full_told_ms, now_ms) {
            warn!("server.connections_max is reached: further connections wait until others end");
        }
    }

    /// An address has as many connections as it may. This is told once a minute.
    pub(crate) fn address_has_too_many(&self, address: IpAddr, now_ms: u64) {
        if is_due(&self.refused_told_ms, now_ms) {
            warn!(
                %address,
                "an address has a quarter of server.connections_max open: further connections of it are closed"
            );
        }
    }

    /// A connection was opened or closed.
    pub(crate) fn connections(&self, change: i64) {
        self.metrics.connections.inc_by(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_fill_the_log_with_server_errors() {
        let watch = Watch::new();
        let is_told = |status, now_ms| watch.is_worth_a_warning(status, false, now_ms);
        assert!(is_told(503, 100_000) && !is_told(503, 159_999) && is_told(503, 160_000));
        assert!(
            is_told(500, 160_001) && is_told(500, 160_001),
            "each defect"
        );
        assert!(!is_told(501, 300_000) && !is_told(422, 300_000));
        assert!(!watch.is_worth_a_warning(500, true, 300_000), "in a stop");
    }
}
