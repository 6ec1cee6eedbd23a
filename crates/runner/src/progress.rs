//! What a person sees of a run: bars with the time left on a terminal, plain lines otherwise.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zsad_core::Error;
use zsad_core::job::FitJob;
use zsad_store::Status;

use crate::executor::Event;

/// What a cell of a fit that learns counts in the guess of the time left; a cell without training counts one.
const LEARNED: usize = 50;

/// Seconds between two lines about one long training.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Reports a run on standard error, event by event.
pub struct ProgressReporter {
    cells: usize,
    /// Cells once more, weighted by what they cost.
    work: usize,
    start: Instant,
    bars: Option<(MultiProgress, ProgressBar)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    worked: usize,
    /// Cells that failed for their data.
    data_failures: usize,
    fits: HashMap<String, Fit>,
}

/// A fit at work.
struct Fit {
    bar: Option<ProgressBar>,
    last_line: Instant,
    outcomes: Vec<(Status, Option<String>)>,
}

fn weight(job: &FitJob) -> usize {
    if job.learns { LEARNED } else { 1 }
}

impl ProgressReporter {
    /// A reporter of `jobs`.
    pub fn new(jobs: &[FitJob]) -> Self {
        let cells = jobs.iter().map(|j| j.cells.len()).sum();
        let work = jobs.iter().map(|j| j.cells.len() * weight(j)).sum();
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let overall = multi.add(ProgressBar::new(work as u64));
            overall.set_style(style("{elapsed_precise} [{bar:30}] {msg} cells, {eta} left"));
            (multi, overall)
        });
        ProgressReporter { cells, work, start: Instant::now(), bars, state: Mutex::default() }
    }

    /// Hears of an event.
    pub fn hear(&self, event: Event) {
        // Nothing panics while the lock is held.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(job) => {
                let fit = Fit { bar: self.bar(job), last_line: Instant::now(), outcomes: Vec::new() };
                state.fits.insert(job.key.clone(), fit);
            }
            Event::Tick { job, done, total, message } => {
                if let Some(fit) = state.fits.get_mut(&job.key) {
                    self.tick(job, fit, (done, total), message);
                }
            }
            Event::Cell { job, record, failure } => {
                state.data_failures += usize::from(matches!(failure, Some(Error::Data { .. })));
                self.advance(&mut state, job, 1);
                if let Some(fit) = state.fits.get_mut(&job.key) {
                    fit.outcomes.push((record.status, record.error.clone()));
                }
            }
            Event::Finished { job, trained } => {
                if let Some(fit) = state.fits.remove(&job.key) {
                    self.finished(&state, job, fit, trained);
                }
            }
            Event::FinishedElsewhere(job) => {
                self.advance(&mut state, job, job.cells.len());
                self.say(&format!("{}: finished by another run", job.label()));
            }
            Event::Note(line) => self.say(&line),
        }
    }

    /// Clears the bars and says how many cells failed for their data.
    pub fn finish(self) -> usize {
        if let Some((_, overall)) = &self.bars {
            overall.finish_and_clear();
        }
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).data_failures
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

    fn advance(&self, state: &mut State, job: &FitJob, cells: usize) {
        state.done += cells;
        state.worked += cells * weight(job);
        if let Some((_, overall)) = &self.bars {
            overall.set_message(format!("{}/{}", state.done, self.cells));
            overall.inc((cells * weight(job)) as u64);
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
    fn finished(&self, state: &State, job: &FitJob, fit: Fit, trained: Option<f64>) {
        let label = job.label();
        match &fit.bar {
            Some(bar) => bar.finish_and_clear(),
            None => {
                let count = |status| fit.outcomes.iter().filter(|(s, _)| *s == status).count();
                let counted = [Status::Ok, Status::Failed, Status::Refused].into_iter().filter(|s| count(*s) > 0);
                let mut parts: Vec<String> = counted.map(|s| format!("{} {s}", count(s))).collect();
                parts.extend(trained.map(|s| format!("trained in {s:.1} s")));
                let left = humantime::format_duration(Duration::from_secs(self.left(state).as_secs()));
                let (done, cells) = (state.done, self.cells);
                self.say(&format!("[{done}/{cells} cells, {left} left] {label}: {}", parts.join(", ")));
            }
        }
        let mut said = Vec::new();
        for (status, error) in fit.outcomes.iter().filter(|(s, _)| *s != Status::Ok) {
            let line = format!("{label}: {status}: {}", error.as_deref().unwrap_or_default());
            if !said.contains(&line) {
                self.say(&line);
                said.push(line);
            }
        }
    }

    /// Time left, guessed from the work done so far.
    fn left(&self, state: &State) -> Duration {
        let left = self.work - state.worked.min(self.work);
        self.start.elapsed().mul_f64(left as f64 / state.worked.max(1) as f64)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the constants above; a mistake in one shows as the default bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
