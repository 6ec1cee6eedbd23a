//! Helpers of the tests that see the program from outside; the tests are in `tests/`.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

pub mod scheduler;
pub mod server;
pub mod shelf;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// The program, built by the same `cargo test --workspace` as the test that calls this.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let program = folder.join(format!("zsad{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: run `cargo build --release`", program.display());
    program
}

/// A folder of its own for one test, without any data folder.
pub struct Sandbox {
    dir: tempfile::TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox { dir: tempfile::tempdir().expect("a temporary folder") }
    }
}

impl Sandbox {
    /// The path `name` in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `text` to the file `name`.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a writable folder");
        fs::write(&path, text).expect("a writable folder");
        path
    }

    /// The program, in this folder and with nothing of the person's own set-up.
    pub fn zsad(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.dir.path()).env("ZSAD_CACHE", self.path("cache"));
        for variable in ["ZSAD_DATA", "ZSAD_STORE", "ZSAD_LOG"] {
            command.env_remove(variable);
        }
        let hub = ["ENDPOINT", "TOKEN", "TOKEN_PATH", "HUB_CACHE", "HUB_OFFLINE", "HUB_DISABLE_IMPLICIT_TOKEN"];
        for name in hub {
            command.env_remove(format!("HF_{name}"));
        }
        command.env("HF_HOME", self.path("hub")).env("NO_PROXY", "*");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(self.zsad(args).output().expect("the program starts"))
    }
}

/// What a call of the program left.
#[derive(Debug)]
pub struct Done {
    /// Exit code; −1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// Reads a finished process.
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts the exit code, showing everything where it is another.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }
}

/// The commands of a section of the README, in their order: what its first block of `sh` says of `zsad`, without comments.
/// Words that `instead` names are replaced.
pub fn readme(section: &str, instead: &[(&str, &str)]) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(path).expect("the README");
    let (_, section) = text.split_once(&format!("\n### {section}\n")).expect("a section of that name");
    let (_, block) = section.split_once("```sh\n").expect("a block of commands");
    let (block, _) = block.split_once("```").expect("a block that ends");
    let commands = block.lines().filter_map(|line| line.split('#').next()?.strip_prefix("zsad "));
    let word = |word: &str| instead.iter().find(|(from, _)| *from == word).map_or(word, |(_, to)| to).to_owned();
    commands.map(|command| command.split_whitespace().map(word).collect()).collect()
}

/// Columns of `results.csv` that tell of the machine and the clock.
const PROVENANCE: &[&str] = &["fit_seconds", "score_seconds", "git_sha", "device", "threads"];

/// The lines of `<out>/results.csv`, without the columns of times and provenance.
pub fn results(out: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(out.join("results.csv")).expect("results.csv");
    let lines: Vec<Vec<String>> = text.lines().map(fields).collect();
    let kept: Vec<usize> = (0..lines[0].len()).filter(|&i| !PROVENANCE.contains(&lines[0][i].as_str())).collect();
    assert_eq!(kept.len() + PROVENANCE.len(), lines[0].len(), "all provenance columns are there");
    lines.iter().map(|line| kept.iter().map(|&i| line[i].clone()).collect()).collect()
}

/// One column of `<out>/results.csv`.
pub fn column(out: &Path, name: &str) -> Vec<String> {
    let lines = results(out);
    let i = lines[0].iter().position(|c| c == name).expect("a column of that name");
    lines[1..].iter().map(|line| line[i].clone()).collect()
}

/// The fields of a line of CSV; texts may be quoted, a doubled quote stands for one.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                fields.last_mut().expect("one at least").extend(characters.next())
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("one at least").push(c),
        }
    }
    fields
}

/// The files of the finished cells of a run, with bytes and times: records, and the scores that a record vouches for.
pub fn finished(out: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let all = files(&out.join("records"));
    let vouched = |name: &str| name.split('.').next().is_some_and(|key| all.contains_key(&format!("{key}.json")));
    all.iter().filter(|(name, _)| vouched(name)).map(|(name, file)| (name.clone(), file.clone())).collect()
}

/// Name, bytes and time of every file in a folder; temporary files are left out.
pub fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let modified = fs::metadata(&path).and_then(|m| m.modified()).expect("a finished file stays");
            files.insert(name, (fs::read(&path).expect("a readable file"), modified));
        }
    }
    files
}
