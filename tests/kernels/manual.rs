//! Tables of doc/gpu.md that are made here. `UPDATE_KERNELS=1` writes them.

use super::host::repository;

/// The table between `<!-- NAME: begin -->` and `<!-- NAME: end -->` is this one.
pub fn holds(name: &str, table: &str) {
    let file = repository().join("doc/gpu.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("doc/gpu.md has no {begin}"));
    let (kept, after) = rest.split_once(&end).unwrap_or_else(|| panic!("doc/gpu.md has no {end}"));
    if std::env::var_os("UPDATE_KERNELS").is_some() {
        std::fs::write(&file, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(kept, table, "run UPDATE_KERNELS=1 cargo test --test kernels the_manual -- --test-threads=1");
    }
}
