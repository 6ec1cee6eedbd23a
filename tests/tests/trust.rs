//! A batch without labels, judged: `zsad calibrate`, and `zsad score --trust`.

use std::fmt::Write;

use zsad_tests::{Done, Sandbox};

const SIZE: usize = 40;

/// A number between −1 and 1 that depends on nothing but `i`.
fn noise(i: usize) -> f64 {
    let x = (i as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x >> 11) as f64 / (1u64 << 53) as f64).mul_add(2.0, -1.0)
}

/// A sample of three features about a centre of its domain's own, in a unit of its own; anomalies lie far out.
fn sample(domain: usize, i: usize, anomalous: bool) -> [f64; 3] {
    let unit = 1.0 + domain as f64 / 4.0;
    [0, 1, 2].map(|k| {
        let at = 1000 * domain + 3 * i + k;
        let off = if anomalous { 6.0 * noise(7 * at).signum() } else { 0.0 };
        10.0 * noise(domain * 3 + k) + unit * (noise(at) + noise(at + 500_000) + off)
    })
}

/// `domains` domains of 60 normals and 30 anomalies each.
fn labelled(domains: usize) -> String {
    let mut text = "machine,kind,a,b,c\n".to_owned();
    for domain in 0..domains {
        for i in 0..90 {
            let [a, b, c] = sample(domain, i, i >= 60);
            writeln!(text, "m{domain:02},{},{a},{b},{c}", u8::from(i >= 60)).unwrap();
        }
    }
    text
}

/// A batch of a machine that is not among them, its last `anomalous` samples anomalies.
fn own(anomalous: usize) -> String {
    let mut text = "part,a,b,c\n".to_owned();
    for i in 0..SIZE {
        let [a, b, c] = sample(77, i, i >= SIZE - anomalous);
        writeln!(text, "<i>{i}</i>,{a},{b},{c}").unwrap();
    }
    text
}

fn calibrate(sandbox: &Sandbox, more: &[&str]) -> Done {
    let known = ["calibrate", "--method", "knn", "--dataset", "table", "--out", "cal.json", "--sizes", "40"];
    let params = ["file=all.csv", "domain=machine", "label=kind"];
    let params: Vec<&str> = params.iter().flat_map(|p| ["--dataset-param", p]).collect();
    sandbox.run(&[&known[..], &params, more].concat())
}

fn score(sandbox: &Sandbox, more: &[&str]) -> Done {
    let known =
        ["score", "--method", "knn", "--input", "own.csv", "--id", "part", "--trust", "cal.json", "--out", "s.csv"];
    sandbox.run(&[&known[..], more].concat())
}

/// Domains, a batch with four anomalies, and a calibration.
fn ready() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write("all.csv", labelled(20));
    sandbox.write("own.csv", own(4));
    calibrate(&sandbox, &["--episodes", "240"]).expect(0);
    sandbox
}

#[test]
fn a_batch_of_a_new_domain_is_judged_right() {
    let sandbox = ready();
    let done = score(&sandbox, &["--report", "page.html"]).expect(0);
    assert!(done.out.contains("trust, by cal.json (20 domains of table)"), "{}", done.out);
    let line = |name: &str| done.out.lines().find(|l| l.trim_start().starts_with(name)).unwrap_or_default().to_owned();
    // `contamination, %   10 (8 to 13)`: the truth is 10.
    let numbers = |name: &str| -> Vec<f64> {
        let line = line(name);
        let text = line.split('%').nth(1).unwrap_or_default();
        text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|n| n.parse().ok()).collect()
    };
    let share = numbers("contamination");
    assert!(share[1] <= 10.0 && 10.0 <= share[2] && share[2] - share[1] < 15.0, "{}", done.out);
    assert!(numbers("expected AUROC")[1] >= 95.0, "{}", done.out);
    assert!(line("verdict").ends_with(" trust"), "{}", done.out);
    let text = std::fs::read_to_string(sandbox.path("s.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(rows[0], ["index", "score", "part", "p_anomaly", "decision"]);
    for (i, row) in rows[1..].iter().enumerate() {
        let p: f64 = row[3].parse().unwrap();
        let anomalous = i >= SIZE - 4;
        assert!(if anomalous { p > 0.9 && row[4] == "anomaly" } else { row[4] != "anomaly" }, "{row:?}");
    }
    let page = std::fs::read_to_string(sandbox.path("page.html")).unwrap();
    assert!(page.contains("<strong>trust</strong>") && page.contains("&lt;i&gt;39&lt;/i&gt;"), "{page}");
    assert!(page.contains("`a` ") && !page.contains("<i>"), "{page}");
}

#[test]
fn the_same_draws_on_any_number_of_threads() {
    let sandbox = ready();
    let first = std::fs::read(sandbox.path("cal.json")).unwrap();
    for threads in ["1", "3"] {
        let params = ["file=all.csv", "domain=machine", "label=kind"].iter().flat_map(|p| ["--dataset-param", p]);
        let known = ["calibrate", "--method", "knn", "--dataset", "table", "--sizes", "40", "--episodes", "240"];
        let args: Vec<&str> = known.into_iter().chain(params).chain(["--out", "again.json"]).collect();
        let output = sandbox.zsad(&args).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success());
        assert!(std::fs::read(sandbox.path("again.json")).unwrap() == first, "{threads} threads");
    }
}

