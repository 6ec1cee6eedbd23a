//! The commands of Slurm, each with a limit of time: a controller that is busy or gone must not hang ours.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zsad_core::{Error, Result};

/// How long the queue may take to answer.
pub const QUEUE_TIME: Duration = Duration::from_secs(15);
/// How long other questions may take. A submission is retried by Slurm's own command while the controller is busy.
const TIME: Duration = Duration::from_secs(60);
/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A task of a job array, or a job that is none, that waits or runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What the scheduler calls it: `17_3`, or `18`.
    pub id: String,
    /// The job it belongs to: `17`.
    pub job: String,
    /// The job's name.
    pub name: String,
    /// The task's number in its array.
    pub task: Option<usize>,
    /// Whether it runs; else it waits.
    pub runs: bool,
    /// Why it waits, or where it runs.
    pub place: String,
}

/// All jobs of these names that wait or run.
///
/// # Errors
/// [`Error::Config`] where Slurm is not there, [`Error::Failed`] where it does not answer in `time`.
pub fn queue(names: &[String], time: Duration) -> Result<Vec<Queued>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let name = format!("--name={}", names.join(","));
    let args = ["--noheader", "--array", "--format=%i|%F|%j|%K|%T|%r|%N", &name];
    Ok(call("squeue", &args, time)?.lines().filter_map(parse).collect())
}

/// One line of the queue.
fn parse(line: &str) -> Option<Queued> {
    let fields: Vec<&str> = line.trim().split('|').collect();
    let [id, job, name, task, state, reason, nodes] = fields[..] else { return None };
    let waits = ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "SUSPENDED"];
    let runs = !waits.contains(&state);
    // What was requeued waits for a while on purpose; that is no reason to worry a person.
    let reason = if reason == "None" { "" } else { reason };
    let place = if runs { nodes } else { reason }.to_owned();
    Some(Queued { id: id.into(), job: job.into(), name: name.into(), task: task.parse().ok(), runs, place })
}

/// Submits a script; the number of its job.
///
/// # Errors
/// [`Error::Config`] with what Slurm says: nothing runs then, as far as it knows.
pub fn submit(args: &[String]) -> Result<String> {
    let said = call("sbatch", args, TIME).map_err(|e| match e {
        Error::Failed(why) => Error::Config(why),
        other => other,
    })?;
    // `17`, or `17;cluster` in a federation.
    let job = said.trim().split(';').next().unwrap_or_default();
    if job.is_empty() || !job.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::failed(format!("sbatch: no number of a job in its answer `{}`", said.trim())));
    }
    Ok(job.to_owned())
}

/// Ends jobs.
///
/// # Errors
/// [`Error::Failed`] with what Slurm says.
pub fn cancel(jobs: &[String]) -> Result<()> {
    if jobs.is_empty() { Ok(()) } else { call("scancel", jobs, TIME).map(drop) }
}

/// Puts a running task back into the queue.
///
/// # Errors
/// [`Error::Failed`] with what Slurm says.
pub fn requeue(task: &str) -> Result<()> {
    call("scontrol", &["requeue", task], TIME).map(drop)
}

/// How many tasks an array may have; `None` where Slurm does not say.
pub fn largest_array() -> Option<usize> {
    let said = call("scontrol", &["show", "config"], QUEUE_TIME).ok()?;
    let line = said.lines().find(|l| l.starts_with("MaxArraySize"))?;
    // The number is one above the greatest number of a task.
    line.split('=').nth(1)?.trim().parse().ok()
}

/// How a task ended that is in the queue no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What the scheduler calls it: `17_3`, or `18`.
    pub id: String,
    /// Slurm's word: `TIMEOUT`, `OUT_OF_MEMORY`, `NODE_FAIL`, `FAILED`, ….
    pub state: String,
    /// Where it ran.
    pub node: String,
}

/// How the tasks of a job ended, as far as Slurm still knows: from its accounting, else from the controller, which forgets
/// after some minutes. What it cannot tell is left out.
pub fn past(job: &str) -> Vec<Past> {
    let args = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State,NodeList", "--jobs", job];
    if let Ok(said) = call("sacct", &args, QUEUE_TIME) {
        let past: Vec<Past> = said.lines().flat_map(accounted).collect();
        if !past.is_empty() {
            return past;
        }
    }
    let said = call("scontrol", &["--oneliner", "show", "job", job], QUEUE_TIME).unwrap_or_default();
    said.lines().flat_map(remembered).collect()
}

/// What a line of `sacct` says: of one task, or of several that never started.
fn accounted(line: &str) -> Vec<Past> {
    let mut fields = line.split('|');
    let (Some(id), Some(state), Some(node)) = (fields.next(), fields.next(), fields.next()) else { return Vec::new() };
    // `CANCELLED by 1000`
    let state = state.split(' ').next().unwrap_or_default();
    let (job, tasks) = id.split_once('_').map_or((id, None), |(job, tasks)| (job, Some(tasks)));
    past_of(job, tasks, state, node)
}

