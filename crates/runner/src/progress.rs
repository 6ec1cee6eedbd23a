//! What a person sees of a run: bars with the time left on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zsad_core::Progress;
use zsad_core::record::Status;

/// Seconds between two lines about one long training.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The progress of a whole run, on standard error.
pub struct Board {
    total: usize,
    done: AtomicUsize,
    start: Instant,
    bars: Option<(MultiProgress, ProgressBar)>,
}

/// The progress of one fit and its cells.
pub struct Task<'b> {
    board: &'b Board,
    label: String,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Board {
    /// A board for `total` cells.
    pub fn new(total: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let overall = multi.add(ProgressBar::new(total as u64));
            overall.set_style(style("{elapsed_precise} [{bar:30}] {pos}/{len} cells, {eta} left"));
            (multi, overall)
        });
        Board { total, done: AtomicUsize::new(0), start: Instant::now(), bars }
    }

    /// A line above the bars.
    pub fn say(&self, line: &str) {
        match &self.bars {
            // A terminal that is gone is no reason to end a run.
            Some((multi, _)) => drop(multi.println(line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Begins a fit.
    pub fn task(&self, label: String) -> Task<'_> {
        let bar = self.bars.as_ref().map(|(multi, overall)| {
            let bar = multi.insert_before(overall, ProgressBar::new(0));
            bar.set_style(style("  {prefix} {msg}"));
            bar.set_prefix(label.clone());
            bar
        });
        Task { board: self, label, bar, last_line: Mutex::new(Instant::now()) }
    }

    /// Clears the bars.
    pub fn finish(&self) {
        if let Some((_, overall)) = &self.bars {
            overall.finish_and_clear();
        }
    }

    /// Seconds left, guessed from the cells done so far.
    fn left(&self, done: usize) -> Duration {
        self.start.elapsed().mul_f64((self.total - done.min(self.total)) as f64 / done.max(1) as f64)
    }
}

impl Task<'_> {
    /// Notes the end of a cell.
    pub fn cell(&self) {
        self.board.done.fetch_add(1, Ordering::Relaxed);
        if let Some((_, overall)) = &self.board.bars {
            overall.inc(1);
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
        let left = humantime::format_duration(Duration::from_secs(self.board.left(done).as_secs()));
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
