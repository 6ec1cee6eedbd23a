//! What a person sees of a run: bars with the time left on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zsad_core::Progress;
use zsad_core::record::Status;

/// What a cell of a trained fit counts in the guess of the time left; a cell without training counts one.
const TRAINED: usize = 50;

/// Seconds between two lines about one long training.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The progress of a whole run, on standard error.
pub struct Board {
    total: usize,
    done: AtomicUsize,
    /// Total and done once more, weighted by what a cell costs.
    work: usize,
    worked: AtomicUsize,
    start: Instant,
    bars: Option<(MultiProgress, ProgressBar)>,
}

/// The progress of one fit and its cells.
pub struct Task<'b> {
    board: &'b Board,
    /// What one of its cells counts.
    weight: usize,
    label: String,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Board {
    /// A board for `trained` cells whose fit is trained and `untrained` others.
    pub fn new(trained: usize, untrained: usize) -> Self {
        let (total, work) = (trained + untrained, trained * TRAINED + untrained);
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let overall = multi.add(ProgressBar::new(work as u64));
            overall.set_style(style("{elapsed_precise} [{bar:30}] {msg} cells, {eta} left"));
            (multi, overall)
        });
        Board { total, done: 0.into(), work, worked: 0.into(), start: Instant::now(), bars }
    }

    /// A line above the bars.
    pub fn say(&self, line: &str) {
        match &self.bars {
            // A terminal that is gone is no reason to end a run.
            Some((multi, _)) => drop(multi.println(line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Begins a fit; `trains`: it is a trained one.
    pub fn task(&self, label: String, trains: bool) -> Task<'_> {
        let bar = self.bars.as_ref().map(|(multi, overall)| {
            let bar = multi.insert_before(overall, ProgressBar::new(0));
            bar.set_style(style("  {prefix} {msg}"));
            bar.set_prefix(label.clone());
            bar
        });
        let weight = if trains { TRAINED } else { 1 };
        Task { board: self, weight, label, bar, last_line: Mutex::new(Instant::now()) }
    }

    /// Clears the bars.
    pub fn finish(&self) {
        if let Some((_, overall)) = &self.bars {
            overall.finish_and_clear();
        }
    }

    /// Time left, guessed from the work done so far.
    fn left(&self) -> Duration {
        let worked = self.worked.load(Ordering::Relaxed);
        self.start.elapsed().mul_f64((self.work - worked.min(self.work)) as f64 / worked.max(1) as f64)
    }
}

impl Task<'_> {
    /// Notes the end of a cell.
    pub fn cell(&self) {
        let done = self.board.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.board.worked.fetch_add(self.weight, Ordering::Relaxed);
        if let Some((_, overall)) = &self.board.bars {
            overall.set_message(format!("{done}/{}", self.board.total));
            overall.inc(self.weight as u64);
        }
    }

    /// Ends the fit and says what came of its cells.
    pub fn finish(self, outcomes: &[(Status, Option<String>)], seconds: Option<f64>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let count = |status| outcomes.iter().filter(|(s, _)| *s == status).count();
        let mut parts: Vec<String> = [Status::Ok, Status::Failed, Status::Refused]
            .into_iter()
            .filter(|s| count(*s) > 0)
            .map(|s| format!("{} {}", count(s), s.as_str()))
            .collect();
        parts.extend(seconds.map(|s| format!("trained in {s:.1} s")));
        let done = self.board.done.load(Ordering::Relaxed);
        let left = humantime::format_duration(Duration::from_secs(self.board.left().as_secs()));
        let total = self.board.total;
        if self.bar.is_none() {
            self.board.say(&format!("[{done}/{total} cells, {left} left] {}: {}", self.label, parts.join(", ")));
        }
        let mut said = Vec::new();
        for (status, error) in outcomes.iter().filter(|(s, _)| *s != Status::Ok) {
            let line = format!("{}: {}: {}", self.label, status.as_str(), error.as_deref().unwrap_or_default());
            if !said.contains(&line) {
                self.board.say(&line);
                said.push(line);
            }
        }
    }
}

impl Progress for Task<'_> {
    fn tick(&self, done: u64, total: u64, message: &str) {
        if let Some(bar) = &self.bar {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_style(style("  {prefix} [{bar:20}] {pos}/{len} {msg}, {eta} left"));
            }
            bar.set_position(done);
            bar.set_message(message.to_owned());
            return;
        }
        // A poisoned lock means a panic elsewhere, which is reported there.
        let Ok(mut last) = self.last_line.lock() else { return };
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            self.board.say(&format!("{}: {done}/{total} {message}", self.label));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the constants above; a mistake in one shows as the default bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