/// What a line of `scontrol show job` says.
fn remembered(line: &str) -> Vec<Past> {
    let field = |name: &str| line.split(' ').find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
    let node = field("NodeList").filter(|n| *n != "(null)").unwrap_or_default();
    let (Some(job), Some(state)) = (field("ArrayJobId").or(field("JobId")), field("JobState")) else {
        return Vec::new();
    };
    past_of(job, field("ArrayTaskId"), state, node)
}

/// How tasks of a job ended: `3`, or several at once, `4-15`, `[2,4-6%2]`; `None`: the job is no array.
fn past_of(job: &str, tasks: Option<&str>, state: &str, node: &str) -> Vec<Past> {
    let past = |id: String| Past { id, state: state.to_owned(), node: node.to_owned() };
    let Some(tasks) = tasks else { return vec![past(job.to_owned())] };
    let tasks = tasks.trim_matches(['[', ']']).split('%').next().unwrap_or_default();
    let range = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    tasks.split(',').filter_map(range).flatten().map(|task| past(format!("{job}_{task}"))).collect()
}

/// What a command says on standard output.
///
/// # Errors
/// [`Error::Config`] where it is not there; [`Error::Failed`] where it does not end in `time` (it is then ended), or fails:
/// with what it says.
fn call(program: &str, args: &[impl AsRef<std::ffi::OsStr>], time: Duration) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::Config(format!("{program}: not found; hint: Slurm's commands have to be on this machine"))
        }
        _ => Error::failed(format!("{program}: {e}")),
    })?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Read beside it: a full pipe would stop it.
    let out = std::thread::spawn(move || read(out));
    let err = std::thread::spawn(move || read(err));
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < time => std::thread::sleep(LOOK),
            Ok(None) => {
                // It may have ended meanwhile; it is waited for so that nothing of it stays. Its children may hold the
                // pipes, so they are not read to their end.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::failed(format!("{program}: no answer in {} s", time.as_secs())));
            }
            Err(e) => return Err(Error::failed(format!("{program}: {e}"))),
        }
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    if status.success() {
        return Ok(out);
    }
    let said = err.trim().lines().last().unwrap_or("it says nothing").trim();
    Err(Error::failed(format!("{program}: {}", said.trim_start_matches(&format!("{program}: ")))))
}

/// All that comes out of a pipe; what is no UTF-8 is replaced.
fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text.
    let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_queue_are_read() {
        let queued = |line: &str| parse(line).map(|q| (q.id, q.job, q.task, q.runs, q.place));
        let task = |id: &str, n, runs, place: &str| Some((id.into(), "1".into(), n, runs, place.into()));
        assert_eq!(
            queued("1_2|1|foo-1|2|PENDING|JobArrayTaskLimit|"),
            task("1_2", Some(2), false, "JobArrayTaskLimit")
        );
        assert_eq!(queued("1_0|1|foo-1|0|RUNNING|None|n1"), task("1_0", Some(0), true, "n1"));
        assert_eq!(queued("1|1|foo|N/A|COMPLETING|None|n2"), task("1", None, true, "n2"));
        assert_eq!(queued("slurm_load_jobs error"), None);
    }

    #[test]
    fn what_became_of_a_task_is_read_from_either_source() {
        let past = |ids: &[&str], state: &str, node: &str| -> Vec<Past> {
            ids.iter().map(|id| Past { id: (*id).into(), state: state.into(), node: node.into() }).collect()
        };
        assert_eq!(accounted("17_3|CANCELLED by 0|n1"), past(&["17_3"], "CANCELLED", "n1"));
        assert_eq!(accounted("17_[2,4-5%2]|CANCELLED by 0|"), past(&["17_2", "17_4", "17_5"], "CANCELLED", ""));
        let line = "JobId=2 ArrayJobId=1 ArrayTaskId=0 ArrayTaskThrottle=2 JobName=foo-1 JobState=TIMEOUT Reason=None \
                    ExitCode=0:15 ReqNodeList=(null) NodeList=n1 BatchHost=n1";
        assert_eq!(remembered(line), past(&["1_0"], "TIMEOUT", "n1"));
        let rest = "JobId=1 ArrayJobId=1 ArrayTaskId=4-6 JobState=CANCELLED NodeList=(null)";
        assert_eq!(remembered(rest), past(&["1_4", "1_5", "1_6"], "CANCELLED", ""));
        assert_eq!(remembered("JobId=7 JobState=PENDING NodeList=(null)"), past(&["7"], "PENDING", ""));
    }

    #[test]
    #[cfg(unix)]
    fn a_command_that_is_absent_fails_or_hangs_is_an_error() {
        let said =
            |program: &str, args: &[&str]| call(program, args, Duration::from_millis(300)).map_err(|e| e.to_string());
        assert_eq!(said("echo", &["17"]), Ok("17\n".into()));
        assert!(said("no_such_command", &[]).unwrap_err().contains("not found"));
        assert_eq!(said("sh", &["-c", "echo sh: no >&2; exit 1"]), Err("sh: no".into()));
        assert_eq!(said("sleep", &["60"]), Err("sleep: no answer in 0 s".into()));
    }
}
