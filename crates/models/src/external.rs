//! Any program as a method: it is handed `.npz` files and returns scores.

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use zsad_core::{
    Error, FitContext, Fitted, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec, Params,
    Result, Samples, Scores, Setting, TestBatch, Values,
};
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;

use self::process::Process;
use crate::classical::{FIT, POOL_SAMPLES, pool_refs, setting};

/// The registry's entry.
pub const DEF: External = External;

/// Runs `command… --fit FIT.npz --batch BATCH.npz --out SCORES.npz` for every batch.
///
/// `FIT.npz` holds `X` [n, …] and `domain` [n]; it does not exist where nothing is fitted (`fit: batch`). `BATCH.npz`
/// holds `X`; the program writes `scores` [n], higher is more anomalous.
///
/// With `persistent`, the three are folders and the program is started once: for every `N.npz` that appears in the
/// second it writes `N.npz` into the third, and waits for the next one until it is killed. One that ends after its
/// batch is started again for the next. The first folder holds `fit.npz`.
pub struct External;

static SPEC: MethodSpec = MethodSpec {
    name: "external",
    version: 1,
    summary: "any program: it reads the fit data and the batch as .npz files and writes the scores",
    citation: "none: whatever the command runs",
    setting: Setting::InBatch,
    needs: Needs::ANY,
    params: &[
        ParamSpec {
            name: "command",
            doc: "the program and its first arguments",
            kind: ParamKind::TextList,
            default: ParamDefault::Required,
        },
        ParamSpec {
            name: "timeout_seconds",
            doc: "seconds for a batch; then the program and all that it started are killed",
            kind: ParamKind::Float { min: 0.001, max: 1e6 },
            default: ParamDefault::Float(60.0),
        },
        ParamSpec {
            name: "persistent",
            doc: "start the program once and hand it batch after batch, in folders instead of files",
            kind: ParamKind::Bool,
            default: ParamDefault::Bool(false),
        },
        FIT,
        POOL_SAMPLES,
    ],
};

impl MethodDef for External {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn setting(&self, params: &Params) -> Setting {
        setting(params)
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        let command = params.texts("command");
        if command.is_empty() {
            return Err(Error::Config("`command` names no program".into()));
        }
        let pool_samples = (setting(params) == Setting::ZeroShot).then(|| params.size("pool_samples"));
        let timeout = Duration::from_secs_f64(params.float("timeout_seconds"));
        Ok(Box::new(Program { command, timeout, persistent: params.bool("persistent"), pool_samples }))
    }
}

#[derive(Clone)]
struct Program {
    command: Vec<String>,
    timeout: Duration,
    persistent: bool,
    /// With `fit: pool`.
    pool_samples: Option<usize>,
}

impl Method for Program {
    /// The program fits itself, at every call: there is no trained state.
    fn trains(&self) -> bool {
        false
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        let pool = match self.pool_samples {
            None => None,
            Some(most) => {
                let refs = pool_refs(ctx, most)?;
                let domains = refs.iter().map(|r| i64::from(r.domain)).collect();
                Some((ctx.dataset.gather(&refs)?, domains))
            }
        };
        Ok(Box::new(Ready { program: self.clone(), pool, session: Mutex::new(None) }))
    }
}

/// A program with the data that it may fit on: samples and their domains.
struct Ready {
    program: Program,
    pool: Option<(Samples, Vec<i64>)>,
    /// Of a persistent program, once it was started.
    session: Mutex<Option<Session>>,
}

impl Fitted for Ready {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        if !self.program.persistent {
            return Session::new(self)?.score(&self.program, batch);
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

    fn save(&self, path: &Path) -> Result<()> {
        Err(Error::failed(format!("{}: an external program has nothing to save", path.display())))
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
            npz::write(&session.file("fit", "fit"), &[("X", &array(samples)), ("domain", &domain)])?;
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

    fn score(&mut self, program: &Program, batch: &TestBatch) -> Result<Scores> {
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
        npz::write(&half, &[("X", &array(&batch.samples()?))])?;
        fs::rename(&half, &path).map_err(|e| Error::io(&path, &e))?;

        let read = || npz::Npz::open(&out).and_then(|mut file| file.array("scores"));
        // The scores of a program that goes on are there as soon as they can be read; else, when it has ended.
        let ready = || if self.persistent { read().ok() } else { None };
        let (mut process, mut found) = (running, None);
        if let Some(process) = &mut process {
            found = process.until(program.timeout, ready)?;
        }
        let process = match process {
            Some(process) if found.is_some() => process,
            // None was running, or it was about to end after the last batch.
            _ => {
                let mut process = self.start(program)?;
                found = process.until(program.timeout, ready)?;
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
        let mut command = program.command.clone();
        for (flag, name) in [("--fit", "fit"), ("--batch", "batch"), ("--out", "scores")] {
            command.extend([flag.to_owned(), self.place(name).display().to_string()]);
        }
        Process::start(&command, self.folder.path())
    }
}

fn array(samples: &Samples) -> Array {
    let shape = [&[samples.len()], samples.shape()].concat();
    let numbers = match samples.values() {
        Values::F32(v) => Numbers::F32(v.clone()),
        Values::F64(v) => Numbers::F64(v.clone()),
    };
    Array { shape, numbers }
}

/// `n` finite scores; else what is wrong with them.
fn scores(array: Array, n: usize) -> Result<Scores, String> {
    if array.shape != [n] {
        return Err(format!("it wrote scores of shape {:?}, and the batch has {n} samples", array.shape));
    }
    let scores = array.into_f64();
    match scores.iter().position(|s| !s.is_finite()) {
        Some(i) => Err(format!("its score of sample {i} is {}", scores[i])),
        None => Ok(scores.into()),
    }
}
