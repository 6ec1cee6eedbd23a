//! Archives made by Python's own modules (`scripts/make_archive_fixtures.py`), and some written here byte by byte.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use tempfile::TempDir;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archives").join(name)
}

fn kind(name: &str) -> ArchiveKind {
    match name.rsplit('.').next() {
        Some("zip") => ArchiveKind::Zip,
        Some("gz") => ArchiveKind::TarGz,
        Some("xz") => ArchiveKind::TarXz,
        Some("zst") => ArchiveKind::TarZst,
        _ => ArchiveKind::Tar,
    }
}

fn spec(name: &str) -> Unpack {
    Unpack { kind: kind(name), members: vec![], strip: 0 }
}

const SMALL: Limits = Limits { bytes: 4 << 20, members: 100 };

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}

/// Unpacks into a folder that holds a file already, which must be all that is there after a refusal.
fn refused_at(archive: &Path, spec: &Unpack, limits: &Limits) -> String {
    let dir = TempDir::new().unwrap();
    let into = dir.path().join("below/target");
    fs::create_dir_all(&into).unwrap();
    fs::write(into.join("mine.txt"), "mine").unwrap();
    let message = unpack(archive, spec, &into, limits, &mut |_| Ok(())).unwrap_err().to_string();
    assert_eq!(files(dir.path()), [into.join("mine.txt").display().to_string()], "{message}");
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 1, "{message}");
    message
}

fn refused(name: &str) -> String {
    refused_at(&fixture(name), &spec(name), &SMALL)
}

#[test]
fn archives_of_all_kinds_unpack() {
    let long = format!("bottle/{}/{}.txt", "x".repeat(120), "y".repeat(150));
    for name in ["good_gnu.tar", "good_pax.tar", "good.tar.gz", "good.tar.xz", "good.zip", "stored.zip"] {
        let dir = TempDir::new().unwrap();
        let into = dir.path().join("new/target");
        let mut heard = 0;
        let mut hear = |bytes| {
            heard = bytes;
            Ok(())
        };
        let unpacked = unpack(&fixture(name), &spec(name), &into, &SMALL, &mut hear).unwrap();
        let names: Vec<_> = unpacked.files.iter().map(|p| p.display().to_string()).collect();
        let wanted =
            ["bottle/test/crack/000.png", "bottle/train/good/000.png", &long, "cable/train/good/000.png", "readme.txt"];
        assert_eq!(names, wanted, "{name}");
        assert_eq!((unpacked.bytes, heard), (34, 34), "{name}");
        assert_eq!(fs::read(into.join("bottle/test/crack/000.png")).unwrap(), b"cracked");
        // Members that nobody may write to must not stand in the way of the next fetch.
        fs::write(into.join("readme.txt"), "changed").unwrap();
        unpack(&fixture(name), &spec(name), &into, &SMALL, &mut |_| Ok(())).unwrap();
        assert_eq!(fs::read(into.join("readme.txt")).unwrap(), b"read me");
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }
}

