//! The laws of every engine on the embedded one, from outside, as another engine is tested.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot open a journal has failed"
)]

use sluice_journal::{BodyKeys, Embedded, EmbeddedLedger, Options, testing};
use tempfile::TempDir;

fn temporary() -> (Embedded, TempDir) {
    let folder = TempDir::new().unwrap();
    let journal = Embedded::open(folder.path(), Options::default());
    (journal.unwrap(), folder)
}

#[tokio::test]
async fn the_embedded_engine_obeys_the_laws() {
    testing::obeys_the_laws(temporary).await;
}

#[tokio::test]
async fn the_embedded_ledger_tells_what_is_there() {
    testing::tells_what_is_there(|| {
        let (journal, folder) = temporary();
        let ledger = EmbeddedLedger::open(folder.path(), BodyKeys::default()).unwrap();
        (journal, ledger, folder)
    })
    .await;
}
