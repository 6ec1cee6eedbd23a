//! How the samples of a long table become batches.

/// Samples that are scored at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The group that they belong to, where there are groups.
    pub group: Option<String>,
    /// Their places in the input, ascending.
    pub rows: Vec<usize>,
}

impl Part {
    /// Which samples these are, for messages.
    pub fn name(&self) -> String {
        let rows = match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) => format!("rows {first} to {last}"),
            _ => "no rows".into(),
        };
        self.group.as_ref().map_or(rows.clone(), |group| format!("group `{group}`, {rows}"))
    }
}

/// All of `n` samples once each, in their order and in batches of `size`; with groups, those of one group are taken out of
/// the input together, in the order in which groups first occur. Fewer than half of `size` that are left over at the end of
/// a group join the batch before them, others are a smaller batch.
pub fn split(n: usize, size: Option<usize>, groups: Option<&[String]>) -> Vec<Part> {
    let mut by_group: Vec<Part> = Vec::new();
    match groups {
        None => by_group.push(Part { group: None, rows: (0..n).collect() }),
        Some(groups) => {
            let mut places = std::collections::HashMap::new();
            for (row, group) in groups.iter().enumerate() {
                let place = *places.entry(group.as_str()).or_insert(by_group.len());
                if place == by_group.len() {
                    by_group.push(Part { group: Some(group.clone()), rows: Vec::new() });
                }
                by_group[place].rows.push(row);
            }
        }
    }
    let Some(size) = size else { return by_group };
    let cut = |part: Part| {
        let n = part.rows.len();
        let (whole, left) = (n / size, n % size);
        let batches = if whole > 0 && 2 * left < size { whole } else { whole + usize::from(left > 0) };
        let group = part.group;
        (0..batches).map(move |i| {
            let end = if i + 1 == batches { n } else { (i + 1) * size };
            Part { group: group.clone(), rows: part.rows[i * size..end].to_vec() }
        })
    };
    by_group.into_iter().flat_map(cut).collect()
}

/// One line on how the input was split; nothing where it was not.
pub fn said(parts: &[Part], size: Option<usize>, by: Option<&str>) -> Option<String> {
    if size.is_none() && by.is_none() {
        return None;
    }
    let sizes: Vec<usize> = parts.iter().map(|p| p.rows.len()).collect();
    let (least, most) = (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0));
    let of = match (by, size) {
        (Some(by), Some(size)) => format!("of {size} rows that share `{by}`"),
        (Some(by), None) => format!("of rows that share `{by}`"),
        (None, _) => format!("of {} rows in their order", size.unwrap_or(most)),
    };
    let odd = size.map_or(0, |size| sizes.iter().filter(|&&n| n != size).count());
    let rest = match (size, odd) {
        (Some(_), 0) => String::new(),
        (Some(_), 1) if by.is_none() => {
            let last = sizes.last().copied().unwrap_or(0);
            format!("; the last holds {last}, with the rest that makes no whole batch")
        }
        (Some(_), odd) => format!("; {odd} of them hold {least} to {most}, since the rest makes no whole batch"),
        (None, _) => format!(", {least} to {most} each"),
    };
    Some(format!("{} batches {of}{rest}; a score says how its row stands in its own batch", parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(n: usize, size: usize) -> Vec<usize> {
        split(n, Some(size), None).iter().map(|p| p.rows.len()).collect()
    }

    #[test]
    fn every_row_is_in_one_batch_and_a_short_rest_joins_the_last() {
        assert_eq!(sizes(300, 100), [100, 100, 100]);
        assert_eq!(sizes(349, 100), [100, 100, 149]);
        assert_eq!(sizes(350, 100), [100, 100, 100, 50]);
        assert_eq!(sizes(30, 100), [30], "there is no batch to join");
        assert_eq!(sizes(80, 100), [80]);
        assert_eq!(sizes(3, 1), [1, 1, 1]);
        let rows: Vec<usize> = split(349, Some(100), None).into_iter().flat_map(|p| p.rows).collect();
        assert_eq!(rows, (0..349).collect::<Vec<_>>());
        assert!(said(&split(349, Some(100), None), Some(100), None).unwrap().contains("the last holds 149"));
    }

    #[test]
    fn groups_are_never_mixed() {
        let groups: Vec<String> = ["b", "a", "b", "b", "a", "c", "b"].map(String::from).to_vec();
        let parts = split(7, Some(2), Some(&groups));
        let found: Vec<_> = parts.iter().map(|p| (p.group.as_deref().unwrap(), &p.rows[..])).collect();
        assert_eq!(found, [("b", &[0, 2][..]), ("b", &[3, 6]), ("a", &[1, 4]), ("c", &[5])]);
        assert_eq!(split(7, None, Some(&groups)).len(), 3);
        assert_eq!(parts[1].name(), "group `b`, rows 3 to 6");
    }
}
