#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice_event_fuzz::parse_seal(data));
