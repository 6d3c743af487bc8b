//! The process as the system sees it, under the names that Prometheus' own clients use. Where the system does not say
//! something, there is no series of it.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

use crate::clock::cpu_time;

/// Asks the system at each scrape. This blocks for as long as the list of open files takes.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cpu = ConstCounter::new(cpu_time().as_secs_f64());
        let metric = encoder.encode_descriptor(
            "process_cpu",
            "Time on a processor, of the system's work for the process too.",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?;
        cpu.encode(metric)?;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").ok();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory that the process has in use.",
                bytes_of(&status, "VmRSS"),
            ),
            (
                "process_virtual_memory_bytes",
                "Addresses that the process has asked for.",
                bytes_of(&status, "VmSize"),
            ),
            (
                "process_open_fds",
                "Files and connections that are open.",
                // One of them is the list itself.
                open.map(|open| count(open.count().saturating_sub(1))),
            ),
            (
                "process_max_fds",
                "Files and connections that may be open.",
                getrlimit(Resource::Nofile).current,
            ),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// A line of `/proc/self/status`, such as `VmRSS:     12345 kB`, in bytes.
fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let value = (status.lines()).find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_systems_page() {
        let status = "Name:\tsluice\nVmPeak:\t   20000 kB\nVmSize:\t   19000 kB\nVmRSS:\t    8192 kB\nThreads:\t3\n";
        assert_eq!(bytes_of(status, "VmRSS"), Some(8_388_608));
        assert_eq!(bytes_of(status, "VmSize"), Some(19_456_000));
        assert_eq!(bytes_of(status, "Threads"), None);
        assert_eq!(bytes_of("", "VmRSS"), None);
    }
}
