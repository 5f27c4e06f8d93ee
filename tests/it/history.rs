//! A checker for strict serializability of a recorded history.
//!
//! Every write puts a value that nobody else writes, and says which value it replaced. So the order of a key's versions
//! is known, and with it, in the terms of Adya, every dependency between two transactions: one overwrote the other's
//! version (ww), read it (wr), or overwrote what the other had read (rw). A history is serializable if these
//! dependencies have no cycle, and strictly so if they have none together with real time: a transaction that ended
//! before another began comes before it. Real time takes one extra node for each end, in a chain, so the graph stays
//! linear in the history: a transaction leads to the node of its end, and the last node before its begin leads to it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::{self, Write as _};

/// A key of the history.
pub(crate) type Key = u64;
/// A value that was written once; [`MISSING`] before the first.
pub(crate) type Version = u64;
/// No row.
pub(crate) const MISSING: Version = 0;

/// What a client knows of a transaction's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Aborted,
    /// The connection was lost before an answer came.
    Unknown,
}

/// One transaction, or one operation that is a transaction of its own.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// Nanoseconds from the history's begin: before the first request was sent.
    pub(crate) start: u64,
    /// After the last answer came.
    pub(crate) end: u64,
    pub(crate) outcome: Outcome,
    /// Keys and what was read of them, without reads of its own writes.
    pub(crate) reads: Vec<(Key, Version)>,
    /// Keys, what was replaced, and what was written last.
    pub(crate) writes: Vec<(Key, Version, Version)>,
    /// Versions that it wrote and replaced itself.
    pub(crate) hidden: Vec<Version>,
}

/// Why a history is not strictly serializable.
#[derive(Debug)]
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a checked history held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) committed: usize,
    pub(crate) aborted: usize,
    /// Those of unknown end whose writes were seen.
    pub(crate) recovered: usize,
    pub(crate) edges: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Ww(Key),
    Wr(Key),
    Rw(Key),
    Time,
}

/// Who wrote a version, and whether others may see it.
#[derive(Debug, Clone, Copy)]
struct Writer {
    tx: usize,
    hidden: bool,
}

/// Checks a history.
pub(crate) fn check(history: &[Transaction]) -> Result<Summary, Violation> {
    let writers = writers(history)?;
    let counted = counted(history, &writers)?;
    let mut graph = Graph { edges: vec![Vec::new(); history.len()] };
    let (mut next, mut readers) = (HashMap::new(), HashMap::<(Key, Version), Vec<usize>>::new());
    for (i, tx) in history.iter().enumerate().filter(|(i, _)| counted[*i]) {
        for &(key, before, _) in &tx.writes {
            if let Some(other) = next.insert((key, before), i) {
                return Err(Violation(format!(
                    "lost update: two transactions replaced version {before} of key {key}\n  {}\n  {}",
                    show(history, other),
                    show(history, i)
                )));
            }
        }
        for &(key, version) in &tx.reads {
            readers.entry((key, version)).or_default().push(i);
        }
    }
    for (&(key, before), &i) in &next {
        if let Some(writer) = writers.get(&before) {
            graph.add(writer.tx, i, Edge::Ww(key));
        }
        for &reader in readers.get(&(key, before)).into_iter().flatten() {
            graph.add(reader, i, Edge::Rw(key));
        }
    }
    for (&(key, version), those) in &readers {
        if let Some(writer) = writers.get(&version) {
            those.iter().for_each(|&reader| graph.add(writer.tx, reader, Edge::Wr(key)));
        }
    }
    graph.add_time(history, &counted);
    if let Some(cycle) = graph.cycle(history.len()) {
        return Err(Violation(describe(history, &cycle)));
    }
    let count = |outcome| history.iter().enumerate().filter(|(i, tx)| counted[*i] && tx.outcome == outcome).count();
    Ok(Summary {
        committed: count(Outcome::Committed),
        aborted: history.iter().filter(|tx| tx.outcome == Outcome::Aborted).count(),
        recovered: count(Outcome::Unknown),
        edges: graph.edges.iter().map(Vec::len).sum(),
    })
}

