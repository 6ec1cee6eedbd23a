//! `zsad data` beyond fetching: files that a person has, plans for other tools, removal, and a run on what was fetched.

use zsad_tests::server::{Answer, Server};
use zsad_tests::shelf::{HEAD, archive, bytes, own, packed, served, sha256};
use zsad_tests::{Sandbox, column};

#[test]
fn a_file_that_a_person_has_is_known_by_its_bytes_whatever_its_name() {
    let (sandbox, body) = (Sandbox::default(), bytes(5000, 1));
    sandbox.write("own.yaml", own(&served(&["http://127.0.0.1:9/a".into()], &body)));
    sandbox.write("Downloads/a (1).bin", &body);
    let done = sandbox.data("add", &["Downloads/a (1).bin"]).expect(0);
    assert_eq!(done.out, "Downloads/a (1).bin: taken as own/a.bin\n");
    assert_eq!(std::fs::read(sandbox.own_file()).unwrap(), body);
    assert!(sandbox.path("Downloads/a (1).bin").exists(), "a person's file stays");
    assert!(sandbox.data("add", &["Downloads"]).expect(0).out.contains("own/a.bin was here before"));
    sandbox.data("remove", &["--yes"]).expect(0);
    assert!(!sandbox.path("data/own").exists());
    let other = bytes(5000, 2);
    sandbox.write("a.bin", &other);
    sandbox.write("b.bin", &other);
    let done = sandbox.data("add", &["a.bin"]).expect(3);
    let (want, found) = (sha256(&body), sha256(&other));
    let why = format!("not the own/a.bin that is known: SHA-256: expected {}…, found {}…", &want[..16], &found[..16]);
    assert!(done.err.contains(&why), "{}", done.err);
    let done = sandbox.data("add", &["b.bin"]).expect(3);
    assert!(done.err.contains("none of the files of own") && done.err.contains("wanted: a.bin"), "{}", done.err);
    assert!(sandbox.own_folder().is_empty());
    // Where nobody publishes a checksum, the name decides.
    sandbox.write("own.yaml", own(&["urls: [\"http://127.0.0.1:9/a\"]".into()]));
    sandbox.data("add", &["a.bin"]).expect(0);
    assert!(std::fs::read_to_string(sandbox.path("data/lock.yaml")).unwrap().contains(&found));
}

#[test]
fn plans_are_lines_that_run() {
    let (sandbox, body) = (Sandbox::default(), bytes(5000, 3));
    let held = body.clone();
    let server = Server::new(move |request, _| Answer::file(&held, "v1", request));
    let url = server.url("it's");
    sandbox.write("own.yaml", own(&served(&[url.clone(), "http://127.0.0.1:9/b".into()], &body)));
    let curl = sandbox.data("plan", &["--as", "curl"]).expect(0).out;
    let quoted = url.replace('\'', r"'\''");
    assert_eq!(curl, format!("curl -C - --fail -L --create-dirs -o 'data/own/a.bin' '{quoted}'\n"));
    let aria = sandbox.data("plan", &["--as", "aria2"]).expect(0).out;
    let sum = sha256(&body);
    let want = format!(
        "{url}\thttp://127.0.0.1:9/b\n  dir=data\n  out=own/a.bin\n  checksum=sha-256={sum}\n  continue=true\n"
    );
    assert_eq!(aria, want);
    assert!(sandbox.data("plan", &[]).expect(0).out.contains("own/a.bin\n  5.0 kB; SHA-256"));
    assert!(server.seen().is_empty());
    if std::process::Command::new("curl").arg("--version").output().is_ok() {
        let mut ran = std::process::Command::new("sh");
        ran.args(["-c", &curl]).env("NO_PROXY", "*").current_dir(sandbox.path(""));
        assert!(ran.status().unwrap().success());
        sandbox.data("fetch", &["--offline"]).expect(0);
        let nothing = sandbox.data("plan", &[]).expect(0);
        assert!(nothing.out.is_empty() && nothing.err.contains("all of it is here"));
    }
}

