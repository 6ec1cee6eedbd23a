//! What a person sees of a run: bars with the time left on a terminal, plain lines otherwise.

mod remaining;

use std::collections::{BTreeMap, HashMap};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zsad_core::Error;
use zsad_core::job::FitJob;
use zsad_store::Status;

use crate::executor::Event;
use remaining::Remaining;

/// Seconds between two lines about one long training.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Reports a run on standard error, event by event.
pub struct ProgressReporter {
    cells: usize,
    bars: Option<(MultiProgress, ProgressBar)>,
    state: Mutex<State>,
}

struct State {
    done: usize,
    /// Cells that failed for their data.
    data_failures: usize,
    fits: HashMap<String, Fit>,
    remaining: Remaining,
    /// How many cells have failed or were refused for each reason.
    reasons: BTreeMap<String, usize>,
}

/// A fit at work.
struct Fit {
    bar: Option<ProgressBar>,
    last_line: Instant,
    outcomes: Vec<(Status, Option<String>)>,
}

impl ProgressReporter {
    /// A reporter of `jobs`, of which so many run at the same time.
    pub fn new(jobs: &[FitJob], workers: usize) -> Self {
        let cells = jobs.iter().map(|j| j.cells.len()).sum();
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let overall = multi.add(ProgressBar::new(cells as u64));
            overall.set_style(style("{elapsed_precise} [{bar:30}] {pos}/{len} cells{msg}"));
            (multi, overall)
        });
        let state = State {
            done: 0,
            data_failures: 0,
            fits: HashMap::new(),
            remaining: Remaining::new(jobs, workers),
            reasons: BTreeMap::new(),
        };
        ProgressReporter { cells, bars, state: Mutex::new(state) }
    }

    /// Hears of an event.
    pub fn hear(&self, event: Event) {
        // Nothing panics while the lock is held.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(job) => {
                state.remaining.started(job, Instant::now());
                let fit = Fit { bar: self.bar(job), last_line: Instant::now(), outcomes: Vec::new() };
                state.fits.insert(job.key.clone(), fit);
            }
            Event::Tick { job, done, total, message } => {
                state.remaining.ticked(job, done, total, Instant::now());
                if let Some(fit) = state.fits.get_mut(&job.key) {
                    self.tick(job, fit, (done, total), message);
                }
            }
            Event::Cell { job, record, failure } => {
                state.data_failures += usize::from(matches!(failure, Some(Error::Data { .. })));
                state.remaining.cell(job);
                self.advance(&mut state, 1);
                if let Some(fit) = state.fits.get_mut(&job.key) {
                    fit.outcomes.push((record.status, record.error.clone()));
                }
            }
            Event::Finished { job, trained } => {
                state.remaining.finished(job, Instant::now());
                if let Some(fit) = state.fits.remove(&job.key) {
                    self.finished(&mut state, job, fit, trained);
                }
            }
            Event::FinishedElsewhere(job) => {
                state.remaining.finished(job, Instant::now());
                self.advance(&mut state, job.cells.len());
                self.say(&format!("{}: finished by another run", job.label()));
            }
            Event::Note(line) => self.say(&line),
        }
    }

    /// Clears the bars, says how often a reason was given that was said once, and returns how many cells failed for their
    /// data.
    pub fn finish(self) -> usize {
        if let Some((multi, overall)) = &self.bars {
            overall.finish_and_clear();
            // A terminal that is gone is no reason to end a run.
            drop(multi.clear());
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, n) in state.reasons.iter().filter(|(_, n)| **n > 1) {
            self.say(&format!("{n} × {reason}"));
        }
        state.data_failures
    }

    fn say(&self, line: &str) {
        match &self.bars {
            // A terminal that is gone is no reason to end a run.
            Some((multi, _)) => drop(multi.println(line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    fn bar(&self, job: &FitJob) -> Option<ProgressBar> {
        let (multi, overall) = self.bars.as_ref()?;
        let bar = multi.insert_before(overall, ProgressBar::new(0));
        bar.set_style(style("  {prefix} {msg}"));
        bar.set_prefix(job.label());
        Some(bar)
    }

    fn advance(&self, state: &mut State, cells: usize) {
        state.done += cells;
        if let Some((_, overall)) = &self.bars {
            overall.set_message(left(&state.remaining));
            overall.set_position(state.done as u64);
        }
    }

    fn tick(&self, job: &FitJob, fit: &mut Fit, (done, total): (u64, u64), message: &str) {
        if let Some(bar) = &fit.bar {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_style(style("  {prefix} [{bar:20}] {pos}/{len} {msg}, {eta} left"));
            }
            bar.set_position(done);
            bar.set_message(message.to_owned());
        } else if fit.last_line.elapsed() >= LINE_EVERY {
            fit.last_line = Instant::now();
            self.say(&format!("{}: {done}/{total} {message}", job.label()));
        }
    }

    /// Says what came of the cells of a fit.
    fn finished(&self, state: &mut State, job: &FitJob, fit: Fit, trained: Option<f64>) {
        let label = job.label();
        match &fit.bar {
            Some(bar) => bar.finish_and_clear(),
            None => {
                let count = |status| fit.outcomes.iter().filter(|(s, _)| *s == status).count();
                let counted = [Status::Ok, Status::Failed, Status::Refused].into_iter().filter(|s| count(*s) > 0);
                let mut parts: Vec<String> = counted.map(|s| format!("{} {s}", count(s))).collect();
                parts.extend(trained.map(|s| format!("trained in {s:.1} s")));
                let (done, cells, left) = (state.done, self.cells, left(&state.remaining));
                self.say(&format!("[{done}/{cells} cells{left}] {label}: {}", parts.join(", ")));
            }
        }
        for (status, error) in fit.outcomes.iter().filter(|(s, _)| *s != Status::Ok) {
            let reason = format!("{status}: {}", error.as_deref().unwrap_or_default());
            let count = state.reasons.entry(reason.clone()).or_default();
            *count += 1;
            if *count == 1 {
                self.say(&format!("{label}: {reason}"));
            }
        }
    }
}

/// `1h 5m 3s`.
pub fn rounded(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// `, 5m left`; nothing as long as nothing is known.
fn left(remaining: &Remaining) -> String {
    let (time, whole) = remaining.left(Instant::now());
    let rounded = rounded(time);
    match (whole, time.as_secs()) {
        (true, _) => format!(", {rounded} left"),
        (false, 0) => String::new(),
        (false, _) => format!(", more than {rounded} left"),
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the constants above; a mistake in one shows as the default bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
