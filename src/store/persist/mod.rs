//! What survives: the commit log and the sealed checkpoint before it, over opaque bytes.
