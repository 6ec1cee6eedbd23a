//! Panics of others: readers of foreign formats and methods may panic on damaged input, and that is no reason to end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};

/// What `work` returns, or the message of its panic. What a panic leaves half done must be dropped by the caller.
///
/// # Errors
/// The panic's message.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message").to_owned()
    })
}

/// What `work` returns; a panic in it is an error like any other.
///
/// # Errors
/// That of `work`; [`Error::Failed`] with the panic's message.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(work).unwrap_or_else(|panic| Err(Error::failed(format!("panicked: {panic}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(caught::<()>(|| panic!("at {}", 7)), Err("at 7".into()));
        assert_eq!(caught::<()>(|| std::panic::panic_any(5)), Err("without a message".into()));
        assert_eq!(guarded::<()>(|| panic!("at {}", 7)), Err(Error::failed("panicked: at 7")));
        assert_eq!(guarded::<()>(|| Err(Error::refused("no"))), Err(Error::refused("no")));
    }
}
