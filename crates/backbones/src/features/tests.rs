use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_core::env::Memo;

use super::*;

fn open_or_make(
    path: &Path,
    header: &Header,
    force: bool,
    make: impl FnOnce(&mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>,
) -> Result<Option<Arc<DomainFile>>> {
    file::open_or_make(&Memo::default(), path, header, force, make)
}

/// Drives the file layer as separate processes would: none knows which files another has checked.
#[test]
fn damaged_files_are_found_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let header = Header { identity: serde_json::json!({"test": 1}), rows: 3, values: 5 };
    let path = |i: usize| dir.path().join(format!("features/{i}.bin"));
    let made = AtomicUsize::new(0);
    let make = |sink: &mut dyn FnMut(&[f32]) -> Result<()>| {
        made.fetch_add(1, Ordering::Relaxed);
        (0..3).try_for_each(|i| sink(&[i as f32, 0.5, -1.0, 1e-30, f32::MAX]))
    };
    open_or_make(&path(0), &header, false, make).unwrap().unwrap();
    let good = fs::read(path(0)).unwrap();
    for (i, at) in (0..good.len()).step_by(7).chain([good.len() - 1]).enumerate() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(path(i + 1), if i % 2 == 0 { &bad[..] } else { &bad[..at] }).unwrap();
        let file = open_or_make(&path(i + 1), &header, false, make).unwrap().unwrap();
        assert_eq!(made.load(Ordering::Relaxed), i + 2, "damage at {at} must be found");
        assert_eq!(file.row(2).unwrap()[0], 2.0);
        assert!(file.row(3).is_none());
        assert_eq!(fs::read(path(i + 1)).unwrap(), good);
    }
    let fails = |_: &mut dyn FnMut(&[f32]) -> Result<()>| Err(Error::failed("no images"));
    let error = open_or_make(&path(1000), &header, false, fails).unwrap_err();
    assert_eq!(error.to_string(), "no images");
    assert!(!path(1000).exists());
}

#[test]
fn two_runs_share_the_work_and_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let header = Header { identity: serde_json::json!({"test": 2}), rows: 1, values: 1 };
    let path = dir.path().join("features/x.bin");
    let outcome = open_or_make(&path, &header, false, |sink| {
        // While this one computes, another (with a handle of its own on the lock) is told to do something else …
        let other = open_or_make(&path, &header, false, |_| Err(Error::failed("computed twice"))).unwrap();
        assert!(other.is_none());
        // … or, having waited too long, computes too: whoever is last replaces an equal file.
        open_or_make(&path, &header, true, |sink| sink(&[3.0])).unwrap().unwrap();
        sink(&[3.0])
    });
    let file = outcome.unwrap().unwrap();
    assert_eq!(file.row(0), Some(&[3.0][..]));
    let files = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
    assert_eq!(files.filter(|p| p.extension().is_some_and(|e| e == "bin")).count(), 1);
}
