//! How long to wait before another try.

use std::time::{Duration, Instant, SystemTime};

use zsad_core::{Result, Stop};

/// No wait between tries grows beyond this.
const LONGEST: Duration = Duration::from_secs(60);
/// A server that asks for more is left alone.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The wait before try number `failed` + 1 where nobody said how long: it doubles.
pub fn back_off(first: Duration, failed: u32) -> Duration {
    let doubled = first.saturating_mul(1 << failed.saturating_sub(1).min(16));
    doubled.min(LONGEST.max(first))
}

/// What `Retry-After` says: seconds, or a date.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Waits, unless a person wants to end.
///
/// # Errors
/// [`zsad_core::Error::Stopped`] where the person does.
pub fn pause(time: Duration, stop: &Stop) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        stop.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<u64> = (1..=8).map(|failed| back_off(Duration::from_secs(1), failed).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(back_off(Duration::ZERO, 5), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // RFC 9110, 5.6.7.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Sat, 05 Nov 1994 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
