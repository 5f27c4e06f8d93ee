//! Binary tuples of every type: what is read is written again as the canonical form.
#![no_main]

use flint::value::Value;
use flint::wire::binary_tuple::{Tuple, decode, encode, is_canonical};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&count, bytes)) = data.split_first() else { return };
    let count = usize::from(count % 20);
    let Ok(tuple) = Tuple::parse(bytes, count) else { return };
    for (i, ty) in (0..count).flat_map(|i| flint_fuzz::TYPES.iter().map(move |ty| (i, *ty))) {
        let Some(element) = tuple.element(i) else { continue };
        let column = flint_fuzz::column(1, "c", ty, None);
        let Some(stored) = decode(element, ty).ok().and_then(|value| column.accept(value).ok()) else {
            assert!(!is_canonical(element, ty), "{ty} takes {element:02x?} unchecked");
            continue;
        };
        let mut once = Vec::new();
        encode(&mut once, &stored, ty);
        if is_canonical(element, ty) {
            assert_eq!(once, element, "{ty}");
        }
        let again = decode(&once, ty).expect("what was encoded can be decoded");
        let mut twice = Vec::new();
        encode(&mut twice, &column.accept(again).unwrap_or(Value::Null), ty);
        assert_eq!(once, twice, "{ty}");
    }
});
