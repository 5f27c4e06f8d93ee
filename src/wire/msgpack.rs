//! msgpack behind a cursor that cannot be surprised.
//!
//! Requests are read field by field with a [`Reader`] that borrows from the frame: every take checks the bytes that are
//! left, every count is checked against them before anything is reserved, and a wrong type is reported the way both
//! generations of real servers report it ("Expected Integer, but got String (a3)"), so that a client team recognises the
//! text. Replies are appended to a `Vec<u8>` through [`Write`], each value in its shortest form.
//!
//! Only what has no fixed layout (options, extensions, traces) becomes a tree, [`Any`]: it costs an allocation a node,
//! so [`Reader::any`] counts the nodes before it builds them.

mod reader;
mod writer;

pub use reader::{Family, Reader};
pub use rmpv::ValueRef as Any;
pub use writer::Write;

use crate::config::{MSGPACK_DEPTH_MAX, MSGPACK_NODES_MAX};
use crate::error::{Error, Result};

impl<'a> Reader<'a> {
    /// Reads one value of any type as a tree of at most [`MSGPACK_NODES_MAX`] nodes.
    ///
    /// # Errors
    /// The value is cut short, nests deeper than [`MSGPACK_DEPTH_MAX`], or has too many nodes.
    pub fn any(&mut self) -> Result<Any<'a>> {
        let start = self.rest();
        let nodes = self.skip()?;
        if nodes > MSGPACK_NODES_MAX {
            return Err(Error::protocol(format!("Value has {nodes} parts, the limit is {MSGPACK_NODES_MAX}")));
        }
        let mut bytes = start.get(..start.len() - self.rest().len()).unwrap_or_default();
        // The depth was checked by the skip; rmpv counts a container as two levels.
        rmpv::decode::read_value_ref_with_max_depth(&mut bytes, 2 * MSGPACK_DEPTH_MAX + 2)
            .map_err(|e| Error::protocol(format!("Value cannot be read: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value;

    fn reads_to_the_end<'a, T>(bytes: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Result<T>) -> T {
        let mut reader = Reader::new(bytes);
        let value = read(&mut reader).unwrap();
        assert_eq!(reader.rest(), b"", "bytes left");
        value
    }

    #[test]
    fn any_builds_trees_and_keeps_limits() {
        let bytes = [0x82, 0xa1, b'a', 0x01, 0xa1, b'b', 0x92, 0xc0, 0xd4, 0x08, 0x14];
        let tree = reads_to_the_end(&bytes, Reader::any);
        assert_eq!(tree.to_string(), r#"{"a": 1, "b": [nil, [8, [20]]]}"#);

        let mut deep = vec![0x91; MSGPACK_DEPTH_MAX];
        deep.push(0xc0);
        reads_to_the_end(&deep, Reader::any);
        deep.insert(0, 0x91);
        assert!(Reader::new(&deep).any().unwrap_err().message.contains("deeper than 32"));

        let mut wide = vec![0xdd];
        wide.extend_from_slice(&(MSGPACK_NODES_MAX as u32).to_be_bytes());
        wide.resize(5 + MSGPACK_NODES_MAX, 0xc0);
        assert!(Reader::new(&wide).any().unwrap_err().message.contains("the limit is"));
    }

    /// Any msgpack value.
    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-70_000_i64..70_000).prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::F32),
            any::<f64>().prop_map(Value::F64),
            ".{0,300}".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Binary),
            (0_i8..=127, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(t, b)| Value::Ext(t, b)),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
            ]
        })
    }

    fn write(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Nil => out.put_nil(),
            Value::Boolean(v) => out.put_bool(*v),
            Value::Integer(v) => match v.as_i64() {
                Some(v) => out.put_int(v),
                None => out.put_uint(v.as_u64().unwrap()),
            },
            Value::F32(v) => out.put_f32(*v),
            Value::F64(v) => out.put_f64(*v),
            Value::String(v) => out.put_str(v.as_str().unwrap()),
            Value::Binary(v) => out.put_bin(v),
            Value::Ext(t, v) => out.put_ext(*t, v),
            Value::Array(v) => {
                out.put_array(v.len());
                v.iter().for_each(|v| write(v, out));
            }
            Value::Map(v) => {
                out.put_map(v.len());
                v.iter().for_each(|(k, v)| {
                    write(k, out);
                    write(v, out);
                });
            }
        }
    }

    /// Reads what `value` says must come next.
    fn read(reader: &mut Reader<'_>, value: &Value) -> Result<bool> {
        Ok(match value {
            Value::Nil => reader.nil().map(|()| true)?,
            Value::Boolean(v) => reader.bool()? == *v,
            Value::Integer(v) => match v.as_i64() {
                Some(v) => reader.i64()? == v,
                None => reader.u64()? == v.as_u64().unwrap(),
            },
            Value::F32(v) => reader.f32()?.to_bits() == v.to_bits(),
            Value::F64(v) => reader.f64()?.to_bits() == v.to_bits(),
            Value::String(v) => Some(reader.str()?) == v.as_str(),
            Value::Binary(v) => reader.bin()? == v,
            Value::Ext(t, v) => reader.ext()? == (*t, v),
            Value::Array(v) => {
                reader.array()? == v.len()
                    && v.iter().map(|v| read(reader, v)).try_fold(true, |a, r| r.map(|b| a && b))?
            }
            Value::Map(v) => {
                reader.map()? == v.len()
                    && v.iter()
                        .flat_map(|(k, v)| [k, v])
                        .map(|v| read(reader, v))
                        .try_fold(true, |a, r| r.map(|b| a && b))?
            }
        })
    }

    proptest! {
        #[test]
        fn agrees_with_rmpv(value in tree()) {
            let mut ours = Vec::new();
            write(&value, &mut ours);
            let mut theirs = Vec::new();
            rmpv::encode::write_value(&mut theirs, &value).unwrap();
            prop_assert_eq!(&ours, &theirs);

            let mut reader = Reader::new(&ours);
            prop_assert!(read(&mut reader, &value).unwrap());
            prop_assert_eq!(reader.rest(), b"");
            prop_assert_eq!(Reader::new(&ours).any().unwrap().to_owned(), value.clone());
            reads_to_the_end(&ours, Reader::skip);

            for cut in 0..ours.len() {
                let short = ours.get(..cut).unwrap();
                prop_assert!(Reader::new(short).skip().is_err());
                prop_assert!(Reader::new(short).any().is_err());
                prop_assert!(read(&mut Reader::new(short), &value).is_err());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let ours = Reader::new(&bytes).any().ok();
            let theirs = rmpv::decode::read_value_ref(&mut bytes.as_slice()).ok();
            if let Some(ours) = ours {
                prop_assert_eq!(Some(ours.to_string()), theirs.map(|v| v.to_string()));
            }
        }
    }
}
