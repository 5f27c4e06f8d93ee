//! The threads that run queries, and how a query's pages come back to the event loop.
//!
//! A query is a task on a small pool of threads. Its results come through a channel that holds one page: a task whose
//! client does not ask for more waits, and so does its plan, with the memory of one page and what its operators keep. The
//! loop never waits: it takes what is there, or leaves the ticket of its request and is woken. Letting go of a
//! [`Running`] ends the task at its next pause; operators pause every few milliseconds.

use super::change;
use super::error;
use super::index::cache::Indexes;
use super::plan::{Plan, Planner};
use super::registry::{Registered, Registry};
use super::rows::Pages;
use super::scan::Snapshot;
use super::segment::cache::Segments;
use super::stop::Stop;
use super::zone::Zone;
use crate::config::{SQL_COLUMNS_IDLE, SQL_INDEX_IDLE};
use crate::error::{Error, Kind, Result};
use crate::sql::activity::{QueryId, RunningQuery};
use crate::sql::prepared::Texts;
use crate::sql::{Changes, Job, Message, Wake, Work};
use crate::store::clock::{Clock, SystemClock};
use crate::store::tx::Ticket;
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Plans that are kept; beyond, all are forgotten and those still used are made again.
const PLANS_MAX: usize = 256;
/// Bytes of statements longer than this are not kept with their plans.
const PLAN_TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of stack of a thread: deep statements recurse.
const STACK_BYTES: usize = 8 << 20;

/// Runs queries. Its threads start with the first one.
pub struct Service {
    /// The statements of texts that came lately.
    pub texts: Texts,
    inner: OnceLock<std::result::Result<Inner, Error>>,
    memory: usize,
    wake: Wake,
}

struct Inner {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
}

struct Shared {
    planner: Planner,
    // Held for one look or one insertion; nothing else is locked meanwhile.
    plans: Mutex<HashMap<PlanKey, Arc<Plan>>>,
    /// Bytes of the pages that wait for their clients.
    waiting: AtomicUsize,
}

/// What a plan depends on: the text and its schema, the parameters' types, and the tables there are.
#[derive(PartialEq, Eq, Hash)]
struct PlanKey {
    text: Arc<str>,
    schema: String,
    zone: Option<String>,
    types: Vec<Option<crate::value::ColumnType>>,
    catalog: u64,
}

impl Service {
    /// A service whose queries take `memory` bytes at most, all together. `wake` runs a parked request again.
    pub fn new(memory: usize, wake: Wake) -> Self {
        Self { texts: Texts::default(), inner: OnceLock::new(), memory, wake }
    }

    /// Starts a query.
    ///
    /// # Errors
    /// `Internal` if there can be no threads.
    pub fn start(&self, mut job: Job) -> Result<Running> {
        let inner = self.inner.get_or_init(|| self.threads()).as_ref().map_err(Error::clone)?;
        let Some(runtime) = &inner.runtime else { return Err(Error::new(Kind::Stopping, "the server is stopping")) };
        let (sender, receiver) = mpsc::channel(1);
        let waiting = Arc::new(Mutex::new(None));
        let outlet = Outlet { sender: Some(sender), waiting: Arc::clone(&waiting), wake: Arc::clone(&self.wake) };
        let shared = Arc::clone(&inner.shared);
        let stop = Stop::default();
        let stopping = stop.clone();
        let query = RunningQuery {
            id: inner.registry.next_id(),
            sql: Arc::clone(&job.shown),
            schema: job.schema.clone(),
            is_change: matches!(job.work, Work::Change(_)),
            started: SystemClock.unix_millis(),
            transaction: job.transaction,
        };
        let registered = inner.registry.enter(query, stop.clone())?;
        if let Some(activity) = &mut job.activity {
            Arc::make_mut(activity).queries = inner.registry.list();
        }
        let batch_rows = inner.registry.batch_rows();
        let task = runtime.spawn(async move {
            if let Err(error) = shared.run(job, batch_rows, stopping.clone(), &outlet).await {
                let error = if stopping.killed() { killed() } else { error };
                outlet.send(Message::Failed(error)).await;
            }
        });
        registered.runs_as(task.abort_handle());
        Ok(Running { receiver, waiting, task: task.abort_handle(), stop, _registered: registered })
    }

    /// Ends the running query of this id; whether there was one.
    pub fn kill(&self, id: u128) -> bool {
        match (self.inner.get(), u64::try_from(id)) {
            (Some(Ok(inner)), Ok(id)) => inner.registry.kill(QueryId(id)),
            _ => false,
        }
    }

