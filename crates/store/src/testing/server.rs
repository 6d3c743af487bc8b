//! A PostgreSQL server for a test, in a temporary folder.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// A server. It ends with this, and its folder goes away.
pub struct Server {
    folder: TempDir,
    /// Part of the socket's name, even where nothing listens on it.
    port: u16,
    programs: PathBuf,
    user: Option<u32>,
    running: Option<Child>,
}

impl Server {
    /// Makes a server and starts it.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed: it says how to.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-pg-").tempdir();
        let mut server = Self {
            folder: folder.expect("a temporary folder"),
            port: free_port(),
            programs: programs(),
            user: user(),
            running: None,
        };
        if let Some(user) = server.user {
            chown(server.folder.path(), Some(user), None).expect("the folder of a server");
        }
        // In the order of a language, so that a test sees whether a table's order is that of bytes.
        let made = server
            .command("initdb")
            .args([
                "--username=sluice",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
            ])
            .args(["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"])
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.run();
        server
    }

    /// The URL of its database, by way of a socket in its folder.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://sluice@/postgres?host={}&port={}",
            self.folder.path().display(),
            self.port
        )
    }

    /// Its port, on which it listens when it is told to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder in which it runs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a file to the server's user, as keys have to be.
    pub fn hand_over(&self, file: &Path) {
        chown(file, self.user, None).expect("a file for the server");
    }

    /// Starts it, and waits until it answers.
    pub fn run(&mut self) {
        self.run_with(&[]);
    }

    /// The same, with settings such as `ssl=on`.
    pub fn run_with(&mut self, settings: &[String]) {
        let mut command = self.command("postgres");
        command.args(["-c", "fsync=off", "-c", "deadlock_timeout=20ms"]);
        command.args(["-c", "listen_addresses=", "-c"]);
        command.arg(format!(
            "unix_socket_directories={}",
            self.folder.path().display()
        ));
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let log_too = log.try_clone().expect("a log");
        command.stdout(log).stderr(log_too);
        self.running = Some(command.spawn().expect("postgres runs"));
        loop {
            let ready = self
                .command("pg_isready")
                .arg("-q")
                .arg("-h")
                .arg(self.folder.path())
                .status();
            if ready.expect("pg_isready runs").success() {
                return;
            }
            let ended = self
                .running
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "postgres: {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Runs statements in it, each by itself.
    pub fn psql(&self, sql: &str) {
        let mut psql = self.command("psql");
        psql.arg("-qX").arg("-h").arg(self.folder.path());
        let done = psql
            .args(["-d", "postgres", "-c", sql])
            .output()
            .expect("psql runs");
        assert!(
            done.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// What it has logged since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it at once, as a crash does.
    pub fn stop(&mut self) {
        let Some(mut child) = self.running.take() else {
            return;
        };
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            let _gone = kill_process(id, Signal::QUIT);
        }
        child.wait().expect("a server that ends");
    }

    /// A program of PostgreSQL, as the user who may run it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGDATA", self.folder.path().join("data"));
        command.env("PGUSER", "sluice");
        command.env("PGPORT", self.port.to_string());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("a port").port()
}

/// The folder of the newest version's programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|version| {
            Some((
                version.file_name().to_str()?.parse::<u32>().ok()?,
                version.path(),
            ))
        })
        .max();
    if let Some((_, path)) = newest {
        return path.join("bin");
    }
    let found = Command::new("pg_config").arg("--bindir").output();
    let path = found
        .ok()
        .and_then(|found| String::from_utf8(found.stdout).ok());
    let path = path.map(|path| PathBuf::from(path.trim()));
    path.filter(|path| path.join("initdb").exists()).expect(
        "PostgreSQL, which the tests of the store run on, is not installed: run scripts/prepare, or install the \
         package `postgresql`",
    )
}

/// PostgreSQL does not run as root; its package brings a user for it.
fn user() -> Option<u32> {
    if !geteuid().is_root() {
        return None;
    }
    let found = Command::new("id")
        .args(["-u", "postgres"])
        .output()
        .expect("id runs");
    let number = String::from_utf8_lossy(&found.stdout).trim().parse();
    Some(number.expect("a user `postgres`: the package `postgresql` makes it"))
}
