//! Cluster files: which scheduler runs the fits of an experiment, and what a task of it gets.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::fields::{any_mapping, field, list, mapping, scalar, text};
use super::problem::{Pos, Problem, Problems};
use super::yaml::{self, Entry, Kind, Node};
use super::{ConfigError, checked};

const KEYS: &[&str] = &[
    "engine",
    "partition",
    "account",
    "time",
    "cpus",
    "memory",
    "gpus",
    "max_tasks",
    "pack_minutes",
    "setup",
    "env",
    "scratch",
    "sbatch",
];

/// Minutes that a task lasts where the file says nothing.
const PACK_MINUTES: f64 = 30.0;

/// A checked cluster file.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The partition; the site's default where there is none.
    pub partition: Option<String>,
    /// Whom the time is charged to.
    pub account: Option<String>,
    /// How long a task may last; the partition's default where there is none.
    pub time: Option<Duration>,
    /// Processors of a task: so many fits run at the same time in it.
    pub cpus: NonZero<usize>,
    /// Memory of a task as the scheduler writes it, such as `8G`.
    pub memory: Option<String>,
    /// Whether a task has a GPU, on which it then works.
    pub gpu: bool,
    /// How many tasks run at the same time at most.
    pub max_tasks: Option<NonZero<usize>>,
    /// How long a task should last: fits are bundled until they do.
    pub bundle: Duration,
    /// Lines of shell that a task begins with.
    pub setup: Vec<String>,
    /// Variables of a task.
    pub env: BTreeMap<String, String>,
    /// Where a task keeps caches, such as features of images; the shell's variables in it are those of the task.
    pub scratch: Option<String>,
    /// Further options of the scheduler's submit command.
    pub options: Vec<String>,
}

/// Reads and checks a cluster file.
///
/// # Errors
/// All its mistakes at once.
pub fn load(path: &Path) -> Result<Cluster, ConfigError> {
    checked(path, parse).map(|(cluster, _)| cluster)
}

/// Whether a text is a cluster file rather than an experiment, by its keys.
pub fn is_cluster(text: &str) -> bool {
    let Some(Node { kind: Kind::Map(entries), .. }) = yaml::parse(text, &mut Problems::default()) else { return false };
    let has = |keys: &[&str]| entries.iter().any(|e| keys.contains(&e.key.as_str()));
    has(KEYS) && !has(&["experiment", "datasets", "methods", "protocol"])
}

/// Reads and checks the text of a cluster file.
///
/// # Errors
/// All its mistakes.
pub fn parse(text: &str) -> Result<Cluster, Vec<Problem>> {
    let mut problems = Problems::default();
    let cluster = yaml::parse(text, &mut problems).and_then(|root| read(&root, &mut problems));
    match cluster {
        Some(cluster) if problems.is_empty() => Ok(cluster),
        _ => Err(problems.sorted()),
    }
}

fn read(root: &Node, problems: &mut Problems) -> Option<Cluster> {
    let entries = mapping(root, "a cluster file", KEYS, problems)?;
    engine(entries, root.pos, problems);
    let word = |key: &str, problems: &mut Problems| field(entries, key).and_then(|node| one_word(node, key, problems));
    let (partition, account) = (word("partition", problems), word("account", problems));
    let mut part = |key: &str, want: &str, read: &dyn Fn(&Value) -> Option<Value>| {
        let node = field(entries, key)?;
        let value = scalar(node, read);
        if value.is_none() {
            problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), format!("write {want}"));
        }
        value
    };
    let whole = |v: &Value| v.as_u64().filter(|&n| n > 0 && n <= 1 << 20).map(Value::from);
    let number = |v: Option<Value>| v.and_then(|v| NonZero::new(v.as_u64()? as usize));
    let cpus = number(part("cpus", "a number of processors, such as 4", &whole));
    let max_tasks = number(part("max_tasks", "how many tasks may run at once, such as 50", &whole));
    let time = part("time", TIME, &|v| Some(minutes(v)?.as_secs().into()));
    let memory =
        part("memory", "megabytes, or a number with K, M, G or T, such as 8G", &|v| memory(v).map(Value::from));
    let gpus = part("gpus", "0 or 1: a task works on one GPU; max_tasks says how many tasks run at once", &|v| {
        v.as_u64().filter(|&n| n <= 1).map(Value::from)
    });
    let share = |v: &Value| v.as_f64().filter(|m| *m > 0.0 && *m <= 1e6).map(Value::from);
    let pack = part("pack_minutes", "minutes above 0, such as 30 or 0.5", &share);
    let scratch = part("scratch", "a folder, such as /scratch/$USER", &|v| {
        v.as_str().filter(|s| !s.is_empty() && !s.contains('\n')).map(Value::from)
    });
    let seconds = |v: Option<Value>| v.and_then(|v| v.as_u64()).map(Duration::from_secs);
    let line = |v: &Value| v.as_str().map(str::to_owned);
    let mut lines = |key: &str, want: &str, read: &dyn Fn(&Value) -> Option<String>| match field(entries, key) {
        Some(node) => list(node, key, want, read, problems),
        None => Vec::new(),
    };
    let setup = lines("setup", "lines of shell, such as [module load cuda]", &line);
    let options = lines("sbatch", "options as texts, such as [--constraint=a100]", &|v| {
        line(v).filter(|o| o.starts_with('-') && !o.contains('\n'))
    });
    own_options(entries, problems);
    let pack = pack.and_then(|v| v.as_f64()).unwrap_or(PACK_MINUTES);
    Some(Cluster {
        partition,
        account,
        time: seconds(time),
        cpus: cpus.unwrap_or(NonZero::<usize>::MIN),
        memory: memory.and_then(|v| v.as_str().map(str::to_owned)),
        gpu: gpus.and_then(|v| v.as_u64()) == Some(1),
        max_tasks,
        bundle: Duration::from_secs_f64(pack * 60.0),
        setup,
        env: variables(entries, problems),
        scratch: scratch.and_then(|v| v.as_str().map(str::to_owned)),
        options,
    })
}

