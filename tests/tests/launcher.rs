//! `zsad` becomes `zsad-cuda`, which lies beside it, where a GPU is asked for; and says why where it cannot.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use zsad_tests::{Done, Sandbox, program};

/// A copy of the program in a folder of its own, and what lies beside it as `zsad-cuda`, if anything: a script.
fn beside(sandbox: &Sandbox, script: Option<&str>) -> PathBuf {
    let own = sandbox.path("bin/zsad");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    copy(&program(), &own);
    if let Some(script) = script {
        let other = sandbox.write("zsad-cuda.sh", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
        copy(&other, &sandbox.path("bin/zsad-cuda"));
    }
    own
}

/// Copies a program with its mode, by another process: a file that this one has open for writing cannot be run while a child of
/// another test's thread still holds it ("Text file busy").
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-p").args([from, to]).status().unwrap().success());
}

/// `zsad-cuda` as it would be: it tells its version, and else what it was called with.
fn healthy() -> String {
    let version = Command::new(program()).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    format!(
        "[ \"$1\" = --version ] && {{ echo '{}'; exit; }}\nfor word; do echo \"<$word>\"; done\nexit 7",
        version.trim()
    )
}

/// `zsad <what>` of a small experiment on `device`.
fn call(what: &str, sandbox: &Sandbox, script: Option<&str>, device: &str) -> Done {
    let program = beside(sandbox, script);
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: digits\nmethods: knn\nprotocol: {batch_size: 9, contamination: 0.2}\nseeds: 0\n",
    );
    let mut command = Command::new(program);
    command
        .args([what, "x.yaml", "--out", "a b", "--store", "store", "--device", device])
        .current_dir(sandbox.path(""));
    Done::of(command.env("ZSAD_CACHE", sandbox.path("cache")).env_remove("ZSAD_DATA").output().unwrap())
}

fn run(sandbox: &Sandbox, script: Option<&str>, device: &str) -> Done {
    call("run", sandbox, script, device)
}

#[test]
fn the_other_program_gets_every_word_and_its_exit_code_is_the_answer() {
    let done = run(&Sandbox::default(), Some(&healthy()), "cuda:1").expect(7);
    let words = "<run>\n<x.yaml>\n<--out>\n<a b>\n<--store>\n<store>\n<--device>\n<cuda:1>\n";
    assert_eq!(done.out, words);
}

#[test]
fn neither_the_processor_nor_a_plan_needs_the_other_program() {
    for (what, device) in [("run", "cpu"), ("run", "cpu:composed"), ("plan", "cuda:0")] {
        let done = call(what, &Sandbox::default(), Some("echo called >&2; exit 9"), device).expect(0);
        assert!(!done.err.contains("called"), "{}", done.err);
    }
}

#[test]
fn what_stays_on_the_processor_is_said_and_shares_its_results_with_it() {
    let sandbox = Sandbox::default();
    let done = run(&sandbox, None, "cpu:composed").expect(0);
    assert!(done.err.contains("on the processor, whatever --device says: knn"), "{}", done.err);
    let again = run(&sandbox, None, "cpu").expect(0);
    assert!(again.err.contains("0 to run") && !again.err.contains("whatever --device says"), "{}", again.err);
}

#[test]
fn what_is_missing_is_said_with_the_remedy() {
    let done = run(&Sandbox::default(), None, "cuda:0").expect(2);
    for part in ["device cuda:0", "built without CUDA", "bin/zsad-cuda is not there", "--features", "--device cpu"] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
    // In the loader's words.
    let loader = |library: &str| {
        let said =
            format!("zsad-cuda: error while loading shared libraries: {library}: cannot open shared object file");
        run(&Sandbox::default(), Some(&format!("echo '{said}' >&2; exit 127")), "cuda:0").expect(2).err
    };
    let err = loader("libcuda.so.1");
    assert!(err.contains("does not start here") && err.contains("libcuda.so.1: cannot open"), "{err}");
    assert!(err.contains("NVIDIA driver is not installed"), "{err}");
    let err = loader("libcublas.so.13");
    assert!(err.contains("libcublas.so.13") && err.contains("LD_LIBRARY_PATH"), "{err}");
}

#[test]
fn another_version_is_refused() {
    let done = run(&Sandbox::default(), Some("echo 'zsad 0.0.1'"), "cuda:0").expect(2);
    assert!(done.err.contains("is version 0.0.1") && done.err.contains("build it again"), "{}", done.err);
}
