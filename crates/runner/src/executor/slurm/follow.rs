//! Following the jobs of a cluster by what they leave in the run folder.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use zsad_core::job::FitJob;
use zsad_core::{Error, Result};

use super::commands::QUEUE_TIME;
use super::{Jobs, Slurm};
use crate::executor::{Event, Listener};

/// How often the run folder is looked at: listing a large one takes its time, of which this is a multiple.
const LOOK: Duration = Duration::from_secs(1);
/// The least part of the time in which nothing is asked of the file system.
const IDLE: u32 = 20;
/// How often the queue is asked.
const ASK: Duration = Duration::from_secs(10);
/// After so many submissions in a row that brought nothing, no more are made.
const TRIES: usize = 3;

/// Submits `jobs` and follows them; what is neither recorded nor queued any more is submitted again, as long as that helps.
pub fn follow(slurm: &Slurm, jobs: &[FitJob], on: &Listener) -> Result<()> {
    let mut seen = Seen::new(slurm, jobs);
    let (mut left, mut fruitless, mut is_first) = (seen.left(), 0, true);
    loop {
        match slurm.submit(jobs) {
            Ok(submitted) => submitted.lines().into_iter().for_each(|line| on(Event::Note(line))),
            // The first time a person is waiting for an answer; later the controller may be restarting.
            Err(e) if is_first || matches!(e, Error::Stopped) => return Err(e),
            Err(e) => on(Event::Note(format!("{e}; trying again"))),
        }
        is_first = false;
        seen.until_nothing_is_queued(on)?;
        if seen.left() == 0 && seen.is_collected()? {
            return Ok(());
        }
        fruitless = if seen.left() < left { 0 } else { fruitless + 1 };
        left = seen.left();
        if fruitless == TRIES {
            on(Event::Note(format!(
                "{TRIES} submissions in a row brought nothing, so no more are made; `zsad status` says why"
            )));
            return Ok(());
        }
    }
}

/// What was seen of the jobs so far.
struct Seen<'a> {
    slurm: &'a Slurm<'a>,
    /// Cells without a record, each with the number of its job.
    waiting: BTreeMap<&'a str, usize>,
    jobs: &'a [FitJob],
    /// The number of each job, by its key.
    numbers: BTreeMap<&'a str, usize>,
    /// Of each job: whether it was seen to begin, and its cells without a record.
    progress: Vec<(bool, usize)>,
    /// When the tables were last seen to be written.
    tables: Option<SystemTime>,
}

impl<'a> Seen<'a> {
    fn new(slurm: &'a Slurm<'a>, jobs: &'a [FitJob]) -> Self {
        let cells = |(i, job): (usize, &'a FitJob)| job.cells.iter().map(move |c| (c.key.as_str(), i));
        Seen {
            slurm,
            waiting: jobs.iter().enumerate().flat_map(cells).collect(),
            jobs,
            numbers: jobs.iter().enumerate().map(|(i, job)| (job.key.as_str(), i)).collect(),
            progress: jobs.iter().map(|job| (false, job.cells.len())).collect(),
            tables: None,
        }
    }

    /// Cells without a record.
    fn left(&self) -> usize {
        self.waiting.len()
    }

    /// Returns when nothing is queued, or before that when there is nothing to wait for.
    fn until_nothing_is_queued(&mut self, on: &Listener) -> Result<()> {
        let cluster = self.slurm.folder.cluster();
        let (mut asked, mut complaint) = (Instant::now(), String::new());
        loop {
            let start = Instant::now();
            self.look(on)?;
            if self.left() == 0 && self.has_new_tables() && self.is_collected()? {
                return Ok(());
            }
            if asked.elapsed() >= ASK {
                match Jobs::find(&cluster, QUEUE_TIME) {
                    Ok(jobs) if jobs.queued.is_empty() => return self.look(on),
                    Ok(_) => complaint.clear(),
                    // Said once, not every time.
                    Err(e) if e.to_string() != complaint => {
                        complaint = e.to_string();
                        on(Event::Note(format!("{e}; still following what is recorded")));
                    }
                    Err(_) => {}
                }
                asked = Instant::now();
            }
            let pause = LOOK.max(start.elapsed() * IDLE);
            let until = Instant::now() + pause;
            while Instant::now() < until {
                self.slurm.stop.check()?;
                std::thread::sleep(LOOK / 10);
            }
        }
    }

    /// Tells of what was recorded since the last look.
    fn look(&mut self, on: &Listener) -> Result<()> {
        let recorded = self.slurm.folder.recorded();
        for key in self.slurm.folder.leased() {
            if let Some(&i) = self.numbers.get(key.as_str()) {
                self.begin(i, on);
            }
        }
        let found: Vec<(&str, usize)> =
            self.waiting.iter().filter(|(key, _)| recorded.contains(**key)).map(|(key, i)| (*key, *i)).collect();
        for (key, i) in found {
            let Some(record) = self.slurm.folder.record(key)?.filter(|r| self.slurm.is_new(r)) else { continue };
            self.waiting.remove(key);
            self.begin(i, on);
            let job = &self.jobs[i];
            on(Event::Cell { job, record: &record, failure: None });
            self.progress[i].1 -= 1;
            if self.progress[i].1 == 0 {
                on(Event::Finished { job, trained: record.fit_seconds });
            }
        }
        Ok(())
    }

    fn begin(&mut self, i: usize, on: &Listener) {
        if !std::mem::replace(&mut self.progress[i].0, true) {
            on(Event::Started(&self.jobs[i]));
        }
    }

    /// Whether tables were written since this was last asked.
    fn has_new_tables(&mut self) -> bool {
        let written = self.slurm.folder.cluster().collected_at();
        written.is_some() && std::mem::replace(&mut self.tables, written) != written
    }

    fn is_collected(&self) -> Result<bool> {
        Ok(self.slurm.folder.cluster().is_collected(&self.slurm.folder.records()?))
    }
}
