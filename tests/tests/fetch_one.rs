//! One file, fetched from servers that misbehave: it ends in place and whole, or in one clear line with nothing half done.

use std::time::Duration;

use zsad_tests::Sandbox;
use zsad_tests::server::{Answer, Server};
use zsad_tests::shelf::{HEAD, bytes, own, served, sha256};

const N: usize = 300_000;

/// A server of `body` at any path, resumable.
fn good(body: &[u8]) -> Server {
    let body = body.to_vec();
    Server::new(move |request, _| Answer::file(&body, "v1", request))
}

#[test]
fn a_file_is_fetched_once_verified_and_found() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 1));
    let server = good(&body);
    let manifest = own(&served(&[server.url("a.bin")], &body));
    let done = sandbox.fetch(&manifest, &[]).expect(0);
    assert_eq!(done.out, format!("own/a.bin: 300.0 kB from {}\n", server.url("a.bin")));
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    assert_eq!(sandbox.own_folder(), ["a.bin"]);
    let request = &server.seen()[0];
    let agent = concat!("zsad/", env!("CARGO_PKG_VERSION"), " (+https://");
    assert!(request.header("user-agent").starts_with(agent), "{request:?}");
    assert_eq!(request.header("accept-encoding"), "identity");
    assert_eq!((request.header("authorization"), request.header("range")), ("", ""));
    assert!(sandbox.fetch(&manifest, &[]).expect(0).out.contains("here before, and whole"));
    assert_eq!(server.seen().len(), 1);
    assert!(sandbox.data("verify", &[]).expect(0).out.contains("own/a.bin: whole\nown: 1 of 1 file whole"));
    assert!(sandbox.data("list", &[]).expect(0).out.contains("own   here"));
    let path = sandbox.data("path", &[]).expect(0).out;
    assert!(path.ends_with("/data/own/a.bin\n") && path.starts_with('/'), "{path}");
}

#[test]
fn a_slow_server_is_waited_for_and_a_silent_one_is_asked_again() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 2));
    let held = body.clone();
    let server = Server::new(move |request, before| {
        let pause = Duration::from_millis(if before == 0 { 20 } else { 0 });
        Answer { pause, ..Answer::file(&held, "v1", request) }
    });
    sandbox.fetch(&own(&served(&[server.url("a")], &body)), &["--timeout", "20s"]).expect(0);
    let held = body.clone();
    let server = Server::new(move |request, before| {
        let pause = Duration::from_secs(if before == 0 { 600 } else { 0 });
        Answer { pause, ..Answer::file(&held, "v1", request) }
    });
    let sandbox = Sandbox::default();
    let done = sandbox.fetch(&own(&served(&[server.url("a")], &body)), &["--timeout", "300ms"]).expect(0);
    assert!(done.err.contains("trying again in 0s"), "{}", done.err);
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 3));
    let held = body.clone();
    let server = Server::new(move |request, before| {
        let cut = [Some(100_000), Some(50_000), None][before.min(2)];
        Answer { cut, ..Answer::file(&held, "v1", request) }
    });
    let done = sandbox.fetch(&own(&served(&[server.url("a")], &body)), &["--tries", "2"]).expect(0);
    let asked: Vec<_> =
        server.seen().iter().map(|r| (r.header("range").to_owned(), r.header("if-range").to_owned())).collect();
    let tagged = |range: &str| (range.to_owned(), "\"v1\"".to_owned());
    assert_eq!(
        asked,
        [(String::new(), String::new()), tagged("bytes=100000-"), tagged("bytes=150000-")],
        "{}",
        done.err
    );
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    assert_eq!(sandbox.own_folder(), ["a.bin"]);
}

#[test]
fn what_changed_between_two_tries_starts_anew() {
    let (sandbox, old, new) = (Sandbox::default(), bytes(N, 4), bytes(N, 5));
    let held = new.clone();
    let server = Server::new(move |request, before| match before {
        0 => Answer { cut: Some(100_000), ..Answer::file(&old, "v1", request) },
        _ => Answer::file(&held, "v2", request),
    });
    // Nobody knows its checksum: only the server can tell that it is another file.
    let done = sandbox.fetch(&own(&[format!("urls: [\"{}\"]", server.url("a"))]), &[]).expect(0);
    assert!(done.err.contains("the server starts anew"), "{}", done.err);
    assert_eq!(server.seen()[1].header("if-range"), "\"v1\"");
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), new);
}

