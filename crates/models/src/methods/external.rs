//! Any program as a method: it is handed `.npz` files and returns scores.

mod process;
mod start_up;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;
use zsad_core::{
    Accepts, Batch, DatasetInfo, Detector, Environment, Error, FitContext, Fold, Given, Method, MethodDef, MethodSpec,
    ParamProblem, ParamSet, ParamSpec, Required, Result, Samples, Scores, Supervision,
};
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;

use self::process::Process;
use crate::families::classical::{FitData, FitOn};

/// The registry's entry.
pub const DEF: Definition = Definition;

/// Runs `command… --fit FIT.npz --batch BATCH.npz --out SCORES.npz` for every batch.
///
/// `FIT.npz` holds `X` [n, …] and `domain` [n]; it does not exist where nothing is fitted (`fit: batch`). `BATCH.npz`
/// holds `X`; the program writes `scores` [n], higher is more anomalous.
///
/// With `persistent`, the three are folders and the program is started once: for every `N.npz` that appears in the
/// second it writes `N.npz` into the third, and waits for the next one until it is killed. One that ends after its
/// batch is started again for the next. The first folder holds `fit.npz`.
pub struct Definition;

static SPEC: MethodSpec = MethodSpec {
    name: "external",
    version: 1,
    summary: "any program: it reads the fit data and the batch as .npz files and writes the scores",
    citation: "none: whatever the command runs",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// A program and how it is run.
    pub struct Program {
        /// the program and its first arguments
        pub command: Required<Vec<String>> = Required::default();
        /// seconds for a batch; then the program and all that it started are killed
        pub timeout_seconds: f64 = 60.0, in 0.001..=1e6;
        /// true, the way to begin with: start the program once and hand it batch after batch, in folders; false: start it
        /// for every batch, with files
        pub persistent: bool = false;
        /// what it is fitted on
        pub on: FitOn = FitOn::default();
    }
}

impl MethodDef for Definition {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn params(&self) -> Vec<ParamSpec> {
        Program::specs()
    }

    fn supervision(&self) -> Supervision {
        Supervision::InBatch
    }

    fn guide(&self) -> &'static str {
        include_str!("external/guide.txt")
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let program = Program::parse(given)?;
        if program.command.is_empty() {
            return Err(vec![ParamProblem::combination("`command` names no program")]);
        }
        if let [line] = &program.command[..]
            && line.contains(' ')
            && found(line).is_none()
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            return Err(vec![ParamProblem {
                name: "command".into(),
                message: format!("`command` names one program, `{line}`"),
                hint: format!("write a list: [{}]", words.join(", ")),
            }]);
        }
        Ok(Arc::new(program))
    }
}

impl Method for Program {
    fn values(&self) -> Value {
        ParamSet::values(self)
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(self.clone()))
    }

    fn learns(&self) -> bool {
        self.on.fit == FitData::Pool
    }

    /// The program and those of its arguments that are files (`FILE` and `--option=FILE`), so that scores are made anew
    /// where a script was changed.
    fn artifacts(&self, _: &Environment) -> Result<Vec<PathBuf>> {
        let file = |argument: &String| {
            let value = argument.split_once('=').map_or("", |(_, value)| value);
            [argument, value].map(PathBuf::from).into_iter().find(|path| path.is_file())
        };
        Ok(found(&self.command[0]).into_iter().chain(self.command.iter().skip(1).filter_map(file)).collect())
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let pool = match self.on.pool(ctx)? {
            None => None,
            Some(refs) => {
                let domains = refs.iter().map(|r| i64::from(r.domain)).collect();
                Some((ctx.data.gather(&refs)?, domains))
            }
        };
        Ok(Box::new(Ready { program: self.clone(), pool, session: Mutex::new(None) }))
    }
}

/// The file that a program's name stands for, as the system finds it: a name without a folder is looked up in `$PATH`.
fn found(program: &str) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.is_file().then(|| path.to_owned());
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(path)).find(|file| file.is_file())
}

/// A program with the data that it may fit on (samples and their domains). It fits itself, at every call: there is no
/// trained state.
struct Ready {
    program: Program,
    pool: Option<(Samples, Vec<i64>)>,
    /// Of a persistent program, once it was started.
    session: Mutex<Option<Session>>,
}

impl Detector for Ready {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        if !self.program.persistent {
            let start = Instant::now();
            let mut session = Session::new(self)?;
            let began = SystemTime::now();
            let scores = session.score(&self.program, batch)?;
            start_up::tell(&self.program, batch.env(), start.elapsed(), session.read_after(began));
            return Ok(scores);
        }
        // A session that panicked is as good as any: it only holds a process and a counter.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match &mut *session {
            Some(session) => session.score(&self.program, batch),
            none => none.insert(Session::new(self)?).score(&self.program, batch),
        };
        if outcome.is_err() {
            *session = None;
        }
        outcome
    }
}

