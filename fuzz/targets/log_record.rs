//! Change sets read back from the log, whose checksum is right but whose content is not.
#![no_main]

use flint::store::database::Database;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut database = flint_fuzz::engine().database().clone();
    let _ = database.replay(2, data);
    let _ = Database::new().replay(1, data);
});
