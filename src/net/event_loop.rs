//! The turns of the loop; what they are made of is told in the parent module.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use rustix::net::sockopt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::accept::Listeners;
use super::conn::{Conn, Turn};
use super::handle::Handle;
use super::hooks::Hooks;
use super::slots::Slots;
use super::stop::{LINGER_AT_STOP, Stop};
use super::timers::{Due, Timers};
use super::tls::{Certificates, Socket};
use crate::auth::Users;
use crate::config::{Authentication, Config, Limits};
use crate::door::igni::{Services, Session};
use crate::door::{ConnId, Output};
use crate::error::{Error, Kind, Result};
use crate::sql;
use crate::store::clock::{Clock, SystemClock};
use crate::store::engine::Engine;
use crate::store::tx::Ticket;

/// Bytes read from one socket in one turn.
const SCRATCH_BYTES: usize = 64 << 10;

/// Events taken from the system at once.
const EVENTS_PER_TURN: usize = 1024;

/// How long a connection that ends tries to send its last answers.
const DRAIN: Duration = Duration::from_secs(60);

/// How long a connection that we ended waits for its peer's end.
const LINGER: Duration = Duration::from_secs(1);

/// How long a connection is silent before its peer is asked whether it is still there, and how often it is asked again.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Rounds of waking parked requests in one turn; what is woken beyond waits for the next.
const WAKE_ROUNDS_PER_TURN: usize = 32;

/// Empty output buffers kept for the next connection that answers, and how large one may be.
const SPARES_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 64 << 10;

// Connections' tokens are their numbers, which are far below these.
const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const LISTENER_0: usize = usize::MAX - 2;

/// The loop of one server.
pub struct EventLoop {
    poll: Poll,
    clock: Arc<dyn Clock>,
    handle: Handle,
    pub(super) listeners: Listeners,
    signals: Option<Signals>,
    tls: Option<Certificates>,
    authentication: Authentication,
    services: Services,
    pub(super) hooks: Hooks,
    pub(super) conns: Slots<Conn<Socket>>,
    timers: Timers,
    limits: Limits,
    spin: Duration,
    /// Connections with work left, those to send to at the end of the turn, and those whose answers wait for the disk.
    queue: Vec<ConnId>,
    pub(super) dirty: Vec<ConnId>,
    held: Vec<ConnId>,
    /// Parked requests to run again.
    woken: Vec<Ticket>,
    spare: Vec<Output>,
    buffered: usize,
    full: bool,
    /// When the stop began.
    pub(super) stop: Option<Stop>,
}

impl EventLoop {
    /// Binds the listeners of `config`. Connections are accepted once [`Self::run`] runs.
    pub fn bind(config: &Config, clock: Arc<dyn Clock>, hooks: Hooks) -> Result<Self> {
        let failed = |error: io::Error| Error::new(Kind::Internal, format!("cannot set up the event loop: {error}"));
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        let authentication = config.authentication.clone();
        let users = load_users(&authentication)?;
        let tls = match &config.tls {
            Some(files) => Some(Certificates::load(files)?),
            None => None,
        };
        let addresses = config.listen.iter().map(|&address| (address, tls.is_some()));
        let addresses = addresses.chain(config.listen_plain.iter().map(|&address| (address, false)));
        let listeners = Listeners::bind(addresses, poll.registry(), |n| Token(LISTENER_0 - n))?;
        let handle = Handle::new(waker);
        let waking = handle.clone();
        let wake = move |ticket| waking.post(Box::new(move |engine| engine.wake(ticket)));
        let services = Services::new(users, config.sql_memory, Arc::new(wake));
        Ok(Self {
            poll,
            handle,
            clock,
            listeners,
            signals: None,
            tls,
            authentication,
            services,
            hooks,
            conns: Slots::default(),
            timers: Timers::default(),
            limits: config.limits.clone(),
            spin: config.spin,
            queue: Vec::new(),
            dirty: Vec::new(),
            held: Vec::new(),
            woken: Vec::new(),
            spare: Vec::new(),
            buffered: 0,
            full: false,
            stop: None,
        })
    }

