use super::*;

#[track_caller]
fn check(text: &str, expected: &[(usize, &str, &str)]) {
    let entries = parse(text.as_bytes()).expect("the file is well-formed");
    let entries: Vec<_> = entries.iter().map(|entry| (entry.line, &*entry.name, &*entry.value)).collect();
    assert_eq!(entries, expected, "{text:?}");
}

#[track_caller]
fn check_error(bytes: &[u8], line: usize, reason: &str) {
    let error = parse(bytes).expect_err("the file is malformed");
    assert_eq!((error.line, error.reason), (line, reason));
}

#[test]
fn separators_are_equals_colon_or_blank() {
    check(
        "a=1\nb:2\nc 3\nd = 4\ne\t:\t5\nf  6 = 7\n",
        &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4"), (5, "e", "5"), (6, "f", "6 = 7")],
    );
    check("a==b", &[(1, "a", "=b")]);
    check("a", &[(1, "a", "")]);
    check("a=", &[(1, "a", "")]);
    check("  \t a=b  ", &[(1, "a", "b  ")]);
}

#[test]
fn listeners_keep_their_colons() {
    check("listeners=PLAINTEXT://:9092,X://[::1]:1", &[(1, "listeners", "PLAINTEXT://:9092,X://[::1]:1")]);
}

#[test]
fn comments_and_blank_lines_are_skipped() {
    check("# a=1\n\n   ! b=2\n \t\nc=3 # kept\n", &[(5, "c", "3 # kept")]);
    check("# no continuation \\\na=1", &[(2, "a", "1")]);
    check("", &[]);
    check("\n\r\n\r", &[]);
}

#[test]
fn lines_end_with_lf_cr_or_crlf() {
    check("a=1\rb=2\r\nc=3\nd=4", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4")]);
}

#[test]
fn a_backslash_at_the_end_continues_the_line() {
    check("a=1,\\\n   2,\\\r\n\t3\nb=4", &[(1, "a", "1,2,3"), (4, "b", "4")]);
    check("a=1\\\n# not a comment\nb=2", &[(1, "a", "1# not a comment"), (3, "b", "2")]);
    check("a=1\\\n\nb=2", &[(1, "a", "1"), (3, "b", "2")]);
    check("a=1\\\\\nb=2", &[(1, "a", "1\\"), (2, "b", "2")]);
    check("a=1\\\\\\\nb=2", &[(1, "a", "1\\b=2")]);
    check("a=1\\", &[(1, "a", "1")]);
    check("\\\n# a comment after all\na=1", &[(3, "a", "1")]);
}

#[test]
fn escapes_are_resolved_in_names_and_values() {
    check(r"a\=b=c\td\n\r\f\\e\q", &[(1, "a=b", "c\td\n\r\x0c\\eq")]);
    check(r"a\ b=\u0041\u00e4\uD83D\uDE00", &[(1, "a b", "Aä😀")]);
    check("a=ä", &[(1, "a", "ä")]);
    check("\u{feff}a=1", &[(1, "a", "1")]);
}

#[test]
fn errors_name_the_line() {
    check_error(b"a=1\nb=\\u12", 2, "has a malformed \\uXXXX escape");
    check_error(b"a=1\n\n\nb=\\u+123", 4, "has a malformed \\uXXXX escape");
    check_error("a=\\u12\u{e4}\u{e4}".as_bytes(), 1, "has a malformed \\uXXXX escape");
    check_error(b"b=\\uD83D", 1, "has half of a \\uXXXX pair");
    check_error(b"a=1\n=2", 2, "has a value without a name");
    check_error(b"a=1\nb=2\nc=\xff\nd=4", 3, "is not UTF-8");
    check_error(b"\xff", 1, "is not UTF-8");
}
