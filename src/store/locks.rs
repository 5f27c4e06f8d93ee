//! Row locks, shared and exclusive, with wait-die.
//!
//! A transaction holds the locks it took until it ends (strict two-phase locking), so what it read stays true and
//! committed transactions are serializable. Deadlock cannot happen: ids ascend with age, and a transaction waits only for
//! younger ones; against an older one it *dies*: it gets the lock-conflict error and is rolled back. Every edge of the
//! waits-for graph points from older to younger, so there is no cycle.
//!
//! Each lock has one queue, served in order. A newcomer that is compatible with the holders still queues behind a
//! conflicting waiter, so a writer does not starve behind readers. Whoever queues waits, at least through others, for all
//! holders and all who queue already, so all of them count for wait-die, conflicting or not. A shared holder that wants
//! the lock exclusively goes to the front of the queue; those it passes waited for it before.
//!
//! A single operation outside a transaction never dies: it holds nothing while it waits. It may wait for an older holder,
//! which is why a transaction behind it has to look at the holders too: two readers of a row, a single write that waits
//! for the first, and the second queued behind that write would otherwise be a deadlock once the first waits for the
//! second elsewhere.

use super::key::Key;
use super::tx::{Ticket, TxId};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};

/// How a row is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Others may read.
    Shared,
    /// Nobody else may read or write.
    Exclusive,
}

/// What came of a request for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is held now.
    Granted,
    /// The ticket is in the queue and will be named when it is granted.
    Waits,
    /// An older transaction is in the way: this one.
    Dies(TxId),
}

/// All locks. Owned by the loop thread: nothing here blocks.
#[derive(Debug, Default)]
pub struct Locks {
    rows: HashMap<(u32, Key), Lock>,
}

#[derive(Debug, Default)]
struct Lock {
    holders: SmallVec<[(TxId, Mode); 2]>,
    queue: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    tx: TxId,
    mode: Mode,
    ticket: Ticket,
}

impl Locks {
    /// Whether no row is locked: then a single operation need not look any further.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All locks that are held, in no order.
    pub fn held(&self) -> impl Iterator<Item = (&(u32, Key), TxId, Mode)> {
        self.rows.iter().flat_map(|(row, lock)| lock.holders.iter().map(move |&(tx, mode)| (row, tx, mode)))
    }

    /// Whether `tx` holds the row in `mode` or a stronger one.
    pub fn holds(&self, tx: TxId, row: &(u32, Key), mode: Mode) -> bool {
        self.rows.get(row).is_some_and(|lock| lock.holders.iter().any(|&(t, m)| t == tx && m >= mode))
    }

    /// Takes the lock or queues for it. With `dies` the caller holds other locks and wait-die applies.
    pub fn acquire(&mut self, tx: TxId, row: (u32, Key), mode: Mode, ticket: Ticket, dies: bool) -> Verdict {
        let lock = self.rows.entry(row).or_default();
        if lock.holders.iter().any(|&(t, m)| t == tx && m >= mode) {
            return Verdict::Granted;
        }
        // A re-run of a request that waits already keeps its place.
        if lock.queue.iter().any(|w| w.tx == tx && w.ticket == ticket) {
            return Verdict::Waits;
        }
        let upgrade = lock.holders.iter().any(|&(t, _)| t == tx);
        let waiters = lock.queue.iter().filter(|_| !upgrade).map(|w| (w.tx, w.mode));
        let ahead = lock.holders.iter().copied().chain(waiters).filter(|&(t, _)| t != tx);
        if !ahead.clone().any(|(_, m)| conflict(m, mode)) {
            lock.hold(tx, mode);
            return Verdict::Granted;
        }
        if let Some(older) = ahead.map(|(t, _)| t).filter(|&t| dies && t < tx).min() {
            return Verdict::Dies(older);
        }
        let waiter = Waiter { tx, mode, ticket };
        if upgrade {
            lock.queue.push_front(waiter)
        } else {
            lock.queue.push_back(waiter)
        }
        Verdict::Waits
    }

    /// Releases one row of `tx`, whether held or waited for; names in `woken` who got it.
    pub fn release(&mut self, tx: TxId, row: &(u32, Key), woken: &mut Vec<Ticket>) {
        let Some(lock) = self.rows.get_mut(row) else { return };
        lock.holders.retain(|(t, _)| *t != tx);
        lock.queue.retain(|w| w.tx != tx);
        lock.grant(woken);
        if lock.holders.is_empty() && lock.queue.is_empty() {
            self.rows.remove(row);
        }
    }
}

impl Lock {
    fn hold(&mut self, tx: TxId, mode: Mode) {
        match self.holders.iter_mut().find(|(t, _)| *t == tx) {
            // A reader of the same transaction must not weaken what its writer holds.
            Some(holder) => holder.1 = holder.1.max(mode),
            None => self.holders.push((tx, mode)),
        }
    }

