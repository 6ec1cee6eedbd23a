//! Several processes, and a disk that is full.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Barrier, Condvar, Mutex};

use zsad_tests::Sandbox;
use zsad_tests::server::{Answer, Server};
use zsad_tests::shelf::{HEAD, archive, bytes, own, packed, served, sha256};

const ARGS: [&str; 7] = ["data", "fetch", "own", "--manifest", "own.yaml", "--data", "data"];

#[test]
fn two_processes_share_one_download() {
    let (sandbox, body) = (Sandbox::default(), bytes(200_000, 1));
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (held, closed) = (body.clone(), gate.clone());
    let server = Server::new(move |request, _| {
        let open = closed.0.lock().unwrap();
        drop(closed.1.wait_while(open, |open| !*open).unwrap());
        Answer::file(&held, "v1", request)
    });
    sandbox.write("own.yaml", own(&served(&[server.url("a")], &body)));
    let start = || sandbox.zsad(&ARGS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let first = start();
    server.wait();
    let mut second = start();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    let waits = lines.next().unwrap().unwrap();
    assert_eq!(waits, "own/a.bin: another process is fetching it; waiting for it");
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let (first, second) = (first.wait_with_output().unwrap(), second.wait_with_output().unwrap());
    assert!(first.status.success() && second.status.success());
    assert_eq!(String::from_utf8(second.stdout).unwrap(), "own/a.bin: fetched by another process\n");
    assert_eq!(server.seen().len(), 1, "one of them asked");
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    assert_eq!(sandbox.own_folder(), ["a.bin"]);
}

#[test]
fn an_archive_is_unpacked_by_one_process_at_a_time() {
    let sandbox = Sandbox::default();
    let zip = packed(&[("red/1.txt", b"one"), ("blue/2.txt", b"two")]);
    sandbox.write("own.yaml", archive("http://127.0.0.1:9/a".into(), &zip, ""));
    // As a process does that has fetched it and unpacks it.
    let there = std::fs::File::open(sandbox.write("data/own/a.zip", &zip)).unwrap();
    there.lock().unwrap();
    let mut zsad = sandbox.zsad(&[&ARGS[..], &["--offline"]].concat());
    let mut waiting = zsad.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "own/a.zip: another process is fetching it; waiting for it");
    assert!(!sandbox.path("data/own/in").exists());
    drop(there);
    // To its end, so that it is not stopped by a pipe that nobody reads.
    lines.for_each(drop);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(std::fs::read(sandbox.path("data/own/in/red/1.txt")).unwrap(), b"one");
}

#[test]
fn a_host_is_asked_for_two_files_at_a_time_and_for_no_more() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 4));
    // How many are being answered now, and how many were at most. Two wait for each other; a third would be counted.
    let (busy, pair) = (Arc::new(Mutex::new((0, 0))), Barrier::new(2));
    let (held, counted) = (body.clone(), busy.clone());
    let server = Server::new(move |_, _| {
        let change = |by: i32| {
            let mut busy = counted.lock().unwrap();
            busy.0 += by;
            busy.1 = busy.1.max(busy.0);
        };
        change(1);
        pair.wait();
        std::thread::sleep(std::time::Duration::from_millis(30));
        change(-1);
        Answer::whole(&held)
    });
    let sum = sha256(&body);
    let file = |i: usize| {
        format!("  - {{path: own/{i}, urls: [\"{}\"], sha256: {sum}, strength: published}}\n", server.url("a"))
    };
    sandbox.write("own.yaml", format!("{HEAD}files:\n{}", (0..8).map(file).collect::<String>()));
    sandbox.run(&ARGS).expect(0);
    assert_eq!(server.seen().len(), 8);
    assert_eq!(busy.lock().unwrap().1, 2);
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_it_in_one_line_and_what_came_is_kept() {
    let (sandbox, body) = (Sandbox::default(), bytes(2_000_000, 2));
    let held = body.clone();
    let server = Server::new(move |request, _| Answer::file(&held, "v1", request));
    let mirror = server.url("mirror");
    sandbox.write("own.yaml", own(&served(&[server.url("a"), mirror], &body)));
    // The shell's limit on the size of files, with the signal ignored, is a disk with little room.
    let program = zsad_tests::program();
    let script = format!("trap '' XFSZ; ulimit -f 1000; exec '{}' {}", program.display(), ARGS.join(" "));
    let zsad = sandbox.zsad(&[]);
    let mut limited = std::process::Command::new("sh");
    for (name, value) in zsad.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.args(["-c", &script]).current_dir(sandbox.path("")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let errors: Vec<&str> = said.lines().filter(|l| l.starts_with("error:")).collect();
    assert!(errors.len() == 1 && errors[0].contains("own/a.bin.part: cannot be written: File too large"), "{said}");
    assert!(errors[0].contains("make room, and the same command goes on"), "{said}");
    assert_eq!(server.seen().len(), 1, "no other source helps");
    assert!(!sandbox.own_file().exists());
    let kept = std::fs::metadata(sandbox.path("data/own/a.bin.part")).unwrap().len();
    assert!(kept >= 500 * 512, "{kept}");
    sandbox.run(&ARGS).expect(0);
    assert_eq!(server.seen()[1].header("range"), format!("bytes={kept}-"));
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_came() {
    let (sandbox, body) = (Sandbox::default(), bytes(800_000, 3));
    let held = body.clone();
    let server = Server::new(move |request, before| {
        let pause = std::time::Duration::from_millis(if before == 0 { 300 } else { 0 });
        Answer { pause, ..Answer::file(&held, "v1", request) }
    });
    sandbox.write("own.yaml", own(&served(&[server.url("a")], &body)));
    let child = sandbox.zsad(&ARGS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let part = sandbox.path("data/own/a.bin.part");
    while std::fs::metadata(&part).map_or(0, |m| m.len()) == 0 {
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = std::fs::metadata(&part).unwrap().len();
    assert!(kept > 0 && kept < 800_000, "{kept}");
    sandbox.run(&ARGS).expect(0);
    assert_eq!(server.seen()[1].header("range"), format!("bytes={kept}-"));
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
}
