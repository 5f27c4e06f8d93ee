//! Framing, msgpack and the binary tuple: functions from bytes to values and back. No I/O, no clock.

pub mod binary_tuple;
pub mod element;
pub mod frame;
pub mod msgpack;
