//! How a log line looks: `[2026-11-26T22:57:00Z INFO  flint::net] text`.

use crate::store::clock::{Clock, SystemClock};
use crate::value::Timestamp;
use env_logger::fmt::Formatter;
use log::Record;
use std::io::{self, Write};

/// Writes a line. The time of day is ours: the logger's own would bring in a library of time zones.
pub(super) fn write(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let style = line.default_level_style(record.level());
    let time = utc(SystemClock.unix_millis() / 1_000);
    writeln!(line, "[{time} {style}{:<5}{style:#} {}] {}", record.level(), record.target(), record.args())
}

/// So many seconds after 1970 as a point in time of ISO 8601.
fn utc(seconds: u64) -> String {
    let point = Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 };
    point.to_utc().map_or_else(|| point.to_string(), |(date, time)| format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_that_of_iso_8601() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_795_733_820), "2026-11-26T22:57:00Z");
        assert_eq!(utc(u64::MAX), format!("{}s", i64::MAX));
    }
}
