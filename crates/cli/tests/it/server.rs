//! Commands that run until they are stopped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running command. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What was printed up to the address.
    pub(crate) greeting: String,
    /// The first address that it printed, without a slash at the end.
    pub(crate) base: String,
}

impl Server {
    /// Starts `sluice` with these arguments, and waits for the address it prints.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(&[], arguments)
    }

    /// The same with these variables.
    pub(crate) fn start_with(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_in(Path::new("."), variables, arguments)
    }

    /// The same in a folder.
    pub(crate) fn start_in(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .current_dir(folder)
            // There is nobody who would have to go elsewhere.
            .env("SLUICE_SERVER_DRAIN_S", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        let base = loop {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{greeting}");
            greeting.push_str(&line);
            if let Some((_, address)) = line.trim().split_once("http://") {
                let end = address.find(|c: char| !(c.is_ascii_hexdigit() || "[].:".contains(c)));
                break format!("http://{}", &address[..end.unwrap_or(address.len())]);
            }
        };
        Self {
            child,
            stdout,
            greeting,
            base,
        }
    }

    /// Sends SIGTERM and waits. The exit code, and everything that was printed.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").arg(pid).status().unwrap();
        assert!(killed.success());
        let code = self.child.wait().unwrap().code();
        let mut printed = std::mem::take(&mut self.greeting);
        self.stdout.read_to_string(&mut printed).unwrap();
        (code, printed)
    }

    /// Reads on until a line begins with this, and returns the line.
    pub(crate) fn line_with(&mut self, start: &str) -> String {
        loop {
            let known = self.greeting.lines();
            if let Some(line) = known.map(str::trim).find(|line| line.starts_with(start)) {
                return line.to_owned();
            }
            let mut line = String::new();
            let bytes = self.stdout.read_line(&mut line).unwrap();
            assert_ne!(bytes, 0, "{}", self.greeting);
            self.greeting.push_str(&line);
        }
    }

    /// Sends a request of HTTP/1.1; the status and the body of the answer.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        http(&self.base, method, path, body)
    }

    /// What `GET` answers, as JSON.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.http("GET", path, "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request of HTTP/1.1 to an address; the status and the body of the answer.
pub(crate) fn http(base: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    http_with(base, method, path, "", body)
}

/// The same with further headers, each of which ends in CRLF.
pub(crate) fn http_with(
    base: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String) {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}