#[test]
fn what_is_like_no_domain_is_not_trusted() {
    let sandbox = ready();
    // Two clusters of equal size, each a point repeated with next to no noise: no domain looks so.
    let mut text = "part,a,b,c\n".to_owned();
    for i in 0..SIZE {
        let at = if i % 2 == 0 { 0.0 } else { 50.0 };
        writeln!(text, "{i},{},{at},{at}", at + 1e-6 * i as f64).unwrap();
    }
    sandbox.write("own.csv", text);
    let done = score(&sandbox, &[]).expect(0);
    let said = "against it: its scores look like those of no domain of the calibration (p = 0.048)";
    assert!(done.out.contains(said), "{}", done.out);
    assert!(!done.out.contains("verdict            trust"), "{}", done.out);
}

#[test]
fn few_domains_say_what_they_cannot_know() {
    let sandbox = Sandbox::default();
    sandbox.write("all.csv", labelled(5));
    sandbox.write("own.csv", own(4));
    calibrate(&sandbox, &["--episodes", "240", "--with", "bn_distance"]).expect(0);
    let done = score(&sandbox, &[]).expect(0);
    assert!(done.out.contains("5 domains cannot give a p of 0.05 or less, 19 could"), "{}", done.out);
}

#[test]
fn several_batches_are_judged_one_by_one() {
    let sandbox = ready();
    let twice = own(4) + own(12).split_once('\n').unwrap().1;
    sandbox.write("own.csv", twice);
    let done = score(&sandbox, &["--batch-size", "40"]).expect(0);
    let shares: Vec<&str> = done.out.lines().filter(|l| l.starts_with("  rows")).collect();
    assert_eq!(shares.len(), 2, "{}", done.out);
    assert!(shares[0].contains("rows 0 to 39: trust; contamination"), "{}", done.out);
    let last = std::fs::read_to_string(sandbox.path("s.csv")).unwrap();
    assert!(last.starts_with("index,score,part,p_anomaly,decision,batch\n"), "{last}");
}

#[test]
fn a_calibration_of_something_else_is_refused_before_anything_is_scored() {
    let sandbox = ready();
    let refused = |more: &[&str], said: &str| {
        let done = score(&sandbox, more).expect(2);
        assert!(done.err.contains(said), "{}", done.err);
        assert!(!sandbox.path("s.csv").exists());
    };
    refused(&["--batch-size", "20"], "cal.json: a batch of 20, and it knows batches of 40; hint: --batch-size 40");
    refused(&["--param", "k=9"], "cal.json: a calibration of knn with k 5, and this is 9");
    refused(&["--standardise", "batch"], "tables with `--standardise none`, and this is `batch`");
    let other =
        ["score", "--method", "lof", "--input", "own.csv", "--id", "part", "--trust", "cal.json", "--out", "s.csv"];
    let done = sandbox.run(&other).expect(2);
    assert!(
        done.err.contains("a calibration of knn, and the batch is scored by lof; hint: --method knn"),
        "{}",
        done.err
    );
    let text = std::fs::read_to_string(sandbox.path("cal.json")).unwrap();
    let damaged = [
        (text.replace("\"format\": 1", "\"format\": 2"), "a calibration of form 2, and this program reads form 1"),
        (text[..text.len() / 2].to_owned(), "no JSON"),
        ("{\"a\": 1}".to_owned(), "no calibration; hint: give a file that `zsad calibrate` wrote"),
        (text.replace("\"neighbours\"", "\"neighbors\""), "damaged: missing field `neighbours`"),
    ];
    for (text, said) in damaged {
        sandbox.write("cal.json", text);
        let done = score(&sandbox, &[]).expect(3);
        assert!(done.err.contains("cal.json") && done.err.contains(said), "{}", done.err);
    }
}

#[test]
fn a_calibration_that_cannot_be_made_says_why() {
    let sandbox = Sandbox::default();
    sandbox.write("all.csv", labelled(3));
    let refused = |more: &[&str], code: i32, said: &str| {
        let done = calibrate(&sandbox, more).expect(code);
        assert!(done.err.contains(said), "{}", done.err);
    };
    refused(&["--domains", "m00,m9"], 2, "table: there is no domain `m9`; hint: one of: m00, m01, m02");
    refused(&["--with", "knn"], 2, "--with knn beside --method knn");
    refused(&["--with", "acr_dsvdd"], 2, "--with acr_dsvdd: it does not score a batch by itself");
    refused(&["--checkpoint", "x.safetensors"], 2, "knn takes no trained model");
    refused(&["--episodes", "50"], 1, "50 episodes, and 120 are the least to learn from");
    let wide = ["calibrate", "--method", "knn", "--dataset", "table", "--sizes", "70", "--out", "cal.json"];
    let params =
        ["--dataset-param", "file=all.csv", "--dataset-param", "domain=machine", "--dataset-param", "label=kind"];
    let done = sandbox.run(&[&wide[..], &params].concat()).expect(1);
    assert!(
        done.err.contains("0 of its domains have 70 normals and an anomaly; two at least are needed"),
        "{}",
        done.err
    );
    let done = sandbox.run(&["calibrate", "--method", "acr_dsvdd", "--sizes", "20", "--out", "c.json"]).expect(2);
    assert!(done.err.contains("acr_dsvdd is a trained method; hint: give --checkpoint"), "{}", done.err);
    let done = sandbox.run(&["calibrate", "--method", "knn", "--sizes", "20", "--out", "c.json"]).expect(2);
    assert!(done.err.contains("no data to draw batches from; hint: give --dataset"), "{}", done.err);
}
