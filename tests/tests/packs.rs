//! A run as one file to hand on: it can be checked, and whatever was changed in it is found.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use zsad_tests::Sandbox;

/// A small run with a method that learns and two that do not.
fn ran() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write(
        "x.yaml",
        "experiment: small\ndescription: to be <packed> & checked\ndatasets: [digits]\nmethods:\n  - {name: acr_dsvdd, params: \
         {steps: 2}}\n  - knn\n  - bn_distance\nprotocol: {batch_size: [20], contamination: [0.1, 0.2], n_batches: 3}\nseeds: [0]\n",
    );
    sandbox.run(&["run", "x.yaml"]).expect(0);
    sandbox
}

fn packed(sandbox: &Sandbox) -> String {
    let done = sandbox.run(&["pack", "small", "-o", "small.tar.zst"]).expect(0);
    let (_, identity) = done.out.trim_end().split_once("\nidentity: ").expect("its identity");
    identity.to_owned()
}

/// The members of a pack.
fn members(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
    let member = |entry: std::io::Result<tar::Entry<_>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    archive.entries().unwrap().map(member).collect()
}

/// Writes members as a pack, by other means than the program's.
fn write(path: &Path, members: &BTreeMap<String, Vec<u8>>) {
    let mut tape = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tape.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    let mut encoder = zstd::Encoder::new(fs::File::create(path).unwrap(), 1).unwrap();
    encoder.write_all(&tape.into_inner().unwrap()).unwrap();
    encoder.finish().unwrap();
}

/// Puts the digests of the members as they are now into the crate's list.
fn fix_list(members: &mut BTreeMap<String, Vec<u8>>) {
    let mut list: Value = serde_json::from_slice(&members["small/ro-crate-metadata.json"]).unwrap();
    for entity in list["@graph"].as_array_mut().unwrap() {
        let id = entity["@id"].as_str().unwrap().to_owned();
        if let Some(bytes) = members.get(&format!("small/{id}")).filter(|_| entity["sha256"].is_string()) {
            let sum: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            entity["sha256"] = Value::String(sum);
        }
    }
    members.insert("small/ro-crate-metadata.json".into(), serde_json::to_vec_pretty(&list).unwrap());
}