#[test]
fn removing_says_first_and_takes_only_what_is_its_own() {
    let (sandbox, body) = (Sandbox::default(), bytes(5000, 4));
    sandbox.write("own.yaml", own(&served(&["http://127.0.0.1:9/a".into()], &body)));
    sandbox.write("data/own/a.bin", &body);
    sandbox.write("data/own/notes.txt", "mine");
    assert!(sandbox.data("remove", &[]).expect(0).out.contains("1 file, 5.0 kB, would be removed"));
    assert!(sandbox.own_file().exists());
    sandbox.data("remove", &["--yes"]).expect(0);
    assert_eq!(sandbox.own_folder(), ["notes.txt"]);
}

#[test]
fn an_archive_is_unpacked_whole_or_in_parts_and_what_came_out_can_be_verified_and_removed() {
    let sandbox = Sandbox::default();
    let zip = packed(&[("top/red/1.txt", b"one"), ("top/blue/2.txt", b"two"), ("top/red/3.txt", b"three")]);
    let held = zip.clone();
    let server = Server::new(move |request, _| Answer::file(&held, "v1", request));
    let manifest = archive(server.url("a"), &zip, ", strip: 1");
    sandbox.write("own.yaml", &manifest);
    let done = sandbox.run(&["data", "fetch", "own/red", "--manifest", "own.yaml", "--data", "data"]).expect(0);
    assert!(done.err.contains("own/a.zip: unpacking into own/in"), "{}", done.err);
    assert_eq!(std::fs::read(sandbox.path("data/own/in/red/3.txt")).unwrap(), b"three");
    assert!(!sandbox.path("data/own/in/blue").exists());
    assert_eq!(sandbox.own_folder(), ["in"], "the archive is gone");
    assert!(sandbox.data("list", &[]).expect(0).out.contains("own   partial"));
    sandbox.run(&["data", "fetch", "own/red", "--manifest", "own.yaml", "--data", "data"]).expect(0);
    assert_eq!(server.seen().len(), 1, "that part is here");
    sandbox.fetch(&manifest, &[]).expect(0);
    assert!(sandbox.data("list", &[]).expect(0).out.contains("own   here"));
    assert!(sandbox.data("verify", &[]).expect(0).out.contains("own: 3 of 3 files whole"));
    // `sha256sum` itself reads the receipt.
    let check = ["-c", "--quiet", ".zsad/own/a.zip.sums"];
    if let Ok(output) = std::process::Command::new("sha256sum").args(check).current_dir(sandbox.path("data")).output() {
        assert!(output.status.success(), "{output:?}");
    }
    sandbox.write("data/own/in/blue/2.txt", "tow");
    sandbox.write("data/own/in/mine.txt", "mine");
    let done = sandbox.data("verify", &[]).expect(3);
    let (want, found) = (sha256(b"two"), sha256(b"tow"));
    let line = format!("own/in/blue/2.txt: damaged: SHA-256: expected {}…, found {}…", &want[..16], &found[..16]);
    assert!(done.out.contains(&line), "{}", done.out);
    sandbox.data("remove", &["--yes"]).expect(0);
    assert_eq!(std::fs::read_dir(sandbox.path("data/own/in")).unwrap().count(), 1, "what is not its own stays");
    let done = sandbox.run(&["data", "fetch", "own/green", "--manifest", "own.yaml", "--data", "data"]).expect(3);
    assert!(done.err.contains("no green is in it"), "{}", done.err);
}

