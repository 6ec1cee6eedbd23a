//! Files of the Hugging Face hub, which a server on the loopback stands for.

use std::path::{Path, PathBuf};
use std::process::Command;

use zsad_tests::server::{Answer, Request, Server};
use zsad_tests::shelf::{bytes, own, sha256};
use zsad_tests::{Done, Sandbox};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const ARGS: [&str; 9] = ["data", "fetch", "own", "--manifest", "own.yaml", "--data", "data", "--retry-wait", "0s"];

/// Answers as the hub does: a redirect to where the bytes lie, on another host, that carries what is known of them. An
/// old name of the repository leads to the new one.
fn hub(body: Vec<u8>, etag: String) -> Server {
    Server::new(move |request, _| answer(&body, &etag, request))
}

fn answer(body: &[u8], etag: &str, request: &Request) -> Answer {
    let cdn = format!("http://{}/cdn/x", request.header("host").replace("127.0.0.1", "localhost"));
    match request.path.as_str() {
        path if path.starts_with("/old/") => Answer::redirect(307, path.replace("/old/", "/owner/")),
        "/cdn/x" => Answer::file(body, "cdn", request),
        path if path.starts_with("/owner/net/resolve/") => Answer::redirect(302, cdn)
            .with("X-Repo-Commit", COMMIT)
            .with("X-Linked-Size", body.len().to_string())
            .with("X-Linked-Etag", format!("\"{etag}\"")),
        _ => Answer::status(404),
    }
}

fn fields(repo: &str) -> Vec<String> {
    vec![format!("hub: {{repo: {repo}, file: deep/w.bin}}")]
}

fn zsad(sandbox: &Sandbox, endpoint: Option<&Server>, args: &[&str]) -> Command {
    let mut command = sandbox.zsad(args);
    command.env("HF_TOKEN", "secret");
    if let Some(server) = endpoint {
        command.env("HF_ENDPOINT", server.url("").trim_end_matches('/'));
    }
    command
}

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("hub/hub/models--owner--net")
}

#[test]
fn a_file_of_the_hub_lies_in_its_cache_and_in_the_data_folder_and_the_token_goes_to_the_hub_alone() {
    let (sandbox, body) = (Sandbox::default(), bytes(50_000, 1));
    let sum = sha256(&body);
    let server = hub(body.clone(), sum.clone());
    sandbox.write("own.yaml", own(&fields("owner/net")));
    Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(0);
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    let seen = server.seen();
    let asked: Vec<_> = seen.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.header("authorization"))).collect();
    let pinned = format!("/owner/net/resolve/{COMMIT}/deep/w.bin");
    let main = "/owner/net/resolve/main/deep/w.bin";
    let want = [("HEAD", main, "Bearer secret"), ("GET", pinned.as_str(), "Bearer secret"), ("GET", "/cdn/x", "")];
    assert_eq!(asked, want);
    // As huggingface_hub lays it out.
    let cache = cache(&sandbox);
    assert_eq!(std::fs::read(cache.join("blobs").join(&sum)).unwrap(), body);
    let link = cache.join(format!("snapshots/{COMMIT}/deep/w.bin"));
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("../../../blobs").join(&sum));
    assert_eq!(std::fs::read_to_string(cache.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(std::fs::read_dir(cache.join("blobs")).unwrap().count(), 1);
    // The hub vouches for it: that is no trust on first use.
    let lock = std::fs::read_to_string(sandbox.path("data/lock.yaml")).unwrap();
    assert!(lock.contains(&sum) && lock.contains("vouched: true"), "{lock}");
}

#[test]
fn what_is_in_the_cache_is_verified_and_used_without_a_network() {
    let (sandbox, body) = (Sandbox::default(), bytes(50_000, 2));
    let sum = sha256(&body);
    sandbox.write("own.yaml", own(&fields("owner/net")));
    let cache = "hub/hub/models--owner--net";
    let blob = sandbox.write(&format!("{cache}/blobs/{sum}"), &body);
    sandbox.write(&format!("{cache}/refs/main"), COMMIT);
    let link = sandbox.path(&format!("{cache}/snapshots/{COMMIT}/deep/w.bin"));
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("../../../blobs/{sum}"), &link).unwrap();
    let offline = |sandbox: &Sandbox| Done::of(zsad(sandbox, None, &ARGS).env("HF_HUB_OFFLINE", "1").output().unwrap());
    assert!(offline(&sandbox).expect(0).out.contains("from the hub's cache"));
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    std::fs::remove_file(sandbox.own_file()).unwrap();
    std::fs::remove_file(sandbox.path("data/lock.yaml")).unwrap();
    std::fs::remove_file(&blob).unwrap();
    sandbox.write(&format!("{cache}/blobs/{sum}"), bytes(50_000, 3));
    let done = offline(&sandbox).expect(3);
    assert!(done.err.contains("damaged in the hub's cache: SHA-256: expected"), "{}", done.err);
    assert!(done.err.contains("nothing is fetched offline"), "{}", done.err);
    // With a network the damaged one is replaced.
    let server = hub(body.clone(), sum.clone());
    Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(0);
    assert_eq!(std::fs::read(&blob).unwrap(), body);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_left_out() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 7));
    let server = hub(body.clone(), sha256(&body));
    sandbox.write("own.yaml", own(&fields("owner/net")));
    // A file where its folder should be stops everyone, the superuser as well.
    sandbox.write("hub/hub", "in the way");
    Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(0);
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    assert_eq!(sandbox.own_folder(), ["a.bin"]);
}

#[test]
fn a_renamed_repository_is_found_and_another_file_than_the_manifest_pins_is_refused_before_its_bytes() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 4));
    let server = hub(body.clone(), sha256(&body));
    sandbox.write("own.yaml", own(&fields("old/net")));
    Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(0);
    let sandbox = Sandbox::default();
    let pinned = [fields("owner/net"), vec![format!("sha256: {}", "0".repeat(64)), "strength: published".into()]];
    sandbox.write("own.yaml", own(&pinned.concat()));
    let before = server.seen().len();
    let done = Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(3);
    assert!(done.err.contains("SHA-256: expected 0000000000000000…, the hub has"), "{}", done.err);
    assert!(server.seen()[before..].iter().all(|r| r.method == "HEAD"));
    assert!(!sandbox.own_file().exists());
}

#[test]
fn what_the_hub_serves_must_be_what_it_announced() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 5));
    let server = hub(body, sha256(b"another"));
    sandbox.write("own.yaml", own(&fields("owner/net")));
    let done = Done::of(zsad(&sandbox, Some(&server), &ARGS).output().unwrap()).expect(3);
    assert!(done.err.contains("SHA-256: expected"), "{}", done.err);
    assert!(!sandbox.own_file().exists());
    assert!(
        std::fs::read_dir(cache(&sandbox).join("blobs"))
            .unwrap()
            .flatten()
            .all(|e| { e.file_name().to_string_lossy().contains(".part") })
    );
}

#[test]
fn a_token_is_not_for_other_hosts_and_not_for_unencrypted_ones() {
    let (sandbox, body) = (Sandbox::default(), bytes(1000, 6));
    let held = body.clone();
    let server = Server::new(move |request, _| Answer::file(&held, "v1", request));
    // A plain URL of another host than the endpoint's.
    sandbox.write("own.yaml", own(&zsad_tests::shelf::served(&[server.other_host("a")], &body)));
    let elsewhere = hub(body, String::new());
    Done::of(zsad(&sandbox, Some(&elsewhere), &ARGS).output().unwrap()).expect(0);
    assert!(server.seen().iter().all(|r| r.header("authorization").is_empty()));
}
