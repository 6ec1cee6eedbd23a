//! A real Slurm with two nodes on this machine: nodes and its controller are killed, time runs out, and the results are those
//! of a run without it. Ignored, with the reason, where Slurm is not installed or this is not root.
//!
//! The quickstart runs with a node that dies; the other cases have a smaller experiment of short fits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use zsad_tests::{Done, Sandbox, finished, results};

/// Long enough for a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(400);

fn main() {
    let missing = missing();
    let trial = |name: &str, test: fn()| {
        let title = missing.as_ref().map_or(name.to_owned(), |why| format!("{name} (ignored: {why})"));
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(missing.is_some())
    };
    let mut arguments = Arguments::from_args();
    // Two clusters at once: while one waits for a lost node, the other works.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = vec![
        trial("a_node_that_dies_and_comes_back_changes_no_byte_of_the_quickstart", a_node_dies),
        trial("a_task_whose_time_runs_out_goes_on_and_two_calls_submit_once", time_runs_out),
        trial("a_controller_that_is_killed_and_started_again_loses_nothing", the_controller_dies),
        trial("what_is_cancelled_is_submitted_again", cancelled),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Why there can be no Slurm here.
fn missing() -> Option<&'static str> {
    let has = |program: &str| Command::new(program).arg("-V").output().is_ok();
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| {
        use std::os::unix::fs::MetadataExt;
        m.uid() == 0
    });
    match () {
        () if !["slurmctld", "slurmd", "sbatch", "munged"].iter().all(|p| has(p)) => Some("there is no Slurm"),
        () if !has("python3") => Some("there is no python3"),
        () if !is_root => Some("its daemons want root"),
        () => None,
    }
}

/// A cluster of a test's own.
struct Cluster {
    sandbox: Sandbox,
    port: u16,
}

impl Cluster {
    fn up() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Ports by the process, so that two runs of the tests do not meet.
        let base = 20_000 + (std::process::id() % 2_000) as u16 * 20;
        let cluster = Cluster { sandbox: Sandbox::default(), port: base + 4 * NEXT.fetch_add(1, Ordering::Relaxed) };
        cluster.script(&["up"]);
        cluster
    }

    /// A command of `slurm_local.sh`.
    fn script(&self, args: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/cluster/slurm_local.sh");
        let mut command = Command::new(script);
        command.args(args).arg(self.sandbox.path("slurm")).env("ZSAD_SLURM_PORT", self.port.to_string());
        let done = Done::of(command.stdin(Stdio::null()).output().unwrap());
        assert_eq!(done.code, 0, "{args:?}: {}{}", done.out, done.err);
    }

    fn conf(&self) -> PathBuf {
        self.sandbox.path("slurm/slurm.conf")
    }

    fn zsad(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.zsad(args);
        command.env("SLURM_CONF", self.conf());
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        Done::of(self.zsad(args).output().unwrap())
    }

    /// Starts `zsad run --wait`; what it says goes to files.
    fn follow(&self, args: &[&str]) -> Child {
        let log = |name: &str| fs::File::create(self.sandbox.path(name)).unwrap();
        self.zsad(args).stdout(log("out.txt")).stderr(log("err.txt")).spawn().unwrap()
    }

    /// Waits for what [`Cluster::follow`] started; what it said on standard error.
    fn end(&self, mut child: Child) -> String {
        let start = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(100)),
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("it does not end:\n{}\n{}", self.said(), self.queue());
                }
            }
        };
        assert!(status.success(), "{status}:\n{}\n{}", self.said(), self.run(&["status", "o"]).out);
        self.said()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.sandbox.path("err.txt")).unwrap_or_default()
    }

    fn queue(&self) -> String {
        let squeue = Command::new("squeue").args(["-r", "-h"]).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8_lossy(&squeue.stdout).into_owned()
    }

    /// Waits until `is` holds.
    fn until(&self, what: &str, is: impl Fn() -> bool) {
        let start = Instant::now();
        while !is() {
            assert!(start.elapsed() < PATIENCE, "waiting in vain for {what}:\n{}\n{}", self.said(), self.queue());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How often the logs of all tasks say that a fit was finished, by its name.
    fn fits_finished(&self) -> BTreeMap<String, usize> {
        let mut finished = BTreeMap::new();
        for submission in fs::read_dir(self.sandbox.path("o/cluster")).unwrap().flatten() {
            for log in fs::read_dir(submission.path().join("logs")).into_iter().flatten().flatten() {
                let text = fs::read_to_string(log.path()).unwrap();
                let ends = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] ")?.1.split_once(": "));
                for (fit, outcome) in ends.filter(|(_, outcome)| outcome.contains(" ok")) {
                    assert!(!outcome.contains("failed"), "{fit}: {outcome}");
                    *finished.entry(fit.to_owned()).or_default() += 1;
                }
            }
        }
        finished
    }

    /// Asserts that the folder `o` is what a run without a cluster gives, and that no fit was finished twice.
    fn equals_a_local_run(&self, file: &str, fits: usize) {
        self.sandbox.run(&["run", file, "--out", "here", "--store", "here_store", "--jobs", "8"]).expect(0);
        let (o, here) = (self.sandbox.path("o"), self.sandbox.path("here"));
        assert_eq!(results(&o), results(&here));
        let scores = |out: &Path| -> BTreeMap<String, Vec<u8>> {
            let scores = finished(out).into_iter().filter(|(name, _)| name.ends_with(".parquet"));
            scores.map(|(name, (bytes, _))| (name, bytes)).collect()
        };
        assert_eq!(scores(&o), scores(&here));
        for name in ["table.md", "table.tex", "anomalies.json"] {
            assert_eq!(fs::read(o.join(name)).unwrap(), fs::read(here.join(name)).unwrap(), "{name}");
        }
        let finished = self.fits_finished();
        assert_eq!(finished.len(), fits, "{finished:?}");
        assert!(finished.values().all(|times| *times == 1), "a fit was finished twice: {finished:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The assertion that failed says more than one about a cluster that does not stop.
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/cluster/slurm_local.sh");
            let _ = Command::new(script).arg("down").arg(self.sandbox.path("slurm")).output();
        } else {
            self.script(&["down"]);
        }
    }
}

