//! A bounded msgpack reader and writer.
