use super::*;
use crate::testing::row;

/// A scored row of a domain; `normal` and `anomalous` are of one batch.
fn scored(domain: &str, normal: u64, anomalous: u64, level: f64) -> Row {
    Row {
        domain: domain.into(),
        contamination: Some(level),
        batch_size: Some(normal + anomalous),
        n_normal: 10 * normal,
        n_anomalous: 10 * anomalous,
        cell_key: format!("{normal}-{anomalous}-{level}"),
        ..row()
    }
}

fn sizes(rows: &[Row]) -> Vec<Size> {
    Grid::new(rows).points.iter().map(|p| p.size).collect()
}

#[test]
fn totals_normals_and_all_are_told_apart() {
    let both = |n, a, level| ["x", "y"].map(|d| scored(d, n, a, level));
    // 20 and 50 in all, at 5 and 10 %.
    let totals = [both(19, 1, 0.05), both(18, 2, 0.1), both(47, 3, 0.05), both(45, 5, 0.1)].concat();
    assert_eq!(sizes(&totals), [Size::Total(20), Size::Total(20), Size::Total(50), Size::Total(50)]);
    // 20 normals, anomalies on top.
    let normals = [both(20, 1, 0.05), both(20, 2, 0.1), both(20, 5, 0.2)].concat();
    assert_eq!(sizes(&normals), [Size::Normals(20); 3]);
    // Everything there is: another size for every domain, and one that two of them share.
    let all = [
        scored("x", 30, 3, 0.1),
        scored("y", 40, 4, 0.1),
        scored("z", 40, 4, 0.1),
        scored("u", 90, 10, 0.1),
        scored("v", 70, 7, 0.1),
    ];
    assert_eq!(sizes(&all), [Size::Varies]);
}

#[test]
fn a_cell_that_never_knew_its_size_stands_where_the_others_of_its_level_stand() {
    let lost = Row {
        status: "refused".into(),
        batch_size: None,
        method: "lof".into(),
        domain: String::new(),
        ..scored("", 0, 0, 0.1)
    };
    let rows = [scored("x", 20, 1, 0.05), scored("x", 20, 2, 0.1), lost];
    let grid = Grid::new(&rows);
    assert_eq!(grid.points.len(), 2);
    let lof = &grid.methods[1].0;
    assert_eq!(lof.method, "lof");
    let found: Vec<_> = grid.points.iter().map(|p| grid.cell(p, lof).map(|c| c.bad.len())).collect();
    assert_eq!(found, [None, Some(1)]);
}

#[test]
fn the_realised_share_counts_samples_and_natural_comes_last() {
    let natural = Row { contamination: None, ..scored("x", 30, 10, 0.0) };
    let rows = [natural, scored("x", 36, 4, 0.1)];
    let grid = Grid::new(&rows);
    let levels: Vec<String> = grid.points.iter().map(|p| p.level.to_string()).collect();
    assert_eq!(levels, ["10 %", "natural"]);
    assert_eq!(grid.points.iter().map(|p| grid.realised(p)).collect::<Vec<_>>(), [Some(0.1), Some(0.25)]);
}
