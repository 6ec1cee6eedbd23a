//! A long table read some rows at a time is the one that is read whole.

use zsad_core::Result;

use super::table::Table;

/// Rows of more than one block.
const ROWS: usize = 250_000;

fn written(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

/// An integer, a number with holes, and text with quoted ends of lines; `cell` may replace the number of a row.
fn long(cell: impl Fn(usize) -> Option<&'static str>) -> String {
    let number = |i: usize| match (cell(i), i % 97) {
        (Some(cell), _) => cell.to_owned(),
        (None, 0) => "NA".into(),
        (None, 1) => String::new(),
        (None, _) => format!("{}.{i}", i % 13),
    };
    let rows = (0..ROWS).map(|i| format!("{i},{},\"{}\n{i}\"\n", number(i), i % 3));
    std::iter::once("id,x,\"a, name\"\n".to_owned()).chain(rows).collect()
}

type Columns = (Vec<f64>, Vec<f64>, Vec<Option<String>>);

fn in_parts(path: &std::path::Path) -> Result<(bool, Columns, Vec<usize>)> {
    let (mut all, mut firsts) = (Columns::default(), Vec::new());
    let is_whole = Table::in_parts(path, &["x", "id"], &["a, name"], |part| {
        firsts.push(part.first());
        all.0.extend(part.numbers_or_nan("x")?);
        all.1.extend(part.numbers("id")?);
        all.2.extend(part.text_or_missing("a, name")?);
        Ok(())
    })?;
    Ok((is_whole, all, firsts))
}

#[test]
fn parts_of_a_file_are_the_whole_file() {
    let (_dir, path) = written("t.csv", &long(|_| None));
    let whole = Table::read(&path, None).unwrap();
    let (is_whole, (x, id, text), firsts) = in_parts(&path).unwrap();
    assert!(is_whole && firsts.len() > 1, "{firsts:?}");
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!(bits(&x) == bits(&whole.numbers_or_nan("x").unwrap()));
    assert!(id == whole.numbers("id").unwrap());
    assert!(text == whole.text_or_missing("a, name").unwrap());
    let starts: Vec<usize> = whole.parts().map(|part| part.first()).collect();
    let again: Vec<f64> = whole.parts().flat_map(|part| part.numbers("id").unwrap()).collect();
    assert!(again == id && starts[0] == 0 && starts.len() > 1);
    assert_eq!(Table::head(&path).unwrap().names(), whole.names());
    assert_eq!(Table::head(&path).unwrap().height(), 0);
}

#[test]
fn what_is_no_plain_number_is_left_to_who_reads_the_whole_file() {
    for stray in ["a", "true", "1;5"] {
        let (_dir, path) = written("t.csv", &long(|i| (i == ROWS - 5).then_some(stray)));
        assert!(!in_parts(&path).unwrap().0, "{stray}");
    }
    let (_dir, path) = written("t.csv", "x,id\n");
    assert!(!Table::in_parts(&path, &["x"], &[], |_| Ok(())).unwrap());
    assert!(!Table::in_parts(&path, &["y"], &[], |_| Ok(())).unwrap());
}

#[test]
fn a_row_of_a_later_part_is_named_by_its_place_in_the_file() {
    let (_dir, path) = written("t.csv", &long(|_| None));
    let mut first = 0;
    let failed = Table::in_parts(&path, &["x"], &[], |part| {
        first = part.first();
        if first == 0 { Ok(()) } else { Err(part.at(Some(2), "x", "wrong")) }
    });
    let message = failed.unwrap_err().to_string();
    assert!(
        first > 0 && message.contains(&format!("row {} (the first is 1), column `x`: wrong", first + 3)),
        "{message}"
    );
}

#[test]
fn a_row_of_too_many_fields_is_named() {
    for end in ["", "\n", "\n5,6\n"] {
        let (_dir, path) = written("t.csv", &format!("a,b\n1,2\n\"1,5\",2\n3,4,5{end}"));
        let message = Table::read(&path, None).err().unwrap().to_string();
        assert!(message.contains("row 3 (the first is 1) has 3 fields, and the header 2"), "{message}");
        assert!(message.contains("double quotes"), "{message}");
    }
}

#[test]
fn a_quote_that_nobody_closes_in_the_header_is_looked_for_once() {
    let rows: String = (0..200_000).map(|i| format!("{i},{}\n", i % 7)).collect();
    let (_dir, path) = written("t.csv", &format!("a,5\" pipe\n{rows}"));
    // All of it is the header then.
    assert!(Table::read(&path, None).err().unwrap().to_string().contains("no rows"));
}

#[test]
fn a_compressed_file_is_told_by_its_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv.gz");
    std::fs::write(&path, [0x1f, 0x8b, 8, 0]).unwrap();
    let message = Table::read(&path, None).err().unwrap().to_string();
    assert!(message.contains("gzip") && message.contains("unpack"), "{message}");
}

#[test]
fn columns_of_text_are_there_to_the_letter() {
    let (_dir, path) = written("t.csv", "id,x\n007,1\n1.50,2\n");
    let as_text = Table::read_texts(&path, &["id"]).unwrap();
    assert_eq!(as_text.text("id").unwrap(), ["007", "1.50"]);
    assert_eq!(as_text.numbers("id").unwrap(), [7.0, 1.5]);
    let mut parts = Vec::new();
    Table::in_parts(&path, &["x"], &["id"], |part| part.text("id").map(|t| parts.extend(t))).unwrap();
    assert_eq!(parts, ["007", "1.50"]);
    let twice = Table::read_texts(&path, &["id", "id"]).unwrap();
    assert_eq!(twice.text("id").unwrap(), ["007", "1.50"]);
    assert!(Table::in_parts(&path, &["x"], &["id", "id"], |part| part.text("id").map(drop)).unwrap());
}
