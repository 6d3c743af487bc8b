//! Tells when the configuration file was edited while the gateway runs.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{error, info, warn};

use crate::config::{ConfigFile, Edited, Environment, LoadError, Severity};

/// Problems of a broken file that are told; the next start tells them all.
const PROBLEMS_MAX: usize = 5;

/// Looks at the file, away from the threads that serve.
pub(crate) struct Look {
    file: Arc<Mutex<ConfigFile>>,
    environment: Arc<dyn Environment>,
}

impl Look {
    pub(crate) fn new(file: ConfigFile, environment: Arc<dyn Environment>) -> Self {
        Self {
            file: Arc::new(Mutex::new(file)),
            environment,
        }
    }

    /// Looks at the file and logs what has changed since the last look; on SIGHUP (`is_asked`), everything.
    /// Returns whether the file is another one than the one in use, if something was logged about it.
    pub(crate) async fn tell(&self, is_asked: bool, now_s: i64) -> Option<bool> {
        let (file, environment) = (Arc::clone(&self.file), Arc::clone(&self.environment));
        let look = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let edited = file.look(is_asked, &*environment, now_s);
            edited.map(|edited| (edited, file.path().display().to_string()))
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(Some((Edited::Usable, file))) => {
                warn!(file, "the configuration has changed: restart to use it");
                Some(true)
            }
            Ok(Some((Edited::Unusable(why), file))) => {
                let problems = problems(&why);
                error!(
                    file,
                    problems,
                    "the configuration has changed and cannot be used: the next start would fail"
                );
                Some(true)
            }
            Ok(Some((Edited::AsBefore, file))) => {
                info!(file, "the configuration is again the one in use");
                Some(false)
            }
            Ok(None) => None,
            Err(error) => {
                error!(%error, "looking at the configuration failed");
                None
            }
        }
    }
}

/// What is wrong with it, in one line.
fn problems(why: &LoadError) -> String {
    let LoadError::Problems(problems) = why else {
        let cause = std::error::Error::source(why);
        return cause.map_or_else(|| why.to_string(), |cause| format!("{why}: {cause}"));
    };
    let mut text = String::new();
    let errors = problems.iter().filter(|it| it.severity == Severity::Error);
    for problem in errors.clone().take(PROBLEMS_MAX) {
        let between = if text.is_empty() { "" } else { "; " };
        // Writing to a `String` cannot fail.
        let _ = match problem.line() {
            Some(line) => write!(text, "{between}line {line}: {}", problem.message),
            None => write!(text, "{between}{}", problem.message),
        };
    }
    let more = errors.count().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        let _ = write!(text, "; and {more} more");
    }
    text
}
