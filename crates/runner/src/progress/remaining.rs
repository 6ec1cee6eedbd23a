//! How long a run will still take, from what its methods have taken so far.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use zsad_core::job::FitJob;

/// What is known of the cost of jobs.
pub struct Remaining {
    workers: u32,
    /// Cells of jobs that nobody has begun: of each job, and of each kind.
    jobs: HashMap<String, usize>,
    waiting: BTreeMap<Kind, usize>,
    running: BTreeMap<String, Running>,
    /// Time and cells of finished jobs.
    measured: BTreeMap<Kind, (Duration, usize)>,
}

/// Method and data set.
type Kind = (String, String);

struct Running {
    kind: Kind,
    cells: usize,
    since: Instant,
    finished: usize,
    /// Share of the cell, or of the training, that is being worked on, and since when.
    step: Option<(f64, Instant)>,
}

impl Remaining {
    /// All of `jobs`, of which so many run at the same time.
    pub fn new(jobs: &[FitJob], workers: usize) -> Self {
        let mut waiting: BTreeMap<Kind, usize> = BTreeMap::new();
        for job in jobs {
            *waiting.entry(kind(job)).or_default() += job.cells.len();
        }
        Remaining {
            workers: workers.clamp(1, jobs.len().max(1)) as u32,
            jobs: jobs.iter().map(|job| (job.key.clone(), job.cells.len())).collect(),
            waiting,
            running: BTreeMap::new(),
            measured: BTreeMap::new(),
        }
    }

    /// A job begins, perhaps with fewer cells than it had.
    pub fn started(&mut self, job: &FitJob, now: Instant) {
        self.take(job);
        let (kind, cells) = (kind(job), job.cells.len());
        self.running.insert(job.key.clone(), Running { kind, cells, since: now, finished: 0, step: None });
    }

    /// A job waits no longer.
    fn take(&mut self, job: &FitJob) {
        let cells = self.jobs.remove(&job.key).unwrap_or(0);
        if let Some(waiting) = self.waiting.get_mut(&kind(job)) {
            *waiting -= cells.min(*waiting);
        }
    }

    /// `done` of `total` steps of a job's training, or batches of its cell.
    pub fn ticked(&mut self, job: &FitJob, done: u64, total: u64, now: Instant) {
        if let Some(running) = self.running.get_mut(&job.key) {
            let share = done as f64 / total.max(1) as f64;
            let since = running.step.filter(|(before, _)| *before <= share).map_or(now, |(_, since)| since);
            running.step = Some((share, since));
        }
    }

    /// A cell of a job is finished.
    pub fn cell(&mut self, job: &FitJob) {
        if let Some(running) = self.running.get_mut(&job.key) {
            (running.finished, running.step) = (running.finished + 1, None);
        }
    }

    /// A job is finished, here or elsewhere.
    pub fn finished(&mut self, job: &FitJob, now: Instant) {
        self.take(job);
        if let Some(running) = self.running.remove(&job.key) {
            let sum = self.measured.entry(running.kind).or_default();
            *sum = (sum.0 + now.duration_since(running.since), sum.1 + running.cells);
        }
    }

    /// The time left, and whether it is all of it: not where a method is still to come that nothing is known of.
    pub fn left(&self, now: Instant) -> (Duration, bool) {
        let waiting = self.waiting.iter().filter(|(_, cells)| **cells > 0);
        let waiting: Vec<_> = waiting.map(|(kind, cells)| Some(self.of(kind)? * *cells as f64)).collect();
        let running = |r: &Running| {
            let taken = now.duration_since(r.since).as_secs_f64();
            // What its like took, and what its own steps foretell: the running step alone, if there is nothing else.
            let by_kind = self.of(&r.kind).map(|each| (each * r.cells as f64 - taken).max(0.0));
            let by_step = r
                .step
                .filter(|(share, _)| *share > 0.0)
                .map(|(share, since)| now.duration_since(since).as_secs_f64() * (1.0 - share) / share);
            let own = (r.finished > 0).then(|| taken * r.cells.saturating_sub(r.finished) as f64 / r.finished as f64);
            own.or(by_kind).or(by_step).map(|left| left.max(by_step.unwrap_or(0.0)))
        };
        let running: Vec<_> = self.running.values().map(running).collect();
        let longest = running.iter().flatten().copied().fold(0.0, f64::max);
        let all: Vec<_> = waiting.into_iter().chain(running).collect();
        let shared = all.iter().flatten().sum::<f64>() / f64::from(self.workers);
        (Duration::from_secs_f64(shared.max(longest)), all.iter().all(Option::is_some))
    }

    /// Seconds of a cell of this kind, its share of the training included: of the same method and data set, else of the
    /// method alone.
    fn of(&self, (method, dataset): &Kind) -> Option<f64> {
        let mean = |of: &dyn Fn(&Kind) -> bool| {
            let found = self.measured.iter().filter(|(kind, _)| of(kind));
            let (time, cells) = found.fold((Duration::ZERO, 0), |(t, n), (_, (time, cells))| (t + *time, n + cells));
            (cells > 0).then(|| time.as_secs_f64() / cells as f64)
        };
        mean(&|(m, d)| m == method && d == dataset).or_else(|| mean(&|(m, _)| m == method))
    }
}

fn kind(job: &FitJob) -> Kind {
    let dataset = job.cells.first().map_or(&job.id.data.name, |c| &c.asked.dataset);
    (job.id.method.name.clone(), dataset.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::job::{CellJob, FitId, MethodId};

    fn job(key: &str, method: &str, cells: usize) -> FitJob {
        let method = MethodId { name: method.into(), ..MethodId::default() };
        let cell = CellJob { key: String::new(), id: Default::default(), asked: Default::default() };
        let id = FitId { method, ..FitId::default() };
        FitJob { key: key.into(), id, learns: false, cells: vec![cell; cells] }
    }

    #[test]
    fn a_slow_method_is_foretold_by_itself() {
        let jobs = [job("a", "quick", 10), job("b", "quick", 10), job("c", "slow", 10), job("d", "slow", 10)];
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut remaining = Remaining::new(&jobs, 1);
        remaining.started(&jobs[0], start);
        remaining.finished(&jobs[0], at(10));
        // Nothing is known of the slow one.
        assert_eq!(remaining.left(at(10)), (Duration::from_secs(10), false));
        remaining.started(&jobs[2], at(10));
        remaining.finished(&jobs[2], at(1010));
        // One quick job of 10 s and one slow one of 1,000 s.
        assert_eq!(remaining.left(at(1010)), (Duration::from_secs(1010), true));
        remaining.finished(&jobs[1], at(1010));
        remaining.started(&jobs[3], at(1010));
        assert_eq!(remaining.left(at(1110)), (Duration::from_secs(900), true));
        // Half of its cells took 800 s: the other half will, too.
        (0..5).for_each(|_| remaining.cell(&jobs[3]));
        assert_eq!(remaining.left(at(1810)), (Duration::from_secs(800), true));
    }

    #[test]
    fn the_first_of_a_kind_is_foretold_by_its_steps() {
        let jobs = [job("a", "slow", 1)];
        let start = Instant::now();
        let mut remaining = Remaining::new(&jobs, 2);
        remaining.started(&jobs[0], start);
        assert_eq!(remaining.left(start), (Duration::ZERO, false));
        remaining.ticked(&jobs[0], 0, 4, start);
        remaining.ticked(&jobs[0], 1, 4, start + Duration::from_secs(5));
        assert_eq!(remaining.left(start + Duration::from_secs(5)), (Duration::from_secs(15), true));
    }
}
