//! The file of the directives, in the journal's folder: written anew with each change, and put in the place of the one
//! before when it is on disk.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Standing;
use crate::control::ControlError;

/// The file in the journal's folder.
const NAME: &str = "directives.json";

/// The form of the file. A gateway that does not know it must not guess what is paused.
const VERSION: u32 = 1;

/// What was told before the last start cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("what is paused cannot be read from {}: {reason}", .file.display())]
pub struct DirectivesError {
    file: PathBuf,
    reason: String,
}

impl DirectivesError {
    /// What to do.
    pub(crate) fn help(&self) -> String {
        format!(
            "mend {0}, or remove it: then nothing is paused any more, and events that wait are sent",
            self.file.display()
        )
    }
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<S> {
    version: u32,
    standing: S,
}

/// Its version alone.
#[derive(Deserialize)]
struct OfVersion {
    version: u32,
}

/// Where the file is.
pub(super) struct File {
    folder: PathBuf,
}

impl File {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Reads it; where there is none, nothing was told.
    pub(super) fn read(&self) -> Result<Standing, DirectivesError> {
        let failed = |reason: String| DirectivesError {
            file: self.path(),
            reason,
        };
        let text = match fs::read(self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Standing::default()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let of_version: OfVersion =
            serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        if of_version.version != VERSION {
            let version = of_version.version;
            return Err(failed(format!(
                "its form is version {version}, and this program knows version {VERSION}"
            )));
        }
        let content: Content<Standing> =
            serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        Ok(content.standing)
    }

    /// Writes it. When this returns, it is what the next start reads.
    pub(super) fn write(&self, standing: &Standing) -> Result<(), ControlError> {
        self.replace(standing)
            .map_err(|error| ControlError::NotKept {
                file: self.path().display().to_string(),
                reason: error.to_string(),
            })
    }

    fn replace(&self, standing: &Standing) -> io::Result<()> {
        let content = Content {
            version: VERSION,
            standing,
        };
        let mut text = serde_json::to_vec(&content)?;
        text.push(b'\n');
        let draft = self.folder.join(format!("{NAME}.new"));
        // What a crash left, or a link that leads elsewhere.
        if let Err(error) = fs::remove_file(&draft)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, self.path())?;
        // Not every system can sync a folder; then there is nothing more to do.
        if let Ok(folder) = fs::File::open(&self.folder) {
            let _synced = folder.sync_all();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::DatasetId;

    use super::*;
    use crate::control::{Lanes, Pause};

    fn standing() -> Standing {
        let mut standing = Standing::default();
        standing.pause(Pause {
            lanes: Lanes {
                dataset: DatasetId::parse("1234567890123456").unwrap(),
                test_code: None,
                replay: false,
            },
            by: "an operator".to_owned(),
            since_ms: 1_000,
            note: Some("wrong prices".to_owned()),
        });
        standing
    }

    #[test]
    fn what_is_written_is_read_and_what_a_crash_left_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::in_folder(folder.path());
        assert_eq!(file.read().unwrap(), Standing::default());
        fs::write(folder.path().join("directives.json.new"), "{\"vers").unwrap();
        file.write(&standing()).unwrap();
        assert_eq!(file.read().unwrap(), standing());
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(
            text.starts_with("{\"version\":1,\"standing\":{\"pauses\":[{"),
            "{text}"
        );
        let mut files = fs::read_dir(folder.path()).unwrap();
        assert_eq!(files.next().unwrap().unwrap().file_name(), NAME);
        assert!(files.next().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_an_error_and_no_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::in_folder(folder.path());
        for (text, reason) in [
            ("", "EOF"),
            ("{}", "missing field `version`"),
            ("{\"version\":2,\"standing\":[]}", "its form is version 2"),
            ("{\"version\":1}", "missing field `standing`"),
            (
                "{\"version\":1,\"standing\":{\"tests\":[]}}",
                "missing field `pauses`",
            ),
            (
                "{\"version\":1,\"standing\":{\"pauses\":[],\"tests\":[],\"other\":[]}}",
                "unknown field `other`",
            ),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = file.read().unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").unwrap();
        symlink(&elsewhere, folder.path().join("directives.json.new")).unwrap();
        let file = File::in_folder(folder.path());
        file.write(&standing()).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
        let mode = fs::symlink_metadata(file.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_folder_that_is_gone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::in_folder(&folder.path().join("gone"));
        let error = file.write(&standing()).unwrap_err();
        assert_eq!(error.code(), "not_kept");
    }
}