/// Fits of a second or some, so that there is always one at work.
const SWEEP: &str = "experiment: x\ndatasets: [digits]\n\
                     methods: [{name: acr_dsvdd, params: {steps: 100}}, knn, lof, iforest]\n\
                     protocol: {batch_size: [20], contamination: [0.1, 0.2], n_batches: 150}\nseeds: [0, 1, 2, 3]\n";
const CLUSTER: &str = "engine: slurm\npartition: main\ntime: 10\npack_minutes: 0.1\n";
const RUN: [&str; 6] = ["run", "x.yaml", "--cluster", "c.yaml", "--out", "o"];

fn records(cluster: &Cluster) -> usize {
    finished(&cluster.sandbox.path("o")).len()
}

fn a_node_dies() {
    let cluster = Cluster::up();
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
    for (from, to) in [("quickstart.yaml", "x.yaml"), ("clusters/local.yaml", "c.yaml")] {
        fs::copy(experiments.join(from), cluster.sandbox.path(to)).unwrap();
    }
    let child = cluster.follow(&[&RUN[..], &["--wait"]].concat());
    cluster.until("some records", || records(&cluster) >= 12);
    cluster.script(&["kill-node", "1"]);
    let before = finished(&cluster.sandbox.path("o"));
    // Until the controller has noticed: a node that answers again at once has jobs that it knows nothing of, too.
    std::thread::sleep(Duration::from_secs(5));
    cluster.script(&["start-node", "1"]);
    cluster.end(child);
    let after = finished(&cluster.sandbox.path("o"));
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)), "what was finished is as it was");
    cluster.equals_a_local_run("x.yaml", 24);
    let again = cluster.run(&RUN).expect(0);
    assert!(again.out.contains("nothing to submit: all cells are recorded"), "{}", again.out);
}

