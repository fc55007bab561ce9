//! Values as text in the manner of Go's `fmt`: `print`, `println`, and `printf` with its verbs and flags.

mod directive;
mod number;
mod quoted;
mod value;

use super::data::Data;
use super::limits::{MAX_TEXT, too_large};

pub use quoted::{is_printable, quote};

use directive::Directives;
use value::Writer;

/// A value as `%v` prints it; nil is `<nil>`.
pub fn text(value: &Data) -> String {
    let mut writer = Writer::default();
    writer.value(value, 'v');
    writer.out
}

/// The values one after another, with a space between two of which neither is text.
pub fn print(values: &[Data]) -> Result<String, String> {
    let mut writer = Writer::default();
    let mut after_text = true;
    for value in values {
        let is_text = matches!(value, Data::String(_));
        if !is_text && !after_text {
            writer.out.push(' ');
        }
        after_text = is_text;
        writer.value(value, 'v');
    }
    finished(writer)
}

/// The values with spaces between and a line end.
pub fn println(values: &[Data]) -> Result<String, String> {
    let mut writer = Writer::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            writer.out.push(' ');
        }
        writer.value(value, 'v');
    }
    writer.out.push('\n');
    finished(writer)
}

/// The format with its verbs replaced. As in Go a wrong verb or argument is no error but shows in the text: `%!d(string=x)`.
pub fn printf(format: &str, arguments: &[Data]) -> Result<String, String> {
    let mut writer = Writer::default();
    Directives::new(format, arguments).write(&mut writer);
    finished(writer)
}

fn finished(writer: Writer) -> Result<String, String> {
    if writer.overflowed || writer.out.len() > MAX_TEXT { Err(too_large()) } else { Ok(writer.out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(format: &str, argument: impl Into<Data>) -> String {
        printf(format, &[argument.into()]).unwrap()
    }

    #[test]
    fn text_verbs() {
        for (format, argument, expected) in [
            ("%s|", "ab", "ab|"),
            ("%5s|", "ab", "   ab|"),
            ("%-5s|", "ab", "ab   |"),
            ("%.1s|", "\u{e9}b", "\u{e9}|"),
            ("%q", "a\"\n\u{e9}\u{200b}", "\"a\\\"\\n\u{e9}\\u200b\""),
            ("%#q", "a\"b", "`a\"b`"),
            ("%+q", "\u{e9}", "\"\\u00e9\""),
            ("%x", "hi", "6869"),
            ("% X", "hi", "68 69"),
            ("%v %%", "x", "x %"),
            ("%#v", "x", "\"x\""),
            ("%T", "x", "string"),
            ("%d", "x", "%!d(string=x)"),
            ("%", "x", "%!(NOVERB)%!(EXTRA string=x)"),
            ("%[2]d", "x", "%!d(BADINDEX)"),
            ("none", "x", "none%!(EXTRA string=x)"),
            ("%[1]s%[1]s", "x", "xx"),
            ("%s %s", "x", "x %!s(MISSING)"),
        ] {
            assert_eq!(formatted(format, argument), expected, "{format}");
        }
    }

    #[test]
    fn integer_verbs() {
        for (format, argument, expected) in [
            ("%05d", 42, "00042"),
            ("%-5d|", 42, "42   |"),
            ("%+d", 42, "+42"),
            ("% d", 42, " 42"),
            ("%x %[1]X %[1]o %[1]b", 255, "ff FF 377 11111111"),
            ("%#x %#[1]o %[1]O", 255, "0xff 0377 0o377"),
            ("%c%[1]q%[1]U", 233, "\u{e9}'\u{e9}'U+00E9"),
            ("%.5d", -42, "-00042"),
            ("%s", 1, "%!s(int=1)"),
        ] {
            assert_eq!(formatted(format, argument), expected, "{format}");
        }
        assert_eq!(printf("%*d", &[5.into(), 42.into()]).unwrap(), "   42");
        assert_eq!(printf("%d", &[i64::MIN.into()]).unwrap(), "-9223372036854775808");
    }

    #[test]
    fn float_verbs() {
        for (format, argument, expected) in [
            ("%v", 1.0, "1"),
            ("%v", 1e6, "1e+06"),
            ("%v", 123456.5, "123456.5"),
            ("%v", 0.00001, "1e-05"),
            ("%f", 1.5, "1.500000"),
            ("%6.2f|", 3.1259, "  3.13|"),
            ("%06.1f", -2.55, "-002.5"),
            ("%e", 12345.678, "1.234568e+04"),
            ("%g", 1e21, "1e+21"),
            ("%.3g", 12345.678, "1.23e+04"),
            ("%+.1f", 2.0, "+2.0"),
            ("%d", 1.5, "%!d(float64=1.5)"),
            ("%5t", 1.5, "%!t(float64=  1.5)"),
        ] {
            assert_eq!(formatted(format, argument), expected, "{format}");
        }
    }

    #[test]
    fn composite_values() {
        let list = Data::list([Data::from("a"), 1.into(), Data::Nil]);
        let map = Data::map([("b", Data::from("x")), ("a", Data::list([1]))]);
        assert_eq!(text(&list), "[a 1 <nil>]");
        assert_eq!(text(&map), "map[a:[1] b:x]");
        assert_eq!(formatted("%#v", list), r#"[]interface {}{"a", 1, interface {}(nil)}"#);
        assert_eq!(formatted("%q", map), r#"map["a":['\x01'] "b":"x"]"#);
        assert_eq!(formatted("%d", Data::Nil), "%!d(<nil>)");
    }

    #[test]
    fn print_puts_spaces_between_what_is_not_text() {
        assert_eq!(print(&[1.into(), 2.into(), "a".into(), 3.into(), "b".into(), "c".into()]).unwrap(), "1 2a3bc");
        assert_eq!(println(&["a".into(), 1.into()]).unwrap(), "a 1\n");
    }

    #[test]
    fn a_huge_result_is_an_error() {
        let wide = "%1000000s".repeat(20);
        assert!(printf(&wide, &vec!["x".into(); 20]).unwrap_err().contains("larger"));
    }
}
