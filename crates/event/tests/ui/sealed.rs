//! Sealing is the only way to a sealed event.

use sluice_event::SealedEvent;

fn forged(sealed: SealedEvent) -> SealedEvent {
    SealedEvent {
        json: "john@example.com".into(),
        ..sealed
    }
}

fn main() {}
