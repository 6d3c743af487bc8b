//! A personal value in the clear can be neither shown, nor copied, nor serialised.

use sluice_event::Plain;

fn main() {
    let plain = Plain::from("john@example.com");
    println!("{plain:?}");
    println!("{plain}");
    let _ = plain.clone();
    let _ = serde_json::to_string(&plain);
}
