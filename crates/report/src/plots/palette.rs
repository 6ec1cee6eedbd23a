//! How methods are told apart: the Okabe–Ito colours (safe for the colour-blind), markers and dashes.

use super::canvas::{Canvas, Color, Shape};

/// Okabe and Ito's palette without its yellow, which is too faint on white.
const COLORS: [Color; 7] = [
    (0x00, 0x72, 0xb2, 1.0),
    (0xd5, 0x5e, 0x00, 1.0),
    (0x00, 0x9e, 0x73, 1.0),
    (0xcc, 0x79, 0xa7, 1.0),
    (0xe6, 0x9f, 0x00, 1.0),
    (0x56, 0xb4, 0xe9, 1.0),
    (0x22, 0x22, 0x22, 1.0),
];

/// Lengths of strokes and gaps; an empty list is a whole line.
const DASHES: [&[f64]; 4] = [&[], &[7.0, 3.0], &[2.0, 2.5], &[8.0, 2.5, 2.0, 2.5]];

/// How one method looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub color: Color,
    marker: usize,
    dash: usize,
}

impl Look {
    /// The look of the `i`-th method; the first 28 differ, the first seven in colour, marker and alike.
    pub fn of(i: usize) -> Look {
        Look { color: COLORS[i % COLORS.len()], marker: i % 8, dash: (i / COLORS.len()) % DASHES.len() }
    }

    /// The colour at another opacity.
    pub fn faint(&self, opacity: f64) -> Color {
        (self.color.0, self.color.1, self.color.2, opacity)
    }

    /// A line through `points` in this look.
    pub fn line(&self, canvas: &mut Canvas, points: &[(f64, f64)], width: f64) {
        for stroke in dashed(points, DASHES[self.dash]) {
            canvas.line(&stroke, self.color, width);
        }
    }

    /// A marker of about `r` units radius with a white rim.
    pub fn marker(&self, canvas: &mut Canvas, at: (f64, f64), r: f64) {
        const WHITE: Color = (255, 255, 255, 1.0);
        for (radius, color) in [(r + 0.8, WHITE), (r, self.color)] {
            match outline(self.marker, radius) {
                None => canvas.shapes.push(Shape::Disc { at, radius, color }),
                Some(points) => canvas.area(&points.map(|(x, y)| (at.0 + x, at.1 + y)).collect::<Vec<_>>(), color),
            }
        }
    }
}

/// The corners of a marker around the origin; `None` is a disc.
fn outline(kind: usize, r: f64) -> Option<impl Iterator<Item = (f64, f64)>> {
    // Corners of a regular polygon or star: (number, turn in degrees, inner radius).
    let (corners, turn, inner) = match kind {
        0 => return None,
        1 => (4, 45.0, 1.0),
        2 => (3, -90.0, 1.0),
        3 => (4, 0.0, 1.0),
        4 => (3, 90.0, 1.0),
        5 => (5, -90.0, 0.45),
        6 => (6, 0.0, 1.0),
        _ => (4, 45.0, 0.35),
    };
    // Small shapes of few corners look smaller than a disc of the same radius.
    let size = if corners == 6 { r } else { r * 1.25 };
    let star = inner < 1.0;
    let steps = if star { 2 * corners } else { corners };
    Some((0..steps).map(move |i| {
        let angle = (turn + 360.0 * f64::from(i) / f64::from(steps)).to_radians();
        let radius = if star && i % 2 == 1 { size * inner } else { size };
        (radius * angle.cos(), radius * angle.sin())
    }))
}

/// `points` cut into strokes.
fn dashed(points: &[(f64, f64)], pattern: &[f64]) -> Vec<Vec<(f64, f64)>> {
    if pattern.is_empty() || points.len() < 2 {
        return vec![points.to_vec()];
    }
    let mut strokes = Vec::new();
    let mut stroke = vec![points[0]];
    let (mut phase, mut left) = (0, pattern[0]);
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                stroke.push(to);
                break;
            }
            let t = left / length;
            from = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            stroke.push(from);
            if phase % 2 == 0 {
                strokes.push(std::mem::take(&mut stroke));
            }
            stroke = vec![from];
            phase = (phase + 1) % pattern.len();
            left = pattern[phase];
        }
    }
    if phase % 2 == 0 && stroke.len() > 1 {
        strokes.push(stroke);
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_the_share_of_the_line_that_the_pattern_says() {
        let length = |strokes: &[Vec<(f64, f64)>]| -> f64 {
            strokes.iter().flat_map(|s| s.windows(2)).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum()
        };
        let corner = [(0.0, 0.0), (30.0, 0.0), (30.0, 70.0)];
        assert!((length(&dashed(&corner, &[7.0, 3.0])) - 70.0).abs() < 1e-9);
        assert_eq!(dashed(&corner, &[]), [corner.to_vec()]);
    }

    #[test]
    fn the_looks_of_the_first_methods_differ() {
        for i in 0..28 {
            assert!((0..i).all(|j| Look::of(i) != Look::of(j)), "{i}");
        }
    }
}