fn engine(entries: &[Entry], start: Pos, problems: &mut Problems) {
    const HINT: &str = "write `engine: slurm`; other schedulers start `zsad work OUT --from-env` themselves";
    match field(entries, "engine") {
        None => problems.add(start, "`engine` is missing", HINT),
        Some(node) => {
            if let Some(engine) = text(node, "`engine`", problems).filter(|engine| engine != "slurm") {
                problems.add(node.pos, format!("unknown engine `{engine}`"), HINT);
            }
        }
    }
}

/// A text that is one word on a command line.
fn one_word(node: &Node, key: &str, problems: &mut Problems) -> Option<String> {
    let word = scalar(node, |v| match v {
        Value::String(s) if !s.is_empty() && !s.contains(char::is_whitespace) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    });
    if word.is_none() {
        problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), "write one word");
    }
    word
}

/// What zsad says to the scheduler itself, and what of it a key of the file is for.
const OWN: &[(&str, &str)] = &[
    ("--partition", "partition"),
    ("--account", "account"),
    ("--time", "time"),
    ("--cpus-per-task", "cpus"),
    ("--mem", "memory"),
    ("--array", "max_tasks"),
    ("--job-name", ""),
    ("--output", ""),
    ("--open-mode", ""),
    ("--dependency", ""),
    ("--signal", ""),
    ("--chdir", ""),
    ("--parsable", ""),
    ("--wrap", ""),
];

/// Notes options that would contradict what zsad passes itself.
fn own_options(entries: &[Entry], problems: &mut Problems) {
    for node in field(entries, "sbatch").map_or(&[][..], Node::items) {
        let Kind::Scalar(Value::String(option)) = &node.kind else { continue };
        let name = option.split(['=', ' ']).next().unwrap_or_default();
        if let Some((_, key)) = OWN.iter().find(|(own, _)| *own == name) {
            let hint = if key.is_empty() { "leave it out".to_owned() } else { format!("write `{key}: …`") };
            problems.add(node.pos, format!("`{name}` is passed by zsad"), hint);
        }
    }
}

fn variables(entries: &[Entry], problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(node) = field(entries, "env") else { return BTreeMap::new() };
    let mut variables = BTreeMap::new();
    for entry in any_mapping(node, "`env`", problems).unwrap_or_default() {
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !entry.key.chars().all(is_name) || entry.key.starts_with(|c: char| c.is_ascii_digit()) {
            problems.add(
                entry.pos,
                format!("`{}` is no name of a variable", entry.key),
                "write such as OMP_NUM_THREADS",
            );
        }
        match scalar(&entry.value, |v| match v {
            Value::String(s) => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        }) {
            Some(value) => drop(variables.insert(entry.key.clone(), value)),
            None => {
                let message = format!("`{}` cannot be {}", entry.key, entry.value.describe());
                problems.add(entry.value.pos, message, "write a text or a number");
            }
        }
    }
    variables
}

const TIME: &str = "minutes, or H:MM:SS, or D-H:MM:SS, such as 4:00:00";

