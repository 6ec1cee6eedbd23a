//! ADer's mAD, held against every complete row of its published table.

use std::collections::BTreeMap;
use std::path::Path;

use zsad_metrics::ader::mad;

/// The fields of a line of CSV; texts may be quoted.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

#[test]
fn the_mean_of_seven_is_that_of_all_published_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/reference/ader_multiclass_100e.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (dataset, method, metric, mean) = (column("dataset"), column("method"), column("metric"), column("mean"));
    let mut rows: BTreeMap<(String, String), BTreeMap<String, f64>> = BTreeMap::new();
    for line in lines {
        let row = rows.entry((line[dataset].clone(), line[method].clone())).or_default();
        row.insert(line[metric].clone(), line[mean].parse().unwrap());
    }
    assert_eq!(rows.len(), 93);
    let seven = ["image_auroc", "image_ap", "image_f1max", "pixel_auroc", "pixel_ap", "pixel_f1max", "aupro"];
    for (place, row) in rows {
        let found = mad(seven.map(|name| row[name]));
        assert!((found - row["mAD"]).abs() < 0.1, "{place:?}: {found} instead of {}", row["mAD"]);
    }
}
