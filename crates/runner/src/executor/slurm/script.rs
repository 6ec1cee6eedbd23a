//! What is submitted: scripts that a person can read, and start by hand.

use std::path::Path;
use std::time::Duration;

use crate::config::cluster::Cluster;

/// How the program was called, with all that its tasks have to be told.
#[derive(Debug, Clone)]
pub struct Call {
    /// The program.
    pub program: String,
    /// Its options before the subcommand.
    pub options: Vec<String>,
    /// Where data, trained models and tensors are, as options.
    pub places: Vec<String>,
    /// How trainings are to be run, as options.
    pub training: Vec<String>,
}

/// The script of a job that ends in `words`, which are quoted.
pub fn script(cluster: &Cluster, what: &str, words: &[String]) -> String {
    let mut text = format!("#!/bin/bash\n# {what}; written by zsad.\nset -e\n");
    if let Some(scratch) = &cluster.scratch {
        // The shell puts in variables, such as $USER or $SLURM_JOB_ID, on the machine of the task.
        let escaped = scratch.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`").replace("$(", "\\$(");
        text += &format!("export ZSAD_CACHE=\"{escaped}\"\n");
    }
    for (name, value) in &cluster.env {
        text += &format!("export {name}={}\n", quoted(value));
    }
    for line in &cluster.setup {
        text += &format!("{line}\n");
    }
    let words: Vec<String> = words.iter().map(|w| quoted(w)).collect();
    // The program takes the shell's place: Slurm's signals reach it, and nothing is left behind where it ends.
    text += &format!("exec {}\n", words.join(" "));
    text
}

/// A word as the shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The options of `sbatch` that tasks and the collect job have in common.
pub fn options(cluster: &Cluster, name: &str, log: &Path, folder: &Path) -> Vec<String> {
    // Slurm puts the task's number for %a; a percent sign that is one is doubled.
    let log = log.display().to_string();
    let mut options = vec![
        "--parsable".to_owned(),
        format!("--job-name={name}"),
        format!("--output={log}"),
        "--open-mode=append".to_owned(),
        format!("--chdir={}", folder.display()),
        "--requeue".to_owned(),
        format!("--cpus-per-task={}", cluster.cpus),
    ];
    options.extend(cluster.partition.iter().map(|p| format!("--partition={p}")));
    options.extend(cluster.account.iter().map(|a| format!("--account={a}")));
    options.extend(cluster.time.map(|t| format!("--time={}", t.as_secs().div_ceil(60))));
    options.extend(cluster.memory.iter().map(|m| format!("--mem={m}")));
    options
}

/// The options of tasks alone: an array of `tasks`, each warned before its time is up.
pub fn array_options(cluster: &Cluster, tasks: usize) -> Vec<String> {
    let limit = cluster.max_tasks.map(|n| format!("%{n}")).unwrap_or_default();
    let mut options =
        vec![format!("--array=0-{}{limit}", tasks - 1), format!("--signal=B:USR1@{}", warning(cluster.time).as_secs())];
    options.extend(cluster.gpu.then(|| "--gres=gpu:1".to_owned()));
    options
}

/// Options of a person's own, a word each: `-q long` is two.
pub fn own_options(cluster: &Cluster) -> Vec<String> {
    let words = |option: &String| match option.split_once(' ') {
        Some((name, value)) => vec![name.to_owned(), value.trim().to_owned()],
        None => vec![option.clone()],
    };
    cluster.options.iter().flat_map(words).collect()
}

/// A path in an option where Slurm takes percent signs for patterns.
pub fn literal(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// How long before its limit a task is warned: long enough to end a step and to write a checkpoint.
fn warning(time: Option<Duration>) -> Duration {
    const LONGEST: Duration = Duration::from_secs(120);
    const SHORTEST: Duration = Duration::from_secs(20);
    time.map_or(LONGEST, |t| (t / 10).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cluster;

    fn cluster(text: &str) -> Cluster {
        cluster::parse(text).unwrap_or_else(|p| panic!("{p:?}"))
    }

    #[test]
    fn a_script_says_what_the_file_says() {
        let cluster = cluster("engine: slurm\nsetup: [module load x]\nenv: {A: it's}\nscratch: /scratch/$USER/\"a\"\n");
        let words = ["/bin/z sad", "work", "/out/x=1", ""].map(String::from);
        let expected = "#!/bin/bash\n# A task of x; written by zsad.\nset -e\nexport ZSAD_CACHE=\"/scratch/$USER/\\\"a\\\"\"\n\
                        export A='it'\\''s'\nmodule load x\nexec '/bin/z sad' work /out/x=1 ''\n";
        assert_eq!(script(&cluster, "A task of x", &words), expected);
    }

    #[test]
    fn options_are_those_of_the_file() {
        let c = cluster(
            "engine: slurm\npartition: p\ntime: 90:30\ncpus: 2\nmemory: 4G\ngpus: 1\nmax_tasks: 9\nsbatch: [-q long, --nice]\n",
        );
        let all = options(&c, "n", Path::new("/o/%a.log"), Path::new("/w"));
        for option in
            ["--job-name=n", "--output=/o/%a.log", "--open-mode=append", "--partition=p", "--time=91", "--mem=4G"]
        {
            assert!(all.contains(&option.to_owned()), "{option}: {all:?}");
        }
        assert!(!all.iter().any(|o| o.starts_with("--account")));
        assert_eq!(array_options(&c, 30), ["--array=0-29%9", "--signal=B:USR1@120", "--gres=gpu:1"]);
        assert_eq!(array_options(&cluster("engine: slurm\ntime: 1\n"), 1), ["--array=0-0", "--signal=B:USR1@20"]);
        assert_eq!(own_options(&c), ["-q", "long", "--nice"]);
        assert_eq!(literal(Path::new("/a%b")), "/a%%b");
    }
}
