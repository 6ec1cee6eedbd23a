//! `external` with this very test program as the external one: `--play PART` makes it act a part.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use zsad_core::{
    Batch, DataDir, Dataset, Detector, Environment, Error, FitContext, Given, Method, MethodDef, MethodSpec,
    ParamProblem, ParamSpec, Result, SampleRef, Silent, Subset, Supervision, TrainingData, Unlabelled,
};
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz::{self, Npz};
use zsad_models::methods::external;
use zsad_models::testing::{data, violations};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if args.get(1).is_some_and(|a| a == "--play") {
        return play(&args[2], &args[3..]);
    }
    let trial = |name: &str, test: fn() -> Result<(), Failed>| Trial::test(name, test);
    let trials = vec![
        trial("conforms_on_rows", || conforms(&data::tabular()?)),
        trial("conforms_on_images", || conforms(&data::images()?)),
        trial("sees_the_pool", sees_the_pool),
        trial("scripts_are_artifacts", scripts_are_artifacts),
        trial("persistent_is_started_once", persistent_is_started_once),
        trial("failures_are_clear", failures_are_clear),
        trial("a_hang_kills_the_group", a_hang_kills_the_group),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The external program. What follows `--play PART` are the arguments of its user and the three places.
fn play(part: &str, args: &[String]) -> ExitCode {
    let place = |flag: &str| args.iter().position(|a| a == flag).map(|i| PathBuf::from(&args[i + 1])).unwrap();
    let (fit, batch, out) = (place("--fit"), place("--batch"), place("--out"));
    match part {
        "norms" => write(&out, norms(&batch)),
        // Answers every batch that appears, for ever; or those that are there, and ends.
        "watch" | "once" => loop {
            for entry in fs::read_dir(&batch).unwrap() {
                let path = entry.unwrap().path();
                let answer = out.join(path.file_name().unwrap());
                if path.extension().is_some_and(|e| e == "npz") && !answer.exists() {
                    fs::write(place("--mark").join(std::process::id().to_string()), "").unwrap();
                    write(&answer, norms(&path));
                }
            }
            if part == "once" {
                break;
            }
            sleep(Duration::from_millis(1));
        },
        "pool" => {
            let mut file = Npz::open(&fit).unwrap();
            let (x, domain) = (file.array("X").unwrap(), file.array("domain").unwrap());
            // The number of fit samples and the sum of their domains, for every sample of the batch.
            let facts = x.shape[0] as f64 + 1e-3 * domain.to_i64().unwrap().iter().sum::<i64>() as f64;
            write(&out, vec![facts; norms(&batch).len()]);
        }
        "crash" => {
            eprintln!("{} the reason", "long ago ".repeat(1000));
            return ExitCode::from(3);
        }
        "silent" => {}
        "short" => write(&out, norms(&batch).split_off(1)),
        "garbage" => fs::write(&out, "no archive").unwrap(),
        "hang" => {
            let mut child = std::process::Command::new(env::current_exe().unwrap());
            let mut child = child.args(["--play", "child", &args[0]]).args(&args[1..]).spawn().unwrap();
            eprintln!("waiting");
            sleep(Duration::from_secs(60));
            child.wait().unwrap();
        }
        "child" => {
            sleep(Duration::from_millis(1500));
            fs::write(&args[0], "survived").unwrap();
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn write(path: &Path, scores: Vec<f64>) {
    let array = Array { shape: vec![scores.len()], numbers: Numbers::F64(scores) };
    npz::write(path, &[("scores", &array)]).unwrap();
}

/// Norms of the samples, standardised in the batch.
fn norms(path: &Path) -> Vec<f64> {
    let x = Npz::open(path).unwrap().array("X").unwrap();
    let n = x.shape[0];
    let values = x.into_f64();
    let d = values.len() / n;
    let mut squares = vec![0.0; n];
    for j in 0..d {
        let column: Vec<f64> = (0..n).map(|i| values[i * d + j]).collect();
        let mean = column.iter().sum::<f64>() / n as f64;
        let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64 + 1e-5;
        squares.iter_mut().zip(&column).for_each(|(s, v)| *s += (v - mean).powi(2) / variance);
    }
    squares.into_iter().map(f64::sqrt).collect()
}

fn playing(part: &str, more: &[&str], params: Value) -> Given {
    let this = env::current_exe().unwrap().display().to_string();
    let command = [&[this.as_str(), "--play", part], more].concat();
    let mut given: Given = serde_json::from_value(params).unwrap();
    given.insert("command".into(), json!(command));
    given
}

/// `external` with its command given, as the conformance suite wants it: runnable with the defaults.
struct Playing;

impl MethodDef for Playing {
    fn spec(&self) -> &'static MethodSpec {
        external::DEF.spec()
    }

    fn params(&self) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn supervision(&self) -> Supervision {
        external::DEF.supervision()
    }

    fn configure(&self, _: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        external::DEF.configure(&playing("norms", &[], json!({})))
    }
}

fn configured(part: &str, more: &[&str], params: Value) -> Arc<dyn Method> {
    external::DEF.configure(&playing(part, more, params)).unwrap()
}

fn conforms(dataset: &dyn Dataset) -> Result<(), Failed> {
    let found: Vec<_> =
        violations(&Playing, dataset).into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

fn environment() -> Environment {
    Environment::new(DataDir::resolve(None))
}

fn fit(method: &dyn Method, dataset: &dyn Dataset) -> Result<Box<dyn Detector>> {
    let data = TrainingData::new(dataset, &dataset.info().folds[0]);
    method.fit(&FitContext { data: &data, seed: 0, env: &environment(), progress: &Silent })
}

fn fitted(part: &str, more: &[&str], params: Value, dataset: &dyn Dataset) -> Result<Box<dyn Detector>> {
    fit(configured(part, more, params).as_ref(), dataset)
}

/// Scores of seven normals of a domain.
fn score(detector: &dyn Detector, dataset: &dyn Dataset, domain: usize) -> Result<Vec<f64>> {
    let refs: Vec<SampleRef> = SampleRef::all(domain, Subset::Normal, 7).collect();
    detector.score(&Batch::new(&Unlabelled::new(dataset), &refs, &environment())).map(|scores| scores.samples)
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(message().into()) }
}

fn sees_the_pool() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let pool = configured("pool", &[], json!({"fit": "pool", "pool_samples": 10_000}));
    ensure(pool.learns() && !configured("norms", &[], json!({})).learns(), || "who learns?".into())?;
    let detector = fit(pool.as_ref(), &rows)?;
    let scores = score(detector.as_ref(), &rows, 9)?;
    // Eight domains, 0 to 7, of 80 normals.
    let expected = 640.0 + 1e-3 * f64::from(80 * (0..8).sum::<i32>());
    ensure(scores == [expected; 7], || format!("{scores:?}, expected {expected}"))?;
    ensure(detector.state()?.is_none(), || "an external program leaves no state".into())
}

/// The program, wherever it is found, and those of its arguments that are files: nothing else.
fn scripts_are_artifacts() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("detector.py");
    fs::write(&script, "print()")?;
    let artifacts = |command: Value| -> Result<Vec<PathBuf>> {
        let method = external::DEF.configure(&[("command".to_owned(), command)].into()).unwrap();
        method.artifacts(&environment())
    };
    let shell = artifacts(json!(["sh", "-u", script.display().to_string(), "no such file"]))?;
    ensure(shell.len() == 2 && shell[0].ends_with("sh") && shell[0].is_file(), || format!("{shell:?}"))?;
    ensure(shell[1] == script, || format!("{shell:?}"))?;
    let this = env::current_exe()?;
    let found = artifacts(json!([this.display().to_string(), "--play"]))?;
    ensure(found == [this], || format!("{found:?}"))?;
    ensure(artifacts(json!(["/no/such/program"]))?.is_empty(), || "a missing program has no digest".into())
}

fn persistent_is_started_once() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let scores = |detector: Box<dyn Detector>| -> Result<Vec<Vec<f64>>> {
        [8, 9, 10].into_iter().map(|domain| score(detector.as_ref(), &rows, domain)).collect()
    };
    let each = scores(fitted("norms", &[], json!({}), &rows)?)?;
    for (part, processes) in [("watch", 1), ("once", 3)] {
        let marks = tempfile::tempdir()?;
        let more = ["--mark", &marks.path().display().to_string()];
        let found = scores(fitted(part, &more, json!({"persistent": true}), &rows)?)?;
        ensure(found == each && each[0] != each[1], || format!("{part}: {found:?} and {each:?}"))?;
        let started = fs::read_dir(marks.path())?.count();
        ensure(started == processes, || format!("{part} was started {started} times"))?;
    }
    Ok(())
}

