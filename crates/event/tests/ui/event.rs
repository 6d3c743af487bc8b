//! An event holds personal values, so nothing shows it, nor what it is made of.

use sluice_event::{Event, UserData};

fn main() {
    println!("{:?}", Event::default());
    println!("{:?}", UserData::default());
    let _ = Event::default().clone();
}
