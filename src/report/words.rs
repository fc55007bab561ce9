//! Small pieces of wording.

/// `1 build`, `2 builds`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A number of bytes in binary units: `812 B`, `1.5 KiB`, `512.0 MiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    // The largest unit of which there is at least one: 2^10 bytes a step.
    let power = number.ilog2() / 10;
    let tenths = u128::from(number) * 10 / (1 << (10 * power));
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_numbers() {
        assert_eq!(count(1, "build"), "1 build");
        assert_eq!(count(0, "build"), "0 builds");
    }

    #[test]
    fn bytes_are_short() {
        for (number, text) in [
            (812, "812 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (u64::MAX, "15.9 EiB"),
            (512 << 20, "512.0 MiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