/// A time limit, as Slurm writes it: minutes, `M:S`, `H:M:S`, `D-H`, `D-H:M` or `D-H:M:S`.
fn minutes(value: &Value) -> Option<Duration> {
    if let Some(minutes) = value.as_u64() {
        return Some(Duration::from_secs(minutes.checked_mul(60)?)).filter(|t| !t.is_zero());
    }
    let text = value.as_str()?;
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (Some(days.parse::<u64>().ok()?), clock),
        None => (None, text),
    };
    let parts: Vec<u64> = clock.split(':').map(|p| p.parse().ok().filter(|&n| n < 1 << 20)).collect::<Option<_>>()?;
    let seconds = match (days, parts.as_slice()) {
        (Some(d), [h]) => (d * 24 + h) * 3600,
        (Some(d), [h, m]) => (d * 24 + h) * 3600 + m * 60,
        (Some(d), [h, m, s]) => (d * 24 + h) * 3600 + m * 60 + s,
        (None, [m]) => m * 60,
        (None, [m, s]) => m * 60 + s,
        (None, [h, m, s]) => h * 3600 + m * 60 + s,
        _ => return None,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Memory as Slurm takes it.
fn memory(value: &Value) -> Option<String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let digits = text.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(&text);
    digits.parse::<u64>().ok().filter(|&n| n > 0).map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mistakes(text: &str) -> Vec<String> {
        let problems = parse(text).err().unwrap_or_default();
        problems.iter().map(|p| p.in_file(Path::new("c.yaml"))).collect()
    }

    #[test]
    fn a_cluster_file_is_read_with_its_types() {
        let text = "engine: slurm\npartition: gpu\naccount: 1234\ntime: 1-2:30:00\ncpus: 8\nmemory: 16G\ngpus: 1\n\
                    max_tasks: 40\npack_minutes: 0.5\nsetup: [module load cuda, 'echo \"a b\"']\n\
                    env: {OMP_NUM_THREADS: 8, WORD: a b}\nscratch: /scratch/$USER\nsbatch: [--constraint=a100, -q long]\n";
        let c = parse(text).unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!((c.partition.as_deref(), c.account.as_deref()), (Some("gpu"), Some("1234")));
        assert_eq!(c.time, Some(Duration::from_secs((26 * 60 + 30) * 60)));
        assert_eq!((c.cpus.get(), c.max_tasks.map(NonZero::get), c.gpu), (8, Some(40), true));
        assert_eq!((c.memory.as_deref(), c.bundle), (Some("16G"), Duration::from_secs(30)));
        assert_eq!(c.setup, ["module load cuda", "echo \"a b\""]);
        assert_eq!(
            c.env.into_iter().collect::<Vec<_>>(),
            [("OMP_NUM_THREADS".to_owned(), "8".to_owned()), ("WORD".to_owned(), "a b".to_owned())]
        );
        assert_eq!(c.options, ["--constraint=a100", "-q long"]);
        let least = parse("engine: slurm\n").unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!((least.cpus.get(), least.bundle, least.gpu), (1, Duration::from_secs(1800), false));
    }

    #[test]
    fn all_mistakes_of_a_cluster_file_are_placed() {
        let text = "engine: slurn\npartitoin: cpu\ntime: soon\ncpus: 0\nmemory: 8 GB\ngpus: 2\npack_minutes: 0\n\
                    setup: [1]\nenv: {1A: x, B: [1]}\nsbatch: [constraint=a, --time=3]\n";
        let expected = [
            ("1:9", "unknown engine `slurn`"),
            ("2:1", "unknown key `partitoin` in a cluster file"),
            ("3:7", "`time` cannot be \"soon\""),
            ("4:7", "`cpus` cannot be 0"),
            ("5:9", "`memory` cannot be \"8 GB\""),
            ("6:7", "`gpus` cannot be 2"),
            ("7:15", "`pack_minutes` cannot be 0"),
            ("8:9", "`setup` cannot be 1"),
            ("9:7", "`1A` is no name of a variable"),
            ("9:17", "`B` cannot be a list"),
            ("10:10", "`sbatch` cannot be \"constraint=a\""),
            ("10:24", "`--time` is passed by zsad"),
        ];
        let found = mistakes(text);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, (place, message)) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("c.yaml:{place}: {message}")), "{found} is not {place}: {message}");
        }
        assert!(found[1].ends_with("hint: did you mean `partition`?"), "{}", found[1]);
        assert!(mistakes("partition: x\n")[0].contains("`engine` is missing"));
    }

    #[test]
    fn times_are_those_of_the_scheduler() {
        let seconds = |v: Value| minutes(&v).map(|t| t.as_secs());
        assert_eq!(seconds(json!(90)), Some(5400));
        for (text, expected) in [("90", 5400), ("1:30", 90), ("2:00:00", 7200), ("1-0", 86400), ("1-1:1:1", 90061)] {
            assert_eq!(seconds(json!(text)), Some(expected), "{text}");
        }
        for wrong in ["", "1:2:3:4", "x", "1-", "-1", "0"] {
            assert_eq!(seconds(json!(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn an_experiment_is_no_cluster_file() {
        assert!(is_cluster("engine: slurm\n") && is_cluster("partition: x\n"));
        assert!(!is_cluster("experiment: x\nengine: slurm\n") && !is_cluster("a: 1\n") && !is_cluster("- 1\n"));
    }
}
