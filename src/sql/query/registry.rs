//! The queries that run now: who asks for them finds them here, and who kills one does.

use super::scan::BATCH_ROWS;
use super::stop::Stop;
use crate::config::{ACTIVITY_ROWS_MAX, SQL_QUERIES_MAX};
use crate::error::{Error, Kind, Result};
use crate::sql::activity::{QueryId, RunningQuery};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::AbortHandle;

/// Rows of the batches of all queries that run, a batch each.
const BATCHES_ROWS_MAX: usize = 64 * BATCH_ROWS;
/// Rows that a batch has at least.
const BATCH_ROWS_MIN: usize = 128;

/// All running queries of a server.
#[derive(Debug, Default)]
pub(super) struct Registry {
    last: AtomicU64,
    /// Held for one look or one change.
    running: Mutex<BTreeMap<QueryId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    query: RunningQuery,
    stop: Stop,
    task: Option<AbortHandle>,
}

/// A query's place, which it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    id: QueryId,
}

impl Registry {
    /// An id for one more query.
    pub(super) fn next_id(&self) -> QueryId {
        QueryId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Takes a query in.
    ///
    /// # Errors
    /// `LimitExceeded` where [`SQL_QUERIES_MAX`] run.
    pub(super) fn enter(self: &Arc<Self>, query: RunningQuery, stop: Stop) -> Result<Registered> {
        let id = query.id;
        let mut running = self.running.lock();
        if running.len() >= SQL_QUERIES_MAX {
            let text = format!("{SQL_QUERIES_MAX} queries run or have open cursors, which is the limit of the server");
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        running.insert(id, Entry { query, stop, task: None });
        Ok(Registered { registry: Arc::clone(self), id })
    }

    /// What runs, oldest first.
    pub(super) fn list(&self) -> Vec<RunningQuery> {
        self.running.lock().values().take(ACTIVITY_ROWS_MAX).map(|entry| entry.query.clone()).collect()
    }

    /// Rows of a batch of the query that was entered last: fewer where many queries run, since each holds some batches also
    /// while its client does not read.
    pub(super) fn batch_rows(&self) -> usize {
        (BATCHES_ROWS_MAX / self.running.lock().len().max(1)).clamp(BATCH_ROWS_MIN, BATCH_ROWS)
    }

    /// Ends a query; whether there was one.
    pub(super) fn kill(&self, id: QueryId) -> bool {
        let running = self.running.lock();
        let Some(entry) = running.get(&id) else { return false };
        entry.stop.kill();
        if let Some(task) = &entry.task {
            task.abort();
        }
        true
    }
}

impl Registered {
    /// The task that runs the query.
    pub(super) fn runs_as(&self, task: AbortHandle) {
        if let Some(entry) = self.registry.running.lock().get_mut(&self.id) {
            entry.task = Some(task);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.running.lock().remove(&self.id);
    }
}