#[test]
fn an_archive_that_a_person_has_is_unpacked_from_where_it_lies_and_one_in_its_place_offline() {
    let sandbox = Sandbox::default();
    let zip = packed(&[("red/1.txt", b"one"), ("blue/2.txt", b"two")]);
    sandbox.write("own.yaml", archive("http://127.0.0.1:9/a".into(), &zip, ""));
    sandbox.write("else.zip", &zip);
    sandbox.data("add", &["else.zip"]).expect(0);
    assert_eq!(std::fs::read(sandbox.path("data/own/in/red/1.txt")).unwrap(), b"one");
    assert_eq!(sandbox.own_folder(), ["in"]);
    sandbox.data("remove", &["--yes"]).expect(0);
    // As another tool left it.
    sandbox.write("data/own/a.zip", &zip);
    let done = sandbox.data("fetch", &["--offline", "--keep"]).expect(0);
    assert_eq!(done.out, "own/a.zip: was here, unpacked now\n");
    assert_eq!(sandbox.own_folder(), ["a.zip", "in"]);
    // As a process left it that was killed between unpacking and its receipt.
    sandbox.write("data/.zsad/own/a.zip.sums", "");
    assert!(sandbox.data("list", &[]).expect(0).out.contains("own   partial"));
    assert!(sandbox.data("verify", &[]).expect(3).out.contains("own/a.zip: partial"));
    sandbox.data("fetch", &["--offline"]).expect(0);
    assert!(sandbox.data("verify", &[]).expect(0).out.contains("own: 2 of 2 files whole"));
    // A copy that a person unpacked is taken as it is, and left alone.
    let sandbox = Sandbox::default();
    sandbox.write("own.yaml", archive("http://127.0.0.1:9/a".into(), &zip, ""));
    sandbox.write("data/own/in/red/1.txt", "one");
    sandbox.write("data/own/in/blue/2.txt", "two");
    assert!(sandbox.data("list", &[]).expect(0).out.contains("own   here"));
    assert!(sandbox.data("verify", &[]).expect(0).out.contains("not checked: unpacked without zsad"));
    assert!(sandbox.data("remove", &["--yes"]).expect(0).out.contains("stays, it was not unpacked by zsad"));
    assert!(sandbox.path("data/own/in/red/1.txt").exists());
}