#[test]
fn wanted_members_alone_are_unpacked_and_leading_parts_are_left_out() {
    let into = |members: &[&str], strip| {
        let dir = TempDir::new().unwrap();
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        let spec = Unpack { kind: ArchiveKind::TarXz, members, strip };
        let unpacked = unpack(&fixture("good.tar.xz"), &spec, &dir.path().join("t"), &SMALL, &mut |_| Ok(())).unwrap();
        unpacked.files.iter().map(|p| p.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(into(&["cable/*", "read*"], 0), ["cable/train/good/000.png", "readme.txt"]);
    assert_eq!(into(&["bottle/t*"], 1), ["test/crack/000.png", "train/good/000.png"]);
    assert_eq!(into(&["nothing/*"], 0), [""; 0]);
    assert_eq!(into(&["readme.txt"], 1), [""; 0]);
}

#[test]
fn what_is_there_already_stays_and_what_a_crash_left_goes() {
    let dir = TempDir::new().unwrap();
    let into = dir.path().join("target");
    fs::create_dir_all(into.join("bottle/train/good")).unwrap();
    fs::write(into.join("bottle/train/good/mine.png"), "mine").unwrap();
    let left = dir.path().join(".target.good.zip.unpacking");
    fs::create_dir_all(left.join("bottle")).unwrap();
    fs::write(left.join("bottle/half.png"), "half").unwrap();
    unpack(&fixture("good.zip"), &spec("good.zip"), &into, &SMALL, &mut |_| Ok(())).unwrap();
    assert!(!left.exists() && !into.join("bottle/half.png").exists());
    assert_eq!(fs::read(into.join("bottle/train/good/mine.png")).unwrap(), b"mine");
    assert_eq!(fs::read(into.join("bottle/train/good/000.png")).unwrap(), b"a picture");
}

#[cfg(unix)]
#[test]
fn a_target_that_is_a_link_stays_one_and_is_filled_where_it_leads() {
    let (dir, disk) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (real, link) = (disk.path().join("large/target"), dir.path().join("target"));
    fs::create_dir_all(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    unpack(&fixture("good.zip"), &spec("good.zip"), &link, &SMALL, &mut |_| Ok(())).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(real.join("readme.txt")).unwrap(), b"read me");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count() + fs::read_dir(disk.path().join("large")).unwrap().count(), 2);
}

#[test]
fn work_that_is_to_end_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let mut stop = |bytes| if bytes > 10 { Err(Error::Stopped) } else { Ok(()) };
    let ended = unpack(&fixture("good.zip"), &spec("good.zip"), &dir.path().join("t"), &SMALL, &mut stop);
    assert!(matches!(ended, Err(Error::Stopped)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn hostile_members_are_refused_by_name() {
    let cases = [
        ("traversal.tar", "`a/../../out.txt`, which is refused: its path leads out of the folder"),
        ("traversal.zip", "`../out.txt`, which is refused: its path leads out of the folder"),
        ("absolute.tar", "`/tmp/zsad_out.txt`, which is refused: its path is absolute"),
        ("absolute.zip", "`/tmp/zsad_out.txt`, which is refused: its path is absolute"),
        ("backslash.tar", "its name holds a backslash or a colon"),
        ("drive.tar", "`C:out.txt`, which is refused: its name holds a backslash or a colon"),
        ("symlink.tar", "`link`, which is refused: it is a symbolic link"),
        ("symlink.zip", "`link`, which is refused: it is a symbolic link"),
        ("hardlink.tar", "`link`, which is refused: it is a hard link"),
        ("device.tar", "`null`, which is refused: it is a device"),
        ("fifo.tar", "`pipe`, which is refused: it is a pipe"),
        ("fifo.zip", "`pipe`, which is refused: it is no plain file"),
        ("twice.tar", "`./fine.txt`, which is refused: it is there twice"),
        ("twice.zip", "which is refused: it is there twice"),
        ("both.tar", "`fine.txt/below.txt`, which is refused"),
        ("name.tar", "nnn…`, which is refused: its name is 5000 bytes long, more than 1024"),
        ("bomb.tar.gz", "`zeros`, which is refused: with it, more than 4194304 bytes would be unpacked"),
        ("bomb.tar.xz", "`zeros`, which is refused: with it, more than 4194304 bytes would be unpacked"),
        ("bomb.zip", "`zeros`, which is refused: with it, more than 4194304 bytes would be unpacked"),
        ("lying.zip", "`zeros`"),
    ];
    for (name, why) in cases {
        let message = refused(name);
        assert!(message.contains(name) && message.contains(why), "{message}");
    }
    assert!(!Path::new("/tmp/zsad_out.txt").exists());
}

#[test]
fn a_bomb_among_unwanted_members_is_found_as_well() {
    let limits = Limits { bytes: 1 << 20, members: 10 };
    let spec = Unpack { kind: ArchiveKind::TarXz, members: vec!["fine.txt".into()], strip: 0 };
    let message = refused_at(&fixture("bomb.tar.xz"), &spec, &limits);
    assert!(message.contains("it grows beyond its limit"), "{message}");
}

#[test]
fn an_archive_of_another_kind_is_refused_whatever_its_name() {
    let dir = TempDir::new().unwrap();
    let as_ = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let zip = fs::read(fixture("good.zip")).unwrap();
    let message = refused_at(&as_("a.tar", &zip), &spec("a.tar"), &SMALL);
    assert!(message.contains("a.tar: is a zip, not the tar that was expected; hint: fetch it again"), "{message}");
    let page = as_("b.zip", b"<!DOCTYPE html><html>\xff");
    let message = refused_at(&page, &spec("b.zip"), &SMALL);
    assert!(message.contains("b.zip: is no archive: it begins with `<!DOCTYPE html><`, not the zip"), "{message}");
    let message = refused_at(&as_("c.zip", b""), &spec("c.zip"), &SMALL);
    assert!(message.contains("it begins with nothing"), "{message}");
    // AnoShift's file: a zip that is called a tar.
    let misnamed = Unpack { kind: ArchiveKind::Zip, members: vec![], strip: 0 };
    let unpacked = unpack(&as_("d.tar", &zip), &misnamed, &dir.path().join("d"), &SMALL, &mut |_| Ok(())).unwrap();
    assert_eq!(unpacked.files.len(), 5);
}

#[test]
fn a_truncated_archive_is_refused_wherever_it_breaks_off() {
    let dir = TempDir::new().unwrap();
    for name in ["good_gnu.tar", "good_pax.tar", "good.tar.gz", "good.tar.xz", "good.zip"] {
        let whole = fs::read(fixture(name)).unwrap();
        // Of a plain tape archive, the filling behind its end may be missing: the first of it ends it.
        let end = if name.ends_with(".tar") { whole.iter().rposition(|b| *b != 0).unwrap() } else { whole.len() - 1 };
        for cut in (0..40).map(|i| end * i / 40).chain([end]) {
            let path = dir.path().join(name);
            fs::write(&path, &whole[..cut]).unwrap();
            refused_at(&path, &spec(name), &SMALL);
        }
    }
}

#[test]
fn a_changed_byte_in_a_compressed_archive_is_found() {
    let dir = TempDir::new().unwrap();
    for name in ["good.tar.gz", "good.tar.xz", "stored.zip"] {
        let mut whole = fs::read(fixture(name)).unwrap();
        let place = if name == "stored.zip" { 40 } else { whole.len() / 2 };
        whole[place] ^= 0x55;
        let path = dir.path().join(name);
        fs::write(&path, whole).unwrap();
        let message = refused_at(&path, &spec(name), &SMALL);
        assert!(message.contains("damaged or truncated"), "{message}");
    }
}

/// A header of the format of 1988, written as POSIX describes it.
fn header(name: &str, size: u64, kind: u8) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[test]
fn a_million_members_are_too_many() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("many.tar.gz");
    let mut gz = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    for i in 0..1_000_000 {
        gz.write_all(&header(&format!("{i}/"), 0, b'5')).unwrap();
    }
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap();
    let message = refused_at(&path, &spec("many.tar.gz"), &Limits::default());
    assert!(message.contains("holds more than 500000 members"), "{message}");
}

#[test]
fn a_header_that_lies_about_its_length_is_refused_without_reading_it_whole() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("long.tar");
    let content = vec![b'n'; 3 << 20];
    fs::write(&path, [&header("././@LongLink", content.len() as u64, b'L')[..], &content, &[0; 1024]].concat())
        .unwrap();
    let message = refused_at(&path, &spec("long.tar"), &SMALL);
    assert!(message.contains("a header of it is longer than 64 KiB"), "{message}");
    // A file that claims more than the archive holds.
    fs::write(&path, [&header("big.txt", 1 << 30, b'0')[..], &[7; 512], &[0; 1024]].concat()).unwrap();
    let message = refused_at(&path, &spec("long.tar"), &SMALL);
    assert!(message.contains("damaged or truncated: `big.txt`"), "{message}");
}

#[test]
fn limits_follow_the_archives_size() {
    assert_eq!(Limits::of_archive(1000).bytes, 8 << 30);
    assert_eq!(Limits::of_archive(5_264_982_680).bytes, 21_059_930_720);
}

/// A fixture compressed with zstd, in a folder of its own.
fn zst(name: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(format!("{name}.zst"));
    let mut encoder = zstd::Encoder::new(fs::File::create(&path).unwrap(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&fs::read(fixture(name)).unwrap()).unwrap();
    encoder.finish().unwrap();
    (dir, path)
}

#[test]
fn archives_compressed_with_zstd_are_as_hostile_as_others() {
    for (name, why) in [
        ("traversal.tar", "its path leads out of the folder"),
        ("symlink.tar", "it is a symbolic link"),
        ("twice.tar", "it is there twice"),
    ] {
        let (_dir, path) = zst(name);
        let message = refused_at(&path, &spec("a.tar.zst"), &SMALL);
        assert!(message.contains(why), "{message}");
    }
    let (dir, path) = zst("good_gnu.tar");
    assert!(unpack(&path, &spec("a.tar.zst"), &dir.path().join("t"), &SMALL, &mut |_| Ok(())).unwrap().files.len() > 3);
    let whole = fs::read(&path).unwrap();
    for i in 0..40 {
        fs::write(&path, &whole[..whole.len() * i / 40]).unwrap();
        refused_at(&path, &spec("a.tar.zst"), &SMALL);
        let mut changed = whole.clone();
        changed[8 + (whole.len() - 8) * i / 40] ^= 0x55;
        fs::write(&path, changed).unwrap();
        refused_at(&path, &spec("a.tar.zst"), &SMALL);
    }
    // A bomb: a gigabyte of zeros in some kilobytes.
    let mut encoder = zstd::Encoder::new(fs::File::create(&path).unwrap(), 3).unwrap();
    encoder.write_all(&header("zeros", 1 << 30, b'0')).unwrap();
    (0..1 << 10).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap();
    let message = refused_at(&path, &spec("a.tar.zst"), &SMALL);
    assert!(message.contains("more than 4194304 bytes would be unpacked"), "{message}");
}

#[test]
fn a_pack_has_the_same_bytes_for_the_same_files_and_unpacks_to_them() {
    let dir = TempDir::new().unwrap();
    let own = dir.path().join("own.txt");
    fs::write(&own, "own").unwrap();
    let long = format!("run/{}/{}.txt", "x".repeat(120), "y".repeat(150));
    let members = BTreeMap::from([
        ("run/b.txt".to_owned(), Content::File(own.clone())),
        ("run/a.txt".to_owned(), Content::Bytes(b"bytes".to_vec())),
        (long.clone(), Content::Bytes(vec![7; 100_000])),
    ]);
    let write = |name: &str| {
        let path = dir.path().join(name);
        pack(&path, &members).unwrap();
        fs::read(path).unwrap()
    };
    let first = write("1.tar.zst");
    fs::write(&own, "own").unwrap();
    assert!(first == write("2.tar.zst"), "times of files are not in it");
    let into = dir.path().join("out");
    let path = dir.path().join("1.tar.zst");
    let unpacked = unpack(&path, &Unpack { strip: 1, ..spec("1.tar.zst") }, &into, &SMALL, &mut |_| Ok(())).unwrap();
    assert_eq!(unpacked.files.len(), 3);
    assert_eq!(fs::read(into.join("b.txt")).unwrap(), b"own");
    assert_eq!(fs::read(into.join(long.strip_prefix("run/").unwrap())).unwrap(), vec![7; 100_000]);
    let missing = BTreeMap::from([("a".to_owned(), Content::File(dir.path().join("none")))]);
    assert!(pack(&path, &missing).unwrap_err().to_string().contains("none"));
    assert!(fs::read(&path).unwrap() == first, "a pack that fails leaves the old one");
}
