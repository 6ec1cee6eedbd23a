//! What a person sees of files on their way: bars with rate and time left on a terminal, else plain lines.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zsad_fetch::event::Event;
use zsad_fetch::human;

/// Time between two lines about one file.
const LINE_EVERY: Duration = Duration::from_secs(30);
const KNOWN: &str = "{prefix} [{bar:25}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
const UNKNOWN: &str = "{prefix} {bytes}, {bytes_per_sec}";

/// Shows events on standard error.
pub struct Bars {
    multi: Option<MultiProgress>,
    files: Mutex<BTreeMap<String, OnItsWay>>,
}

struct OnItsWay {
    bar: Option<ProgressBar>,
    of: Option<u64>,
    last_line: Instant,
}

impl Bars {
    pub fn new() -> Self {
        Bars { multi: std::io::stderr().is_terminal().then(MultiProgress::new), files: Mutex::default() }
    }

    /// Hears of an event.
    pub fn hear(&self, event: Event) {
        // Nothing panics while the lock is held.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Said(line) => self.say(line),
            Event::Begun { path, at, of } => {
                let bar = self.multi.as_ref().map(|multi| multi.add(bar(path, at, of)));
                if bar.is_none() {
                    let size = of.map_or("an unknown number of bytes".into(), human);
                    let rest = if at > 0 { format!(", going on after {}", human(at)) } else { String::new() };
                    self.say(&format!("{path}: fetching {size}{rest}"));
                }
                if let Some(before) = files.insert(path.to_owned(), OnItsWay { bar, of, last_line: Instant::now() }) {
                    before.bar.iter().for_each(ProgressBar::finish_and_clear);
                }
            }
            Event::At { path, bytes } => {
                let Some(file) = files.get_mut(path) else { return };
                match &file.bar {
                    Some(bar) => bar.set_position(bytes),
                    None if file.last_line.elapsed() >= LINE_EVERY => {
                        file.last_line = Instant::now();
                        let of = file.of.map_or(String::new(), |of| format!(" of {}", human(of)));
                        self.say(&format!("{path}: {}{of}", human(bytes)));
                    }
                    None => {}
                }
            }
            Event::Ended { path } => {
                if let Some(OnItsWay { bar: Some(bar), .. }) = files.remove(path) {
                    bar.finish_and_clear();
                }
            }
        }
    }

    fn say(&self, line: &str) {
        match &self.multi {
            // A terminal that is gone is no reason to end.
            Some(multi) => drop(multi.println(line)),
            None => super::super::note(line),
        }
    }
}

fn bar(path: &str, at: u64, of: Option<u64>) -> ProgressBar {
    let bar = of.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = if of.is_some() { KNOWN } else { UNKNOWN };
    // The templates are the constants above; a mistake in one shows as the default bar.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(path.to_owned());
    bar.set_position(at);
    // The rate is that of what comes now.
    bar.reset_eta();
    bar
}