/// The four files of an MNIST of 30 images a digit in either half: a digit is a bar of its own place, images differ by a dot.
fn digits() -> [(&'static str, Vec<u8>); 4] {
    let bytes = |head: &[u32], data: Vec<u8>| head.iter().flat_map(|v| v.to_be_bytes()).chain(data).collect();
    let labels = || (0..300u32).map(|i| (i % 10) as u8).collect();
    let pixel = |i: u32, x: u32, y: u32| if x / 2 == i % 10 || (x, y) == (i % 28, i / 28) { 255 } else { 0 };
    let pixels = || (0..300 * 28 * 28).map(|p| pixel(p / 784, p % 28, p / 28 % 28)).collect();
    let images = || bytes(&[0x803, 300, 28, 28], pixels());
    [
        ("train-images-idx3-ubyte", images()),
        ("train-labels-idx1-ubyte", bytes(&[0x801, 300], labels())),
        ("t10k-images-idx3-ubyte", images()),
        ("t10k-labels-idx1-ubyte", bytes(&[0x801, 300], labels())),
    ]
}

#[test]
fn an_empty_data_folder_is_filled_from_a_mirror_and_a_run_goes_on_it() {
    let sandbox = Sandbox::default();
    let files = digits();
    let held = files.clone();
    let server = Server::new(move |request, before| match held.iter().find(|(name, _)| request.path.ends_with(name)) {
        // Each breaks off once.
        Some((_, body)) => Answer { cut: (before == 0).then_some(body.len() / 2), ..Answer::file(body, "v1", request) },
        None => Answer::status(404),
    });
    let file = |(name, body): &(&str, Vec<u8>)| {
        let (url, sum) = (server.url(name), sha256(body));
        format!(
            "  - {{path: mnist/{name}, urls: [\"{url}\"], size: {}, sha256: {sum}, strength: published}}\n",
            body.len()
        )
    };
    let head = HEAD.replace("name: own", "name: mnist") + "used_by: [mnist]\nfiles:\n";
    sandbox.write("mnist.yaml", head + &files.each_ref().map(file).concat());
    let text = "experiment: x\ndatasets: [mnist]\nmethods: [knn]\nprotocol: {batch_size: [20], contamination: [0.1], \
                n_batches: 1}\nseeds: [0]\n";
    sandbox.write("x.yaml", text);
    let done = sandbox.run(&["run", "x.yaml", "--data", "fresh"]).expect(3);
    let last = done.err.lines().last().unwrap();
    assert_eq!(last, "to fetch what is missing: zsad data fetch mnist --data fresh");
    let done = sandbox.run(&["run", "x.yaml", "--data", "fresh", "--fetch", "--manifest", "mnist.yaml"]).expect(0);
    assert!(done.out.contains("mnist/train-images-idx3-ubyte: 235.2 kB from"), "{}", done.out);
    let status = column(&sandbox.path("results/runs/x"), "status");
    assert!(!status.is_empty() && status.iter().all(|s| s == "ok"), "{status:?}");
    let done = sandbox.run(&["data", "fetch", "--for", "x.yaml", "--data", "fresh"]).expect(0);
    assert_eq!(done.out, "x: nothing is missing that could be fetched\n");
    let listed = ["data", "list", "--for", "x.yaml", "--data", "fresh", "--manifest", "mnist.yaml"];
    assert!(sandbox.run(&listed).expect(0).out.contains("mnist  here"));
}

#[test]
fn every_experiment_that_lacks_data_says_what_there_is_to_fetch() {
    let (sandbox, mut said) = (Sandbox::default(), 0);
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let done = sandbox.run(&["plan", path.to_str().unwrap(), "--data", "nowhere"]);
        // Digits and Omniglot are in the program.
        if done.code != 0 {
            let last = done.err.lines().last().unwrap_or_default();
            assert!(last.starts_with("to fetch what is missing: zsad data fetch "), "{}: {last}", path.display());
            said += 1;
        }
    }
    assert!(said >= 12, "{said}");
}

#[test]
fn a_run_says_which_data_were_trusted_on_first_use() {
    let sandbox = Sandbox::default();
    let row = |i: usize| format!("d{},{},{},{}\n", i / 60, i * 37 % 101, i * 53 % 89, usize::from(i % 20 == 7));
    let table = "day,a,b,label\n".to_owned() + &(0..240).map(row).collect::<String>();
    let server = Server::new(move |_, _| Answer::whole(table.as_bytes()));
    let head = HEAD.to_owned() + "used_by: [table]\nfiles:\n";
    sandbox.write("own.yaml", format!("{head}  - {{path: own/t.csv, urls: [\"{}\"]}}\n", server.url("t.csv")));
    sandbox.data("fetch", &[]).expect(0);
    let table = "{name: table, params: {file: own/t.csv, domain: day, label: label}}";
    let protocol = "protocol: {batch_size: [20], contamination: [0.1], n_batches: 1}\nseeds: [0]\n";
    let first_use = |dataset: &str, out: &str| {
        sandbox.write("x.yaml", format!("experiment: x\ndatasets: [{dataset}]\nmethods: [iforest]\n{protocol}"));
        sandbox.run(&["run", "x.yaml", "--data", "data", "--out", out]);
        let text = std::fs::read_to_string(sandbox.path(out).join("provenance.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["runs"][0]["first_use"].clone()
    };
    assert_eq!(first_use(table, "a"), serde_json::json!(["own/t.csv"]));
    assert_eq!(first_use("digits", "b"), serde_json::json!([]), "digits read no file");
}

#[test]
fn completions_know_what_can_be_fetched() {
    let done = Sandbox::default().run(&["completions", "bash"]).expect(0);
    for word in ["zsad__subcmd__data", "omniglot", "verify"] {
        assert!(done.out.contains(word), "{word}");
    }
}
