//! What survives: the commit log and the sealed checkpoint before it, over opaque bytes.
//! (Interface only; the real one replaces this file whole.)
#![allow(missing_docs)]
use std::sync::Arc;
pub trait Recover {
    fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String>;
    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String>;
    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String>;
}
pub trait Source: Send {
    fn commit(&self) -> u64;
    fn meta(&self) -> Vec<u8>;
    fn row_count(&self) -> u64;
    fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_>;
}
#[derive(Debug)]
pub struct Error;
impl std::fmt::Display for Error {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Debug)]
pub struct Store;
impl Store {
    pub fn submit(&self, _commit: u64, _records: Vec<u8>) {}
    pub fn durable(&self) -> u64 {
        u64::MAX
    }
    pub fn failure(&self) -> Option<Arc<Error>> {
        None
    }
    pub fn backlog_bytes(&self) -> usize {
        0
    }
}
pub fn append_record(_out: &mut Vec<u8>, _commit: u64, _payload: &[u8]) {}