fn failures_are_clear() -> Result<(), Failed> {
    let rows = data::tabular()?;
    for (part, expected) in [
        ("crash", "exit status: 3; standard error:"),
        ("crash", "long ago  the reason"),
        ("silent", "ended without writing its scores"),
        ("short", "scores of shape [6], and the batch has 7 samples"),
        ("garbage", "its scores cannot be read"),
        ("no such part", "exit status: 2"),
    ] {
        let error = score(fitted(part, &[], json!({}), &rows)?.as_ref(), &rows, 9).unwrap_err();
        let text = error.to_string();
        let well = matches!(error, Error::Failed(_)) && text.contains(expected) && text.len() < 3_000;
        ensure(well, || format!("{part}: {text}"))?;
    }
    let command = |command: Value| external::DEF.configure(&[("command".to_owned(), command)].into());
    let missing = fit(command(json!(["/no/such/program"])).unwrap().as_ref(), &rows)?;
    let error = score(missing.as_ref(), &rows, 9).unwrap_err().to_string();
    ensure(error.starts_with("`/no/such/program` cannot be started"), || error)?;
    let refused = command(json!([])).err().and_then(|mut problems| problems.pop());
    ensure(refused.is_some_and(|p| p.message.contains("names no program")), || "an empty command was accepted".into())
}

/// The program's own child would leave a mark after the time limit, if it lived.
fn a_hang_kills_the_group() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    let hanging = fitted("hang", &[&mark.display().to_string()], json!({"timeout_seconds": 0.5}), &rows)?;
    let error = score(hanging.as_ref(), &rows, 9).unwrap_err().to_string();
    ensure(error.ends_with(": was killed after 0.5 s; standard error: waiting"), || error)?;
    sleep(Duration::from_millis(2500));
    ensure(!mark.exists(), || "its child survived".into())
}