fn writers(history: &[Transaction]) -> Result<HashMap<Version, Writer>, Violation> {
    let mut writers = HashMap::new();
    for (tx, t) in history.iter().enumerate() {
        let seen = t.writes.iter().map(|&(_, _, after)| (after, false));
        for (version, hidden) in seen.chain(t.hidden.iter().map(|&v| (v, true))) {
            if version == MISSING || writers.insert(version, Writer { tx, hidden }).is_some() {
                return Err(Violation(format!("the history writes version {version} twice")));
            }
        }
    }
    Ok(writers)
}

/// Which transactions happened: those that committed, and those of unknown end whose versions one of these met.
fn counted(history: &[Transaction], writers: &HashMap<Version, Writer>) -> Result<Vec<bool>, Violation> {
    let mut counted: Vec<bool> = history.iter().map(|tx| tx.outcome == Outcome::Committed).collect();
    let mut todo: Vec<usize> = (0..history.len()).filter(|&i| counted[i]).collect();
    while let Some(i) = todo.pop() {
        let met = history[i].reads.iter().map(|&(key, version)| (key, version));
        let replaced = history[i].writes.iter().map(|&(key, before, _)| (key, before));
        for (key, version) in met.chain(replaced).filter(|&(_, version)| version != MISSING) {
            let wrong = |what: &str| {
                Err(Violation(format!("{what}: version {version} of key {key}\n  seen by {}", show(history, i))))
            };
            let Some(writer) = writers.get(&version) else { return wrong("nobody wrote it") };
            let tx = &history[writer.tx];
            if !tx.writes.iter().any(|&(k, _, after)| k == key && after == version) && !writer.hidden {
                return wrong("it was written to another key");
            }
            if tx.outcome == Outcome::Aborted {
                return wrong("aborted read");
            }
            if writer.hidden {
                return wrong("intermediate read");
            }
            if !counted[writer.tx] {
                counted[writer.tx] = true;
                todo.push(writer.tx);
            }
        }
    }
    Ok(counted)
}

struct Graph {
    /// Transactions first, then the ends.
    edges: Vec<Vec<(usize, Edge)>>,
}

impl Graph {
    fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to {
            self.edges[from].push((to, edge));
        }
    }

    fn add_time(&mut self, history: &[Transaction], counted: &[bool]) {
        // At the same nanosecond a begin counts as the earlier: that asks for less.
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * history.len());
        for (i, tx) in history.iter().enumerate().filter(|(i, _)| counted[*i]) {
            events.push((tx.start, false, i));
            if tx.outcome == Outcome::Committed {
                events.push((tx.end, true, i));
            }
        }
        events.sort_unstable();
        let mut last = None;
        for (_, is_end, i) in events {
            if is_end {
                let node = self.edges.len();
                self.edges.push(Vec::new());
                self.edges[i].push((node, Edge::Time));
                if let Some(last) = last.replace(node) {
                    self.edges[last].push((node, Edge::Time));
                }
            } else if let Some(last) = last {
                self.edges[last].push((i, Edge::Time));
            }
        }
    }

    /// A short cycle as steps from a node by an edge, if there is any.
    fn cycle(&self, transactions: usize) -> Option<Vec<(usize, Edge)>> {
        let mut incoming = vec![0_u32; self.edges.len()];
        for &(to, _) in self.edges.iter().flatten() {
            incoming[to] += 1;
        }
        let mut free: Vec<usize> = (0..self.edges.len()).filter(|&i| incoming[i] == 0).collect();
        while let Some(i) = free.pop() {
            for &(to, _) in &self.edges[i] {
                incoming[to] -= 1;
                if incoming[to] == 0 {
                    free.push(to);
                }
            }
        }
        // What is left is on a cycle or behind one.
        let left = (0..transactions).filter(|&i| incoming[i] > 0).take(500);
        left.filter_map(|i| self.shortest_to_itself(i, &incoming))
            .min_by_key(|cycle| (cycle.iter().filter(|(i, _)| *i < transactions).count(), cycle.len()))
    }

    fn shortest_to_itself(&self, from: usize, incoming: &[u32]) -> Option<Vec<(usize, Edge)>> {
        let mut came = HashMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(i) = queue.pop_front() {
            for &(to, edge) in self.edges[i].iter().filter(|(to, _)| incoming[*to] > 0) {
                if to == from {
                    let mut steps = vec![(i, edge)];
                    while let Some(&(before, edge)) = came.get(&steps[steps.len() - 1].0) {
                        steps.push((before, edge));
                    }
                    steps.reverse();
                    return Some(steps);
                }
                if let Entry::Vacant(place) = came.entry(to) {
                    place.insert((i, edge));
                    queue.push_back(to);
                }
            }
        }
        None
    }
}