    fn threads(&self) -> Result<Inner> {
        let failed = |e: std::io::Error| Error::new(Kind::Internal, format!("cannot start the threads of SQL: {e}"));
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(threads)
            .thread_name("flint-sql")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(failed)?;
        let registry = Arc::<Registry>::default();
        let (planner, plans) = (Planner::new(self.memory)?, Mutex::default());
        runtime.spawn(Indexes::keep_tidy(Arc::downgrade(&planner.indexes), SQL_INDEX_IDLE));
        runtime.spawn(Segments::keep_tidy(Arc::downgrade(&planner.segments), SQL_COLUMNS_IDLE));
        let shared = Arc::new(Shared { planner, plans, waiting: AtomicUsize::new(0) });
        Ok(Inner { runtime: Some(runtime), shared, registry })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The bytes of the page of one query that waits, as part of the sum.
struct Held<'a> {
    total: &'a AtomicUsize,
    bytes: usize,
}

impl Held<'_> {
    fn becomes(&mut self, bytes: usize) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        self.total.fetch_sub(std::mem::replace(&mut self.bytes, bytes), Ordering::Relaxed);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.becomes(0);
    }
}

/// What a statement may take: the time that is left, without what its client takes to ask for the next page, and rows of a
/// batch.
struct Budget {
    whole: Option<Duration>,
    left: Option<Duration>,
    /// Rows of a batch.
    batch_rows: usize,
    stop: Stop,
}

impl Budget {
    async fn next(&mut self, batches: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
        self.within(batches.next()).await?.transpose().map_err(|e| error::running(&e))
    }

    /// Waits for some work of the statement.
    async fn within<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let Some(left) = self.left else { return Ok(work.await) };
        let start = SystemClock.now();
        self.stop.set_deadline(start.checked_add(left));
        let done = tokio::time::timeout(left, work).await;
        self.left = Some(left.saturating_sub(SystemClock.now().saturating_duration_since(start)));
        self.stop.set_deadline(None);
        done.map_err(|_| self.spent())
    }

    fn spent(&self) -> Error {
        let ms = self.whole.unwrap_or_default().as_millis();
        Error::new(Kind::Cancelled, format!("Query timeout: the statement ran for {ms} ms"))
    }
}

impl Shared {
    async fn run(self: &Arc<Self>, job: Job, batch_rows: usize, stop: Stop, outlet: &Outlet) -> Result<()> {
        let mut budget = Budget { whole: job.timeout, left: job.timeout, batch_rows, stop };
        let job = Arc::new(job);
        let zone = job.zone.as_deref();
        Zone::parse(zone)?;
        let plan = self.plan(&job, &mut budget).await?;
        match &job.work {
            Work::Describe => {
                let columns = if plan.explain { crate::sql::explain_columns() } else { Arc::clone(&plan.columns) };
                outlet.send(Message::Columns(columns)).await;
            }
            Work::Rows { page_rows } => self.rows(&job, &plan, *page_rows, &mut budget, outlet).await?,
            Work::Change(target) => {
                let snapshot = Snapshot::new(&job);
                let stop = budget.stop.clone();
                let starting =
                    self.planner.start(&plan, Arc::clone(&snapshot), zone, &job.arguments, batch_rows, &stop);
                let mut batches = budget.within(starting).await??;
                let mut collector = change::Collector::new(target, &job.snapshot, job.seed, Zone::parse(zone)?);
                while let Some(batch) = budget.next(&mut batches).await? {
                    collector.push(&batch, job.write_bytes_max)?;
                }
                let (writes, count) = collector.finish()?;
                outlet
                    .send(Message::Changes(Changes { table: target.table.id, writes, count, reads: snapshot.reads() }))
                    .await;
            }
        }
        Ok(())
    }

    async fn rows(&self, job: &Job, plan: &Plan, page_rows: usize, budget: &mut Budget, outlet: &Outlet) -> Result<()> {
        let mut pages = Pages::new(page_rows);
        let snapshot = Snapshot::new(job);
        if plan.explain {
            let text = self.planner.explain(plan, snapshot, &job.arguments).await?;
            outlet.send(Message::Columns(crate::sql::explain_columns())).await;
            pages.push_text(&text);
            outlet.send(Message::Page(pages.take(true))).await;
            return Ok(());
        }
        let (zone, stop, batch_rows) = (job.zone.as_deref(), budget.stop.clone(), budget.batch_rows);
        let starting = self.planner.start(plan, Arc::clone(&snapshot), zone, &job.arguments, batch_rows, &stop);
        let mut batches = budget.within(starting).await??;
        outlet.send(Message::Reads(snapshot.reads())).await;
        outlet.send(Message::Columns(Arc::clone(&plan.columns))).await;
        let mut held = Held { total: &self.waiting, bytes: 0 };
        pages.make_room(self.waiting.load(Ordering::Relaxed));
        while let Some(batch) = budget.next(&mut batches).await? {
            for row in 0..batch.num_rows() {
                // A full page leaves when there is another row: only then is it known not to be the last.
                if pages.full() {
                    let page = pages.take(false);
                    let bytes = page.rows.len();
                    outlet.send(Message::Page(page)).await;
                    // The page before has been taken.
                    held.becomes(bytes);
                    pages.make_room(self.waiting.load(Ordering::Relaxed));
                }
                pages.push(&batch, row, &plan.columns)?;
            }
        }
        outlet.send(Message::Page(pages.take(true))).await;
        Ok(())
    }

