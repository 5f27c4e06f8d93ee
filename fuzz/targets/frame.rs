//! Framing: any bytes give whole frames within the limit, or none.
#![no_main]

use flint::wire::frame::{Next, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // However much is there, a frame is found whole or not at all, and never beyond the limit.
    let mut rest = data;
    while let Next::Frame(payload) = next(rest, 1024) {
        let used = payload.len() + 4;
        assert!(payload.len() <= 1024 && used <= rest.len());
        assert!(!matches!(next(&rest[..used - 1], 1024), Next::Frame(_)));
        rest = &rest[used..];
    }
});
