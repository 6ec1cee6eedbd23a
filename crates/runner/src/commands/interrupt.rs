//! Ctrl-C and SIGTERM; and SIGUSR1, by which a scheduler says that the time is nearly up.

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use zsad_core::{Error, Result, Stop};

/// From now on the first SIGINT or SIGTERM asks `stop`, and a second one ends the program at once, with 128 and the
/// signal's number as exit code.
///
/// # Errors
/// [`Error::Failed`] where the system does not let us listen.
pub fn listen(stop: &Stop) -> Result<()> {
    let mut signals = signals(&[SIGINT, SIGTERM])?;
    let stop = stop.clone();
    std::thread::spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if std::mem::replace(&mut asked, true) {
                std::process::exit(128 + signal);
            }
            stop.ask();
            super::note("ending after the running step; once more ends it at once");
        }
    });
    Ok(())
}

/// From now on SIGUSR1 asks `stop`, too; what is returned tells that it did.
///
/// # Errors
/// [`Error::Failed`] where the system does not let us listen.
pub fn warned(stop: &Stop) -> Result<Stop> {
    let mut signals = signals(&[SIGUSR1])?;
    let (stop, warned) = (stop.clone(), Stop::default());
    let asked = warned.clone();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            asked.ask();
            stop.ask();
            super::note("the time is nearly up: ending after the running step");
        }
    });
    Ok(warned)
}

fn signals(wanted: &[i32]) -> Result<Signals> {
    Signals::new(wanted).map_err(|e| Error::failed(format!("cannot listen for signals: {e}")))
}
