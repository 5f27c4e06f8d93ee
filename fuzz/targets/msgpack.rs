//! The msgpack reader: a value that is skipped ends where the decoded one does.
#![no_main]

use flint::wire::msgpack::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut skipped = Reader::new(data);
    let mut decoded = Reader::new(data);
    while !skipped.is_empty() {
        match (skipped.skip(), decoded.any()) {
            (Ok(_), Ok(_)) => assert_eq!(skipped.position(), decoded.position()),
            // Text that is not UTF-8 and large trees can be skipped, not decoded.
            (_, Err(_)) => break,
            (skip, value) => panic!("skip says {skip:?}, any says {value:?}"),
        }
    }
});
