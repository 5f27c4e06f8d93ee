//! What was measured, for people and for programs.

use super::Options;
use super::workload::Workload;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Latencies above this count as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// What one contender did.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The contender.
    pub name: &'static str,
    /// The time it ran.
    pub elapsed: Duration,
    /// Latencies in nanoseconds by operation.
    pub operations: Vec<(&'static str, Histogram<u64>)>,
}

impl Measured {
    pub(super) fn new(name: &'static str, workload: &Workload) -> Self {
        let operations = workload.shapes.iter().map(|shape| (shape.name, histogram())).collect();
        Self { name, elapsed: Duration::ZERO, operations }
    }

    /// The sync floor knows one operation, whatever the mix.
    pub(super) fn of_appends(name: &'static str) -> Self {
        Self { name, elapsed: Duration::ZERO, operations: vec![("append", histogram())] }
    }

    /// The same contender, nothing measured.
    pub(super) fn empty(&self) -> Self {
        let operations = self.operations.iter().map(|(name, _)| (*name, histogram())).collect();
        Self { name: self.name, elapsed: Duration::ZERO, operations }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for ((_, ours), (_, theirs)) in self.operations.iter_mut().zip(&other.operations) {
            ours.add(theirs).unwrap_or_else(|error| log::error!("latencies were lost: {error}"));
        }
    }

    #[inline]
    pub(super) fn record(&mut self, operation: usize, latency: Duration) {
        if let Some((_, latencies)) = self.operations.get_mut(operation) {
            latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Operations done.
    pub fn count(&self) -> u64 {
        self.operations.iter().map(|(_, latencies)| latencies.len()).sum()
    }

    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Latencies of all operations, in nanoseconds.
    pub fn latencies(&self) -> Histogram<u64> {
        let mut all = histogram();
        for (_, latencies) in &self.operations {
            all.add(latencies).unwrap_or_else(|error| log::error!("latencies were lost: {error}"));
        }
        all
    }

    fn json(&self) -> Value {
        let latencies = |latencies: &Histogram<u64>| {
            let quantiles = QUANTILES.iter().map(|(name, q)| ((*name).to_owned(), json!(micros(latencies, *q))));
            Value::Object(quantiles.collect())
        };
        let by_operation = self.operations.iter().map(|(name, histogram)| {
            ((*name).to_owned(), json!({ "operations": histogram.len(), "latency_us": latencies(histogram) }))
        });
        json!({
            "operations": self.count(),
            "seconds": self.elapsed.as_secs_f64(),
            "rate": self.rate(),
            "latency_us": latencies(&self.latencies()),
            "by_operation": Value::Object(by_operation.collect()),
        })
    }
}

#[allow(clippy::expect_used)]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX.as_nanos() as u64, 3).expect("three digits up to a minute is a valid range")
}

fn micros(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1000.0
}

/// The result of a run. Its text is a table.
#[derive(Debug, Clone)]
pub struct Report {
    options: Options,
    request_bytes: usize,
    answer_bytes: usize,
    /// The server, then what it was compared with.
    pub contenders: Vec<Measured>,
}

impl Report {
    pub(super) fn new(options: &Options, workload: &Workload, contenders: Vec<Measured>) -> Self {
        Self {
            options: options.clone(),
            request_bytes: workload.request_bytes(),
            answer_bytes: workload.answer_bytes(),
            contenders,
        }
    }

    /// The server's rate as a part of each other contender's.
    pub fn ratios(&self) -> Vec<(&'static str, f64)> {
        let Some((server, others)) = self.contenders.split_first() else { return Vec::new() };
        others.iter().map(|other| (other.name, server.rate() / other.rate().max(1e-9))).collect()
    }

    /// The report as one object.
    pub fn json(&self) -> Value {
        let named = |name: &str| name.replace(' ', "_");
        let mut object = json!({
            "connections": self.options.connections,
            "depth": self.options.depth,
            "mix": self.options.mix.to_string(),
            "batch": self.options.batch,
            "value_bytes": self.options.value_bytes,
            "keys": self.options.keys,
            "threads": self.options.threads,
            "request_bytes": self.request_bytes,
            "answer_bytes": self.answer_bytes,
            "ratio": Value::Object(self.ratios().iter().map(|(name, ratio)| (named(name), json!(ratio))).collect()),
        });
        if let Value::Object(fields) = &mut object {
            fields.extend(self.contenders.iter().map(|measured| (named(measured.name), measured.json())));
        }
        object
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { connections, depth, mix, keys, value_bytes, .. } = &self.options;
        writeln!(
            f,
            "{connections} connections x {depth} in flight, {mix}, {keys} keys, values of {value_bytes} bytes; \
             {} bytes a request, {} an answer",
            self.request_bytes, self.answer_bytes
        )?;
        write!(f, "{:<22}{:>12}", "", "per second")?;
        QUANTILES.iter().try_for_each(|(name, _)| write!(f, "{:>11}", format!("{name} us")))?;
        writeln!(f)?;
        for measured in &self.contenders {
            line(f, measured.name, measured.rate(), &measured.latencies())?;
            if measured.operations.len() > 1 {
                for (name, latencies) in &measured.operations {
                    let rate = latencies.len() as f64 / measured.elapsed.as_secs_f64().max(1e-9);
                    line(f, &format!("  {name}"), rate, latencies)?;
                }
            }
        }
        self.ratios().iter().try_for_each(|(name, ratio)| writeln!(f, "server / {name}: {ratio:.2}"))
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, rate: f64, latencies: &Histogram<u64>) -> fmt::Result {
    write!(f, "{name:<22}{rate:>12.0}")?;
    QUANTILES.iter().try_for_each(|(_, q)| write!(f, "{:>11.1}", micros(latencies, *q)))?;
    writeln!(f)
}