#[test]
fn a_stopped_fetch_is_taken_up_by_the_next_one_and_a_wrong_beginning_costs_one_more_try() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 6));
    let server = good(&body);
    let manifest = own(&served(&[server.url("a")], &body));
    sandbox.write("data/own/a.bin.part", &body[..120_000]);
    assert!(sandbox.run(&["data", "list"]).expect(0).code == 0);
    sandbox.fetch(&manifest, &[]).expect(0);
    assert_eq!(server.seen()[0].header("range"), "bytes=120000-");
    let sandbox = Sandbox::default();
    sandbox.write("data/own/a.bin.part", bytes(120_000, 99));
    let done = sandbox.fetch(&manifest, &[]).expect(0);
    assert!(done.err.contains("SHA-256: expected") && done.err.contains("starting anew"), "{}", done.err);
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
}

#[test]
fn a_wrong_length_a_wrong_hash_and_a_page_are_refused_by_name_and_the_next_source_is_asked() {
    let body = bytes(N, 7);
    let (short, sum) = (body[..N - 1].to_vec(), sha256(&body));
    let other = bytes(N, 8);
    let found = sha256(&other);
    let page = b"<!DOCTYPE html><html><title>Log in</title></html>".to_vec();
    let mut long_page = b"\n <html>".to_vec();
    long_page.resize(N, b' ');
    type Make = Box<dyn Fn() -> Server>;
    let served_as = |answer: Answer| -> Make {
        Box::new(move || {
            let a = answer.clone();
            Server::new(move |_, _| a.clone())
        })
    };
    let hash = format!("SHA-256: expected {}…, found {}…", &sum[..16], &found[..16]);
    let cases: [(Make, &str); 7] = [
        (served_as(Answer::whole(&short)), "size: expected 300000 bytes (300.0 kB), found 299999 bytes"),
        (served_as(Answer { unsized_: true, ..Answer::whole(&[&body[..], b"more"].concat()) }), "found more"),
        (served_as(Answer::whole(&other)), &hash),
        (served_as(Answer::whole(&page).with("Content-Type", "text/html; charset=utf-8")), "a web page (HTML)"),
        (served_as(Answer::whole(&long_page)), "a web page (HTML) where a file is expected"),
        (served_as(Answer::status(404)), "the server answers 404 Not Found"),
        (served_as(Answer::whole(&body).with("Content-Encoding", "gzip")), "sends it as `gzip`"),
    ];
    for (make, why) in cases {
        let (sandbox, bad) = (Sandbox::default(), make());
        let done = sandbox.fetch(&own(&served(&[bad.url("a")], &body)), &[]).expect(3);
        assert!(done.err.contains(why) && done.err.contains("own/a.bin: not fetched:"), "{why}: {}", done.err);
        assert!(!sandbox.own_file().exists(), "{why}");
        assert_eq!(bad.seen().len(), 1, "{why}: asking again does not help");
        let mirror = good(&body);
        let done = sandbox.fetch(&own(&served(&[bad.url("a"), mirror.url("a")], &body)), &[]).expect(0);
        assert!(done.err.contains("trying the next source"), "{}", done.err);
        assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body, "{why}");
        assert_eq!(sandbox.own_folder(), ["a.bin"], "{why}");
    }
}

#[test]
fn a_busy_server_says_how_long_to_wait_and_a_broken_one_is_given_up_after_so_many_tries() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 9));
    let held = body.clone();
    let server = Server::new(move |request, before| match before {
        0 => Answer::status(429).with("Retry-After", "0"),
        _ => Answer::file(&held, "v1", request),
    });
    let manifest = own(&served(&[server.url("a")], &body));
    // Who does not listen to it waits for a day.
    sandbox.fetch(&manifest, &["--retry-wait", "1day"]).expect(0);
    let server = Server::new(|_, _| Answer::status(429).with("Retry-After", "86400"));
    let done = Sandbox::default().fetch(&own(&served(&[server.url("a")], &body)), &[]).expect(3);
    assert!(done.err.contains("asks to wait 1day"), "{}", done.err);
    let held = body.clone();
    let server = Server::new(move |request, before| match before {
        0 | 1 => Answer::status(500),
        _ => Answer::file(&held, "v1", request),
    });
    Sandbox::default().fetch(&own(&served(&[server.url("a")], &body)), &[]).expect(0);
    assert_eq!(server.seen().len(), 3);
    let server = Server::new(|_, _| Answer::status(503));
    let done = Sandbox::default().fetch(&own(&served(&[server.url("a")], &body)), &["--tries", "3"]).expect(3);
    assert!(done.err.contains("503 Service Unavailable (3 tries in a row)"), "{}", done.err);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn redirects_are_followed_to_their_end() {
    let (sandbox, body) = (Sandbox::default(), bytes(N, 10));
    let held = body.clone();
    let server = Server::new(move |request, _| match request.path.as_str() {
        "/x/a" => Answer::redirect(302, "b?q=1"),
        "/x/b?q=1" => Answer::redirect(307, "/y/c"),
        "/y/c" => {
            Answer::redirect(301, format!("http://{}/z", request.header("host").replace("127.0.0.1", "localhost")))
        }
        "/z" => Answer::file(&held, "v1", request),
        _ => Answer::redirect(302, "/loop"),
    });
    sandbox.fetch(&own(&served(&[server.url("x/a")], &body)), &[]).expect(0);
    let paths: Vec<_> = server.seen().iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/x/a", "/x/b?q=1", "/y/c", "/z"]);
    let done = Sandbox::default().fetch(&own(&served(&[server.url("loop")], &body)), &[]).expect(3);
    assert!(done.err.contains("more than 10 redirects"), "{}", done.err);
}