    /// The addresses listened on, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.addresses()
    }

    /// What runs SQL.
    pub fn sql(&self) -> Arc<sql::Service> {
        Arc::clone(&self.services.sql)
    }

    /// A way into the loop for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops on SIGTERM and SIGINT from now on; a second one does not wait for requests. SIGHUP reads certificates and
    /// users again; connections that exist keep what they began with.
    pub fn handle_signals(&mut self) -> Result<()> {
        let failed = |error: io::Error| Error::new(Kind::Internal, format!("cannot handle signals: {error}"));
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
        self.poll.registry().register(&mut signals, SIGNALS, Interest::READABLE).map_err(failed)?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Serves until the stop is asked for and done, then gives the engine back.
    pub fn run(mut self, mut engine: Engine) -> Result<Engine> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut busy_until = SystemClock.now();
        let mut durable = engine.durable();
        loop {
            let timeout = self.timeout(&engine, busy_until);
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::new(Kind::Internal, format!("the event loop failed: {error}"))),
            }
            if !self.spin.is_zero() && !events.is_empty() {
                busy_until = SystemClock.now() + self.spin;
            }
            if self.handle.aborting() {
                self.handle.close();
                return Ok(engine);
            }
            let now = self.clock.now();
            engine.tick(now);
            self.take_events(&events);
            for command in self.handle.commands() {
                command(&mut engine);
            }
            self.expire(now);
            self.accept(now);
            self.serve(&mut engine, &mut scratch, now);
            self.wake(&mut engine, now);
            engine.turn_end();
            self.send(&mut engine, &mut durable, now);
            if self.handle.stopping() && self.stop() {
                self.handle.close();
                return Ok(engine);
            }
        }
    }

    /// How long the next poll may block.
    fn timeout(&self, engine: &Engine, busy_until: Instant) -> Option<Duration> {
        let now = self.clock.now();
        let work = (!self.queue.is_empty() && !engine.backlogged()) || !self.woken.is_empty() || !self.dirty.is_empty();
        if work || self.listeners.pending(now) || (!self.spin.is_zero() && SystemClock.now() < busy_until) {
            return Some(Duration::ZERO);
        }
        let stop = self.stop.as_ref().map(|_| now + Duration::from_millis(20));
        [self.timers.next(), engine.next_deadline(), self.listeners.next_deadline(), stop]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_duration_since(now))
    }

    fn take_events(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKER => {}
                SIGNALS => self.take_signals(),
                token if token.0 > LISTENER_0 - self.listeners.len() => self.listeners.ready(token),
                token => {
                    let id = ConnId(token.0 as u64);
                    let Some(conn) = self.conns.get_mut(id) else { continue };
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        conn.readable(event.is_read_closed() || event.is_error());
                        enqueue(&mut self.queue, &mut conn.marks.queued, id);
                    }
                    if event.is_writable() {
                        conn.writable();
                        enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
                    }
                }
            }
        }
    }

    fn take_signals(&mut self) {
        let Some(signals) = &mut self.signals else { return };
        for signal in signals.pending() {
            match signal {
                SIGHUP => {
                    self.tls.iter_mut().for_each(Certificates::reload);
                    match load_users(&self.authentication) {
                        Ok(users) => self.services.users = users,
                        Err(error) => log::error!("the old users stay: {error}"),
                    }
                }
                _ if self.handle.stopping() => {
                    if let Some(stop) = &mut self.stop {
                        log::warn!("told to stop again: not waiting for requests");
                        stop.hurry();
                    }
                }
                _ => {
                    log::info!("stopping");
                    self.handle.stop();
                }
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((id, due)) = self.timers.pop(now) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            match due {
                Due::Handshake => conn.handshake_is_due(),
                Due::Delay => {
                    conn.delay_is_over(now);
                    conn.marks.due = None;
                }
                Due::Drain => conn.drain_is_due(),
                Due::Linger => conn.linger_is_due(),
            }
            enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
        }
    }

    fn accept(&mut self, now: Instant) {
        let Self { listeners, conns, poll, timers, limits, full, tls, hooks, services, .. } = self;
        listeners.accept(now, |mut stream, peer, secure| {
            if hooks.refuses_connections() {
                return;
            }
            if conns.len() >= limits.connections {
                if !std::mem::replace(full, true) {
                    log::warn!("connection of {peer} refused: {} are open, the limit", limits.connections);
                }
                return;
            }
            // A client that is gone already fails here; its next call would tell the same.
            let inserted = conns.insert(|id| {
                stream.set_nodelay(true)?;
                // Tells of peers that vanished without a word.
                sockopt::set_socket_keepalive(&stream, true)?;
                sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
                sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
                let token = Token(id.0 as usize);
                poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                let session = Session::new(id, stream.local_addr()?, services.clone());
                let tls = tls.as_ref().filter(|_| secure);
                Ok::<_, io::Error>(Conn::new(id, Socket::new(stream, tls)?, session))
            });
            match inserted {
                Some(Ok(id)) => timers.add(now + limits.handshake, id, Due::Handshake),
                Some(Err(error)) => log::debug!("connection of {peer}: {error}"),
                None => log::warn!("connection of {peer} refused: no place left"),
            }
        });
    }

    /// Gives every connection with work its share of the turn.
    fn serve(&mut self, engine: &mut Engine, scratch: &mut [u8], now: Instant) {
        let durable = engine.durable();
        for id in std::mem::take(&mut self.queue) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            conn.marks.queued = false;
            conn.lend(&mut self.spare);
            let Self { limits, hooks, .. } = self;
            let mut turn = Turn { engine, limits, hooks, now, crowded: self.buffered > limits.buffered_bytes };
            conn.receive(scratch, &mut turn);
            // What need not wait for this turn's commits leaves at once: the client works on it while others are served.
            conn.send(durable);
            enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
        }
    }

    /// Runs parked requests whose waiting is over.
    fn wake(&mut self, engine: &mut Engine, now: Instant) {
        for _ in 0..WAKE_ROUNDS_PER_TURN {
            let mut woken = std::mem::take(&mut self.woken);
            woken.extend(engine.take_woken());
            if woken.is_empty() {
                return;
            }
            for Ticket { connection, request } in woken {
                let id = ConnId(connection);
                let Some(conn) = self.conns.get_mut(id) else { continue };
                conn.lend(&mut self.spare);
                let Self { limits, hooks, .. } = self;
                let mut turn = Turn { engine, limits, hooks, now, crowded: false };
                conn.wake(request, &mut turn);
                enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
            }
        }
        self.woken = engine.take_woken();
    }

    /// Sends what may leave, and ends connections that are done.
    fn send(&mut self, engine: &mut Engine, durable: &mut u64, now: Instant) {
        if let Some(error) = engine.failure() {
            for id in self.conns.ids() {
                let Some(conn) = self.conns.get_mut(id) else { continue };
                conn.fail_undurable(engine.durable(), &error, &mut self.hooks);
                enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
            }
        }
        if *durable != engine.durable() {
            *durable = engine.durable();
            for id in std::mem::take(&mut self.held) {
                let Some(conn) = self.conns.get_mut(id) else { continue };
                conn.marks.held = false;
                enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
            }
        }
        for id in std::mem::take(&mut self.dirty) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            conn.marks.dirty = false;
            conn.send(*durable);
            conn.close_session(engine, &mut self.hooks);
            if let Some(due) = conn.due()
                && conn.marks.due.replace(due) != Some(due)
            {
                let time = match due {
                    Due::Delay => conn.delay(now),
                    Due::Drain => DRAIN,
                    _ if self.stop.is_some() => LINGER_AT_STOP,
                    _ => LINGER,
                };
                self.timers.add(now + time, id, due);
            }
            if let Some(output) = conn.take_back()
                && self.spare.len() < SPARES_MAX
                && output.capacity() <= SPARE_BYTES_MAX
            {
                self.spare.push(output);
            }
            let buffered = conn.buffered();
            self.buffered = self.buffered + buffered - std::mem::replace(&mut conn.marks.buffered, buffered);
            if conn.is_gone() {
                self.buffered -= buffered;
                self.full = false;
                self.conns.remove(id);
                continue;
            }
            if conn.is_held(*durable) {
                enqueue(&mut self.held, &mut conn.marks.held, id);
            }
            let Self { limits, hooks, .. } = self;
            let turn = Turn { engine, limits, hooks, now, crowded: self.buffered > limits.buffered_bytes };
            if conn.has_work(&turn) {
                enqueue(&mut self.queue, &mut conn.marks.queued, id);
            }
        }
        // Sessions that closed may have let others go on.
        self.woken.extend(engine.take_woken());
    }
}

fn load_users(authentication: &Authentication) -> Result<Option<Arc<Users>>> {
    let failed = |error: io::Error| Error::new(Kind::InvalidArgument, format!("cannot load the users: {error}"));
    Ok(Users::load(authentication).map_err(failed)?.map(Arc::new))
}

pub(super) fn enqueue(list: &mut Vec<ConnId>, mark: &mut bool, id: ConnId) {
    if !std::mem::replace(mark, true) {
        list.push(id);
    }
}
