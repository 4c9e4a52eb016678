//! Kafka's configuration file: Java's properties format.
//!
//! Lines end with LF, CR or CRLF. Blank lines and lines that begin with `#` or `!` are skipped. The name ends at the
//! first `=`, `:` or blank that has no backslash before it. A backslash at the end of a line continues it in the next
//! one, whose leading blanks are dropped. `\t`, `\n`, `\r`, `\f` and `\uXXXX` are what they say; a backslash before any
//! other letter is that letter. Unlike Java the file is read as UTF-8.

/// One assignment of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The line it begins in, from 1.
    pub(crate) line: usize,
    /// The property.
    pub(crate) name: String,
    /// Its value; blanks at its end are kept.
    pub(crate) value: String,
}

/// A line that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SyntaxError {
    /// Which line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) reason: &'static str,
}

/// Reads a file.
///
/// # Errors
/// The first line that is not UTF-8, has a malformed escape, or a value without a name.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, SyntaxError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| SyntaxError {
        line: natural_lines(&String::from_utf8_lossy(&bytes[..error.valid_up_to()])).count().max(1),
        reason: "is not UTF-8",
    })?;
    logical_lines(text).into_iter().map(|(line, text)| entry(line, &text)).collect()
}

/// The lines as they stand in the file; a last line end opens no further line.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(end) = rest.find(['\n', '\r']) else { return Some(std::mem::take(&mut rest)) };
        let line = &rest[..end];
        let after = &rest[end..];
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
        Some(line)
    })
}

/// Lines with their continuations, without blank lines and comments; each with the number of its first natural line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let natural = natural.trim_start_matches(BLANKS);
        if open.is_none() && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            continue;
        }
        let (number, mut line) = open.take().unwrap_or((index + 1, String::new()));
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            line.push_str(&natural[..natural.len() - 1]);
            // A line that holds nothing yet is as good as blank: what follows it may be a comment.
            open = (!line.is_empty()).then_some((number, line));
        } else {
            line.push_str(natural);
            lines.push((number, line));
        }
    }
    lines.extend(open);
    lines
}

const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

fn entry(line: usize, text: &str) -> Result<Entry, SyntaxError> {
    let end = name_end(text);
    let value = text[end..].trim_start_matches(BLANKS);
    let value = value.strip_prefix(['=', ':']).unwrap_or(value).trim_start_matches(BLANKS);
    let broken = |reason| SyntaxError { line, reason };
    let name = unescape(&text[..end]).map_err(broken)?;
    if name.is_empty() {
        return Err(broken("has a value without a name"));
    }
    Ok(Entry { line, name, value: unescape(value).map_err(broken)? })
}

/// Where the name ends: at the first separator without a backslash before it.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' => return at,
            letter if BLANKS.contains(&letter) => return at,
            _ => {}
        }
    }
    text.len()
}

/// Resolves escapes. Pairs of `\uXXXX` make one letter where they are UTF-16 surrogates.
fn unescape(text: &str) -> Result<String, &'static str> {
    const MALFORMED: &str = "has a malformed \\uXXXX escape";
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\\' => match letters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    let digits = letters.as_str().get(..4).ok_or(MALFORMED)?;
                    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                        return Err(MALFORMED);
                    }
                    units.push(u16::from_str_radix(digits, 16).map_err(|_| MALFORMED)?);
                    letters = letters.as_str()[4..].chars();
                    continue;
                }
                Some(other) => other,
                None => continue,
            },
            letter => letter,
        };
        units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).map_err(|_| "has half of a \\uXXXX pair")
}

#[cfg(test)]
#[path = "properties_file_tests.rs"]
mod tests;
