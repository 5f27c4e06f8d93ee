//! The first frames of a connection, of either dialect or none.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| flint_fuzz::converse(&[], data));
