//! Notices that the configuration file was written, and reads it when it is whole.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::load::{LoadError, Loaded, content};
use super::resolved::Config;

/// A configuration file that is looked at from time to time.
pub struct ConfigFile {
    path: PathBuf,
    /// What the system said of it at the last look.
    seen: Option<Stamp>,
    /// What it said when the file was read last.
    read: Option<Stamp>,
}

/// When and where a file was last written. Of a link, it is that of the file behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    file: (u64, u64),
    bytes: u64,
}

impl ConfigFile {
    /// Looks at a file from now on. To be called before it is read: what is written in between is noticed then.
    pub fn new(path: &Path) -> Self {
        let seen = stamp(path);
        Self {
            path: path.to_owned(),
            seen,
            read: seen,
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the file. Whether it is to be read: it is another one than the one that was read last, or to be read
    /// `again`; and it is the same as at the last look: an editor that writes in several steps has come to its end.
    pub(crate) fn is_due(&mut self, again: bool) -> bool {
        let now = stamp(&self.path);
        let before = std::mem::replace(&mut self.seen, now);
        now == before && (again || now != self.read)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// As [`Config::load`], and [`LoadError::Changing`] if it was written meanwhile.
    pub(crate) fn read(
        &mut self,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Loaded, LoadError> {
        let before = stamp(&self.path);
        let read = content(&self.path);
        if stamp(&self.path) != before {
            return Err(LoadError::Changing(self.path.clone()));
        }
        self.read = before;
        let (name, text) = read?;
        Config::parse(&name, &text, environment, now_s).map_err(LoadError::Problems)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::FixedEnvironment;
    use crate::config::tests::LEAST;

    #[test]
    fn a_file_is_read_once_it_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.toml");
        fs::write(&path, LEAST).unwrap();
        let mut file = ConfigFile::new(&path);
        assert!(!file.is_due(false) && !file.is_due(false));

        let half = &LEAST[..LEAST.len() / 2];
        fs::write(&path, half).unwrap();
        assert!(!file.is_due(false), "it may be half of a file");
        fs::write(&path, format!("{LEAST}# edited\n")).unwrap();
        assert!(!file.is_due(false), "it was written since the last look");
        assert!(file.is_due(false) && file.is_due(false));
        assert!(file.read(&FixedEnvironment::new(), 0).is_ok());
        assert!(!file.is_due(false));

        fs::write(&path, "[[nonsense").unwrap();
        assert!(!file.is_due(false));
        assert!(file.is_due(false));
        let read = file.read(&FixedEnvironment::new(), 0);
        assert!(matches!(read, Err(LoadError::Problems(_))));
        assert!(!file.is_due(false), "what is wrong was told");

        fs::remove_file(&path).unwrap();
        assert!(!file.is_due(false));
        assert!(file.is_due(false));
        let read = file.read(&FixedEnvironment::new(), 0);
        assert!(matches!(read, Err(LoadError::Read { .. })));
        assert!(!file.is_due(false));
    }

    #[test]
    fn a_file_that_is_being_written_is_not_read_again_either() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.toml");
        fs::write(&path, LEAST).unwrap();
        let mut file = ConfigFile::new(&path);
        assert!(file.is_due(true), "it stays as it is");
        fs::write(&path, &LEAST[..LEAST.len() / 2]).unwrap();
        assert!(!file.is_due(true), "it may be half of a file");
        assert!(file.is_due(true));
    }

    /// As Kubernetes changes what it has mounted: the file is a link into a folder that is a link.
    #[test]
    fn a_link_that_leads_to_another_file_is_an_edit() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["first", "second"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("sluice.toml"), LEAST).unwrap();
        }
        symlink("first", at("..data")).unwrap();
        symlink("..data/sluice.toml", at("sluice.toml")).unwrap();
        let mut file = ConfigFile::new(&at("sluice.toml"));
        symlink("second", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(!file.is_due(false));
        assert!(file.is_due(false));
    }
}
