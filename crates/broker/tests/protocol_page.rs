//! `docs/protocol.md` says what the dispatch table says.

use std::path::Path;

#[test]
fn the_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let wanted = ottla_broker::protocol_page();
    if std::env::var_os("OTTLA_REWRITE").is_some() {
        std::fs::write(&path, &wanted).expect("docs/ is there");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == wanted,
        "docs/protocol.md is out of date; OTTLA_REWRITE=1 cargo test -p ottla-broker --test protocol_page"
    );
}
