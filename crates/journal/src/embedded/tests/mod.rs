//! Tests of the engine from its doors: laws, crashes, damage, a full disk.

mod laws;
