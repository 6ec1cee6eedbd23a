//! `external` with this very test program as the external one: `--play PART` makes it act a part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use zsad_core::method::Silent;
use zsad_core::{
    Dataset, Device, Error, FitContext, Fitted, Method, MethodDef, MethodSpec, Params, Pool, Result, SampleRef,
    TestBatch,
};
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz::{self, Npz};
use zsad_models::external;
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
        "nan" => write(&out, norms(&batch).iter().map(|_| f64::NAN).collect()),
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

fn playing(part: &str, more: &[&str], params: Value) -> BTreeMap<String, Value> {
    let this = env::current_exe().unwrap().display().to_string();
    let command = [&[this.as_str(), "--play", part], more].concat();
    let mut given: BTreeMap<String, Value> = serde_json::from_value(params).unwrap();
    given.insert("command".into(), json!(command));
    given
}

/// `external` with its command given, as the conformance suite wants it: runnable with the defaults.
struct Playing;

impl MethodDef for Playing {
    fn spec(&self) -> &'static MethodSpec {
        static SPEC: MethodSpec = MethodSpec {
            name: "external_playing",
            version: 1,
            summary: "",
            citation: "",
            setting: zsad_core::Setting::InBatch,
            needs: zsad_core::Needs::ANY,
            params: &[],
        };
        &SPEC
    }

    fn build(&self, _: &Params) -> Result<Box<dyn Method>> {
        build("norms", &[], json!({}))
    }
}

fn build(part: &str, more: &[&str], params: Value) -> Result<Box<dyn Method>> {
    let params = Params::validate(external::DEF.spec().params, &playing(part, more, params)).unwrap();
    external::DEF.build(&params)
}

fn conforms(dataset: &dyn Dataset) -> Result<(), Failed> {
    let found: Vec<_> =
        violations(&Playing, dataset).into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

fn fitted(part: &str, more: &[&str], params: Value, dataset: &dyn Dataset) -> Result<Box<dyn Fitted>> {
    build(part, more, params)?.fit(&FitContext {
        dataset,
        fold: &dataset.info().folds[0],
        seed: 0,
        device: Device::Cpu,
        cache: None,
        progress: &Silent,
    })
}

fn refs(domain: u32) -> Vec<SampleRef> {
    (0..7).map(|index| SampleRef { domain, pool: Pool::Normal, index }).collect()
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(message().into()) }
}

fn sees_the_pool() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let fitted = fitted("pool", &[], json!({"fit": "pool", "pool_samples": 10_000}), &rows)?;
    let scores = fitted.score(&TestBatch::new(&rows, &refs(9), &[], None))?.samples;
    // Eight domains, 0 to 7, of 80 normals.
    let expected = 640.0 + 1e-3 * f64::from(80 * (0..8).sum::<i32>());
    ensure(scores == [expected; 7], || format!("{scores:?}, expected {expected}"))
}

fn persistent_is_started_once() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let score = |fitted: Box<dyn Fitted>| -> Result<Vec<Vec<f64>>> {
        let of = |domain| fitted.score(&TestBatch::new(&rows, &refs(domain), &[], None)).map(|s| s.samples);
        [8, 9, 10].into_iter().map(of).collect()
    };
    let each = score(fitted("norms", &[], json!({}), &rows)?)?;
    for (part, processes) in [("watch", 1), ("once", 3)] {
        let marks = tempfile::tempdir()?;
        let more = ["--mark", &marks.path().display().to_string()];
        let found = score(fitted(part, &more, json!({"persistent": true}), &rows)?)?;
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
        ("nan", "its score of sample 0 is NaN"),
        ("garbage", "its scores cannot be read"),
        ("no such part", "exit status: 2"),
    ] {
        let error =
            fitted(part, &[], json!({}), &rows)?.score(&TestBatch::new(&rows, &refs(9), &[], None)).unwrap_err();
        let text = error.to_string();
        let well = matches!(error, Error::Failed(_)) && text.contains(expected) && text.len() < 3_000;
        ensure(well, || format!("{part}: {text}"))?;
    }
    let params = serde_json::from_value(json!({"command": ["/no/such/program"]})).unwrap();
    let params = Params::validate(external::DEF.spec().params, &params).unwrap();
    let fold = &rows.info().folds[0];
    let context = FitContext { dataset: &rows, fold, seed: 0, device: Device::Cpu, cache: None, progress: &Silent };
    let missing = external::DEF.build(&params)?.fit(&context)?;
    let error = missing.score(&TestBatch::new(&rows, &refs(9), &[], None)).unwrap_err().to_string();
    ensure(error.starts_with("`/no/such/program` cannot be started"), || error)?;
    let empty = serde_json::from_value(json!({"command": []})).unwrap();
    let refused = external::DEF.build(&Params::validate(external::DEF.spec().params, &empty).unwrap());
    ensure(matches!(refused, Err(Error::Config(_))), || "an empty command was accepted".into())
}

/// The program's own child would leave a mark after the time limit, if it lived.
fn a_hang_kills_the_group() -> Result<(), Failed> {
    let rows = data::tabular()?;
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    let hanging = fitted("hang", &[&mark.display().to_string()], json!({"timeout_seconds": 0.5}), &rows)?;
    let error = hanging.score(&TestBatch::new(&rows, &refs(9), &[], None)).unwrap_err().to_string();
    ensure(error.ends_with(": was killed after 0.5 s; standard error: waiting"), || error)?;
    sleep(Duration::from_millis(2500));
    ensure(!mark.exists(), || "its child survived".into())
}
