//! Notices that the configuration file is another one than the one in force. It is read at the start only, so
//! who edits it has to be told that nothing has changed yet.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::environment::Environment;
use super::load::{self, LoadError};
use super::resolved::Config;

/// A configuration file that is looked at from time to time.
pub struct ConfigFile {
    path: PathBuf,
    /// What the system said of it at the last look.
    seen: Option<Stamp>,
    /// Its text when the gateway started.
    in_force: Text,
    /// Its text when something was said of it last.
    told: Text,
}

/// When and where a file was last written.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    file: (u64, u64),
    bytes: u64,
}

/// A hash of a text; `None` if it cannot be read.
type Text = Option<[u8; 32]>;

/// What is to be said of the file.
#[derive(Debug)]
pub(crate) enum Edited {
    /// It is another one, with which the gateway would start.
    Usable,
    /// It is another one, with which the gateway would not start.
    Unusable(LoadError),
    /// It is again the one in force.
    AsBefore,
}

impl ConfigFile {
    /// Looks at a file from now on. To be called before it is read: what is written in between is noticed then.
    pub fn new(path: &Path) -> Self {
        let in_force = text(path);
        Self {
            seen: stamp(path),
            path: path.to_owned(),
            in_force,
            told: in_force,
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the file. Returns what has changed since the last look, or, when SIGHUP `asks`, since the start.
    pub(crate) fn look(
        &mut self,
        asks: bool,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Option<Edited> {
        let seen = stamp(&self.path);
        if seen == self.seen && !asks {
            return None;
        }
        self.seen = seen;
        let text = text(&self.path);
        let is_told = std::mem::replace(&mut self.told, text) == text;
        if text == self.in_force {
            return (!is_told).then_some(Edited::AsBefore);
        }
        if is_told && !asks {
            return None;
        }
        Some(match Config::load(&self.path, environment, now_s) {
            Ok(_) => Edited::Usable,
            Err(error) => Edited::Unusable(error),
        })
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata: Metadata = path.metadata().ok()?;
    Some(Stamp {
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        file: (metadata.dev(), metadata.ino()),
        bytes: metadata.size(),
    })
}

fn text(path: &Path) -> Text {
    let (_, text) = load::content(path).ok()?;
    Some(Sha256::digest(text.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::FixedEnvironment;
    use crate::config::tests::LEAST;

    #[test]
    fn each_change_is_told_once_and_again_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.toml");
        fs::write(&path, LEAST).unwrap();
        let environment = FixedEnvironment::new();
        let mut file = ConfigFile::new(&path);
        let mut look = |asks| file.look(asks, &environment, 0);
        assert!(look(false).is_none() && look(true).is_none());

        fs::write(&path, format!("{LEAST}# edited\n")).unwrap();
        assert!(matches!(look(false), Some(Edited::Usable)));
        assert!(look(false).is_none());
        assert!(matches!(look(true), Some(Edited::Usable)));

        fs::write(&path, "[[nonsense").unwrap();
        let Some(Edited::Unusable(LoadError::Problems(problems))) = look(false) else {
            panic!("it is broken");
        };
        assert_eq!(problems.iter().count(), 1);
        assert!(look(false).is_none());
        fs::remove_file(&path).unwrap();
        let told = look(false);
        assert!(matches!(
            told,
            Some(Edited::Unusable(LoadError::Read { .. }))
        ));
        assert!(look(false).is_none());

        fs::write(&path, LEAST).unwrap();
        assert!(matches!(look(false), Some(Edited::AsBefore)));
        assert!(look(false).is_none() && look(true).is_none());
    }
}
