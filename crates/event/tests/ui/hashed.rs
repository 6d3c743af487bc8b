//! Hashing is the only way from text to a hash.

use sluice_event::Hashed;

fn main() {
    let _: Hashed = "john@example.com".into();
    let _: Hashed = String::from("john@example.com").into();
}
