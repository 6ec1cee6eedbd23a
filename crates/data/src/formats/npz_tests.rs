use super::npy::{Array, Numbers};
use super::npz::{self, Npz};
use std::path::Path;

/// Made by numpy 2: a = arange(6).reshape(2, 3); F = asfortranarray;
/// savez_compressed("numpy_types.npz", f8=F(a * 0.5), f4=(a * 0.25).astype("<f4"), u1=F(a.astype("u1")),
///   i2=F((a - 3).astype("<i2")), i4=(a - 3).astype("<i4"), i8=(a - 3).astype("<i8"), big=(a - 3).astype(">i4"),
///   bigf=(a * 0.5).astype(">f8"), b1=(a % 2 == 0), cube=F(arange(24.).reshape(2, 3, 4)), scalar=float64(7.5),
///   u8=a.astype("<u8"), text=array(["x", "y"]), half=a.astype("<f2"))
fn fixture() -> Npz {
    Npz::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/numpy_types.npz")).unwrap()
}

#[test]
fn every_type_order_and_byte_order_of_numpy_reads_as_c_order() {
    let mut npz = fixture();
    let mut get = |name| npz.array(name).unwrap();
    let table = |numbers| Array { shape: vec![2, 3], numbers };
    let small = || table(Numbers::I64(vec![-3, -2, -1, 0, 1, 2]));
    assert_eq!(get("f8"), table(Numbers::F64(vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5])));
    assert_eq!(get("bigf"), get("f8"));
    assert_eq!(get("f4"), table(Numbers::F32(vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25])));
    assert_eq!(get("u1"), table(Numbers::U8(vec![0, 1, 2, 3, 4, 5])));
    assert_eq!(get("u8"), table(Numbers::I64(vec![0, 1, 2, 3, 4, 5])));
    assert_eq!(get("b1"), table(Numbers::U8(vec![1, 0, 1, 0, 1, 0])));
    for name in ["i2", "i4", "i8", "big"] {
        assert_eq!(get(name), small(), "{name}");
    }
    assert_eq!(get("cube"), Array { shape: vec![2, 3, 4], numbers: Numbers::F64((0..24).map(f64::from).collect()) });
    assert_eq!(get("scalar"), Array { shape: vec![], numbers: Numbers::F64(vec![7.5]) });
}

#[test]
fn what_is_no_array_of_numbers_is_refused_by_name() {
    let mut npz = fixture();
    let mut fails = |name| npz.array(name).unwrap_err().to_string();
    assert!(
        fails("text").contains("numpy_types.npz: damaged or truncated: array `text`: type `<U1`"),
        "{}",
        fails("text")
    );
    assert!(fails("half").contains("type `<f2` instead of integers, float32 or float64"));
    assert!(fails("X").contains("holds no array `X`, but b1, big, bigf, cube"));
}

#[test]
fn what_is_written_reads_back_and_damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npz");
    let arrays = [
        ("scores", Array { shape: vec![3], numbers: Numbers::F64(vec![0.1, -1e300, 5e-324]) }),
        ("X", Array { shape: vec![2, 1, 2], numbers: Numbers::F32(vec![1.5, 2.5, 3.5, 4.5]) }),
        ("labels", Array { shape: vec![2], numbers: Numbers::U8(vec![0, 1]) }),
        ("n", Array { shape: vec![1], numbers: Numbers::I64(vec![i64::MIN]) }),
        ("none", Array { shape: vec![0, 4], numbers: Numbers::F32(vec![]) }),
    ];
    npz::write(&path, &arrays.each_ref().map(|(name, array)| (*name, array))).unwrap();
    let mut npz = Npz::open(&path).unwrap();
    assert_eq!(npz.names(), ["X", "labels", "n", "none", "scores"]);
    for (name, array) in &arrays {
        assert_eq!(npz.array(name).unwrap(), *array);
    }
    let whole = std::fs::read(&path).unwrap();
    let at = whole.windows(8).position(|w| w == 0.1f64.to_le_bytes()).unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = Npz::open(&path).unwrap().array("scores").unwrap_err().to_string();
    assert!(message.contains("a.npz: damaged or truncated: array `scores`: "), "{message}");
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    assert!(Npz::open(&path).is_err());
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_anything_is_allocated() {
    let read = |shape: &str| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header:<117}\n").bytes());
        bytes.extend([0; 32]);
        super::npy::read(&bytes[..], bytes.len() as u64).map_err(|e| e.to_string())
    };
    assert_eq!(read("(4,)"), Ok(Array { shape: vec![4], numbers: Numbers::F64(vec![0.0; 4]) }));
    let message = read("(4000000000, 5)").unwrap_err();
    assert!(message.contains("promises an array of shape [4000000000, 5]"), "{message}");
    let message = read("(3,)").unwrap_err();
    assert!(message.contains("8 bytes more than its header says"), "{message}");
    assert!(read("(5,)").is_err());
}