    /// The plan of a statement. It is made on a thread of its own kind: planning never pauses, so a statement that takes
    /// long to plan is given up by whoever waits, and keeps no query that runs from going on.
    async fn plan(self: &Arc<Self>, job: &Arc<Job>, budget: &mut Budget) -> Result<Arc<Plan>> {
        let key = PlanKey {
            text: Arc::clone(&job.text),
            schema: job.schema.clone(),
            zone: job.zone.clone(),
            types: job.arguments.iter().map(|a| a.ty).collect(),
            catalog: job.snapshot.catalog.edition(),
        };
        if let Some(plan) = self.plans.lock().get(&key) {
            return Ok(Arc::clone(plan));
        }
        let (shared, job) = (Arc::clone(self), Arc::clone(job));
        let planning = tokio::task::spawn_blocking(move || {
            let (catalog, zone, user) = (&job.snapshot.catalog, job.zone.as_deref(), job.user.as_deref());
            shared.planner.plan(&job.parsed, catalog, &job.schema, zone, user, &job.arguments)
        });
        let planned = budget.within(planning).await?;
        let plan = Arc::new(planned.map_err(|e| Error::new(Kind::Internal, format!("planning gave up: {e}")))??);
        if key.text.len() <= PLAN_TEXT_BYTES_MAX && !tells_who_or_when(&key.text) {
            let mut plans = self.plans.lock();
            if plans.len() >= PLANS_MAX {
                plans.clear();
            }
            plans.insert(key, Arc::clone(&plan));
        }
        Ok(plan)
    }
}

/// The error of a query that KILL has ended.
fn killed() -> Error {
    Error::new(Kind::Cancelled, "The query was cancelled while executing.")
}

/// Whether a statement may ask for the time or its user, which become constants of its plan.
fn tells_who_or_when(text: &str) -> bool {
    let text = text.to_uppercase();
    ["CURRENT_", "LOCALTIME", "NOW", "TODAY"].iter().any(|word| text.contains(word))
}

/// A task's end of the channel.
struct Outlet {
    sender: Option<mpsc::Sender<Message>>,
    /// The request that waits for a message. Held for one look.
    waiting: Arc<Mutex<Option<Ticket>>>,
    wake: Wake,
}

impl Outlet {
    /// Hands a message over, once there is room; nobody may be there to take it.
    async fn send(&self, message: Message) {
        if let Some(sender) = &self.sender
            && sender.send(message).await.is_ok()
        {
            self.notify();
        }
    }

    fn notify(&self) {
        let ticket = self.waiting.lock().take();
        if let Some(ticket) = ticket {
            (self.wake)(ticket);
        }
    }
}

impl Drop for Outlet {
    /// Also when the task panics: who waits then finds the channel closed.
    fn drop(&mut self) {
        self.sender = None;
        self.notify();
    }
}

/// A query that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    receiver: mpsc::Receiver<Message>,
    waiting: Arc<Mutex<Option<Ticket>>>,
    task: AbortHandle,
    stop: Stop,
    _registered: Registered,
}

impl Running {
    /// The next message. `None`: there is none yet, and `ticket` is woken when there is.
    pub fn poll(&mut self, ticket: Ticket) -> Option<Message> {
        if let Some(message) = self.take() {
            return Some(message);
        }
        *self.waiting.lock() = Some(ticket);
        // It may have come in between, when nobody was known to wait.
        let message = self.take();
        if message.is_some() {
            *self.waiting.lock() = None;
        }
        message
    }

    fn take(&mut self) -> Option<Message> {
        match self.receiver.try_recv() {
            Ok(message) => Some(message),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) if self.stop.killed() => Some(Message::Failed(killed())),
            Err(mpsc::error::TryRecvError::Disconnected) => {
                Some(Message::Failed(Error::new(Kind::Internal, "the statement ended without an answer")))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.unwanted();
        self.task.abort();
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("memory", &self.memory).finish_non_exhaustive()
    }
}
