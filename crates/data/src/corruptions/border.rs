//! What lies beyond the edge of a picture.

/// How a row `a b c d` goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// `a a | a b c d | d d`
    Nearest,
    /// `b a | a b c d | d c` (SciPy's `reflect`)
    Reflect,
    /// `c b | a b c d | c b` (OpenCV's `BORDER_REFLECT_101`)
    Reflect101,
}

impl Border {
    /// The position inside `0 .. len` that stands for `i`.
    pub fn at(self, i: isize, len: usize) -> usize {
        // Lengths here are the sides of a picture and fit an isize.
        let n = len as isize;
        let inside = match self {
            Border::Nearest => i.clamp(0, n - 1),
            Border::Reflect => {
                let i = i.rem_euclid(2 * n);
                i.min(2 * n - 1 - i)
            }
            Border::Reflect101 if n == 1 => 0,
            Border::Reflect101 => {
                let i = i.rem_euclid(2 * n - 2);
                i.min(2 * n - 2 - i)
            }
        };
        inside as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_on_as_documented() {
        let row = |border: Border| (-3..7).map(|i| b"abcd"[border.at(i, 4)] as char).collect::<String>();
        assert_eq!(row(Border::Nearest), "aaaabcdddd");
        assert_eq!(row(Border::Reflect), "cbaabcddcb");
        assert_eq!(row(Border::Reflect101), "dcbabcdcba");
        assert_eq!(Border::Reflect101.at(-2, 1), 0);
    }
}
