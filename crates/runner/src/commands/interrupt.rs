//! Ctrl-C and SIGTERM.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zsad_core::{Error, Result, Stop};

/// From now on the first SIGINT or SIGTERM asks `stop`, and a second one ends the program at once, with 128 and the
/// signal's number as exit code.
///
/// # Errors
/// [`Error::Failed`] where the system does not let us listen.
pub fn listen(stop: &Stop) -> Result<()> {
    let refused = |e| Error::failed(format!("cannot listen for Ctrl-C: {e}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    let stop = stop.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if stop.ask() {
                std::process::exit(128 + signal);
            }
            super::note("ending after the running step; once more ends it at once");
        }
    });
    Ok(())
}
