//! Requests of the draft dialect.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| flint_fuzz::converse(&[3, 0, 0, 2, 0xc4, 0, 0x80], data));