/// A method that takes a second a batch and does nothing meanwhile: the score of a sample is its sum.
const SLEEPER: &str = r#"import array, io, struct, sys, time, zipfile
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
npy = zipfile.ZipFile(given["--batch"]).read("X.npy")
length, start = (struct.unpack("<H", npy[8:10])[0], 10) if npy[6] == 1 else (struct.unpack("<I", npy[8:12])[0], 12)
header = eval(npy[start:start + length])
x = array.array({"<f4": "f", "<f8": "d"}[header["descr"]], npy[start + length:])
n = header["shape"][0]
d = len(x) // n
time.sleep(1)
scores = array.array("d", (sum(x[i * d:(i + 1) * d]) for i in range(n)))
head = repr({"descr": "<f8", "fortran_order": False, "shape": (n,)}).ljust(117) + "\n"
with zipfile.ZipFile(given["--out"], "w") as out:
    out.writestr("scores.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + scores.tobytes())
"#;

fn time_runs_out() {
    let cluster = Cluster::up();
    cluster.sandbox.write("sleeper.py", SLEEPER);
    let sleeper = "{name: external, as: sleeper, params: {command: [python3, sleeper.py]}}";
    let methods = format!("methods: [{sleeper}]");
    let text = SWEEP.lines().map(|line| if line.starts_with("methods:") { &methods } else { line });
    let text = text.collect::<Vec<_>>().join("\n").replace("n_batches: 150", "n_batches: 1");
    cluster.sandbox.write("x.yaml", text.replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4, 5, 6, 7]"));
    // A minute is the least limit there is; the one task would take longer, and is warned twenty seconds before.
    cluster.sandbox.write("c.yaml", CLUSTER.replace("time: 10", "time: 1").replace("0.1", "60"));
    // Two at once: one submits, the other finds what it has submitted.
    let mut second = cluster.zsad(&RUN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let child = cluster.follow(&[&RUN[..], &["--wait"]].concat());
    assert!(second.wait().unwrap().success());
    assert!(!cluster.sandbox.path("o/cluster/2").exists(), "two calls at once submitted twice");
    cluster.end(child);
    let log = fs::read_to_string(cluster.sandbox.path("o/cluster/1/logs/0.log")).unwrap();
    assert!(log.contains("the time is nearly up") && log.contains("queueing task"), "{log}");
    assert!(!cluster.sandbox.path("o/cluster/2").exists(), "a task that goes on is not submitted again");
    cluster.equals_a_local_run("x.yaml", 8);
}

fn the_controller_dies() {
    let cluster = Cluster::up();
    cluster.sandbox.write("x.yaml", SWEEP);
    cluster.sandbox.write("c.yaml", CLUSTER);
    let child = cluster.follow(&[&RUN[..], &["--wait"]].concat());
    // As soon as all is submitted: its state file lags, and it may come back without the job that writes the tables.
    cluster.until("a submission", || cluster.said().contains("-collect: job"));
    cluster.script(&["kill-controller"]);
    std::thread::sleep(Duration::from_secs(2));
    let down = cluster.run(&["status", "o"]).expect(0).out;
    assert!(down.contains("nothing is known of the queue"), "{down}");
    cluster.script(&["start-controller"]);
    // Whatever it has forgotten is submitted by whoever calls next, or by the one who waits.
    cluster.run(&RUN).expect(0);
    cluster.end(child);
    cluster.equals_a_local_run("x.yaml", 16);
}

fn cancelled() {
    let cluster = Cluster::up();
    cluster.sandbox.write("x.yaml", SWEEP);
    cluster.sandbox.write("c.yaml", CLUSTER);
    cluster.run(&RUN).expect(0);
    cluster.until("a record", || records(&cluster) > 0);
    cluster.run(&["cancel", "o"]).expect(0);
    cluster.until("an empty queue", || cluster.queue().is_empty());
    let status = cluster.run(&["status", "o"]).expect(0).out;
    assert!(status.contains("without a record: cancelled"), "{status}");
    let child = cluster.follow(&[&RUN[..], &["--wait"]].concat());
    cluster.end(child);
    cluster.equals_a_local_run("x.yaml", 16);
}
