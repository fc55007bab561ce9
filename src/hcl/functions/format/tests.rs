//! Tests of the format functions.

use super::*;
use crate::hcl::number::Number;

fn n(text: &str) -> Value {
    Value::number(Number::parse(text).unwrap())
}

fn shown(pattern: &str, value: Value) -> String {
    render(pattern, &[value]).unwrap_or_else(|error| format!("! {error}"))
}

#[test]
fn numbers() {
    let cases = [
        ("%d", "-7", "-7"),
        ("%+05d", "42", "+0042"),
        ("%-5d|", "42", "42   |"),
        ("%-05d|", "42", "42   |"),
        ("%.5d", "-42", "-00042"),
        ("%08.5d", "42", "   00042"),
        ("%#o %#[1]x", "64", "0100 0x40"),
        ("%#b", "5", "0b101"),
        ("%x", "-255", "-ff"),
        ("%f", "1.5", "1.500000"),
        ("%.0f", "2.5", "2"),
        ("%.0f", "3.5", "4"),
        ("%.0f", "0.5", "0"),
        ("%.0f", "0.6", "1"),
        ("%.2f", "0.125", "0.12"),
        ("%.2f", "9.999", "10.00"),
        ("%08.3f|", "-3.14159", "-003.142|"),
        ("%+.1f", "2", "+2.0"),
        ("%.3e", "123456", "1.235e+05"),
        ("%e", "0", "0.000000e+00"),
        ("%.1e", "9.99", "1.0e+01"),
        ("%g", "1e100", "1e+100"),
        ("%g", "100000", "100000"),
        ("%g", "1000000", "1e+06"),
        ("%g", "0.0001", "0.0001"),
        ("%.3g", "1234.5678", "1.23e+03"),
        ("%.10g", "1234.5678", "1234.5678"),
        ("%.3g", "0", "0"),
        ("%.6g", "100", "100"),
        ("%.2g", "100", "1e+02"),
        ("%G", "1e-10", "1E-10"),
        ("%06f", "inf", "  +Inf"),
        ("%v", "1000000", "1e+06"),
        ("%v", "-0.5", "-0.5"),
        ("%s", "1000000", "1000000"),
    ];
    for (pattern, number, want) in cases {
        let pattern_shown = shown(pattern, n(number));
        assert_eq!(pattern_shown, want, "{pattern} of {number}");
    }
}

#[test]
fn arguments() {
    let both = [Value::string("a"), Value::string("b")];
    let cases = [
        ("%[2]s %[1]s", Some("b a")),
        ("%s %s", Some("a b")),
        ("%[2]s", Some("b")),
        ("%s", None),
        ("%[2]s %s", None),
        ("%[0]s", None),
        ("%s%s%", None),
        ("%s %5%", None),
        ("%s %z", None),
    ];
    for (pattern, want) in cases {
        assert_eq!(render(pattern, &both).ok().as_deref(), want, "{pattern}");
    }
}