#[test]
fn a_pack_verifies_and_the_same_run_gives_the_same_bytes() {
    let sandbox = ran();
    let identity = packed(&sandbox);
    let first = fs::read(sandbox.path("small.tar.zst")).unwrap();
    assert_eq!(packed(&sandbox), identity);
    assert!(fs::read(sandbox.path("small.tar.zst")).unwrap() == first);
    let done = sandbox.run(&["verify", "small.tar.zst", "--identity", &identity]).expect(0);
    // Three methods, two points, four digits, four metrics.
    assert!(done.out.contains("96 values of metrics of 6 cells computed again from the scores"), "{}", done.out);
    assert!(done.out.ends_with("small.tar.zst: all as it was packed\n"), "{}", done.out);
    // What was appended later is computed again, too.
    sandbox.run(&["metrics", "--append", "precision_at_n", "small"]).expect(0);
    sandbox.run(&["pack", "small", "-o", "later.tar.zst"]).expect(0);
    let done = sandbox.run(&["verify", "later.tar.zst"]).expect(0);
    assert!(done.out.contains("120 values of metrics of 6 cells computed again from the scores"), "{}", done.out);
    let done = sandbox.run(&["verify", "small.tar.zst", "--identity", "00"]).expect(1);
    assert!(done.out.starts_with(&format!("identity: 00 expected, {identity} found\n")), "{}", done.out);

    let members = members(&sandbox.path("small.tar.zst"));
    let list: Value = serde_json::from_slice(&members["small/ro-crate-metadata.json"]).unwrap();
    let graph = list["@graph"].as_array().unwrap();
    let entity = |id: &str| graph.iter().find(|e| e["@id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!(entity("ro-crate-metadata.json")["conformsTo"]["@id"], "https://w3id.org/ro/crate/1.1");
    let parts = entity("./")["hasPart"].as_array().unwrap();
    assert_eq!(parts.len() + 2, members.len(), "every file but the list and its page");
    for part in parts {
        let file = entity(part["@id"].as_str().unwrap());
        let bytes = &members[&format!("small/{}", part["@id"].as_str().unwrap())];
        assert_eq!((&file["@type"], &file["contentSize"]), (&"File".into(), &bytes.len().to_string().into()));
    }
    assert_eq!(entity("#run-1")["@type"], "CreateAction");
    let page = String::from_utf8(members["small/ro-crate-preview.html"].clone()).unwrap();
    assert!(page.contains("to be &lt;packed&gt; &amp; checked") && page.contains("acr_dsvdd"), "{page}");
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert!(names.iter().all(|name| !name.contains("models/")));
    sandbox.run(&["pack", "small", "-o", "with.tar.zst", "--models"]).expect(0);
    let with = self::members(&sandbox.path("with.tar.zst"));
    names = with.keys().map(String::as_str).collect();
    assert_eq!(names.iter().filter(|n| n.contains("/models/") && n.ends_with("/model.safetensors")).count(), 1);
    sandbox.run(&["verify", "with.tar.zst"]).expect(0);
}

#[test]
fn a_byte_that_is_changed_in_any_file_is_found_and_named() {
    let sandbox = ran();
    packed(&sandbox);
    let whole = members(&sandbox.path("small.tar.zst"));
    for name in whole.keys() {
        let mut changed = whole.clone();
        let bytes = changed.get_mut(name).unwrap();
        let middle = bytes.len() / 2;
        // In a list of digests, one of its digests.
        let at = if name.ends_with("metadata.json") {
            let text = String::from_utf8(bytes.clone()).unwrap();
            text.rfind("\"sha256\": \"").unwrap() + 12
        } else {
            middle
        };
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        write(&sandbox.path("changed.tar.zst"), &changed);
        let done = sandbox.run(&["verify", "changed.tar.zst"]);
        let file = name.strip_prefix("small/").unwrap();
        assert_eq!(done.code, 1, "{name}: {}{}", done.out, done.err);
        let named = done.out.contains(&format!("{file}: changed: SHA-256"));
        assert!(
            named || file.ends_with("metadata.json") && done.out.contains(": changed: SHA-256"),
            "{name}: {}",
            done.out
        );
    }
    let mut fewer = whole.clone();
    fewer.remove("small/table.md");
    fewer.insert("small/more.txt".into(), b"more".to_vec());
    write(&sandbox.path("changed.tar.zst"), &fewer);
    let done = sandbox.run(&["verify", "changed.tar.zst"]).expect(1);
    assert!(done.out.contains("table.md: missing") && done.out.contains("more.txt: not on the list"), "{}", done.out);
}

#[test]
fn numbers_that_are_changed_are_found_though_the_list_is_made_anew() {
    let sandbox = ran();
    packed(&sandbox);
    let whole = members(&sandbox.path("small.tar.zst"));
    let record = whole.keys().find(|n| n.starts_with("small/records/") && n.ends_with(".json")).unwrap().clone();
    let key = record.strip_prefix("small/records/").unwrap().strip_suffix(".json").unwrap().to_owned();
    let json: Value = serde_json::from_slice(&whole[&record]).unwrap();
    let verified = |changed: &BTreeMap<String, Vec<u8>>| {
        let mut changed = changed.clone();
        fix_list(&mut changed);
        write(&sandbox.path("changed.tar.zst"), &changed);
        let done = sandbox.run(&["verify", "changed.tar.zst"]).expect(1);
        assert!(!done.out.contains("SHA-256: listed"), "{}", done.out);
        done.out
    };
    let with_record = |json: &Value| {
        let mut changed = whole.clone();
        changed.insert(record.clone(), serde_json::to_vec(json).unwrap());
        verified(&changed)
    };
    // A metric, a count, a parameter behind the key.
    let mut better = json.clone();
    let stored = better["domains"][1]["metrics"]["auroc"].as_f64().unwrap();
    better["domains"][1]["metrics"]["auroc"] = (stored - 0.001).into();
    let out = with_record(&better);
    let wanted = format!("domain 7: auroc: stored {}, recomputed {stored}", stored - 0.001);
    assert!(out.contains(&format!("records/{key}.json: ")) && out.contains(&wanted), "{out}");
    let mut fewer = json.clone();
    fewer["domains"][0]["n_anomalous"] = 1.into();
    assert!(with_record(&fewer).contains("domain 6: n_anomalous: stored 1, recomputed"));
    let mut other = json.clone();
    other["cell"]["fit"]["seed"] = 9.into();
    assert!(with_record(&other).contains(&format!("key of the cell: stored {key}, computed")));
    // Maps are not stored, so that nothing can be said of what was measured on them.
    let mut pixels = json.clone();
    pixels["domains"][0]["metrics"]["pixel_auroc"] = 0.9.into();
    assert!(with_record(&pixels).contains("not computed again: 1 value of pixel_auroc: its maps are not stored"));

    // Scores of another cell in the place of this one's.
    let scores = |key: &str| format!("small/records/{key}.scores.parquet");
    let mut swapped = whole.clone();
    let another = whole.keys().filter(|n| n.ends_with(".scores.parquet") && **n != scores(&key)).nth(1).unwrap();
    swapped.insert(scores(&key), whole[another].clone());
    let out = verified(&swapped);
    assert!(out.contains(&format!("records/{key}.json: ")) && out.contains("recomputed"), "{out}");
    let mut gone = whole.clone();
    gone.remove(&scores(&key));
    assert!(verified(&gone).contains(&format!("records/{key}.scores.parquet: ")));

    // What is odd about the numbers.
    let mut odd: Value = serde_json::from_slice(&whole["small/anomalies.json"]).unwrap();
    let finding =
        serde_json::json!({"kind": "below_chance", "dataset": "digits", "method": "knn", "message": "x", "cells": []});
    odd["findings"].as_array_mut().unwrap().push(finding);
    let mut more = whole.clone();
    more.insert("small/anomalies.json".into(), serde_json::to_vec(&odd).unwrap());
    let out = verified(&more);
    assert!(out.contains("anomalies.json: stored and not found: knn on digits: x"), "{out}");

    // Results and tables.
    let text = String::from_utf8(whole["small/results.csv"].clone()).unwrap();
    let auroc = json["domains"][1]["metrics"]["auroc"].to_string();
    let mut results = whole.clone();
    // In its own row: other rows may have the same number elsewhere.
    let row = text.lines().find(|l| l.contains(&key) && l.contains(",digits,7,")).unwrap();
    let changed = text.replace(row, &row.replacen(&format!(",{auroc},"), ",0.125,", 1));
    results.insert("small/results.csv".into(), changed.into_bytes());
    let out = verified(&results);
    assert!(out.contains("results.csv: ") && out.contains("auroc: stored 0.125, recomputed"), "{out}");
    let mut results = whole.clone();
    results
        .insert("small/results.csv".into(), text.lines().take(5).map(|l| format!("{l}\n")).collect::<String>().into());
    assert!(verified(&results).contains(": no row"));
    let mut tables = whole.clone();
    let table = String::from_utf8(whole["small/table.md"].clone()).unwrap();
    tables.insert("small/table.md".into(), table.replacen(" ± ", " ± 1", 1).replacen("| 4 |", "| 5 |", 1).into_bytes());
    assert!(verified(&tables).contains("table.md: not the table of the results"));
}

#[test]
fn what_is_no_pack_or_breaks_off_is_one_clear_error_and_a_hostile_one_is_refused() {
    let sandbox = ran();
    packed(&sandbox);
    let whole = fs::read(sandbox.path("small.tar.zst")).unwrap();
    for part in [1, 2, 3] {
        sandbox.write("half.tar.zst", &whole[..whole.len() * part / 4]);
        let done = sandbox.run(&["verify", "half.tar.zst"]).expect(3);
        assert!(done.err.starts_with("error: half.tar.zst: damaged or truncated"), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    sandbox.write("no.tar.zst", "<html>");
    let done = sandbox.run(&["verify", "no.tar.zst"]).expect(3);
    assert!(done.err.contains("no.tar.zst: is no archive: it begins with `<html>`"), "{}", done.err);
    write(&sandbox.path("other.tar.zst"), &BTreeMap::from([("a/b.txt".to_owned(), b"b".to_vec())]));
    let done = sandbox.run(&["verify", "other.tar.zst"]).expect(3);
    assert!(
        done.err.contains("ro-crate-metadata.json") && done.err.contains("this is no pack of zsad"),
        "{}",
        done.err
    );

    let mut tape = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..13].copy_from_slice(b"../../out.txt");
    header.set_size(0);
    header.set_cksum();
    tape.append(&header, std::io::empty()).unwrap();
    let mut encoder = zstd::Encoder::new(fs::File::create(sandbox.path("up.tar.zst")).unwrap(), 1).unwrap();
    encoder.write_all(&tape.into_inner().unwrap()).unwrap();
    encoder.finish().unwrap();
    let done = sandbox.run(&["verify", "up.tar.zst"]).expect(3);
    assert!(done.err.contains("its path leads out of the folder"), "{}", done.err);

    // What was published without its records cannot be packed.
    fs::remove_dir_all(sandbox.path("results/runs/small/records")).unwrap();
    let done = sandbox.run(&["pack", "small", "-o", "again.tar.zst"]).expect(3);
    assert!(done.err.contains("missing or damaged; hint: a pack is made of the folder"), "{}", done.err);
    assert!(!sandbox.path("again.tar.zst").exists());
}

#[test]
fn a_run_and_a_method_are_cited_in_bibtex() {
    let sandbox = ran();
    let text = sandbox.run(&["cite", "small"]).expect(0).out;
    for key in [
        "@misc{zsad,",
        "@inproceedings{li2023zero,",
        "@inproceedings{ramaswamy2000efficient,",
        "@misc{alpaydin1998optical,",
    ] {
        assert_eq!(text.matches(key).count(), 1, "{key}: {text}");
    }
    let one = sandbox.run(&["cite", "acr_ntl"]).expect(0).out;
    assert!(one.contains("{li2023zero,") && one.contains("{qiu2021neural,") && !one.contains("ramaswamy"), "{one}");
    let done = sandbox.run(&["cite", "smal"]).expect(2);
    assert!(done.err.contains("did you mean `small`?"), "{}", done.err);
}
