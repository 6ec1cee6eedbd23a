//! The program from outside: everything is in `tests/`.
