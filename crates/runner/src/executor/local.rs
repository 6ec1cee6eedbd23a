//! Running on this machine: a few workers, each with threads of its own. Other runs may work on the same folder.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use zsad_core::job::FitJob;
use zsad_core::{Error, Result};
use zsad_store::{CellRecord, Status};

use super::fit::{Bench, WAIT};
use super::{Event, Executor, Listener};

/// Workers on this machine.
pub struct Local<'a> {
    /// Where they work.
    pub bench: Bench<'a>,
    /// How many fits run at the same time.
    pub jobs: usize,
    /// The records that were there when the plan was made, by cell key.
    pub before: &'a BTreeMap<String, CellRecord>,
}

/// Jobs that nobody has taken yet.
type Queue = Mutex<VecDeque<FitJob>>;

impl Executor for Local<'_> {
    fn run(&self, jobs: &[FitJob], on: &Listener) -> Result<()> {
        let mut order: Vec<&FitJob> = jobs.iter().collect();
        // Long work first, so that no worker is left with a training at the end; otherwise in the file's order.
        order.sort_by_key(|job| !job.learns);
        let queue: Queue = Mutex::new(order.into_iter().cloned().collect());
        let error = Mutex::new(None);
        let workers = self.jobs.min(jobs.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    if let Err(e) = self.work(&queue, on) {
                        // One error ends the run: the others find nothing left to do.
                        lock(&queue).clear();
                        lock(&error).get_or_insert(e);
                    }
                });
            }
        });
        let first = lock(&error).take();
        first.map_or(Ok(()), Err)
    }
}

/// Nothing panics while a lock of this file is held.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Local<'_> {
    fn work(&self, queue: &Queue, on: &Listener) -> Result<()> {
        let threads = self.bench.env.threads;
        // A pool of one worker's own; results do not depend on its size.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| Error::failed(format!("cannot start {threads} threads: {e}")))?;
        let mut put_off = 0;
        loop {
            self.bench.env.stop.check()?;
            let Some(job) = lock(queue).pop_front() else { return Ok(()) };
            let done = self.take(&job, |left| pool.install(|| self.bench.run(left, on)), on)?;
            if done {
                put_off = 0;
                continue;
            }
            // Another run has it: it is looked at again when the others are done.
            let left = {
                let mut queue = lock(queue);
                queue.push_back(job);
                queue.len()
            };
            put_off += 1;
            if put_off >= left {
                std::thread::sleep(WAIT);
                put_off = 0;
            }
        }
    }

    /// Runs what is left of a job, if its lease is to be had; whether it is finished then.
    fn take(&self, job: &FitJob, run: impl FnOnce(&FitJob) -> Result<()>, on: &Listener) -> Result<bool> {
        let Some(_lease) = self.bench.folder.lease(&job.key)? else {
            let finished = self.left(job)?.is_none();
            if finished {
                on(Event::FinishedElsewhere(job));
            }
            return Ok(finished);
        };
        match self.left(job)? {
            Some(left) => run(&left)?,
            None => on(Event::FinishedElsewhere(job)),
        }
        Ok(true)
    }

    /// The job with the cells that no other run has finished since the plan was made; `None` where there is none.
    fn left(&self, job: &FitJob) -> Result<Option<FitJob>> {
        let mut cells = Vec::new();
        for cell in &job.cells {
            let is_new = |record: &CellRecord| match self.before.get(&cell.key) {
                Some(old) if old.status == Status::Failed => old.provenance != record.provenance,
                _ => true,
            };
            if !self.bench.folder.record(&cell.key)?.is_some_and(|record| is_new(&record)) {
                cells.push(cell.clone());
            }
        }
        Ok((!cells.is_empty()).then(|| FitJob { cells, ..job.clone() }))
    }
}
