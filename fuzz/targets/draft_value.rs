//! Values of the draft dialect: what a column takes comes back from its row as the same value, on the wire too.
#![no_main]

use flint::door::igni::draft::codec;
use flint::value::Value;
use flint::wire::binary_tuple::{decode, encode};
use flint::wire::msgpack::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&ty, bytes)) = data.split_first() else { return };
    let ty = flint_fuzz::TYPES[usize::from(ty) % flint_fuzz::TYPES.len()];
    let column = flint_fuzz::column(1, "c", ty, None);
    let element = |value: &Value<'_>| {
        let mut out = Vec::new();
        encode(&mut out, value, ty);
        out
    };
    let _ = codec::read_inferred(&mut Reader::new(bytes));
    let Ok(Ok(value)) = codec::read(&mut Reader::new(bytes), ty).map(|value| column.accept(value)) else { return };
    if value.is_null() {
        return;
    }
    let stored = element(&value);
    let mut wire = Vec::new();
    codec::write_typed(&mut wire, &decode(&stored, ty).expect("what was encoded can be decoded"), ty);
    let mut reader = Reader::new(&wire);
    let again = codec::read(&mut reader, ty).expect("what was written can be read");
    assert!(reader.is_empty());
    assert_eq!(element(&column.accept(again).expect("a column takes its own values")), stored, "{ty}");
});