/// A folder with what the program is handed, and the program where it is running.
struct Session {
    // Dropped first: the program is killed before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    persistent: bool,
    batches: u64,
}

impl Session {
    fn new(ready: &Ready) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), &e))?;
        let session = Session { process: None, folder, persistent: ready.program.persistent, batches: 0 };
        if session.persistent {
            for name in ["fit", "batch", "scores"] {
                let place = session.place(name);
                fs::create_dir(&place).map_err(|e| Error::io(&place, &e))?;
            }
        }
        if let Some((samples, domains)) = &ready.pool {
            let domain = Array { shape: vec![domains.len()], numbers: Numbers::I64(domains.clone()) };
            npz::write(&session.file("fit", "fit"), &[("X", &samples.into()), ("domain", &domain)])?;
        }
        Ok(session)
    }

    /// What the program is told: a file, or with `persistent` a folder.
    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(if self.persistent { name.to_owned() } else { format!("{name}.npz") })
    }

    /// The file itself: in a folder, it is called `number`.
    fn file(&self, name: &str, number: &str) -> PathBuf {
        let place = self.place(name);
        if self.persistent { place.join(format!("{number}.npz")) } else { place }
    }

    /// How long after `began` the batch was first read, where the file system tells.
    fn read_after(&self, began: SystemTime) -> Option<Duration> {
        let about = fs::metadata(self.place("batch")).ok()?;
        let (read, written) = (about.accessed().ok()?, about.modified().ok()?);
        if read > written { read.duration_since(began).ok() } else { None }
    }

    fn score(&mut self, program: &Program, batch: &Batch) -> Result<Scores> {
        let hint = hint_of(self.persistent);
        self.scored(program, batch).map_err(|e| match e {
            Error::Failed(said) if hint.0.iter().any(|sign| said.contains(sign)) => {
                Error::failed(format!("{said}; hint: {}", hint.1))
            }
            other => other,
        })
    }

    fn scored(&mut self, program: &Program, batch: &Batch) -> Result<Scores> {
        let running = self.process.take().and_then(|mut process| process.is_running().then_some(process));
        if self.persistent && running.is_none() {
            // A program that is started again finds the next batch alone.
            for place in ["batch", "scores"].map(|name| self.place(name)) {
                fs::remove_dir_all(&place).and_then(|()| fs::create_dir(&place)).map_err(|e| Error::io(&place, &e))?;
            }
        }
        let number = format!("{:06}", self.batches);
        self.batches += 1;
        let (path, out) = (self.file("batch", &number), self.file("scores", &number));
        // Renamed when whole, so that a program that watches the folder never sees half a file.
        let half = path.with_extension("part");
        npz::write(&half, &[("X", &(&batch.samples()?).into())])?;
        fs::rename(&half, &path).map_err(|e| Error::io(&path, &e))?;

        let read = || npz::Npz::open(&out).and_then(|mut file| file.array("scores"));
        // The scores of a program that goes on are there as soon as they can be read; else, when it has ended.
        let ready = || if self.persistent { read().ok() } else { None };
        let timeout = Duration::from_secs_f64(program.timeout_seconds);
        let (mut process, mut found) = (running, None);
        if let Some(process) = &mut process {
            found = process.until(timeout, ready)?;
        }
        let process = match process {
            Some(process) if found.is_some() => process,
            // None was running, or it was about to end after the last batch.
            _ => {
                let mut process = self.start(program)?;
                found = process.until(timeout, ready)?;
                process
            }
        };
        let outcome = match found {
            Some(array) => scores(array, batch.len()),
            None if !out.exists() => Err("it ended without writing its scores".into()),
            None => read().map_err(|e| format!("its scores cannot be read: {e}")).and_then(|a| scores(a, batch.len())),
        };
        let scores = outcome.map_err(|what| process.error(&what))?;
        self.process = Some(process);
        Ok(scores)
    }

    fn start(&self, program: &Program) -> Result<Process> {
        let mut command = program.command.to_vec();
        for (flag, name) in [("--fit", "fit"), ("--batch", "batch"), ("--out", "scores")] {
            command.extend([flag.to_owned(), self.place(name).display().to_string()]);
        }
        Process::start(&command, self.folder.path())
    }
}

/// What a program says that takes files for folders or folders for files, and what helps.
fn hint_of(persistent: bool) -> ([&'static str; 2], &'static str) {
    match persistent {
        true => (
            ["IsADirectoryError", "Is a directory"],
            "with persistent: true the three paths are folders; `zsad describe external` has the protocol",
        ),
        false => (
            ["NotADirectoryError", "Not a directory"],
            "a program that reads folders wants persistent: true; `zsad describe external` has the protocol",
        ),
    }
}

/// `n` scores; else what is wrong with them.
fn scores(array: Array, n: usize) -> Result<Scores, String> {
    if array.shape != [n] {
        return Err(format!("it wrote scores of shape {:?}, and the batch has {n} samples", array.shape));
    }
    Ok(array.into_f64().into())
}
