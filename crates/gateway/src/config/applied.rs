//! Putting another configuration in force while the gateway runs: what waits for a restart stays as it is.

use super::resolved::{Config, Graph, Journal, Log, Server};

impl Config {
    /// What holds when `new` is put in force while a gateway runs with this configuration. Which keys stay is a column
    /// of `keys`, too.
    pub(crate) fn applied(&self, new: Config) -> Config {
        Config {
            server: Server {
                listen: self.server.listen,
                decoded_bytes_max: self.server.decoded_bytes_max,
                connections_max: self.server.connections_max,
                ..new.server
            },
            admin: self.admin.clone(),
            journal: Journal {
                history: new.journal.history,
                ..self.journal.clone()
            },
            graph: Graph {
                base_url: self.graph.base_url.clone(),
                timeout: self.graph.timeout,
                connect_timeout: self.graph.connect_timeout,
                ..new.graph
            },
            log: Log {
                format: self.log.format,
                ..new.log
            },
            settings: self.settings.applied(new.settings),
            ..new
        }
    }
}
