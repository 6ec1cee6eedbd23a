use super::*;
use crate::DATASETS;

/// A manifest that is right, with `more` at the end of its only file.
fn small(more: &str) -> String {
    format!(
        "name: small\nkind: data\ntitle: S\ndescription: d\nhomepage: h\nlicence: none stated\ncitation: c\n\
         revision: \"1\"\nfiles:\n  - path: small/a.bin\n    urls: [\"https://a.example/a.bin\"]\n{more}"
    )
}

#[test]
fn every_built_in_manifest_is_right_and_the_list_is_sorted() {
    let all = all().unwrap();
    assert!(all.is_sorted_by(|a, b| a.name < b.name));
    for (manifest, (name, _)) in all.iter().zip(list::BUILT_IN) {
        assert_eq!(manifest.name, *name, "the file's name is the manifest's");
        if let Some(def) = manifest.used_by.first().and_then(|used| crate::find(used)) {
            assert!(def.configure(&manifest.params).is_ok(), "{name}: params: {:?}", manifest.params);
        }
        let known = |used: &&String| manifest.kind == Kind::Weights || DATASETS.iter().any(|d| d.spec().name == **used);
        assert!(manifest.used_by.iter().all(|u| known(&u)), "{name}: used_by: {:?}", manifest.used_by);
        assert_eq!(find(&all, name).unwrap(), manifest);
    }
    let listed = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests")).unwrap().count();
    assert_eq!(listed, all.len(), "every file of the folder is in the list");
    let unknown = find(&all, "omniglott").unwrap_err().to_string();
    assert_eq!(unknown, "nothing is known as `omniglott`; hint: did you mean `omniglot`?");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let refused = |text: &str| parse(text, "own.yaml").unwrap_err().to_string();
    assert!(parse(&small(""), "own.yaml").is_ok());
    let cases = [
        (small("    sha256: ABC\n"), "files: `small/a.bin`: sha256: `ABC`: want 64 lower-case hex digits"),
        (small("    unpack: zip\n"), "into: `unpack` needs the folder"),
        (small("    keep: true\n"), "into, keep, members, strip and provides are for `unpack`"),
        (small("    unpack: zip\n    into: ../x\n"), "`../x`: want a path inside the data folder"),
        (small("    hub: {repo: one, file: a}\n"), "hub: repo: `one`: want owner/name"),
        (small("  - {path: Small/A.bin, urls: [\"http://b\"]}\n"), "`Small/A.bin`: is there twice"),
        (small("access: manual\n"), "steps: are for `access: manual`, which needs them"),
        (small("").replace("name: small", "name: Small"), "name: `Small`: want lower-case letters"),
        (small("").replace("small/a.bin", "/etc/a"), "`/etc/a`: want a path inside the data folder"),
        (small("").replace("https://a", "ftp://a"), "want https:// or http://"),
        (small("").replace("licence: none stated", "licence: \"\""), "licence: is empty"),
        (small("colour: red\n"), "unknown field `colour`"),
    ];
    for (text, why) in cases {
        let message = refused(&text);
        assert!(message.starts_with("own.yaml: ") && message.contains(why), "{message}");
    }
}

#[test]
fn checksums_come_strongest_first_and_an_archive_provides_its_folder() {
    let (md5, sha) = ("0".repeat(32), "a".repeat(64));
    let text = small(&format!("    md5: \"{md5}\"\n    sha256: {sha}\n    unpack: tar.gz\n    into: small/in\n"));
    let file = &parse(&text, "own.yaml").unwrap().files[0];
    assert_eq!(file.checksums(), [Checksum::Sha256(sha), Checksum::Md5(md5)]);
    assert_eq!((file.provides(), file.file_name()), (vec!["small/in"], "a.bin"));
    assert_eq!(file.unpacking().unwrap().0.kind, ArchiveKind::TarGz);
    assert_eq!(parse(&small(""), "own.yaml").unwrap().files[0].provides(), ["small/a.bin"]);
}

/// What the data sets ask for is what the manifests bring: empty files in these places are found.
#[test]
fn files_are_placed_where_the_data_sets_look_for_them() {
    // What lies in folders of pictures, and the archives of Omniglot, are found by their own tests.
    let cases = [
        "adbench",
        "adbench_cv_resnet18",
        "adbench_cv_vit",
        "adbench_features",
        "adbench_nlp_bert",
        "adbench_nlp_roberta",
        "cifar10",
        "cifar100",
        "fashion_mnist",
        "gas_drift",
        "mnist",
        "nsl_kdd",
        "organa",
        "organa_64",
        "organa_128",
        "organa_224",
        "organa_2022",
    ];
    let all = all().unwrap();
    for name in cases {
        let manifest = find(&all, name).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for path in manifest.files.iter().flat_map(ManifestFile::provides) {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), "").unwrap();
        }
        let def = crate::find(&manifest.used_by[0]).unwrap();
        let found = crate::testing::files(def, serde_json::to_value(&manifest.params).unwrap(), dir.path());
        assert!(!found.is_empty(), "{name}");
    }
}

#[test]
fn addresses_are_not_of_moving_archives_and_most_files_are_known_by_content() {
    let files: Vec<_> = all().unwrap().into_iter().flat_map(|m| m.files).collect();
    let without: Vec<_> = files.iter().filter(|f| f.checksums().is_empty()).map(|f| f.path.as_str()).collect();
    // Of these no checksum is published; they are remembered when they are first seen.
    assert_eq!(
        without,
        [
            "anoshift/Kyoto-2016_AnoShift.tar",
            "dtd_synthetic/DTD-Synthetic.zip",
            "weights/efficientnet_lite0.ra_in1k.safetensors",
            "real_iad/realiad_256.zip",
            "weights/resnet152.a1_in1k.safetensors",
            "weights/resnet152.tv_in1k.safetensors",
            "weights/tf_efficientnet_lite0.in1k.safetensors",
            "weights/vit_base_patch14_reg4_dinov2.lvd142m.safetensors",
        ]
    );
    assert!(files.iter().flat_map(|f| &f.urls).all(|url| !url.contains("/archive/")));
}