fn describe(history: &[Transaction], cycle: &[(usize, Edge)]) -> String {
    let mut text = String::from("a cycle of dependencies:");
    for &(i, edge) in cycle.iter().filter(|(i, _)| *i < history.len()) {
        let _ = write!(text, "\n  {}\n    ", show(history, i));
        let _ = match edge {
            Edge::Ww(key) => write!(text, "whose version of key {key} was replaced by"),
            Edge::Wr(key) => write!(text, "whose version of key {key} was read by"),
            Edge::Rw(key) => write!(text, "which read key {key} before it was replaced by"),
            Edge::Time => write!(text, "which had ended before the begin of"),
        };
    }
    text + "\n  the first"
}

fn show(history: &[Transaction], i: usize) -> String {
    let tx = &history[i];
    let mut text = format!("T{i} {:?} [{}..{}]", tx.outcome, tx.start, tx.end);
    for (key, version) in &tx.reads {
        let _ = write!(text, " read {key}={version}");
    }
    for (key, before, after) in &tx.writes {
        let _ = write!(text, " write {key}:{before}->{after}");
    }
    text
}

/// Records one transaction as it goes.
#[derive(Debug)]
pub(crate) struct Recorder {
    tx: Transaction,
    own: HashMap<Key, Version>,
    read: HashSet<Key>,
}

impl Recorder {
    pub(crate) fn new(start: u64) -> Self {
        let tx = Transaction {
            start,
            end: u64::MAX,
            outcome: Outcome::Unknown,
            reads: Vec::new(),
            writes: Vec::new(),
            hidden: Vec::new(),
        };
        Self { tx, own: HashMap::new(), read: HashSet::new() }
    }

    /// A read. The transaction's own write must be seen.
    pub(crate) fn read(&mut self, key: Key, version: Version) -> Result<(), Violation> {
        match self.own.get(&key) {
            Some(&own) if own == version => Ok(()),
            Some(own) => Err(Violation(format!("a transaction wrote {own} to key {key} and read {version}"))),
            None => {
                // What is read twice must not change; a second pair with another version makes a cycle.
                if self.read.insert(key) || !self.tx.reads.contains(&(key, version)) {
                    self.tx.reads.push((key, version));
                }
                Ok(())
            }
        }
    }

    /// A write over a version that was read just before, or returned by the write.
    pub(crate) fn write(&mut self, key: Key, before: Version, after: Version) {
        match self.own.insert(key, after) {
            None => self.tx.writes.push((key, before, after)),
            Some(own) => {
                self.tx.hidden.push(own);
                let mine = self.tx.writes.iter_mut().filter(|(k, ..)| *k == key);
                mine.for_each(|(_, _, last)| *last = after);
            }
        }
    }