    /// Serves the queue from its front as far as it goes.
    fn grant(&mut self, woken: &mut Vec<Ticket>) {
        while let Some(next) = self.queue.front() {
            if self.holders.iter().any(|&(t, m)| t != next.tx && conflict(m, next.mode)) {
                return;
            }
            if let Some(w) = self.queue.pop_front() {
                self.hold(w.tx, w.mode);
                woken.push(w.ticket);
            }
        }
    }
}

fn conflict(a: Mode, b: Mode) -> bool {
    a == Mode::Exclusive || b == Mode::Exclusive
}

#[cfg(test)]
mod tests {
    use super::Mode::{Exclusive, Shared};
    use super::*;

    fn row() -> (u32, Key) {
        (1, Key::from_slice(b"k"))
    }

    fn ask(locks: &mut Locks, tx: u64, mode: Mode) -> Verdict {
        locks.acquire(TxId(tx), row(), mode, ticket(tx), true)
    }

    fn ticket(n: u64) -> Ticket {
        Ticket { connection: n, request: 0 }
    }

    fn release(locks: &mut Locks, tx: u64) -> Vec<u64> {
        let mut woken = Vec::new();
        locks.release(TxId(tx), &row(), &mut woken);
        woken.iter().map(|t| t.connection).collect()
    }

    #[test]
    fn readers_share_and_a_writer_waits_or_dies() {
        let mut locks = Locks::default();
        assert_eq!(ask(&mut locks, 5, Shared), Verdict::Granted);
        assert_eq!(ask(&mut locks, 6, Shared), Verdict::Granted);
        assert_eq!(ask(&mut locks, 7, Exclusive), Verdict::Dies(TxId(5)));
        assert_eq!(ask(&mut locks, 3, Exclusive), Verdict::Waits);
        assert_eq!(ask(&mut locks, 8, Shared), Verdict::Dies(TxId(3)), "a reader does not pass a waiting writer");
        assert_eq!(ask(&mut locks, 2, Shared), Verdict::Waits);
        assert!(release(&mut locks, 5).is_empty());
        assert_eq!(release(&mut locks, 6), [3]);
        assert!(locks.holds(TxId(3), &row(), Exclusive));
        assert_eq!(release(&mut locks, 3), [2]);
        assert!(release(&mut locks, 2).is_empty());
        assert!(locks.is_empty());
    }

    #[test]
    fn nobody_waits_for_an_older_holder_behind_a_single_operation() {
        let mut locks = Locks::default();
        assert_eq!(ask(&mut locks, 5, Shared), Verdict::Granted);
        assert_eq!(locks.acquire(TxId(9), row(), Exclusive, ticket(9), false), Verdict::Waits);
        assert_eq!(ask(&mut locks, 7, Shared), Verdict::Dies(TxId(5)));
        assert_eq!(ask(&mut locks, 3, Shared), Verdict::Waits);
    }

    #[test]
    fn an_upgrade_goes_first() {
        let mut locks = Locks::default();
        assert_eq!(ask(&mut locks, 2, Shared), Verdict::Granted);
        assert_eq!(ask(&mut locks, 3, Shared), Verdict::Granted);
        assert_eq!(ask(&mut locks, 1, Exclusive), Verdict::Waits);
        assert_eq!(ask(&mut locks, 3, Exclusive), Verdict::Dies(TxId(2)));
        assert_eq!(ask(&mut locks, 2, Exclusive), Verdict::Waits);
        assert_eq!(release(&mut locks, 3), [2]);
        assert_eq!(release(&mut locks, 2), [1]);
    }

    #[test]
    fn a_waiting_reader_does_not_weaken_its_own_writer() {
        let mut locks = Locks::default();
        assert_eq!(ask(&mut locks, 5, Exclusive), Verdict::Granted);
        let wait = |locks: &mut Locks, mode, request| {
            locks.acquire(TxId(1), row(), mode, Ticket { connection: 1, request }, true)
        };
        assert_eq!(wait(&mut locks, Exclusive, 1), Verdict::Waits);
        assert_eq!(wait(&mut locks, Shared, 2), Verdict::Waits);
        assert_eq!(release(&mut locks, 5), [1, 1]);
        assert!(locks.holds(TxId(1), &row(), Exclusive));
    }

    #[test]
    fn a_single_operation_waits_for_an_older_holder_and_keeps_its_place() {
        let mut locks = Locks::default();
        assert_eq!(ask(&mut locks, 1, Exclusive), Verdict::Granted);
        let single = |locks: &mut Locks| locks.acquire(TxId(9), row(), Exclusive, ticket(9), false);
        assert_eq!(single(&mut locks), Verdict::Waits);
        assert_eq!(single(&mut locks), Verdict::Waits);
        assert_eq!(release(&mut locks, 1), [9]);
        assert_eq!(single(&mut locks), Verdict::Granted);
    }
}
