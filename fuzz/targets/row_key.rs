//! Stored rows and keys: damage is seen, and keys are equal exactly where values are.
#![no_main]

use flint::store::key::{Key, push_element};
use flint::store::row::Row;
use flint::wire::binary_tuple::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(row) = Row::verified(data) {
        assert_eq!(Row::new(row.version(), row.tuple()).bytes(), data);
    }
    let Some((&ty, bytes)) = data.split_first() else { return };
    let ty = flint_fuzz::TYPES[usize::from(ty) % flint_fuzz::TYPES.len()];
    let (a, b) = bytes.split_at(bytes.len() / 2);
    let key = |element: &[u8]| {
        let mut canonical = Vec::new();
        encode(&mut canonical, &decode(element, ty).ok()?, ty);
        let mut key = Key::new();
        push_element(&mut key, &canonical, ty).ok()?;
        Some((canonical, key))
    };
    if let (Some((a, key_a)), Some((b, key_b))) = (key(a), key(b)) {
        if a == b {
            assert_eq!(key_a, key_b);
        }
        let (longer, shorter) = if key_a.len() > key_b.len() { (&key_a, &key_b) } else { (&key_b, &key_a) };
        assert!(longer == shorter || !longer.starts_with(shorter), "a key is the beginning of another");
    }
});
