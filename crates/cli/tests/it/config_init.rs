//! `sluice config init`, and the way to a gateway that runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::run::{Run, sluice_in};

fn init(folder: &Path, arguments: &[&str]) -> Run {
    sluice_in(folder, &[], &[&["config", "init"], arguments].concat())
}

fn check(folder: &Path) -> Run {
    sluice_in(folder, &[], &["config", "check"])
}

#[test]
fn writes_a_configuration_that_lacks_only_what_it_cannot_know() {
    let folder = tempfile::tempdir().unwrap();
    let run = init(folder.path(), &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let key = folder.path().join("sluice-secrets/shop-backend.key");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(key.parent().unwrap()), 0o700);
    let text = fs::read_to_string(&key).unwrap();
    assert_eq!(text.trim().len(), 64);
    assert!(!run.stdout.contains(text.trim()), "{}", run.stdout);

    let said = check(folder.path());
    assert_eq!(said.code, Some(1));
    let errors = said
        .stdout
        .lines()
        .filter(|line| line.starts_with("error: "));
    let errors: Vec<_> = errors.collect();
    assert_eq!(errors.len(), 2, "{}", said.stdout);
    assert!(
        errors[0].contains("a dataset id has 5 to 20 digits"),
        "{errors:?}"
    );
    assert!(errors[1].contains("meta-access-token"), "{errors:?}");
}

#[test]
fn what_it_says_comes_next_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let run = init(folder.path(), &["--dataset", "1234567890123456"]);
    assert!(!run.stdout.contains("in two places"), "{}", run.stdout);
    let line = run.stdout.lines().find(|line| line.contains("umask 077"));
    assert_eq!(
        line.unwrap().trim(),
        "(umask 077; cat > sluice-secrets/meta-access-token)"
    );
    let token = folder.path().join("sluice-secrets/meta-access-token");
    fs::write(&token, "EAABgeheim\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let run = check(folder.path());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.ends_with("\nsluice.toml can be used\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.toml");
    fs::write(&file, "mine").unwrap();
    let run = init(folder.path(), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("sluice.toml is there already"),
        "{}",
        run.stderr
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert!(!folder.path().join("sluice-secrets").exists());

    // A key that backends may use stays theirs.
    fs::remove_file(&file).unwrap();
    init(folder.path(), &[]);
    let key = folder.path().join("sluice-secrets/shop-backend.key");
    let before = fs::read_to_string(&key).unwrap();
    fs::remove_file(&file).unwrap();
    let run = init(folder.path(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&key).unwrap(), before);
    assert!(
        run.stdout.contains("it was there already"),
        "{}",
        run.stdout
    );
}

#[test]
fn another_file_has_its_secrets_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's mine").join("shop.toml");
    let run = init(folder.path(), &["--config", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("no quote and no line break"),
        "{}",
        run.stderr
    );
    let file = folder.path().join("my shop").join("shop.toml");
    let run = init(folder.path(), &["--config", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected = format!("sluice serve --config '{}'\n", file.display());
    assert!(run.stdout.contains(&expected), "{}", run.stdout);
    assert!(
        file.with_file_name("sluice-secrets")
            .join("shop-backend.key")
            .exists()
    );
}

#[test]
fn who_has_no_configuration_is_told_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = check(folder.path());
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("`sluice config init`"),
        "{}",
        run.stderr
    );
}