#[test]
fn offline_nothing_is_asked_and_what_is_missing_is_said() {
    let (sandbox, body) = (Sandbox::default(), bytes(100, 11));
    let server = good(&body);
    let manifest = own(&served(&[server.url("a")], &body));
    let done = sandbox.fetch(&manifest, &["--offline"]).expect(3);
    assert!(
        done.err.contains("own/a.bin: not here, and nothing is fetched offline (it is served at http"),
        "{}",
        done.err
    );
    let args = ["data", "fetch", "own", "--manifest", "own.yaml", "--data", "data"];
    let output = sandbox.zsad(&args).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(server.seen().is_empty());
    assert!(!sandbox.path("data").exists(), "nothing is left behind");
    sandbox.write("data/own/a.bin", &body);
    sandbox.fetch(&manifest, &["--offline"]).expect(0);
}

#[test]
fn another_file_in_its_place_is_left_alone() {
    let (sandbox, body) = (Sandbox::default(), bytes(100, 12));
    let server = good(&body);
    let theirs = bytes(100, 13);
    sandbox.write("data/own/a.bin", &theirs);
    let done = sandbox.fetch(&own(&served(&[server.url("a")], &body)), &[]).expect(3);
    assert!(done.err.contains("own/a.bin: another file is here: SHA-256: expected"), "{}", done.err);
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), theirs);
    let done = sandbox.data("verify", &[]).expect(3);
    assert!(done.out.contains("own/a.bin: damaged: SHA-256: expected"), "{}", done.out);
}

#[test]
fn what_nobody_publishes_a_checksum_of_is_noted_and_must_match_later() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 14));
    let changed = bytes(1000, 15);
    let (first, second) = (body.clone(), changed);
    let server = Server::new(move |_, before| Answer::whole(if before == 0 { &first } else { &second }));
    let manifest = own(&[format!("urls: [\"{}\"]", server.url("a"))]);
    sandbox.fetch(&manifest, &[]).expect(0);
    let lock = std::fs::read_to_string(sandbox.path("data/lock.yaml")).unwrap();
    assert!(lock.contains(&sha256(&body)) && lock.contains("size: 1000"), "{lock}");
    assert!(sandbox.data("verify", &[]).expect(0).out.contains("as it first came"));
    std::fs::remove_file(sandbox.own_file()).unwrap();
    let done = sandbox.fetch(&manifest, &[]).expect(3);
    assert!(done.err.contains(&format!("SHA-256: expected {}…", &sha256(&body)[..16])), "{}", done.err);
    // A person who removes it forgets it.
    sandbox.write("data/own/a.bin", &body);
    sandbox.data("remove", &["--yes"]).expect(0);
    sandbox.fetch(&manifest, &[]).expect(0);
}

#[test]
fn licences_forms_and_misspelt_names_are_said_before_anything_is_asked() {
    let (sandbox, body) = (Sandbox::default(), bytes(100, 16));
    let server = good(&body);
    let fields = served(&[server.url("a")], &body);
    let with = |line: &str| own(&fields).replace("files:", &format!("{line}\nfiles:"));
    let done = sandbox.fetch(&with("access: accept_licence"), &[]).expect(2);
    assert!(done.err.contains("its licence is MIT") && done.err.contains("--accept-licence"), "{}", done.err);
    let manual = format!("{HEAD}access: manual\nsteps: write a letter\nfiles:\n  - path: own/a.bin\n");
    let done = sandbox.fetch(&manual, &[]).expect(3);
    assert!(done.err.contains("write a letter") && done.err.contains("zsad data add own FILE"), "{}", done.err);
    assert!(server.seen().is_empty());
    sandbox.fetch(&with("access: accept_licence"), &["--accept-licence"]).expect(0);
    let done = sandbox.run(&["data", "fetch", "omniglott"]).expect(2);
    assert!(done.err.contains("did you mean `omniglot`?"), "{}", done.err);
}