    pub(crate) fn end(mut self, end: u64, outcome: Outcome) -> Transaction {
        self.tx.end = end;
        self.tx.outcome = outcome;
        self.tx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tx(start: u64, end: u64, reads: &[(Key, Version)], writes: &[(Key, Version, Version)]) -> Transaction {
        let outcome = Outcome::Committed;
        Transaction { start, end, outcome, reads: reads.to_vec(), writes: writes.to_vec(), hidden: vec![] }
    }

    fn refused(history: &[Transaction]) -> String {
        check(history).unwrap_err().0
    }

    #[test]
    fn concurrent_transactions_may_take_effect_in_any_order() {
        let history = [
            tx(0, 9, &[], &[(1, 0, 10)]),
            tx(0, 9, &[(1, 10)], &[(1, 10, 11)]),
            tx(0, 9, &[(1, 0), (2, 20)], &[]),
            tx(0, 9, &[], &[(2, 0, 20)]),
        ];
        assert_eq!(check(&history).unwrap().committed, 4);
    }

    #[test]
    fn real_time_counts() {
        let stale = refused(&[tx(0, 1, &[], &[(1, 0, 10)]), tx(2, 3, &[(1, 0)], &[])]);
        assert!(stale.contains("ended before") && stale.contains("before it was replaced"), "{stale}");
        let future = refused(&[tx(0, 1, &[(1, 10)], &[]), tx(2, 3, &[], &[(1, 0, 10)])]);
        assert!(future.contains("was read by"), "{future}");
        // One after another, though neither read meets a write of the same key.
        refused(&[tx(0, 1, &[(1, 0)], &[(2, 0, 20)]), tx(2, 3, &[(3, 30)], &[]), tx(2, 9, &[(2, 0)], &[(3, 0, 30)])]);
    }

    #[test]
    fn anomalies_are_named() {
        let skew = [tx(0, 9, &[(1, 0), (2, 0)], &[(1, 0, 10)]), tx(0, 9, &[(1, 0), (2, 0)], &[(2, 0, 20)])];
        assert!(refused(&skew).contains("a cycle"));
        let torn = [tx(0, 9, &[], &[(1, 0, 10), (2, 0, 20)]), tx(0, 9, &[(1, 10), (2, 0)], &[])];
        assert!(refused(&torn).contains("a cycle"));
        let lost = [tx(0, 9, &[(1, 0)], &[(1, 0, 10)]), tx(0, 9, &[(1, 0)], &[(1, 0, 11)])];
        assert!(refused(&lost).contains("lost update"));
        assert!(refused(&[tx(0, 9, &[(1, 7)], &[])]).contains("nobody wrote it"));
        let changed = [tx(0, 9, &[(1, 0), (1, 10)], &[]), tx(0, 9, &[], &[(1, 0, 10)])];
        assert!(refused(&changed).contains("a cycle"));
        let aborted = Transaction { outcome: Outcome::Aborted, ..tx(0, 9, &[], &[(1, 0, 10)]) };
        assert!(refused(&[aborted, tx(0, 9, &[(1, 10)], &[])]).contains("aborted read"));
        let twice = Transaction { hidden: vec![9], ..tx(0, 9, &[], &[(1, 0, 10)]) };
        assert!(refused(&[twice, tx(0, 9, &[(1, 9)], &[])]).contains("intermediate read"));
    }

    #[test]
    fn an_unknown_end_counts_once_it_is_seen_and_has_no_end_in_time() {
        let unknown = |writes| Transaction { outcome: Outcome::Unknown, ..tx(0, 1, &[], writes) };
        let history = [unknown(&[(1, 0, 10)]), unknown(&[(2, 0, 20)]), tx(2, 3, &[(1, 0)], &[])];
        assert_eq!(check(&history).unwrap().recovered, 0);
        let history = [unknown(&[(1, 0, 10)]), tx(2, 3, &[(1, 0)], &[]), tx(4, 5, &[(1, 10)], &[])];
        assert_eq!(check(&history).unwrap().recovered, 1);
        let half = [unknown(&[(1, 0, 10), (2, 0, 20)]), tx(2, 3, &[(1, 10), (2, 0)], &[])];
        assert!(refused(&half).contains("a cycle"));
    }

    #[test]
    fn a_long_history_takes_linear_time() {
        let history: Vec<_> = (0..200_000).map(|i| tx(2 * i, 2 * i + 3, &[(1, i)], &[(1, i, i + 1)])).collect();
        assert_eq!(check(&history).unwrap().committed, 200_000);
    }
}
