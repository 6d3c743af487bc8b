//! `sluice config init`: a configuration to start from, with a key that nobody can guess.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sluice_event::DatasetId;

use crate::config_file::{self, ConfigOption};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::{BOLD, Output, painted, shell_word};

/// What `sluice config init` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice config init
  sluice config init --dataset 1234567890123456
  sluice config init --config /etc/sluice/sluice.toml

Writes sluice.toml, with the keys that a first gateway needs, and beside it the folder
sluice-secrets with a new key for your backend, which only you can read. The access token of Meta
has a place there. Files that are there already are left alone.

Exit codes: 0 when all is written, 2 when it cannot be, or is there already.")]
pub(crate) struct Arguments {
    /// The file to write [default: ./sluice.toml]
    #[arg(long, value_name = "FILE", env = "SLUICE_CONFIG", value_parser = config_file::path())]
    config: Option<PathBuf>,
    /// Meta's id of the dataset, which is also that of the pixel; it can be filled in later
    #[arg(long, value_name = "ID", value_parser = DatasetId::parse)]
    dataset: Option<DatasetId>,
}

/// The folder beside the configuration, and what is in it.
const SECRETS: &str = "sluice-secrets";
const KEY_FILE: &str = "shop-backend.key";
const TOKEN_FILE: &str = "meta-access-token";

/// Stands where the id is to be filled in; it is no id, so that `config check` says so.
const NO_DATASET: &str = "the id of your dataset";

/// Writes the files and says what comes next.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let named = arguments
        .config
        .clone()
        .filter(|path| !path.as_os_str().is_empty());
    let file = named.unwrap_or_else(|| PathBuf::from(ConfigOption::DEFAULT));
    if file.exists() {
        return Err(there_already(&file));
    }
    let folder = file.parent().unwrap_or(Path::new("")).join(SECRETS);
    let (key, token) = (folder.join(KEY_FILE), folder.join(TOKEN_FILE));
    let text = text(arguments.dataset.as_ref(), &token, &key)?;
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.with_context(|| format!("making {}", folder.display()))?;
    // Secrets do not belong into a repository, and one is easily added by mistake.
    let ignored = write_new(&folder.join(".gitignore"), "*\n");
    let is_new_key = match write_new(&key, &format!("{}\n", new_key()?)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        written => {
            written.with_context(|| format!("writing {}", key.display()))?;
            true
        }
    };
    match ignored {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::from(
                anyhow::Error::new(error).context("writing .gitignore"),
            ));
        }
        _ => {}
    }
    match write_new(&file, &text) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(there_already(&file)),
        written => written.with_context(|| format!("writing {}", file.display()))?,
    }
    let next = Next {
        file: &file,
        key: &key,
        token: &token,
        is_new_key,
        has_dataset: arguments.dataset.is_some(),
    };
    next.show()?;
    Ok(Ending::Clean)
}

fn there_already(file: &Path) -> Failure {
    Failure::with_help(
        format!("{} is there already", file.display()),
        "name another file with --config, or move this one away",
    )
}

/// Writes a file that was not there, for this user only.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// A key that nobody can guess: 32 bytes of chance.
fn new_key() -> anyhow::Result<String> {
    let mut halves = [[0; 16]; 2];
    for half in &mut halves {
        getrandom::fill(half).context("asking the system for random bytes")?;
    }
    let [first, second] = halves.map(u128::from_be_bytes);
    Ok(format!("{first:032x}{second:032x}"))
}

/// The configuration.
fn text(dataset: Option<&DatasetId>, token: &Path, key: &Path) -> Result<String, Failure> {
    let dataset = dataset.map_or(NO_DATASET, DatasetId::as_str);
    let (token, key) = (quoted(token)?, quoted(key)?);
    Ok(format!(
        r#"# The configuration of Sluice. Every key that there is, with its default: `sluice config schema`.
# `sluice config check` says whether all is right, `sluice config check --online` asks Meta as well.
# Relative paths start at the folder in which `sluice serve` is started.

[server]
# Where your backends send events to. Plain HTTP: for other machines put a proxy with TLS in front.
listen = "127.0.0.1:8080"

[journal]
# The folder in which every event is kept before it is acknowledged. Back it up, and have one for each gateway.
path = "./sluice-data"

# Where events go: a dataset of Meta, which is the pixel, and the token that may send to it.
[[dataset]]
# Events Manager, Data sources, your dataset, Settings: "Dataset ID". It is not the id of the business.
id = "{dataset}"
# Events Manager, the same page, Conversions API: "Generate access token". The file holds the token alone.
access_token = {{ file = {token} }}

# Where events come from: what shows this key may send to these datasets.
[[source]]
name = "shop-backend"
kind = "api"
key = {{ file = {key} }}
datasets = ["{dataset}"]
"#
    ))
}

/// A path as a text of TOML.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['\'', '\n', '\r']));
    let text = text.ok_or_else(|| {
        Failure::with_help(
            format!("{} cannot be written into a configuration", path.display()),
            "name a file whose path has no quote and no line break, in UTF-8",
        )
    })?;
    Ok(format!("'{text}'"))
}

/// What is to be done then.
struct Next<'a> {
    file: &'a Path,
    key: &'a Path,
    token: &'a Path,
    is_new_key: bool,
    has_dataset: bool,
}

impl Next<'_> {
    fn show(&self) -> Result<(), Failure> {
        let mut output = Output::for_people();
        let word = |path: &Path| shell_word(&path.display().to_string());
        let (file, key, token) = (word(self.file), word(self.key), word(self.token));
        writeln!(output, "{} {file}", painted(BOLD, "wrote"))?;
        if self.is_new_key {
            let wrote = painted(BOLD, "wrote");
            writeln!(
                output,
                "{wrote} {key}  (the key for your backend, for you alone)"
            )?;
        } else {
            writeln!(output, "kept  {key}  (it was there already)")?;
        }
        writeln!(output, "\nWhat comes next:\n")?;
        if !self.has_dataset {
            writeln!(
                output,
                "  Put the id of your dataset into {file}, in two places: Events Manager, Data sources, Settings."
            )?;
        }
        let named = if self.file == Path::new(ConfigOption::DEFAULT) {
            String::new()
        } else {
            format!(" --config {file}")
        };
        writeln!(
            output,
            "  Put its access token into a file that only you can read; paste it, then Enter and Ctrl-D:\n\n\
             \x20   (umask 077; cat > {token})\n\n\
             \x20 See whether all is right, and start:\n\n\
             \x20   sluice config check --online{named}\n\
             \x20   sluice serve{named}\n\n\
             \x20 Your backend sends events to http://127.0.0.1:8080/v1/events and shows the key:\n\n\
             \x20   -H \"Authorization: Bearer $(cat {key})\""
        )?;
        output.finish()
    }
}
