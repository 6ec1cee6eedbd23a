//! Tables, plots and exports of zsad, and the comparison with published numbers.
