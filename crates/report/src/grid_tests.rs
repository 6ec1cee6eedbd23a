use super::*;
use crate::testing::{Flat, row};

/// A scored row of a domain; `normal` and `anomalous` are of one batch.
fn scored(domain: &str, normal: u64, anomalous: u64, level: f64) -> Flat {
    Flat {
        domain: domain.into(),
        contamination: Some(level).into(),
        batch_size: BatchSize::All,
        n_normal: 10 * normal,
        n_anomalous: 10 * anomalous,
        cell_key: format!("{normal}-{anomalous}-{level}"),
        ..row()
    }
}

#[test]
fn what_was_asked_for_is_the_point_whatever_came_of_it() {
    let sized = |size, row: Flat| Flat { batch_size: size, ..row };
    // Everything there is: another size for every domain, and one that another point asks for.
    let lost = Flat { status: Status::Refused, method: "lof".into(), ..scored("", 0, 0, 0.1) };
    let rows = [
        sized(BatchSize::All, scored("x", 30, 3, 0.1)),
        sized(BatchSize::All, scored("y", 40, 4, 0.1)),
        sized(BatchSize::Total(44), scored("y", 40, 4, 0.1)),
        sized(BatchSize::Normals(20), scored("y", 20, 2, 0.1)),
        sized(BatchSize::Normals(20), lost),
    ]
    .map(Row::from);
    let grid = Grid::new(&rows);
    let sizes: Vec<_> = grid.points.iter().map(|p| p.size).collect();
    assert_eq!(sizes, [BatchSize::Total(44), BatchSize::Normals(20), BatchSize::All]);
    let lof = &grid.methods[1].0;
    assert_eq!(lof.method, "lof");
    let found: Vec<_> = grid.points.iter().map(|p| grid.cell(p, lof).map(|c| c.bad.len())).collect();
    assert_eq!(found, [None, Some(1), None]);
}

#[test]
fn the_realised_share_counts_samples_and_natural_comes_last() {
    let natural = Flat { contamination: Contamination::Natural, ..scored("x", 30, 10, 0.0) };
    let rows = [natural, scored("x", 36, 4, 0.1)].map(Row::from);
    let grid = Grid::new(&rows);
    let levels: Vec<String> = grid.points.iter().map(|p| p.contamination.to_string()).collect();
    assert_eq!(levels, ["10 %", "natural"]);
    assert_eq!(grid.points.iter().map(|p| grid.realised(p)).collect::<Vec<_>>(), [Some(0.1), Some(0.25)]);
}
