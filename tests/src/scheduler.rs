//! A scheduler that only remembers: Slurm's commands as one shell script, for tests of what is submitted and when.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{Done, Sandbox};

/// `sbatch`, `squeue`, `scancel`, `scontrol` and `sacct`. A job is a file in `$QUEUE`: its name, number, dependency and tasks.
const SCRIPT: &str = r##"#!/bin/bash
cd "$QUEUE" || exit 1
value() { local a; for a in "${args[@]}"; do case "$a" in "$1="*) echo "${a#*=}"; return ;; esac; done; }
args=("$@")
[ -e "hang" ] && sleep 100
case "${0##*/}" in
    sbatch)
        [ -e refuse ] && { echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1; }
        exec 9>lock; flock 9
        n=$(($(cat last 2>/dev/null || echo 0) + 1)); echo "$n" >last
        printf '%s\n' "$@" >"sbatch.$n"
        value --job-name >"job.$n"; value --array >>"job.$n"
        [ -e mute ] && exit 1
        echo "$n" ;;
    squeue)
        [ -e down ] && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
        names=",$(value --name),"
        for job in job.*; do
            [ -e "$job" ] || continue
            n="${job#job.}"; { read -r name; read -r array; } <"$job"
            case "$names" in *",$name,"*) ;; *) continue ;; esac
            if [ -z "$array" ]; then echo "$n|$n|$name|N/A|PENDING|Dependency|"; continue; fi
            last="${array#*-}"; last="${last%%%*}"
            for task in $(seq 0 "$last"); do
                [ -e "ended.${n}_$task" ] && continue
                if [ -e "runs.${n}_$task" ]; then state="RUNNING|None|node7"; else state="PENDING|Priority|"; fi
                echo "${n}_$task|$n|$name|$task|$state"
            done
        done ;;
    scancel) for n in "$@"; do rm -f "job.$n"; echo "$n" >>cancelled; done ;;
    scontrol)
        case "$*" in
            "show config") echo "MaxArraySize            = ${MAX_ARRAY:-1001}" ;;
            requeue*) echo "$2" >>requeued ;;
            *) cat past 2>/dev/null ;;
        esac ;;
    sacct) exit 1 ;;
esac
"##;

/// The scheduler of a sandbox.
pub struct Scheduler<'s> {
    sandbox: &'s Sandbox,
}

impl<'s> Scheduler<'s> {
    /// An empty queue.
    pub fn of(sandbox: &'s Sandbox) -> Self {
        for name in ["sbatch", "squeue", "scancel", "scontrol", "sacct"] {
            let path = sandbox.write(&format!("bin/{name}"), SCRIPT);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
            }
        }
        fs::create_dir_all(sandbox.path("queue")).expect("a writable folder");
        Scheduler { sandbox }
    }

    /// The program, where this is the scheduler.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.zsad(args);
        let path = format!("{}:{}", self.sandbox.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).env("QUEUE", self.sandbox.path("queue"));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(self.command(args).output().expect("the program starts"))
    }

    /// A file of the queue.
    pub fn file(&self, name: &str) -> PathBuf {
        self.sandbox.path("queue").join(name)
    }

    /// What a file of the queue holds; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Puts a file into the queue.
    pub fn put(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("a writable folder");
    }

    /// Removes a file of the queue.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("it is there");
    }
}
